"""What `score` returns: a Score, or Scores by group."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from nll.errors import UsageError
from nll.results.units import nats_per

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Score:
    """The negative log-likelihood of rows under a distribution, with its standard error.

    Attributes
    ----------
    sum : the sum of row losses (times weights), in `units`; infinite where a row is impossible.
    mean : sum / weight. None, and perplexity too, where there was nothing to score because all ids are ignored.
    stderr : the standard error of the mean. Unweighted: s / sqrt(n) with divisor n - 1. Weighted:
        sqrt(n / (n - 1) sum (w (l - mean))**2) / sum w, the linearised error of a ratio of totals. Clustered: the
        same with sums over clusters in place of rows. NaN for fewer than two rows or clusters, infinite where a row
        is impossible; `notes` says so.
    n : rows scored: finite or impossible, not dropped.
    weight : the sum of the weights; n without weights.
    read : rows read. missing, unweighted, ignored : of these, dropped for a missing value, for a weight of 0, or as
        ids that are not to be scored (ignore_index, mask).
    impossible : rows of infinite loss; first_impossible names the first.
    clipped : rows whose loss was cut to -log(clip); largest_clipped is the largest before (of all
        groups: 0 in the Score of one).
    clusters : the number of clusters behind stderr; None without. df : the degrees of freedom of its interval then,
        clusters - 1 if these are of one size and fewer if not (`results/student.py`); None without.
    distribution, source : what was scored.
    """

    sum: float
    mean: float
    stderr: float
    n: int
    weight: float
    read: int
    missing: int = 0
    unweighted: int = 0
    impossible: int = 0
    clipped: int = 0
    largest_clipped: float = 0.0
    first_impossible: tuple[str, ...] = ()
    clusters: int | None = None
    units: str = "nats"
    distribution: str = ""
    source: str = ""
    labels: Scores | None = None
    df: float | None = None
    ignored: int = 0

    @property
    def perplexity(self) -> float:
        """Return exp(mean in nats)."""
        if self.mean is None:
            return self.mean
        try:
            return math.exp(self.mean * nats_per(self.units))
        except OverflowError:
            return math.inf

    @property
    def notes(self) -> list[str]:
        """Say what a reader of the numbers must know."""
        return list(_notes(self))

    def ci(self, level: float = 0.95) -> tuple[float, float]:
        """Return the interval mean -+ z stderr, normal; with clusters mean -+ t stderr, t of Student's with `df`.

        Clusters of different size count for fewer than they are; a normal interval is too short then.

        Examples
        --------
        >>> import nll
        >>> low, high = nll.score([1, 0, 1], nll.Bernoulli(probs=[0.8, 0.3, 0.6])).ci(0.9)
        >>> round(low, 3), round(high, 3)
        (0.227, 0.5)
        """
        if not 0.0 < level < 1.0:
            raise UsageError(f"a confidence level is between 0 and 1; got {level!r}")
        if self.mean is None:
            return math.nan, math.nan
        half = self._quantile(level) * self.stderr
        return self.mean - half, self.mean + half

    def _quantile(self, level: float) -> float:
        if self.clusters is None or not math.isfinite(self.stderr):
            return NormalDist().inv_cdf(0.5 + level / 2.0)
        from nll.results.student import t_quantile

        return t_quantile(level, self.clusters - 1.0 if self.df is None else self.df)

    def to(self, units: str) -> Score:
        """Return the same score in nats, bits or bans."""
        factor = nats_per(self.units) / nats_per(units)
        labels = self.labels.to(units) if self.labels is not None else None
        scaled = {name: getattr(self, name) for name in ("sum", "mean", "stderr", "largest_clipped")}
        scaled = {name: value if value is None else value * factor for name, value in scaled.items()}
        return replace(self, units=units, labels=labels, **scaled)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types; NaN and infinities stay floats."""
        low, high = self.ci()
        names = ("sum", "mean", "stderr", "n", "weight", "units")
        counts = ("read", "missing", "unweighted", "impossible", "clipped")
        out: dict[str, Any] = {name: getattr(self, name) for name in names}
        out |= {"ci95": [low, high], "perplexity": self.perplexity}
        out |= {name: getattr(self, name) for name in counts}
        if self.ignored:
            out["ignored"] = self.ignored
        if self.largest_clipped:
            out["largest_clipped"] = self.largest_clipped
        if self.clusters is not None:
            out |= {"clusters": self.clusters, "df": self.df}
        if self.first_impossible:
            out["first_impossible"] = list(self.first_impossible)
        out |= {"distribution": self.distribution, "source": self.source, "notes": self.notes}
        if self.labels is not None:
            out["labels"] = self.labels.to_dict()["groups"]
        return out

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def to_polars(self) -> pl.DataFrame:
        """Return one row with the numbers."""
        import polars as pl

        return pl.DataFrame({name: [value] for name, value in flat(self).items()})

    def __repr__(self) -> str:
        from nll.results.show import score_text

        return score_text(self)

    def _repr_html_(self) -> str:
        from nll.results.show import score_html

        return score_html(self)


def _notes(s: Score) -> Iterator[str]:
    if s.n == 0 and s.ignored == s.read > 0:
        yield f"nothing was to be scored: all {s.ignored:,} ids are ignored; the sum is 0, and there is no mean (None)"
    elif s.n == 0:
        yield "no rows were scored: the sum is 0 and the mean undefined (NaN)"
    elif s.impossible:
        where = f": {', '.join(s.first_impossible)}" if s.first_impossible else ""
        yield f"{s.impossible} of {_rows(s.n)} impossible under the model (infinite loss){where}"
    elif (s.n if s.clusters is None else s.clusters) < 2:
        yield f"one {'row' if s.clusters is None else 'cluster'}: no standard error (NaN)"
    elif math.isnan(s.stderr):
        yield "the weights are so small that their squares vanish: no standard error (NaN); scale them up"
    if uneven(s):
        yield f"the {s.clusters:,} clusters differ in size, and count for {s.df:.3g} degrees of freedom"
    if s.clipped:
        largest = f"; the largest loss before was {s.largest_clipped:.6g} {s.units}" if s.largest_clipped else ""
        yield f"clip changed {_rows(s.clipped)}{largest}"
    if s.missing:
        yield f"{s.missing} of {_rows(s.read)} dropped: a value is missing"
    if s.ignored and s.n:
        yield f"{s.ignored:,} of {_rows(s.read)} ignored: not to be scored"
    if s.unweighted:
        yield f"{s.unweighted} of {_rows(s.read)} dropped: the weight is 0"


def uneven(s: Score) -> bool:
    """Whether clusters are so unequal that less than half of them count for intervals."""
    return s.clusters is not None and s.df is not None and 0.0 < s.df < 0.5 * (s.clusters - 1)


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


@dataclass(frozen=True, slots=True, repr=False)
class Scores(Mapping[Any, Score]):
    """Scores by group: a mapping from the key of a group to its Score, in the order of the keys.

    Attributes
    ----------
    by : the names of the grouping columns; a key is a value, or a tuple of values where there are several.
    groups : the Score of each group.
    total : the Score of all rows.
    """

    by: tuple[str, ...]
    groups: Mapping[Any, Score]
    total: Score

    def __getitem__(self, key: Any) -> Score:
        return self.groups[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def units(self) -> str:
        """The unit of all numbers."""
        return self.total.units

    def to(self, units: str) -> Scores:
        """Return the same scores in nats, bits or bans."""
        return Scores(self.by, {k: s.to(units) for k, s in self.groups.items()}, self.total.to(units))

    def to_dict(self) -> dict[str, Any]:
        """Return groups and total as plain types."""
        rows = []
        for key, score in self.groups.items():
            names = dict(zip(self.by, key if len(self.by) > 1 else (key,), strict=True))
            kept = {k: v for k, v in score.to_dict().items() if k not in ("distribution", "source", "units")}
            rows.append(names | kept | names)  # a column may be named as a number is
        return {"by": list(self.by), "groups": rows, "total": self.total.to_dict()}

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a group."""
        import polars as pl

        keys = list(self.groups)
        columns: dict[str, Any] = {
            name: [k[i] if len(self.by) > 1 else k for k in keys] for i, name in enumerate(self.by)
        }
        rows = [flat(score) for score in self.groups.values()]
        numbers = {name: [row.get(name, 0) for row in rows] for name in flat(self.total)}
        return pl.DataFrame(columns | {n: v for n, v in numbers.items() if n not in columns}, strict=False)

    def __repr__(self) -> str:
        from nll.results.show import scores_text

        return scores_text(self)

    def _repr_html_(self) -> str:
        from nll.results.show import scores_html

        return scores_html(self)


def flat(score: Score) -> dict[str, Any]:
    """Return the numbers of a score, one column each."""
    low, high = score.ci()
    return {
        "n": score.n,
        "weight": score.weight,
        "sum": score.sum,
        "mean": score.mean,
        "stderr": score.stderr,
        "ci95_low": low,
        "ci95_high": high,
        "perplexity": score.perplexity,
        "units": score.units,
        "impossible": score.impossible,
        "clipped": score.clipped,
        "missing": score.missing,
        "unweighted": score.unweighted,
        **({"ignored": score.ignored} if score.ignored else {}),
    }


def jsonable(value: Any) -> Any:
    """Return a value that JSON can hold: NaN is null, an infinity is text, a date its ISO text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(v) for v in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
