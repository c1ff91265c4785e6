"""What simple maps of forecasts would gain: temperature, Platt and isotonic, in sample and held out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.kernels.slope import slope_sums
from nll.results.decomposition import Recalibration
from nll.tasks.decompose.cells import Cells
from nll.tasks.decompose.corp import BLOCK, cell_losses, in_blocks, of_blocks, recalibrated

Array = npt.NDArray[Any]
SAMPLED = 2**18  # cells that begin a fit of more
COMPILED = 2**18  # cells from which a compiled pass pays
STEPS = 60
HALVINGS = 30


def log_odds(cells: Cells, threads: int = 1) -> Array:
    """Return log(p / (1 - p)) of each cell."""
    if cells.logits:
        return cells.forecast
    out = np.empty(cells.forecast.size)

    def block(start: int) -> None:
        p = cells.forecast[start : start + BLOCK]
        with np.errstate(divide="ignore"):
            np.subtract(np.log(p), np.log1p(-p), out=out[start : start + BLOCK])

    in_blocks(block, out.size, threads)
    return out


def losses(z: Array, happened: Array) -> Array:
    """Return log(1 + e**-z) where the event happened, log(1 + e**z) where not."""
    t = np.where(happened, -z, z)
    return np.maximum(t, 0.0) + np.log1p(np.exp(-np.abs(t)))


def scaled(z: Array, slope: float, intercept: float) -> Array:
    """Return the mapped log-odds; infinite ones stay so for a slope above 0."""
    with np.errstate(invalid="ignore"):
        mapped = slope * z + intercept
    return np.where(np.isnan(mapped), intercept, mapped)


def fit_slope(z: Array, happened: Array, mass: Array, intercept: bool, threads: int = 1) -> tuple[float, float, float]:
    """Return slope and intercept of least mean loss, and that loss, by Newton's method; NaN where there is none.

    Infinite log-odds are left out: for a slope above 0 they stay as they are.

    Source: J. Platt, Probabilistic outputs for support vector machines (1999), section 2.2, without its priors;
    C. Guo, G. Pleiss, Y. Sun and K. Weinberger, On calibration of modern neural networks (2017), section 4.2.
    """
    use = np.isfinite(z) & (mass > 0.0)
    wrong = ~np.isfinite(z) & (mass > 0.0) & ((z > 0.0) != happened)
    nothing = math.nan, math.nan, math.nan
    if wrong.any() or not use.any():
        return nothing
    total = float(mass.sum())
    if not use.all():
        z, happened, mass = z[use], happened[use], mass[use]
    start = np.array([1.0, 0.0])
    if z.size > 4 * SAMPLED:
        every = z.size // SAMPLED
        found = _newton(z[::every], happened[::every], mass[::every], intercept, start, threads)
        start = start if found is None else found[0]
    found = _newton(z, happened, mass, intercept, start, threads)
    if found is None:
        return nothing
    (slope, shift), value = found
    return float(slope), float(shift), value * (float(mass.sum()) / total)


def _newton(
    z: Array, happened: Array, mass: Array, intercept: bool, theta: Array, threads: int
) -> tuple[Array, float] | None:
    total, scale = float(mass.sum()), float(np.abs(z).max())

    def at(theta: Array) -> Array:
        return np.array(sum(in_blocks(lambda i: _sums(z, happened, mass, theta, i), z.size, threads))) / total

    here = at(theta)
    for _ in range(STEPS):
        gradient, hessian = here[1:3].copy(), here[[3, 4, 4, 5]].reshape(2, 2)
        if not intercept:
            gradient[1], hessian = 0.0, np.array([[here[3], 0.0], [0.0, 1.0]])
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            return None
        decrement = float(gradient @ step)
        if not math.isfinite(decrement) or np.abs(theta - step).max() * max(scale, 1.0) > 1e6:
            return None  # the loss falls without end: outcomes are separated
        if decrement <= 1e-16 * here[0]:
            return theta, float(here[0])
        size = 1.0
        for _ in range(HALVINGS):
            there = at(theta - size * step)
            if there[0] <= here[0]:
                break
            size /= 2.0
        else:
            return theta, float(here[0])
        theta, here = theta - size * step, there
        if size == 1.0 and decrement <= 1e-11 * here[0]:
            return theta, float(here[0])  # the step just made squares the distance that was left
    return None


def _sums(z: Array, happened: Array, mass: Array, theta: Array, start: int) -> Array:
    """Return the sums of loss, gradient (2) and Hessian (3) over a block of cells."""
    rows = slice(start, start + BLOCK)
    if z.size >= COMPILED:
        return slope_sums(z[rows], happened[rows], mass[rows], theta[0], theta[1])
    z, happened, mass = z[rows], happened[rows], mass[rows]
    t = theta[0] * z + theta[1]
    e = np.exp(-np.abs(t))
    q = 1.0 / (1.0 + e)
    loss = np.maximum(np.where(happened, -t, t), 0.0) + np.log1p(e)
    r, w = mass * (np.where(t >= 0.0, q, e * q) - happened), mass * (e * q * q)
    wz = w * z
    terms = (mass * loss, r * z, r, wz * z, wz, w)
    return np.array([term.sum() for term in terms])  # not BLAS, whose own threads would fight with these


def recalibrations(
    cells: Cells, score: float, entropy: float, folds: int, seed: int, threads: int = 1
) -> tuple[tuple[Recalibration, ...], list[str]]:
    """Return the gains of three maps, and remarks on those that do not exist."""
    z, out, remarks = log_odds(cells, threads), [], []
    masses = split(cells, folds, seed) if folds else []
    own = cell_losses(cells) if folds else z
    for method, intercept in (("temperature", False), ("platt", True)):
        slope, shift, after = fit_slope(z, cells.happened, cells.mass, intercept, threads)
        gain = held = math.nan
        if slope == slope:
            gain = max(0.0, score - after)
            held = _held_out(cells, masses, own, lambda mass, i=intercept: _scaling(z, cells, mass, i))
        else:
            remarks.append(f"no {method} map is best: its slope has no finite optimum, or a row is impossible")
        out.append(Recalibration(method, gain, held, slope, shift))
    held = _held_out(cells, masses, own, lambda mass: _isotonic(cells, mass))
    if held == -math.inf:
        remarks.append("held out, the isotonic map rules out some events that then happen: its gain is minus infinity")
    out.append(Recalibration("isotonic", max(0.0, score - entropy), held))
    return tuple(out), remarks


def _scaling(z: Array, cells: Cells, mass: Array, intercept: bool) -> Array:
    slope, shift, _ = fit_slope(z, cells.happened, mass, intercept)
    return losses(scaled(z, slope, shift), cells.happened)


def _isotonic(cells: Cells, mass: Array) -> Array:
    return of_blocks(cells, recalibrated(cells, mass))


def _held_out(cells: Cells, masses: list[Array], own: Array, fit: Any) -> float:
    """Return the mean gain in each fold by a map fitted on the other folds."""
    if not masses:
        return math.nan
    gains = []
    for mass in masses:
        used = mass > 0.0
        after = fit(np.maximum(cells.mass - mass, 0.0))[used]
        if np.isinf(after).any():
            return -math.inf
        with np.errstate(invalid="ignore"):
            gains.append(float((mass[used] * (own[used] - after)).sum()))
    return math.fsum(gains) / float(cells.mass.sum())


def split(cells: Cells, folds: int, seed: int) -> list[Array]:
    """Return the weight of each cell in each fold: rows, or whole clusters, fall into folds at random."""
    rng = np.random.default_rng(seed)
    if cells.cluster is not None:
        fold = rng.integers(0, folds, cells.clusters())[cells.cluster]
        return [np.where(fold == k, cells.mass, 0.0) for k in range(folds)]
    counts = rng.multinomial(cells.count, np.full(folds, 1.0 / folds))
    weight = 1.0 if cells.weight is None else cells.weight
    return [counts[:, k] * weight for k in range(folds)]
