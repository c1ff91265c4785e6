"""The functions that `nll.Transformed` knows: each with its inverse, the logarithm of its slope, and their derivatives.

For x = g**-1(y) and parameters a of g, `inverse` writes x and the cost -log|dx/dy|; `steps` writes dx/da, the upper
triangle of its derivative in a, and both of the cost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from nll.families.bernoulli import sigmoid
from nll.families.constraints import Constraint, Positive, Real, UnitInterval
from nll.families.family import Moments
from nll.families.tracing import Value, Write, where
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, exp, exp_of_sum, log, log1p, log_pair
from nll.numerics.formula import formula
from nll.numerics.pairs import two_product

Steps = tuple[list[Any], list[Any], list[Any], list[Any]]


class NonZero(Constraint):
    """A factor: any finite number but 0."""

    words = "finite and not 0"
    link = "identity"

    def contains(x):
        return (abs(x) < INF) & (x != 0.0)


class Exponent(Constraint):
    """An exponent: known, never fitted."""

    words = "finite and not 0"

    def contains(x):
        return (abs(x) < INF) & (x != 0.0)


class Transform:
    """A strictly monotone function of a number.

    Attributes
    ----------
    domain, words : the ends between which it is defined, and how an error says it.
    image : the set of its values.
    parameters : its parameters.
    begin : where a fit of these begins.
    """

    name: ClassVar[str]
    domain: ClassVar[tuple[float, float]] = (-INF, INF)
    words: ClassVar[str] = "of any size"
    image: ClassVar[type[Constraint]] = Real
    parameters: ClassVar[dict[str, type[Constraint]]] = {}
    begin: ClassVar[tuple[float, ...]] = ()

    def inverse(self, write: Write, y: Value, own: Sequence[Value]) -> tuple[Value, Any]:
        """Write x, and -log|dx/dy|."""
        raise NotImplementedError

    def forward(self, write: Write, x: Value, own: Sequence[Value]) -> Value:
        """Write y."""
        raise NotImplementedError

    def falls(self, own: Sequence[Value]) -> Value | None:
        """Write whether the function falls; None where it never does."""
        return None

    def steps(self, write: Write, x: Value, own: Sequence[Value]) -> Steps:
        """Write dx/da, its derivatives in a, and the same two of the cost."""
        return [], [], [], []

    def before(self, moments: Moments) -> Moments:
        """Return what the moments of y say of those of x, to first order."""
        return moments


class Exp(Transform):
    name = "exp"
    image = Positive

    def inverse(self, write: Write, y: Value, own: Sequence[Value]) -> tuple[Value, Any]:
        x = write(log, y)
        return x, x

    def forward(self, write: Write, x: Value, own: Sequence[Value]) -> Value:
        return write(exp, x)

    def before(self, moments: Moments) -> Moments:
        return Moments(
            moments.log_mean, moments.log_variance, median=moments.log_mean, spread=root(moments.log_variance)
        )


class Log(Transform):
    name = "log"
    domain = (0.0, INF)
    words = "above 0"

    def inverse(self, write: Write, y: Value, own: Sequence[Value]) -> tuple[Value, Any]:
        return write(exp, y), -y

    def forward(self, write: Write, x: Value, own: Sequence[Value]) -> Value:
        return write(log, x)

    def before(self, moments: Moments) -> Moments:
        return of_logs(moments.mean, moments.variance)


class Logit(Transform):
    name = "logit"
    domain = (0.0, 1.0)
    words = "between 0 and 1"

    def inverse(self, write: Write, y: Value, own: Sequence[Value]) -> tuple[Value, Any]:
        size = where(y < 0.0, -y, y)
        return write(sigmoid, y), size + 2.0 * write(log1p, write(exp, -size))

    def forward(self, write: Write, x: Value, own: Sequence[Value]) -> Value:
        return write(log, x) - write(log1p, -x)

    def before(self, moments: Moments) -> Moments:
        share = 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, moments.mean))))
        return Moments(share, moments.variance * (share * (1.0 - share)) ** 2)


class Sigmoid(Transform):
    name = "sigmoid"
    image = UnitInterval

    def inverse(self, write: Write, y: Value, own: Sequence[Value]) -> tuple[Value, Any]:
        left, right = write(log, y), write(log1p, -y)
        return left - right, left + right

    def forward(self, write: Write, x: Value, own: Sequence[Value]) -> Value:
        return write(sigmoid, x)

    def before(self, moments: Moments) -> Moments:
        spread = (moments.mean * (1.0 - moments.mean)) ** 2
        centre = math.log(moments.mean / (1.0 - moments.mean))
        return Moments(centre, moments.variance / spread, median=centre, spread=root(moments.variance / spread))


@formula
def rooted(y, exponent):
    """Return x = y**(1 / exponent), log(y), and log(x), for y > 0."""
    high, low = log_pair(y)
    quotient = high / exponent
    rest = (fma(-quotient, exponent, high) + low) / exponent
    return exp_of_sum(quotient, rest), high, quotient


@formula
def raised(x, exponent):
    """Return x**exponent for x >= 0, an infinity included."""
    high, low = log_pair(x)
    product, rest = two_product(exponent, high)
    inner = (x > 0.0) & (x < INF)
    return exp_of_sum(product, fma(exponent, low, rest)) if inner else exp(exponent * log(x))


class Power(Transform):
    name = "power"
    domain = (0.0, INF)
    words = "above 0"
    image = Positive
    parameters: ClassVar[dict[str, type[Constraint]]] = {"exponent": Exponent}
    begin = (1.0,)

    def inverse(self, write: Write, y: Value, own: Sequence[Value]) -> tuple[Value, Any]:
        x, log_y, log_x = write.several(rooted, 3, y, own[0])
        return x, write(log, where(own[0] < 0.0, -own[0], own[0])) + (log_y - log_x)

    def forward(self, write: Write, x: Value, own: Sequence[Value]) -> Value:
        return write(raised, x, own[0])

    def falls(self, own: Sequence[Value]) -> Value | None:
        return own[0] < 0.0

    def steps(self, write: Write, x: Value, own: Sequence[Value]) -> Steps:
        # x = e**u with u = log(y) / exponent, and the cost is log|exponent| + log(y) - u
        inverse, u = 1.0 / own[0], write(log, x)
        move = -x * u * inverse
        turn = x * u * (u + 2.0) * inverse * inverse
        return [move], [turn], [(1.0 + u) * inverse], [-(1.0 + 2.0 * u) * inverse * inverse]


class Affine(Transform):
    name = "affine"
    parameters: ClassVar[dict[str, type[Constraint]]] = {"shift": Real, "factor": NonZero}
    begin = (0.0, 1.0)

    def inverse(self, write: Write, y: Value, own: Sequence[Value]) -> tuple[Value, Any]:
        shift, factor = own
        return (y - shift) / factor, write(log, where(factor < 0.0, -factor, factor))

    def forward(self, write: Write, x: Value, own: Sequence[Value]) -> Value:
        return own[0] + own[1] * x

    def falls(self, own: Sequence[Value]) -> Value | None:
        return own[1] < 0.0

    def steps(self, write: Write, x: Value, own: Sequence[Value]) -> Steps:
        inverse, none = 1.0 / own[1], 0.0 * own[1]
        square = inverse * inverse
        return [-inverse, -x * inverse], [none, square, 2.0 * x * square], [none, inverse], [none, none, -square]


def root(variance: float) -> float:
    """Return the square root, NaN of what has none."""
    return math.sqrt(variance) if variance >= 0.0 else math.nan


def of_logs(log_mean: float, log_variance: float) -> Moments:
    """Return the moments of a number whose logarithm is about Normal."""
    mean = math.exp(min(log_mean + 0.5 * log_variance, 700.0))
    variance = mean * mean * math.expm1(min(log_variance, 300.0))
    return Moments(mean, variance, log_mean, log_variance, math.exp(min(log_mean, 700.0)))


TRANSFORMS: dict[str, Transform] = {each.name: each for each in (Exp(), Log(), Logit(), Sigmoid(), Power(), Affine())}
