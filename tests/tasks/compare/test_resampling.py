"""The bootstrap and the confidence sequence: exactness, validity, and what they refuse."""

from __future__ import annotations

import json
import math

import mpmath
import numpy as np
import pytest

import nll
from nll.errors import DataError, UsageError
from nll.tasks.compare.bootstrap import replicate_means
from nll.tasks.compare.sequential import log_gamma_e, log_normal_e, tuning
from nll.tasks.draws import THRESHOLDS, cluster_keys, poisson_weights


def test_thresholds_are_those_of_poisson() -> None:
    mpmath.mp.dps = 50
    sums = [mpmath.e**-1 * sum(1 / mpmath.factorial(j) for j in range(k + 1)) for k in range(len(THRESHOLDS))]
    assert THRESHOLDS.tolist() == [int(mpmath.floor(s * 2**64)) for s in sums]


def test_weights_are_poisson_and_depend_on_their_place_alone() -> None:
    keys = np.arange(5000, dtype=np.uint64)
    w = poisson_weights(7, np.arange(40), keys)
    counts = np.bincount(w.ravel(), minlength=6)[:6] / w.size
    expected = [math.exp(-1.0) / math.factorial(k) for k in range(6)]
    np.testing.assert_allclose(counts, expected, atol=4.0 * math.sqrt(0.25 / w.size))
    assert (w[13, 1000:1200] == poisson_weights(7, np.array([13]), keys[1000:1200])[0]).all()
    assert (w != poisson_weights(8, np.arange(40), keys)).mean() > 0.5
    rows = np.corrcoef(w.astype(float)) - np.eye(40)
    assert np.abs(rows).max() < 5.0 / math.sqrt(len(keys))


def test_replicates_are_exact_for_any_split() -> None:
    rng = np.random.default_rng(0)
    d, keys, ones = rng.standard_normal(3000) * 1e3, np.arange(3000, dtype=np.uint64), np.ones(3000, np.int64)
    whole = replicate_means(d, ones, keys, 50, 3)
    assert (whole == replicate_means(d, ones, keys, 50, 3, rows=17)).all()
    order = rng.permutation(3000)
    assert (whole == replicate_means(d[order], ones, keys[order], 50, 3)).all()
    w = poisson_weights(3, np.arange(50), keys).astype(float)
    np.testing.assert_allclose(whole, (w @ d) / w.sum(axis=1), rtol=1e-9)


def test_bootstrap_error_is_that_of_the_mean() -> None:
    rng = np.random.default_rng(1)
    a = rng.gamma(2.0, 1.0, 2000)
    b = a + 0.05 + rng.standard_normal(2000)
    found = nll.bootstrap(a, b, replicates=2000)
    assert found.stderr == pytest.approx((b - a).std() / math.sqrt(2000), rel=0.07)
    assert found.low < found.mean_difference < found.high
    cluster = np.repeat(np.arange(40), 50)
    shared = a + 0.05 + rng.standard_normal(40)[cluster]
    clustered = nll.bootstrap(a, shared, cluster=cluster, replicates=1000)
    assert clustered.clusters == 40
    assert clustered.stderr > 4.0 * nll.bootstrap(a, shared, replicates=500).stderr


def test_clusters_are_known_by_their_value() -> None:
    _, one = cluster_keys(np.array(["x", "y", "x", "z"]))
    _, two = cluster_keys(np.array(["z", "x"]))
    assert {*two.tolist()} < {*one.tolist()}
    with pytest.raises(DataError, match="at least two clusters"):
        nll.bootstrap([1.0, 2.0], [2.0, 2.5], cluster=[1, 1])
    with pytest.raises(UsageError, match="seed"):
        nll.bootstrap([1.0, 2.0], [2.0, 2.5], seed=-1)


@pytest.mark.parametrize(("s", "v"), [(10.0, 100.0), (3.0, 5.0), (-1.0, 5.0), (60.0, 400.0)])
def test_gamma_mixture_is_its_integral(s: float, v: float) -> None:
    mpmath.mp.dps = 30
    rho, c = 7.0, 2.0
    r = mpmath.mpf(rho) / c**2
    density = mpmath.quad(lambda y: y ** (r - 1) * mpmath.e ** (-r * y), [0, 0.1, 1])
    top = mpmath.quad(
        lambda y: mpmath.e ** ((1 - y) * (c * s + v) / c**2) * y ** (v / c**2 + r - 1) * mpmath.e ** (-r * y),
        mpmath.linspace(0, 1, 9),
    )
    assert log_gamma_e(s, v, rho, c) == pytest.approx(float(mpmath.log(top / density)), rel=1e-10, abs=1e-11)


def test_normal_mixture_is_its_integral() -> None:
    n, s, r2 = 40, 9.0, 0.03
    terms = mpmath.quad(
        lambda m: mpmath.e ** (m * s - n * m**2 / 2) * mpmath.npdf(m, 0, mpmath.sqrt(r2)), [-3, -1, 0, 0.2, 1, 3]
    )
    assert log_normal_e(n, s, r2) == pytest.approx(float(mpmath.log(terms)), rel=1e-10)


def test_asymptotic_sequence_keeps_its_level() -> None:
    """In 300 sequences of 10**4 looks from row 500, at most 5 % (and three standard errors) reject a true mean."""
    rng = np.random.default_rng(2)
    n, runs, rejected = np.arange(1, 10_001), 300, 0
    for _ in range(runs):
        d = rng.standard_exponential(len(n)) - 1.0
        s, q = d.cumsum(), (d * d).cumsum()
        with np.errstate(invalid="ignore", divide="ignore"):
            e = log_normal_e(n, s / np.sqrt((q - s * s / n) / (n - 1)), tuning(0.05, 1000.0))
        rejected += e[500:].max() >= math.log(20.0)
    assert rejected / runs < 0.05 + 3.0 * math.sqrt(0.05 * 0.95 / runs)


def test_bounded_sequence_keeps_its_level_from_the_first_row() -> None:
    """The mixture is a supermartingale under any mean-zero bounded law: its mean after some rows is at most 1."""
    rng = np.random.default_rng(3)
    d = np.where(rng.random((4000, 12)) < 0.1, 0.9, -0.1)
    for rows in (1, 4, 12):
        s, v = d[:, :rows].sum(axis=1), (d[:, :rows] ** 2).sum(axis=1)
        pairs, counts = np.unique(np.column_stack([s, v]).round(12), axis=0, return_counts=True)
        e = np.array([math.exp(log_gamma_e(float(x), float(y), 0.5, 1.0)) for x, y in pairs])
        mean = (e * counts).sum() / counts.sum()
        spread = math.sqrt(((e - mean) ** 2 * counts).sum()) / counts.sum()
        assert mean <= 1.0 + 4.0 * spread


def test_interval_ends_where_the_evidence_reaches_the_level() -> None:
    rng = np.random.default_rng(4)
    d = rng.uniform(-0.5, 0.9, 400)
    stream = nll.ConfidenceSequence(0.9, bounds=(-1.0, 1.0), variance=0.2)
    stream.update(d)
    found = stream.interval()
    rho = stream.variance * stream.tuned_for / (math.log(4.0 / 0.1**2) + math.log1p(math.log(4.0 / 0.1**2)))
    radius = found.mean_difference - found.low
    assert log_gamma_e(radius * 400, float((d * d).sum()), rho, 1.0) == pytest.approx(math.log(2.0 / 0.1), rel=1e-9)
    assert found.low < 0.2 < found.high
    wide = nll.ConfidenceSequence(0.9)
    wide.update(d)
    found = wide.interval()
    half = found.high - found.mean_difference
    spread = d.std(ddof=1)
    assert log_normal_e(400, 400 * half / spread, tuning(1.0 - 0.9, 1000.0)) == pytest.approx(math.log(10.0), rel=1e-9)


def test_parts_merge_to_the_same_bits() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random(500), rng.random(500)
    whole, one, two = (nll.ConfidenceSequence() for _ in range(3))
    whole.update(a, b)
    one.update(a[:123], b[:123])
    for i in range(123, 500, 7):
        two.update(a[i : i + 7], b[i : i + 7])
    assert one.merge(two).interval() == whole.interval()
    again = nll.ConfidenceSequence.from_dict(json.loads(json.dumps(one.to_dict())))
    assert again.interval() == whole.interval()
    with pytest.raises(UsageError, match="different settings"):
        one.merge(nll.ConfidenceSequence(0.99))


def test_too_early_is_infinite_and_said() -> None:
    stream = nll.ConfidenceSequence()
    stream.update(np.zeros(500))
    assert stream.interval().high == math.inf
    stream.update([50.0])
    found = stream.interval()
    assert (found.low, found.high, found.p_value) == (-math.inf, math.inf, 1.0)
    assert "weighs too much" in found.notes[0]


def test_values_outside_the_bounds_are_refused() -> None:
    stream = nll.ConfidenceSequence(bounds=(-1.0, 1.0))
    with pytest.raises(DataError, match=r"row 1 has the difference 1\.5, outside the bounds"):
        stream.update([0.0, 1.5])
    with pytest.raises(DataError, match="finite"):
        stream.update([math.nan])
    with pytest.raises(UsageError, match="hold 0"):
        nll.ConfidenceSequence(bounds=(0.5, 1.0))
