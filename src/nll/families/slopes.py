"""Derivatives of a loss in the observation: what a change of variables needs of the family that it changes.

They follow from those in the parameters where one of these moves or stretches the distribution:

    loss = h(y - m)              gives  loss' = -d loss/dm
    loss = h(y / s) + log(s)     gives  y loss' = 1 - s d loss/ds
    loss = h(b y) - log(b)       gives  y loss' = 1 + b d loss/db
    loss = h(log(y) - m) + log y gives  y loss' = 1 - d loss/dm

and by one more derivative the second ones. Beta, InverseGaussian and Uniform have their own; mixtures and truncated
families those of their parts. Of other families (Kumaraswamy, your own, transformed ones) they are central
differences of eighth order, with a step of 1/64 of the distance to the nearest end of the support (of 1 + |y| where it
has none): relative errors near 1e-12 where the loss is smooth on that distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from nll.families.combined import Combined
from nll.families.family import Family
from nll.families.parts import INF, ends_of, loss_of
from nll.families.tracing import Value, Write, where
from nll.numerics.elementary import exp

MOVED = {
    *("Cauchy", "GEV", "GeneralizedNormal", "GeneralizedPareto", "Gumbel", "GumbelMin", "Laplace", "Logistic"),
    *("Normal", "SkewNormal", "StudentT", "VonMises"),
}
STRETCHED = {
    **dict.fromkeys(("GeneralizedPareto", "HalfCauchy", "HalfNormal", "LogLogistic", "Pareto"), "scale"),
    **dict.fromkeys(("Rayleigh", "Weibull"), "scale"),
    "InverseGamma": "rate",
}
SHRUNK = {"Exponential": "rate", "Gamma": "rate"}
STEP = 2.0**-6
# Central differences of eighth order at steps 1, 2, 3, 4: first and second derivatives.
# B. Fornberg, Generation of Finite Difference Formulas on Arbitrarily Spaced Grids (1988), table 1.
FIRST = (4.0 / 5.0, -1.0 / 5.0, 4.0 / 105.0, -1.0 / 280.0)
SECOND = (8.0 / 5.0, -1.0 / 5.0, 8.0 / 315.0, -1.0 / 560.0)
MIDDLE = -205.0 / 72.0


class InY(NamedTuple):
    """The first and the second derivative of a loss in y, and the first's derivatives in the parameters."""

    slope: Value
    bend: Value
    mixed: list[Value]


def value(write: Write, x: Any) -> Value:
    """Return a number as a symbolic one."""
    return x if isinstance(x, Value) else Value(write, write.name_of(x))


def in_y(write: Write, form: type[Family], y: Value, theta: Sequence[Value]) -> InY:
    """Write the derivatives of a form's loss in y."""
    if issubclass(form, Combined):
        if form.combinator.name in ("Truncated", "Hurdle"):
            pieces, own = form.layout.split(theta)
            slope, bend, mixed = in_y(write, form.parts[0], y, pieces[0])
            return InY(slope, bend, [*mixed, *(value(write, 0.0) for _ in own)])
        found = _mixture if form.combinator.name == "Mixture" else _differences
        return found(write, form, y, theta)
    name, parameters = form.family.__name__, list(form.parameters)
    if name == "Uniform":
        return InY(value(write, 0.0), value(write, 0.0), [value(write, 0.0) for _ in theta])
    if name in ("Beta", "InverseGaussian"):
        return _beta(y, *theta) if name == "Beta" else _inverse_gaussian(y, *theta)
    if name in MOVED and "loc" in parameters:
        return _moved(write, form, y, theta, parameters.index("loc"))
    if name == "LogNormal":
        return _log_moved(write, form, y, theta, parameters.index("loc"))
    if STRETCHED.get(name) in parameters:
        return _stretched(write, form, y, theta, parameters.index(STRETCHED[name]))
    if SHRUNK.get(name) in parameters:
        return _shrunk(write, form, y, theta, parameters.index(SHRUNK[name]))
    return _differences(write, form, y, theta)


def gradient_of(write: Write, form: type[Family], y: Value, theta: Sequence[Value]) -> list[Value]:
    """Write the gradient of a form's loss."""
    return write.several(form.gradient, len(theta), y, *theta)


def hessian_of(write: Write, form: type[Family], y: Value, theta: Sequence[Value]) -> list[list[Value]]:
    """Write the Hessian of a form's loss, both triangles."""
    size = len(theta)
    triangle = iter(write.several(form.hessian, size * (size + 1) // 2, y, *theta))
    upper = {(j, k): next(triangle) for j in range(size) for k in range(j, size)}
    return [[upper[min(j, k), max(j, k)] for k in range(size)] for j in range(size)]


def _moved(write: Write, form: type[Family], y: Value, theta: Sequence[Value], at: int) -> InY:
    row = hessian_of(write, form, y, theta)[at]
    return InY(-gradient_of(write, form, y, theta)[at], row[at], [-each for each in row])


def _log_moved(write: Write, form: type[Family], y: Value, theta: Sequence[Value], at: int) -> InY:
    row = hessian_of(write, form, y, theta)[at]
    slope = (1.0 - gradient_of(write, form, y, theta)[at]) / y
    return InY(slope, (row[at] / y - slope) / y, [-each / y for each in row])


def _stretched(write: Write, form: type[Family], y: Value, theta: Sequence[Value], at: int) -> InY:
    scale, gradient = theta[at], gradient_of(write, form, y, theta)
    row = [scale * each for each in hessian_of(write, form, y, theta)[at]]
    pull = scale * gradient[at]
    mixed = [-(each + gradient[at] if k == at else each) / y for k, each in enumerate(row)]
    return InY((1.0 - pull) / y, (scale * row[at] + 2.0 * pull - 1.0) / y / y, mixed)


def _shrunk(write: Write, form: type[Family], y: Value, theta: Sequence[Value], at: int) -> InY:
    rate, gradient = theta[at], gradient_of(write, form, y, theta)
    row = [rate * each for each in hessian_of(write, form, y, theta)[at]]
    mixed = [(each + gradient[at] if k == at else each) / y for k, each in enumerate(row)]
    return InY((1.0 + rate * gradient[at]) / y, (rate * row[at] - 1.0) / y / y, mixed)


def _beta(y: Value, a: Value, b: Value) -> InY:
    # loss = -(a - 1) log(y) - (b - 1) log(1 - y) + a constant
    left, right = 1.0 / y, 1.0 / (1.0 - y)
    bend = (a - 1.0) * left * left + (b - 1.0) * right * right
    return InY((b - 1.0) * right - (a - 1.0) * left, bend, [-left, right])


def _inverse_gaussian(y: Value, mean: Value, shape: Value) -> InY:
    # loss = shape (y - mean)**2 / (2 mean**2 y) + 3/2 log(y) + a constant
    inverse, of_mean = 1.0 / y, 1.0 / mean
    gap = 0.5 * (of_mean - inverse) * (of_mean + inverse)
    bend = (shape * inverse - 1.5) * inverse * inverse
    return InY(1.5 * inverse + shape * gap, bend, [-shape * of_mean * of_mean * of_mean, gap])


def _mixture(write: Write, form: type[Combined], y: Value, theta: Sequence[Value]) -> InY:
    """Write them for loss = -log(sum of w e**-part), by the share that each part has of the density at y."""
    pieces, weights = form.layout.split(theta)
    whole = loss_of(write, form, y, theta)
    parts = []
    for part, piece, weight in zip(form.parts, pieces, weights, strict=True):
        odds = write(exp, whole - loss_of(write, part, y, piece))
        parts.append((weight * odds, odds, in_y(write, part, y, piece), gradient_of(write, part, y, piece)))
    slope = sum((_share(r, d.slope) for r, _, d, _ in parts), value(write, 0.0))
    bend = sum((_share(r, d.bend - d.slope * d.slope) for r, _, d, _ in parts), slope * slope)
    mixed, in_weights = [], []
    for share, odds, own, gradient in parts:
        for each, cross in zip(gradient, own.mixed, strict=True):
            mixed.append(_share(share, cross - own.slope * each + slope * each))
        in_weights.append(_share(odds, own.slope - slope))
    return InY(slope, bend, [*mixed, *in_weights])


def _share(share: Value, term: Value) -> Value:
    return where(share > 0.0, share * term, 0.0)  # a part that is off its support may have no number


def _differences(write: Write, form: type[Family], y: Value, theta: Sequence[Value]) -> InY:
    low, high = ends_of(write, form, theta)
    size = where(y < 0.0, -y, y) + 1.0
    near, far = y - low, high - y
    size = near if isinstance(low, float) and low > -INF else where(near < INF, near, size)
    size = where(far < size, far, size)
    step = STEP * size

    def quotient(at: Any) -> Value:
        return sum((c * (at(k) - at(-k)) for k, c in enumerate(FIRST, 1)), value(write, 0.0)) / step

    losses = {k: write(form.loss, y + k * step, *theta) for k in range(-4, 5)}
    slopes = {k: gradient_of(write, form, y + k * step, theta) for k in range(-4, 5) if k}
    bend = sum((c * (losses[k] + losses[-k]) for k, c in enumerate(SECOND, 1)), MIDDLE * losses[0]) / step / step
    mixed = [quotient(lambda k, j=j: slopes[k][j]) for j in range(len(theta))]
    return InY(quotient(losses.__getitem__), bend, mixed)
