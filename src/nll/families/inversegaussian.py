"""The inverse Gaussian distribution: how long a drifting particle takes to arrive."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real
from nll.families.family import Family, Moments
from nll.families.information import excess, scaled_integral
from nll.numerics.bits import fma, sqrt
from nll.numerics.elementary import exp, expm1, log
from nll.numerics.formula import formula
from nll.numerics.normal_parts import central, tail_fall
from nll.numerics.normal_tails import scaled_tail
from nll.numerics.pairs import two_product, two_sum
from nll.numerics.tails import log_one_minus_exp

TWO_PI = 6.283185307179586
BIG, SMALL = 2.0**500, 2.0**-500
DOWN, UP, LOG_UP = 2.0**-600, 2.0**600, 415.88830833596717  # 600 log 2
FEW, MANY = 1e-140, 1e140
LESS, MORE = 2.0**-100, 2.0**200


@formula
def within(x: float) -> tuple[float, float]:
    """Return (x', offset) with log(x) = log(x') + offset and x' in [2**-500, 2**500]."""
    low, high = x < SMALL, x > BIG
    return x * (UP if low else (DOWN if high else 1.0)), (-LOG_UP if low else (LOG_UP if high else 0.0))


@formula
def half_square(y: float, mean: float, shape: float) -> float:
    """Return shape (y - mean)**2 / (2 mean**2 y), though factors of it may leave the doubles.

    z = (y - mean) / mean carries its rounding errors, and so does shape / y.
    """
    difference, error = two_sum(y, -mean)
    z = difference / mean
    product, rest = two_product(z, mean)
    z_low = ((difference - product) - rest + error) / mean
    square, square_low = two_product(z, z)
    square_low = fma(2.0 * z, z_low, square_low)
    ratio = shape / y
    ratio_low = fma(-ratio, y, shape) / y
    value, value_low = two_product(ratio, square)
    value_low = fma(ratio, square_low, fma(ratio_low, square, value_low))
    size = abs(z)
    plain = (size < MANY) & (size > FEW) & (ratio < MANY) & (ratio > FEW)
    smaller, larger = (y if y < mean else mean), (mean if y < mean else y)
    t = sqrt(shape) * (sqrt(y) * LESS / smaller) * (difference / larger)
    return 0.5 * (value + value_low if plain else t * (t * MORE))


@formula
def log_tails(y: float, mean: float, shape: float) -> tuple[float, float]:
    """Return log P(Y <= y) and log P(Y > y), the smaller tail without cancellation.

    With r = sqrt(l / y), a = r (y - m) / m, b = a + 2 r and R(t) = exp(t**2 / 2) Phi(-t), exp(2 l / m) Phi(-b) is
    exp(-a**2 / 2) R(b), so that the tails are exp(-a**2 / 2) times R(-a) + R(b) below the mean, R(a) - R(b) above.
    Below it and for r < 1/2, where the upper tail may be small, that is (Phi(-a) - 1/2) + (Phi(b) - 1/2) less
    (exp(2 l / m) - 1) Phi(-b).
    """
    r = sqrt(shape) / sqrt(y)
    below = y < mean
    half = half_square(y, mean, shape)
    a, b = abs(r * ((y - mean) / mean)), r * (y / mean + 1.0)
    rise = expm1(2.0 * (shape / mean))
    spread = 2.0 * r if not below else 0.0
    ratio = scaled_tail(a) + scaled_tail(b) if below else tail_fall(a, spread)
    loose = below & (r < 0.5)
    upper = central(a) + central(b) - rise * (exp(-0.5 * b * b) * scaled_tail(b))
    small = log(upper) if loose else log(ratio) - half
    other = log_one_minus_exp(-small if small < 0.0 else 0.0, 0.0)
    lower = below & (r >= 0.5)
    return (small if lower else other), (other if lower else small)


class InverseGaussian(Family):
    """InverseGaussian(mean m, shape l) on y > 0.

    The loss of a row, in nats:

        loss = log(2 pi y**3 / l) / 2 + l (y - m)**2 / (2 m**2 y)

    Mean m, variance m**3 / l. Also called Wald's distribution.

    Parameters
    ----------
    mean : m > 0, in the unit of y.
    shape : l > 0, in the unit of y; the Normal as l / m grows.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 1, 2nd edition
    (1994), chapter 15.

    Examples
    --------
    >>> import nll
    >>> round(nll.score(1.0, nll.InverseGaussian(mean=1.0, shape=1.0)).sum, 12)
    0.918938533205
    """

    mean: Positive  # type: ignore  # and a moment of that name
    shape: Positive
    observations = Real
    support = Positive

    def loss(y, mean, shape):
        x, up = within(y)
        width, across = within(shape)
        logarithm = log(x * sqrt(TWO_PI * (x / width)))
        return half_square(y, mean, shape) + (logarithm + fma(1.5, up, -0.5 * across))

    def gradient(y, mean, shape):
        z = (y - mean) / mean
        return -shape / mean * (z / mean), 0.5 * (z * (z / y) - 1.0 / shape)

    def hessian(y, mean, shape):
        bend = shape / mean * (fma(3.0, y / mean, -2.0) / mean) / mean
        return bend, -((y - mean) / mean) / mean / mean, 0.5 / shape / shape

    def log_cdf(y, mean, shape):
        return log_tails(y, mean, shape)[0]

    def log_sf(y, mean, shape):
        return log_tails(y, mean, shape)[1]

    def start(moments: Moments) -> tuple[float, float]:
        spread = moments.inverse - 1.0 / moments.mean  # 1 / shape at the maximum of likelihood
        return moments.mean, 1.0 / spread if spread > 0.0 else moments.mean**3 / moments.variance

    def variance(mean: Any, shape: Any) -> Any:
        return mean * (mean / shape) * mean

    def sample(rng: np.random.Generator, shape_: Any, mean: Any, shape: Any) -> Any:
        return rng.wald(mean, shape, shape_)

    def scipy(mean: Any, shape: Any) -> tuple[str, dict[str, Any]]:
        return "invgauss", {"mu": mean / shape, "scale": shape}

    def mean(mean: Any, shape: Any) -> Any:
        return mean + 0.0 * shape

    def entropy(mean: Any, shape: Any) -> Any:
        # E log(y / m) = -e**(2 l / m) E1(2 l / m)
        level = 0.5 * (np.log(TWO_PI) + 1.0 + np.log(mean / shape)) + np.log(mean)
        return level - 1.5 * scaled_integral(2.0 * (shape / mean))

    def kl(theta: Any, other: Any) -> Any:
        (mean, shape), (other_mean, other_shape) = theta, other
        z = (mean - other_mean) / other_mean
        return 0.5 * (excess(other_shape / shape) + z * z * (other_shape / mean))
