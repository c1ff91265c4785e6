"""Closed fits of chains: shares, errors by the curvature of the likelihood, smoothing."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest

import nll
from nll.errors import DataError, UsageError
from nll.tasks.sequences.fit import sequence_fit
from nll.tasks.sequences.saving import fit_from_dict
from nll.tasks.sequences.score import sequence_score

TRUE = nll.MarkovChain([0.5, 0.3, 0.2], [[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.3, 0.3, 0.4]])
Y = TRUE.sample([30] * 20, rng=1)


def test_shares_and_their_errors():
    f = sequence_fit(Y, nll.MarkovChain)
    pairs = [(a, b) for part in Y for a, b in pairwise(part.tolist())]
    counts = np.zeros((3, 3))
    for a, b in pairs:
        counts[a, b] += 1
    shares = counts / counts.sum(axis=1, keepdims=True)
    assert f.dist.transition == pytest.approx(shares, rel=1e-15)
    assert np.array_equal(f.counts, counts)
    assert f.dist.initial.tolist() == [np.mean([part[0] == s for part in Y]) for s in range(3)]
    n = counts.sum(axis=1)
    for i in range(3):
        for j in range(3):
            error = math.sqrt(shares[i, j] * (1 - shares[i, j]) / n[i])
            assert f.stderr[f"transition_{i}_{j}"] == pytest.approx(error, rel=1e-13)
            assert np.asarray(f.errors)[i, j] == pytest.approx(error, rel=1e-13)
    at = [f.free.index(name) for name in ("transition_1_0", "transition_1_2", "transition_2_0")]
    assert f.cov[at[0], at[1]] == pytest.approx(-shares[1, 0] * shares[1, 2] / n[1], rel=1e-13)
    assert f.cov[at[0], at[2]] == 0.0
    assert (f.k, f.n, f.sequences) == (8, 600, 20)
    assert f.nll == sequence_score(Y, f.dist).sum
    assert f.aic == pytest.approx(2 * f.nll + 16, rel=1e-15)
    assert f.nll < sequence_score(Y, TRUE).sum


def test_no_neighbour_is_likelier():
    f = sequence_fit(Y, nll.MarkovChain(order=2))
    rng = np.random.default_rng(2)
    for _ in range(5):
        other = f.dist.transition * np.exp(0.02 * rng.normal(size=(3, 3, 3)))
        other /= other.sum(axis=-1, keepdims=True)
        assert sequence_score(Y, nll.MarkovChain(f.dist.initial, other)).sum > f.nll
    assert f.k == 9 * 2 + 8


def test_an_ngram_counts_the_start_by_itself():
    texts = ["abab", "ba", "abb", "b"]
    f = sequence_fit([np.array(list(text)) for text in texts], nll.NGram(3), labels=["a", "b"])
    # P(first) = 1/2 each; after a first a only b; after a first b only a (of those that go on)
    assert f.dist.initial == pytest.approx(np.array([[0.0, 0.5], [0.5, 0.0]]), rel=1e-15)
    assert f.dist.transition[0, 1] == pytest.approx([0.5, 0.5], rel=1e-15)
    assert np.isnan(f.dist.transition[0, 0]).all()
    assert any("never followed" in text for text in f.warnings)
    assert f.nll == pytest.approx(4 * math.log(2.0) + 2 * math.log(2.0), rel=1e-14)


def test_smoothing_is_added_and_said():
    f = sequence_fit([0, 0, 1, 0], nll.MarkovChain(pseudo_count=0.5, states=3))
    assert f.dist.transition == pytest.approx(np.array([[1.5, 1.5, 0.5], [1.5, 0.5, 0.5], [0.5, 0.5, 0.5]])
                                              / [[3.5], [2.5], [1.5]], rel=1e-15)  # fmt: skip
    assert f.dist.initial == pytest.approx([1.5 / 2.5, 0.5 / 2.5, 0.5 / 2.5], rel=1e-15)
    assert f.pseudo_count == 0.5
    assert any("smoothed" in text for text in f.warnings)
    assert f.cov_type == "smoothed counts"


def test_ends_have_no_errors():
    f = sequence_fit([0, 1, 2], nll.MarkovChain)
    assert f.at_boundary[0] == "initial_0"
    assert math.isnan(f.stderr["transition_0_1"])
    assert not f.cov_ok
    with pytest.raises(DataError, match="pseudo_count="):
        sequence_score([2, 0], f.dist)


def test_given_starts_and_order_zero():
    f = sequence_fit(Y, nll.MarkovChain("given"))
    assert (f.n, f.k) == (600 - 20, 6)
    f = sequence_fit(Y, nll.NGram(1))
    assert f.dist.transition == pytest.approx(np.bincount(np.concatenate(Y)) / 600, rel=1e-15)


def test_many_probabilities_are_not_named():
    f = sequence_fit(np.arange(60) % 60, nll.MarkovChain)
    assert f.free == ()
    assert any("3,600 probabilities" in text for text in f.warnings)
    assert "MarkovChain" in f.summary()


def test_a_fit_comes_back_from_json():
    f = sequence_fit(Y, nll.MarkovChain(pseudo_count=1.0))
    again = fit_from_dict(json.loads(f.to_json()))
    assert (again.stderr, again.params, again.k, again.pseudo_count) == (f.stderr, f.params, f.k, 1.0)
    assert sequence_score(Y, again.dist).sum == f.nll
    assert np.isfinite(f.row_losses()[0]).all()
    with pytest.raises(UsageError, match="no profiles"):
        f.profile("initial_0")


@pytest.mark.parametrize(
    ("y", "model", "options", "kind", "words"),
    [
        (Y, TRUE, {}, UsageError, "has numbers already"),
        (Y, nll.NGram, {}, UsageError, r"nll.NGram\(3\)"),
        (Y, nll.MarkovChain(states=2), {}, DataError, "0 .. 1"),
        (Y, nll.MarkovChain, {"by": [1]}, UsageError, "takes no by"),
        (Y, nll.MarkovChain, {"starts": 3}, UsageError, "takes no starts"),
        ([0, math.nan], nll.MarkovChain, {"missing": "drop"}, UsageError, "no missing states"),
        ([0.5], nll.MarkovChain, {}, DataError, "row 0 has 0.5"),
        ([4000], nll.MarkovChain(order=3), {}, UsageError, "take a lower order"),
        ([[0], [1]], nll.MarkovChain("given"), {}, DataError, "nothing follows"),
    ],
)
def test_what_is_refused(y, model, options, kind, words):
    with pytest.raises(kind, match=words):
        sequence_fit(y, model, **options)
