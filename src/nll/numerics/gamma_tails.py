"""Both tails of the Gamma and Poisson distributions as logarithms: log P(a, x) and log Q(a, x), however far out.

Scalar code with bounded loops, for tails that are evaluated by row but not in the hottest passes. In each region the
smaller tail (or one that is at most 0.87) is found from terms of one sign, and the other by log(1 - exp(.)):

- concentration from 32 on: the tail as an integral of the density in log x, divided by its value at x;
- x <= a: the power series of P; x > a: the continued fraction of Q; a < 1, x < 3/2: the power series of Q.

Sources: DLMF 8.2 (definitions), 8.11.4 (series), 8.9.2 (fraction), 3.10(iii) (its evaluation); W. Gautschi, A
computational procedure for incomplete gamma functions (1979), for a < 1; H. Takahasi and M. Mori, Double
exponential formulas for numerical integration (1974), for the substitution.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nll.numerics.bits import fma, sqrt
from nll.numerics.elementary import INF, _exp_series, exp, expm1, log
from nll.numerics.formula import formula, quiet, standalone
from nll.numerics.gamma_terms import FAR, lgamma_rest
from nll.numerics.saddle import scaled_excess
from nll.numerics.special import binet_quotient, lgamma
from nll.numerics.tails import log_one_minus_exp

NAN = float("nan")
TWO_PI = 6.283185307179586
WIDE = 32.0  # a concentration from which on the integral serves
MOST_TERMS = 500  # no region needs half of them
EPS = 2.0**-53
NODES = 77  # of the trapezoidal rule with step 1/10 on t from -3.7 to 3.9

Nodes = npt.NDArray[np.float64]


def _nodes() -> tuple[Nodes, Nodes]:
    """Return s = exp(t - exp(-t)) and ds, the places and weights of a rule for integrals of exp(g(s)) over s > 0."""
    places, weights = [], []
    with quiet():
        for k in range(-37, 40):
            t = np.float64(k) / 10.0
            inner = exp(-t)
            places.append(exp(t - inner))
            weights.append(0.1 * places[-1] * (1.0 + inner))
    return np.array(places), np.array(weights)


PLACES, WEIGHTS = _nodes()


@formula
def exp_excess(s: float) -> float:
    """Return exp(s) - 1 - s >= 0, without subtraction near 0."""
    near = abs(s) < 0.34
    r = s if near else 0.0
    return r * r * fma(r, _exp_series(r), 0.5) if near else expm1(s) - s


@formula
def gamma_integral(x: float, gap: float, sign: float) -> float:
    """Return the integral over s > 0 of the density in log x, at log x + sign s, divided by its value at log x.

    Its logarithm is sign (-gap) s - x (exp(sign s) - 1 - sign s), with gap = x - a: within 1e-15 for a >= 10.
    """
    width = 1.0 / (abs(gap) + sqrt(x))
    total = 0.0
    for k in range(NODES):
        s = sign * (width * PLACES[k])
        total = fma(WEIGHTS[k], exp(-fma(x, exp_excess(s), gap * s)), total)
    return total * width


@formula
def series_p(a: float, x: float) -> float:
    """Return P(a, x) a Gamma(a) exp(x) / x**a = 1 + x / (a + 1) + x**2 / ((a + 1) (a + 2)) + ..., for x <= a + 3/2."""
    total, term = 1.0, 1.0
    for n in range(1, MOST_TERMS):
        term = term * (x / (a + n))
        total = total + term
        if not term > EPS * total:
            break
    return total


@formula
def fraction_q(a: float, x: float, gap: float) -> float:
    """Return Q(a, x) Gamma(a) exp(x) / x**a = 1 / (x + 1 - a - (1 - a) / (x + 3 - a - 2 (2 - a) / ...)), for x >= 1."""
    b = gap + 1.0
    d = 1.0 / b
    c = 1e300
    value = d
    for i in range(1, MOST_TERMS):
        numerator = -i * (i - a)
        b = b + 2.0
        d = 1.0 / fma(numerator, d, b)
        c = b + numerator / c
        change = c * d
        value = value * change
        if not abs(change - 1.0) > EPS:
            break
    return value


@formula
def small_q(a: float, x: float, u: float) -> float:
    """Return Q(a, x) for a < 1 and x < 3/2, given u = log(x**a / Gamma(1 + a)).

    1 - exp(u) (1 + a sum over k >= 1 of (-x)**k / (k! (a + k)))
    """
    total, term = 0.0, 1.0
    for k in range(1, MOST_TERMS):
        term = term * (-x / k)
        total = total + term / (a + k)
        if not abs(term) > EPS * abs(total):
            break
    return -fma(a * exp(u), total, expm1(u))


@formula
def log_front(a: float, x: float, gap: float, log_x: float) -> tuple[float, float]:
    """Return (f, c) with x**a exp(-x) / Gamma(a) = exp(f) c, f the deviance from a = 8 on."""
    ratio = x / a
    inside = (ratio > 1e-290) & (ratio < 1e290)
    far = scaled_excess(a, gap, gap / a, log(ratio) if inside else log_x - log(a))
    wide = a >= FAR
    low = fma(a, log_x, -x) - lgamma(a)
    return (-far - binet_quotient(a) if wide else low), (sqrt(a / TWO_PI) if wide else 1.0)


@standalone
def log_gamma_tails(a: float, x: float, gap: float, log_x: float) -> tuple[float, float]:
    """Return log P(a, x) and log Q(a, x) for a > 0 and x >= 0.

    Parameters
    ----------
    gap, log_x : x - a and log(x), in which a caller who has x as a product puts the digits that x has lost.

    The one of the smaller probability is within 5e-15, relative; the other, nearly minus that probability, within
    5e-15 times the size of the first. NaN for NaN.
    """
    if x == 0.0 and log_x == -INF:
        return -INF, 0.0
    if x == INF:
        return 0.0, -INF
    if not (a > 0.0 and x >= 0.0):
        return NAN, NAN
    low = gap <= 0.0 or x < 1.5
    u = fma(a, log_x, -lgamma_rest(a)) if a < 1.0 and low else -1.0
    lower = low and not u > -0.5
    front, factor = 0.0, 1.0
    if low and not lower:
        part = small_q(a, x, u)
    else:
        front, factor = log_front(a, x, gap, log_x)
        if a >= WIDE:
            part = gamma_integral(x, gap, -1.0 if lower else 1.0)
        elif lower:
            part = series_p(a, x) / a
        else:
            part = fraction_q(a, x, gap)
    own = front + log(factor * part)
    own = 0.0 if own > 0.0 else own
    other = log_one_minus_exp(-own, 0.0)
    return (own if lower else other), (other if lower else own)


@formula
def log_gamma_p(a: float, x: float) -> float:
    """Return log P(a, x), the logarithm of the regularized lower incomplete gamma function."""
    return log_gamma_tails(a, x, x - a, log(x))[0]


@formula
def log_gamma_q(a: float, x: float) -> float:
    """Return log Q(a, x), the logarithm of the regularized upper incomplete gamma function."""
    return log_gamma_tails(a, x, x - a, log(x))[1]
