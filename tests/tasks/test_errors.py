"""What is wrong is refused by name: the row, the column, the value, what was expected, and the nearest word."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import nll
from nll.errors import DataError, NllError, UsageError

BOTH = pytest.mark.parametrize("compiled", [False, True])
NORMAL = nll.Normal(0.0, 1.0)


@BOTH
@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("grouped", [False, True])
def test_the_first_bad_row_is_named(running, compiled, threads, grouped):
    p = np.full(100, 0.5)
    p[[37, 38, 61, 90]] = [1.5, -0.5, math.nan, 2.0]
    options = {"by": np.arange(100) % 3} if grouped else {}
    with running(compiled=compiled, rows=9):
        for _ in range(5):
            with pytest.raises(DataError, match=r"probs must be in \[0, 1\] for Bernoulli; row 37 has 1\.5"):
                nll.score(np.ones(100, int), nll.Bernoulli(probs=p), threads=threads, **options)
        with pytest.raises(DataError, match=r"row 37 has 1\.5"):
            nll.rows(np.ones(100, int), nll.Bernoulli(probs=p), threads=threads)


@BOTH
def test_the_next_bad_rows_are_named_too(running, compiled):
    with (
        running(compiled=compiled),
        pytest.raises(DataError, match=r"row 1 has -1; so have row 2 \(-2\), row 3 \(-3\)"),
    ):
        nll.score(np.zeros(4), nll.Normal(np.zeros(4), np.array([1.0, -1.0, -2.0, -3.0])))


@BOTH
def test_columns_are_named(running, compiled, tmp_path):
    table = pl.DataFrame({"label": [0.0, 1.0, 3.0], "forecast": [0.5, 0.5, 0.5], "w": [1.0, -2.0, 1.0]})
    table.write_parquet(tmp_path / "a.parquet")
    table.write_parquet(tmp_path / "b.parquet")
    with running(compiled=compiled):
        for data in (table, tmp_path / "a.parquet"):
            with pytest.raises(DataError, match=r"column 'label' \(y\) must be 0 or 1 for Bernoulli; row 2.* has 3"):
                nll.score("label", nll.Bernoulli(probs="forecast"), data)
        with pytest.raises(DataError, match=r"column 'label' \(loc\)|column 'w' \(scale\) .* row 1 has -2"):
            nll.score("forecast", nll.Normal(loc="label", scale="w"), table)
        with pytest.raises(DataError, match=r"w must be at least 0 and finite; row 1 of .*a\.parquet has -2\.0"):
            nll.score("forecast", NORMAL, str(tmp_path / "*.parquet"), sample_weight="w")


def test_rows_are_those_of_the_table_though_some_are_dropped():
    table = pl.DataFrame({"y": [None, 1.0, None, -1.0], "s": [1.0, 1.0, 1.0, -1.0]})
    with pytest.raises(DataError, match="row 3 has -1"):
        nll.score("y", nll.Normal(0.0, scale="s"), table, missing="drop")


@pytest.mark.parametrize(
    ("y", "dist", "said"),
    [
        (math.nan, lambda: NORMAL, "y must be finite for Normal; row 0 has nan"),
        (math.inf, lambda: NORMAL, "y must be finite for Normal; row 0 has inf"),
        (0.0, lambda: nll.Normal(math.nan, 1.0), "loc must be finite for Normal; row 0 has nan"),
        (0.0, lambda: nll.Normal(0.0, 0.0), "scale must be positive and finite for Normal; row 0 has 0"),
        (2, lambda: nll.Bernoulli(probs=0.5), "y must be 0 or 1 for Bernoulli; row 0 has 2"),
        (1, lambda: nll.Bernoulli(probs=1.0 + 2.0**-52), r"probs must be in \[0, 1\].*1\.0000000000000002"),
        (1, lambda: nll.Bernoulli(probs=-5e-324), r"probs must be in \[0, 1\].*-5e-324"),
        (1, lambda: nll.Bernoulli(logits=math.nan), "logits must be a number, not NaN"),
        (2.5, lambda: nll.Poisson(1.0), "y must be a whole number for Poisson; row 0 has 2.5"),
        (1, lambda: nll.Poisson(-1.0), "rate must be at least 0 and finite for Poisson; row 0 has -1"),
        (1.0, lambda: nll.Exponential(0.0), "rate must be positive and finite for Exponential"),
        (0.5, lambda: nll.Beta(1.0, -1.0), "concentration0 must be positive and finite for Beta"),
    ],
)
@BOTH
def test_values_out_of_bounds(running, compiled, y, dist, said):
    with running(compiled=compiled and "Normal" in said), pytest.raises(DataError, match=said):
        nll.score(y, dist())


@pytest.mark.parametrize(
    ("y", "dist"),
    [
        (-1.0, lambda: nll.Exponential(1.0)),
        (-1, lambda: nll.Poisson(1.0)),
        (0.0, lambda: nll.LogNormal(0.0, 1.0)),
        (1.5, lambda: nll.Beta(2.0, 2.0)),
        (6, lambda: nll.Binomial(5, probs=0.5)),
        (1, lambda: nll.Poisson(0.0)),
    ],
)
def test_off_the_support_is_impossible_not_wrong(y, dist):
    score = nll.score([y, y], dist())
    assert (score.impossible, score.sum) == (2, math.inf)


# Names.


def test_misspelt_columns_have_a_hint():
    table = pl.DataFrame({"label": [1], "p": [0.5], "weight": [1.0], "site": ["a"]})
    dist = nll.Bernoulli(probs="p")
    for call, said in (
        (lambda: nll.score("lable", dist, table), r"no column 'lable' .*did you mean 'label'.*present: label, p"),
        (lambda: nll.score("label", nll.Bernoulli(probs="P"), table), "no column 'P' .*did you mean 'p'"),
        (lambda: nll.score("label", dist, table, by="sit"), "did you mean 'site'"),
        (lambda: nll.score("label", dist, table, cluster="sit"), "did you mean 'site'"),
        (lambda: nll.score("label", dist, table, sample_weight="wieght"), "did you mean 'weight'"),
        (lambda: nll.rows("zzz", dist, table), "no column 'zzz'"),
    ):
        with pytest.raises(UsageError, match=said):
            call()


def test_misspelt_parameters_have_a_hint():
    with pytest.raises(
        UsageError, match=r"no parameter 'scal' \(did you mean 'scale'\?\). It is written Normal\(loc, scale\)"
    ):
        nll.Normal(loc=0.0, scal=1.0)
    with pytest.raises(UsageError, match=r"Bernoulli\(probs\) or Bernoulli\(logits\)"):
        nll.Bernoulli()
    with pytest.raises(UsageError, match="Bernoulli"):
        nll.Bernoulli(probs=0.5, logits=0.0)
    with pytest.raises(UsageError, match="Normal is written"):
        nll.Normal(0.0, 1.0, 2.0)
    with pytest.raises(UsageError, match="Normal is written"):
        nll.Normal(0.0, loc=1.0)


def test_a_family_needs_parameters():
    with pytest.raises(UsageError, match="give it parameters"):
        nll.score(0.0, nll.Normal)
    with pytest.raises(UsageError, match="the distribution must be one such as"):
        nll.score(0.0, "Normal")


def test_names_need_a_table():
    with pytest.raises(UsageError, match="y='label' names a column, and there is no table"):
        nll.score("label", NORMAL)
    with pytest.raises(UsageError, match="loc='mu' names a column"):
        nll.score(0.0, nll.Normal(loc="mu", scale=1.0))


@pytest.mark.parametrize(
    "call",
    [
        lambda t: nll.score([1.0, 2.0], NORMAL, t),
        lambda t: nll.score(1.0, NORMAL, t),
        lambda t: nll.score("y", nll.Normal(loc=[1.0, 2.0], scale=1.0), t),
        lambda t: nll.score("y", nll.Normal(loc=np.zeros(2), scale=1.0), t),
        lambda t: nll.score("y", nll.Normal(loc=["y", "y"], scale=1.0), t),
        lambda t: nll.score(["y", "y"], NORMAL, t),
        lambda t: nll.score("y", NORMAL, t, sample_weight=[1.0, 1.0]),
        lambda t: nll.score("y", NORMAL, t, cluster=np.zeros(2)),
        lambda t: nll.score("y", NORMAL, t, by=np.zeros(2)),
        lambda t: nll.score("y", NORMAL, t, by=[1, 2]),
        lambda t: nll.score("y", NORMAL, t, by=7),
    ],
)
def test_tables_and_arrays_do_not_mix(call):
    with pytest.raises(UsageError):
        call(pl.DataFrame({"y": [1.0, 2.0]}))


# Arrays.


@pytest.mark.parametrize(
    ("y", "loc", "said"),
    [
        ([1.0, 2.0], [1.0, 2.0, 3.0], r"do not broadcast.*y \(2,\), loc \(3,\), scale \(\)"),
        (np.zeros((2, 3)), np.zeros(2), r"do not broadcast.*y \(2, 3\), loc \(2,\)"),
    ],
)
def test_shapes_that_do_not_broadcast(y, loc, said):
    with pytest.raises(DataError, match=said):
        nll.score(y, nll.Normal(loc, 1.0))


def test_weights_have_the_shape_of_the_observations():
    with pytest.raises(DataError, match=r"sample_weight has shape \(3,\), the observations \(2,\)"):
        nll.score([1.0, 2.0], NORMAL, sample_weight=[1.0, 1.0, 1.0])


NO_NUMBERS = [
    np.array(["1", "2"]),
    ["1", "2"],
    [1.0, "a"],
    np.array([1.0, "a"], object),
    [1j, 2.0],
    np.array(["2024-01-01", "2024-01-02"], "datetime64[D]"),
    np.array([1, 2], "timedelta64[s]"),
    [{}, {}],
    [[1.0], [1.0, 2.0]],
    [b"a", b"b"],
]


@pytest.mark.parametrize("values", NO_NUMBERS, ids=lambda values: str(np.asarray(values, object).ravel()[0])[:12])
def test_what_is_no_number_is_refused(values):
    with pytest.raises(DataError, match="loc must hold numbers"):
        nll.score([0.0, 0.0], nll.Normal(values, 1.0))
    with pytest.raises(DataError, match="sample_weight must hold numbers"):
        nll.score([0.0, 0.0], NORMAL, sample_weight=values)
    with pytest.raises(DataError, match=r"y (must hold numbers|holds text)"):
        nll.score(values, NORMAL)


def test_objects_that_are_numbers_are_fine():
    from decimal import Decimal
    from fractions import Fraction

    want = nll.score([0.5, 2.0], NORMAL).sum
    for values in (
        [Decimal("0.5"), 2],
        [Fraction(1, 2), 2],
        np.array([0.5, 2], object),
        np.array([0.5, 2.0], np.float16),
        np.array([0.5, 2.0], np.longdouble),
        np.array([0.5, 2.0]).astype(">f8"),
        pl.Series([0.5, 2.0]),
        (0.5, 2.0),
    ):
        assert nll.score(values, NORMAL).sum == want
    import pandas as pd

    assert nll.score(pd.Series([0.5, 2.0], index=[7, 3]), NORMAL).sum == want


def test_columns_of_a_wrong_type():
    table = pl.DataFrame({"y": [1.0], "t": ["a"], "d": [None]}).with_columns(l=pl.concat_list("y"))
    with pytest.raises(DataError, match=r"column 't' holds text \(such as 'a'\), and numbers are needed"):
        nll.score("y", nll.Normal(loc="t", scale=1.0), table)
    with pytest.raises(DataError, match="column 'l' holds lists"):
        nll.score("l", NORMAL, table)
    with pytest.raises(DataError, match="missing"):
        nll.score("d", NORMAL, table)
    assert nll.score("d", NORMAL, table, missing="drop").missing == 1


@pytest.mark.parametrize("shape", [(0,), (0, 3)])
def test_empty_arrays_are_no_error(shape):
    assert nll.score(np.zeros(shape), NORMAL).n == 0
    assert nll.score(np.zeros(shape[:1]), nll.Categorical(probs=np.zeros((0, 3)))).n == 0


@pytest.mark.parametrize("probs", [0.5, np.zeros((1, 0))])
def test_categorical_needs_classes(probs):
    with pytest.raises(NllError):
        nll.score([0], nll.Categorical(probs=probs))


def test_read_only_arrays_are_fine():
    y, p = np.array([1, 0]), np.array([0.5, 0.25])
    y.flags.writeable = p.flags.writeable = False
    assert nll.score(y, nll.Bernoulli(probs=p)).n == 2


def test_nothing_given_is_changed():
    y, p, w = np.array([1, 0, 1]), np.array([0.5, 0.0, 0.0]), np.array([1.0, 0.0, 2.0])
    before = y.copy(), p.copy(), w.copy()
    nll.score(y, nll.Bernoulli(probs=p), sample_weight=w, clip=1e-9)
    assert all((a == b).all() for a, b in zip((y, p, w), before, strict=True))
    assert all(a.flags.writeable for a in (y, p, w))


@pytest.mark.parametrize("threads", [0, -1, 1.5])
def test_threads(threads):
    with pytest.raises(UsageError, match="threads is a whole number"):
        nll.score(0.0, NORMAL, threads=threads)
