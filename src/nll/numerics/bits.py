"""The primitives that formulas stand on: the bits of a number, and the operations that IEEE 754 rounds once.

Each runs as plain Python here; its compiled version has the same name in `intrinsics.py`.
"""

from __future__ import annotations

import math

import numpy as np

from nll.numerics.formula import primitive

U = np.uint64


@primitive
def bits_of(x: float) -> np.uint64:
    """Return the 64 bits of a double."""
    return np.float64(x).view(np.uint64)


@primitive
def float_of(bits: np.uint64) -> float:
    """Return the double that has these 64 bits."""
    return np.uint64(bits).view(np.float64)


@primitive
def fma(a: float, b: float, c: float) -> float:
    """Return a * b + c, rounded once."""
    return np.float64(_fma(float(a), float(b), float(c)))


@primitive
def sqrt(x: float) -> float:
    """Return the square root, correctly rounded; NaN below zero."""
    return np.sqrt(np.float64(x))


@primitive
def floor(x: float) -> float:
    """Return the largest integer that is not above x."""
    return np.floor(np.float64(x))


def _exact_fma(a: float, b: float, c: float) -> float:
    """Return a * b + c through exact integers, for Pythons before 3.13, which have no math.fma."""
    if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)):
        return a * b + c
    (i, p), (j, q), (k, r) = a.as_integer_ratio(), b.as_integer_ratio(), c.as_integer_ratio()
    top = i * j * r + k * p * q
    if top == 0:
        return a * b + c  # the sign of zero follows IEEE addition
    try:
        return top / (p * q * r)  # a quotient of integers is rounded once
    except OverflowError:
        return math.inf if top > 0 else -math.inf


def _math_fma(a: float, b: float, c: float) -> float:
    try:
        return math.fma(a, b, c)  # type: ignore[attr-defined]
    except (OverflowError, ValueError):
        return _exact_fma(a, b, c)


_fma = _math_fma if hasattr(math, "fma") else _exact_fma
