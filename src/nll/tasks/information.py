"""Entropies and divergences of any two distributions, by quadrature where there is no closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.families.family import Family
from nll.families.values import ends, numbers
from nll.tasks.quadrature import Density, integrate, modes

Array = npt.NDArray[Any]

GOAL = 1e-10  # the error at which the quadrature is content, relative where the value is above 1
REFUSED = 1e-6  # an error above it is reported, not returned
MOST_EVALUATIONS = 40_000
UNDERFLOW = -700.0
UNBOUNDED = 100.0  # a log density
BOUNDLESS = 1e120  # nats: an integral that goes on to where doubles end


def entropy(p: Family) -> float:
    """Return the entropy of a distribution, E log(1 / p), in nats.

    Parameters
    ----------
    p : a distribution of one number, whose parameters are numbers.

    Examples
    --------
    >>> import nll
    >>> round(nll.entropy(nll.Normal(loc=0.0, scale=1.0)), 9)
    1.418938533
    """
    _need_distribution(p)
    if type(p).entropy is not None:
        return float(p.entropy())
    peak = max([float(log_prob(p)(np.array([x]))[0]) for x in places(p)], default=0.0)
    if not peak < UNBOUNDED:
        raise DataError(f"the density of {p!r} seems unbounded; its entropy is not integrated")
    level = peak + 1.0  # log(1 / p) is above -level

    def value(y: Array) -> tuple[Array, Array]:
        logs = log_prob(p)(y)
        return logs, level - logs

    return math.fsum(mean_parts(p, value, places(p))) - level


def cross_entropy(p: Family, q: Family) -> float:
    """Return the mean loss of q on what p generates, E log(1 / q) under p, in nats.

    It is infinite where p has mass that q has not.

    Parameters
    ----------
    p, q : distributions of one number, whose parameters are numbers, both discrete or both not.

    Examples
    --------
    >>> import nll
    >>> round(nll.cross_entropy(nll.Normal(0.0, 1.0), nll.Normal(1.0, 1.0)), 9)
    1.918938533
    """
    alike(p, q)
    return kl(p, q) + entropy(p)


def kl(p: Family, q: Family) -> float:
    """Return the divergence of q from p, E log(p / q) under p, in nats: closed within a family, else by quadrature.

    It is infinite where p has mass that q has not.

    Parameters
    ----------
    p, q : distributions of one number, whose parameters are numbers, both discrete or both not.

    Raises
    ------
    DataError : the quadrature does not reach an error of 1e-6.

    Source: T. M. Cover and J. A. Thomas, Elements of Information Theory, 2nd edition (2006), equations (2.26), (8.46).

    Examples
    --------
    >>> import nll
    >>> round(nll.kl(nll.Normal(0.0, 1.0), nll.Laplace(0.0, 1.0)), 9)
    0.072093208
    """
    alike(p, q)
    if p.family is q.family and type(p).kl is not None:
        try:
            return float(p.kl(q))
        except UsageError:  # no closed form for these parameters
            pass
    low, high = limits(p)

    def value(y: Array) -> tuple[Array, Array]:
        log_p, log_q = log_prob(p)(y), log_prob(q)(y)
        with np.errstate(all="ignore"):
            d = log_q - log_p
            # p (e**d - 1 - d), of which nothing cancels; q where p is tiny beside it
            small = np.abs(d) < 1e-4
            near = 0.5 * d * d * (1.0 + d / 3.0 + d * d / 12.0)
            far = np.where(d < 600.0, np.expm1(np.minimum(d, 600.0)) - d, 1.0)
            gone = (log_p < UNDERFLOW) & ~(d >= 600.0)  # log q may be -inf there, beyond all doubles as p is
            return np.where(d < 600.0, log_p, log_q), np.where(gone, 0.0, np.where(small, near, far))

    parts = mean_parts(p, value, [*places(p), *places(q)])
    return max(math.fsum([*parts, outside(q, low, high)]), 0.0)


def outside(q: Family, low: float, high: float) -> float:
    """Return the mass that q has below `low` and above `high`, beyond what another distribution may be."""
    below, above = limits(q)
    mass = 0.0
    if below < low:
        mass += float(q.cdf(low - 1.0 if q.discrete else low))
    if high < above:
        mass += float(q.sf(high))
    return mass


def _need_distribution(dist: object) -> None:
    if not isinstance(dist, Family):
        raise UsageError(f"a distribution such as nll.Normal(loc=0, scale=1) is needed; got {dist!r:.200}")


def alike(p: Family, q: Family) -> None:
    """Refuse distributions that are not of the same kind of numbers."""
    for dist in (p, q):
        _need_distribution(dist)
    if p.discrete != q.discrete or p.event or q.event:
        raise UsageError(f"{p!r} and {q!r} are not both of whole numbers or both of real ones")


def log_prob(dist: Family) -> Any:
    """Return the log density as a function of arrays; -inf where its observations are none."""

    def values(y: Array) -> Array:
        contains = dist.observations.contains
        allowed = np.array([bool(contains(x)) for x in y.astype(np.float64)])
        found = np.full(y.shape, -np.inf)
        if allowed.any():
            found[allowed] = np.asarray(dist.log_prob(y[allowed]), np.float64)
        return found

    return values


def places(dist: Family) -> list[float]:
    """Return the ends of a density, its modes, and `loc`, where it may have a kink."""
    low, high = limits(dist)
    named = [float(v) for name, v in dist.theta.items() if name == "loc"]
    found = modes(Density(log_prob(dist), low, high, dist.discrete))
    return [x for x in (low, high, *named, *found) if abs(x) < math.inf]


def limits(dist: Family) -> tuple[float, float]:
    """Return the ends of the support."""
    theta = numbers(dist)
    if any(np.ndim(t) for t in theta):
        raise UsageError(f"the parameters of {dist!r} must be numbers: one distribution, not one a row")
    low, high = (float(end) for end in ends(dist, theta))
    return low, high


def mean_parts(p: Family, value: Any, anchors: list[float]) -> list[float]:
    """Return the integrals over the support of p of the positive and the negative part of weight times amount.

    `value(y)` returns the logarithm of the weight, and the amount.
    """
    low, high = limits(p)
    inner = sorted({math.floor(x) if p.discrete else x for x in anchors if low < x < high})
    parts, endless = [], [False]
    for sign in (1.0, -1.0):

        def weighted(y: Array, sign: float = sign) -> Array:
            logs, amount = value(y)
            with np.errstate(all="ignore"):
                amount = np.where(logs > -np.inf, sign * amount, 0.0)
                endless[0] = endless[0] or bool((amount == np.inf).any())
                kept = (amount > 0.0) & (amount < np.inf)
                return np.where(kept, logs + np.log(np.where(kept, amount, 1.0)), -np.inf)

        found = integrate(Density(weighted, low, high, p.discrete), inner, GOAL, MOST_EVALUATIONS)
        if found.value > BOUNDLESS or endless[0]:  # mass where the other density has none
            return [sign * math.inf]
        if not found.error < REFUSED * max(1.0, found.value):
            raise DataError(f"the integral over {p!r} is known to {found.error:.1g} only")
        parts.append(sign * found.value)
    return parts
