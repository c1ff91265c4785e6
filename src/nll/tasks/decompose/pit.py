"""The probability integral transform of densities and counts, and whether it is uniform."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.errors import UsageError
from nll.families.family import Family
from nll.families.normal import Normal
from nll.numerics.formula import quiet
from nll.results.grouped import Grouped
from nll.results.pit import Pit
from nll.results.score import Score, Scores
from nll.states.tally import Tallies
from nll.tasks.chunks import Chunk
from nll.tasks.compare.tails import log_chi_square_sf, two_sided_normal
from nll.tasks.decompose.decompose import Work, canonical, key_of
from nll.tasks.draws import mixed
from nll.tasks.keys import group_codes
from nll.tasks.tally import Step

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]
BINS = 20
U = np.uint64
TERMS = 100


@dataclass(frozen=True, slots=True)
class Part:
    """Rows: u, its residual, and (2, n) the squared error and the variance of each; with groups, their keys."""

    u: Array
    residual: Array
    moments: Array
    keys: list[pl.Series] | None = None

    def of(self, rows: Array) -> Part:
        """Return some rows, without their keys."""
        return Part(self.u[rows], self.residual[rows], self.moments[:, rows])


@dataclass(slots=True)
class State:
    """The score so far, and the rows by chunk."""

    tally: Tallies
    parts: dict[int, Part] = field(default_factory=dict)

    def merge(self, other: State) -> None:
        """Add another state."""
        self.tally.merge(other.tally)
        self.parts.update(other.parts)


@dataclass(frozen=True, slots=True)
class PitStep:
    """Adds the rows of a chunk to a State."""

    score: Step
    form: type[Family]
    seed: int

    def zero(self) -> State:
        """Return the state of no rows."""
        return State(self.score.zero())

    def __call__(self, state: State, chunk: Chunk) -> None:
        """Add rows."""
        self.score(state.tally, chunk)
        ready = self.score.prepare(chunk)
        if ready.size == 0:
            return
        y = ready.y.astype(np.float64)
        dist = self.form(**dict(zip(self.form.parameters, ready.theta, strict=True)))
        possible = np.isfinite(np.asarray(dist.log_prob(y)) + np.zeros(len(y)))
        row = ready.index if ready.index is not None else np.arange(len(y))
        u, residual = transformed(dist, y, uniform(self.seed, row + ready.first) if dist.discrete else None)
        keys = None
        if chunk.keys is not None:
            at = np.flatnonzero(possible) if ready.index is None else ready.index[possible]
            keys = [key.gather(at) for key in chunk.keys]
        state.parts[chunk.first] = replace(Part(u, residual, np.array(moments(dist, y))).of(possible), keys=keys)


def uniform(seed: int, rows: Array) -> Array:
    """Return a number in (0, 1) for each row, from the seed and the row's number alone."""
    with np.errstate(over="ignore"):
        bits = mixed(mixed(np.full(len(rows), seed, np.uint64) + U(0x9E3779B97F4A7C15)) ^ mixed(rows.astype(np.uint64)))
    return ((bits >> U(11)).astype(np.float64) + 0.5) * 2.0**-53


def transformed(dist: Family, y: Array, v: Array | None) -> tuple[Array, Array]:
    """Return u and its normal quantile, by the tail in which nothing is lost.

    Of a count, u = P(Y < y) + v P(Y = y).

    Source: P. K. Dunn and G. K. Smyth, Randomized quantile residuals, Journal of Computational and Graphical
    Statistics 5 (1996), section 2.
    """
    lower, upper, *count = tails(dist, y)
    if v is not None:
        below, mass = count
        with quiet():
            lower, upper = np.logaddexp(below, mass + np.log(v)), np.logaddexp(upper, mass + np.log1p(-v))
    lower, upper = (np.minimum(side + np.zeros(len(y)), 0.0) for side in (lower, upper))
    standard: Any = Normal(loc=0.0, scale=1.0)
    low = lower < upper
    half = math.log(0.5)
    residual = np.where(
        low,
        standard.quantile(np.where(low, lower, half), log_scale=True),
        standard.quantile(np.where(low, half, upper), upper=True, log_scale=True),
    )
    return np.where(low, np.exp(lower), -np.expm1(upper)), residual


def tails(dist: Family, y: Array) -> list[Array]:
    """Return log P(Y <= y) and log P(Y > y); of counts also log P(Y < y) and log P(Y = y)."""
    which: Any = slice(None)
    if dist.discrete and all(np.ndim(value) == 0 for value in dist.theta.values()):
        y, which = np.unique(y, return_inverse=True)  # few differ
    found = [dist.log_cdf(y), dist.log_sf(y)]
    if dist.discrete:
        found += [dist.log_cdf(y - 1.0), dist.log_prob(y)]
    return [np.asarray(each)[which] for each in found]


def moments(dist: Family, y: Array) -> tuple[Array, Array]:
    """Return the squared error of the mean, and the variance, of each row; NaN where there is no closed form."""
    try:
        mean, variance = dist.mean(), dist.variance()
    except UsageError:
        nothing = np.full(len(y), math.nan)
        return nothing, nothing
    return (y - mean) ** 2, variance + np.zeros(len(y))


def of_density(work: Work, seed: int) -> Pit | Grouped:
    """Check the calibration of a density, or of a distribution of counts."""
    bound, form = work.bound, work.bound.form
    if form.event or form.log_cdf is None or form.log_sf is None:
        raise UsageError(f"{form.signature()} has no P(Y <= y) here: decompose needs one for its transform")
    state = work.reduce(PitStep(work.step(), form, seed))
    score = work.finish(state.tally)
    parts = [state.parts[first] for first in sorted(state.parts)]
    rows = joined(parts)
    discrete = bool(form.observations.discrete)
    if not isinstance(score, Scores):
        return pit_of(rows, score, discrete, seed)
    return Grouped(bound.by, ByKey(rows, score, discrete, seed), pit_of(rows, score.total, discrete, seed))


def joined(parts: list[Part]) -> Part:
    """Return the rows of all chunks, in their order."""
    import polars as pl

    if not parts:
        return Part(np.empty(0), np.empty(0), np.empty((2, 0)))
    keys = None
    if parts[0].keys is not None:
        columns = zip(*(part.keys or [] for part in parts), strict=True)
        keys = [pl.concat([text(key) for key in column]) for column in columns]
    return Part(
        np.concatenate([part.u for part in parts]),
        np.concatenate([part.residual for part in parts]),
        np.concatenate([part.moments for part in parts], axis=1),
        keys,
    )


def text(key: pl.Series) -> pl.Series:
    """Return a column of categories as text: those of two chunks may have other codes."""
    import polars as pl

    return key.cast(pl.String) if key.dtype in (pl.Categorical, pl.Enum) else key


def pit_of(rows: Part, score: Score, discrete: bool, seed: int) -> Pit:
    """Return what rows say of the calibration."""
    found = *tests(rows.u, rows.residual), *roots(rows.moments)
    return Pit(score, rows.u.size, discrete, seed, *found)  # type: ignore[arg-type]


class ByKey(Mapping[Any, Pit]):
    """The Pit of each group, made when it is asked for."""

    def __init__(self, rows: Part, scores: Scores, discrete: bool, seed: int) -> None:
        self.rows, self.scores, self.discrete, self.seed = rows, scores, discrete, seed
        self.places: dict[Any, Array] = {}
        if rows.keys is not None and rows.u.size:
            codes, keys = group_codes(rows.keys)
            order = np.argsort(codes, kind="stable")
            ends = np.searchsorted(codes[order], np.arange(len(keys) + 1)).tolist()
            for key, start, stop in zip(keys, ends[:-1], ends[1:], strict=True):
                self.places[tuple(map(canonical, key))] = order[start:stop]

    def __getitem__(self, key: Any) -> Pit:
        score = self.scores[key]
        at = self.places.get(key_of(self.scores, key), np.empty(0, np.int64))
        return pit_of(self.rows.of(at), score, self.discrete, self.seed)

    def __iter__(self) -> Any:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)


def roots(both: Array) -> tuple[float, float]:
    """Return the roots of the mean variance and of the mean squared error."""
    if not both.size:
        return math.nan, math.nan
    error, variance = np.sqrt(both.mean(axis=1))
    return float(variance), float(error)


def tests(u: Array, residual: Array) -> tuple[Any, ...]:
    """Return the tests of uniform u and normal residuals, and the histogram of u."""
    n = u.size
    if not n:
        return (*[math.nan] * 12, ())
    ordered, places = np.sort(u), np.arange(n + 1) / n
    ks = float(max((places[1:] - ordered).max(), (ordered - places[:-1]).max()))
    centred = u - 0.5
    mean, variance = float(u.mean()), float((centred**2).mean())
    # E (u - 1/2)**2 = 1/12 and E (u - 1/2)**4 = 1/80.
    z_mean, z_variance = (mean - 0.5) * math.sqrt(12.0 * n), (variance - 1.0 / 12.0) * math.sqrt(180.0 * n)
    m, sd = float(residual.mean()), float(residual.std())
    scaled = (residual - m) / sd if sd > 0.0 else np.full(n, math.nan)
    skewness, kurtosis = float((scaled**3).mean()), float((scaled**4).mean()) - 3.0
    normality = n / 6.0 * (skewness**2 + kurtosis**2 / 4.0)
    normality_p = math.nan if math.isnan(normality) else math.exp(log_chi_square_sf(normality, 2))
    histogram = np.bincount(np.minimum((u * BINS).astype(np.int64), BINS - 1), minlength=BINS) / n
    return (
        *(ks, kolmogorov(ks, n)),
        *(mean, two_sided_normal(z_mean), variance, two_sided_normal(z_variance)),
        *(m, sd, skewness, kurtosis, normality, normality_p),
        tuple(histogram.tolist()),
    )


def kolmogorov(distance: float, n: int) -> float:
    """Return P(D_n >= distance), asymptotically with Stephens' correction: to a few thousandths from 10 rows on.

    Source: M. A. Stephens, Use of the Kolmogorov-Smirnov, Cramer-von Mises and related statistics without extensive
    tables, Journal of the Royal Statistical Society B 32 (1970), section 3.
    """
    x = (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * distance
    if x < 0.2:
        return 1.0
    p = 2.0 * sum((-1.0) ** (k - 1) * math.exp(-2.0 * (k * x) ** 2) for k in range(1, TERMS))
    return min(1.0, max(0.0, p))
