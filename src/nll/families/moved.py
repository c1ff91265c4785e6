"""The mass of an interval of g(X): that of the x between the ends that g moves there, and its derivatives.

With x the moved end, f the part's density and M the mass, a parameter a of g moves the mass by f dx/da at each end:

    dM/da = f dx/da        d2M/dadb = f (d2x/dadb - f' / f dx/da dx/db)        d2M/dadtheta = df/dtheta dx/da

at the upper end less the same at the lower one, where -f' / f is the derivative of the part's loss in x.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nll.families.family import Family
from nll.families.intervals import log_mass, log_mass_gradient, log_mass_hessian
from nll.families.parts import INF, Parts, ends_of
from nll.families.slopes import gradient_of, in_y, value
from nll.families.tracing import Lazy, Value, Write, where
from nll.families.transforms import Transform
from nll.numerics.elementary import exp

Pieces = list[list[Value]]


def masses(made: Parts, transform: Transform) -> dict[str, Lazy]:
    """Return log_mass, and its gradient and Hessian where the part's loss has them."""
    (form,) = made.forms
    found = {"log_mass": made.formula("log_mass", _mass(form, transform), leading=2, alone=True)}
    if made.have("gradient", "hessian"):
        for name, build in (("log_mass_gradient", _gradient), ("log_mass_hessian", _hessian)):
            found[name] = made.formula(name, build(form, transform), leading=2, alone=True)
    return found


def _ends(write: Write, transform: Transform, low: Value, high: Value, own: list[Value]) -> tuple[Value, Value]:
    """Write the x that g moves to the ends of an interval, the lower one first; infinite off the image of g."""
    falls, image, moved = transform.falls(own), transform.image, []
    for y in (low, high):
        x, _ = transform.inverse(write, y, own)
        x = where(y >= image.high, INF, x) if falls is None else where(y >= image.high, where(falls, -INF, INF), x)
        x = where(y <= image.low, -INF, x) if falls is None else where(y <= image.low, where(falls, INF, -INF), x)
        moved.append(x)
    first, last = moved
    return (first, last) if falls is None else (where(falls, last, first), where(falls, first, last))


def _mass(form: type[Family], transform: Transform) -> Any:
    def mass(write: Write, low: Value, high: Value, pieces: Pieces, own: list[Value]) -> Value:
        return write(log_mass(form), *_ends(write, transform, low, high, own), *pieces[0])

    return mass


class _End:
    """One end: the share of the mass that its density is, and how the parameters of g move it."""

    def __init__(
        self, write: Write, form: type[Family], transform: Transform, x: Value, theta: Sequence[Value], own: list[Value]
    ) -> None:
        low, high = (value(write, end) for end in ends_of(write, form, theta))
        self.inside = (x > low) & (x < high)
        middle = where(
            low > -INF, where(high < INF, 0.5 * low + 0.5 * high, low + 1.0), where(high < INF, high - 1.0, 0.0)
        )
        self.x = where(self.inside, x, middle)
        self.write, self.form, self.theta = write, form, theta
        self.moves, self.turns, _, _ = transform.steps(write, self.x, own)

    def share(self, mass: Value) -> Value:
        density = self.write(exp, -self.write(self.form.loss, self.x, *self.theta) - mass)
        return where(self.inside & (mass > -INF), density, 0.0)


def _shared(share: Value, term: Any) -> Value:
    return where(share > 0.0, share * term, 0.0)


def _slopes(ends: Sequence[_End], shares: Sequence[Value]) -> list[Value]:
    """Write the derivatives of the log mass in the parameters of g."""
    (first, last), (a, b) = ends, shares
    return [_shared(b, m) - _shared(a, n) for n, m in zip(first.moves, last.moves, strict=True)]


def _seen(
    write: Write,
    form: type[Family],
    transform: Transform,
    low: Value,
    high: Value,
    theta: list[Value],
    own: list[Value],
) -> tuple[tuple[Value, Value], list[_End], list[Value]]:
    moved = _ends(write, transform, low, high, own)
    mass = write(log_mass(form), *moved, *theta)
    ends = [_End(write, form, transform, x, theta, own) for x in moved] if own else []
    return moved, ends, [end.share(mass) for end in ends]


def _gradient(form: type[Family], transform: Transform) -> Any:
    def gradient(write: Write, low: Value, high: Value, pieces: Pieces, own: list[Value]) -> list[Value]:
        (theta,) = pieces
        moved, ends, shares = _seen(write, form, transform, low, high, theta, own)
        inner = write.several(log_mass_gradient(form), len(theta), *moved, *theta)
        return [*inner, *_slopes(ends, shares)] if own else inner

    return gradient


def _hessian(form: type[Family], transform: Transform) -> Any:
    def hessian(write: Write, low: Value, high: Value, pieces: Pieces, own: list[Value]) -> list[Value]:
        (theta,) = pieces
        size, count = len(theta), len(own)
        moved, ends, shares = _seen(write, form, transform, low, high, theta, own)
        inner = iter(write.several(log_mass_hessian(form), size * (size + 1) // 2, *moved, *theta))
        if not own:
            return list(inner)
        slopes = [*write.several(log_mass_gradient(form), size, *moved, *theta), *_slopes(ends, shares)]
        theirs = [gradient_of(write, form, end.x, theta) for end in ends]
        bent = [in_y(write, form, end.x, theta).slope for end in ends]

        def change(terms: list[Value]) -> Value:
            return _shared(shares[1], terms[1]) - _shared(shares[0], terms[0])

        found = []
        for j in range(size):
            found += [next(inner) for _ in range(j, size)]
            for a in range(count):
                mixed = change([-g[j] * end.moves[a] for g, end in zip(theirs, ends, strict=True)])
                found.append(mixed - slopes[j] * slopes[size + a])
        places = [(a, b) for a in range(count) for b in range(a, count)]
        for at, (a, b) in enumerate(places):
            terms = [end.turns[at] - bend * end.moves[a] * end.moves[b] for end, bend in zip(ends, bent, strict=True)]
            found.append(change(terms) - slopes[size + a] * slopes[size + b])
        return found

    return hessian
