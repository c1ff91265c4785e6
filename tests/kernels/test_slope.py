"""The compiled sums of mapped log-odds against mpmath and against the pass by NumPy."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from nll.kernels.slope import slope_sums
from nll.tasks.decompose import recalibration


def cells(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    return rng.normal(0.0, 4.0, n), rng.random(n) < 0.4, rng.integers(1, 5, n).astype(np.float64)


def test_sums_are_those_of_the_formulas() -> None:
    z, happened, mass = cells(700)
    slope, shift = 0.8, -0.3
    totals = [mpmath.mpf(0)] * 6
    with mpmath.workdps(40):
        for x, y, m in zip(z.tolist(), happened.tolist(), mass.tolist(), strict=True):
            t = mpmath.mpf(slope) * x + mpmath.mpf(shift)
            p = 1 / (1 + mpmath.exp(-t))
            w = m * p * (1 - p)
            row = (-m * mpmath.log(p if y else 1 - p), m * (p - y) * x, m * (p - y), w * x * x, w * x, w)
            totals = [total + term for total, term in zip(totals, row, strict=True)]
        scale = float(np.abs(mass * z).sum())
        assert slope_sums(z, happened, mass, slope, shift) == pytest.approx(
            [float(t) for t in totals], abs=1e-14 * scale
        )


def test_a_fit_is_the_same_by_either_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    z, happened, mass = cells(3_000)
    by_numpy = recalibration.fit_slope(z, happened, mass, True)
    monkeypatch.setattr(recalibration, "COMPILED", 1)
    assert recalibration.fit_slope(z, happened, mass, True) == pytest.approx(by_numpy, rel=1e-9)
