"""Whether the errors of comparisons are what they claim: simulations, printed as a table.

    python -m benchmarks.coverage_compare [seed]

Intervals of 95 % should cover 94 to 96 %, tests of level 5 % reject 5 % of true hypotheses, and confidence sequences
miss in at most 5 % of sequences, in any of 100,000 looks.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

import nll
from nll.tasks.compare import gradients, sequential

Rng = np.random.Generator
Array = npt.NDArray[Any]
LOOKS, SEQUENCES = 100_000, 400


def expected_difference() -> float:
    """Return the mean of l_b - l_a of `pair`, by quadrature over p."""
    p = 0.05 + 0.9 * (np.arange(200_000) + 0.5) / 200_000
    q = other(p)
    return float((p * np.log(p / q) + (1.0 - p) * np.log((1.0 - p) / (1.0 - q))).mean())


def other(p: Array) -> Array:
    return 0.7 * p + 0.15


def covers(y: Array, p: Array, cluster: Array | None, truth: float) -> bool:
    models = {"a": nll.Bernoulli(probs=p), "b": nll.Bernoulli(probs=other(p))}
    found = nll.compare(y, models, reference="a", cluster=cluster, progress=False)["b"]
    return found.low <= truth <= found.high


def paired(rng: Rng, times: int = 4000, rows: int = 300) -> Iterator[bool]:
    truth = expected_difference()
    for _ in range(times):
        p = rng.uniform(0.05, 0.95, rows)
        yield covers((rng.random(rows) < p).astype(np.int64), p, None, truth)


def clustered(rng: Rng, use: bool, times: int = 4000, clusters: int = 60, each: int = 10) -> Iterator[bool]:
    """Rows of a cluster have one p and one uniform number, but for one row in five: strong dependence."""
    truth = expected_difference()
    code = np.repeat(np.arange(clusters), each)
    for _ in range(times):
        p = np.repeat(rng.uniform(0.05, 0.95, clusters), each)
        u = np.where(
            rng.random(clusters * each) < 0.2, rng.random(clusters * each), np.repeat(rng.random(clusters), each)
        )
        yield covers((u < p).astype(np.int64), p, code if use else None, truth)


def unequal(rng: Rng, times: int = 4000, clusters: int = 60) -> Iterator[bool]:
    """Return the same for clusters of very different sizes: log-normal, the largest some fifty times the smallest."""
    truth = expected_difference()
    for _ in range(times):
        code = np.repeat(np.arange(clusters), np.ceil(rng.lognormal(1.8, 1.0, clusters)).astype(int))
        p = rng.uniform(0.05, 0.95, clusters)[code]
        u = np.where(rng.random(len(code)) < 0.2, rng.random(len(code)), rng.random(clusters)[code])
        yield covers((u < p).astype(np.int64), p, code, truth)


def vuong(rng: Rng, times: int = 4000, rows: int = 300) -> Iterator[bool]:
    """Two normals at the same distance from the truth on either side of it."""
    for _ in range(times):
        y = rng.normal(size=rows)
        a, b = (nll.Normal(loc=m, scale=1.0) for m in (-0.3, 0.3))
        yield nll.vuong(-a.log_prob(y), -b.log_prob(y), k=(0, 0)).p_value <= 0.05


def distinguishable(rng: Rng, times: int = 3000, rows: int = 500) -> Iterator[bool]:
    """Both families contain the truth, an Exponential, so the fits are the same in the end."""
    gradients.ROWS_BEFORE_COMPILING = 0
    for _ in range(times):
        y = rng.exponential(size=rows)
        yield nll.vuong(nll.fit(y, nll.Gamma), nll.fit(y, nll.Weibull)).p_distinguishable <= 0.05


def ratio(rng: Rng, times: int = 1500, rows: int = 300) -> Iterator[bool]:
    for _ in range(times):
        y = rng.exponential(size=rows)
        yield nll.lrt(nll.fit(y, nll.Exponential), nll.fit(y, nll.Gamma)).p_value <= 0.05


def boundary(rng: Rng, times: int = 1500, rows: int = 1000) -> Iterator[bool]:
    for _ in range(times):
        y = rng.poisson(4.0, rows)
        full = nll.fit(y, nll.NegativeBinomial, throw=False)
        small = nll.fit(y, nll.Poisson)
        nested = full.nll if math.isfinite(full.nll) else small.nll
        yield nll.lrt(small.nll, min(nested, small.nll), df=1, boundary=1).p_value <= 0.05


def asymptotic(d: Array, mean: float, first: int = 100, level: float = 0.95) -> bool:
    """Whether the sequence misses the mean at any look; the formulas of ConfidenceSequence at all looks at once."""
    n = np.arange(1, len(d) + 1)
    means = np.cumsum(d) / n
    squares = np.maximum(np.cumsum(d * d) - n * means**2, 0.0)
    reach = np.maximum(np.maximum.accumulate(d) - means, means - np.minimum.accumulate(d))
    use = (n >= first) & (squares >= sequential.ENOUGH * reach**2) & (squares > 0.0)
    radius = np.sqrt(squares / np.maximum(n - 1, 1)) * sequential.normal_radius(
        n, sequential.tuning(1.0 - level, 1000.0), 1.0 - level
    )
    return bool((use & (np.abs(means - mean) > radius)).any())


def bernstein(d: Array, mean: float, c: float, level: float = 0.95) -> bool:
    """The same for the sequence of bounded differences: it misses where a mixture reaches 2 / alpha."""
    alpha, log2 = 1.0 - level, math.log(4.0 / (1.0 - level) ** 2)
    rho = min(1.0, 0.25 * c * c) * 1000.0 / (log2 + math.log1p(log2))
    n, v, r = np.arange(1, len(d) + 1), np.cumsum(d * d), rho / c**2
    a = (v + rho) / c**2
    start = r * math.log(r) - special.gammaln(r) - math.log(special.gammainc(r, r))
    missed = False
    for side in (1.0, -1.0):
        s = side * (np.cumsum(d) - n * mean)
        b = (c * s + v + rho) / c**2
        with np.errstate(all="ignore"):
            lower = special.gammaln(a) + np.log(special.gammainc(a, b))
            log_e = np.where(b > 0.0, start + lower - a * np.log(b) + (c * s + v) / c**2, -np.inf)
        missed |= bool((log_e >= math.log(2.0 / alpha)).any())
    return missed


def sequences(rng: Rng, draw: Callable[[Rng, int], Array], mean: float) -> Iterator[bool]:
    for _ in range(SEQUENCES):
        yield asymptotic(draw(rng, LOOKS), mean)


def losses(rng: Rng, size: int) -> Array:
    """Differences of clipped log losses, skewed: p and its blunted copy."""
    p = rng.uniform(0.001, 0.999, size)
    q = 0.97 * p + 0.015
    y = rng.random(size) < p
    return np.where(y, np.log(p / q), np.log((1.0 - p) / (1.0 - q)))


def bounded(rng: Rng) -> Iterator[bool]:
    p = 0.001 + 0.998 * (np.arange(200_000) + 0.5) / 200_000
    q = 0.97 * p + 0.015
    mean = float((p * np.log(p / q) + (1.0 - p) * np.log((1.0 - p) / (1.0 - q))).mean())
    for _ in range(SEQUENCES):
        yield bernstein(losses(rng, LOOKS), mean, 3.0)


CASES: list[tuple[str, str, Callable[[Rng], Iterator[bool]]]] = [
    ("paired interval, 300 rows", "covers", paired),
    ("clustered interval, 60 clusters of 10", "covers", lambda rng: clustered(rng, True)),
    ("the same without cluster=", "covers", lambda rng: clustered(rng, False)),
    ("Vuong, 300 rows, equal models", "rejects", vuong),
    ("Vuong's test of omega2, 500 rows, the same model in two families", "rejects", distinguishable),
    ("likelihood ratio, Exponential in Gamma, 300 rows", "rejects", ratio),
    ("the same on the boundary, Poisson in NegativeBinomial, 1,000 rows", "rejects", boundary),
    ("asymptotic sequence, normal", "misses", lambda r: sequences(r, lambda g, n: g.normal(size=n), 0.0)),
    ("asymptotic sequence, Student's t, 5 df", "misses", lambda r: sequences(r, lambda g, n: g.standard_t(5, n), 0.0)),
    (
        "asymptotic sequence, log-normal",
        "misses",
        lambda r: sequences(r, lambda g, n: g.lognormal(size=n), math.exp(0.5)),
    ),
    ("empirical Bernstein sequence, bounded losses", "misses", bounded),
    ("clustered interval, 300 clusters of 10", "covers", lambda rng: clustered(rng, True, 2000, 300)),
    ("the same without cluster=", "covers", lambda rng: clustered(rng, False, 2000, 300)),
    ("clustered interval, 60 clusters of very different sizes", "covers", unequal),
    ("the same, 300 clusters", "covers", lambda rng: unequal(rng, 1000, 300)),
]


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 20250101
    print("| what | | share | ± | simulations | s |\n|---|---|---|---|---|---|")
    for k, (name, verb, case) in enumerate(CASES):
        begin = time.perf_counter()
        found = np.fromiter(case(np.random.default_rng([seed, k])), bool)
        share = found.mean()
        error = math.sqrt(max(share * (1.0 - share), 1.0 / found.size) / found.size)
        spent = time.perf_counter() - begin
        print(f"| {name} | {verb} | {share:.2%} | {error:.2%} | {found.size:,} | {spent:.0f} |", flush=True)


if __name__ == "__main__":
    main()
