"""Models of sequences: samples, equilibria, states, saving, and what is refused."""

import itertools
import json
import math

import numpy as np
import pytest
from scipy import stats

import nll
from nll.errors import DataError, UsageError
from nll.tasks.sequences.model import is_sequence_model
from nll.tasks.sequences.saving import model_from_dict
from nll.tasks.sequences.score import sequence_score

P, A = np.array([0.6, 0.4]), np.array([[0.7, 0.3], [0.2, 0.8]])
HIDDEN = nll.HiddenMarkov(P, A, nll.Normal(loc=[0.0, 3.0], scale=[1.0, 2.0]))
SECOND = nll.MarkovChain([[0.1, 0.2], [0.3, 0.4]], [[[0.9, 0.1], [0.4, 0.6]], [[0.3, 0.7], [0.5, 0.5]]])


def test_samples_have_the_frequencies_of_the_model():
    draws = np.array([SECOND.sample(3, rng=i) for i in range(4000)])
    for first, second in itertools.product(range(2), repeat=2):
        times = (draws[:, :2] == (first, second)).all(axis=1)
        assert times.mean() == pytest.approx([[0.1, 0.2], [0.3, 0.4]][first][second], abs=4 * 0.5 / math.sqrt(4000))
        share = draws[times, 2].mean()
        assert share == pytest.approx(SECOND.table[first, second, 1], abs=4 * 0.5 / math.sqrt(times.sum()))
    y = HIDDEN.sample(20_000, rng=1)
    weights = HIDDEN.stationary  # thinned, so that draws are almost independent
    cdf = lambda x: weights[0] * stats.norm.cdf(x) + weights[1] * stats.norm.cdf(x, 3, 2)  # noqa: E731
    assert stats.kstest(y[::20], cdf).pvalue > 1e-3
    assert [len(part) for part in HIDDEN.sample([3, 1], rng=0)] == [3, 1]
    assert HIDDEN.sample(5, rng=3).tolist() == HIDDEN.sample(5, rng=3).tolist()


def test_stationary_distributions():
    chain = nll.MarkovChain("stationary", A)
    assert chain.initial == pytest.approx([0.4, 0.6], rel=1e-15)
    assert HIDDEN.stationary == pytest.approx([0.4, 0.6], rel=1e-15)
    both = SECOND.stationary
    assert both.sum() == pytest.approx(1.0, rel=1e-15)
    assert np.einsum("ab,abc->bc", both, SECOND.transition) == pytest.approx(both, rel=1e-14)
    absorbing = nll.MarkovChain([1, 0, 0], [[0.5, 0.25, 0.25], [0, 0, 1], [0, 1, 0]])
    assert absorbing.stationary.tolist() == [0.0, 0.5, 0.5]
    with pytest.raises(UsageError, match="several closed sets"):
        nll.MarkovChain("stationary", np.eye(2))
    rare = nll.MarkovChain("stationary", [[1 - 1e-12, 1e-12], [1e-9, 1 - 1e-9]])
    assert rare.stationary[1] == pytest.approx(1e-12 / (1e-12 + 1e-9), rel=1e-4)  # 1 - 1e-9 has lost digits


def test_states_by_the_sum_over_all_paths():
    y = [0.5, 2.5, -1.0, 4.0]
    density = stats.norm([0, 3], [1, 2]).pdf(np.array(y)[:, None])
    found = {}
    for path in itertools.product(range(2), repeat=4):
        p = P[path[0]] * density[0, path[0]]
        for t in range(1, 4):
            p *= A[path[t - 1], path[t]] * density[t, path[t]]
        found[path] = p
    total = sum(found.values())
    posterior = [[sum(p for path, p in found.items() if path[t] == s) / total for s in range(2)] for t in range(4)]
    assert HIDDEN.posterior(y) == pytest.approx(np.array(posterior), rel=1e-12)
    assert tuple(HIDDEN.decode(y)) == max(found, key=found.get)
    listed = HIDDEN.decode([y, y[:1]])
    assert [part.tolist() for part in listed] == [HIDDEN.decode(y).tolist(), HIDDEN.decode(y[:1]).tolist()]
    assert HIDDEN.posterior([math.nan, 0.5], missing="drop")[0, 0] > P[0]


def test_impossible_sequences_have_no_states():
    model = nll.HiddenMarkov([1, 0], [[0, 1], [1, 0]], nll.Uniform(low=[0.0, 2.0], high=[1.0, 3.0]))
    for ask in (model.decode, model.posterior):
        with pytest.raises(DataError, match="the likelihood is 0"):
            ask([[0.5, 2.5], [0.5, 0.5]])


@pytest.mark.parametrize(
    "model",
    [
        SECOND,
        nll.MarkovChain("given", A),
        nll.NGram(transition=[0.25, 0.75]),
        nll.NGram(2, initial=P, transition=[[math.nan, math.nan], [0.5, 0.5]]),
        HIDDEN,
        nll.HiddenMarkov(
            P, A, [nll.Exponential(2.0), nll.Mixture([nll.Normal(0, 1), nll.Normal(4, 1)], weights=[0.3, 0.7])]
        ),
        nll.HiddenMarkov(P, A, nll.Categorical(probs=[[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])),
    ],
    ids=repr,
)
def test_models_come_back_from_json(model):
    again = model_from_dict(json.loads(model.to_json()))
    assert type(again) is type(model)
    assert repr(again) == repr(model)
    assert again.to_dict() == model.to_dict() or "NaN" in json.dumps(model.to_dict())
    assert sequence_score([1, 1, 1], again).sum == sequence_score([1, 1, 1], model).sum
    assert type(model).from_json(model.to_json()).to_json() == model.to_json()


@pytest.mark.parametrize(
    "saved",
    [
        None,
        {},
        {"nll": "sequence model", "version": 1, "model": "HiddenMarkov"},
        {"nll": "sequence model", "version": 1, "model": "MarkovChain", "initial": [1], "transition": [["a"]]},
        {"nll": "sequence model", "version": 1, "model": "MarkovChain", "initial": [1], "transition": [[0.5]]},
        {"nll": "sequence model", "version": 2, "model": "MarkovChain", "initial": [1], "transition": [[1]]},
        {"nll": "sequence model", "version": 1, "model": "os.system"},
        {"nll": "sequence model", "version": 1, "model": "MarkovChain", "initial": [1], "transition": [[1], [1, 2]]},
        {
            "nll": "sequence model",
            "version": 1,
            "model": "HiddenMarkov",
            "initial": [1],
            "transition": [[1]],
            "emission": [3],
        },
    ],
)
def test_broken_models_are_refused(saved):
    with pytest.raises(DataError):
        model_from_dict(saved)


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: nll.MarkovChain([0.5, 0.6], A), DataError, "initial must sum to 1"),
        (lambda: nll.MarkovChain(P, [[0.5, 0.5], [1.2, -0.2]]), DataError, r"in \[0, 1\]; got 1.2 at \(1, 0\)"),
        (lambda: nll.MarkovChain(P, [[0.5, 0.5], [0.5, 0.4]]), DataError, "row 1 of transition must sum to 1"),
        (lambda: nll.MarkovChain(P, [[0.5, 0.5]]), DataError, r"shape \(1, 2\)"),
        (lambda: nll.MarkovChain(np.ones((2, 2)) / 4, A), DataError, r"order 1 has the shape \(2,\)"),
        (lambda: nll.MarkovChain(transition=A), UsageError, "initial= is missing"),
        (lambda: nll.MarkovChain("often", A), UsageError, "initial is probabilities, or one of"),
        (lambda: nll.MarkovChain(P, A, order=2), UsageError, "for a fit"),
        (lambda: nll.MarkovChain("stationary"), UsageError, "no closed fit"),
        (lambda: nll.MarkovChain(pseudo_count=-1), UsageError, "at least 0"),
        (nll.NGram, UsageError, "how many symbols"),
        (lambda: nll.NGram(3, initial=P, transition=A), UsageError, "2-gram; n=3"),
        (lambda: nll.HiddenMarkov(P, A), UsageError, "all have numbers"),
        (
            lambda: nll.HiddenMarkov(P, A, nll.Normal(loc=[0, 1, 2], scale=1.0)),
            UsageError,
            r"one entry a state, \(2,\)",
        ),
        (lambda: nll.HiddenMarkov(P, A, nll.Normal(loc=[0, 1], scale=-1.0)), DataError, "scale must be positive"),
        (lambda: nll.HiddenMarkov(P, A, nll.Normal(loc="mu", scale=1.0)), UsageError, "loc of the emission"),
        (lambda: nll.HiddenMarkov(P, A, [nll.Normal(0, 1)]), UsageError, "a list of 2 distributions"),
        (lambda: nll.HiddenMarkov(P, A, [nll.Normal(0, 1), nll.Poisson(1.0)]), UsageError, "not both"),
        (lambda: nll.HiddenMarkov(P, A, nll.Normal), UsageError, "without numbers"),
        (lambda: nll.HiddenMarkov(emission=nll.Normal), UsageError, "states=2"),
        (lambda: HIDDEN.sample(0), UsageError, "at least 1"),
        (lambda: nll.MarkovChain("given", A).sample(3), UsageError, "needs initial="),
        (lambda: nll.HiddenMarkov(states=2, emission=nll.Normal).sample(3), UsageError, "what nll.fit is to find"),
    ],
)
def test_what_is_refused(make, kind, words):
    with pytest.raises(kind, match=words):
        make()


def test_what_is_a_model_of_sequences():
    assert is_sequence_model(nll.NGram)
    assert is_sequence_model(HIDDEN)
    assert not is_sequence_model(nll.Normal)
