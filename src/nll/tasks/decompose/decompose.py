"""Decompose a score: of events into calibration, discrimination and uncertainty; of densities by their PIT."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.engines.local import Local, Progress
from nll.engines.progress import RowProgress
from nll.errors import UsageError
from nll.families.bernoulli import Bernoulli, BernoulliLogits
from nll.families.categorical import Categorical
from nll.results.decomposition import Decomposition, Decompositions, Recalibration
from nll.results.scale import normal_quantile
from nll.results.score import Score, Scores
from nll.results.student import t_quantile
from nll.states.plain import NAN
from nll.states.tally import Tallies
from nll.tasks.chunks import Chunk, Inputs, inputs
from nll.tasks.decompose.band import consistency_band
from nll.tasks.decompose.cells import Cells, Frames, Pair, cells_of
from nll.tasks.decompose.corp import (
    Excess,
    Means,
    Recalibrated,
    bootstrap_errors,
    delta_errors,
    excess,
    marginal,
    means,
    parts,
    recalibrated,
)
from nll.tasks.decompose.recalibration import recalibrations
from nll.tasks.finish import finish
from nll.tasks.score import Missing, make_step
from nll.tasks.tally import Step

Array = npt.NDArray[Any]
CURVE = ("low", "high", "forecast", "observed", "weight")


@dataclass(frozen=True, slots=True)
class Options:
    """What is made of cells besides the parts."""

    level: float = 0.95
    replicates: int = 0
    recalibrate: bool = True
    folds: int = 0
    band: int = 0
    seed: int = 0
    threads: int = 1

    def check(self) -> None:
        """Refuse what is not valid."""
        if not 0.0 < self.level < 1.0:
            raise UsageError(f"a confidence level is between 0 and 1; got {self.level!r}")
        for name, least in (("replicates", 2), ("folds", 2), ("band", 20)):
            value = getattr(self, name)
            if not isinstance(value, int) or (value != 0 and value < least):
                raise UsageError(f"{name} is 0 for none, or a whole number of at least {least}; got {value!r}")


def decompose(
    y: Any,
    dist: Any,
    data: Any = None,
    *,
    by: Any = None,
    sample_weight: Any = None,
    cluster: Any = None,
    level: float = 0.95,
    replicates: int = 0,
    recalibrate: bool = True,
    folds: int = 0,
    band: int = 0,
    seed: int = 0,
    missing: Missing = "error",
    labels: Any = None,
    where: Any = None,
    threads: int | None = None,
    progress: Progress | bool = True,
) -> Any:
    """Say why a log score is what it is.

    For a Bernoulli, with c the share of events that is the best increasing function of the forecasts:

        score = miscalibration - discrimination + uncertainty
        uncertainty = score of the share of events as a forecast for all rows
        miscalibration = score - score of c; discrimination = uncertainty - score of c

    A Categorical is decomposed by class (each against the others) and by its top label. A density or a distribution
    of counts is checked by its probability integral transform P(Y <= y) (`cluster` and `sample_weight` do not go with
    it).

    Parameters
    ----------
    y, dist, data, by, sample_weight, cluster, missing, labels, where, threads, progress : as in `score`. Without
        groups, weights and clusters, memory grows with the distinct forecasts; with them, with the distinct rows of
        forecast, outcome, group, weight and cluster.
    level : of the intervals. They lie about the corrected means (`Part.corrected`), since a recalibration looks better
        in the rows that it was fitted to; standard errors are by the delta method, or with `replicates` by the
        bootstrap, and hold what the correction is unsure of. Normal; with clusters Student's t, as in `Score.ci`.
    replicates : of a Poisson bootstrap of rows, or of clusters.
    recalibrate : whether to say what a temperature, a Platt map and an isotonic map would gain, in sample.
    folds : how many folds to use for what they gain in rows that they were not fitted on; 0 for none.
    band : how many sets of outcomes to draw from the forecasts, for the consistency band of the diagram and the
        p-value of calibration; 0 for none.
    seed : of the bootstrap, the folds, the band, and the randomised PIT of counts.

    Returns
    -------
    Decomposition; Decompositions by group or class; Pit for densities and counts. By groups, of classes and of
        densities, a Grouped: a mapping from a key to the result of the group's rows, with `total`.

    Raises
    ------
    DataError : as in `score`.
    UsageError : a name or an option is wrong, or the family has no decomposition.

    Source: T. Dimitriadis, T. Gneiting and A. I. Jordan, Stable reliability diagrams for probabilistic classifiers,
    PNAS 118 (2021), equation 3, with the log score.

    Examples
    --------
    >>> import nll
    >>> d = nll.decompose([0, 0, 1, 0, 1, 1], nll.Bernoulli(probs=[0.1, 0.3, 0.3, 0.6, 0.6, 0.9]))
    >>> round(d.miscalibration.mean, 4), round(d.discrimination.mean, 4), round(d.uncertainty.mean, 4)
    (0.071, 0.231, 0.6931)
    """
    engine = Local(threads)
    options = Options(level, replicates, recalibrate, folds, band, seed, engine.threads)
    options.check()
    bound = inputs(y, dist, data, sample_weight=sample_weight, by=by, cluster=cluster, where=where)
    form = bound.form
    work = Work(bound, missing, labels, engine, progress)
    if issubclass(form, Categorical):
        from nll.tasks.decompose.classes import by_class

        return by_class(work, options)
    if not issubclass(form, Bernoulli):
        from nll.tasks.decompose.pit import of_density

        if cluster is not None or sample_weight is not None or labels is not None:
            raise UsageError("cluster, sample_weight and labels go with decompositions of Bernoulli and Categorical")
        return of_density(work, seed)
    if form.event:
        raise UsageError("decompose takes one event a row: give each label's column as y, one at a time")
    return of_events(work, options)


@dataclass(frozen=True, slots=True)
class Work:
    """Rows, and how they are read."""

    bound: Inputs
    missing: Missing
    labels: Any
    engine: Local
    progress: Progress | bool

    def step(self) -> Step:
        """Return the step of the score of the rows."""
        return make_step(self.bound, self.missing, None, self.labels, 0.0, None)

    def reduce(self, step: Any) -> Any:
        """Run a step that has `zero` and whose states merge."""
        with RowProgress("decomposing", wanted=self.progress is True) as shown:
            called = self.progress if callable(self.progress) else shown
            return self.engine.reduce(self.bound.chunks(), step, step.zero, type(step.zero()).merge, called)

    def finish(self, tally: Tallies) -> Any:
        """Return the Score, or Scores."""
        b = self.bound
        return finish(tally, b.by, b.cluster, b.distribution, b.description, b.locate)


@dataclass(slots=True)
class State:
    """The score so far, and the cells."""

    tally: Tallies
    rows: Pair | Frames = field(default_factory=Pair)

    def merge(self, other: State) -> None:
        """Add another state."""
        self.tally.merge(other.tally)
        self.rows.merge(other.rows)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class EventStep:
    """Adds the rows of a chunk to a State; `by` and `cluster` tell the keys of a row apart."""

    score: Step
    by: int = 0
    cluster: bool = False

    def zero(self) -> State:
        """Return the state of no rows."""
        plain = not (self.score.weighted or self.by or self.cluster)
        return State(self.score.zero(), Pair() if plain else Frames())

    def __call__(self, state: State, chunk: Chunk) -> None:
        """Add rows."""
        self.score(state.tally, chunk)
        ready = self.score.prepare(chunk)
        happened = ready.y != 0
        if isinstance(state.rows, Pair):
            state.rows.add(ready.theta[0], happened)
        elif ready.size:
            keys = chunk.keys or []
            kept = [key if ready.index is None else key.gather(ready.index) for key in keys]
            names = [f"key{i}" for i in range(self.by)] + ["cluster"] * self.cluster
            state.rows.add(frame_of(ready.theta[0], happened, ready.weights, dict(zip(names, kept, strict=True))))


def frame_of(forecast: Any, happened: Array, weights: Array | None, keys: dict[str, Any]) -> Any:
    """Return rows as a table of counted rows, without those of weight 0."""
    import polars as pl

    forecast = np.broadcast_to(np.asarray(forecast, np.float64), happened.shape) + 0.0
    columns = {**keys, "forecast": forecast, "happened": happened}
    columns |= {} if weights is None else {"weight": weights}
    frame = pl.DataFrame(columns)
    frame = frame if weights is None else frame.filter(pl.col("weight") > 0.0)
    return frame.group_by(frame.columns).agg(pl.len().cast(pl.Int64).alias("count"))


def of_events(work: Work, options: Options) -> Decomposition | Decompositions:
    """Decompose the score of a Bernoulli."""
    bound = work.bound
    logits = issubclass(bound.form, BernoulliLogits)
    state = work.reduce(EventStep(work.step(), len(bound.by), bound.cluster))
    score = work.finish(state.tally)
    if isinstance(state.rows, Pair):
        return decomposition(state.rows.cells(logits), score, options)
    if not state.rows.waiting:
        return decomposition(Pair().cells(logits), score, options)
    frame = state.rows.counted()
    if not isinstance(score, Scores):
        return decomposition(cells_of(frame, logits), score, options)
    groups = Lazily(score, partitioned(frame, len(bound.by)), logits, options)
    return Decompositions(bound.by, groups, decomposition(cells_of(frame, logits), score.total, options), score.total)


def partitioned(frame: Any, by: int) -> dict[Any, Any]:
    """Return the counted rows of each group, by its canonical key."""
    parts = frame.partition_by([f"key{i}" for i in range(by)], as_dict=True)
    return {tuple(map(canonical, key)): part for key, part in parts.items()}


def canonical(value: Any) -> Any:
    """Return a key that equals itself: a NaN is the text NaN."""
    return "NaN" if value is NAN or (isinstance(value, float) and math.isnan(value)) else value


def key_of(scores: Scores, key: Any) -> tuple[Any, ...]:
    """Return the key of a group as a tuple whose values equal themselves."""
    return tuple(map(canonical, key if len(scores.by) > 1 else (key,)))


class Lazily(Mapping[Any, Decomposition]):
    """The decomposition of each group, made when it is asked for."""

    def __init__(self, scores: Scores, frames: dict[Any, Any], logits: bool, options: Options) -> None:
        self.scores, self.frames, self.logits, self.options = scores, frames, logits, options
        self.made: dict[Any, Decomposition] = {}

    def __getitem__(self, key: Any) -> Decomposition:
        score = self.scores[key]
        if key not in self.made:
            frame = self.frames.get(key_of(self.scores, key))
            cells = Pair().cells(self.logits) if frame is None else cells_of(frame, self.logits)
            self.made[key] = decomposition(cells, score, self.options)
        return self.made[key]

    def __iter__(self) -> Any:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)


def decomposition(cells: Cells, score: Score, options: Options, event: str = "") -> Decomposition:
    """Return the parts of a score of rows in cells."""
    if not cells.forecast.size:
        nothing, none = Means(*[math.nan] * 4), Excess(math.nan, math.nan)
        return Decomposition(
            score,
            **parts(nothing, nothing, none, none, math.nan),
            share=math.nan,
            **dict.fromkeys(CURVE, ()),
            distinct=0,
            level=options.level,
            event=event,
        )
    blocks = recalibrated(cells)
    mean = means(cells, score.mean, blocks)
    if options.replicates:
        error = bootstrap_errors(cells, options.replicates, options.seed)
    else:
        error = delta_errors(cells, blocks, mean, options.threads)
    gains: tuple[Recalibration, ...] = ()
    remarks: list[str] = []
    if options.recalibrate:
        gains, remarks = recalibrations(cells, score.mean, mean.entropy, options.folds, options.seed, options.threads)
    everyone = marginal(cells)
    fitted, constant = excess(cells, blocks), excess(cells, everyone)
    low, high, p_value = consistency_band(cells, blocks, mean, options.band, options.level, options.seed)
    return Decomposition(
        score,
        **parts(mean, error, fitted, constant, quantile(score, options.level)),
        share=float(everyone.share[0]),
        **curve(cells, blocks),
        distinct=cells.distinct,
        level=options.level,
        method="bootstrap" if options.replicates else "delta",
        recalibrations=gains,
        folds=options.folds if options.recalibrate else 0,
        band=(low, high),
        calibration_p=p_value,
        draws=options.band,
        event=event,
        remarks=tuple(remarks),
    )


def quantile(score: Score, level: float) -> float:
    """Return how many standard errors an interval goes to either side: as in `Score.ci`."""
    if score.clusters is None or score.clusters < 2:
        return normal_quantile(level)
    return t_quantile(level, score.clusters - 1.0 if score.df is None else score.df)


def curve(cells: Cells, blocks: Recalibrated) -> dict[str, Any]:
    """Return least, largest and mean forecast (as probabilities), share of events and weight of each block."""
    first = blocks.first
    last = np.append(first[1:], cells.forecast.size) - 1
    forecast = probabilities(cells)
    mean = np.add.reduceat(cells.mass * forecast, first) / np.add.reduceat(cells.mass, first)
    columns = (forecast[first], forecast[last], mean, blocks.share, blocks.weight)
    return {name: tuple(column.tolist()) for name, column in zip(CURVE, columns, strict=True)}


def probabilities(cells: Cells) -> Array:
    """Return the forecast of each cell as a probability."""
    if not cells.logits:
        return cells.forecast
    e = np.exp(-np.abs(cells.forecast))
    return np.where(cells.forecast >= 0.0, 1.0, e) / (1.0 + e)
