"""Count fits that end above the truth: python -m benchmarks.fit_truth writes docs/fit-truth.md.

The likelihood at its maximum is never lower than at the parameters that the sample was drawn with. So a fit whose
negative log-likelihood is higher than the truth's has not found the maximum.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tests.tasks.fit.truths import ALONE, LOCATED, SCALED, known, truth

import nll
from nll.families.family import Family

PAGE = Path(__file__).parents[1] / "docs" / "fit-truth.md"
SIZES = (30, 200, 5000)
ENDS = (1e-6, 1.0, 1e4, 1e6)  # of locations and of scales
SAMPLES = 2
TOLERANCE = 1e-9  # nats, and relative to the sum of 1e-13

Array = npt.NDArray[Any]


@dataclass(slots=True)
class Count:
    """What became of the fits of one family."""

    fits: int = 0
    above: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter[str])
    theirs: int = 0
    theirs_above: int = 0
    theirs_failed: int = 0


def truths() -> Iterator[tuple[str, list[Family]]]:
    """Yield each parametrisation with the distributions that are sampled."""
    for name, make in LOCATED.items():
        yield name, [truth(name, make(place, scale)) for place in ENDS for scale in ENDS]
    for name, make in SCALED.items():
        yield name, [truth(name, make(scale)) for scale in ENDS]
    for name, several in ALONE.items():
        for theta in several:
            yield name, [truth(name, theta)]


def counted(dists: list[Family], size: int, count: Count) -> None:
    """Fit samples of each distribution, all as groups of one call, and add to the count."""
    cells = [(dist, seed) for dist in dists for seed in range(SAMPLES)]
    samples = [np.asarray(dist.sample(size, np.random.default_rng([seed, size, k])), np.float64)
               for k, (dist, seed) in enumerate(cells)]  # fmt: skip
    codes = np.repeat(np.arange(len(cells)), size)
    fits = nll.fit(np.concatenate(samples), type(dists[0]), by=codes, fixed=known(dists[0]), throw=False)
    for key, ((dist, seed), y) in enumerate(zip(cells, samples, strict=True)):
        fit, true = fits[key], nll.score(y, dist).sum
        count.fits += 1
        limit = true + TOLERANCE + 1e-13 * abs(true)
        if not fit.converged:
            count.refused[fit.warnings[0] if fit.warnings else "no reason"] += 1
        elif not fit.nll <= limit:
            count.above.append(f"{dist!r}, n = {size}, sample {seed}: {fit.nll - true:.3g} nats above the truth")
        theirs = scipy_loss(dist, y)
        if theirs is not None:
            count.theirs += 1
            if not math.isfinite(theirs):
                count.theirs_failed += 1
            elif theirs > limit:
                count.theirs_above += 1


def scipy_loss(dist: Family, y: Array) -> float | None:
    """Return the negative log-likelihood of SciPy's fit, infinite where it fails, None where it has no such fit."""
    from scipy import stats

    form = type(dist)
    if form.scipy is None or form.observations.discrete:
        return None
    name, arguments = form.scipy(*dist.theta.values())
    family = getattr(stats, name)
    fixed = {f"f{what}": value for what, value in (("loc", 0.0), ("scale", 1.0)) if what not in arguments}
    try:
        theta = family.fit(y, **fixed)
        return -float(family.logpdf(y, *theta).sum())
    except Exception:
        return math.inf


def table() -> str:
    """Return the page."""
    counts: dict[str, Count] = {}
    for name, dists in truths():
        for size in SIZES:
            counted(dists, size, counts.setdefault(name, Count()))
        print(name, counts[name], flush=True)
    return page(counts)


def page(counts: dict[str, Count]) -> str:
    """Return the counts as Markdown."""
    lines = [
        "# Fits against the truth",
        "",
        "The negative log-likelihood (NLL) of a fit may not be higher than that of the distribution that the sample "
        "was drawn from; where it is, the fit has not found the maximum, and every number that follows from it is "
        f"wrong. This page counts such fits over samples of {', '.join(map(str, SIZES))} rows, with locations and "
        f"scales of {', '.join(f'{x:g}' for x in ENDS)} where the family has them ({SAMPLES} samples of each). "
        "`make truth` writes it.",
        "",
        "“Refused” are fits that say `converged=False`, with the reason below. SciPy has the same samples, and the "
        "location 0 where ours has none; it says nothing where its fit is above the truth, and “failed” where its fit "
        "raised or gave no finite NLL. A dash: SciPy has no `fit` for the family.",
        "",
        "| family | fits | above the truth | refused | SciPy: above the truth | SciPy: failed |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for name, c in counts.items():
        theirs = (f"{c.theirs_above:,} of {c.theirs:,}", f"{c.theirs_failed:,}") if c.theirs else ("–", "–")
        lines.append(f"| {name} | {c.fits:,} | {len(c.above)} | {c.refused.total()} | {theirs[0]} | {theirs[1]} |")
    every = list(counts.values())
    lines.append(
        f"| all | {sum(c.fits for c in every):,} | {sum(len(c.above) for c in every)} | "
        f"{sum(c.refused.total() for c in every)} | {sum(c.theirs_above for c in every):,} of "
        f"{sum(c.theirs for c in every):,} | {sum(c.theirs_failed for c in every):,} |"
    )
    notes = [f"- {name}, {times} ×: {why}" for name, c in counts.items() for why, times in c.refused.items()]
    lines += ["", "Reasons of the refused:", "", *(notes or ["- none were refused"])]
    above = [f"- {line}" for c in every for line in c.above]
    lines += ["", "Above the truth:", "", *(above or ["- none"]), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with np.errstate(all="ignore"):
        PAGE.write_text(table())
