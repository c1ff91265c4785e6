"""Fits of hidden Markov models: published maxima, errors by differences of another likelihood, ends and collapses."""

import json
import math

import numpy as np
import pytest
from scipy import stats

import nll
from nll.errors import DataError, FitError, UsageError
from nll.tasks.sequences.fit import sequence_fit
from nll.tasks.sequences.saving import fit_from_dict
from nll.tasks.sequences.score import sequence_score

# Earthquakes of magnitude 7 and above in the world, a year, 1900 to 2006.
# Source: W. Zucchini and I. L. MacDonald, Hidden Markov Models for Time Series (2009), chapter 1.
QUAKES = [
    13, 14, 8, 10, 16, 26, 32, 27, 18, 32, 36, 24, 22, 23, 22, 18, 25, 21, 21, 14, 8, 11, 14, 23, 18, 17, 19,
    20, 22, 19, 13, 26, 13, 14, 22, 24, 21, 22, 26, 21, 23, 24, 27, 41, 31, 27, 35, 26, 28, 36, 39, 21, 17, 22,
    17, 19, 15, 34, 10, 15, 22, 18, 15, 20, 15, 22, 19, 16, 30, 27, 29, 23, 20, 16, 21, 21, 25, 16, 18, 15, 18,
    14, 10, 15, 8, 15, 6, 11, 8, 7, 18, 16, 13, 12, 13, 20, 15, 16, 12, 18, 15, 16, 13, 15, 16, 11, 11,
]  # fmt: skip
TRUE = nll.HiddenMarkov([0.6, 0.4], [[0.9, 0.1], [0.2, 0.8]], nll.Normal(loc=[0.0, 3.0], scale=[1.0, 1.5]))
Y = TRUE.sample([15] * 10, rng=1)


def log_likelihood(sequences, initial, transition, densities):
    """Return the sum over sequences by plain products of matrices; densities(y) is (T, K)."""
    total = 0.0
    for y in sequences:
        row = np.asarray(initial)
        for t, p in enumerate(densities(np.asarray(y))):
            row = (row if t == 0 else row @ transition) * p
            total += math.log(row.sum())
            row = row / row.sum()
    return total


def curvature(function, k, h=0.01):
    """Return the Hessian (k, k) at 0 by central differences."""
    out = np.empty((k, k))
    steps = h * np.eye(k)
    for i in range(k):
        for j in range(i, k):
            signs = ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
            out[i, j] = out[j, i] = sum(c * function(a * steps[i] + b * steps[j]) for a, b, c in signs) / (4 * h * h)
    return out


@pytest.mark.parametrize(("states", "nll_", "k"), [(1, 391.91892817, 1), (2, 342.31826679, 4), (3, 329.46027623, 9)])
def test_stationary_earthquakes(states, nll_, k):
    # scipy.optimize.minimize 1.17.1 (BFGS, the best of 6 starts) on another implementation of the likelihood
    f = sequence_fit(QUAKES, nll.HiddenMarkov("stationary", states=states, emission=nll.Poisson), starts=3)
    assert f.nll == pytest.approx(nll_, abs=1e-6)
    assert f.k == k
    assert f.converged
    assert f.reached == f.starts == (3 if states > 1 else 1)


def test_errors_are_those_of_the_likelihood():
    f = sequence_fit(QUAKES, nll.HiddenMarkov("stationary", states=2, emission=nll.Poisson), starts=2)
    names = ["transition_0_1", "transition_1_0", "rate_0", "rate_1"]
    place = np.array([f.params[name] for name in names])

    def loss(theta):
        a, b, *rates = theta
        transition = np.array([[1 - a, a], [b, 1 - b]])
        initial = np.array([b, a]) / (a + b)
        return -log_likelihood([QUAKES], initial, transition, lambda y: stats.poisson.pmf(y[:, None], rates))

    scale = np.array([f.stderr[name] for name in names])
    hessian = curvature(lambda z: loss(place + scale * z), 4)
    cov = np.linalg.inv(hessian) * np.outer(scale, scale)
    assert scale == pytest.approx(np.sqrt(np.diag(cov)), rel=1e-4)
    at = [f.free.index(name) for name in names]
    assert f.cov[np.ix_(at, at)] == pytest.approx(cov, rel=2e-3, abs=1e-8)
    assert f.stderr["transition_0_0"] == pytest.approx(f.stderr["transition_0_1"], rel=1e-12)
    difference = f.derive("rate_1 - rate_0")
    assert difference.stderr == pytest.approx(math.sqrt(cov[2, 2] + cov[3, 3] - 2 * cov[2, 3]), rel=1e-3)
    with pytest.raises(UsageError, match="no mean"):
        f.derive("mean")


def test_several_sequences_of_normals():
    f = sequence_fit(Y, nll.HiddenMarkov(states=2, emission=nll.Normal), starts=3)
    assert f.nll == sequence_score(Y, f.dist).sum
    assert f.nll < sequence_score(Y, TRUE).sum
    names = ["initial_1", "transition_0_1", "transition_1_0", "loc_0", "scale_0", "loc_1", "scale_1"]
    place = np.array([f.params[name] for name in names])

    def loss(theta):
        p, a, b, m0, s0, m1, s1 = theta
        density = lambda y: stats.norm.pdf(y[:, None], [m0, m1], [s0, s1])  # noqa: E731
        return -log_likelihood(Y, [1 - p, p], np.array([[1 - a, a], [b, 1 - b]]), density)

    scale = np.array([f.stderr[name] for name in names])
    assert f.nll == pytest.approx(loss(place), rel=1e-12)
    for i in range(7):
        unit = np.eye(7)[i] * scale
        rise = (loss(place + 0.01 * unit) - loss(place - 0.01 * unit)) / 0.02
        assert rise == pytest.approx(0.0, abs=1e-4)  # nats by a standard error
    hessian = curvature(lambda z: loss(place + scale * z), 7)
    assert np.sqrt(np.diag(np.linalg.inv(hessian))) == pytest.approx(np.ones(7), rel=1e-3)
    assert f.params["loc_0"] < f.params["loc_1"]
    assert (f.k, f.n, f.sequences) == (7, 150, 10)


def test_other_seeds_end_at_the_same_maximum():
    wanted = nll.HiddenMarkov(states=2, emission=nll.Normal)
    one, two = (sequence_fit(Y, wanted, starts=2, rng=seed) for seed in (1, 2))
    assert one.nll == pytest.approx(two.nll, abs=1e-8)
    assert list(one.params.values()) == pytest.approx(list(two.params.values()), rel=1e-4)
    again = sequence_fit(Y, wanted, starts=2, rng=1)
    assert list(again.params.values()) == pytest.approx(list(one.params.values()), rel=1e-10)


def test_classes():
    true = nll.HiddenMarkov(
        [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], nll.Categorical(probs=[[0.6, 0.2, 0.2], [0.1, 0.3, 0.6]])
    )
    y = true.sample([300, 300], rng=2)
    f = sequence_fit(y, nll.HiddenMarkov(states=2, emission=nll.Categorical), starts=3)
    assert f.nll < sequence_score(y, true).sum
    probs = np.array([part.theta["probs"] for part in f.dist.emissions])
    names = ["transition_0_1", "transition_1_0", "probs_0_0", "probs_0_1", "probs_1_0", "probs_1_1"]
    place, scale = (np.array([table[name] for name in names]) for table in (f.params, f.stderr))
    initial = f.dist.initial

    def loss(theta):
        a, b, *p = theta
        table = np.array([[p[0], p[1], 1 - p[0] - p[1]], [p[2], p[3], 1 - p[2] - p[3]]])
        return -log_likelihood(y, initial, np.array([[1 - a, a], [b, 1 - b]]), lambda y: table[:, y.astype(int)].T)

    assert f.nll == pytest.approx(loss(place), rel=1e-12)
    for i in range(6):
        unit = np.eye(6)[i] * scale
        assert (loss(place + 0.01 * unit) - loss(place - 0.01 * unit)) / 0.02 == pytest.approx(0.0, abs=1e-4)
    assert probs.sum(axis=1) == pytest.approx([1.0, 1.0], rel=1e-12)
    assert f.k == 2 + 1 + 4


def test_known_scales_and_missing_observations():
    y = [part.copy() for part in Y[:3]]
    y[1][5:8] = math.nan
    wanted = nll.HiddenMarkov(states=2, emission=nll.Normal)
    f = sequence_fit(y, wanted, fixed={"scale": [1.0, 1.5]}, missing="drop", starts=1)
    assert (f.missing, f.n) == (3, 42)
    assert f.nll == sequence_score(y, f.dist, missing="drop").sum
    assert [part.theta["scale"] for part in f.dist.emissions] == [1.0, 1.5]
    assert "scale_0" not in f.free
    assert f.params["scale_1"] == 1.5


def test_a_start_of_ones_own_and_one_state():
    f = sequence_fit(Y, nll.HiddenMarkov(states=2, emission=nll.Normal), starts=1, start=TRUE)
    assert f.starts == 2
    one = sequence_fit(Y, nll.HiddenMarkov(states=1, emission=nll.Normal))
    whole = np.concatenate(Y)
    assert one.params["loc_0"] == pytest.approx(whole.mean(), rel=1e-12)
    assert one.params["scale_0"] == pytest.approx(whole.std(), rel=1e-12)
    assert one.stderr["loc_0"] == pytest.approx(whole.std() / math.sqrt(150), rel=1e-6)
    assert one.k == 2


def test_collapses_are_no_maxima():
    y = np.r_[np.zeros(15), 1.0, 2.0, 0.5, 1.5]
    with pytest.raises(FitError, match="closes in on one value") as caught:
        sequence_fit(y, nll.HiddenMarkov(states=2, emission=nll.Normal), starts=3)
    assert caught.value.fit.collapsed == 3
    rng = np.random.default_rng(3)
    f = sequence_fit(rng.normal(size=12), nll.HiddenMarkov(states=4, emission=nll.Normal), throw=False)
    assert f.collapsed > 0
    assert not f.converged or any("unbounded" in text for text in f.warnings)


def test_ends_are_named():
    f = sequence_fit(
        [0, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 5, 4], nll.HiddenMarkov(states=2, emission=nll.Poisson), starts=3
    )
    assert "rate_0" in f.at_boundary
    assert math.isnan(f.stderr["rate_0"])
    assert f.stderr["rate_1"] > 0.0
    assert not f.cov_ok


def test_a_fit_comes_back_from_json():
    f = sequence_fit(QUAKES, nll.HiddenMarkov(states=2, emission=nll.Poisson), starts=2)
    again = fit_from_dict(json.loads(f.to_json()))
    assert (again.params, again.k, again.starts, again.reached) == (f.params, f.k, f.starts, f.reached)
    assert str(again.ci()) == str(f.ci())
    assert again.dist.decode(QUAKES).tolist() == f.dist.decode(QUAKES).tolist()
    assert f.at_boundary == ("initial_0", "initial_1")
    assert f.cov_ok  # one sequence puts its start at an end; the other errors hold


@pytest.mark.parametrize(
    ("y", "model", "options", "kind", "words"),
    [
        (Y, nll.HiddenMarkov, {}, UsageError, "states=2"),
        (Y, TRUE, {}, UsageError, "has numbers already"),
        (Y, nll.HiddenMarkov(states=2, emission=nll.Laplace), {}, UsageError, "statistic of the sample"),
        (Y, nll.HiddenMarkov(states=2, emission=nll.Binomial), {}, UsageError, "total_count"),
        ([0.5], nll.HiddenMarkov(states=2, emission=nll.Poisson), {}, DataError, "row 0 has 0.5"),
        ([-1.0, 1.0], nll.HiddenMarkov(states=2, emission=nll.Exponential), {}, FitError, "row 0 is impossible"),
        (Y, nll.HiddenMarkov(states=2, emission=nll.Normal), {"starts": 0}, UsageError, "at least 1"),
        (
            Y,
            nll.HiddenMarkov(states=2, emission=nll.Normal),
            {"fixed": {"rate": 1.0}},
            UsageError,
            "no parameter 'rate'",
        ),
        (Y, nll.HiddenMarkov(states=2, emission=nll.Normal), {"fixed": {"scale": 0.0}}, DataError, "positive"),
        (Y, nll.HiddenMarkov(states=3, emission=nll.Normal), {"start": TRUE}, UsageError, "3 states"),
        ([math.nan], nll.HiddenMarkov(states=1, emission=nll.Normal), {"missing": "drop"}, DataError, "are missing"),
    ],
)
def test_what_is_refused(y, model, options, kind, words):
    with pytest.raises(kind, match=words):
        sequence_fit(y, model, **options)
