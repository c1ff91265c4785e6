"""How often 95 % intervals hold the truth: `make coverage` writes docs/coverage.md.

Each family is sampled many times and each sample fitted, all as groups of one call. A Wald interval is that of
`Fit.ci`. A profile interval holds the true value exactly if twice the rise of the smallest NLL with the parameter
fixed there, over the smallest of all, is at most the chi-square quantile: one more fit of all samples tells, without
finding the ends.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import nll
from nll.families.family import Family
from nll.results.scale import normal_quantile

PAGE = Path(__file__).parents[1] / "docs" / "coverage.md"
ROWS, SAMPLES, LEVEL = 200, 4_000, 0.95
LEAST, MOST = 0.93, 0.97

Array = npt.NDArray[Any]

# Regular families: the support does not depend on parameters, and these lie inside of what they may be.
TRUTHS: list[Family] = [
    nll.Bernoulli(probs=0.3),
    nll.Beta(2.0, 5.0),
    nll.Cauchy(1.0, 2.0),
    nll.Exponential(rate=0.5),
    nll.Gamma(2.5, 0.7),
    nll.GeneralizedPareto(scale=2.0, shape=0.2),
    nll.Geometric(probs=0.2),
    nll.GEV(3.0, 2.0, 0.1),
    nll.Gumbel(3.0, 2.0),
    nll.GumbelMin(3.0, 2.0),
    nll.HalfCauchy(2.0),
    nll.HalfNormal(2.0),
    nll.InverseGamma(3.0, 2.0),
    nll.InverseGaussian(2.0, 3.0),
    nll.Kumaraswamy(2.0, 3.0),
    nll.LogLogistic(2.0, 3.0),
    nll.LogNormal(0.5, 0.8),
    nll.LogSeries(probs=0.7),
    nll.Logistic(1.0, 2.0),
    nll.NegativeBinomial(mean=4.0, dispersion=0.5),
    nll.Normal(1.0, 2.0),
    nll.Poisson(rate=4.0),
    nll.Rayleigh(2.0),
    nll.StudentT(5.0, 1.0, 2.0),
    nll.VonMises(0.5, 2.0),
    nll.Weibull(scale=2.0, concentration=1.7),
]


@dataclass(frozen=True, slots=True)
class Row:
    """The shares of samples whose intervals for one parameter hold the truth; `left_out`, fits without an interval."""

    family: str
    parameter: str
    truth: float
    wald: float
    profile: float
    left_out: int

    @property
    def good(self) -> bool:
        """Whether both lie where they should."""
        return all(LEAST <= share <= MOST for share in (self.wald, self.profile))


def covered(truth: Family, samples: int) -> list[Row]:
    """Return a row for each parameter."""
    form = type(truth)
    y = truth.sample(ROWS * samples, np.random.default_rng([17, *form.__name__.encode()]))
    codes = np.repeat(np.arange(samples), ROWS)
    fits = nll.fit(y, form, by=codes, throw=False)
    rows: list[Row] = []
    z = normal_quantile(LEVEL)
    for name in fits.free:
        value = float(truth.theta[name])
        bounds = np.array([fits.at(i).ci(LEVEL, names=name)[name] for i in range(samples)])
        inside = (bounds[:, 0] <= value) & (value <= bounds[:, 1])
        known = fits.converged & fits.cov_ok & np.isfinite(bounds).all(axis=1)
        if len(fits.free) > 1:
            fixed = nll.fit(y, form, by=codes, fixed={name: value}, throw=False).nll
        else:
            fixed = np.array([score.sum for score in nll.score(y, truth, by=codes).values()])
        held = 2.0 * (fixed - fits.nll) <= z * z
        shares = inside[known].mean(), held[fits.converged].mean()
        rows.append(Row(form.__name__, name, value, float(shares[0]), float(shares[1]), int((~known).sum())))
    return rows


def main() -> int:
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    rows: list[Row] = []
    for truth in TRUTHS:
        rows += covered(truth, samples)
        print(*rows[-len(truth.theta) :], sep="\n", flush=True)
    PAGE.write_text(page(rows, samples))
    outside = [row for row in rows if not row.good]
    print(f"{len(rows) - len(outside)} of {len(rows)} within {LEAST:.0%} to {MOST:.0%}")
    return 1 if outside else 0


def page(rows: list[Row], samples: int) -> str:
    """Return the report as Markdown."""
    error = 100.0 * np.sqrt(LEVEL * (1.0 - LEVEL) / samples)
    lines = [
        "# Coverage of intervals",
        "",
        f"How many of {samples:,} samples of {ROWS} rows had a {LEVEL:.0%} interval that holds the parameter that they "
        f"were drawn with, in percent. The simulation's own standard error is {error:.1f}. Asked is "
        f"{100 * LEAST:.0f} to {100 * MOST:.0f}. `make coverage` writes this page.",
        "",
        "“Without” are samples whose fit has no maximum inside (a StudentT with less outliers than a Normal has no "
        "finite df), and so no standard error; they are left out of the Wald column, and of the other one where "
        "the fit did not converge.",
        "",
        "| family | parameter | truth | Wald | profile | without | |",
        "| --- | --- | --: | --: | --: | --: | --- |",
    ]
    for r in rows:
        verdict = "" if r.good else "**outside**"
        lines.append(
            f"| {r.family} | {r.parameter} | {r.truth:g} | {100 * r.wald:.1f} | {100 * r.profile:.1f} | {r.left_out} | "
            f"{verdict} |"
        )
    good = sum(r.good for r in rows)
    return "\n".join([*lines, "", f"{good} of {len(rows)} within.", ""])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
