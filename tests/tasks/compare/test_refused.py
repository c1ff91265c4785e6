"""Comparisons that mean nothing are refused: each says why, and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import nll
from nll.errors import DataError, NllError, UsageError

RNG = np.random.default_rng(21)
Y = RNG.gamma(2.0, 1.0, 60)
COUNTS = RNG.poisson(3.0, 60).astype(float)
GAMMA = nll.Gamma(2.0, 1.0)


@pytest.fixture(scope="module")
def gamma() -> nll.Fit:
    return nll.fit(Y, nll.Gamma)


def said(kind: type[NllError], call: Any) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


def test_a_density_and_a_mass() -> None:
    models = {"p": nll.Poisson(rate=3.0), "n": nll.Normal(3.0, 2.0)}
    message = said(UsageError, lambda: nll.compare(COUNTS, models))
    assert "'p' is discrete and 'n' continuous" in message
    assert "do not have the same measure" in message
    assert "bin the continuous one" in message
    for function in (nll.vuong, nll.compare, nll.contributions):
        fits = nll.fit(COUNTS, nll.Poisson), nll.fit(COUNTS, nll.Normal)
        assert "discrete" in said(UsageError, lambda function=function, fits=fits: function(*fits))


def test_a_hurdle_and_a_density() -> None:
    y = np.where(np.arange(60) % 3 == 0, 0.0, Y)
    models = {"h": nll.Hurdle(GAMMA, gate=0.3), "n": nll.Normal(1.0, 2.0)}
    message = said(UsageError, lambda: nll.compare(y, models))
    assert "'h' is mixed and 'n' continuous" in message
    assert "models of one kind" in message
    fits = nll.fit(y, nll.Hurdle(nll.Gamma)), nll.fit(y, nll.Normal)
    assert "mixed" in said(UsageError, lambda: nll.compare(*fits))
    assert "mixed" in said(UsageError, lambda: nll.vuong(*fits))
    both = {"h": nll.Hurdle(GAMMA, gate=0.3), "i": nll.Hurdle(nll.Weibull(2.0, 1.0), gate=0.4)}
    assert nll.compare(y, both).n == 60


def test_other_rows(gamma: nll.Fit) -> None:
    changed = Y.copy()
    changed[3] += 0.5
    message = said(DataError, lambda: nll.compare(gamma, nll.fit(changed, nll.LogNormal)))
    assert "1 of 60 rows differ; fit both to the same" in message
    for test in (nll.vuong, nll.contributions):
        assert "1 of 60 rows differ" in said(DataError, lambda test=test: test(gamma, nll.fit(changed, nll.LogNormal)))


def test_another_order(gamma: nll.Fit) -> None:
    message = said(DataError, lambda: nll.compare(gamma, nll.fit(Y[::-1].copy(), nll.LogNormal)))
    assert "in another order: row by row they differ; sort both by the same key" in message


def test_other_numbers_of_rows(gamma: nll.Fit) -> None:
    fewer = nll.fit(Y[1:], nll.LogNormal)
    message = said(DataError, lambda: nll.compare(gamma, fewer))
    assert "60 rows" in message
    assert "to 59" in message
    assert "fit both to the same" in message
    assert "a has 60 rows and b 59" in said(DataError, lambda: nll.vuong(gamma, fewer))
    assert "must be of the same rows" in said(UsageError, lambda: nll.lrt(fewer, gamma, df=1))
    models = {"a": nll.Gamma(2.0, np.ones(60)), "b": nll.Gamma(2.0, np.ones(59))}
    assert "shapes" in said(DataError, lambda: nll.compare(Y, models))


def test_other_weights(gamma: nll.Fit) -> None:
    other = nll.fit(Y, nll.LogNormal, sample_weight=1.0 + np.arange(60) % 2)
    for function in (nll.compare, nll.vuong):
        assert "different weights: fit both with the same" in said(DataError, lambda f=function: f(gamma, other))


def test_another_policy_of_missing_rows() -> None:
    holed = Y.copy()
    holed[5] = np.nan
    dropped = nll.fit(holed, nll.Gamma, missing="drop")
    message = said(DataError, lambda: nll.compare(dropped, nll.fit(Y, nll.LogNormal)))
    assert "1 dropped as missing" in message
    assert "fit both to the same" in message
    elsewhere = Y.copy()
    elsewhere[6] = np.nan
    message = said(DataError, lambda: nll.compare(dropped, nll.fit(elsewhere, nll.LogNormal, missing="drop")))
    assert "different observations" in message
    table = pl.DataFrame({"y": [1.0, 2.0, 3.0], "m": [1.0, None, 2.0]})
    models = {"a": nll.Normal("m", 1.0), "b": nll.Normal(2.0, 1.0)}
    assert "pass missing='drop'" in said(DataError, lambda: nll.compare("y", models, table))
    assert nll.compare("y", models, table, missing="drop")["b"].score.n == 2


@pytest.mark.parametrize("word", ["log", "sqrt", "log1p", "log10"])
def test_a_changed_response_without_its_jacobian(gamma: nll.Fit, word: str) -> None:
    moved = nll.fit(getattr(np, word)(Y), nll.Normal)
    for pair in ((gamma, moved), (moved, gamma)):
        message = said(DataError, lambda pair=pair: nll.compare(*pair))
        assert f"Normal was fitted to the {word} of the observations" in message
        assert "lacks the Jacobian; fit nll.Transformed to the observations themselves" in message


def test_clipped_and_unclipped_scores() -> None:
    y, p = [1, 0, 1], [0.9, 0.2, 0.0]
    cut = nll.score(y, nll.Bernoulli(probs=p), clip=1e-6)
    whole = nll.score(y, nll.Bernoulli(probs=[0.8, 0.3, 0.1]))
    for call in (lambda: nll.compare(cut, whole), lambda: nll.compare({"a": whole, "b": cut})):
        message = said(UsageError, call)
        assert "1 clipped rows" in message
        assert "a cut loss does not compare with an uncut one" in message
        assert "clip=..." in message
    message = said(UsageError, lambda: nll.compare(whole, whole))
    assert "is a Score, a sum" in message
    assert "scores all models in one pass" in message
    assert "is a Score" in said(UsageError, lambda: nll.compare(y, {"a": whole, "b": whole}))
    assert "is a Score" in said(UsageError, lambda: nll.vuong(whole, whole))
    models = {"a": nll.Bernoulli(probs=p), "b": nll.Bernoulli(probs=[0.8, 0.3, 0.1])}
    assert [s.score.clipped for s in nll.compare(y, models, clip=0.2).values()] == [1, 1]  # of all models alike


def test_infinite_losses_have_no_mean_difference() -> None:
    message = said(DataError, lambda: nll.vuong([1.0, np.inf, 2.0], [1.0, 1.0, 1.0]))
    assert "row 1 of a is impossible under the model" in message
    assert "look at these rows, or compare clipped losses of both models" in message


def test_joint_fits_of_other_problems(gamma: nll.Fit) -> None:
    def joint(family: Any, y: Any = Y, names: str = "ab") -> Any:
        return nll.joint({name: {"y": y, "family": family} for name in names})

    a, b = joint(nll.Gamma), joint(nll.LogNormal)
    found = nll.compare(a, b)
    assert found[found.best].aic == min(a.aic, b.aic)
    assert "nll.lrt(a.nll, b.nll, df=...)" in found.models[1].untested
    assert "of the problems a, b, and" in said(UsageError, lambda: nll.compare(a, joint(nll.Gamma, names="a")))
    assert "is of one: they have different rows" in said(UsageError, lambda: nll.compare(a, gamma))
    assert "another order" in said(DataError, lambda: nll.compare(a, joint(nll.LogNormal, Y[::-1].copy())))
    message = said(UsageError, lambda: nll.compare(joint(nll.Poisson, COUNTS), joint(nll.Normal, COUNTS)))
    assert "problem 'a'" in message
    assert "is discrete and" in message
    assert "is a joint fit: pass the rows of one problem" in said(UsageError, lambda: nll.contributions(a, b))
    assert "a joint fit has no rows of one kind" in said(UsageError, lambda: nll.vuong(a, b))


def test_loaded_fits_have_no_rows_to_test(gamma: nll.Fit) -> None:
    loaded = nll.load(gamma.to_json())
    assert "which a loaded fit has not: fit again" in said(UsageError, lambda: nll.vuong(loaded, gamma))
    message = said(UsageError, lambda: nll.contributions(loaded, gamma))
    assert "is a loaded fit, which has no data: pass y and" in message


def test_fits_of_rows() -> None:
    x = RNG.normal(size=(80, 2))
    normal, independent = nll.fit(x, nll.MultivariateNormal), nll.fit(x, nll.Independent(nll.Normal))
    found = nll.compare(normal, independent)
    test = nll.lrt(independent, normal)
    assert (test.df, test.statistic) == (1, 2.0 * (independent.nll - normal.nll))
    assert [m.p_value for m in found.values() if m.test is not None] == [test.p_value]
    classes = RNG.integers(0, 3, 80)
    a, b = nll.fit(classes, nll.Categorical), nll.fit(classes, nll.Poisson)
    assert nll.compare(a, b)["Poisson"].test is not None
    assert "another order" in said(DataError, lambda: nll.compare(a, nll.fit(classes[::-1].copy(), nll.Poisson)))
    assert "of different shape" in said(DataError, lambda: nll.compare(normal, nll.fit(x[:, 0].copy(), nll.Normal)))


def test_groups_are_compared_one_by_one() -> None:
    groups = [nll.fit(Y, family, by=np.arange(60) % 2) for family in (nll.Gamma, nll.LogNormal)]
    assert "group by group: nll.compare(a[key], b[key])" in said(UsageError, lambda: nll.compare(*groups))
    assert nll.compare(groups[0][1], groups[1][1]).n == 30
    assert "different observations" in said(DataError, lambda: nll.compare(groups[0][0], groups[1][1]))


def test_a_fit_against_itself_is_exactly_0(gamma: nll.Fit) -> None:
    found = nll.compare({"a": gamma, "b": gamma})
    assert [m.difference for m in found.values()] == [0.0, 0.0]
    assert [m.weight for m in found.values()] == [0.5, 0.5]
    assert "b has the loss of a in every row: the difference is exactly 0" in found.notes


def test_ties_keep_the_order_in_which_they_came(gamma: nll.Fit) -> None:
    assert list(nll.compare({"z": gamma, "a": gamma})) == ["z", "a"]
    p = [0.4, 0.6]
    models = {"z": nll.Bernoulli(probs=p), "a": nll.Bernoulli(probs=p)}
    found = nll.compare([1, 0], models)
    assert list(found) == ["z", "a"]
    assert (found["a"].difference, found["a"].p_value) == (0.0, 1.0)


def test_few_rows_say_that_aicc_is_infinite() -> None:
    fits = [nll.fit(Y[:3], family) for family in (nll.Gamma, nll.LogNormal)]
    found = nll.compare(*fits)
    assert [m.aicc for m in found.values()] == [np.inf, np.inf]
    assert "AICc of Gamma is infinite: it needs more than k + 1 rows" in found.notes
