"""The von Mises distribution: directions and times of day around a mean one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.families.constraints import Constraint, NonNegative
from nll.families.family import Family, Moments
from nll.numerics.bessel import bessel_ratio, half_angle, log_i0_scaled
from nll.numerics.bits import fma
from nll.numerics.formula import formula
from nll.numerics.pairs import two_product

LOG_TWO_PI = 1.8378770664093456
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


class VonMises(Family):
    """VonMises(loc m, concentration k) on the circle.

    The loss of a row, in nats, with the modified Bessel function I0:

        loss = log(2 pi I0(k)) - k cos(y - m)

    computed as log(2 pi I0(k) e**-k) + 2 k sin((y - m) / 2)**2.

    y and y + 2 pi are the same direction: angles may be counted from -pi or from 0. Degrees are refused.

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

    def start(moments: Moments) -> tuple[float, float]:
        return math.remainder(moments.mean, math.tau), 1.0 / moments.variance

    def mean(loc: Any, concentration: Any) -> Any:
        return loc + 0.0 * concentration

    def sample(rng: np.random.Generator, shape: Any, loc: Any, concentration: Any) -> Any:
        return rng.vonmises(loc, concentration, shape)

    def scipy(loc: Any, concentration: Any) -> tuple[str, dict[str, Any]]:
        return "vonmises", {"loc": loc, "kappa": concentration}
