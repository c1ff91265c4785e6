"""The picture of what one observed event costs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nll.plots.output import require_altair
from nll.plots.style import BLUE, DARK, inline, styled

if TYPE_CHECKING:
    import altair

MARKED = (0.01, 0.1, 0.5, 0.8)


def loss() -> altair.LayerChart:
    """Draw the loss of one observed event against the probability that was given to it.

    The curve is -log p, in nats, for p = 0.001, 0.002, ..., 0.999. It is 0 where the event was certain, log 2
    where it was a coin's toss, and has no bound as p goes to 0.

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

    x = alt.X("p:Q", title="Probability that was given to the event, p").scale(domain=[0, 1])
    x = x.axis(format=".1f", grid=False, labelFlush=False)
    y = alt.Y("loss:Q", title="Loss, −log p (nats)").scale(domain=[0, 7]).axis(tickCount=8)
    curve = alt.Chart(_rows([i / 1000 for i in range(1, 1000)])).mark_line(color=BLUE, strokeWidth=2.5, clip=True)
    marked = alt.Chart(_rows(MARKED)).encode(x=x, y=y, tooltip="label:N")
    points = marked.mark_point(color=BLUE, fill="white", size=60, strokeWidth=2, opacity=1)
    labels = marked.mark_text(align="left", dx=10, dy=-8, color=DARK, fontSize=12).encode(text="label:N")
    title = alt.TitleParams(
        "Negative log-likelihood for one observed event",
        subtitle="Nothing where the model was certain of it, and without bound where the model had ruled it out",
    )
    chart = alt.LayerChart(layer=[curve.encode(x=x, y=y), points, labels], title=title, width=560, height=280)
    return styled(chart)


def _rows(probabilities: list[float] | tuple[float, ...]) -> altair.InlineData:
    return inline([{"p": p, "loss": -math.log(p), "label": f"p = {p:g}:  {-math.log(p):.4f}"} for p in probabilities])
