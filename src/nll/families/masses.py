"""What is observed of a part: a value, with a density, or an interval, with a mass; and both of it with a zero first.

The likelihood of a combined family is the same sum over its parts in both cases: that of their densities at y, or that
of the probabilities with which they lie in an interval. So each combinator writes its formulas once, of a `Seen`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nll.families.family import Family
from nll.families.intervals import log_mass, log_mass_gradient, log_mass_hessian
from nll.families.parts import Parts, loss_of
from nll.families.tracing import Lazy, Value, Write


class Seen:
    """A value y that was observed: the losses of parts there, infinite off their supports, and their derivatives."""

    def __init__(self, write: Write, y: Value) -> None:
        self.write, self.y = write, y

    def probability(self, form: type[Family]) -> bool:
        """Whether the loss is that of a probability, at most 1."""
        return form.observations.discrete

    def zero(self) -> Value:
        """Write whether 0 is observed, or may be."""
        return self.y == 0.0

    def loss(self, form: type[Family], theta: Sequence[Value]) -> Value:
        """Write the loss of a part."""
        return loss_of(self.write, form, self.y, theta)

    def gradient(self, form: type[Family], theta: Sequence[Value]) -> list[Value]:
        """Write the gradient of a part's loss."""
        return self.write.several(form.gradient, len(theta), self.y, *theta)

    def hessian(self, form: type[Family], theta: Sequence[Value]) -> list[Value]:
        """Write the Hessian of a part's loss, its upper triangle row by row."""
        return self.write.several(form.hessian, len(theta) * (len(theta) + 1) // 2, self.y, *theta)


class Between(Seen):
    """That low < y <= high: its loss is -log_mass."""

    def __init__(self, write: Write, low: Value, high: Value) -> None:
        self.write, self.low, self.high = write, low, high

    def probability(self, form: type[Family]) -> bool:
        return True

    def zero(self) -> Value:
        return (self.low < 0.0) & (self.high >= 0.0)

    def loss(self, form: type[Family], theta: Sequence[Value]) -> Value:
        return -self.write(log_mass(form), self.low, self.high, *theta)

    def gradient(self, form: type[Family], theta: Sequence[Value]) -> list[Value]:
        found = self.write.several(log_mass_gradient(form), len(theta), self.low, self.high, *theta)
        return [-each for each in found]

    def hessian(self, form: type[Family], theta: Sequence[Value]) -> list[Value]:
        count = len(theta) * (len(theta) + 1) // 2
        found = self.write.several(log_mass_hessian(form), count, self.low, self.high, *theta)
        return [-each for each in found]


Build = Callable[[Seen, list[list[Value]], list[Value]], Any]


def at_value(build: Build) -> Any:
    """Return what writes a formula of (y, *theta), for `Parts.formula`."""
    return lambda write, y, pieces, own: build(Seen(write, y), pieces, own)


def of_masses(made: Parts, builds: Sequence[Build | None], seen: type[Between] = Between) -> dict[str, Lazy]:
    """Return log_mass, its gradient and its Hessian of what builds the loss and its derivatives."""

    def negative(build: Build) -> Any:
        def between(write: Write, low: Value, high: Value, pieces: list[list[Value]], own: list[Value]) -> Any:
            found = build(seen(write, low, high), pieces, own)
            return -found if isinstance(found, Value) else [-each for each in found]

        return between

    names = ("log_mass", "log_mass_gradient", "log_mass_hessian")
    given = [(name, build) for name, build in zip(names, builds, strict=True) if build is not None]
    return {name: made.formula(name, negative(build), leading=2, alone=True) for name, build in given}
