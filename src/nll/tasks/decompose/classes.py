"""The score of a Categorical: each class against the others, and the top label."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import UsageError
from nll.families.categorical import Categorical, CategoricalLogits, CategoricalLogProbs
from nll.results.decomposition import Decomposition, Decompositions
from nll.results.grouped import Grouped
from nll.results.score import Score, Scores
from nll.states.tally import Tallies
from nll.tasks.chunks import Chunk
from nll.tasks.decompose.cells import Cells, Frames, Pair, cells_of
from nll.tasks.decompose.corp import cell_losses, error_of
from nll.tasks.decompose.decompose import Options, Work, decomposition, frame_of, key_of, partitioned
from nll.tasks.tally import Step

Array = npt.NDArray[Any]
MOST_CLASSES = 1_000


@dataclass(slots=True)
class State:
    """The score so far, and the cells of each class and of the top label, which comes last."""

    tally: Tallies
    rows: list[Frames] = field(default_factory=list)

    def merge(self, other: State) -> None:
        """Add another state."""
        self.tally.merge(other.tally)
        self.rows = self.rows or [Frames() for _ in other.rows]
        for mine, theirs in zip(self.rows, other.rows, strict=False):
            mine.merge(theirs)


@dataclass(frozen=True, slots=True)
class ClassStep:
    """Adds the rows of a chunk to a State."""

    score: Step
    form: type[Categorical]
    by: int
    cluster: bool

    def zero(self) -> State:
        """Return the state of no rows."""
        return State(self.score.zero())

    def __call__(self, state: State, chunk: Chunk) -> None:
        """Add rows."""
        self.score(state.tally, chunk)
        ready = self.score.prepare(chunk)
        if ready.size == 0:
            return
        if ready.y.ndim > 1:
            raise UsageError("decompose needs one class a row; y is a matrix of soft targets")
        probs, y = probabilities(self.form, ready.theta[0]), ready.y.astype(np.int64)
        classes = probs.shape[1]
        if classes > MOST_CLASSES:
            raise UsageError(f"decompose takes at most {MOST_CLASSES:,} classes, one table each; there are {classes:,}")
        state.rows = state.rows or [Frames() for _ in range(classes + 1)]
        given = [key if ready.index is None else key.gather(ready.index) for key in chunk.keys or []]
        names = [f"key{i}" for i in range(self.by)] + ["cluster"] * self.cluster
        keys: dict[str, Any] = dict(zip(names, given, strict=True))
        for k in range(classes):
            state.rows[k].add(frame_of(probs[:, k], y == k, ready.weights, keys))
        top = probs.argmax(axis=1)  # the first of equal ones
        state.rows[classes].add(frame_of(probs[np.arange(len(y)), top], y == top, ready.weights, keys))


def probabilities(form: type[Categorical], theta: Array) -> Array:
    """Return rows of parameters as probabilities, at most 1."""
    theta = np.asarray(theta, np.float64)
    if issubclass(form, CategoricalLogProbs):
        return np.minimum(np.exp(theta), 1.0)
    if not issubclass(form, CategoricalLogits):
        return theta
    e = np.exp(theta - theta.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def by_class(work: Work, options: Options) -> Decompositions | Grouped:
    """Decompose the score of a Categorical; with groups, that of each."""
    bound = work.bound
    state = work.reduce(ClassStep(work.step(), bound.form, len(bound.by), bound.cluster))  # type: ignore[arg-type]
    score = work.finish(state.tally)
    if not state.rows:
        raise UsageError("there are no rows to decompose")
    names = list(work.labels or range(len(state.rows) - 1))
    frames = [rows.counted() for rows in state.rows]
    if not isinstance(score, Scores):
        return of_classes(frames, names, score, options)
    groups = ByKey(frames, names, score, options)
    return Grouped(bound.by, groups, of_classes(frames, names, score.total, options))


def of_classes(frames: list[Any], names: list[Any], score: Score, options: Options) -> Decompositions:
    """Return the decompositions of counted rows: those of each class, and those of the top label, which come last."""
    found: list[Decomposition] = []
    for name, frame in zip([*names, None], frames, strict=True):
        cells = Pair().cells(False) if frame is None else cells_of(frame, False)
        event = "the top label is right" if name is None else f"class {name}"
        found.append(decomposition(cells, event_score(cells, score, options), options, event))
    return Decompositions(("class",), dict(zip(names, found, strict=False)), found[-1], score, "top label")


class ByKey(Mapping[Any, Decompositions]):
    """The decompositions of each group, made when they are asked for."""

    def __init__(self, frames: list[Any], names: list[Any], scores: Scores, options: Options) -> None:
        self.names, self.scores, self.options = names, scores, options
        self.parts = [partitioned(frame, len(scores.by)) for frame in frames]

    def __getitem__(self, key: Any) -> Decompositions:
        score, at = self.scores[key], key_of(self.scores, key)
        return of_classes([part.get(at) for part in self.parts], self.names, score, self.options)

    def __iter__(self) -> Any:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)


def event_score(cells: Cells, like: Score, options: Options) -> Score:
    """Return the Score of one event of a Categorical, from its cells."""
    losses, mass = cell_losses(cells), cells.mass
    impossible = int(cells.count[np.isinf(losses)].sum())
    total = float(mass.sum())
    if not cells.count.size:
        nan = math.nan
        return Score(0.0, nan, nan, 0, 0.0, read=like.read, missing=like.missing, clusters=like.clusters)
    value = math.fsum((mass * losses).tolist()) if not impossible else math.inf
    error = math.inf if impossible else error_of(cells, losses, value / total)
    n = int(cells.count.sum())
    counts: dict[str, Any] = {
        "read": like.read,
        "missing": like.missing,
        "unweighted": like.unweighted,
        "impossible": impossible,
    }
    return Score(value, value / total, error, n, total, **counts, clusters=like.clusters, source=like.source)
