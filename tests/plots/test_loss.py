from __future__ import annotations

import json
import math
import re
import struct
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nll import plots
from nll.errors import MissingExtraError, UsageError

SCRIPT_FROM_ELSEWHERE = re.compile(r"<script[^>]*\bsrc\s*=|<link[^>]*\bhref\s*=|@import", re.IGNORECASE)


def curve_of(chart: dict) -> list[dict]:
    name = next(layer["data"]["name"] for layer in chart["layer"] if layer["mark"]["type"] == "line")
    return chart["datasets"][name]


def test_the_curve_is_minus_log_p() -> None:
    chart = plots.loss().to_dict()
    rows = curve_of(chart)
    assert [rows[0]["p"], rows[-1]["p"], len(rows)] == [0.001, 0.999, 999]
    assert all(row["loss"] == pytest.approx(-math.log(row["p"]), rel=1e-15) for row in rows)


def test_title_size_and_axes() -> None:
    chart = plots.loss().to_dict()
    assert chart["title"]["text"] == "Negative log-likelihood for one observed event"
    assert chart["height"] == 280
    for layer in chart["layer"]:
        assert layer["encoding"]["y"]["scale"]["domain"] == [0, 7]
        assert layer["encoding"]["x"]["title"]
        assert layer["encoding"]["y"]["title"]


def test_png_is_a_picture(tmp_path: Path) -> None:
    data = plots.save(plots.loss(), tmp_path / "loss.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    assert width > 1000
    assert height > 2 * 280


def test_svg_is_a_picture_with_its_words(tmp_path: Path) -> None:
    tree = ElementTree.parse(plots.save(plots.loss(), tmp_path / "loss.svg"))
    words = " ".join(text for text in tree.getroot().itertext())
    assert "Negative log-likelihood for one observed event" in words
    assert "0.2231" in words


def test_html_needs_no_network(tmp_path: Path) -> None:
    page = plots.save(plots.loss(), tmp_path / "loss.html").read_text(encoding="utf-8")
    assert "Negative log-likelihood for one observed event" in page
    assert not SCRIPT_FROM_ELSEWHERE.search(page)
    assert len(page) > 300_000  # Vega itself is in the page


def test_json_is_the_specification(tmp_path: Path) -> None:
    path = plots.save(plots.loss(), str(tmp_path / "loss.json"))
    assert len(curve_of(json.loads(path.read_text(encoding="utf-8")))) == 999


@pytest.mark.parametrize("name", ["loss.gif", "loss", "no/such/folder/loss.png"])
def test_a_place_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot save a picture"):
        plots.save(plots.loss(), tmp_path / name)


@pytest.mark.parametrize("package", ["altair", "vl_convert"])
def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"nll\[plots\]"):
        plots.loss()
