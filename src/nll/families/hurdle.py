"""A zero first, or else something positive: counts, amounts of rain, claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nll.errors import UsageError
from nll.families.combined import Combinator, part_of
from nll.families.constraints import Constraint, Probability
from nll.families.family import Family, Moments
from nll.families.intervals import log_mass, log_mass_gradient, log_mass_hessian
from nll.families.masses import Between, of_masses
from nll.families.parts import INF, Parts, ends_of, loss_of, sample_of, supported, tails_of
from nll.families.tracing import Value, Write, where
from nll.families.values import log_difference
from nll.families.zeroinflated import inflated
from nll.numerics.elementary import exp, expm1, log, log1p, logaddexp
from nll.numerics.formula import quiet
from nll.numerics.tails import log_one_minus_exp

LN2 = 0.6931471805599453
ROUNDS = 20  # of draws, in which a positive one is waited for
BELOW_ZERO = -5e-324  # the end of a support in which 0 has a probability of its own


class _Hurdle(Combinator):
    """0 with probability `gate`, otherwise positive, as the part is where it is positive: Hurdle(Gamma)(..., gate).

    P(0) = gate, and p(y) = (1 - gate) p_part(y) / P_part(Y > 0) for y > 0. With a continuous part the loss at 0 is
    that of a probability and elsewhere that of a density: `mixed` is true, and only such families compare with it.

    Parameters
    ----------
    part : a family, or a distribution of one.
    gate : with a distribution: the probability of 0; a number, an array or the name of a column.

    Returns
    -------
    Of a family, a family whose parameters are its own and `gate`; of a distribution, a distribution.

    Raises
    ------
    UsageError : gate goes with a family, or the part has points of their own probability already.

    Source: J. Mullahy, Specification and Testing of Some Modified Count Data Models (1986), section 2.

    Examples
    --------
    >>> import nll
    >>> rain = nll.Hurdle(nll.Gamma(concentration=1.0, rate=0.5), gate=0.6)
    >>> round(rain.sf(0), 12), round(rain.cdf(0), 12)
    (0.4, 0.6)
    """

    name = "Hurdle"

    def __call__(self, part: Any, gate: Any = None) -> Any:
        part = part_of(part, self.name)
        if isinstance(part, Family):
            return self.instance([part], {} if gate is None else {"gate": gate})
        if gate is not None:
            raise UsageError(f"gate is a parameter: nll.Hurdle(nll.{part.__name__})(..., gate={gate!r})")
        return self.form([part])

    def check(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> None:
        if len(parts) != 1:
            raise UsageError(f"Hurdle has one part; got {len(parts)}")
        if parts[0].mixed:
            raise UsageError(f"{parts[0].family.__name__} has points of their own probability already")
        if parts[0].observations.discrete and not parts[0].support.low >= 0.0:
            raise UsageError(f"{parts[0].family.__name__} is not a family of counts from 0 on")

    def own_parameters(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> dict[str, type[Constraint]]:
        return {"gate": Probability}

    def contents(self, made: Parts) -> dict[str, Any]:
        (form,) = made.forms
        rest = _rest(form)
        second = made.have("gradient", "hessian") and rest.second
        space: dict[str, Any] = {
            "observations": form.observations,
            "support": form.support,
            "mixed": not form.observations.discrete,
            "atoms": () if form.observations.discrete else (0.0,),
            "loss": made.formula("loss", _loss(form, rest)),
            "gradient": made.formula("gradient", _gradient(form, rest)) if second else None,
            "hessian": made.formula("hessian", _hessian(form, rest)) if second else None,
            "inside": made.formula("inside", _inside(form)),
            "ends": made.of_theta("ends", _ends(form)),
            "sample": made.sampler(_sample(form)),
        }
        if made.have("log_cdf", "log_sf"):
            space["log_cdf"] = made.formula("log_cdf", _tail(form, rest, upper=False))
            space["log_sf"] = made.formula("log_sf", _tail(form, rest, upper=True))
            space.update(of_masses(made, inflated(made), _Positive))
        if form.start is not None:
            space["start"] = _start(form)
        return space


class _Rest:
    """log P(Y > 0) of a part that is positive anyway: 0, and so are its derivatives."""

    second = True

    def __init__(self, form: type[Family]) -> None:
        self.form = form

    def value(self, write: Write, theta: list[Value]) -> Any:
        return 0.0

    def slopes(self, write: Write, theta: list[Value]) -> list[Any]:
        return [0.0] * len(theta)

    def bends(self, write: Write, theta: list[Value]) -> list[Any]:
        return [0.0] * (len(theta) * (len(theta) + 1) // 2)


class _CountRest(_Rest):
    """That of counts, from the loss at 0: log(1 - p(0))."""

    def value(self, write: Write, theta: list[Value]) -> Any:
        return write(log_one_minus_exp, self._zero(write, theta)[1], 0.0)

    def _zero(self, write: Write, theta: list[Value]) -> tuple[Value, Value]:
        zero = Value(write, write.name_of(0.0))
        return zero, loss_of(write, self.form, zero, theta)

    def _odds(self, write: Write, theta: list[Value]) -> tuple[Value, list[Value]]:
        zero, loss = self._zero(write, theta)
        odds = 1.0 / write(expm1, loss)  # p(0) / (1 - p(0))
        slopes = write.several(self.form.gradient, len(theta), zero, *theta)
        return odds, [where(odds > 0.0, slope, 0.0) for slope in slopes]

    def slopes(self, write: Write, theta: list[Value]) -> list[Any]:
        odds, slopes = self._odds(write, theta)
        return [odds * slope for slope in slopes]

    def bends(self, write: Write, theta: list[Value]) -> list[Any]:
        odds, slopes = self._odds(write, theta)
        zero, count = self._zero(write, theta)[0], len(theta)
        bends = iter(write.several(self.form.hessian, count * (count + 1) // 2, zero, *theta))
        found = []
        for j in range(count):
            for k in range(j, count):
                bend = next(bends)
                found.append(where(odds > 0.0, odds * (bend - (1.0 + odds) * slopes[j] * slopes[k]), 0.0))
        return found


class _RealRest(_Rest):
    """That of a density on the line, from its upper tail."""

    def value(self, write: Write, theta: list[Value]) -> Any:
        return write(log_mass(self.form), 0.0, INF, *theta)

    def slopes(self, write: Write, theta: list[Value]) -> list[Any]:
        return write.several(log_mass_gradient(self.form), len(theta), 0.0, INF, *theta)

    def bends(self, write: Write, theta: list[Value]) -> list[Any]:
        count = len(theta) * (len(theta) + 1) // 2
        return write.several(log_mass_hessian(self.form), count, 0.0, INF, *theta)


def _rest(form: type[Family]) -> _Rest:
    if form.observations.discrete:
        return _CountRest(form)
    if form.support.low >= 0.0:
        return _Rest(form)
    if form.log_cdf is None or form.log_sf is None:
        raise UsageError(f"{form.family.__name__} has no tails, which a Hurdle needs to leave out what is below 0")
    return _RealRest(form)


class _Positive(Between):
    """That low < y <= high, of the part where it is positive."""

    def __init__(self, write: Write, low: Value, high: Value) -> None:
        self.contains = (low < 0.0) & (high >= 0.0)
        super().__init__(write, where(low > 0.0, low, 0.0), where(high > 0.0, high, 0.0))

    def zero(self) -> Value:
        return self.contains

    def loss(self, form: type[Family], theta: Sequence[Value]) -> Value:
        return super().loss(form, theta) + _rest(form).value(self.write, list(theta))

    def gradient(self, form: type[Family], theta: Sequence[Value]) -> list[Value]:
        rest = _rest(form).slopes(self.write, list(theta))
        return [a + b for a, b in zip(super().gradient(form, theta), rest, strict=True)]

    def hessian(self, form: type[Family], theta: Sequence[Value]) -> list[Value]:
        rest = _rest(form).bends(self.write, list(theta))
        return [a + b for a, b in zip(super().hessian(form, theta), rest, strict=True)]


def _loss(form: type[Family], rest: _Rest) -> Any:
    def loss(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> Value:
        (gate,), (theta,) = own, pieces
        positive = write(form.loss, y, *theta) + rest.value(write, theta)
        return where(y == 0.0, -write(log, gate), positive - write(log1p, -gate))

    return loss


def _gradient(form: type[Family], rest: _Rest) -> Any:
    def gradient(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> list[Value]:
        (gate,), (theta,), zero = own, pieces, y == 0.0
        slopes = write.several(form.gradient, len(theta), y, *theta)
        inner = zip(slopes, rest.slopes(write, theta), strict=True)
        return [*(where(zero, 0.0, a + b) for a, b in inner), where(zero, -1.0 / gate, 1.0 / (1.0 - gate))]

    return gradient


def _hessian(form: type[Family], rest: _Rest) -> Any:
    def hessian(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> list[Any]:
        (gate,), (theta,), zero = own, pieces, y == 0.0
        size = len(theta)
        bends = write.several(form.hessian, size * (size + 1) // 2, y, *theta)
        inner = iter([where(zero, 0.0, a + b) for a, b in zip(bends, rest.bends(write, theta), strict=True)])
        found: list[Any] = []
        for j in range(size):
            found += [next(inner) for _ in range(j, size)] + [0.0]
        share = 1.0 / where(zero, gate, 1.0 - gate)
        return [*found, share * share]

    return hessian


def _inside(form: type[Family]) -> Any:
    def inside(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> Value:
        within = supported(write, form, y, pieces[0])
        return (y == 0.0) | ((y > 0.0) if within is None else (y > 0.0) & within)

    return inside


def _ends(form: type[Family]) -> Any:
    low = 0.0 if form.observations.discrete else BELOW_ZERO

    def ends(write: Write, pieces: list[list[Value]], own: list[Value]) -> list[Any]:
        high = Value(write, write.name_of(ends_of(write, form, pieces[0])[1]))
        return [low, where(high > 0.0, high, 0.0)]

    return ends


def _tail(form: type[Family], rest: _Rest, upper: bool) -> Any:
    def tail(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> Value:
        (gate,), (theta,) = own, pieces
        lower, higher = tails_of(write, form, y, theta)
        before = tails_of(write, form, Value(write, write.name_of(0.0)), theta)[0]
        offset = write(log1p, -gate) - rest.value(write, theta)
        above = where(y <= 0.0, write(log1p, -gate), offset + higher)
        above = where(y < 0.0, 0.0, above)
        if upper:
            return above
        between = offset + write(log_difference, lower, before)
        small = where(y <= 0.0, write(log, gate), write(logaddexp, write(log, gate), between))
        value = where(above > -LN2, small, write(log1p, -write(exp, above)))
        return where(y < 0.0, -INF, value)

    return tail


def _sample(form: type[Family]) -> Any:
    def sample(rng: np.random.Generator, shape: tuple[int, ...], pieces: list[list[Any]], own: list[Any]) -> Any:
        (theta,), (gate,) = pieces, own
        zero = rng.random(shape) < gate
        if form.support.low >= 0.0 and not form.observations.discrete:
            return np.where(zero, 0.0, sample_of(form, rng, shape, theta))
        found = np.zeros(shape)
        for _ in range(ROUNDS):
            missing = ~zero & ~(found > 0.0)
            if not missing.any():
                return found
            found = np.where(missing, np.maximum(sample_of(form, rng, shape, theta), 0.0), found)
        places = np.nonzero(~zero & ~(found > 0.0))
        found[places] = _beyond(form, [np.broadcast_to(t, shape)[places] for t in theta], rng.random(places[0].size))
        return found

    return sample


def _beyond(form: type[Family], theta: list[Any], u: Any) -> Any:
    """Return the y > 0 of which the share u of what is positive lies above: the upper tail is uniform there."""
    dist = form(**dict(zip(form.parameters, theta, strict=True)))
    with quiet():
        logs = np.log(np.where(u == 0.0, 0.5, u)) + np.asarray(dist.log_sf(np.zeros(u.shape)))
    positive = dist.quantile(logs, upper=True, log_scale=True)
    return np.maximum(positive, 1.0) if form.observations.discrete else positive


def _start(form: type[Family]) -> Any:
    def start(moments: Moments) -> tuple[float, ...]:
        gate = moments.zeros if 0.0 <= moments.zeros < 1.0 else 0.0
        mean = moments.mean / (1.0 - gate)
        variance = max((moments.variance + moments.mean**2) / (1.0 - gate) - mean**2, 1e-3 * mean * mean)
        theta = form.start(Moments(mean, variance))  # type: ignore[misc]
        return (*theta, min(max(gate, 1e-3), 1.0 - 1e-3))

    return start


Hurdle = _Hurdle()
