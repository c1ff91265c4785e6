"""What all pictures share: colours, type, and data in the chart itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair

BLUE, DARK, GREY, PALE = "#2a6fbb", "#1f2933", "#616e7c", "#e4e7eb"

# Told apart by the colour-blind, and in print by lightness. Source: M. Okabe and K. Ito, Color Universal Design
# (2008), less the yellow, which is too light for lines.
SEVERAL = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")


def inline(rows: Sequence[dict[str, Any]]) -> altair.InlineData:
    """Return rows as data of the chart, which needs neither pandas nor a data server; JSON has no NaN."""
    import altair as alt

    return alt.InlineData(values=[{name: _json(value) for name, value in row.items()} for row in rows])


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def styled(chart: altair.LayerChart) -> altair.LayerChart:
    """Return a chart with the type and colours of all."""
    return (
        chart.configure_view(stroke=None)
        .configure_axis(
            domainColor=GREY,
            gridColor=PALE,
            labelColor=GREY,
            labelFontSize=12,
            tickColor=GREY,
            titleColor=DARK,
            titleFontSize=13,
            titleFontWeight="normal",
            titlePadding=10,
        )
        .configure_title(
            anchor="start",
            color=DARK,
            fontSize=17,
            offset=16,
            subtitleColor=GREY,
            subtitleFontSize=12.5,
            subtitlePadding=5,
        )
        .configure_legend(
            labelColor=DARK, labelFontSize=12, titleColor=GREY, titleFontSize=12, titleFontWeight="normal"
        )
    )
