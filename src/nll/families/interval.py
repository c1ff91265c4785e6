"""What is known of a value is the interval in which it lies: the likelihood of censored observations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nll.errors import DataError, UsageError
from nll.families.combined import Combinator, part_of
from nll.families.constraints import Bound, Constraint, ExtendedReal
from nll.families.family import Family
from nll.families.intervals import log_mass, log_mass_gradient, log_mass_hessian, placed, triangle
from nll.families.parts import INF, Parts, ends_of, supported
from nll.families.tracing import Value, Write, where
from nll.families.truncated import between
from nll.numerics.elementary import exp
from nll.numerics.formula import is_scalar

# The options, and which bounds of what is seen at all are parameters with each.
BOUNDS = {(): (), ("truncated",): ("low", "high"), ("right",): (), ("right", "entry"): ("low",)}


class _Interval(Combinator):
    """An observation that is known exactly, or to lie in an interval: y is its lower end, `upper` the other one.

    The loss of a row: that of y where upper == y, otherwise -log P(y < Y <= upper), for y from -inf and upper to inf.
    With the option "truncated", given that low <= Y <= high: log P(low <= Y <= high) is added. With "right", `upper` is
    y or infinite, so that one tail is all it takes, and loops vectorise; with "entry", given that Y >= low.
    Not a distribution of y but a likelihood of what was seen: it is what fits to censored observations run on.
    """

    name = "Interval"

    def __call__(self, part: Any, upper: Any = None) -> Any:
        part = part_of(part, self.name)
        if isinstance(part, Family):
            return self.instance([part], {} if upper is None else {"upper": upper})
        if upper is not None:
            raise UsageError("upper goes with each row")
        return self.form([part])

    def check(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> None:
        if len(parts) != 1:
            raise UsageError(f"Interval has one part; got {len(parts)}")
        if parts[0].log_cdf is None or parts[0].log_sf is None:
            raise UsageError(f"{parts[0].signature()} has no tails yet, which censored observations need")
        if "right" in options and not flows(parts[0]):
            raise UsageError(f"{parts[0].signature()} has no closed derivatives of its upper tail")
        if parts[0].mixed:
            raise UsageError(f"{parts[0].family.__name__} has points of their own probability")

    def own_parameters(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> dict[str, type[Constraint]]:
        return {"upper": Bound, **dict.fromkeys(BOUNDS[options], Bound)}

    def options_of(self, saved: Mapping[str, Any]) -> tuple[Any, ...]:
        if tuple(saved) not in BOUNDS or not all(value is True for value in saved.values()):
            raise DataError("Interval has the option truncated, right, or right and entry")
        return tuple(saved)

    def options_data(self, options: tuple[Any, ...]) -> dict[str, Any]:
        return dict.fromkeys(options, True)

    def contents(self, made: Parts) -> dict[str, Any]:
        (form,) = made.forms
        second = made.have("gradient", "hessian")
        loss, gradient, hessian = (
            (_right_loss, _right_gradient, _right_hessian)
            if made.options[:1] == ("right",)
            else (_loss, _gradient, _hessian)
        )
        space: dict[str, Any] = {
            "observations": ExtendedReal,
            "support": ExtendedReal,
            "loss": made.formula("loss", loss(form)),
            "gradient": made.formula("gradient", gradient(form)) if made.have("gradient") else None,
            "hessian": made.formula("hessian", hessian(form)) if second else None,
            "inside": made.formula("inside", _inside(form)),
        }
        ends = (INF, -INF, INF)
        if form.start is not None:
            space["start"] = lambda moments: (*form.start(moments), *ends[: len(made.layout.own)])  # type: ignore[misc]
        return space


def _at(write: Write, form: type[Family], y: Value, exact: Value, theta: list[Value]) -> Value:
    """Write y where it is exact, and elsewhere a number at which the part's formulas do no harm."""
    low, high = ends_of(write, form, theta)
    one = Value(write, write.name_of(1.0))
    some = where((one > low) & (one < high), 1.0, where(Value(write, write.name_of(low)) > -INF, low, high))
    return where(exact, y, some)


def _seen(write: Write, form: type[Family], y: Value, own: list[Value]) -> tuple[Value, Value]:
    """Write the ends of an interval: what can be seen of it, where bounds are given."""
    upper, *bounds = own
    if not bounds:
        return y, upper
    low, high = between(write, form, *bounds)
    return where(y < low, low, y), where(upper > high, high, upper)


def _loss(form: type[Family]) -> Any:
    def loss(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> Value:
        (theta,), (upper, *bounds) = pieces, own
        exact = y == upper
        point = write(form.loss, _at(write, form, y, exact, theta), *theta)
        loss = where(exact, point, -write(log_mass(form), *_seen(write, form, y, own), *theta))
        return loss + write(log_mass(form), *between(write, form, *bounds), *theta) if bounds else loss

    return loss


def _gradient(form: type[Family]) -> Any:
    def gradient(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> list[Any]:
        (theta,), (upper, *bounds) = pieces, own
        exact = y == upper
        at = _at(write, form, y, exact, theta)
        slopes = write.several(form.gradient, len(theta), at, *theta)
        masses = write.several(log_mass_gradient(form), len(theta), *_seen(write, form, y, own), *theta)
        found: list[Any] = [where(exact, a, -b) for a, b in zip(slopes, masses, strict=True)]
        if bounds:
            rest = write.several(log_mass_gradient(form), len(theta), *between(write, form, *bounds), *theta)
            found = [a + b for a, b in zip(found, rest, strict=True)]
        return [*found, *[0.0] * len(own)]

    return gradient


def _hessian(form: type[Family]) -> Any:
    def hessian(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> list[Any]:
        (theta,), (upper, *bounds), size = pieces, own, len(pieces[0])
        exact, count = y == upper, size * (size + 1) // 2
        bends = write.several(form.hessian, count, _at(write, form, y, exact, theta), *theta)
        masses = write.several(log_mass_hessian(form), count, *_seen(write, form, y, own), *theta)
        inner = [where(exact, a, -b) for a, b in zip(bends, masses, strict=True)]
        if bounds:
            rest = write.several(log_mass_hessian(form), count, *between(write, form, *bounds), *theta)
            inner = [a + b for a, b in zip(inner, rest, strict=True)]
        return _padded(inner, size, len(own))

    return hessian


def _padded(inner: list[Value], size: int, known: int) -> list[Any]:
    """Write a Hessian with zeros in the bounds, which are known and never fitted: nothing uses them."""
    rows = iter(inner)
    found: list[Any] = []
    for j in range(size):
        found += [next(rows) for _ in range(j, size)] + [0.0] * known
    return [*found, *[0.0] * (known * (known + 1) // 2)]


def _inside(form: type[Family]) -> Any:
    def inside(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> Value:
        (theta,), (upper, *bounds) = pieces, own
        within = supported(write, form, y, theta)
        inside = (y < upper) | ((y == upper) if within is None else (y == upper) & within)
        if not bounds:
            return inside
        low, *high = bounds
        bounded = low <= y
        for bound in high:
            bounded = bounded & (y <= bound)
        return inside & ((y < upper) | bounded)

    return inside


# What is censored on the right


def flows(form: type[Family]) -> bool:
    """Whether the upper tail and its derivatives are closed in every parameter, and free of loops."""
    formulas = (form.loss, form.gradient, form.hessian, form.log_sf, form.flow, form.flow_gradient)
    moves = {name for name, constraint in form.parameters.items() if not constraint.discrete}
    known = moves == set(form.parameters) and not moves & set(form.unflowed)
    return known and not any(each is None or is_scalar(each) for each in formulas)


class _Beyond:
    """P(Y > y) of rows that are not exact, and its derivatives, from the hazard f / P(Y > y) and the flow."""

    def __init__(self, write: Write, form: type[Family], y: Value, exact: Value | None, theta: list[Value]) -> None:
        self.write, self.form, self.theta = write, form, theta
        at, self.off = placed(write, form, y, theta)
        # An exact row stays where it is, so that the density is computed once for both kinds.
        self.at = at if exact is None else where(exact, y, at)
        self.below = y < at
        self.tail = write(form.log_sf, self.at, *theta)

    def log_sf(self) -> Value:
        return where(self.off, where(self.below, 0.0, -INF), self.tail)

    def slopes(self) -> list[Value]:
        hazard = self.write(exp, -self.write(self.form.loss, self.at, *self.theta) - self.tail)
        self.hazard = where(self.off, 0.0, hazard)
        self.flow = self.write.several(self.form.flow, len(self.theta), self.at, *self.theta)
        return [self._shared(q) for q in self.flow]

    def bends(self) -> list[Value]:
        size, places = len(self.theta), triangle(len(self.theta))
        moved = self.slopes()
        slopes = self.write.several(self.form.gradient, size, self.at, *self.theta)
        turns = self.write.several(self.form.flow_gradient, len(places), self.at, *self.theta)
        return [
            self._shared(turn - self.flow[j] * slopes[k]) - moved[j] * moved[k]
            for (j, k), turn in zip(places, turns, strict=True)
        ]

    def _shared(self, value: Value) -> Value:
        return where(self.hazard > 0.0, self.hazard * value, 0.0)


def _beyond(write: Write, form: type[Family], y: Value, theta: list[Value], own: list[Value]) -> tuple[Any, ...]:
    """Write whether a row is exact, and what lies beyond it, and beyond its entry where that is given."""
    upper, *bounds = own
    exact = y == upper
    if not bounds:
        return exact, _Beyond(write, form, y, exact, theta), None
    low, _ = between(write, form, bounds[0], upper)
    seen = where(exact, y, where(y < low, low, y))
    return exact, _Beyond(write, form, seen, exact, theta), _Beyond(write, form, low, None, theta)


def _right_loss(form: type[Family]) -> Any:
    def loss(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> Value:
        exact, beyond, entered = _beyond(write, form, y, pieces[0], own)
        loss = where(exact, write(form.loss, beyond.at, *pieces[0]), -beyond.log_sf())
        return loss if entered is None else loss + entered.log_sf()

    return loss


def _right_gradient(form: type[Family]) -> Any:
    def gradient(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> list[Any]:
        exact, beyond, entered = _beyond(write, form, y, pieces[0], own)
        slopes = write.several(form.gradient, len(pieces[0]), beyond.at, *pieces[0])
        found = [where(exact, a, -b) for a, b in zip(slopes, beyond.slopes(), strict=True)]
        rest = entered.slopes() if entered else [0.0] * len(found)
        return [*(a + b for a, b in zip(found, rest, strict=True)), *[0.0] * len(own)]

    return gradient


def _right_hessian(form: type[Family]) -> Any:
    def hessian(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> list[Any]:
        exact, beyond, entered = _beyond(write, form, y, pieces[0], own)
        bends = write.several(form.hessian, len(triangle(len(pieces[0]))), beyond.at, *pieces[0])
        found = [where(exact, a, -b) for a, b in zip(bends, beyond.bends(), strict=True)]
        rest = entered.bends() if entered else [0.0] * len(found)
        return _padded([a + b for a, b in zip(found, rest, strict=True)], len(pieces[0]), len(own))

    return hessian


Interval = _Interval()
