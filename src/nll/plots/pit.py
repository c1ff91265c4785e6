"""The histogram of the probability integral transform: flat, if forecasts are calibrated."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nll.plots.output import require_altair
from nll.plots.style import BLUE, DARK, PALE, inline, styled
from nll.results.scale import normal_quantile

if TYPE_CHECKING:
    import altair

    from nll.results.pit import Pit


def pit(pit: Pit, level: float = 0.95) -> altair.LayerChart:
    """Draw the histogram of u = P(Y <= y), which is flat if the model is right.

    Bars that rise at both ends belong to forecasts that are too narrow, a hump to forecasts that are too wide, a slope
    to forecasts that are too low (rising) or too high. The band holds a bar of n independent uniform numbers with
    probability `level`: 1 -+ z sqrt((B - 1) / n) for B bins, in each bin alone.

    Parameters
    ----------
    pit : what `nll.decompose` returns for densities and counts.
    level : of the band.

    Returns
    -------
    altair.LayerChart
        Shows itself in a notebook; `nll.plots.save` writes it as PNG, SVG, HTML or JSON.

    Raises
    ------
    MissingExtraError
        Altair or vl-convert is missing.
    """
    require_altair()
    import altair as alt

    bins = len(pit.histogram)
    bars = [
        {"left": i / bins, "right": (i + 1) / bins, "density": share * bins, "foot": 0.0}
        for i, share in enumerate(pit.histogram)
    ]
    half = normal_quantile(level) * math.sqrt((bins - 1) / pit.n) if pit.n else math.nan
    top = max([1.2, 1.0 + half, *(bar["density"] for bar in bars)])
    x = alt.X("left:Q", title="u = P(Y ≤ y) under the forecast of the row").scale(domain=[0, 1])
    x = x.axis(format=".1f", grid=False, labelFlush=False)
    y = alt.Y("density:Q", title="Density of u").scale(domain=[0, 1.05 * top])
    tooltip = [alt.Tooltip(f"{name}:Q", format=".4g") for name in ("left", "right", "density")]
    band = alt.Chart(inline([{"left": 0.0, "right": 1.0, "density": max(0.0, 1.0 - half), "high": 1.0 + half}]))
    columns = alt.Chart(inline(bars)).mark_bar(color=BLUE, opacity=0.75, stroke="white", strokeWidth=1)
    flat = alt.Chart(inline([{"left": 0.0, "density": 1.0}, {"left": 1.0, "density": 1.0}]))
    edge: dict[str, Any] = {"color": DARK, "strokeDash": [4, 4]}
    layers = [
        columns.encode(x=x, x2="right:Q", y=y, y2="foot:Q", tooltip=tooltip),
        band.mark_rect(color=PALE, opacity=0.6).encode(x=x, x2="right:Q", y=y, y2="high:Q"),
        flat.mark_line(**edge).encode(x=x, y=y),
    ]
    kind = "Randomised PIT" if pit.randomised else "Probability integral transform (PIT)"
    subtitle = [
        f"{kind} of {pit.n:,} rows: variance {pit.variance:.3g} (calibrated: 0.0833), KS p = {pit.ks_p:.2g}",
        f"Calibrated forecasts give bars of 1, of which {100 * level:g} % lie in the band",
    ]
    title = alt.TitleParams("Are the forecasts calibrated?", subtitle=subtitle)
    return styled(alt.LayerChart(layer=layers, title=title, width=500, height=280))
