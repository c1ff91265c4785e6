"""The half-Cauchy distribution: the size of a Cauchy error, a common prior of a scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.cauchy import INVERSE_PI, LN2, LOG_PI, REMOTE, angles, lorentz_loss, lorentz_slopes
from nll.families.constraints import NonNegative, Positive
from nll.families.family import Family, Moments
from nll.families.weibull import log_ratio
from nll.numerics.elementary import log, log1p

LOG_HALF_PI, LOG_HALF_PI_LOW = 0.4515827052894549, -1.2924516975755169e-17


class HalfCauchy(Family):
    """HalfCauchy(scale s) on y >= 0.

    The loss of a row, in nats:

        loss = log(1 + (y / s)**2) + log(pi s / 2)

    Median s; no mean, no variance: both are infinite.

    Parameters
    ----------
    scale : s > 0, in the unit of y.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 1, 2nd edition
    (1994), chapter 16, of |y|.

    Examples
    --------
    >>> import nll
    >>> nll.score(0.0, nll.HalfCauchy(scale=1.0)).sum
    0.4515827052894549
    """

    scale: Positive
    support = NonNegative

    def loss(y, scale):
        return lorentz_loss(y, 0.0, scale, LOG_HALF_PI, LOG_HALF_PI_LOW)

    def gradient(y, scale):
        return (lorentz_slopes(y, 0.0, scale)[1],)

    def hessian(y, scale):
        return (lorentz_slopes(y, 0.0, scale)[4],)

    def flow(y, scale):
        return (y / scale,)

    def flow_gradient(y, scale):
        return (-y / scale / scale,)

    def log_cdf(y, scale):
        z = y / scale
        inner, outer = angles(z)
        share = outer if z < REMOTE else 1.0 / z
        near = log(2.0 * INVERSE_PI * inner) if z > 1.0 / REMOTE else log_ratio(y, scale)[0] - LOG_HALF_PI
        return near if z < 1.0 else log1p(-2.0 * INVERSE_PI * share)

    def log_sf(y, scale):
        z = y / scale
        inner, outer = angles(z)
        remote = -(log_ratio(y, scale)[0] + LOG_HALF_PI)
        far = log(2.0 * INVERSE_PI * outer) if z < REMOTE else remote
        return log1p(-2.0 * INVERSE_PI * inner) if z < 1.0 else far

    def sample(rng: np.random.Generator, shape: tuple[int, ...], scale: Any) -> Any:
        return scale * np.abs(rng.standard_cauchy(shape))

    def mean(scale: Any) -> Any:
        return np.inf * scale

    def variance(scale: Any) -> Any:
        return np.inf * scale

    def entropy(scale: Any) -> Any:
        return np.log(scale) + (LOG_PI + LN2)

    def scipy(scale: Any) -> tuple[str, dict[str, Any]]:
        return "halfcauchy", {"scale": scale}

    def start(moments: Moments) -> tuple[float]:
        return (moments.median,)
