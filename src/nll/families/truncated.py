"""A distribution of which only what lies between two bounds is ever seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from nll.errors import DataError, UsageError
from nll.families.combined import Combinator, Combined, part_of, short
from nll.families.constraints import Bound, Constraint
from nll.families.family import Family, Moments
from nll.families.intervals import log_mass, log_mass_gradient, log_mass_hessian
from nll.families.parts import INF, Parts, ends_of, joined, sample_of, supported
from nll.families.tracing import Value, Write, where
from nll.families.values import mapped, numbers, plain
from nll.numerics.bits import floor
from nll.numerics.elementary import exp
from nll.numerics.formula import quiet

NAN = float("nan")
ROUNDS = 20  # of rejection


class _Truncated(Combinator):
    """What a distribution is, given that low <= y <= high, both included: Truncated(Poisson, low=1)(rate).

    loss = loss of the part + log P(low <= Y <= high), which is a sum over counts and an integral otherwise. The
    bounds are parameters, `low` and `high`, known and never fitted: numbers, one each row, or names of columns.

    Parameters
    ----------
    part : a family, or a distribution of one.
    low, high : the bounds; without one, there is none. With a family they are what `low` and `high` are by default.

    Returns
    -------
    Of a family, a family whose parameters are its own and low, high; of a distribution, a distribution.

    Raises
    ------
    UsageError : a part without tails, or bounds of a family that are no numbers.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 1, 2nd edition
    (1994), chapter 12, section 2.

    Examples
    --------
    >>> import nll
    >>> seen = nll.Truncated(nll.Poisson(rate=2.0), low=1)
    >>> seen, round(seen.prob(1), 12)
    (Truncated(Poisson(rate=2.0), low=1), 0.313035285499)
    >>> nll.Truncated(nll.Poisson, low=1)(rate=2.0).theta
    {'rate': 2.0, 'low': 1.0, 'high': inf}
    """

    name = "Truncated"

    def __call__(self, part: Any, low: Any = None, high: Any = None) -> Any:
        part = part_of(part, self.name)
        if isinstance(part, Family):
            bounds = {"low": -INF if low is None else low, "high": INF if high is None else high}
            return self.instance([part], bounds)
        return self.form([part], _bounds(low, high))

    def options_data(self, options: tuple[Any, ...]) -> dict[str, Any]:
        return {name: value for name, value in options if math.isfinite(value)}

    def options_of(self, saved: Mapping[str, Any]) -> tuple[Any, ...]:
        if set(saved) - {"low", "high"}:
            raise DataError("Truncated has the options low and high")
        return _bounds(saved.get("low"), saved.get("high"))

    def title(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> str:
        bounds = "".join(f", {name}={value:g}" for name, value in options)
        return f"Truncated({parts[0].family.__name__}{bounds})"

    def shown(self, dist: Combined) -> str:
        bounds = [(k, v) for k, v in dist.own().items() if not (isinstance(v, float) and math.isinf(v))]
        return f"Truncated({dist.components()[0]!r}{''.join(f', {k}={short(v)}' for k, v in bounds)})"

    def check(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> None:
        if len(parts) != 1:
            raise UsageError(f"Truncated has one part; got {len(parts)}")
        if parts[0].log_cdf is None or parts[0].log_sf is None:
            raise UsageError(f"{parts[0].signature()} has no tails yet, from which a truncation is made")
        if parts[0].mixed:
            raise UsageError(f"{parts[0].family.__name__} has points of their own probability: truncate its part")

    def own_parameters(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> dict[str, type[Constraint]]:
        return {"low": Bound, "high": Bound}

    def contents(self, made: Parts) -> dict[str, Any]:
        (form,) = made.forms
        given = dict(made.options)
        low_name, high_name = made.layout.own
        second = made.have("gradient", "hessian")
        inner = made.layout.own and {
            "observations": form.observations,
            "support": form.support,
            "defaults": {low_name: given.get("low", -INF), high_name: given.get("high", INF)} if given else {},
            "loss": made.formula("loss", _loss(form)),
            "gradient": made.formula("gradient", _gradient(form)) if made.have("gradient") else None,
            "hessian": made.formula("hessian", _hessian(form)) if second else None,
            "inside": made.formula("inside", _inside(form)),
            "ends": made.of_theta("ends", _ends(form)),
            "log_cdf": made.formula("log_cdf", _tail(form, upper=False)),
            "log_sf": made.formula("log_sf", _tail(form, upper=True)),
            "sample": made.sampler(_sample(form)),
            "log_prob": _log_prob,
        }
        if form.start is not None:
            inner["start"] = _start(form, given)
        return {**inner, **_ordered(made)}


def _bounds(low: Any, high: Any) -> tuple[Any, ...]:
    """Return the bounds of a family, as they stand in its description."""
    found = []
    for name, value in (("low", low), ("high", high)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
            raise UsageError(f"{name} of a truncated family is a number; got {str(value)[:40]!r}")
        found.append((name, float(value)))
    if len(found) == 2 and not found[0][1] <= found[1][1]:
        raise UsageError(f"low must not be above high; got low={low!r}, high={high!r}")
    return tuple(found)


def _ordered(made: Parts) -> dict[str, Any]:
    """Return the condition that low is below high, beside those of the part."""
    inner = joined(made)
    check, discrete = inner.get("consistent"), made.forms[0].observations.discrete

    def consistent(write: Write, pieces: list[list[Value]], own: list[Value]) -> Value:
        low, high = own
        good = low <= high if discrete else low < high
        return good if check is None else good & write(check, *(v for piece in pieces for v in piece), *own)

    words = f"{made.layout.own[0]} must {'not be above' if discrete else 'be below'} {made.layout.own[1]}"
    return {
        "together": f"{inner['together']} and {words}" if inner["together"] else words,
        "consistent": made.of_theta("consistent", consistent),
    }


def _before(write: Write, form: type[Family], low: Value) -> Value:
    """Write the bound below which nothing counts, which is not counted itself."""
    return -write(floor, -low) - 1.0 if form.observations.discrete else low


def between(write: Write, form: type[Family], low: Value, high: Value) -> tuple[Value, Value]:
    """Write the bounds as `log_mass` takes them: what lies above the first, up to the second."""
    return _before(write, form, low), high


def _loss(form: type[Family]) -> Any:
    def loss(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> Value:
        (theta,), (low, high) = pieces, own
        return write(form.loss, y, *theta) + write(log_mass(form), _before(write, form, low), high, *theta)

    return loss


def _gradient(form: type[Family]) -> Any:
    def gradient(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> list[Any]:
        (theta,), (low, high) = pieces, own
        before = _before(write, form, low)
        slopes = write.several(form.gradient, len(theta), y, *theta)
        rest = write.several(log_mass_gradient(form), len(theta), before, high, *theta)
        inner: list[Any] = [a + b for a, b in zip(slopes, rest, strict=True)]
        if form.observations.discrete:
            return [*inner, 0.0, 0.0]
        mass = write(log_mass(form), before, high, *theta)
        at_low, at_high = (_density(write, form, end, theta, mass) for end in (low, high))
        return [*inner, -at_low, at_high]

    return gradient


def _density(write: Write, form: type[Family], y: Value, theta: list[Value], mass: Value) -> Value:
    """Write the truncated density at a bound, 0 off the part's support."""
    low, high = ends_of(write, form, theta)
    inside = (y > low) & (y < high)
    at = where(inside, y, Value(write, write.name_of(0.0)))
    return where(inside, write(exp, -write(form.loss, at, *theta) - mass), 0.0)


def _hessian(form: type[Family]) -> Any:
    def hessian(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> list[Any]:
        (theta,), (low, high) = pieces, own
        size, before = len(theta), _before(write, form, low)
        count = size * (size + 1) // 2
        bends = write.several(form.hessian, count, y, *theta)
        rest = write.several(log_mass_hessian(form), count, before, high, *theta)
        inner = iter([a + b for a, b in zip(bends, rest, strict=True)])
        # Bounds are known: second derivatives in them would need the density's slope in y, and nothing uses them.
        none = 0.0 if form.observations.discrete else NAN
        found: list[Any] = []
        for j in range(size):
            found += [next(inner) for _ in range(j, size)] + [none, none]
        return [*found, none, none, none]

    return hessian


def _inside(form: type[Family]) -> Any:
    def inside(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> Value:
        (theta,), (low, high) = pieces, own
        between = (low <= y) & (y <= high)
        within = supported(write, form, y, theta)
        return between if within is None else between & within

    return inside


def _ends(form: type[Family]) -> Any:
    def ends(write: Write, pieces: list[list[Value]], own: list[Value]) -> list[Any]:
        (theta,), (low, high) = pieces, own
        first, last = (Value(write, write.name_of(end)) for end in ends_of(write, form, theta))
        if form.observations.discrete:
            low, high = -write(floor, -low), write(floor, high)
        return [where(low > first, low, first), where(high < last, high, last)]

    return ends


def _tail(form: type[Family], upper: bool) -> Any:
    def tail(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> Value:
        (theta,), (low, high) = pieces, own
        before = _before(write, form, low)
        ends = (y, high) if upper else (before, y)
        return write(log_mass(form), *ends, *theta) - write(log_mass(form), before, high, *theta)

    return tail


def _log_prob(self: Combined, y: Any) -> Any:
    """Return log p(y); the mass between the bounds is computed once for all y."""
    *theta, low, high = numbers(self)
    form = type(self).parts[0]
    y = np.asarray(y, np.float64)
    before = np.ceil(low) - 1.0 if form.observations.discrete else low
    mass = mapped(log_mass(form), before, high, *theta)
    with quiet():
        inside = np.asarray(self.components()[0].log_prob(y)) - mass
    return plain(np.where((low <= y) & (y <= high), inside, -INF))


def _sample(form: type[Family]) -> Any:
    """By rejection, as long as that is likely to end soon; then by inversion."""

    def sample(rng: np.random.Generator, shape: tuple[int, ...], pieces: list[list[Any]], own: list[Any]) -> Any:
        (theta,), (low, high) = pieces, own
        found = np.full(shape, NAN)
        missing = np.isnan(found)
        for _ in range(ROUNDS):
            drawn = sample_of(form, rng, shape, theta)
            found = np.where(np.isnan(found) & (low <= drawn) & (drawn <= high), drawn, found)
            missing = np.isnan(found)
            if not missing.any():
                return found
        places = np.nonzero(missing)
        rows = [np.broadcast_to(t, shape)[places] for t in (*theta, low, high)]
        left = dict(zip((*form.parameters, "low", "high"), rows, strict=True))
        bounds = left.pop("low"), left.pop("high")
        found[places] = _inverted(form(**left), *bounds, rng.random(missing.sum()))
        return found

    return sample


def _inverted(dist: Family, low: Any, high: Any, u: Any) -> Any:
    """Return the y between the bounds at shares u of the mass there, counted in the smaller tail."""
    before = np.ceil(low) - 1.0 if dist.discrete else low
    # Of all values the share u lies below y, and 1 - u above: P(Y > y) = S(before) - u mass, P(Y <= y) = F + u mass.
    with quiet():
        log_u, log_v = np.log(u), np.log1p(-u)
        lower = np.logaddexp(log_v + np.asarray(dist.log_cdf(before)), log_u + np.asarray(dist.log_cdf(high)))
        upper = np.logaddexp(log_v + np.asarray(dist.log_sf(before)), log_u + np.asarray(dist.log_sf(high)))
        right = upper < lower
        y = np.where(
            right,
            dist.quantile(np.minimum(np.where(right, upper, -1.0), 0.0), upper=True, log_scale=True),
            dist.quantile(np.minimum(np.where(right, -1.0, lower), 0.0), log_scale=True),
        )
    return np.clip(y, np.ceil(low) if dist.discrete else low, high)


def _start(form: type[Family], given: Mapping[str, float]) -> Any:
    bounds = (given.get("low", -INF), given.get("high", INF))

    def start(moments: Moments) -> tuple[float, ...]:
        return (*form.start(moments), *bounds)  # type: ignore[misc]

    return start


Truncated = _Truncated()
