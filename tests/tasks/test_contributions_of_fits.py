"""Contributions of two fits: the rows that both were fitted to, from the fits alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import nll
from nll.errors import DataError, UsageError

RNG = np.random.default_rng(4)
Y = RNG.gamma(2.0, 1.0, 80)
EVENT = (RNG.random(80) < 0.7).astype(int)
GROUP = RNG.integers(0, 3, 80)
TABLE = pl.DataFrame({"y": Y, "e": EVENT, "g": GROUP, "n": RNG.integers(1, 9, 80)}).with_columns(
    k=(pl.col("n") * 0.4).floor()
)


@pytest.fixture(scope="module")
def fits() -> tuple[nll.Fit, nll.Fit]:
    return nll.fit(Y, nll.Gamma), nll.fit(Y, nll.LogNormal)


def test_of_two_fits_they_are_those_of_their_distributions(fits: tuple[nll.Fit, nll.Fit]) -> None:
    a, b = fits
    found = nll.contributions(a, b, by={"g": GROUP})
    plain = nll.contributions(Y, {"Gamma": a.dist, "LogNormal": b.dist}, by={"g": GROUP})
    assert found.to_dict() == plain.to_dict()
    assert found.sum == pytest.approx(b.nll - a.nll, abs=1e-9)
    mirrored = nll.contributions({"x": b, "y": a})
    assert (mirrored.a, mirrored.b, mirrored.sum) == ("x", "y", -found.sum)
    same = nll.contributions({"x": a, "y": a})
    assert (same.sum, same.rows) == (0.0, ())
    assert "no row differs" in same.notes


def test_of_a_table_columns_go_by_name() -> None:
    a, b = (nll.fit(nll.censored("y", "e"), family, TABLE) for family in (nll.Gamma, nll.LogNormal))
    found = nll.contributions(a, b, by="g")
    assert found.sum == pytest.approx(b.nll - a.nll, abs=1e-9)
    assert sum(group.sum for group in found.of("g")) == pytest.approx(found.sum, abs=1e-9)


def test_known_parameters_of_each_row_come_along() -> None:
    a = nll.fit("k", nll.Binomial, TABLE, fixed={"total_count": "n"})
    more = TABLE.with_columns(n=pl.col("n") + 1)  # the same column by name, of another table
    b = nll.fit("k", nll.Binomial, more, fixed={"total_count": "n"})
    assert nll.contributions({"a": a, "b": b}).sum == pytest.approx(b.nll - a.nll, abs=1e-9)
    assert nll.contributions({"a": a, "b": a}).sum == 0.0


def test_rows_without_a_value_are_in_neither() -> None:
    y = np.r_[Y, np.nan]
    a, b = (nll.fit(y, family, missing="drop") for family in (nll.Gamma, nll.LogNormal))
    assert nll.contributions(a, b).sum == pytest.approx(b.nll - a.nll, abs=1e-9)
    with pytest.raises(UsageError, match="dropped no row"):
        nll.contributions(a, b, by={"g": np.r_[GROUP, 0]})


def test_what_has_no_common_rows_is_refused(fits: tuple[nll.Fit, nll.Fit]) -> None:
    a, b = fits
    with pytest.raises(DataError, match="another order"):
        nll.contributions(a, nll.fit(Y[::-1].copy(), nll.LogNormal))
    with pytest.raises(UsageError, match="loaded fit, which has no data: pass y"):
        nll.contributions(a, b.with_data(None))
    with pytest.raises(UsageError, match="two models; got 3"):
        nll.contributions({"a": a, "b": b, "c": b})
    with pytest.raises(UsageError, match="were given to"):
        nll.contributions(a, b, missing="drop")
    weighted = [nll.fit(Y, family, sample_weight=1.0 + GROUP) for family in (nll.Gamma, nll.LogNormal)]
    with pytest.raises(UsageError, match="count every row once"):
        nll.contributions(*weighted)
    poisson, normal = (nll.fit(np.floor(Y), family) for family in (nll.Poisson, nll.Normal))
    with pytest.raises(UsageError, match="'Poisson' is discrete and 'Normal' continuous"):
        nll.contributions(poisson, normal)
