"""Counts with more zeros than their family has: with probability `gate` there is a zero and no count at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.errors import UsageError
from nll.families.combined import Combinator, part_of
from nll.families.constraints import Constraint, Probability
from nll.families.family import Family, Moments
from nll.families.masses import Build, Seen, at_value, of_masses
from nll.families.parts import INF, Parts, any_of, ends_of, sample_of, supported, tails_of
from nll.families.tracing import Value, Write, where
from nll.numerics.elementary import exp, expm1, log, log1p, logaddexp

HALF = 0.5


class _ZeroInflated(Combinator):
    """A count that is 0 with probability `gate` whatever it would be: ZeroInflated(Poisson)(rate, gate).

    P(0) = gate + (1 - gate) p(0), and P(y) = (1 - gate) p(y) elsewhere. `gate` may be 0 or 1.

    Parameters
    ----------
    part : a family of counts, or a distribution of one.
    gate : with a distribution: the probability of the extra zero; a number, an array or the name of a column.

    Returns
    -------
    Of a family, a family whose parameters are its own and `gate`; of a distribution, a distribution.

    Raises
    ------
    UsageError : the part is continuous (see `nll.Hurdle`), or gate goes with a family.

    Source: D. Lambert, Zero-Inflated Poisson Regression, with an Application to Defects in Manufacturing (1992),
    equation 1.

    Examples
    --------
    >>> import nll
    >>> nll.ZeroInflated(nll.Poisson)(rate=3.0, gate=0.2)
    ZeroInflated(Poisson(rate=3.0), gate=0.2)
    >>> round(nll.score(0, nll.ZeroInflated(nll.Poisson(rate=3.0), gate=0.2)).sum, 12)
    1.427826379755
    """

    name = "ZeroInflated"

    def __call__(self, part: Any, gate: Any = None) -> Any:
        part = part_of(part, self.name)
        if isinstance(part, Family):
            return self.instance([part], {} if gate is None else {"gate": gate})
        if gate is not None:
            raise UsageError(f"gate is a parameter: nll.ZeroInflated(nll.{part.__name__})(..., gate={gate!r})")
        return self.form([part])

    def check(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> None:
        if len(parts) != 1:
            raise UsageError(f"ZeroInflated has one part; got {len(parts)}")
        if not parts[0].observations.discrete:
            raise UsageError(f"{parts[0].__name__} has no zeros to inflate: nll.Hurdle gives a density a zero")

    def own_parameters(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> dict[str, type[Constraint]]:
        return {"gate": Probability}

    def contents(self, made: Parts) -> dict[str, Any]:
        (form,) = made.forms
        builds = inflated(made)
        space: dict[str, Any] = {"observations": form.observations, "support": form.support}
        for name, build in zip(("loss", "gradient", "hessian"), builds, strict=True):
            space[name] = build and made.formula(name, at_value(build))
        if form.inside is not None or not form.support.contains(0.0):
            space["inside"] = made.formula("inside", _inside(form))
        if form.ends is not None or not form.support.low <= 0.0 <= form.support.high:
            space["ends"] = made.of_theta("ends", _ends(form))
        if made.have("log_cdf", "log_sf"):
            space["log_cdf"] = made.formula("log_cdf", _tail(form, upper=False))
            space["log_sf"] = made.formula("log_sf", _tail(form, upper=True))
            space.update(of_masses(made, builds))
        space["sample"] = made.sampler(_sample(form))
        if made.have("mean"):
            space["mean"] = made.plain(lambda pieces, own: (1.0 - own[0]) * form.mean(*pieces[0]))
        if made.have("mean", "variance"):
            space["variance"] = made.plain(_variance(form))
        if form.start is not None:
            space["start"] = _start(form)
        return space


def inflated(made: Parts) -> list[Build | None]:
    """Return what writes the loss, its gradient and its Hessian, where the part has them."""
    (form,) = made.forms
    return [
        _loss(form),
        _gradient(form) if made.have("gradient") else None,
        _hessian(form) if made.have("gradient", "hessian") else None,
    ]


def _loss(form: type[Family]) -> Build:
    def loss(seen: Seen, pieces: list[list[Value]], own: list[Value]) -> Value:
        write, (gate,) = seen.write, own
        part = seen.loss(form, pieces[0])
        rest = write(log1p, -gate)
        # Above one half from 1 - P(0), whose digits 1 - gate and 1 - p(0) have; below from the sum of two logs.
        missing = (1.0 - gate) * write(expm1, -part)
        near = write(log1p, missing)
        zero = where(missing > -HALF, near, write(logaddexp, write(log, gate), rest - part))
        return where(seen.zero(), -zero, part - rest)

    return loss


def _share(write: Write, part: Value, gate: Value) -> tuple[Value, Value]:
    """Write the probabilities that a zero is the part's, and that it is the gate's, for the part's loss at 0."""
    odds = gate / (1.0 - gate) * write(exp, part)
    theirs = where(gate == 0.0, 1.0, 1.0 / (1.0 + odds))
    return theirs, where(gate == 0.0, 0.0, 1.0 / (1.0 + 1.0 / odds))


def _slopes(write: Write, part: Value, gate: Value, theirs: Value) -> tuple[Value, Value]:
    """Write the loss's derivative in the gate at a zero, and the ratio p(0) / P(0)."""
    mass = gate + (1.0 - gate) * write(exp, -part)
    # The ratio from the share, which has all digits where p(0) itself is below the doubles.
    ratio = where(gate < 1.0, theirs / (1.0 - gate), write(exp, -part))
    return where(mass > 0.0, write(expm1, -part) / mass, -INF), ratio


def _gradient(form: type[Family]) -> Build:
    def gradient(seen: Seen, pieces: list[list[Value]], own: list[Value]) -> list[Value]:
        write, zero = seen.write, seen.zero()
        (gate,) = own
        part = seen.loss(form, pieces[0])
        theirs, _ = _share(write, part, gate)
        slopes = seen.gradient(form, pieces[0])
        in_gate, _ = _slopes(write, part, gate, theirs)
        factor = where(zero, theirs, 1.0)
        return [
            *(where(factor > 0.0, factor * slope, 0.0) for slope in slopes),
            where(zero, in_gate, 1.0 / (1.0 - gate)),
        ]

    return gradient


def _hessian(form: type[Family]) -> Build:
    def hessian(seen: Seen, pieces: list[list[Value]], own: list[Value]) -> list[Value]:
        write, zero = seen.write, seen.zero()
        (gate,), size = own, len(pieces[0])
        part = seen.loss(form, pieces[0])
        theirs, ours = _share(write, part, gate)
        slopes = seen.gradient(form, pieces[0])
        bends = iter(seen.hessian(form, pieces[0]))
        in_gate, ratio = _slopes(write, part, gate, theirs)
        mass = gate + (1.0 - gate) * write(exp, -part)
        factor, between = where(zero, theirs, 1.0), where(zero, theirs * ours, 0.0)
        found = []
        for j in range(size):
            for k in range(j, size):
                mixed = factor * next(bends) - between * slopes[j] * slopes[k]
                found.append(where(factor > 0.0, mixed, 0.0))
            found.append(where(zero & (ratio > 0.0), -ratio / mass * slopes[j], 0.0))
        rest = 1.0 / (1.0 - gate)
        return [*found, where(zero, in_gate * in_gate, rest * rest)]

    return hessian


def _inside(form: type[Family]) -> Any:
    def inside(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> Value:
        within = supported(write, form, y, pieces[0])
        return y == y if within is None else any_of([y == 0.0, within])

    return inside


def _ends(form: type[Family]) -> Any:
    def ends(write: Write, pieces: list[list[Value]], own: list[Value]) -> list[Value]:
        low, high = (Value(write, write.name_of(end)) for end in ends_of(write, form, pieces[0]))
        return [where(low < 0.0, low, 0.0), where(high > 0.0, high, 0.0)]

    return ends


def _tail(form: type[Family], upper: bool) -> Any:
    def tail(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> Value:
        (gate,) = own
        side = tails_of(write, form, y, pieces[0])[upper]
        rest = write(log1p, -gate)
        missing = (1.0 - gate) * write(expm1, side)
        gated = where(missing > -HALF, write(log1p, missing), write(logaddexp, write(log, gate), rest + side))
        return where((y >= 0.0) if not upper else (y < 0.0), gated, rest + side)

    return tail


def _sample(form: type[Family]) -> Any:
    def sample(rng: np.random.Generator, shape: tuple[int, ...], pieces: list[list[Any]], own: list[Any]) -> Any:
        counts = sample_of(form, rng, shape, pieces[0])
        return np.where(rng.random(shape) < own[0], 0.0, counts)

    return sample


def _variance(form: type[Family]) -> Any:
    def variance(pieces: list[list[Any]], own: list[Any]) -> Any:
        (gate,) = own
        return (1.0 - gate) * (form.variance(*pieces[0]) + gate * form.mean(*pieces[0]) ** 2)

    return variance


def _start(form: type[Family]) -> Any:
    def start(moments: Moments) -> tuple[float, ...]:
        zeros = moments.zeros if 0.0 <= moments.zeros < 1.0 else 0.0
        gate = zeros / 2.0
        # Half of the zeros to the gate: the rest then has these moments.
        mean = moments.mean / (1.0 - gate)
        variance = max((moments.variance + moments.mean**2) / (1.0 - gate) - mean**2, 1e-3 * mean)
        theta = form.start(Moments(mean, variance))  # type: ignore[misc]
        return (*theta, gate)

    return start


ZeroInflated = _ZeroInflated()
