"""Weights as counts: tests of weighted fits are those of rows that stand there several times."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import nll
from nll.errors import DataError, UsageError
from nll.results.evidence import LikelihoodRatioTest, VuongTest

RNG = np.random.default_rng(0)
Y = RNG.gamma(2.0, 1.0, 90)
W = RNG.integers(0, 4, 90).astype(float)
REPEATED = np.repeat(Y, W.astype(int))
FAMILIES = (nll.Gamma, nll.LogNormal, nll.Exponential)
NUMBERS = ("z", "z_aic", "z_bic", "omega2", "p_value", "p_aic", "p_bic", "p_distinguishable", "mean_difference")


@pytest.fixture(scope="module")
def weighted() -> list[nll.Fit]:
    return [nll.fit(Y, family, sample_weight=W) for family in FAMILIES]


@pytest.fixture(scope="module")
def repeated() -> list[nll.Fit]:
    return [nll.fit(REPEATED, family) for family in FAMILIES]


@pytest.mark.parametrize("ddof", [0, 1])
def test_vuong_of_weighted_fits_is_that_of_repeated_rows(
    weighted: list[nll.Fit], repeated: list[nll.Fit], ddof: int
) -> None:
    found, expected = (nll.vuong(fits[0], fits[1], ddof=ddof) for fits in (weighted, repeated))
    for name in NUMBERS:
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-9), name
    assert (found.n, found.sum_weights) == ((W > 0).sum(), len(REPEATED))
    assert math.isnan(expected.sum_weights)
    assert any("counts of rows" in note for note in found.notes)
    mirrored = nll.vuong(weighted[1], weighted[0], ddof=ddof)
    assert (mirrored.z, mirrored.p_value) == (-found.z, found.p_value)


def test_vuong_of_weighted_losses_is_its_formula(weighted: list[nll.Fit]) -> None:
    a, b = (fit.row_losses() for fit in weighted[:2])
    found = nll.vuong(a, b, k=(2, 2), sample_weight=W)
    m = np.repeat(b - a, W.astype(int))
    assert found.z == pytest.approx(m.sum() / math.sqrt(m.size * m.var()), rel=1e-12)
    assert found.p_value == pytest.approx(2.0 * stats.norm.sf(abs(found.z)), rel=1e-9)
    one = nll.vuong(a, b, sample_weight=np.ones(90))
    assert one.z == nll.vuong(a, b).z
    a[W == 0.0] = math.inf  # a row that does not count
    assert nll.vuong(a, b, k=(2, 2), sample_weight=W).z == found.z


def test_the_table_of_weighted_fits_is_that_of_repeated_rows(weighted: list[nll.Fit], repeated: list[nll.Fit]) -> None:
    found, expected = nll.compare(*weighted), nll.compare(*repeated)
    assert list(found) == list(expected)
    for name in found:
        for number in ("nll", "aic", "tic", "weight", "p_value"):
            same = pytest.approx(getattr(expected[name], number), rel=1e-7, nan_ok=True)
            assert getattr(found[name], number) == same, number
        assert type(found[name].test) is type(expected[name].test)
    assert {type(m.test) for m in found.values()} == {type(None), LikelihoodRatioTest, VuongTest}
    assert found["LogNormal"].bic == pytest.approx(2.0 * found["LogNormal"].nll + 2.0 * math.log((W > 0).sum()))
    assert any(f"weights sum to {W.sum():g}" in note for note in found.notes)


def test_weights_that_are_none_are_refused(weighted: list[nll.Fit]) -> None:
    a, b = np.ones(4), np.arange(4.0)
    for wrong, said in (
        ([1.0, -1.0, 1.0, 1.0], "row 1 has -1"),
        ([1.0, math.nan, 1.0, 1.0], "row 1"),
        ([1.0], "shape"),
    ):
        with pytest.raises(DataError, match=said):
            nll.vuong(a, b, sample_weight=wrong)
    with pytest.raises(DataError, match=r"sum to 0\.5"):
        nll.vuong(a, b, ddof=1, sample_weight=[0.1, 0.1, 0.1, 0.2])
    with pytest.raises(UsageError, match="fits bring their weights"):
        nll.vuong(weighted[0], weighted[1], sample_weight=W)
    for test in (nll.diebold_mariano, nll.sign_test, nll.wilcoxon):
        with pytest.raises(UsageError, match="fitted with weights"):
            test(weighted[0], weighted[1])
