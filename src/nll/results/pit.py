"""What `decompose` returns for densities and counts: whether the probability integral transform is uniform."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nll.results.score import Score, jsonable
from nll.results.show import Tabled, number

if TYPE_CHECKING:
    import polars as pl

TESTS = ("ks", "mean", "variance", "normality")


@dataclass(frozen=True, slots=True, repr=False)
class Pit(Tabled):
    """The probability integral transform of rows: u = P(Y <= y), uniform on (0, 1) if the model is right.

    Attributes
    ----------
    score : the Score of the rows.
    n : rows with a u: those possible under the model.
    randomised : whether y is a count, so that u is drawn between P(Y < y) and P(Y <= y), from `seed` and the row.
    ks, ks_p : the largest distance of the share of u below t from t, and its asymptotic p-value.
    mean, mean_p : of u, and the p-value that it is 1/2: not, where forecasts are too high or too low.
    variance, variance_p : of u, around 1/2, and the p-value that it is 1/12: larger, where forecasts are too narrow.
    residual_mean, residual_sd, skewness, kurtosis : of the quantile residuals, the normal numbers of the same u; 0, 1,
        0 and 0 (excess) if the model is right.
    normality, normality_p : of the residuals, by Jarque and Bera.
    histogram : the share of u in each of equal bins.
    sharpness : root of the mean variance of the forecasts; NaN where the family has none in closed form.
    error : root mean squared distance of y from the mean of its forecast: the same as sharpness, if calibrated.
    """

    score: Score
    n: int
    randomised: bool
    seed: int
    ks: float
    ks_p: float
    mean: float
    mean_p: float
    variance: float
    variance_p: float
    residual_mean: float
    residual_sd: float
    skewness: float
    kurtosis: float
    normality: float
    normality_p: float
    histogram: tuple[float, ...]
    sharpness: float = math.nan
    error: float = math.nan

    @property
    def notes(self) -> list[str]:
        """Say what a reader of the numbers must know."""
        return list(_notes(self))

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types; NaN and infinities stay floats."""
        out = {name: getattr(self, name) for name in self.__slots__ if name != "score"}
        return {"score": self.score.to_dict(), **out, "histogram": list(self.histogram), "notes": self.notes}

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a test."""
        import polars as pl

        rows = [{"test": t, "statistic": getattr(self, t), "p_value": getattr(self, f"{t}_p")} for t in TESTS]
        return pl.DataFrame(rows)

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, rows and notes of what is shown."""
        lines = [
            ("largest distance from uniform (KS)", self.ks, "0", self.ks_p),
            ("mean of u", self.mean, "0.5", self.mean_p),
            ("variance of u", self.variance, "0.08333", self.variance_p),
            ("residuals: mean", self.residual_mean, "0", math.nan),
            ("residuals: standard deviation", self.residual_sd, "1", math.nan),
            ("residuals: skewness", self.skewness, "0", math.nan),
            ("residuals: excess kurtosis", self.kurtosis, "0", math.nan),
            ("residuals: normality (Jarque-Bera)", self.normality, "2", self.normality_p),
            ("sharpness: sd of the forecasts", self.sharpness, "", math.nan),
            ("root mean squared error", self.error, "sharpness", math.nan),
        ]
        rows = [[name, number(x), right, "" if math.isnan(p) else f"{p:.2g}"] for name, x, right, p in lines if x == x]
        kind = "randomised PIT" if self.randomised else "PIT"
        caption = (
            f"Calibration of {self.score.distribution}: {kind} of {self.n:,} rows; {number(self.score.mean)} nats a row"
        )
        return caption, ["", "found", "if right", "p"], rows, self.notes

    def brief(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, one row and notes: how it is shown as one of several groups."""
        numbers = (self.score.mean, self.ks_p, self.mean, self.mean_p, self.variance, self.variance_p, self.normality_p)
        kind = "randomised PIT" if self.randomised else "PIT"
        header = ["n", "score", "p (KS)", "mean", "p", "variance", "p", "p (normality)"]
        row = [f"{self.n:,}", *("–" if math.isnan(x) else f"{x:.3g}" for x in numbers)]
        return f"Calibration of {self.score.distribution}: {kind}, right if 1/2 and 1/12", header, [row], self.notes


def _notes(p: Pit) -> Iterator[str]:
    yield from p.score.notes
    if p.n and p.variance_p < 0.01:
        narrow = p.variance > 1.0 / 12.0
        where = "0 and 1" if narrow else "1/2"
        yield f"forecasts are too {'narrow' if narrow else 'wide'}: u lies too near {where}"
    if p.n and p.mean_p < 0.01:
        yield f"observations lie too {'high' if p.mean > 0.5 else 'low'} in their forecasts"
    yield "p-values are for forecasts made without these rows, and independent rows"
