"""Quantities made from the parameters of a fit, with standard errors by the delta method.

An expression is read by the grammar of own families (`families/own_text.py`), with more names: the parameters, `mean`,
`variance`, `stddev`, `entropy` of the distribution (where no parameter is called so), and its functions `quantile(p)`,
`cdf(y)`, `sf(y)`, `log_cdf(y)`, `log_sf(y)`, `log_prob(y)` of a number. No text becomes code.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nll.errors import UsageError, listing, nearest
from nll.families.own_code import loss_function
from nll.families.own_functions import FUNCTIONS
from nll.families.own_text import MOST_CHARACTERS, TOKEN, Node, _Reader, _unreadable
from nll.families.reading import Reader, Token
from nll.numerics.formula import quiet
from nll.results import scale
from nll.results.score import jsonable

if TYPE_CHECKING:
    from nll.results.fit import Fit

MOMENTS = ("mean", "variance", "stddev", "entropy")
CALLS = ("quantile", "cdf", "sf", "log_cdf", "log_sf", "log_prob")
SHRINK, HALVINGS = 2.0, 14
ACCURATE = 1e-6  # relative error of a derivative above which no standard error is made from it


@dataclass(frozen=True, slots=True)
class Derived:
    """A quantity made from fitted parameters.

    Attributes
    ----------
    text : the expression.
    estimate : its value at the estimates.
    stderr : its standard error by the delta method; NaN where a parameter that it depends on has none.
    gradient : its derivative in each fitted parameter.
    """

    text: str
    estimate: float
    stderr: float
    gradient: dict[str, float]

    def ci(self, level: float = 0.95) -> tuple[float, float]:
        """Return the normal interval estimate -+ z stderr."""
        if not 0.0 < level < 1.0:
            raise UsageError(f"a confidence level is between 0 and 1; got {level!r}")
        half = scale.normal_quantile(level) * self.stderr
        return self.estimate - half, self.estimate + half

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types."""
        numbers = {"estimate": self.estimate, "stderr": self.stderr, "ci95": list(self.ci())}
        return {"text": self.text, **numbers, "gradient": self.gradient}

    def to_json(self) -> str:
        """Return one valid JSON document."""
        return json.dumps(jsonable(self.to_dict()))

    def __repr__(self) -> str:
        low, high = self.ci()
        between = "" if math.isnan(low) else f" (95 % interval {low:.6g} to {high:.6g})"
        return f"<{self.text} = {self.estimate:.6g} ± {self.stderr:.6g}{between}>"


def derived(fit: Fit, text: str) -> Derived:
    """Return an expression at the estimates with its standard error.

    The variance is g' cov g, with g the gradient in the fitted parameters. Derivatives are differences extrapolated to
    step 0 on the line of each link; where one is not sure to 1e-6 of itself, or of its part of the error, that
    is an error.

    Source: Ridders, Accurate computation of F'(x) and F'(x) F''(x), Advances in Engineering Software 4 (1982), 75-76.
    """
    value = _quantity(fit, text)
    estimate = value({})
    if math.isnan(estimate):
        raise UsageError(f"{text} is not a number at the estimates {dict(fit.params)}")
    slopes = [_slope(fit, name, error, value) for name, error in fit.stderr.items()]
    gradient = np.array([slope for slope, _ in slopes])
    used = [i for i, slope in enumerate(gradient) if slope != 0.0]  # another may have no error
    cov, part = fit.cov[np.ix_(used, used)], gradient[used]
    variance = float(part @ cov @ part)
    rough = np.array([slopes[i][1] for i in used]) * np.sqrt(np.abs(np.diagonal(cov)))
    if (
        math.isfinite(variance)
        and (rough > ACCURATE * np.max(np.abs(part) * np.sqrt(np.diagonal(cov)), initial=0.0)).any()
    ):
        worst = fit.free[used[int(np.argmax(rough))]]
        raise UsageError(f"{text} is not smooth in {worst} at the estimates: it has no delta standard error")
    stderr = math.sqrt(variance) if variance >= 0.0 else math.nan
    return Derived(text, estimate, stderr, dict(zip(fit.free, map(float, gradient), strict=True)))


def _quantity(fit: Fit, text: str) -> Callable[[Mapping[str, float]], float]:
    """Return the expression as a function of the parameters that differ from the estimates."""
    if len(text) > MOST_CHARACTERS:
        raise UsageError(f"derive reads at most {MOST_CHARACTERS:,} characters; got {len(text):,}")
    reader = _Quantities(text, tuple(fit.params), fit.by_row)
    tree = reader.sum()
    reader.expect("", "the end")
    if reader.calls and "quantile" in {call for call, _ in reader.calls.values()} and fit.dist.discrete:
        raise UsageError(f"{text}: quantiles of a discrete distribution jump, and have no delta standard error")
    words = [*fit.params, *reader.moments, *reader.calls]
    negative = loss_function(tree, words)
    if fit.by_row and (reader.moments or reader.calls):
        raise UsageError(f"{text} differs by row, as {listing(fit.by_row)} does: ask of f.dist with numbers for it")

    def value(changed: Mapping[str, float]) -> float:
        theta = _together(fit, changed)
        numbers = list(theta.values())
        if reader.moments or reader.calls:
            dist = fit.family(**theta)
            numbers += [_moment(dist, name) for name in reader.moments]
            numbers += [float(getattr(dist, call)(y)) for call, y in reader.calls.values()]
        with quiet():
            return -float(negative(*map(np.float64, numbers)))

    return value


def _together(fit: Fit, changed: Mapping[str, float]) -> dict[str, float]:
    """Return the parameters with some changed, and those that sum to one divided by their sum."""
    theta = {**fit.params, **changed}
    for simplex in scale.simplexes(fit.family):
        if any(name in changed for name in simplex):
            total = math.fsum(theta[name] for name in simplex)
            theta |= {name: theta[name] / total for name in simplex}
    return theta


def _moment(dist: Any, name: str) -> float:
    return math.sqrt(dist.variance()) if name == "stddev" else float(getattr(dist, name)())


def _slope(fit: Fit, name: str, error: float, value: Callable[[Mapping[str, float]], float]) -> tuple[float, float]:
    """Return the derivative in a parameter, and by how much it may be wrong."""
    link, estimate = fit.link(name), fit.params[name]
    place, steep = scale.to_line(link, estimate), scale.slope(link, estimate)
    if not math.isfinite(place):
        return math.nan, math.nan
    own = error if 0.0 < error < math.inf else max(abs(estimate), 1.0)
    step = own if link == "identity" else 0.1

    def at(offset: float) -> float:
        moved = scale.from_line(link, place + offset) if link != "log" else estimate * math.exp(offset)
        return value({name: moved})

    slope, rest = extrapolated(at, step)
    return slope / steep, rest / steep


def extrapolated(at: Callable[[float], float], step: float) -> tuple[float, float]:
    """Return the derivative of a function at 0 and an estimate of its error, by Neville's scheme in the step."""
    best, smallest = math.nan, math.inf
    before: list[float] = []
    for _ in range(HALVINGS):
        row = [(at(step) - at(-step)) / (2.0 * step)]
        for j, previous in enumerate(before):
            factor = SHRINK ** (2 * (j + 1))
            row.append((factor * row[j] - previous) / (factor - 1.0))
            difference = max(abs(row[-1] - row[-2]), abs(row[-1] - previous))
            if difference <= smallest:
                best, smallest = row[-1], difference
        if before and abs(row[-1] - before[-1]) > 4.0 * smallest and smallest < math.inf:
            break  # the noise of smaller steps has begun
        if smallest <= 1e-14 * abs(best):
            break
        before, step = row, step / SHRINK
    return best, smallest


class _Quantities(_Reader):
    """Reads an expression in parameters, moments and functions of a number."""

    def __init__(self, text: str, parameters: tuple[str, ...], by_row: Mapping[str, Any]) -> None:
        Reader.__init__(self, text, TOKEN, _unreadable, "derive: ")
        self.names: tuple[str, ...] = (*parameters, *(name for name in MOMENTS if name not in parameters))
        self.depth, self.by_row, self.parameters = 0, by_row, parameters
        self.moments: list[str] = []
        self.calls: dict[str, tuple[str, float]] = {}

    def atom(self) -> Node:
        token = self.tokens[self.next]
        if token.text in self.by_row:
            self.fail(f"{token.text} differs by row, and derive needs one number", token)
        node = super().atom()
        if node.op == "name" and node.word not in (*self.parameters, *self.moments, *self.calls):
            self.moments.append(node.word)
        return node

    def call(self, name: Token) -> Node:
        if name.text not in CALLS or name.text in self.names:
            if name.text not in (*FUNCTIONS, "where", *self.names):
                close = nearest(name.text, [*FUNCTIONS, "where", *CALLS])
                self.fail(
                    f"there is no function {name.text!r}{close}; there are {listing([*CALLS, *FUNCTIONS], 30)}", name
                )
            return super().call(name)
        value = self.sum()
        if value.op != "number":
            self.fail(f"{name.text} is of a number, such as {name.text}(0.9)", name)
        self.expect(")", f"')' ({name.text} takes one number)")
        word = f"{name.text}({value.number!r})"
        self.calls[word] = (name.text, value.number)
        return Node("name", word=word)
