"""Error-free transforms, and arithmetic on pairs of doubles.

A pair (high, low) stands for the unevaluated sum high + low with |low| <= ulp(high) / 2: about 106 bits.
Bounds are relative, with u = 2**-53, and hold where nothing overflows or underflows.

Sources: Dekker, "A floating-point technique for extending the available precision" (1971), for the sums; Joldes,
Muller and Popescu, "Tight and rigorous error bounds for basic building blocks of double-word arithmetic" (2017),
for the pairs; the algorithm's number there stands with each function.
"""

from __future__ import annotations

from nll.numerics.bits import fma
from nll.numerics.formula import formula


@formula
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Return (s, e): s = a + b rounded, and s + e = a + b exactly."""
    s = a + b
    b_kept = s - a
    return s, (a - (s - b_kept)) + (b - b_kept)


@formula
def fast_two_sum(a: float, b: float) -> tuple[float, float]:
    """Return two_sum(a, b) in half the operations, for |a| >= |b| or a = 0."""
    s = a + b
    return s, b - (s - a)


@formula
def two_product(a: float, b: float) -> tuple[float, float]:
    """Return (p, e): p = a * b rounded, and p + e = a * b exactly unless e underflows (|p| < 2**-969)."""
    p = a * b
    return p, fma(a, b, -p)


@formula
def pair_add(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    """Return the sum of two pairs; error <= 3 u**2 + 13 u**3, cancellation included (Algorithm 6)."""
    s, e = two_sum(a, b)
    t, t_low = two_sum(a_low, b_low)
    s, e = fast_two_sum(s, e + t)
    return fast_two_sum(s, e + t_low)


@formula
def pair_times(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    """Return the product of two pairs; error <= 5 u**2 (Algorithm 12)."""
    p, e = two_product(a, b)
    cross = fma(a, b_low, a_low * b_low)
    return fast_two_sum(p, e + fma(a_low, b, cross))


@formula
def pair_divide(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    """Return the quotient of two pairs; error <= 15 u**2 + 56 u**3 (Algorithm 17)."""
    q = a / b
    p, e = two_product(b, q)
    p, e = fast_two_sum(p, fma(b_low, q, e))
    rest = (a - p) + (a_low - e)
    return fast_two_sum(q, rest / b)
