"""Make the demo data of the package, rain.parquet, from four years of daily weather in Seattle.

python tools/make_demo_data.py seattle-weather.csv [rain.parquet]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

OUT = Path(__file__).parents[1] / "src" / "nll" / "data" / "rain.parquet"
SEASONS = {12: "winter", 1: "winter", 2: "winter", 3: "spring", 4: "spring", 5: "spring"}
SEASONS |= {6: "summer", 7: "summer", 8: "summer", 9: "autumn", 10: "autumn", 11: "autumn"}

# What is known on the evening before.
FEATURES = ["wet", "wet_before", "rain", "rain_three_days", "warmest", "range", "change", "wind", "cosine", "sine"]

MODELS: dict[str, Any] = {
    "p_logistic": make_pipeline(StandardScaler(), LogisticRegression(C=1.0)),
    "p_boosting": HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=100, max_leaf_nodes=8, min_samples_leaf=20, random_state=0
    ),
}


def table(weather: pl.DataFrame) -> pl.DataFrame:
    """One row a day: whether it rained, and what the day before showed."""
    angle = 2 * np.pi * pl.col("date").dt.ordinal_day() / 365.25
    wet = (pl.col("precipitation") > 0).cast(pl.Int8)
    spread = pl.col("temp_max") - pl.col("temp_min")
    days = weather.sort("date").with_columns(
        y=wet,
        wet=wet.shift(1),
        wet_before=wet.shift(2),
        rain=pl.col("precipitation").log1p().shift(1),
        rain_three_days=pl.col("precipitation").rolling_sum(3).log1p().shift(1),
        warmest=pl.col("temp_max").shift(1),
        range=spread.shift(1),
        change=pl.col("temp_max").diff().shift(1),
        wind=pl.col("wind").shift(1),
        cosine=angle.cos(),
        sine=angle.sin(),
        year=pl.col("date").dt.year().cast(pl.Int16),
        season=pl.col("date").dt.month().replace_strict(SEASONS),
        week=pl.col("date").dt.truncate("1w"),
    )
    return days.drop_nulls(FEATURES)


def held_out(model: Any, days: pl.DataFrame) -> np.ndarray:
    """Predict each year by the model that the other years train."""
    x, y, year = days.select(FEATURES).to_numpy(), days["y"].to_numpy(), days["year"].to_numpy()
    p = np.full(len(y), np.nan)
    for this in np.unique(year):
        fitted: Any = clone(model)
        fitted.fit(x[year != this], y[year != this])
        p[year == this] = fitted.predict_proba(x[year == this])[:, 1]
    return p


def frequency(days: pl.DataFrame) -> np.ndarray:
    """The share of wet days in the same month of the other years: what a calendar alone predicts."""
    month, year, y = days["date"].dt.month().to_numpy(), days["year"].to_numpy(), days["y"].to_numpy()
    return np.array([y[(month == m) & (year != a)].mean() for m, a in zip(month, year, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("weather", type=Path, help="seattle-weather.csv of vega-datasets")
    parser.add_argument("out", type=Path, nargs="?", default=OUT)
    paths = parser.parse_args()
    days = table(pl.read_csv(paths.weather, try_parse_dates=True))
    days = days.with_columns(pl.Series("p_month", frequency(days)))
    days = days.with_columns(pl.Series(name, held_out(model, days)) for name, model in MODELS.items())
    days = days.select("date", "year", "season", "week", "y", "p_month", *MODELS)
    days.write_parquet(paths.out, compression="zstd", statistics=True)
    print(f"{paths.out.name}: {days.height} rows, {paths.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
