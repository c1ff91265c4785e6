from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from sklearn.metrics import log_loss

from nll import data
from nll.errors import UsageError


def test_rain_is_complete_and_small() -> None:
    file = data.path("rain")
    rain = pl.read_parquet(file)
    assert file.stat().st_size < 200_000
    assert rain.columns == ["date", "year", "season", "week", "y", "p_month", "p_logistic", "p_boosting"]
    assert rain.height == 1458
    assert rain.null_count().sum_horizontal().item() == 0
    assert set(rain["season"]) == {"winter", "spring", "summer", "autumn"}


def test_the_models_know_more_than_the_calendar() -> None:
    rain = pl.read_parquet(data.path("rain"))
    loss = {name: log_loss(rain["y"], rain[name]) for name in ("p_month", "p_logistic", "p_boosting")}
    assert loss["p_logistic"] < loss["p_boosting"] < loss["p_month"] < 0.6931471805599453


def test_the_logs_are_small_and_what_their_tool_makes(tmp_path: Path) -> None:
    assert data.names() == ["amendments_characters", "amendments_pieces", "rain"]
    tool = Path(__file__).parents[1] / "tools" / "make_demo_logs.py"
    subprocess.run([sys.executable, str(tool), str(tmp_path)], check=True)
    for name in ("amendments_characters", "amendments_pieces"):
        file = data.path(name)
        assert file.stat().st_size < 50_000
        assert gzip.decompress(file.read_bytes()) == gzip.decompress((tmp_path / file.name).read_bytes())


def test_another_name_is_refused() -> None:
    with pytest.raises(UsageError, match="rain"):
        data.path("snow")
