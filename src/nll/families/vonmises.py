"""The von Mises distribution: directions and times of day around a mean one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.families.constraints import Constraint, NonNegative
from nll.families.family import Family, Moments
from nll.families.values import mapped
from nll.numerics.bessel import bessel_ratio, half_angle, log_i0_scaled
from nll.numerics.bits import fma, sqrt
from nll.numerics.elementary import INF, exp, log, logaddexp
from nll.numerics.formula import formula, standalone
from nll.numerics.pairs import two_product
from nll.numerics.tails import log_one_minus_exp

LOG_TWO_PI = 1.8378770664093456
HALF_TURN = math.pi
ROOT = 0.7071067811865476
DEPTH = 45.0  # e**-45 is 3e-20
NODES = 40
PLACES, WEIGHTS = np.polynomial.legendre.leggauss(NODES)
TURN = 6.2831856  # 2 pi as single precision rounds it


class Angle(Constraint):
    words = "an angle in radians, in [-2 pi, 2 pi]"
    link = "identity"
    low = -math.pi
    high = math.pi

    def contains(x):
        return abs(x) <= TURN


@formula
def waves(y: float, loc: float) -> tuple[float, float, float]:
    """Return 1 - cos(d), cos(d) and sin(d), for d = y - loc."""
    s, _, c = half_angle(y, loc)
    fall = 2.0 * s * s
    return fall, 1.0 - fall, 2.0 * s * c


@formula
def ratio_rest(concentration: float) -> float:
    """Return 1 - I1(k) / I0(k)."""
    return bessel_ratio(concentration)[1]


@formula
def gauss(low: float, high: float, twice: float, peak: float, sign: float) -> float:
    """Return the integral of e**(sign twice (x**2 - peak)) 2 / sqrt(1 - x**2) from low to high, 0 <= x <= 0.71."""
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    total = 0.0
    for k in range(NODES):
        x = fma(half, PLACES[k], middle)
        total = fma(WEIGHTS[k], exp(sign * twice * (x * x - peak)) / sqrt((1.0 - x) * (1.0 + x)), total)
    return 2.0 * half * total


@formula
def piece(
    s1: float, c1: float, s2: float, c2: float, twice: float, far: bool
) -> tuple[float, float, float, float, float]:
    """Return the integral of e**(-twice sin(d / 2)**2) over d1 <= d <= d2 in [0, pi], up to pi / 2 or `far` beyond it.

    s and c are sin(d / 2) and cos(d / 2). It is an integral in s, beyond pi / 2 in c, where each is at most 0.71, and
    only as far as the density is above e**-45 of what it is at d1: e**-drop times that of `gauss`, whose arguments low,
    high, peak and sign come first. It is empty where low >= high.
    """
    reach = DEPTH / twice  # infinite for a uniform distribution
    first, last = (c2, c1) if far else (s1, s2)
    first = first if first < ROOT else ROOT
    last = last if last < ROOT else ROOT
    peak = last * last if far else first * first
    room = peak - reach if far else peak + reach
    cut = sqrt(room if room > 0.0 else 0.0)
    low = cut if far & (cut > first) else first
    high = last if far | (last < cut) else cut
    return low, high, peak, (1.0 if far else -1.0), twice * (1.0 - peak if far else peak)


@formula
def arc(i: int, y: float, loc: float) -> tuple[float, float, float, float]:
    """Return the i-th of the arcs that make up -pi <= t <= y, for |y| <= pi: sin(d / 2), cos(d / 2) at both its ends.

    d is the distance from loc. Three arcs at most, of which those that are not there are empty: out to the point
    opposite loc, from there to loc, and from loc to y.
    """
    turn = 0.0 if abs(loc) <= HALF_TURN else (2.0 * HALF_TURN if loc > 0.0 else -2.0 * HALF_TURN)
    m = loc - turn
    side, _, c = half_angle(y, m)
    e, _, f = half_angle(-HALF_TURN, m)
    s, e, c, f = abs(side), abs(e), abs(c), abs(f)
    down = y < m
    past = down & (side > 0.0)  # y lies below the point opposite loc
    beyond = (y > m) & (side < 0.0)  # y lies above the point opposite loc, on the other side
    right = m >= 0.0
    if i == 0:
        if right:
            return (e, f, s, c) if past else (e, f, 1.0, 0.0)
        return (s, c, e, f) if down else (0.0, 1.0, e, f)
    if (right & past) | (down & (m < 0.0)):
        return 1.0, 0.0, 1.0, 0.0
    if i == 1:
        if right & down:
            return s, c, 1.0, 0.0
        return (0.0, 1.0, 1.0, 0.0) if right | beyond else (0.0, 1.0, s, c)
    if right:
        return (1.0, 0.0, 1.0, 0.0) if down else (0.0, 1.0, s, c)
    return (s, c, 1.0, 0.0) if beyond else (1.0, 0.0, 1.0, 0.0)


@standalone
def log_turns(y: float, loc: float, concentration: float) -> tuple[float, float]:
    """Return log P(-pi <= Y <= y) and log P(y < Y <= pi), within 1e-12; the smaller one as such."""
    constant = log_i0_scaled(concentration) + LOG_TWO_PI
    twice = 2.0 * concentration
    below = above = -INF
    # In a loop, so that what integrates is compiled once: the pieces of the arcs below y, then of those above.
    for k in range(12):
        upper = k >= 6
        mirror = -1.0 if upper else 1.0
        s1, c1, s2, c2 = arc((k % 6) // 2, mirror * y, mirror * loc)
        low, high, peak, sign, drop = piece(s1, c1, s2, c2, twice, k % 2 == 1)
        if high > low:
            part = log(gauss(low, high, twice, peak, sign)) - drop
            total = logaddexp(above if upper else below, part)
            below, above = (below, total) if upper else (total, above)
    below, above = below - constant, above - constant
    lower = below < above
    small = below if lower else above
    small = small if small < 0.0 else 0.0
    other = log_one_minus_exp(-small, 0.0)
    return (small if lower else other), (other if lower else small)


class VonMises(Family):
    """VonMises(loc m, concentration k) on the circle.

    The loss of a row, in nats, with the modified Bessel function I0:

        loss = log(2 pi I0(k)) - k cos(y - m)

    computed as log(2 pi I0(k) e**-k) + 2 k sin((y - m) / 2)**2.

    y and y + 2 pi are the same direction: angles may be counted from -pi or from 0. Degrees are refused. Tails count
    from -pi, and are 1 and 0 from pi on.

    Parameters
    ----------
    loc : m, the mean direction, in radians.
    concentration : k >= 0, no unit: about 1 / variance for large k; 0 is the uniform distribution.

    Source: K. V. Mardia and P. E. Jupp, Directional Statistics (2000), section 3.5.4.

    Examples
    --------
    >>> import nll
    >>> round(nll.score(1.0, nll.VonMises(loc=1.0, concentration=0.0)).sum, 12)
    1.837877066409
    """

    loc: Angle
    concentration: NonNegative
    observations = Angle
    support = Angle

    def loss(y, loc, concentration):
        s, s_low, _ = half_angle(y, loc)
        pull, rest = two_product(concentration, s)
        constant = log_i0_scaled(concentration) + LOG_TWO_PI
        # s**2 underflows where s times the concentration does not
        return fma(2.0 * pull, s, fma(2.0 * s, fma(concentration, 2.0 * s_low, rest), constant))

    def gradient(y, loc, concentration):
        fall, _, sine = waves(y, loc)
        _, rest, _ = bessel_ratio(concentration)
        return -concentration * sine, fall - rest

    def hessian(y, loc, concentration):
        _, cosine, sine = waves(y, loc)
        _, _, slope = bessel_ratio(concentration)
        return concentration * cosine, -sine, slope

    def log_cdf(y, loc, concentration):
        return log_turns(y, loc, concentration)[0]

    def log_sf(y, loc, concentration):
        return log_turns(y, loc, concentration)[1]

    def start(moments: Moments) -> tuple[float, float]:
        return math.remainder(moments.mean, math.tau), 1.0 / moments.variance

    def mean(loc: Any, concentration: Any) -> Any:
        return loc + 0.0 * concentration

    def entropy(loc: Any, concentration: Any) -> Any:
        level = mapped(log_i0_scaled, concentration) + LOG_TWO_PI
        return level + concentration * mapped(ratio_rest, concentration) + 0.0 * loc

    def kl(theta: Any, other: Any) -> Any:
        (loc, k), (other_loc, other_k) = theta, other
        fall = 2.0 * np.sin(0.5 * (loc - other_loc)) ** 2
        rest = mapped(ratio_rest, k)
        level = mapped(log_i0_scaled, other_k) - mapped(log_i0_scaled, k)
        return level + (other_k - k) * rest + other_k * fall * (1.0 - rest)

    def sample(rng: np.random.Generator, shape: Any, loc: Any, concentration: Any) -> Any:
        return rng.vonmises(loc, concentration, shape)

    def scipy(loc: Any, concentration: Any) -> tuple[str, dict[str, Any]]:
        return "vonmises", {"loc": loc, "kappa": concentration}
