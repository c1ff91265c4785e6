"""The histogram of the probability integral transform holds its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import nll
from nll.plots import pit, save


def test_bars_and_band(tmp_path: Path) -> None:
    y = np.random.default_rng(3).normal(size=1000)
    found: Any = nll.decompose(y, nll.Normal(loc=0.0, scale=1.0))
    chart: Any = pit(found, 0.9).to_dict()
    bars, band, flat = (chart["datasets"][layer["data"]["name"]] for layer in chart["layer"])
    counts, _ = np.histogram(stats.norm.cdf(y), bins=20, range=(0.0, 1.0))
    assert [bar["density"] for bar in bars] == pytest.approx(list(counts / 1000 * 20), rel=1e-12)
    assert [bar["left"] for bar in bars] == pytest.approx([i / 20 for i in range(20)])
    # A bar is a binomial count of probability 1/20, as a density.
    half = stats.norm.ppf(0.95) * np.sqrt(1000 * 0.05 * 0.95) / 1000 * 20
    assert (band[0]["density"], band[0]["high"]) == pytest.approx((1.0 - half, 1.0 + half), rel=1e-9)
    assert {row["density"] for row in flat} == {1.0}
    assert "of 1,000 rows" in chart["title"]["subtitle"][0]
    assert save(pit(found), tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_counts_say_that_they_are_randomised() -> None:
    chart: Any = pit(nll.decompose([0, 1, 2, 3], nll.Poisson(rate=1.5))).to_dict()
    assert chart["title"]["subtitle"][0].startswith("Randomised PIT of 4 rows")
