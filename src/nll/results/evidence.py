"""Records of the tests that compare models: frozen numbers that print, and become dictionaries and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from nll.results.score import jsonable
from nll.results.show import Tabled, number

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, repr=False)
class Record(Tabled):
    """What records share: a caption, numbers with names, notes."""

    caption: ClassVar[str] = ""

    @property
    def notes(self) -> list[str]:
        """Say what a reader of the numbers must know."""
        return list(self._notes())

    def _notes(self) -> Iterator[str]:
        yield from ()

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types; NaN and infinities stay floats."""
        found = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}
        return {**found, "notes": self.notes}

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, rows and notes of what is shown."""
        rows = [[f.name.replace("_", " "), shown(getattr(self, f.name))] for f in fields(self) if f.repr]
        return self.caption, ["", "value"], rows, self.notes


def _plain(value: Any) -> Any:
    """Return arrays as lists, records as dictionaries, tuples as lists."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def shown(value: Any) -> str:
    """Write a value as a cell of a table."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool) or not isinstance(value, (int, float, list, tuple)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return number(value) if isinstance(value, float) else ", ".join(map(shown, value))


def verdict(a: str, b: str, difference: float, p_value: float, level: float = 0.05) -> str:
    """Say which of two models is better, and whether the data tell; the difference is of losses, b less a."""
    if difference == 0.0:
        return f"{a} and {b} have the same loss"
    better, worse = (a, b) if difference > 0.0 else (b, a)
    if not p_value <= level:
        return f"{better} has the lower loss; at level {level:g} the data do not tell it from {worse}"
    return f"{better} is better than {worse} (p = {p_value:.3g})"


@dataclass(frozen=True, slots=True, repr=False)
class VuongTest(Record):
    """Vuong's test of two models that need not be nested; positive z is evidence for a.

    Attributes
    ----------
    z : sum of l_b - l_a over sqrt(n omega2): standard normal where both are equally good and distinguishable.
    z_aic, z_bic : the same with a penalty of 1, or log(n) / 2, for each free parameter.
    omega2 : the variance of the row differences, with divisor n - ddof.
    p_value : two-sided, of z; p_aic and p_bic are those of the corrected ones.
    p_distinguishable : of the hypothesis omega2 = 0, under which the models are the same and z means nothing. NaN
        where it is not available: it needs scores and Hessians of both fits.
    mean_difference : of l_b - l_a, nats a row.
    n, sum_weights : the rows, and the sum of their weights, which count how often a row came; NaN without weights.
    """

    caption = "Vuong's test of two models, z > 0 for the first"
    z: float
    z_aic: float
    z_bic: float
    omega2: float
    p_value: float
    p_aic: float
    p_bic: float
    p_distinguishable: float
    mean_difference: float
    n: int
    k: tuple[int, int]
    ddof: int = 0
    names: tuple[str, str] = ("a", "b")
    sum_weights: float = math.nan

    def _notes(self) -> Iterator[str]:
        if self.omega2 == 0.0 and self.mean_difference == 0.0:
            yield f"{self.names[0]} and {self.names[1]} have the same loss in every row: the difference is exactly 0"
        else:
            yield verdict(*self.names, self.mean_difference, self.p_value)
        if self.sum_weights == self.sum_weights:
            yield "weights are taken as the counts of rows that came several times"
        if self.omega2 == 0.0:
            yield "the row differences do not vary: the models cannot be distinguished, and z is undefined (NaN)"
        elif math.isnan(self.p_distinguishable):
            yield (
                "whether the models can be distinguished was not tested: that takes the scores and Hessians of both "
                "fits; z is valid only if they can be, which excludes nested models under the smaller one"
            )
        elif self.p_distinguishable > 0.05:
            yield f"the models cannot be told apart (p = {self.p_distinguishable:.3g}): z is not to be used"


@dataclass(frozen=True, slots=True, repr=False)
class LikelihoodRatioTest(Record):
    """The likelihood ratio test of a restricted model within a full one.

    Attributes
    ----------
    statistic : 2 (NLL restricted - NLL full).
    df : the parameters that the restriction takes away.
    p_value, log_p_value : P(a larger statistic under the restriction), and its log for small ones.
    boundary : of the df, parameters that the restriction puts at the end of their range.
    """

    caption = "Likelihood ratio test"
    statistic: float
    df: int
    p_value: float
    log_p_value: float
    boundary: int = 0

    def _notes(self) -> Iterator[str]:
        if self.boundary:
            yield (
                f"{self.boundary} of {self.df} parameters lie on the boundary under the restriction: p is that of a "
                "mixture of chi-squares"
            )
        if self.boundary > 1:
            yield "its weights are binomial, which is exact if the estimates of those parameters are uncorrelated"


@dataclass(frozen=True, slots=True, repr=False)
class DieboldMarianoTest(Record):
    """The Diebold-Mariano test of equal predictive loss of two series of forecasts; positive favours a.

    Attributes
    ----------
    statistic : mean difference over its autocorrelation-robust standard error, with the small-sample correction.
    p_value : two-sided, by Student's t with n - 1 degrees of freedom.
    mean_difference : of l_b - l_a, nats a row; stderr is its robust standard error, before the correction.
    correction : the factor on the statistic.
    """

    caption = "Diebold-Mariano test, positive for the first"
    statistic: float
    p_value: float
    mean_difference: float
    stderr: float
    horizon: int
    lags: int
    kernel: str
    correction: float
    n: int
    remarks: tuple[str, ...] = field(default=(), repr=False)

    def _notes(self) -> Iterator[str]:
        yield verdict("a", "b", self.mean_difference, self.p_value)
        yield from self.remarks


@dataclass(frozen=True, slots=True, repr=False)
class SignTest(Record):
    """The sign test: whether one model has the lower loss in more rows than the other.

    Attributes
    ----------
    wins, losses, ties : rows in which a has the lower loss, the higher, the same.
    win_rate : wins / (wins + losses); NaN where all rows tie.
    p_value : two-sided, exact, of wins ~ Binomial(wins + losses, 1/2).
    """

    caption = "Sign test of paired losses"
    wins: int
    losses: int
    ties: int
    win_rate: float
    p_value: float


@dataclass(frozen=True, slots=True, repr=False)
class WilcoxonTest(Record):
    """The Wilcoxon signed-rank test of paired losses; rows without a difference are left out.

    Attributes
    ----------
    statistic : the sum of the ranks of |l_b - l_a| in the rows that favour a.
    z : the statistic, standardised with the correction for ties.
    p_value : two-sided: exact for few rows (ties among ranks included), else normal.
    """

    caption = "Wilcoxon signed-rank test of paired losses"
    statistic: float
    z: float
    p_value: float
    n: int
    ties: int
    exact: bool


@dataclass(frozen=True, slots=True, repr=False)
class BootstrapDifference(Record):
    """The Poisson bootstrap of a mean paired difference of losses, l_b - l_a; positive favours a.

    Attributes
    ----------
    mean_difference : of the rows as they are, nats a row.
    stderr : the standard deviation of the replicates. low, high : their percentiles.
    p_value : two-sided, by the share of replicates on the other side of 0, at least 1 / (replicates + 1).
    draws : the replicates (replicates,).
    """

    caption = "Poisson bootstrap of a mean paired difference, positive for the first"
    mean_difference: float
    stderr: float
    low: float
    high: float
    p_value: float
    level: float
    replicates: int
    seed: int
    n: int
    clusters: int | None
    draws: Array = field(repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class AnytimeInterval(Record):
    """A confidence sequence as it stands: valid whenever one looks, and however often.

    Attributes
    ----------
    mean_difference : of l_b - l_a so far. low, high : the interval.
    log_e_value : the log of the evidence against a mean of 0; e-values at or above 1 / alpha reject at alpha.
    p_value : min(1, 1 / e-value), valid at any stopping time.
    method, assumption : what the guarantee rests on.
    """

    caption = "Anytime-valid confidence sequence of a mean difference, positive for the first"
    mean_difference: float
    low: float
    high: float
    log_e_value: float
    p_value: float
    n: int
    level: float
    method: str
    assumption: str
    early: bool = field(default=False, repr=False)

    def _notes(self) -> Iterator[str]:
        if self.early:
            yield "too few rows, or one of them weighs too much, for an asymptotic interval: it is infinite as yet"


@dataclass(frozen=True, slots=True, repr=False)
class Elpd(Record):
    """An estimate of the expected log predictive density of new data, in nats; higher is better.

    Attributes
    ----------
    elpd : the sum over observations. se : sqrt(n) times the standard deviation (divisor n - 1) of its parts.
    p : the effective number of parameters. n, draws : observations and posterior draws.
    method : "psis-loo" or "waic".
    pointwise : (n,), the part of each observation. pareto_k : (n,), for PSIS-LOO.
    threshold : the largest Pareto k that this many draws can bear.
    """

    caption = "Expected log pointwise predictive density"
    elpd: float
    se: float
    p: float
    n: int
    draws: int
    method: str
    pointwise: Array = field(repr=False)
    pareto_k: Array | None = field(default=None, repr=False)
    threshold: float = field(default=math.nan, repr=False)
    high_variances: int = field(default=0, repr=False)

    @property
    def ic(self) -> float:
        """Return -2 elpd, the estimate on the scale of a deviance."""
        return -2.0 * self.elpd

    def _notes(self) -> Iterator[str]:
        if self.pareto_k is not None:
            bad = int((~(self.pareto_k <= self.threshold)).sum())
            yield f"the largest Pareto k is {number(float(self.pareto_k.max()))}"
            if bad:
                yield (
                    f"{bad} of {self.n} observations have a Pareto k above {self.threshold:.2f}: their part is not "
                    "reliable, and elpd is likely too high; fit the model without them, or use K-fold"
                )
        if self.high_variances:
            yield (
                f"{self.high_variances} of {self.n} observations have a variance of the log-likelihood above 0.4: "
                "WAIC is not reliable; PSIS-LOO says more"
            )


@dataclass(frozen=True, slots=True, repr=False)
class ElpdComparison(Record):
    """Models in order of their elpd, with the difference to the best and its paired standard error."""

    caption = "Comparison of expected log predictive densities"
    names: tuple[str, ...]
    elpd: tuple[float, ...]
    elpd_diff: tuple[float, ...]
    se_diff: tuple[float, ...]
    weights: tuple[float, ...]
    n: int

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, rows and notes of what is shown."""
        columns = (self.names, self.elpd, self.elpd_diff, self.se_diff, self.weights)
        rows = [list(map(shown, row)) for row in zip(*columns, strict=True)]
        return self.caption, ["model", "elpd", "difference", "its error", "stacking weight"], rows, self.notes

    def _notes(self) -> Iterator[str]:
        if self.n < 100:
            yield f"{self.n} observations are few: the error of a difference is likely too small"
        if any(abs(d) < 4.0 for d in self.elpd_diff[1:]):
            yield "differences below 4 are small, and the normal approximation of their error is poor"


@dataclass(frozen=True, slots=True, repr=False)
class StackingWeights(Record):
    """The weights of a mixture of predictive distributions with the highest sum of log densities.

    Attributes
    ----------
    weights : one a model, at least 0, of sum 1.
    elpd : the sum of log densities of the mixture.
    gap : nats by which the sum could at most be higher: the proof that the search has ended.
    """

    caption = "Stacking weights"
    names: tuple[str, ...]
    weights: tuple[float, ...]
    elpd: float
    gap: float
    n: int

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, rows and notes of what is shown."""
        rows = [[name, shown(w)] for name, w in zip(self.names, self.weights, strict=True)]
        return self.caption, ["model", "weight"], rows, self.notes
