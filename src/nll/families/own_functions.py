"""What the text of an own family may call: the functions, and powers that are finite where the mathematics is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nll.numerics.bits import floor, fma, sqrt
from nll.numerics.elementary import INF, exp, expm1, log, log1p, log_pair, log_sigmoid, softplus
from nll.numerics.formula import formula
from nll.numerics.special import digamma, lgamma, trigamma

NAN = float("nan")


@formula
def absolute(x: float) -> float:
    """Return |x|."""
    return abs(x)


@formula
def sign(x: float) -> float:
    """Return -1, 0 or 1: the derivative of |x|, with the middle of its slopes at 0."""
    return 1.0 if x > 0.0 else (-1.0 if x < 0.0 else 0.0)


@formula
def sigmoid(x: float) -> float:
    """Return 1 / (1 + e**-x), the derivative of softplus."""
    return exp(log_sigmoid(x))


@formula
def power(x: float, k: float) -> float:
    """Return x**k: 1 for k = 0, of either sign for x < 0 and whole k, NaN for x < 0 and any other k.

    exp(k log |x|), with the logarithm and the product to twice the precision, so that a large k loses nothing.
    """
    base = abs(x)
    high, low = log_pair(base)
    product = k * high
    rest = fma(k, high, -product) + k * low
    inner = (base > 0.0) & (base < INF) & (abs(product) < 800.0)  # else the rest may be inf - inf, and is lost
    value = exp(product)
    size = fma(value, rest, value) if inner & (value < INF) else value
    size = 1.0 if (k == 0.0) | (base == 1.0) else size
    half = 0.5 * k
    signed = -size if floor(half) != half else size
    below = signed if floor(k) == k else NAN
    return below if x < 0.0 else size


@formula
def power_log(x: float, k: float) -> float:
    """Return x**k log(x), the derivative of x**k in k: 0, its limit, at x = 0 for k > 0."""
    value = power(x, k)
    return value * log(x) if value != 0.0 else 0.0


@formula
def power_log_squared(x: float, k: float) -> float:
    """Return x**k log(x)**2: 0, its limit, at x = 0 for k > 0."""
    value = power(x, k)
    logarithm = log(x)
    return value * logarithm * logarithm if value != 0.0 else 0.0


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "log": log,
    "log1p": log1p,
    "exp": exp,
    "expm1": expm1,
    "sqrt": sqrt,
    "lgamma": lgamma,
    "digamma": digamma,
    "trigamma": trigamma,
    "softplus": softplus,
    "log_sigmoid": log_sigmoid,
    "abs": absolute,
}
POWERS: tuple[Callable[[Any, Any], Any], ...] = (power, power_log, power_log_squared)  # by the power of the logarithm
