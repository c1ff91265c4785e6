"""The real line on which a parameter is unconstrained: its link, and intervals that are normal there."""

from __future__ import annotations

import math

import numpy as np

from nll.families.family import Family
from nll.numerics.elementary import log, log1p
from nll.numerics.formula import quiet
from nll.numerics.normal_tails import ndtri_of_logs


def simplexes(form: type[Family]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of parameters that sum to one."""
    return getattr(form, "simplexes", ())


def normal_quantile(level: float) -> float:
    """Return the z with P(|Z| <= z) = level for a standard normal Z; z**2 is the chi-square quantile of one degree."""
    with quiet():
        upper = np.float64(0.5 * (1.0 - level))
        return float(ndtri_of_logs(log1p(-upper), log(upper)))


def to_line(link: str, value: float) -> float:
    """Return a parameter on the real line."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if link == "log":
            return float(np.log(value))
        if link == "logit":
            return float(np.log(value) - np.log1p(-value))
    return float(value)


def from_line(link: str, place: float) -> float:
    """Return the parameter at a place on the real line."""
    if link == "log":
        with np.errstate(over="ignore"):
            return float(np.exp(place))
    if link == "logit":
        small = math.exp(-abs(place))
        return 1.0 / (1.0 + small) if place > 0.0 else small / (1.0 + small)
    return float(place)


def slope(link: str, value: float) -> float:
    """Return the derivative of a parameter in its place on the line."""
    return value if link == "log" else value * (1.0 - value) if link == "logit" else 1.0


def interval(link: str, value: float, half: float) -> tuple[float, float]:
    """Return the interval around a value whose half width, on its own scale and to first order, is `half`."""
    steep = slope(link, value)
    if math.isnan(half) or steep == 0.0:
        return math.nan, math.nan
    place, half = to_line(link, value), half / steep
    return from_line(link, place - half), from_line(link, place + half)
