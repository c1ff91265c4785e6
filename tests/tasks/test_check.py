"""Densities of any scale integrate to one; wrong ones are caught, and it is said where they are wrong."""

from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest

import nll
from nll.errors import DataError, UsageError
from nll.families import families
from nll.families.family import Family
from nll.numerics.elementary import log

INF = math.inf
LINE, HALF = (-INF, INF), (0.0, INF)
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
FORMS = [form for family in families().values() for form in family.forms if not form.event]


def normal(y, loc=0.0, scale=1.0):
    return -0.5 * ((y - loc) / scale) ** 2 - math.log(scale) - HALF_LOG_2PI


def mixed(*parts):
    """The log density of a sum of weight * Normal(loc, scale)."""
    return lambda y: np.logaddexp.reduce([math.log(w) + normal(y, loc, scale) for w, loc, scale in parts])


def some(form: type[Family]) -> Family:
    """A member of a family, of moderate parameters, those of one kind increasing."""
    chosen = {}
    for k, (name, constraint) in enumerate(form.parameters.items()):
        values = (3.0,) if constraint.discrete else (0.4 + 0.9 * k, 0.3, -0.7)
        chosen[name] = next(v for v in values if constraint.contains(v))
    return form(**chosen)


@pytest.mark.parametrize("form", FORMS, ids=[form.signature() for form in FORMS])
def test_every_family_passes(form: type[Family]):
    found = nll.check(some(form))
    assert found.ok, found
    assert found.verdict == "normalised"
    assert abs(found.integral - 1.0) < 1e-7
    assert found.error < 1e-6
    assert found.evaluations < 8_000
    if form.gradient is not None and not all(c.discrete for c in form.parameters.values()):
        assert found.derivatives > 0


@pytest.mark.parametrize(
    "dist",
    [
        nll.Normal(0.0, 1e-6), nll.Normal(3.0, 1e6), nll.Normal(1e3, 1e-6), nll.Normal(1234.5, 1e-3),
        nll.Laplace(1.0, 1e-6), nll.StudentT(0.5, 0.0, 1.0), nll.StudentT(0.5, 2.0, 1e6),
        nll.Beta(0.5, 0.5), nll.Beta(0.1, 0.1), nll.Beta(1e4, 1e5), nll.Weibull(1.0, 0.3), nll.Weibull(1e-6, 30.0),
        nll.Gamma(0.01, 1.0), nll.Gamma(1e6, 1.0), nll.LogNormal(0.0, 10.0), nll.LogNormal(5.0, 1e-3),
        nll.Exponential(1e6), nll.Logistic(3.0, 1e6), nll.Poisson(1e-6), nll.Poisson(1e6), nll.Poisson(1e12),
        nll.Geometric(1e-6), nll.NegativeBinomial(mean=1e6, dispersion=2.0),
        nll.NegativeBinomial(mean=3.0, dispersion=50.0), nll.Binomial(1e6, 0.01), nll.Bernoulli(probs=0.0),
    ],
    ids=repr,
)  # fmt: skip
def test_scales_tails_and_singular_ends(dist: Family):
    found = nll.check(dist)
    assert found.ok, found
    assert abs(found.integral - 1.0) < 1e-7
    assert abs(found.integral - 1.0) <= found.error + 1e-12


RIGHT = {
    "two far humps": (mixed((0.5, 0.0, 1.0), (0.5, 10.0, 1.0)), LINE, {}),
    "a spike beside a hump": (mixed((0.5, 0.0, 1.0), (0.5, 1234.5, 1e-3)), LINE, {}),
    "a spike that is named": (mixed((0.5, 0.0, 1.0), (0.5, 98765.4321, 1e-4)), LINE, {"points": [98765.4321]}),
    "uniform on a part of the line": (lambda y: np.where((y > 0.0) & (y < 1.0), 0.0, -INF), LINE, {}),
    "uniform": (lambda y: 0.0 * y - math.log(7.0), (-3.0, 4.0), {}),
    "a power": (lambda y: -1.1 * np.log(y) + math.log(0.1), (1.0, INF), {}),
    "singular": (lambda y: -0.9 * np.log(y) + math.log(0.1), (0.0, 1.0), {}),
    "of one number": (lambda y: -math.log(y), (1.0, math.e), {}),
    "Zipf": (lambda k: -2.0 * np.log(k) - math.log(math.pi**2 / 6.0), (1.0, INF), {"discrete": True}),
    "uniform count": (lambda k: 0.0 * k - math.log(1_000_001), (0, 1_000_000), {"discrete": True}),
    "all whole numbers": (lambda k: -abs(k) * math.log(2.0) - math.log(3.0), LINE, {"discrete": True}),
    "one number": (lambda k: 0.0 * k - math.log(2.0), (3, 4), {"discrete": True}),
}


@pytest.mark.parametrize("name", RIGHT)
def test_functions_that_are_right(name: str):
    function, support, options = RIGHT[name]
    found = nll.check(function, support=support, **options)
    assert found.ok, found
    assert abs(found.integral - 1.0) < 1e-7
    assert found.measure == ("mass" if options.get("discrete") else "density")


WRONG = {
    "constant": (lambda y: -0.5 * y * y, LINE, {}, math.sqrt(2.0 * math.pi), "the integral is sqrt(2 pi)"),
    "half": (lambda y: -y - math.log(2.0), HALF, {}, 0.5, "the integral is 1 / 2"),
    "truncated": (lambda y: np.where(y > 1.5, -INF, normal(y)), LINE, {}, 0.9331927987311419, "falls to 0 at y = 1.5"),
    "weights": (mixed((0.5, 0.0, 1.0), (0.6, 10.0, 1.0)), LINE, {}, 1.1, "from 5 to inf the mass is 0.6"),
    "Jacobian": (lambda y: normal(np.log(y)), HALF, {}, math.exp(0.5), "excess mass of 0.648721"),
    "counts": (lambda k: k * math.log(3.0) - math.lgamma(k + 1.0), HALF, {"discrete": True}, math.exp(3.0), "excess"),
    "hidden": (
        lambda y: np.where(abs(y - 1234567890.5) < 1.0, -math.log(2.0), -INF),
        LINE,
        {},
        0.0,
        "no mass was found",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_functions_that_are_wrong(name: str):
    function, support, options, integral, note = WRONG[name]
    found = nll.check(function, support=support, **options)
    assert found.verdict == "not normalised"
    assert not found
    assert found.integral == pytest.approx(integral, rel=1e-7)
    assert note in " ".join(found.notes)


def test_a_jump_is_found_to_the_last_bit():
    found = nll.check(lambda y: np.where(y >= 1.1, normal(y), -INF), support=LINE)
    assert found.jumps == (1.1,)


@pytest.mark.parametrize(
    ("function", "support", "discrete", "ends"),
    [
        (lambda y: -np.log(y), HALF, False, (0.0, INF)),
        (lambda y: 0.0 * y, LINE, False, (-INF, INF)),
        (lambda y: -np.log(y) - 1.0, (0.0, 1.0), False, (0.0,)),
        (lambda y: -np.log1p(y), HALF, False, (INF,)),
        (lambda k: -np.log(k), (1, INF), True, (INF,)),
    ],
)
def test_infinite_mass_is_located(function, support, discrete, ends):
    found = nll.check(function, support=support, discrete=discrete)
    assert (found.verdict, found.integral, found.infinite) == ("infinite", INF, ends)
    assert "not integrable at" in found.notes[0]
    assert json.loads(found.to_json())["integral"] == "inf"


@pytest.mark.parametrize("dist", [nll.Beta(1e-3, 1e-4), nll.LogNormal(-14.0, 214.0)], ids=repr)
def test_where_the_mass_lies_beyond_the_doubles_nothing_is_claimed(dist):
    found = nll.check(dist)
    assert found.verdict == "undecided"
    assert found.error > abs(found.integral - 1.0)
    assert "the error is above the tolerance" in found.notes[0]


def test_an_empty_support_is_refused():
    with pytest.raises(DataError, match="low must be below high"):
        nll.check(nll.Uniform(low=1.0, high=0.0))


def test_nan_and_inf_within_are_located():
    found = nll.check(lambda y: np.where((y > 1.0) & (y < 1.3), np.nan, normal(y)), support=LINE)
    assert found.verdict == "not a number"
    (low, high), *_ = found.nan
    assert 1.0 <= low < high <= 1.3
    found = nll.check(lambda y: np.where((y > 1.0) & (y < 1.3), np.inf, normal(y)), support=LINE)
    assert found.verdict == "infinite"
    assert 1.0 < found.infinite[0] < 1.3


def raising(y):
    raise RuntimeError("out of order")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (raising, "log_prob raised RuntimeError at y = .*: out of order"),
        (lambda y: "text", "log_prob raised ValueError"),
        (lambda y: None, "log_prob raised TypeError"),
        (lambda y: [1.0, 2.0], "log_prob raised TypeError"),
    ],
)
def test_hostile_functions_give_our_errors(function, words):
    with pytest.raises(DataError, match=words):
        nll.check(function, support=LINE)


def test_a_function_cannot_spoil_the_nodes():
    def greedy(y):
        logs = normal(y)
        y[:] = 0.0
        return logs

    assert nll.check(greedy, support=LINE).ok


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((nll.Normal,), {}, "check a distribution such as"),
        ((3,), {}, "check a distribution such as"),
        ((normal,), {}, "needs support"),
        ((normal,), {"support": (1.0, 0.0)}, "needs support"),
        ((normal,), {"support": (0.0, math.nan)}, "needs support"),
        ((normal,), {"support": (0.5, 3.0), "discrete": True}, "whole numbers"),
        ((nll.Normal(0.0, 1.0),), {"support": LINE}, "knows its own"),
        ((nll.Normal(0.0, 1.0),), {"tolerance": 0.0}, "tolerance"),
        ((nll.Normal("mu", 1.0),), {}, "names a column"),
        ((nll.Normal(0.0, 1.0),), {"data": {"a": [1.0]}}, "names no column"),
        ((nll.Normal("b", 1.0),), {"data": {"a": [1.0]}}, "no column 'b'"),
    ],
)
def test_calls_that_mean_nothing(arguments, options, words):
    with pytest.raises(UsageError, match=words):
        nll.check(*arguments, **options)


def test_an_invalid_parameter_is_named():
    with pytest.raises(DataError, match="scale must be positive and finite for Normal; got -1"):
        nll.check(nll.Normal(0.0, -1.0))


def altered(**formulas) -> Family:
    """An Exponential of rate 4 with other formulas."""
    return type("Altered", (nll.Exponential,), formulas, register=False)(4.0)


def unscaled(y, rate):
    return rate * y


def steep(y, rate):
    return (y - 2.0 / rate,)


def curved(y, rate):
    return (0.5 / rate / rate,)


def misled(y, rate):
    return -rate * y - 0.01 * log(1.0 + y)


def test_a_family_that_is_not_normalised():
    found = nll.check(altered(loss=unscaled))
    assert found.verdict == "not normalised"
    assert found.integral == pytest.approx(0.25, rel=1e-9)
    assert len(found.disagreements) > 1  # its tails know where the mass is missing
    assert all(region.mass == pytest.approx(0.25 * region.expected, rel=1e-6) for region in found.disagreements)


def test_wrong_derivatives_are_named():
    slope, curvature = nll.check(altered(gradient=steep)).faults
    assert (slope.name, curvature.name) == ("gradient in rate", "hessian in rate, rate")
    found = nll.check(altered(hessian=curved))
    (fault,) = found.faults
    assert (fault.name, fault.formula) == ("hessian in rate, rate", 0.03125)
    assert fault.difference == pytest.approx(0.0625, rel=1e-3)
    assert "hessian in rate, rate at y = " in repr(found)


def test_wrong_tails_are_located():
    found = nll.check(altered(log_sf=misled))
    assert (found.verdict, found.ok) == ("normalised", False)
    assert found.disagreements
    assert "its tails say" in found.notes[0]


# Rows


TABLE = pl.DataFrame(
    {
        "y": [1.0, 0.0, 2.0, 1.0, 0.5],
        "p": [0.5, 1.2, None, math.nan, -0.1],
        "s": [1.0, 0.0, -3.0, 2.0, None],
        "q0": [0.5, 0.5, 0.2, -0.1, 0.3],
        "q1": [0.5, 0.6, 0.8, 1.1, 0.7],
    }
)


def counted(found) -> dict[tuple[str, str], tuple[int, list[str]]]:
    return {(f.name, f.rule): (f.rows, [value for _, value in f.first]) for f in found.findings}


def test_rows_of_a_table():
    found = nll.check(nll.Bernoulli(probs="p"), data=TABLE, y="y")
    assert counted(found) == {
        ("probs", "in [0, 1]"): (2, ["1.2", "-0.1"]),
        ("probs", "present"): (1, ["an empty cell"]),
        ("probs", "a number, not NaN"): (1, ["nan"]),
        ("y", "0 or 1"): (2, ["2", "0.5"]),
    }
    assert (found.read, found.ok, bool(found)) == (5, False, False)
    assert "row 1" in repr(found)


def test_scales_of_a_table_without_y():
    found = nll.check(nll.Normal(loc=0.0, scale="s"), data=TABLE)
    assert counted(found) == {
        ("loc", "finite"): (0, []),
        ("scale", "positive and finite"): (2, ["0", "-3"]),
        ("scale", "present"): (1, ["an empty cell"]),
    }
    assert found.notes == ("no y was given: only parameters were checked",)


def test_rows_that_do_not_sum_to_one():
    found = counted(nll.check(nll.Categorical(probs=["q0", "q1"]), data=TABLE, y="y"))
    assert found["probs", "in [0, 1]"] == (1, ["-0.1 for 0"])
    assert found["probs", "rows that sum to 1 (tolerance 1e-06)"] == (1, ["1.1"])
    assert found["y", "a class of 0 .. 1"] == (1, ["2"])
    assert found["y", "a whole number, at least 0"] == (1, ["0.5"])


def test_what_is_impossible_is_counted():
    found = counted(nll.check(nll.Poisson(rate=1.0), data={"k": [1, -2, 3]}, y="k"))
    assert found["y", "possible: a whole number, at least 0"] == (1, ["-2"])


def test_arrays_are_rows_too():
    found = counted(nll.check(nll.Normal(np.zeros(3), np.array([1.0, -1.0, np.nan]))))
    assert found["scale", "positive and finite"] == (1, ["-1"])
    assert found["scale", "a number, not NaN"] == (1, ["nan"])
    found = nll.check(nll.Bernoulli(probs=[[0.2, 0.7], [0.4, 1.3]]), y=[[0, 1], [1, 0]])
    assert counted(found)["probs", "in [0, 1]"] == (1, ["1.3 for 1"])
    assert nll.check(nll.Categorical(probs=[0.3, 0.7])).ok
    assert not nll.check(nll.Categorical(probs=[0.3, 0.6])).ok


@pytest.mark.parametrize("rows", [1, 7, 1000])
@pytest.mark.parametrize("threads", [1, 3])
def test_counts_and_first_rows_do_not_depend_on_chunks(running, rows, threads):
    rng = np.random.default_rng(5)
    table = pl.DataFrame({"p": rng.uniform(-0.2, 1.2, 300), "y": rng.integers(0, 2, 300)})
    wrong = table.with_row_index().filter(~pl.col("p").is_between(0.0, 1.0))
    with running(rows=rows):
        found = nll.check(nll.Bernoulli(probs="p"), data=table, y="y", threads=threads)
    finding = next(f for f in found.findings if f.name == "probs")
    assert finding.rows == wrong.height
    assert [value for _, value in finding.first] == [repr(p) for p in wrong["p"].head(5)]
    assert f"row {wrong['index'][0]} " in finding.first[0][0] + " "


def test_an_empty_table_is_clean():
    found = nll.check(nll.Bernoulli(probs="p"), data=TABLE.clear(), y="y")
    assert (found.ok, found.read) == (True, 0)
    assert counted(found) == {("probs", "in [0, 1]"): (0, [])}


# Words


def test_results_are_shown_and_escaped():
    def f(y):
        return normal(y) + 0.1

    f.__name__ = "<b>density</b>"
    found = nll.check(f, support=LINE)
    assert "<b>density</b>" in repr(found)
    assert "not normalised" in repr(found)
    assert "&lt;b&gt;density&lt;/b&gt;" in found._repr_html_()
    assert "<b>" not in found._repr_html_()
    document = json.loads(found.to_json())
    assert document["verdict"] == "not normalised"
    assert document["integral"] == pytest.approx(math.exp(0.1), rel=1e-9)
    table = nll.check(nll.Bernoulli(probs="<i>"), data={"<i>": [2.0]})
    assert "<i>" not in table._repr_html_()
    assert json.loads(table.to_json())["findings"][0]["first"][0]["value"] == "2"
