"""What `decompose` returns for probabilities of events: the parts of their log score."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nll.results.score import Score, jsonable
from nll.results.show import MOST_GROUPS, Tabled, number

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("part", "mean", "corrected", "stderr", "interval", "of uncertainty")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a mean score, in nats a row, with its standard error and interval.

    Attributes
    ----------
    mean : of the rows at hand, as defined.
    stderr : of the corrected mean.
    low, high : the interval about the corrected mean, for the part as it is in all rows that there could be.
    bias : by how much the mean is expected to be too large, since a map was fitted to the rows that it is judged on.
    """

    mean: float
    stderr: float
    low: float
    high: float
    bias: float = 0.0

    @property
    def corrected(self) -> float:
        """The mean less its bias. It can lie below 0, where the true part is at or near 0."""
        return self.mean - self.bias

    def to_dict(self) -> dict[str, float]:
        """Return the numbers as plain types."""
        names = ("mean", "corrected", "stderr", "low", "high")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Recalibration:
    """What a mean score would gain if the forecasts were mapped by one increasing function of them.

    Attributes
    ----------
    method : "temperature" (log-odds times a slope), "platt" (slope and intercept) or "isotonic".
    gain : mean score now less that after, in the same rows that the map was fitted on: never below 0.
    held_out : the same with maps fitted on other rows (cross-fitted); NaN where that was not asked for. It can be
        negative, and is minus infinity where an event was ruled out in the other rows and happened in these.
    slope, intercept : of the log-odds; NaN for isotonic.
    """

    method: str
    gain: float
    held_out: float = math.nan
    slope: float = math.nan
    intercept: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain types."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, repr=False)
class Decomposition(Tabled):
    """The log score of forecasts of an event, in parts: score = miscalibration - discrimination + uncertainty.

    Attributes
    ----------
    score : the Score of all rows.
    miscalibration : the score less that of the recalibrated forecasts: what forecasts lose by not meaning what they
        say. Also the mean divergence of the forecasts from the recalibrated ones, in cross-entropy = entropy +
        divergence.
    discrimination : the uncertainty less the score of the recalibrated forecasts: what they know.
    uncertainty : the score of the share of events as a forecast for every row.
    entropy : the score of the recalibrated forecasts, and the entropy of them: uncertainty - discrimination.
    share : of rows (by weight) in which the event happened.
    low, high, forecast, observed, weight : (blocks,) of the recalibrated forecasts: the least, largest and mean
        forecast of a block, the share of events in it, and its weight. They draw the reliability diagram.
    distinct : how many forecasts differ.
    recalibrations : what simple maps of the forecasts would gain. folds : for held-out gains.
    band : (low, high) of observed shares by block, for calibrated forecasts (pointwise, of `level`); empty if not
        asked for.
    calibration_p : the p-value of at least this much miscalibration if the forecasts are calibrated, from `draws`
        sets of outcomes drawn for the band; NaN without these, and where rows depend on each other in clusters.
    method : "delta" or "bootstrap", of the standard errors.
    """

    score: Score
    miscalibration: Part
    discrimination: Part
    uncertainty: Part
    entropy: Part
    share: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    forecast: tuple[float, ...]
    observed: tuple[float, ...]
    weight: tuple[float, ...]
    distinct: int
    level: float = 0.95
    method: str = "delta"
    recalibrations: tuple[Recalibration, ...] = ()
    folds: int = 0
    band: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    event: str = ""
    remarks: tuple[str, ...] = field(default=())
    calibration_p: float = math.nan
    draws: int = 0

    @property
    def n(self) -> int:
        """The rows scored."""
        return self.score.n

    @property
    def skill(self) -> float:
        """Return 1 - score / uncertainty: the share of the uncertainty that the forecasts take away."""
        return 1.0 - self.score.mean / self.uncertainty.mean if self.uncertainty.mean > 0.0 else math.nan

    @property
    def parts(self) -> dict[str, Part]:
        """The parts by name."""
        low, high = self.score.ci(self.level)
        return {
            "score": Part(self.score.mean, self.score.stderr, low, high),
            "miscalibration": self.miscalibration,
            "discrimination": self.discrimination,
            "uncertainty": self.uncertainty,
            "entropy": self.entropy,
        }

    @property
    def notes(self) -> list[str]:
        """Say what a reader of the numbers must know."""
        return list(_notes(self))

    def curve(self) -> pl.DataFrame:
        """Return the reliability diagram as a table, one row a block."""
        import polars as pl

        names = ("low", "high", "forecast", "observed", "weight")
        columns = {name: list(getattr(self, name)) for name in names}
        if self.band[0]:
            columns |= {"band_low": list(self.band[0]), "band_high": list(self.band[1])}
        return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Float64))

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types; NaN and infinities stay floats."""
        out: dict[str, Any] = {name: part.to_dict() for name, part in self.parts.items()}
        out |= {"skill": self.skill, "share": self.share, "n": self.n, "distinct": self.distinct, "level": self.level}
        out |= {"method": self.method, "recalibrations": [r.to_dict() for r in self.recalibrations]}
        out |= {"folds": self.folds, "curve": self.curve().to_dicts(), "event": self.event}
        out |= {"calibration_p": self.calibration_p, "draws": self.draws}
        out |= {"missing": self.score.missing, "unweighted": self.score.unweighted, "clusters": self.score.clusters}
        about = {"distribution": self.score.distribution, "source": self.score.source, "notes": self.notes}
        return out | about

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a part."""
        import polars as pl

        rows = [{"part": name, **part.to_dict()} for name, part in self.parts.items()]
        return pl.DataFrame(rows)

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, rows and notes of what is shown."""
        return f"Log score, nats a row, of {self.n:,} rows{_named(self)}", list(COLUMNS), _rows(self), self.notes


def _named(d: Decomposition) -> str:
    return f": {d.event}" if d.event else f": {d.score.distribution}" if d.score.distribution else ""


def _rows(d: Decomposition) -> list[list[str]]:
    parts = d.parts
    labels = {
        "score": "log score",
        "uncertainty": "= uncertainty",
        "discrimination": "− discrimination",
        "miscalibration": "+ miscalibration",
        "entropy": "entropy, if recalibrated",
    }
    rows = []
    for name, label in labels.items():
        p = parts[name]
        interval = f"{p.low:.4g} to {p.high:.4g}" if math.isfinite(p.low) and math.isfinite(p.high) else "–"
        share = p.mean / parts["uncertainty"].mean if parts["uncertainty"].mean > 0.0 else math.nan
        stderr = "–" if math.isnan(p.stderr) else f"{p.stderr:.3g}"
        fixed = number(p.corrected) if p.bias else ""
        rows.append(
            [label, number(p.mean), fixed, stderr, interval, f"{100.0 * share:.1f} %" if share == share else "–"]
        )
    for r in d.recalibrations:
        held = f"{number(r.held_out)} held out" if d.folds else ""
        slope = f"slope {r.slope:.4g}" if r.slope == r.slope else ""
        slope += f", intercept {r.intercept:.3g}" if r.method == "platt" and r.slope == r.slope else ""
        rows.append([f"gain by {r.method} map", number(r.gain), "", "", held, slope])
    return rows


def _notes(d: Decomposition) -> Iterator[str]:
    yield from d.score.notes
    if not d.n:
        return
    if d.share in (0.0, 1.0):
        yield f"the event {'always' if d.share else 'never'} happened: nothing to discriminate, the uncertainty is 0"
    elif len(d.low) > 1:
        yield (
            f"recalibrated in {len(d.low):,} blocks of {d.distinct:,} distinct forecasts, on the rows themselves: that "
            f"makes miscalibration too large by about {d.miscalibration.bias:.2g}, and discrimination by "
            f"{d.discrimination.bias:.2g}; corrected means and intervals allow for it"
        )
    yield from _calibration(d)
    yield from d.remarks


def _calibration(d: Decomposition) -> Iterator[str]:
    m = d.miscalibration
    if m.corrected < 0.0:
        yield "the corrected miscalibration is below 0, which no true one is: the forecasts look calibrated"
    elif m.low <= 0.0 <= m.high:
        yield "the interval of miscalibration holds 0: the forecasts may be calibrated"
    if d.calibration_p == d.calibration_p:
        yield f"p = {d.calibration_p:.3g} of this much miscalibration if forecasts are calibrated ({d.draws:,} draws)"


@dataclass(frozen=True, slots=True, repr=False)
class Decompositions(Tabled, Mapping[Any, Decomposition]):
    """Decompositions by group or by class: a mapping from a key to its Decomposition.

    Attributes
    ----------
    by : the names of the grouping columns, or ("class",); a key is a value, or a tuple where there are several.
    groups : each group's, or each class's against the others. total : of all rows; of a Categorical that of its
        top label: whether the likeliest class happened, at its probability.
    score : of all rows; of a Categorical with one of all its classes.
    """

    by: tuple[str, ...]
    groups: Mapping[Any, Decomposition]
    total: Decomposition
    score: Score
    last: str = "all"

    def __getitem__(self, key: Any) -> Decomposition:
        return self.groups[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def _keyed(self) -> Iterator[tuple[dict[str, Any], Decomposition]]:
        for key, each in self.groups.items():
            yield dict(zip(self.by, key if len(self.by) > 1 else (key,), strict=True)), each

    def to_dict(self) -> dict[str, Any]:
        """Return groups and total as plain types."""
        groups = [{**names, **each.to_dict(), **names} for names, each in self._keyed()]
        return {"by": list(self.by), "groups": groups, "total": self.total.to_dict(), "score": self.score.to_dict()}

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a group and part."""
        import polars as pl

        rows = [
            {**names, "part": name, **part.to_dict()} for names, d in self._keyed() for name, part in d.parts.items()
        ]
        return pl.DataFrame(rows, strict=False, infer_schema_length=None)

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, rows and notes of what is shown."""
        header = [*self.by, "n", "score", "uncertainty", "discrimination", "miscalibration", "corrected", "±", "skill"]
        body: list[list[str]] = []
        notes = self.score.notes + [note for note in self.total.notes if note not in self.score.notes]
        for shown_, (names, d) in enumerate(self._keyed()):
            if shown_ == MOST_GROUPS:
                notes = [f"{len(self) - shown_:,} more: .to_polars() has them all", *notes]
                break
            body.append([*map(str, names.values()), *_line(d)])
        body.append([self.last, *[""] * (len(self.by) - 1), *_line(self.total)])
        caption = f"Log score, nats a row, of {self.score.n:,} rows: {number(self.score.mean)}"
        return f"{caption} ({self.score.distribution})" if self.score.distribution else caption, header, body, notes

    def brief(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return what `table` does: how it is shown as one of several groups."""
        return self.table()

    def _names(self) -> int:
        return len(self.by)


def _line(d: Decomposition) -> list[str]:
    means = [p.mean for p in (d.uncertainty, d.discrimination, d.miscalibration)]
    error = "–" if math.isnan(d.miscalibration.stderr) else f"{d.miscalibration.stderr:.2g}"
    skill = "–" if math.isnan(d.skill) else f"{100.0 * d.skill:.1f} %"
    return [f"{d.n:,}", number(d.score.mean), *map(number, [*means, d.miscalibration.corrected]), error, skill]
