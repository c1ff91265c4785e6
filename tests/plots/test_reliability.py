"""The reliability diagram holds the numbers of the decomposition, and saves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import nll
from nll.plots import reliability, save


def test_the_picture_has_steps_points_and_band(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    p = rng.integers(1, 10, 400) / 10.0
    d = nll.decompose(rng.random(400) < p, nll.Bernoulli(probs=p), band=40)
    chart: Any = reliability(d).to_dict()
    values = [chart["datasets"][layer["data"]["name"]] for layer in chart["layer"]]
    band, diagonal, steps, points = values
    assert diagonal == [{"x": 0.0, "observed": 0.0}, {"x": 1.0, "observed": 1.0}]
    assert [row["x"] for row in steps[::2]] == list(d.low)
    assert [row["observed"] for row in points] == list(d.observed)
    assert [row["upper"] for row in band] == list(d.band[1])
    assert f"miscalibration {d.miscalibration.mean:.4g}" in chart["title"]["subtitle"][1]
    assert save(reliability(d), tmp_path / "r.svg").read_text().startswith("<svg")
    assert len(reliability(nll.decompose([0, 1], nll.Bernoulli(probs=[0.2, 0.7]))).to_dict()["layer"]) == 3
