"""The reliability diagram: how often events happened, against how likely they were said to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nll.plots.output import require_altair
from nll.plots.style import BLUE, DARK, GREY, PALE, styled

if TYPE_CHECKING:
    import altair

    from nll.results.decomposition import Decomposition


def reliability(decomposition: Decomposition) -> altair.LayerChart:
    """Draw the reliability diagram of forecasts of an event.

    The steps are the recalibrated forecasts: the share of events in each block, from its least to its largest
    forecast. On the diagonal forecasts mean what they say. A point's area is the weight of its block; a consistency
    band is drawn where the decomposition has one (`band=`).

    Parameters
    ----------
    decomposition : what `nll.decompose` returns for a Bernoulli, or for one class of a Categorical.

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

    d = decomposition
    rows = d.curve().to_dicts()
    x = alt.X("x:Q", title="Forecast probability").scale(domain=[0, 1]).axis(format=".1f", grid=False, labelFlush=False)
    y = alt.Y("observed:Q", title="Share of events").scale(domain=[0, 1]).axis(format=".1f")
    line = [{"x": end, "observed": end} for end in (0.0, 1.0)]
    steps = [{"x": row[end], "observed": row["observed"]} for row in rows for end in ("low", "high")]
    points = [{"x": row["forecast"], "observed": row["observed"], "weight": row["weight"]} for row in rows]
    layers: list[alt.Chart] = []
    if d.band[0]:
        band = [{"x": row["forecast"], "observed": row["band_low"], "upper": row["band_high"]} for row in rows]
        area = alt.Chart(alt.InlineData(values=band)).mark_area(color=PALE)
        layers.append(area.encode(x=x, y=y, y2="upper:Q"))
    diagonal = alt.Chart(alt.InlineData(values=line)).mark_line(color=GREY, strokeDash=[4, 4])
    curve = alt.Chart(alt.InlineData(values=steps)).mark_line(color=BLUE, strokeWidth=2)
    marks = alt.Chart(alt.InlineData(values=points)).mark_circle(color=DARK, opacity=0.8)
    size = alt.Size("weight:Q", legend=None).scale(range=[8, 200])
    tooltip = [alt.Tooltip(f"{name}:Q", format=".4g") for name in ("x", "observed", "weight")]
    layers += [diagonal.encode(x=x, y=y), curve.encode(x=x, y=y), marks.encode(x=x, y=y, size=size, tooltip=tooltip)]
    names = ("uncertainty", "discrimination", "miscalibration")
    said = [f"{name} {getattr(d, name).mean:.4g}" for name in names]
    subtitle = [f"Log score {d.score.mean:.4g} (nats) =", f"{said[0]} − {said[1]} + {said[2]}"]
    if d.band[0]:
        subtitle.append(f"Calibrated forecasts lie in the band, {100 * d.level:g} % of them at each point")
    what = f": {d.event}" if d.event else ""
    title = alt.TitleParams(f"Reliability of {d.n:,} forecasts{what}", subtitle=subtitle)
    return styled(alt.LayerChart(layer=layers, title=title, width=420, height=420))
