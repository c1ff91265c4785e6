"""What a parameter may be, what may be observed, and where a density is positive: sets of numbers, as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from nll.numerics.bits import floor
from nll.numerics.formula import formula

INF = float("inf")


class Constraint:
    """A set of numbers: its words for messages, its test as a formula, its link to the unconstrained line.

    Attributes
    ----------
    words : how an error says it: "probs must be in [0, 1]".
    contains : the test, a formula of one number; false for NaN.
    link : the map to the real line on which a fit runs: "identity", "log", "logit", or "" where there is none.
    discrete : whether the set holds whole numbers only.
    low, high : its ends.
    """

    words: ClassVar[str]
    contains: ClassVar[Callable[[float], bool]]
    link: ClassVar[str] = ""
    discrete: ClassVar[bool] = False
    low: ClassVar[float] = -INF
    high: ClassVar[float] = INF

    def __init_subclass__(cls) -> None:
        cls.contains = staticmethod(formula(cls.__dict__["contains"]))


class Real(Constraint):
    words = "finite"
    link = "identity"

    def contains(x):
        return abs(x) < INF


class ExtendedReal(Constraint):
    """Real, or an infinity: a log-probability or a logit may be one."""

    words = "a number, not NaN"
    link = "identity"

    def contains(x):
        return x == x


class Bound(Constraint):
    """Where an interval ends: known and never fitted."""

    words = "a number or an infinity, not NaN"

    def contains(x):
        return x == x


class Positive(Constraint):
    words = "positive and finite"
    link = "log"
    low = 0.0

    def contains(x):
        return (x > 0.0) & (x < INF)


class NonNegative(Constraint):
    words = "at least 0 and finite"
    link = "log"
    low = 0.0

    def contains(x):
        return (x >= 0.0) & (x < INF)


class Probability(Constraint):
    words = "in [0, 1]"
    link = "logit"
    low = 0.0
    high = 1.0

    def contains(x):
        return (x >= 0.0) & (x <= 1.0)


class LogProbability(Constraint):
    words = "at most 0, not NaN"
    high = 0.0

    def contains(x):
        return x <= 0.0


class UnitInterval(Constraint):
    words = "in (0, 1)"
    link = "logit"
    low = 0.0
    high = 1.0

    def contains(x):
        return (x > 0.0) & (x < 1.0)


class Binary(Constraint):
    words = "0 or 1"
    discrete = True
    low = 0.0
    high = 1.0

    def contains(x):
        return (x == 0.0) | (x == 1.0)


class Whole(Constraint):
    words = "a whole number"
    discrete = True

    def contains(x):
        return (floor(x) == x) & (abs(x) < INF)


class Count(Constraint):
    words = "a whole number, at least 0"
    discrete = True
    low = 0.0

    def contains(x):
        return (x >= 0.0) & (floor(x) == x) & (x < INF)
