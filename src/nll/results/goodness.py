"""What `Fit.goodness` returns: tests of the fitted distribution, its residuals, and the data of their plots."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.errors import UsageError
from nll.families.family import Family
from nll.results.fit_show import html_of
from nll.results.score import jsonable
from nll.results.show import _rich, as_text, number

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]
LONGEST_TABLE = 2**16  # whole numbers whose probabilities are added up to find quantiles


@dataclass(frozen=True, slots=True)
class Outcome:
    """A test of the fitted distribution.

    Attributes
    ----------
    name : what it is called.
    statistic : its value on the data.
    p_value : the share of replicates, the data among them, whose statistic is as large; NaN without replicates.
    df : of the chi-square test: cells - 1 - k, the degrees of freedom of its limit; NaN for the others.
    """

    name: str
    statistic: float
    p_value: float
    df: float = math.nan


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Goodness:
    """How well a fitted distribution describes the data that it was fitted to.

    Attributes
    ----------
    distribution : what was tested.
    n : rows; a row of weight 2 counts twice.
    tests : the tests by name: "kolmogorov_smirnov", "anderson_darling", "cramer_von_mises", and for counts
        "chi_square".
    replicates, failed : samples drawn from the fitted distribution and fitted again; those that did not converge,
        which are left out.
    seed : of the replicates, and of the randomised residuals of a discrete distribution.
    residuals : quantile residuals (n,), in the order of the rows: standard normal under the fitted distribution.
    pp : "theoretical" and "observed" probabilities, for a plot; of a long sample every so many.
    worm : normal quantiles "theoretical", the "deviation" of the sorted residuals from them, and the half width
        "band95" that holds 95 % of them at each place.
    p, ordered, dist : probabilities, the sorted observations there, and the distribution, for `qq`; None where its
        parameters differ by row.
    """

    distribution: str
    n: int
    tests: dict[str, Outcome]
    replicates: int
    failed: int
    seed: int
    residuals: Array
    pp: dict[str, Array]
    worm: dict[str, Array]
    p: Array
    ordered: Array
    dist: Family | None

    def __getitem__(self, name: str) -> Outcome:
        return self.tests[name]

    @property
    def qq(self) -> dict[str, Array]:
        """The "theoretical" and "observed" quantiles of y, found when asked for."""
        if self.dist is None:
            raise UsageError("the parameters differ by row: a QQ plot has no one distribution; see pp and worm")
        ends = (float(self.ordered[0]), float(self.ordered[-1]))
        return {"theoretical": quantiles(self.dist, self.p, *ends), "observed": self.ordered}

    def to_dict(self) -> dict[str, Any]:
        """Return the tests as plain types; the arrays stay with the record."""
        tests = {
            name: {"statistic": t.statistic, "p_value": t.p_value} | ({} if math.isnan(t.df) else {"df": t.df})
            for name, t in self.tests.items()
        }
        about = {"distribution": self.distribution, "n": self.n, "replicates": self.replicates}
        return about | {"failed": self.failed, "seed": self.seed, "tests": tests}

    def to_json(self) -> str:
        """Return one valid JSON document."""
        return json.dumps(jsonable(self.to_dict()))

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a test."""
        import polars as pl

        rows = list(self.tests.items())
        return pl.DataFrame(
            {
                "test": [name for name, _ in rows],
                "statistic": [t.statistic for _, t in rows],
                "p_value": [t.p_value for _, t in rows],
                "df": [t.df for _, t in rows],
            }
        )

    def _parts(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        body = [[t.name, number(t.statistic), number(t.p_value)] for t in self.tests.values()]
        failed = f", of which {self.failed} did not converge and are left out" if self.failed else ""
        residual = np.asarray(self.residuals)
        finite = residual[np.isfinite(residual)]
        spread = f"{number(float(finite.mean()))}, {number(float(finite.std()))}" if finite.size else "–"
        below = [
            f"p-values by parametric bootstrap: {self.replicates} replicates fitted again{failed}; seed {self.seed}",
            f"n {self.n:,}; quantile residuals: mean and standard deviation {spread}",
        ]
        return f"Goodness of fit: {self.distribution}", ["test", "statistic", "p"], body, below

    def summary(self) -> str:
        """Return the tests as a text."""
        caption, header, body, below = self._parts()
        return "\n".join([as_text(_rich(caption, header, body, [], 1)), *below])

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} p={number(t.p_value)}" for name, t in self.tests.items())
        return f"<Goodness of {self.distribution}, n={self.n:,}: {shown}>"

    def _repr_html_(self) -> str:
        return html_of(*self._parts())


def quantiles(dist: Family, p: Array, low: float, high: float) -> Array:
    """Return the quantiles of probabilities in (0, 1), given about where observations lie.

    Of counts they are read off the distribution function at each whole number, which is faster than a search.
    """
    if not dist.discrete:
        return np.asarray(dist.quantile(p))
    least, most = float(p.min()), float(p.max())
    while high - low < LONGEST_TABLE and dist.cdf(high) < most:
        high += max(1.0, high - low)
    while high - low < LONGEST_TABLE and dist.cdf(low - 1.0) >= least:
        low -= max(1.0, high - low)
    if high - low >= LONGEST_TABLE:
        return np.asarray(dist.quantile(p))
    grid = np.arange(low, high + 1.0)
    return grid[np.searchsorted(np.maximum.accumulate(dist.cdf(grid)), p)]
