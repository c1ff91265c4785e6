"""What a combinator has of its parts: their names, their formulas for every y, and the formulas made of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nll.families.constraints import Real, Whole
from nll.families.family import Family
from nll.families.tracing import Lazy, Value, Write, where
from nll.families.values import OnInstance
from nll.numerics.bits import floor

INF = float("inf")
FAR = 1e300


class LazyOnInstance(OnInstance):
    """The same of a formula that an instance evaluates."""

    def __init__(self, lazy: Lazy) -> None:
        super().__init__(lazy.name)
        self.lazy = lazy

    def __get__(self, instance: Family | None, owner: type[Family]) -> Any:
        return self.lazy.made() if instance is None else super().__get__(instance, owner)


def has(form: type[Family], name: str) -> bool:
    """Whether a form has a formula; one that waits to be traced is not traced for this question."""
    found = next((base.__dict__[name] for base in form.__mro__ if name in base.__dict__), None)
    return isinstance(found, (Lazy, LazyOnInstance)) or getattr(form, name, None) is not None


@dataclass(frozen=True, slots=True)
class Layout:
    """The names of a combined form's parameters: those of each part, in its order, and the combinator's own."""

    parts: tuple[tuple[str, ...], ...]
    own: tuple[str, ...]

    def split(self, theta: Sequence[Any]) -> tuple[list[list[Any]], list[Any]]:
        """Return the parameters of each part, and the combinator's own."""
        pieces, start = [], 0
        for names in self.parts:
            pieces.append(list(theta[start : start + len(names)]))
            start += len(names)
        return pieces, list(theta[start:])


@dataclass(frozen=True, slots=True)
class Parts:
    """The forms of which a combined form is made, with what its formulas need of them."""

    forms: tuple[type[Family], ...]
    options: tuple[Any, ...]
    layout: Layout

    @property
    def size(self) -> int:
        """How many parameters the combined form has."""
        return sum(map(len, self.layout.parts)) + len(self.layout.own)

    def have(self, *names: str) -> bool:
        """Whether every part has these formulas."""
        return all(has(form, name) for form in self.forms for name in names)

    def formula(self, name: str, build: Callable[..., Any], leading: int = 1, alone: bool = False) -> Lazy:
        """Return the formula (y, *theta) that build(write, y, parameters of each part, own ones) describes.

        With another number of arguments before theta it is that of build(write, *these, parameters, own ones). `alone`:
        it compiles once, by itself.
        """

        def spread(write: Write, *arguments: Value) -> Any:
            pieces, own = self.layout.split(arguments[leading:])
            return build(write, *arguments[:leading], pieces, own)

        return Lazy(name, leading + self.size, spread, alone)

    def of_theta(self, name: str, build: Callable[..., Any]) -> Lazy:
        """Return the formula (*theta) that build(write, parameters of each part, own ones) describes."""
        return self.formula(name, build, leading=0)

    def plain(self, build: Callable[..., Any]) -> Callable[..., Any]:
        """Return the plain function (*theta) of build(parameters of each part, own ones)."""

        def function(*theta: Any) -> Any:
            return build(*self.layout.split(theta))

        return function

    def sampler(self, build: Callable[..., Any]) -> Callable[..., Any]:
        """Return sample(rng, shape, *theta) of build(rng, shape, parameters of each part, own ones)."""

        def sample(rng: np.random.Generator, shape: tuple[int, ...], *theta: Any) -> Any:
            return build(rng, shape, *self.layout.split(theta))

        return sample


def joined(made: Parts) -> dict[str, Any]:
    """Return what a combined form has because its parts have it: simplexes, and which parameters go together."""
    simplexes, words, checks = [], [], []
    for k, (form, names) in enumerate(zip(made.forms, made.layout.parts, strict=True)):
        new = dict(zip(form.parameters, names, strict=True))
        simplexes += [tuple(new[name] for name in simplex) for simplex in form.simplexes]
        if form.consistent is not None:
            words.append(form.together)
            checks.append((k, form.consistent))
    contents: dict[str, Any] = {
        "simplexes": tuple(simplexes),
        "together": " and ".join(dict.fromkeys(words)),
        "mixed": any(form.mixed for form in made.forms),
        "atoms": (),
    }
    if checks:

        def agree(write: Write, pieces: list[list[Value]], own: list[Value]) -> Value:
            found = [write(check, *pieces[k]) for k, check in checks]
            return all_of(found)

        contents["consistent"] = made.of_theta("consistent", agree)
    return contents


def all_of(truths: Sequence[Value]) -> Value:
    """Write whether all are true."""
    first, *others = truths
    for each in others:
        first = first & each
    return first


def any_of(truths: Sequence[Value]) -> Value:
    """Write whether any is true."""
    first, *others = truths
    for each in others:
        first = first | each
    return first


def laid_out(parts: tuple[type[Family], ...], own: tuple[str, ...], numbered: bool) -> Layout:
    """Return the names of the parameters; none comes twice."""
    taken: set[str] = set()
    pieces = tuple(
        tuple(_free(f"{name}_{k}" if numbered else name, taken) for name in part.parameters)
        for k, part in enumerate(parts, 1)
    )
    return Layout(pieces, tuple(_free(name, taken) for name in own))


def _free(name: str, taken: set[str]) -> str:
    found, k = name, 1
    while found in taken:
        k += 1
        found = f"{name}_{k}"
    taken.add(found)
    return found


def sample_of(form: type[Family], rng: np.random.Generator, shape: tuple[int, ...], theta: Sequence[Any]) -> Any:
    """Return a sample of a part, of this shape, to which its parameters broadcast."""
    whole = [np.broadcast_to(t, shape[1:]) for t in theta]
    return form(**dict(zip(form.parameters, whole, strict=True))).sample(shape[0], rng)


# Parts' formulas for every y, off their support too


def supported(write: Write, form: type[Family], y: Value, theta: Sequence[Value]) -> Value | None:
    """Write whether y has a positive density; None where every y that may be observed has."""
    if form.inside is not None:
        return write(form.inside, y, *theta)
    return None if form.support in (Real, Whole) else write(form.support.contains, y)


def loss_of(write: Write, form: type[Family], y: Value, theta: Sequence[Value]) -> Value:
    """Write the loss of a part, infinite off its support."""
    loss, inside = write(form.loss, y, *theta), supported(write, form, y, theta)
    return loss if inside is None else where(inside, loss, INF)


def ends_of(write: Write, form: type[Family], theta: Sequence[Value]) -> tuple[Any, Any]:
    """Write the ends of a part's support: numbers, or values."""
    if form.ends is None:
        return form.support.low, form.support.high
    low, high = write.several(form.ends, 2, *theta)
    return low, high


def tails_of(write: Write, form: type[Family], y: Value, theta: Sequence[Value]) -> tuple[Value, Value]:
    """Write log P(Y <= y) and log P(Y > y) of a part, for every y."""
    low, high = ends_of(write, form, theta)
    if form.observations.discrete:
        y = write(floor, y)
        below, inner = y < low, _clipped(write, 0.0, low, high)
    else:
        below = y <= low  # a single point has no mass under a density
        inner = _larger(write, low, -FAR) * 0.5 + _smaller(write, high, FAR) * 0.5
    above = y >= high
    at = where(below | above, inner, y)
    lower, upper = write(form.log_cdf, at, *theta), write(form.log_sf, at, *theta)
    return where(below, -INF, where(above, 0.0, lower)), where(below, 0.0, where(above, -INF, upper))


def _value(write: Write, x: Any) -> Value:
    return Value(write, write.name_of(x))


def _larger(write: Write, a: Any, b: Any) -> Value:
    return where(_value(write, a) > b, a, b)


def _smaller(write: Write, a: Any, b: Any) -> Value:
    return where(_value(write, a) < b, a, b)


def _clipped(write: Write, x: float, low: Any, high: Any) -> Value:
    return _smaller(write, _larger(write, low, x), high)
