"""What `score` returns for sequences: a Score whose clusters are the sequences, with the loss of each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.results.score import Score
from nll.results.units import nats_per

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SequenceScore(Score):
    """The negative log-likelihood of sequences under a model of such.

    `n` counts observations, `mean` is the sum over them; the standard error is that of a ratio of totals, clustered by
    sequence, for the steps of one depend on each other. `missing` observations were left out, their steps kept;
    `impossible` counts steps of infinite loss.

    Attributes
    ----------
    by_sequence : (S,) the loss of each sequence, in `units`, its exact sum rounded once.
    lengths : (S,) the observations of each that were scored.
    names : the names of the sequences in a table; empty for arrays.
    given : first steps that the model takes as given, and does not score.

    Examples
    --------
    >>> import nll
    >>> chain = nll.MarkovChain(initial=[0.5, 0.5], transition=[[0.75, 0.25], [0.5, 0.5]])
    >>> s = nll.score([0, 0, 1, 1, 0], chain, lengths=[3, 2])
    >>> s.n, s.sequences, s.by_sequence.round(4).tolist()
    (5, 2, [2.3671, 1.3863])
    """

    by_sequence: Array = field(default_factory=lambda: np.empty(0))
    lengths: Array = field(default_factory=lambda: np.empty(0, np.int64))
    names: tuple[Any, ...] = ()
    given: int = 0

    @property
    def sequences(self) -> int:
        """The number of sequences."""
        return len(self.by_sequence)

    @property
    def notes(self) -> list[str]:
        """Say what a reader of the numbers must know."""
        said = [note.replace("cluster", "sequence").replace("row", "step") for note in Score.notes.__get__(self)]
        said = [
            note.replace("dropped: a value is missing", "without an observation: left out, their places kept")
            for note in said
        ]
        if self.given:
            steps = "1 first step is" if self.given == 1 else f"{self.given:,} first steps are"
            said.append(f"{steps} taken as given, and not scored")
        return said

    def to(self, units: str) -> SequenceScore:
        """Return the same score in nats, bits or bans."""
        factor = nats_per(self.units) / nats_per(units)
        scaled = {name: getattr(self, name) * factor for name in ("sum", "mean", "stderr", "by_sequence")}
        return replace(self, units=units, **scaled)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types, without those of single sequences; NaN and infinities stay floats."""
        return Score.to_dict(self) | {"sequences": self.sequences, "given": self.given}

    def sequence_table(self) -> pl.DataFrame:
        """Return a table with one row a sequence: its name or number, its length and its loss."""
        import polars as pl

        first = list(self.names) if self.names else list(range(self.sequences))
        columns = {"sequence": first, "n": self.lengths, "sum": self.by_sequence}
        return pl.DataFrame(columns).with_columns((pl.col("sum") / pl.col("n")).alias("mean"))
