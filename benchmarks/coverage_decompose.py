"""Whether the intervals of decompositions hold what they claim: a simulation, printed as a table.

    python -m benchmarks.coverage_decompose [seed]

Events happen with probability g(p) for forecasts p, so that the parts of the mean log score are known: miscalibration
E KL(g(p), p), discrimination E KL(g(p), g), uncertainty H(g), entropy E H(g(p)), with g the mean of g(p). The parts of
a sample are off by the recalibration that is fitted to it; the table has that bias of uncorrected means, in standard
deviations of the estimate, next to the share of intervals of 95 %, about corrected means, that hold the truth.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import nll

Array = npt.NDArray[Any]
PARTS = ("miscalibration", "discrimination", "uncertainty", "entropy")
POINTS = 200_000


@dataclass(frozen=True, slots=True)
class Case:
    """Forecasts with `levels` values (0: any in (0.02, 0.98)); true log-odds are `slope` times theirs plus `shift`."""

    name: str
    rows: int
    levels: int = 0
    slope: float = 1.0
    shift: float = 0.0
    replicates: int = 0
    times: int = 1000

    def forecasts(self, u: Array) -> Array:
        """Return a forecast for each uniform number."""
        if self.levels:
            return (np.floor(u * self.levels) + 0.5) / self.levels
        return 0.02 + 0.96 * u

    def truth(self, p: Array) -> Array:
        """Return the probability of the event where p was forecast."""
        return 1.0 / (1.0 + np.exp(-(self.slope * np.log(p / (1.0 - p)) + self.shift)))

    def parts(self) -> dict[str, float]:
        """Return the parts of the expected score, by the midpoint rule."""
        p = self.forecasts((np.arange(POINTS) + 0.5) / POINTS)
        g = self.truth(p)
        score = float(-(g * np.log(p) + (1.0 - g) * np.log1p(-p)).mean())
        entropy = float(_entropy(g).mean())
        uncertainty = float(_entropy(np.array([g.mean()]))[0])
        return dict(zip(PARTS, (score - entropy, uncertainty - entropy, uncertainty, entropy), strict=True))


def _entropy(g: Array) -> Array:
    return -(g * np.log(g) + (1.0 - g) * np.log1p(-g))


CASES = [
    Case("over-confident, 10 forecasts", 300, 10, 0.6, 0.3),
    Case("over-confident, 10 forecasts", 1_000, 10, 0.6, 0.3),
    Case("over-confident, 10 forecasts", 10_000, 10, 0.6, 0.3),
    Case("over-confident, any forecast", 300, 0, 0.6, 0.3),
    Case("over-confident, any forecast", 1_000, 0, 0.6, 0.3),
    Case("over-confident, any forecast", 10_000, 0, 0.6, 0.3),
    Case("the same, bootstrap of 200", 1_000, 0, 0.6, 0.3, 200, 300),
    Case("calibrated, 10 forecasts", 1_000, 10),
    Case("calibrated, any forecast", 1_000, 0),
    Case("calibrated, any forecast", 10_000, 0),
]


def run(case: Case, rng: np.random.Generator) -> tuple[dict[str, float], dict[str, float]]:
    """Return the share of intervals that hold the truth, and the bias in standard deviations, of each part."""
    truth = case.parts()
    held = dict.fromkeys(PARTS, 0)
    found: dict[str, list[float]] = {name: [] for name in PARTS}
    for _ in range(case.times):
        p = case.forecasts(rng.random(case.rows))
        y = rng.random(case.rows) < case.truth(p)
        d: Any = nll.decompose(y, nll.Bernoulli(probs=p), replicates=case.replicates, progress=False)
        for name in PARTS:
            part = d.parts[name]
            held[name] += part.low <= truth[name] <= part.high
            found[name].append(part.mean)
    bias = {name: float((np.mean(found[name]) - truth[name]) / np.std(found[name])) for name in PARTS}
    return {name: held[name] / case.times for name in PARTS}, bias


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 20250101
    print("| forecasts | rows | samples |", " | ".join(PARTS), "| s |")
    print("|---|--:|--:|" + "--:|" * len(PARTS) + "--:|")
    for k, case in enumerate(CASES):
        begin = time.perf_counter()
        share, bias = run(case, np.random.default_rng([seed, k]))
        cells = " | ".join(f"{100 * share[name]:.1f} % ({bias[name]:+.1f})" for name in PARTS)
        spent = time.perf_counter() - begin
        print(f"| {case.name} | {case.rows:,} | {case.times:,} | {cells} | {spent:.0f} |", flush=True)
    print(f"\nSimulation error of 95 %: {100 * math.sqrt(0.05 * 0.95 / 1000):.1f} (1,000 samples).")


if __name__ == "__main__":
    main()
