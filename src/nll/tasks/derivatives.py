"""Compare the gradient and the Hessian of a family with difference quotients."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np

from nll.families.constraints import Bound, Positive
from nll.families.family import Family
from nll.numerics.formula import quiet
from nll.results.check import Fault

STEPS = (
    1e-3,
    1e-4,
    1e-2,
    1e-5,
    1e-1,
    1e-6,
    1e-7,
)  # of the size of a parameter; near a kink or an end only small ones do
AGREES = 2e-4  # relative; a wrong term is larger somewhere, and quotients near a singularity are not much better
# Evaluations of the loss and the gradient, after which no further observation is looked at, and no further derivative.
# They are counted and not timed: what is compared is the same on any machine.
ENOUGH = 90
MOST = 400
LARGEST = 24  # parameters; of more, only the gradient is compared
LOCATIONS = ("loc", "low", "high")  # parameters in the unit of y that need not be positive


def compared(
    form: type[Family], theta: Sequence[float], places: Sequence[float], width: float
) -> tuple[int, list[Fault]]:
    """Return how many derivatives were compared at these observations, and the first that differs, of each.

    A derivative agrees if the quotient of some step does: no wrong one is met by chance.
    """
    names = list(form.parameters)
    # Bounds are known: no fit asks for derivatives in them, and a count does not move with them.
    fixed = [constraint.discrete or constraint is Bound for constraint in form.parameters.values()]
    free = [k for k in range(len(names)) if not fixed[k]]
    sizes = [sizes_of(form, k, theta[k], width) for k in range(len(names))]
    scales = [max(each) for each in sizes]
    tried: set[str] = set()
    faults: dict[str, Fault] = {}

    def settle(name: str, y: float, value: float, function: Callable[..., Any], k: int, scale: float) -> None:
        tried.add(name)
        difference = quotient(function, y, theta, k, sizes[k], value, scale)
        if difference is not None and name not in faults:
            faults[name] = Fault(name, y, value, difference)

    if form.gradient is None or form.loss is None:
        return 0, []
    meter = _Meter()
    loss = meter.counting(form.loss)
    pairs = list(combinations_with_replacement(range(len(names)), 2))
    with quiet():
        for y in places:
            if meter.count >= ENOUGH:
                break
            numbers = [np.float64(y), *map(np.float64, theta)]
            gradient = lru_cache(None)(meter.counting(form.gradient))  # the same steps serve every entry of a column
            for k, slope in enumerate(gradient(*numbers)):
                if k in free and meter.count < MOST:
                    settle(f"gradient in {names[k]}", y, float(slope), loss, k, scales[k])
            if len(names) > LARGEST or form.hessian is None:
                continue
            for (j, k), value in zip(pairs, form.hessian(*numbers), strict=True):
                if j in free and k in free and meter.count < MOST:
                    name = f"hessian in {names[j]}, {names[k]}"
                    settle(name, y, float(value), _component(gradient, j), k, scales[j] * scales[k])
    return len(tried), list(faults.values())


class _Meter:
    """Counts how often functions are evaluated."""

    def __init__(self) -> None:
        self.count = 0

    def counting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, whose evaluations count from now on."""

        def counted(*numbers: Any) -> Any:
            self.count += 1
            return function(*numbers)

        return counted


def _component(gradient: Callable[..., Sequence[float]], j: int) -> Callable[..., float]:
    return lambda *numbers: gradient(*numbers)[j]


def sizes_of(form: type[Family], k: int, value: float, width: float) -> list[float]:
    """Return what may be the size of a parameter, of which steps are a part.

    Itself where it is positive; else 1, and for a location the width of the distribution.
    """
    name, constraint = list(form.parameters.items())[k]
    if constraint is Positive or 0.0 < value < 1.0:
        return [value]
    return [width, 1.0] if name in LOCATIONS and width > 0.0 else [1.0]


def quotient(
    function: Callable[..., Any],
    y: float,
    theta: Sequence[float],
    k: int,
    sizes: Sequence[float],
    value: float,
    scale: float,
) -> float | None:
    """Return None if some difference quotient agrees with a derivative, else the nearest of them.

    None too where the function is not a number at all steps: that says nothing of the derivative.
    Four points, of fourth order; the comparison is of value times the sizes of the parameters, so without unit.
    """
    nearest = math.nan
    for size, step in product(sizes, STEPS):
        h = step * size
        near, far = (_difference(function, y, theta, k, h * m) for m in (1.0, 2.0))
        found = (8.0 * near - far) / (12.0 * h)
        distance = abs(found - value) * scale
        if distance <= AGREES * max(1.0, abs(value) * scale):
            return None
        if math.isnan(nearest) or distance < abs(nearest - value) * scale:
            nearest = found
    return None if math.isnan(nearest) else nearest


def _difference(function: Callable[..., Any], y: float, theta: Sequence[float], k: int, h: float) -> float:
    up, down = ([np.float64(t) for t in theta] for _ in range(2))
    up[k], down[k] = up[k] + h, down[k] - h
    return float(function(np.float64(y), *up)) - float(function(np.float64(y), *down))
