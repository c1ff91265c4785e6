"""Both tails of the Beta, Binomial and Student t distributions as logarithms: log I_x(a, b) and log(1 - I_x(a, b)).

Scalar code with bounded loops, as in `gamma_tails.py`. The side is taken where x < (a + 1) / (a + b + 2):

- both concentrations from 32 on: an integral of the density in the log-odds of x;
- else the continued fraction of A. R. DiDonato and A. H. Morris, Algorithm 708: Significant Digit Computation of the
  Incomplete Beta Function Ratios (1992), function BFRAC, whose terms do not cancel when n x - a is given;
- a < 1 where I_x(a, b) is nearly 1: the power series of 1 - I_x(a, b).

Source of definitions, symmetry and series: DLMF 8.17.1, 8.17.4, 8.17.7 with 8.17.22 for the fraction's region.
"""

from __future__ import annotations

from nll.numerics.bits import fma, sqrt
from nll.numerics.elementary import INF, exp, expm1, log, log1p
from nll.numerics.formula import formula, standalone
from nll.numerics.gamma_ratios import log_gamma_ratio
from nll.numerics.gamma_tails import EPS, MOST_TERMS, NODES, PLACES, TWO_PI, WEIGHTS, WIDE, exp_excess
from nll.numerics.gamma_terms import FAR, lgamma_rest
from nll.numerics.saddle import scaled_excess
from nll.numerics.special import binet_quotient, lgamma
from nll.numerics.tails import log_one_minus_exp

SERIES_TERMS = 2000
NAN = float("nan")


@formula
def beta_integral(n: float, x: float, y: float, gap: float) -> float:
    """Return the integral over s > 0 of the density in log(x / y), s below that of x, divided by its value there.

    With m the smaller of x and y = 1 - x, v = -s if that is x and s if y, r = m (exp(v) - 1), its logarithm is

        gap s - n m (exp(v) - 1 - v) + n (r - log(1 + r))
    """
    small_x = x <= y
    m, sign = (x if small_x else y), (-1.0 if small_x else 1.0)
    width = 1.0 / (abs(gap) + sqrt(n * x * y))
    total = 0.0
    for k in range(NODES):
        s = width * PLACES[k]
        v = sign * s
        excess = exp_excess(v)
        r = m * (excess + v)
        bend = scaled_excess(n, n * r, r, log1p(r)) - n * m * excess
        total = fma(WEIGHTS[k], exp(fma(gap, s, bend)), total)
    return total * width


@formula
def beta_fraction(a: float, b: float, x: float, y: float, gap: float) -> float:
    """Return I_x(a, b) B(a, b) / (x**a y**b), gap = (a + b) x - a; by Lentz's method."""
    value = a * ((1.0 - gap) / (a + 1.0))
    c, d = value, 0.0
    for m in range(1, MOST_TERMS):
        even = a + 2.0 * m
        down = (b - m) * x / (even - 1.0)
        numerator = m * ((a + m - 1.0) / (even - 1.0)) * ((a + b + m - 1.0) * x) * down
        denominator = m + m * down + (a + m) / (even + 1.0) * fma(1.0 + y, m, 1.0 - gap)
        d = 1.0 / fma(numerator, d, denominator)
        c = denominator + numerator / c
        change = c * d
        value = value * change
        if not abs(change - 1.0) > EPS:
            break
    return 1.0 / value


@formula
def small_beta(a: float, b: float, x: float, u: float) -> float:
    """Return 1 - I_x(a, b) for a < 1, given u = log(x**a / (a B(a, b))).

    1 - exp(u) (1 + a sum over k >= 1 of (1 - b) (2 - b) ... (k - b) x**k / (k! (a + k)))
    """
    total, term = 0.0, 1.0
    for k in range(1, SERIES_TERMS):
        term = term * ((k - b) / k * x)
        total = total + term / (a + k)
        if not abs(term) > EPS * abs(total):
            break
    return -fma(a * exp(u), total, expm1(u))


@formula
def log_share(p: float, q: float) -> float:
    """Return log(p) for p + q = 1."""
    return log(p) if p < 0.5 else log1p(-q)


@formula
def deviance_of_share(a: float, n: float, p: float, log_p: float, gap: float) -> float:
    """Return a (r - log(1 + r)) with r = gap / a = (n p - a) / a."""
    ratio = n / a * p
    inside = (ratio > 1e-290) & (ratio < 1e290)
    logarithm = log(ratio if inside else n / a)
    return scaled_excess(a, gap, gap / a, logarithm if inside else logarithm + log_p)


@formula
def front_of_large(
    a: float, b: float, x: float, y: float, gap: float, log_x: float, log_y: float
) -> tuple[float, float]:
    """Return (f, c) with x**a y**b / B(a, b) = exp(f) c for b >= 8, no term of which is large where x is near a / n.

    The deviance of b, and of a; or, where a < 8, a log(n x) - n x - lgamma(a).
    """
    n = a + b
    own = -deviance_of_share(b, n, y, log_y, -gap) - (binet_quotient(b) - binet_quotient(n))
    if a >= FAR:
        own = own - (deviance_of_share(a, n, x, log_x, gap) + binet_quotient(a))
        return own, sqrt(a * (b / n) / TWO_PI)
    mean = n * x
    logarithm = log(mean) if mean > 1e-290 else log(n) + log_x
    return own + fma(a, logarithm, -mean) - lgamma(a), sqrt(b / n)


@formula
def log_beta_front(
    a: float, b: float, x: float, y: float, gap: float, log_x: float, log_y: float
) -> tuple[float, float]:
    """Return (f, c) with x**a y**b / B(a, b) = exp(f) c."""
    if a < FAR and b < FAR:
        return fma(a, log_x, b * log_y) + (lgamma(a + b) - lgamma(a) - lgamma(b)), 1.0
    flip = b < FAR
    p, q = (b if flip else a), (a if flip else b)
    u, v = (y if flip else x), (x if flip else y)
    log_u, log_v = (log_y if flip else log_x), (log_x if flip else log_y)
    return front_of_large(p, q, u, v, -gap if flip else gap, log_u, log_v)


@formula
def log_beta_start(a: float, b: float, log_x: float) -> float:
    """Return log I_x(a, b) = log(x**a / (a B(a, b))) for an x so small that a double may not hold it."""
    return fma(a, log_x, log_gamma_ratio(b, a) - (lgamma_rest(a) if a < 1.0 else lgamma(a + 1.0)))


@standalone
def log_beta_tails(a: float, b: float, x: float, y: float, gap: float) -> tuple[float, float]:
    """Return log I_x(a, b) and log(1 - I_x(a, b)) for a, b >= 0 (a limit at 0) and x + y = 1.

    Parameters
    ----------
    y, gap : 1 - x and (a + b) x - a = b x - a y, from the caller, who may know their digits where x has lost them.

    The one of the smaller probability is within 8e-15, relative; the other, nearly minus that probability, within
    8e-15 times the size of the first. Shapes up to 1e200. NaN for NaN.
    """
    if not (a >= 0.0 and b >= 0.0 and x >= 0.0 and y >= 0.0):
        return NAN, NAN
    if x == 0.0 or b == 0.0:
        return -INF, 0.0
    if y == 0.0 or a == 0.0:
        return 0.0, -INF
    swap = gap + 2.0 * x > 1.0
    a, b, x, y, gap = (b, a, y, x, -gap) if swap else (a, b, x, y, gap)
    log_x, log_y = log_share(x, y), log_share(y, x)
    u = log_beta_start(a, b, log_x) if a < 1.0 else -1.0
    complement = u > -0.5
    front, factor = 0.0, 1.0
    if complement:
        part = small_beta(a, b, x, u)
    else:
        front, factor = log_beta_front(a, b, x, y, gap, log_x, log_y)
        wide = a >= WIDE and b >= WIDE
        part = beta_integral(a + b, x, y, gap) if wide else beta_fraction(a, b, x, y, gap)
    own = front + log(factor * part)
    own = 0.0 if own > 0.0 else own
    other = log_one_minus_exp(-own, 0.0)
    first = swap == complement
    return (own if first else other), (other if first else own)
