"""Where the laws are tried: parameters and observations that a form's constraints admit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product

import numpy as np

from nll.families import families
from nll.families.constraints import Constraint
from nll.families.family import Family
from nll.kernels.kernel import kernel, prepared, support, validity
from nll.numerics.formula import quiet

# Every parametrisation whose rows are scalars.
FORMS = [form for family in families().values() for form in family.forms if not form.event]
names = {"argvalues": FORMS, "ids": [form.signature() for form in FORMS]}

EXTREMES = (-1e150, -745.0, -1.0, -1e-150, 0.0, 1e-150, 1e-8, 0.5, 1.0 - 2.0**-53, 1.0, 20.0, 1e8, 1e15, 1e150)
ENDS = (-1e300, -1.0, 0.0, 5e-324, 1e-300, 1e-8, 1.0, 20.0, 1e15, 1e300)
MOST_COUNTED = 2.0**53  # beyond it a double does not tell one count from the next

Theta = tuple[float, ...]


def interior(constraint: type[Constraint]) -> list[float]:
    """Moderate values of a parameter, at which a loss can be differentiated."""
    if constraint.discrete:
        return [1.0, 12.0]
    values = [-1.3, 0.6, 1.0, 3.7] if constraint.contains(2.0) else [0.2, 0.6]
    return [v for v in values if constraint.contains(v - 1e-9) and constraint.contains(v + 1e-9)]


def parameters(form: type[Family], most: int) -> list[Theta]:
    """Some combinations of moderate parameters, always the same."""
    every = product(*map(interior, form.parameters.values()))
    return chosen((theta for theta in every if np.less(*ends(form, theta))), most)


def ends(form: type[Family], theta: Theta) -> tuple[float, float]:
    """The ends of the support."""
    return (form.support.low, form.support.high) if form.ends is None else form.ends(*map(np.float64, theta))


def extremes(form: type[Family], values: tuple[float, ...], most: int) -> list[Theta]:
    """Some valid (y, *theta) of these values, y of positive density."""
    allowed = [
        [v for v in values if c.contains(v) and not (c.discrete and v > MOST_COUNTED)]
        for c in (form.observations, *form.parameters.values())
    ]
    with quiet():
        supported = support(form)
        return chosen((row for row in product(*allowed) if supported(*map(np.float64, row))), most)


def chosen(combinations: Iterator[Theta], most: int) -> list[Theta]:
    every = list(combinations)
    return random.Random(1).sample(every, min(most, len(every)))


def observations(form: type[Family], theta: Theta) -> list[float]:
    """Some y of positive density, none at a kink."""
    values = (0.0, 1.0, 2.0, 5.0, 9.0) if form.observations.discrete else (-2.4, 0.15, 0.4, 0.8, 1.9, 6.0)
    return [y for y in values if validity(form)(y, *theta) and support(form)(y, *theta)]


def masses(form: type[Family], theta: Theta) -> Iterator[tuple[float, float]]:
    """(y, mass) such that sum mass f(y) is the mean of f."""
    for y, weight in nodes(form, theta):
        mass = weight * np.exp(-loss(form, y, *theta))
        if mass > 0.0:  # NaN where y may not be observed at all
            yield y, mass
        if form.observations.discrete and y > 50.0 and not mass > 1e-16:
            return


def loss(form: type[Family], y: float, *theta: float) -> float:
    """The loss of one row, as users get it."""
    return float(kernel(form).plain_rows(*prepared([y], [[t] for t in theta]))[0])


def nodes(form: type[Family], theta: Theta) -> Iterator[tuple[float, float]]:
    """(y, weight) such that sum weight f(y) is the integral, or sum, of f over the support.

    On an interval the trapezoidal rule after the substitution of H. Takahasi and M. Mori, Double Exponential
    Formulas for Numerical Integration (1974). The middle is at `loc`, where a density may have a kink, which the
    cube flattens.
    """
    if form.observations.discrete:
        yield from ((float(k), 1.0) for k in range(2_000))
        return
    step = 0.0125
    low, high = ends(form, theta)
    middle = theta[list(form.parameters).index("loc")] if "loc" in form.parameters else 0.0
    for t in step * np.arange(-320, 321):
        s, ds = np.pi / 2 * np.sinh(t), np.pi / 2 * np.cosh(t) * step
        if -low == high == np.inf:
            yield middle + np.sinh(s) ** 3, 3.0 * np.sinh(s) ** 2 * np.cosh(s) * ds
        elif form.ends is not None and np.inf in (-low, high):  # the cube reaches into tails of any weight
            yield (low + np.exp(3.0 * s) if high == np.inf else high - np.exp(3.0 * s)), 3.0 * np.exp(3.0 * s) * ds
        elif high == np.inf:
            yield np.exp(s), np.exp(s) * ds
        else:
            y = 1.0 / (1.0 + np.exp(-s))
            if y < 1.0:
                yield low + (high - low) * y, (high - low) * y / (1.0 + np.exp(s)) * ds
