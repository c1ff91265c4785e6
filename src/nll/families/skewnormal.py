"""The skew-normal distribution: a Normal that leans to one side."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real
from nll.families.family import Family, Moments
from nll.families.normal import standardised
from nll.numerics.bits import fma, sqrt
from nll.numerics.elementary import exp, log, log1p
from nll.numerics.formula import formula
from nll.numerics.normal_parts import central, tail_integral
from nll.numerics.normal_tails import log_ndtr_pair, scaled_tail
from nll.numerics.pairs import two_product
from nll.numerics.tails import log_one_minus_exp

LOG_ROOT_HALF_PI = 0.22579135264472744  # log(2 pi) / 2 - log(2)
ROOT_TWO_PI = 2.5066282746310002
MOST = 1e160  # its square is infinite


@formula
def argument(z: float, small: float, shape: float) -> tuple[float, float]:
    """Return shape (z + small) as a product and its rounding error, 0 where one overflows."""
    x, rest = two_product(shape, z)
    rest = fma(shape, small, rest)
    return x, (rest if abs(rest) < abs(x) else 0.0)


@formula
def hazard(x: float) -> tuple[float, float]:
    """Return m = phi(x) / Phi(x), the derivative of log Phi, and m (x + m), minus its second derivative.

    Far left m is nearly -x, and x + m is 1 / t - 2 / t**3 + 10 / t**5 - ... with t = -x. Source: DLMF 7.12.1.
    """
    t = abs(x)
    t = t if t < MOST else MOST
    ratio = scaled_tail(t)
    density = exp(-0.5 * t * t)
    right = density / (ROOT_TWO_PI * (1.0 - density * ratio))
    left = 1.0 / (ROOT_TWO_PI * ratio)
    v = 1.0 / t
    w = v * v
    series = fma(w, fma(w, fma(w, fma(w, 8162.0, -706.0), 74.0), -10.0), 2.0)
    above = v * fma(-w, series, 1.0) if t > 60.0 else left - t
    m = right if x > 0.0 else left
    return m, m * (m + t if x > 0.0 else above)


@formula
def log_tails(y: float, loc: float, scale: float, shape: float) -> tuple[float, float]:
    """Return log P(Y <= y) and log P(Y > y).

    For shape a >= 0 (else mirrored), with t = |z|, w = sqrt(1 + a**2) and R(t) = exp(t**2 / 2) Phi(-t), the lower
    tail at -t is

        L = 2 / (sqrt(2 pi) w) exp(-w**2 t**2 / 2) integral of exp(-w t u - u**2 / 2) R(a t + a u / w) over u >= 0

    and the upper tail at t is 2 Phi(-t) - L, at least half of 2 Phi(-t); the lower one there is
    Phi(t) - Phi(-t) + L. Where Owen's function T would be subtracted from Phi, nothing is.
    """
    z, _ = standardised(y, loc, scale)
    a = abs(shape)
    z = -z if shape < 0.0 else z
    t = abs(z)
    t = t if t < MOST else MOST
    steep = a > 1e8
    w = a if steep else sqrt(fma(a, a, 1.0))
    far, half = a * t, 0.5 * t * t
    far = far if far < MOST else MOST
    q = w * t
    part = tail_integral(q if q < MOST else MOST, far, 1.0 if steep else a / w) * (2.0 / ROOT_TWO_PI) / w
    bend = 0.5 * far * far
    log_low = log(part) - bend - half
    ratio = scaled_tail(t)
    log_high = log(2.0 * ratio - exp(-bend) * part) - half
    low = 2.0 * central(t) + exp(-bend) * (exp(-half) * part)
    left = z < 0.0
    first = log_low if left else log(low)
    second = log_one_minus_exp(-log_low if log_low < 0.0 else 0.0, 0.0) if left else log_high
    first = log_one_minus_exp(-log_high, 0.0) if (z > 1.0) & (log_high < 0.0) else first
    second = log1p(-low) if (z >= 0.0) & (low < 0.5) else second
    mirrored = shape < 0.0
    return (second if mirrored else first), (first if mirrored else second)


class SkewNormal(Family):
    """SkewNormal(loc m, scale s, shape a) on the real line.

    The loss of a row, in nats, with z = (y - m) / s and Phi the standard normal distribution function:

        loss = z**2 / 2 + log(2 pi) / 2 - log(2) + log(s) - log(Phi(a z))

    With d = a / sqrt(1 + a**2): mean m + s d sqrt(2 / pi), variance s**2 (1 - 2 d**2 / pi). At a = 0 the Normal,
    where the information on loc and shape is singular.

    Parameters
    ----------
    loc : m, in the unit of y.
    scale : s > 0, in the unit of y.
    shape : a, no unit; above 0 the right tail is the longer one.

    Source: A. Azzalini, A Class of Distributions Which Includes the Normal Ones, Scandinavian Journal of
    Statistics 12 (1985), section 2.

    Examples
    --------
    >>> import nll
    >>> round(nll.score(0.0, nll.SkewNormal(loc=0.0, scale=1.0, shape=3.0)).sum, 12)
    0.918938533205
    """

    loc: Real
    scale: Positive
    shape: Real
    observations = Real
    support = Real

    def loss(y, loc, scale, shape):
        z, small = standardised(y, loc, scale)
        z = z if abs(z) < MOST else (MOST if z > 0.0 else -MOST)
        x, rest = argument(z, small, shape)
        half_square, lost = two_product(0.5 * z, z)
        lost = fma(z, small, lost) if half_square < np.inf else 0.0
        return half_square - log_ndtr_pair(x, rest)[0] + (log(scale) + LOG_ROOT_HALF_PI + lost)

    def gradient(y, loc, scale, shape):
        z = (y - loc) / scale
        m, _ = hazard(shape * z)
        slope = fma(-shape, m, z)
        return -slope / scale, fma(-z, slope, 1.0) / scale, -z * m

    def hessian(y, loc, scale, shape):
        z = (y - loc) / scale
        x = shape * z
        m, bend = hazard(x)
        slope, curve = fma(-shape, m, z), fma(shape * shape, bend, 1.0)
        width = 1.0 / scale / scale
        lean = fma(-x, bend, m) / scale
        loc_scale = fma(z, curve, slope)
        scale_scale = fma(z, loc_scale + slope, -1.0)
        return curve * width, loc_scale * width, lean, scale_scale * width, z * lean, z * z * bend

    def flow(y, loc, scale, shape):
        # The derivative of Owen's T in its second argument: D. B. Owen, Tables for Computing Bivariate Normal
        # Probabilities (1956), equation 2.1.
        z = (y - loc) / scale
        m, _ = hazard(shape * z)
        return 1.0, z, scale * m / fma(shape, shape, 1.0)

    def flow_gradient(y, loc, scale, shape):
        z = (y - loc) / scale
        m, bend = hazard(shape * z)
        square = fma(shape, shape, 1.0)
        by_shape = scale / square * fma(-z, bend, -2.0 * shape * m / square)
        return 0.0, 0.0, 0.0, -z / scale, 0.0, by_shape

    def log_cdf(y, loc, scale, shape):
        return log_tails(y, loc, scale, shape)[0]

    def log_sf(y, loc, scale, shape):
        return log_tails(y, loc, scale, shape)[1]

    def start(moments: Moments) -> tuple[float, float, float]:
        """Return a moderate lean to the side on which the mean lies of the median."""
        side = -1.0 if moments.mean < moments.median else 1.0
        scale = (moments.variance / (1.0 - 1.0 / np.pi)) ** 0.5  # shape 1: d**2 = 1 / 2
        return moments.mean - side * scale / np.pi**0.5, scale, side

    def mean(loc: Any, scale: Any, shape: Any) -> Any:
        return loc + scale * (shape / np.hypot(1.0, shape)) * np.sqrt(2.0 / np.pi)

    def variance(loc: Any, scale: Any, shape: Any) -> Any:
        d = shape / np.hypot(1.0, shape)
        return scale * scale * (1.0 - 2.0 / np.pi * d * d)

    def sample(rng: np.random.Generator, size: Any, loc: Any, scale: Any, shape: Any) -> Any:
        d = shape / np.hypot(1.0, shape)
        z = d * np.abs(rng.standard_normal(size)) + rng.standard_normal(size) / np.hypot(1.0, shape)
        return loc + scale * z

    def scipy(loc: Any, scale: Any, shape: Any) -> tuple[str, dict[str, Any]]:
        return "skewnorm", {"loc": loc, "scale": scale, "a": shape}
