"""Covariances from expected information, and sandwiches, against their formulas."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import nll

RNG = np.random.default_rng(12)
COUNTS = RNG.negative_binomial(2, 0.3, 300)
REAL = RNG.standard_t(5, 301) * 2.0 + 1.0
CLUSTER = np.repeat(np.arange(30), 10)


def test_robust_errors_of_a_poisson_rate_are_those_of_a_mean():
    f = nll.fit(COUNTS, nll.Poisson, cov="robust")
    assert f.cov_type == "robust"
    assert f.stderr["rate"] == pytest.approx(COUNTS.std() / np.sqrt(COUNTS.size), rel=1e-10)
    assert nll.fit(COUNTS, nll.Poisson).stderr["rate"] < 0.7 * f.stderr["rate"]


def test_clustered_errors_of_a_mean_are_those_of_cluster_sums():
    f = nll.fit(COUNTS, nll.Poisson, cov="cluster", cluster=CLUSTER)
    sums = np.add.reduceat(COUNTS - COUNTS.mean(), np.arange(0, 300, 10))
    assert f.stderr["rate"] == pytest.approx(np.sqrt(30 / 29 * (sums**2).sum()) / 300, rel=1e-10)


def test_clusters_of_one_row_are_robust_errors_but_for_the_factor():
    robust = nll.fit(REAL, nll.Normal, cov="robust")
    single = nll.fit(REAL, nll.Normal, cov="cluster", cluster=np.arange(301))
    assert single.cov == pytest.approx(robust.cov * 301 / 300, rel=1e-12)


def test_robust_errors_of_a_normal_have_the_fourth_moment():
    f = nll.fit(REAL, nll.Normal, cov="robust")
    gap = REAL - REAL.mean()
    sigma, n = REAL.std(), REAL.size
    assert f.stderr["loc"] == pytest.approx(sigma / np.sqrt(n), rel=1e-9)
    expected = np.sqrt(((gap**2 - sigma**2) ** 2).sum()) / (2 * n * sigma)
    assert f.stderr["scale"] == pytest.approx(expected, rel=1e-9)


def test_a_weight_of_two_is_no_second_row_for_a_sandwich_but_a_bigger_one():
    weights = np.where(np.arange(300) % 3 == 0, 2.0, 1.0)
    f = nll.fit(COUNTS, nll.Poisson, sample_weight=weights, cov="robust")
    mean = np.average(COUNTS, weights=weights)
    expected = np.sqrt(((weights * (COUNTS - mean)) ** 2).sum()) / weights.sum()
    assert f.stderr["rate"] == pytest.approx(expected, rel=1e-10)


def test_groups_have_the_errors_of_separate_fits():
    table = pl.DataFrame({"y": COUNTS, "g": np.arange(300) % 3, "c": CLUSTER})
    by = nll.fit("y", nll.Poisson, table, by="g", cov="cluster", cluster="c")
    for g in range(3):
        own = table.filter(pl.col("g") == g)
        alone = nll.fit("y", nll.Poisson, own, cov="cluster", cluster="c")
        assert by[g].stderr["rate"] == pytest.approx(alone.stderr["rate"], rel=1e-10)


@pytest.mark.parametrize(
    ("family", "y", "expected"),
    [
        (
            nll.Laplace,
            REAL,
            lambda f: {"loc": f.params["scale"] / np.sqrt(301), "scale": f.params["scale"] / np.sqrt(301)},
        ),
        (nll.Poisson, COUNTS, lambda f: {"rate": np.sqrt(f.params["rate"] / 300)}),
        (
            nll.Logistic,
            REAL,
            lambda f: {
                "loc": f.params["scale"] * np.sqrt(3 / 301),
                "scale": f.params["scale"] * np.sqrt(9 / (np.pi**2 + 3) / 301),
            },
        ),
    ],
)
def test_expected_information_is_that_of_the_family(family, y, expected):
    f = nll.fit(y, family, cov="expected")
    assert f.cov_ok
    for name, value in expected(f).items():
        assert f.stderr[name] == pytest.approx(value, rel=1e-7)


@pytest.mark.parametrize(
    "options", [{"cov": "sandwich"}, {"cov": "cluster"}, {"cluster": CLUSTER}, {"cov": "robust", "cluster": CLUSTER}]
)
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(nll.errors.UsageError):
        nll.fit(COUNTS, nll.Poisson, **options)


def test_expected_information_needs_rows_of_one_distribution():
    with pytest.raises(nll.errors.UsageError, match="censored or truncated"):
        nll.fit(nll.censored([1.0, 2.0], [1, 0]), nll.Exponential, cov="expected")
    with pytest.raises(nll.errors.UsageError, match="total_count differs"):
        nll.fit([1, 2, 3], nll.Binomial, fixed={"total_count": np.array([3, 4, 5])}, cov="expected")


def test_one_cluster_has_no_errors():
    f = nll.fit(COUNTS, nll.Poisson, cov="cluster", cluster=np.zeros(300))
    assert not f.cov_ok
    assert np.isnan(f.stderr["rate"])
