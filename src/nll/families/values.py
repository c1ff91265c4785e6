"""What an instance can say of itself: log densities, tails, quantiles, samples, moments, as arrays.

On a class a formula is the formula, `Normal.log_sf`; on an instance it is its values, `Normal(0, 1).log_sf(y)`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.families.inversion import inverted
from nll.numerics.arrays import doubles
from nll.numerics.elementary import log, log1p
from nll.numerics.formula import formula, quiet
from nll.numerics.tails import log_one_minus_exp

if TYPE_CHECKING:
    from nll.families.family import Family

Array = npt.NDArray[Any]
Apply = Callable[[Callable[..., Any], list[Array]], Array]


class OnInstance:
    """A formula that is itself on the class and evaluated on an instance."""

    def __init__(self, name: str, function: Callable[..., Any] | None = None) -> None:
        self.name, self.function = name, function

    def __get__(self, instance: Family | None, owner: type[Family]) -> Any:
        return self.function if instance is None else partial(_METHODS[self.name], instance)


def plain_apply(function: Callable[..., Any], columns: list[Array]) -> Array:
    """Return function(*row) of each row, running it as plain Python."""
    with quiet():
        return np.array([function(*map(np.float64, row)) for row in zip(*columns, strict=True)], np.float64)


_apply: list[Apply] = [plain_apply]


def use(apply: Apply) -> None:
    """Take another way to apply a formula to columns; the kernels bring one that compiles for many rows."""
    _apply[0] = apply


def plain(values: Array) -> Any:
    """Return an array as it is, a single value as a Python float."""
    return values if np.ndim(values) else float(values)


def mapped(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return the values of a formula at arrays that broadcast against each other."""
    arrays = np.broadcast_arrays(*(doubles(a, "an argument") for a in arguments))
    values = _apply[0](function, [np.ascontiguousarray(a).reshape(-1) for a in arrays])
    return plain(values.reshape(arrays[0].shape))


def numbers(dist: Family) -> list[Array]:
    """Return the parameters of an instance as arrays; refuse names of columns and values that are not valid."""
    found: list[Array] = []
    for name, constraint in dist.parameters.items():
        value = dist.theta[name]
        if isinstance(value, str) or (isinstance(value, (list, tuple)) and any(isinstance(v, str) for v in value)):
            raise UsageError(f"{name}={value!r} names a column: values need numbers")
        array = doubles(value, name)
        wrong = ~_meets(constraint, array)
        if wrong.any():
            first = float(array[wrong].reshape(-1)[0])
            raise DataError(f"{name} must be {constraint.words} for {dist.family.__name__}; got {first!r}")
        found.append(array)
    if dist.consistent is not None:
        _agree(dist, found)
    return found


def _agree(dist: Family, theta: list[Array]) -> None:
    """Refuse parameters that are valid each and not together."""
    assert dist.consistent is not None
    columns = np.broadcast_arrays(*theta)
    with quiet():
        agree = [bool(dist.consistent(*map(np.float64, row))) for row in zip(*(c.flat for c in columns), strict=True)]
    wrong = ~np.array(agree, bool).reshape(columns[0].shape)
    if wrong.any():
        rows = [np.broadcast_to(t, wrong.shape)[wrong].reshape(-1)[0] for t in theta]
        values = ", ".join(f"{k}={float(v)!r}" for k, v in zip(dist.parameters, rows, strict=True))
        raise DataError(f"{dist.together} for {dist.family.__name__}; got {values}")


def _meets(constraint: Any, array: Array) -> Array:
    with quiet():
        return np.vectorize(lambda x: bool(constraint.contains(np.float64(x))), otypes=[bool])(array)


def real(name: str, values: Any) -> Array:
    """Return values as an array of doubles."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name} must be a number, or an array of numbers; got {values!r:.80}") from None


def log_prob(dist: Family, y: Any) -> Any:
    """Return log p(y), in nats: -inf where y is impossible."""
    if dist.event:
        raise UsageError(f"{dist.family.__name__} observes rows: -nll.rows(y, dist) gives their log densities")
    theta = numbers(dist)
    y = real("y", y)
    wrong = ~_meets(dist.observations, y)
    if wrong.any():
        raise DataError(f"y must be {dist.observations.words}; got {float(y[wrong].reshape(-1)[0])!r}")
    assert dist.loss is not None
    return mapped(_within(type(dist)), y, *theta)


@cache
def _within(form: type[Family]) -> Callable[..., float]:
    """Return the formula of the log density, -inf off the support."""
    loss, inside, contains = form.loss, form.inside, form.support.contains
    assert loss is not None

    @formula
    def log_density(y, *theta):
        return -loss(y, *theta) if contains(y) else -np.inf

    if inside is None:
        return log_density

    @formula
    def log_density_inside(y, *theta):
        return -loss(y, *theta) if inside(y, *theta) else -np.inf

    return log_density_inside


def ends(dist: Family, theta: list[Array]) -> tuple[Array, Array]:
    """Return the ends of the support, as arrays or numbers."""
    if dist.ends is None:
        return np.array(dist.support.low), np.array(dist.support.high)
    with quiet():
        columns = np.broadcast_arrays(*theta)
        rows = [dist.ends(*map(np.float64, row)) for row in zip(*(c.flat for c in columns), strict=True)]
    shape = np.broadcast_shapes(*(t.shape for t in theta))
    return tuple(np.array(side, np.float64).reshape(shape) for side in zip(*rows, strict=True))  # type: ignore[return-value]


def _tail(dist: Family, name: str, y: Any, at_low: float, at_high: float) -> Any:
    function = getattr(type(dist), name)
    if function is None:
        raise UsageError(f"{dist.signature()} has no {name} yet")
    theta = numbers(dist)
    y = real("y", y)
    if np.isnan(y).any():
        raise DataError(f"{name} needs numbers; got NaN")
    y = np.floor(y) if dist.discrete else y
    low, high = ends(dist, theta)
    below = y < low if dist.discrete else y <= low  # a single point has no mass under a density
    inner = np.where(below | (y >= high), np.clip(0.0, low, high) if dist.discrete else _some(low, high), y)
    values = mapped(function, inner, *theta)
    return plain(np.where(below, at_low, np.where(y >= high, at_high, values)))


def _some(low: Any, high: Any) -> Any:
    """Return a number between the ends of a support, for rows whose value is not used."""
    low, high = np.maximum(low, -1e300), np.minimum(high, 1e300)
    return low / 2.0 + high / 2.0


def log_cdf(dist: Family, y: Any) -> Any:
    """Return log P(Y <= y)."""
    return _tail(dist, "log_cdf", y, -np.inf, 0.0)


def log_sf(dist: Family, y: Any) -> Any:
    """Return log P(Y > y)."""
    return _tail(dist, "log_sf", y, 0.0, -np.inf)


@formula
def log_difference(larger: float, smaller: float) -> float:
    """Return log(e**larger - e**smaller); -inf where they are equal."""
    return larger + log_one_minus_exp(larger - smaller, 0.0) if larger > smaller else -np.inf


def log_interval(dist: Family, low: Any, high: Any) -> Any:
    """Return log P(low < Y <= high), by the tail in which nothing is lost."""
    lower_low, lower_high = log_cdf(dist, low), log_cdf(dist, high)
    upper_low, upper_high = log_sf(dist, low), log_sf(dist, high)
    upper = upper_low < lower_high
    return mapped(log_difference, np.where(upper, upper_low, lower_high), np.where(upper, upper_high, lower_low))


def quantile(dist: Family, p: Any, *, upper: bool = False, log_scale: bool = False) -> Any:
    """Return the smallest y with P(Y <= y) >= p; with `upper`, that with P(Y > y) <= p; p may be given as its log."""
    p = real("p", p)
    if not ((p <= 0.0) if log_scale else (p >= 0.0) & (p <= 1.0)).all():
        raise DataError("a probability is in [0, 1], and its log at most 0")
    own = p if log_scale else mapped(log, p)
    other = mapped(log_difference, np.zeros_like(own), own) if log_scale else mapped(log1p, -p)
    log_p, log_q = (other, own) if upper else (own, other)
    theta = numbers(dist)
    closed = type(dist).quantile
    if closed is not None:
        return mapped(closed, log_p, log_q, *theta)
    shape = np.broadcast_shapes(np.shape(p), *(t.shape for t in theta))
    flat = [np.broadcast_to(a, shape).reshape(-1) for a in (log_p, log_q, *ends(dist, theta), *theta)]
    cdf, sf = type(dist).log_cdf, type(dist).log_sf
    if cdf is None or sf is None:
        raise UsageError(f"{dist.signature()} has no quantiles yet")
    low, high = flat[2], flat[3]

    def tail(function: Any, at_low: float, at_high: float) -> Callable[[Array], Array]:
        def values(y: Array) -> Array:
            found = mapped(function, np.clip(y, low, high), *flat[4:])
            below = y < low if dist.discrete else y <= low
            return np.where(below, at_low, np.where(y >= high, at_high, found))

        return values

    y = inverted(tail(cdf, -np.inf, 0.0), tail(sf, 0.0, -np.inf), flat[0], flat[1], low, high, dist.discrete)
    y = np.where(flat[0] == -np.inf, low, np.where(flat[1] == -np.inf, high, y))
    return plain(y.reshape(shape))


def sample(dist: Family, n: int, rng: Any = None) -> Array:
    """Return n random observations (n, ...): of each parameter, where those are arrays.

    Parameters
    ----------
    n : how many.
    rng : a NumPy Generator, or a seed.
    """
    if not isinstance(n, int | np.integer) or n < 0:
        raise UsageError(f"sample(n) draws n observations, a whole number of at least 0; got {n!r}")
    rng = np.random.default_rng(rng)
    theta = numbers(dist)
    own = type(dist).sample
    if dist.event:
        if own is None:
            raise UsageError(f"{dist.signature()} has no samples yet")
        with quiet():
            return np.asarray(own(rng, (n,), *theta), np.float64)
    shape = (n, *np.broadcast_shapes(*(t.shape for t in theta)))
    if own is not None:
        with quiet():
            return np.asarray(own(rng, shape, *theta), np.float64)
    u = rng.random(shape)
    half = rng.random(shape) < 0.5  # a uniform number has 53 bits near 0 only: draw the tail, then the place in it
    lower = quantile(dist, 0.5 * np.where(u == 0.0, 0.5, u))
    higher = quantile(dist, 0.5 * np.where(u == 0.0, 0.5, u), upper=True)
    return np.where(half, lower, higher)


def _moment(name: str) -> Callable[[Family], Any]:
    def value(dist: Family) -> Any:
        function = getattr(type(dist), name)
        if function is None:
            raise UsageError(f"{dist.signature()} has no closed form of its {name}")
        with quiet():
            return plain(np.asarray(function(*numbers(dist)), np.float64))

    value.__doc__ = f"Return the {name} of the distribution."
    return value


def kl(dist: Family, other: Family) -> Any:
    """Return the divergence of `other` from `dist`, E log(p / q) under p, in nats."""
    form = type(dist)
    if not isinstance(other, type(dist).family):
        raise UsageError(f"{dist!r} and {other!r} have no closed divergence; nll.kl(p, q) integrates it")
    if form.kl is None:
        raise UsageError(f"{form.family.__name__} has no closed divergence; nll.kl(p, q) integrates it")
    with quiet():
        theta = [each.shared(*numbers(each)) if each.shared else tuple(numbers(each)) for each in (dist, other)]
        return plain(np.asarray(form.kl(*theta), np.float64))


_METHODS: dict[str, Callable[..., Any]] = {
    "log_cdf": log_cdf,
    "log_sf": log_sf,
    "quantile": quantile,
    "sample": sample,
    "mean": _moment("mean"),
    "variance": _moment("variance"),
    "entropy": _moment("entropy"),
    "kl": kl,
}
