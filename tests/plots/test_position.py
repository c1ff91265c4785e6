"""The plot of losses by position holds the numbers of the scores."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import nll
from nll.plots import nll_by_position, save
from nll.plots.style import SEVERAL


def written(folder: Path, models: str = "a", sentinel: bool = False) -> Path:
    path = folder / "log.jsonl"
    lines = []
    for k, model in enumerate(models):
        for i in range(3):
            values = [None, *(-0.5 - k - 0.1 * j * (i + 1) for j in range(5))]
            if sentinel and i == 0:
                values[3] = -9999.0
            lines.append(json.dumps({"model": model, "tokens": list("abcdef"), "token_logprobs": values}))
    path.write_text("\n".join(lines))
    return path


def data(chart: Any, mark: str) -> list[list[dict[str, Any]]]:
    """Return the rows of the layers of a mark; Altair puts data that all layers share beside them."""
    layers = [each for each in chart["layer"] if each["mark"]["type"] == mark]
    return [chart["datasets"][each.get("data", chart.get("data"))["name"]] for each in layers]


def test_points_and_band_are_means_and_intervals(tmp_path: Path) -> None:
    scores: Any = nll.tokens(written(tmp_path), by="position", unit="bits-per-token")
    chart: Any = nll_by_position(scores, 0.9).to_dict()
    rows = data(chart, "point")[0]
    assert data(chart, "area")[0] == rows
    assert [row["position"] for row in rows] == ["0", "1", "2-3", "4-7"]
    assert rows[0]["mean"] is None
    for row in rows[1:]:
        score = scores[row["position"]]
        assert (row["mean"], row["low"], row["high"]) == (score.mean, *score.ci(0.9))
    assert "No token was scored at 0" in chart["title"]["subtitle"]
    assert chart["layer"][1]["encoding"]["y"]["title"] == "NLL (bits per token)"
    assert save(nll_by_position(scores), tmp_path / "p.svg").read_text().startswith("<svg")


def test_a_line_for_each_value_of_a_field(tmp_path: Path) -> None:
    scores: Any = nll.tokens(written(tmp_path, "ab"), by=["model", "position"])
    chart: Any = nll_by_position(scores).to_dict()
    assert [{row["group"] for row in rows} for rows in data(chart, "line")] == [{"a"}, {"b"}]
    assert not data(chart, "area")
    assert len(data(chart, "rule")) == 2
    color = chart["layer"][0]["encoding"]["color"]
    assert (color["title"], color["scale"]["domain"]) == ("model", ["a", "b"])


def test_infinite_losses_are_said_and_not_drawn(tmp_path: Path) -> None:
    chart: Any = nll_by_position(nll.tokens(written(tmp_path, sentinel=True), by="position")).to_dict()
    assert any("1 tokens have an infinite loss" in line for line in chart["title"]["subtitle"])
    rows = data(chart, "point")[0]
    assert [row["mean"] is None for row in rows] == [True, False, True, False]
    json.dumps(chart, allow_nan=False)


def test_intervals_of_few_documents_do_not_set_the_frame(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    lines = [{"token_logprobs": [-1.0, -0.01, -1.0]}, {"token_logprobs": [-1.0, -9.0]}]
    path.write_text("\n".join(map(json.dumps, lines)))
    chart: Any = nll_by_position(nll.tokens(path, by="position")).to_dict()
    low, high = chart["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert low == 0.0
    assert high <= 10.0
    assert any("leaves the frame" in line for line in chart["title"]["subtitle"])


def test_other_scores_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "abcdefgh")
    for by in (None, "model", ["model", "position", "file"]):
        with pytest.raises(nll.errors.UsageError, match="by position and at most one more field"):
            nll_by_position(nll.tokens(path, by=by))
    with pytest.raises(nll.errors.UsageError, match=f"8 lines are too many .* at most {len(SEVERAL)}"):
        nll_by_position(nll.tokens(path, by=["model", "position"]))
    assert math.isnan(nll.tokens(path, by="position")["0"].mean)
