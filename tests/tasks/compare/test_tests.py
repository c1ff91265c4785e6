"""Tests of two models against SciPy, mpmath and arithmetic written another way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import stats

import nll
from nll.errors import DataError, UsageError
from nll.tasks.compare.tails import log_chi_square_sf, two_sided_normal, two_sided_sign, two_sided_t
from nll.tasks.compare.vuong import distinguishing_weights
from nll.tasks.compare.weighted_chi_square import weighted_chi_square_sf


def losses(seed: int, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.gamma(2.0, 0.5, n), rng.gamma(2.0, 0.55, n)


@dataclass
class Fake:
    """What a fit says of itself."""

    losses: Any
    k: int
    family: Any = None
    free: tuple[str, ...] = ()
    params: Any = None

    def row_losses(self) -> Any:
        return np.asarray(self.losses)

    @property
    def nll(self) -> float:
        return math.fsum(x for x in self.losses if x == x)

    @property
    def n(self) -> int:
        return int((~np.isnan(self.losses)).sum())


@pytest.mark.parametrize("z", [0.0, 0.3, 1.96, -5.0, 37.0])
def test_normal_tail(z: float) -> None:
    assert two_sided_normal(z) == pytest.approx(2.0 * stats.norm.sf(abs(z)), rel=1e-13)


@pytest.mark.parametrize(("t", "df"), [(0.0, 3), (1.5, 4), (-7.0, 99), (40.0, 5)])
def test_t_tail(t: float, df: float) -> None:
    assert two_sided_t(t, df) == pytest.approx(2.0 * stats.t.sf(abs(t), df), rel=1e-12)


@pytest.mark.parametrize(("wins", "losses_"), [(0, 0), (3, 3), (4, 0), (10, 3), (700, 500)])
def test_sign_tail(wins: int, losses_: int) -> None:
    expected = stats.binomtest(wins, wins + losses_).pvalue if wins + losses_ else 1.0
    assert two_sided_sign(wins, losses_) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("df", [1, 2, 5, 30])
@pytest.mark.parametrize("x", [1e-3, 0.5, 4.0, 60.0, 700.0])
def test_chi_square_tails(x: float, df: int) -> None:
    expected = stats.chi2(df).logsf(x)
    assert log_chi_square_sf(x, df) == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert weighted_chi_square_sf(2.5 * x, [2.5] * df) == pytest.approx(math.exp(expected), rel=2e-12)


@pytest.mark.parametrize("x", [0.01, 1.0, 20.0, 300.0])
def test_weighted_chi_square_is_a_sum_of_exponentials(x: float) -> None:
    a, b = 1.0, 0.3
    fast, slow = 0.5 / b, 0.5 / a
    expected = (fast * math.exp(-slow * x) - slow * math.exp(-fast * x)) / (fast - slow)
    assert weighted_chi_square_sf(x, [a, b, a, b, 0.0]) == pytest.approx(expected, rel=1e-13)


def test_weighted_chi_square_of_uneven_weights() -> None:
    rng = np.random.default_rng(1)
    weights = np.array([1.0, 0.5, 0.25, 1e-3])
    draws = (rng.standard_normal((400_000, 4)) ** 2) @ weights
    for x in (0.5, 2.0, 6.0):
        p = weighted_chi_square_sf(x, weights)
        assert abs((draws > x).mean() - p) < 4.0 * math.sqrt(p * (1.0 - p) / len(draws))


@pytest.mark.parametrize("ddof", [0, 1])
def test_vuong_is_the_formula(ddof: int) -> None:
    a, b = losses(0)
    t = nll.vuong(a, b, k=(2, 5), ddof=ddof)
    m = b - a
    root = math.sqrt(len(m) * m.var(ddof=ddof))
    assert t.z == pytest.approx(m.sum() / root, rel=1e-12)
    assert t.z_aic == pytest.approx((m.sum() + 3.0) / root, rel=1e-12)
    assert t.z_bic == pytest.approx((m.sum() + 1.5 * math.log(len(m))) / root, rel=1e-12)
    assert t.p_value == pytest.approx(2.0 * stats.norm.sf(abs(t.z)), rel=1e-12)
    assert math.isnan(t.p_distinguishable)
    assert "not tested" in " ".join(t.notes)


def test_vuong_swapped_is_mirrored() -> None:
    a, b = losses(1)
    one, two = nll.vuong(a, b, k=(2, 3)), nll.vuong(b, a, k=(3, 2))
    assert (one.z, one.z_aic, one.z_bic) == (-two.z, -two.z_aic, -two.z_bic)
    assert (one.p_value, one.omega2) == (two.p_value, two.omega2)


def test_a_model_against_itself_cannot_be_distinguished() -> None:
    a, _ = losses(2)
    t = nll.vuong(a, a, k=(2, 2))
    assert (t.mean_difference, t.omega2, t.p_distinguishable) == (0.0, 0.0, 1.0)
    assert math.isnan(t.z)
    assert "same loss" in t.notes[0]
    assert "cannot be distinguished" in t.notes[1]


def test_distinguishing_weights_of_a_nested_pair() -> None:
    """Normal with known scale 1: mean 0 within mean free. Then omega2 n is about z**4 ... and W has weights 1 and 0."""
    rng = np.random.default_rng(3)
    y = rng.standard_normal(20_000)
    fixed, free = np.empty((len(y), 0)), -(y - y.mean())[:, None]
    weights = distinguishing_weights(fixed, free, np.empty((0, 0)), np.array([[1.0 / len(y)]]))
    assert weights == pytest.approx([y.var() ** 2], rel=1e-12)


def test_distinguishability_keeps_its_size() -> None:
    """Exponential against Gamma on exponential data: the same density, so omega2 = 0 in the limit."""
    rng = np.random.default_rng(4)
    rejected, runs, n = 0, 200, 400
    for _ in range(runs):
        y = rng.standard_normal(n)
        mean = y.mean()
        a, b = 0.5 * y**2, 0.5 * (y - mean) ** 2
        t = nll.vuong(a, b, k=(0, 1), scores=(np.empty((n, 0)), mean - y), cov=(np.empty((0, 0)), [[1.0 / n]]))
        rejected += t.p_distinguishable < 0.05
    assert 0.01 <= rejected / runs <= 0.10


def test_vuong_refuses_scores_that_do_not_fit() -> None:
    a, b = losses(5)
    with pytest.raises(DataError, match="covariance of shape"):
        nll.vuong(a, b, scores=(np.ones((200, 2)), np.ones((200, 1))), cov=(np.eye(1), np.eye(1)))
    with pytest.raises(UsageError, match="go together"):
        nll.vuong(a, b, scores=(np.ones((200, 2)), np.ones((200, 1))))


@pytest.mark.parametrize("wrong", [np.inf, np.nan])
def test_rows_without_a_finite_loss_are_refused(wrong: float) -> None:
    a, b = losses(6)
    b[17] = wrong
    for test in (nll.vuong, nll.diebold_mariano, nll.bootstrap):
        with pytest.raises(DataError, match="row 17 of b"):
            test(a, b)


def test_other_rows_are_refused() -> None:
    a, b = losses(7)
    with pytest.raises(DataError, match="200 rows and b 199"):
        nll.vuong(a, b[1:])
    with pytest.raises(DataError, match="shape"):
        nll.vuong(a[:, None], b)
    one, two = Fake(np.r_[np.nan, a], 1), Fake(np.r_[b, np.nan], 1)
    with pytest.raises(DataError, match="b was fitted to row 0 and a dropped it"):
        nll.vuong(one, two)


def test_density_against_mass_is_refused() -> None:
    a, b = losses(8)
    one, two = Fake(a, 1), Fake(b, 1)
    one.dist, two.dist = nll.Normal(0.0, 1.0), nll.Poisson(1.0)
    with pytest.raises(UsageError, match="a is continuous and b discrete"):
        nll.vuong(one, two)


def test_lrt_of_nested_fits() -> None:
    a, _ = losses(9)
    small = Fake(a + 0.02, 1, nll.Normal, ("loc",), {"loc": 0.0, "scale": 1.0})
    full = Fake(a, 2, nll.Normal, ("loc", "scale"), {"loc": 0.0, "scale": 1.2})
    t = nll.lrt(small, full)
    assert t.df == 1
    assert t.statistic == pytest.approx(2.0 * (small.nll - full.nll), rel=1e-12)
    assert t.p_value == pytest.approx(stats.chi2(1).sf(t.statistic), rel=1e-12)
    with pytest.raises(UsageError, match="free parameters that the full one has not: scale"):
        nll.lrt(full, small)
    with pytest.raises(UsageError, match="different families"):
        nll.lrt(small, Fake(a, 2, nll.Laplace, ("loc", "scale")))
    with pytest.raises(UsageError, match="nothing is restricted"):
        nll.lrt(full, full)
    with pytest.raises(UsageError, match="100 rows"):
        nll.lrt(Fake(a[:100], 1), full)


def test_lrt_on_the_boundary_is_a_mixture() -> None:
    for df, boundary in ((1, 1), (3, 1), (3, 2), (2, 2)):
        t = nll.lrt(104.0, 101.0, df=df, boundary=boundary)
        weights = [math.comb(boundary, j) / 2**boundary for j in range(boundary + 1)]
        tails = [stats.chi2(df - boundary + j).sf(6.0) if df - boundary + j else 0.0 for j in range(boundary + 1)]
        assert t.p_value == pytest.approx(np.dot(weights, tails), rel=1e-12)
    assert nll.lrt(5.0, 5.0, df=1, boundary=1).p_value == 1.0  # P(X >= 0), half of it at 0


def test_lrt_keeps_its_size() -> None:
    rng = np.random.default_rng(10)
    runs = 2000
    y = rng.standard_normal((runs, 50))
    p = [nll.lrt(0.5 * (r**2).sum(), 0.5 * ((r - r.mean()) ** 2).sum(), df=1).p_value for r in y]
    assert 0.035 < np.mean(np.array(p) < 0.05) < 0.065


def test_lrt_refuses_a_negative_statistic() -> None:
    with pytest.raises(DataError, match="larger NLL"):
        nll.lrt(100.0, 101.0, df=1)
    assert nll.lrt(100.0, 100.0 + 1e-9, df=1).statistic == 0.0
    with pytest.raises(UsageError, match="df= is needed"):
        nll.lrt(100.0, 99.0)
    with pytest.raises(DataError, match="no finite NLL"):
        nll.lrt(math.inf, 99.0, df=1)


def test_diebold_mariano_is_the_formula() -> None:
    rng = np.random.default_rng(11)
    e = rng.standard_normal(121)
    a, b = np.zeros(120), 0.1 + e[1:] + 0.6 * e[:-1]
    d, n, h = b - a, 120, 2
    g = [np.sum((d - d.mean())[j:] * (d - d.mean())[: n - j]) / n for j in range(6)]
    t = nll.diebold_mariano(a, b, horizon=h)
    factor = math.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    expected = factor * d.mean() / math.sqrt((g[0] + 2 * g[1]) / n)
    assert t.statistic == pytest.approx(expected, rel=1e-12)
    assert t.p_value == pytest.approx(2 * stats.t.sf(abs(expected), n - 1), rel=1e-12)
    newey = g[0] + 2 * sum((1 - j / 6) * g[j] for j in range(1, 6))
    t = nll.diebold_mariano(a, b, lags=5)
    assert t.statistic == pytest.approx(math.sqrt((n - 1) / n) * d.mean() / math.sqrt(newey / n), rel=1e-12)
    assert nll.diebold_mariano(b, a, lags=5).statistic == pytest.approx(-t.statistic, rel=1e-14)


def test_diebold_mariano_without_a_positive_variance() -> None:
    d = np.array([1.0, -1.0] * 20)
    t = nll.diebold_mariano(np.zeros(40), d, horizon=2)
    assert t.kernel == "Newey-West"
    assert "no positive variance" in t.notes[1]
    same = nll.diebold_mariano(d, d)
    assert math.isnan(same.statistic)
    with pytest.raises(UsageError, match="below the number of rows"):
        nll.diebold_mariano(d, d, horizon=40)


def test_signs_against_scipy() -> None:
    a, b = losses(12, 40)
    assert nll.sign_test(a, b).p_value == pytest.approx(stats.binomtest(int((a < b).sum()), 40).pvalue, rel=1e-12)
    t = nll.wilcoxon(a, b)
    expected = stats.wilcoxon(b - a, method="exact")
    assert t.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    a, b = (np.round(x, 1) for x in losses(13, 500))
    d = b - a
    t, expected = nll.wilcoxon(a, b), stats.wilcoxon(np.where(a == b, 0.0, d), zero_method="wilcox", method="approx")
    assert t.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    assert t.ties == (a == b).sum()


def test_exact_wilcoxon_with_ties_counts_all_signs() -> None:
    d = np.array([1.0, 1.0, -2.0, 3.0, -3.0, 3.0, 0.5])
    ranks = stats.rankdata(np.abs(d))
    sums = [np.dot(ranks, [(i >> j) & 1 for j in range(7)]) for i in range(128)]
    plus = ranks[d > 0].sum()
    fewer = min(plus, ranks.sum() - plus)
    expected = min(1.0, 2.0 * np.mean(np.array(sums) <= fewer))
    assert nll.wilcoxon(np.zeros(7), d).p_value == pytest.approx(expected, rel=1e-14)


def test_infinite_losses_have_signs() -> None:
    t = nll.sign_test([1.0, np.inf, np.inf, 0.0], [2.0, 1.0, np.inf, np.inf])
    assert (t.wins, t.losses, t.ties) == (2, 1, 1)
    assert nll.wilcoxon([1.0, np.inf, np.inf, 0.0], [2.0, 1.0, np.inf, np.inf]).n == 3


def test_holm() -> None:
    p = [0.001, 0.3, 0.02, 0.02, np.nan, 0.9]
    expected = [0.005, 0.6, 0.08, 0.08, np.nan, 0.9]
    np.testing.assert_allclose(nll.holm(p), expected, rtol=1e-14)
    with pytest.raises(DataError, match=r"in \[0, 1\]"):
        nll.holm([1.2])


def test_records_print_and_save() -> None:
    import json

    a, b = losses(14)
    for found in (nll.vuong(a, b), nll.lrt(3.0, 2.0, df=1), nll.sign_test(a, b), nll.bootstrap(a, b, replicates=20)):
        saved = json.loads(found.to_json())
        assert set(saved) == {*found.to_dict()}
        assert found.caption.split()[0] in repr(found)
        assert found._repr_html_().startswith("<table>")
