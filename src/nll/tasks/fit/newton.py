"""Newton's method with a trust region, for many independent problems at once.

Each iteration is one evaluation of all problems that are still moving. Steps are measured in coordinates in which one
row's information is about 1, and decreases in nats, so nothing depends on the unit of the data or on their number.
The step in the trust region: J. Nocedal and S. J. Wright, Numerical Optimization, 2nd edition (2006), section 4.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Evaluate = Callable[[Array, Array], tuple[Array, Array, Array]]

TOLERANCE = 1e-10  # nats that a step could still gain
AHEAD = 0.1  # how far under it a gain must be that is foretold, not evaluated
NOISE = 1e-14  # of a sum of losses, relative
LIMIT = 150
FIRST_RADIUS, LARGEST_RADIUS, LEAST_RADIUS = 1.0, 100.0, 1e-9
CLOSE = 0.95  # of the radius: a step that is this long ends at the border
RUNAWAY = 100.0  # how far coordinates may go: e**100

MOVING, CONVERGED, STALLED, UNBOUNDED, TIRED, INFEASIBLE = range(6)
REASONS = {
    STALLED: "no step lowers the loss, though the gradient is not 0: the maximum lies at an edge of the support",
    UNBOUNDED: "the likelihood is unbounded: it grows on and on",
    TIRED: f"no maximum within {LIMIT} steps",
    INFEASIBLE: "no parameters were found under which all rows are possible",
}


@dataclass(slots=True)
class Path:
    """Where searches stand: one entry a problem.

    Attributes
    ----------
    eta : (n, k), coordinates; loss (n,), gradient (n, k) and hessian (n, k, k), in nats, where last evaluated.
    unit : (n, k), the length of each coordinate's trust region.
    status : (n,), one of MOVING ... INFEASIBLE; steps (n,), taken.
    begin : (n, k), the start.
    last : (n, k), the final step, which was not evaluated.
    """

    eta: Array
    loss: Array
    gradient: Array
    hessian: Array
    unit: Array
    status: Array
    steps: Array
    begin: Array
    last: Array

    def chosen(self, which: Array) -> Path:
        """Return some of the searches."""
        return Path(*(getattr(self, name)[which] for name in self.__slots__))


def minimise(
    evaluate: Evaluate, eta: Array, weight: Array, linear: Array, unit: Array | None = None, ahead: bool = False,
    tolerance: float = TOLERANCE,
) -> Path:  # fmt: skip
    """Return where Newton's method ends.

    Parameters
    ----------
    evaluate : takes coordinates (m, k) and the indices (m,) of their problems; returns loss, gradient, Hessian.
    eta : the starts (n, k).
    weight : (n,), the rows' weight of each problem.
    linear : (k,), which coordinates have the unit of something, so that their scale is found from the Hessian.
    unit : (n, k), that scale where it is known.
    ahead : whether to end one evaluation early, where steps contract so fast that the next is known to be the last.
    tolerance : in nats, what a step may still gain at the end.
    """
    n = len(eta)
    everything = np.arange(n)
    loss, gradient, hessian = evaluate(eta, everything)
    unit = units(hessian, gradient, weight, linear) if unit is None else unit
    path = Path(
        eta.copy(), loss, gradient, hessian, unit, np.zeros(n, np.int64), np.zeros(n, np.int64), eta.copy(),
        np.zeros_like(eta),
    )  # fmt: skip
    path.status[~usable(loss, gradient, hessian)] = INFEASIBLE
    radius, before = np.full(n, FIRST_RADIUS), np.full(n, np.nan if ahead else 0.0)
    for _ in range(LIMIT):
        active = np.flatnonzero(path.status == MOVING)
        if active.size == 0:
            break
        with np.errstate(all="ignore"):
            advance(evaluate, path, radius, before, weight, active, tolerance)
    path.status[path.status == MOVING] = TIRED
    return path


def usable(loss: Array, gradient: Array, hessian: Array) -> Array:
    """Return which problems have finite values."""
    return np.isfinite(loss) & np.isfinite(gradient).all(axis=1) & np.isfinite(hessian).all(axis=(1, 2))


def units(hessian: Array, gradient: Array, weight: Array, linear: Array) -> Array:
    """Return the length of each coordinate over which a row's loss changes by about 1."""
    with np.errstate(all="ignore"):
        bend = np.sqrt(np.abs(np.diagonal(hessian, axis1=1, axis2=2)) / weight[:, None])
        slope = np.abs(gradient) / weight[:, None]
        size = 1.0 / np.where(bend > 1e-6 * slope, bend, slope)
    return np.where(linear & np.isfinite(size) & (size > 0.0), size, 1.0)


def advance(
    evaluate: Evaluate, path: Path, radius: Array, before: Array, weight: Array, active: Array, tolerance: float
) -> None:
    """Take one step of each moving problem, or end it."""
    w, d = weight[active], path.unit[active]
    step, gain, inner = resolved_step(path, active, w, d, radius[active])
    gain, size = gain * w, np.linalg.norm(step, axis=1)
    # Newton's gains contract by the square of their ratio: what the step after this one would still gain.
    left = gain * (gain / before[active]) ** 2
    done = (gain < tolerance) & (inner | (radius[active] >= 0.1)) | (inner & (left < AHEAD * tolerance))
    before[active] = np.where(inner & (before[active] != 0.0), gain, before[active])
    if done.any():
        ended = active[done]
        path.status[ended] = CONVERGED
        small = inner[done] & (size[done] < 0.1)
        path.last[ended] = np.where(small[:, None], step[done] * d[done], 0.0)
        active, step, gain, size, inner, w, d = (x[~done] for x in (active, step, gain, size, inner, w, d))
        if active.size == 0:
            return
    trial = path.eta[active] + step * d
    loss, gradient, hessian = evaluate(trial, active)
    good = usable(loss, gradient, hessian)
    noise = NOISE * (np.abs(path.loss[active]) + w)
    drop = path.loss[active] - loss
    ratio = np.where(good, drop / gain, -1.0)
    taken = good & ((ratio > 1e-4) | ((gain < 100.0 * noise) & (drop > -10.0 * noise)))
    at = active[taken]
    path.eta[at], path.loss[at] = trial[taken], loss[taken]
    path.gradient[at], path.hessian[at] = gradient[taken], hessian[taken]
    path.steps[active] += 1
    wide = (ratio > 0.75) & (size > 0.8 * radius[active])
    radius[active] = np.where(
        ~taken | (ratio < 0.25), np.where(taken & (gain < 100.0 * noise), radius[active], 0.25 * size), radius[active]
    )
    radius[active] = np.where(taken & wide, np.minimum(2.5 * radius[active], LARGEST_RADIUS), radius[active])
    path.status[active[radius[active] < LEAST_RADIUS]] = STALLED
    far = np.abs((path.eta - path.begin)[active] / path.unit[active]).max(axis=1) > RUNAWAY
    falls = (ratio > 0.5) & (gain > 1e-3 * w)
    path.status[active[far & falls]] = UNBOUNDED


def resolved_step(path: Path, active: Array, w: Array, d: Array, radius: Array) -> tuple[Array, Array, Array]:
    """Return the step of `region_step`; coordinates that it would move by less than their last digit stay."""
    scaled = path.hessian[active] * d[:, :, None] * d[:, None, :] / w[:, None, None]
    slope = path.gradient[active] * d / w[:, None]
    step, gain, inner = region_step(scaled, slope, radius)
    eta = path.eta[active]
    alone = slope / np.abs(np.diagonal(scaled, axis1=1, axis2=2))
    still = (eta + step * d == eta) & (eta + alone * d == eta) & (step != 0.0)
    still |= (slope == 0.0) & (scaled == 0.0).all(axis=2)  # the rows say nothing of it
    if still.any():  # the others go to their best beside them, or both would jitter without end
        slope = np.where(still, 0.0, slope)
        scaled = np.where(still[:, :, None] | still[:, None, :], 0.0, scaled) + still[:, :, None] * np.eye(len(d[0]))
        step, gain, inner = region_step(scaled, slope, radius)
    return step, gain, inner


def region_step(hessian: Array, slope: Array, radius: Array) -> tuple[Array, Array, Array]:
    """Return the step that lowers the quadratic model most within a radius, its gain, and whether it is Newton's."""
    values, vectors = np.linalg.eigh(hessian)
    a = np.einsum("nij,ni->nj", vectors, slope)
    least = values[:, 0]
    z = -a / values
    inner = (least > 0.0) & (np.linalg.norm(z, axis=1) <= radius)
    if not inner.all():
        rest = ~inner
        z[rest] = border(values[rest], a[rest], radius[rest])
    gain = -np.sum(a * z + 0.5 * values * z * z, axis=1)
    return np.einsum("nij,nj->ni", vectors, z), gain, inner


def border(values: Array, a: Array, radius: Array) -> Array:
    """Return the steps, in eigenvectors, that end on the border of the region."""
    low = np.maximum(0.0, -values[:, 0])
    size = np.linalg.norm(a, axis=1)
    high = low + size / radius + 1e-300
    for _ in range(50):
        middle = 0.5 * (low + high)
        length = np.linalg.norm(a / (values + middle[:, None]), axis=1)
        long = length > radius
        low, high = np.where(long, middle, low), np.where(long, high, middle)
        if (~long & (length > CLOSE * radius) & (values[:, 0] > 0.0)).all():  # else below, a length tells hard cases
            break
    z = -a / np.maximum(values + high[:, None], 1e-300)
    z = np.where(np.isfinite(z), z, 0.0)
    short = np.sqrt(np.maximum(radius**2 - np.sum(z * z, axis=1), 0.0))
    hard = (values[:, 0] <= 0.0) & (short > 1e-3 * radius)  # the slope has no part along the worst direction
    z[:, 0] += np.where(hard, np.where(a[:, 0] > 0.0, -1.0, 1.0) * short, 0.0)
    return z
