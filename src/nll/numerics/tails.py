"""Logarithms of the probability that is left."""

from __future__ import annotations

from nll.numerics.bits import fma
from nll.numerics.elementary import exp, expm1, log_of_sum
from nll.numerics.formula import formula
from nll.numerics.pairs import fast_two_sum

LN2 = 0.6931471805599453


@formula
def log_one_minus_exp(x, low):
    """Return log(1 - e**-(x + low)) for x >= 0, |low| <= ulp(x) / 2; error <= 2 ulp; -inf at 0.

    From -expm1(-x) below log 2 and from 1 - e**-x above, each known to the last bit there.
    Source: M. Maechler, Accurately Computing log(1 - exp(-|a|)), Assessed by the Rmpfr Package (2012).
    """
    low = low if abs(low) <= x else 0.0  # not a number where x is infinite
    e = exp(-x)
    e = fma(-e, low, e)
    near = x <= LN2
    rest, error = fast_two_sum(1.0, -e)
    y = log_of_sum(fma(e, low, -expm1(-x)) if near else rest, 0.0 if near else error)
    return -e if (rest == 1.0) & (x > 1.0) else y
