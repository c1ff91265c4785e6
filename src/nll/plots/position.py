"""The loss of tokens by their place in the text: what a longer context is worth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nll.errors import UsageError
from nll.plots.output import require_altair
from nll.plots.style import SEVERAL, inline, styled

if TYPE_CHECKING:
    import altair

    from nll.results.tokens import TokenScores

POSITION = "position"
UPRIGHT = 9  # characters of a label up to which labels stand beside each other
HINT = "nll.tokens(files, by='position'), or by=['model', 'position'] for a line each"


def nll_by_position(scores: TokenScores, level: float = 0.95) -> altair.LayerChart:
    """Draw the mean loss of tokens against their position in the text, with a band of intervals.

    Positions are in buckets of powers of two; position 0 is the first token. Where documents were scored by one more
    field, each of its values has a line of its own.

    Parameters
    ----------
    scores : what `nll.tokens` returns with by="position", or with by=[field, "position"].
    level : of the intervals, which are clustered as the scores are.

    Returns
    -------
    altair.LayerChart
        Shows itself in a notebook; `nll.plots.save` writes it as PNG, SVG, HTML or JSON.

    Raises
    ------
    UsageError
        The scores are not by position, are by more than one other field, or have too many values of it.
    MissingExtraError
        Altair or vl-convert is missing.
    """
    rows, order = _rows(scores, level)
    require_altair()
    import altair as alt

    domain = _frame(rows)
    longest = max(map(len, order))
    step = 48 if longest > UPRIGHT else max(48, 8 * longest)
    layers = _layers(scores, rows, order, domain)
    ends = [end for row in rows for end in (row["low"], row["high"]) if math.isfinite(end)]
    whole = all(domain[0] <= end <= domain[1] for end in ends)
    title = alt.TitleParams("Loss of a token by its position", subtitle=_subtitle(scores, level, whole))
    return styled(alt.LayerChart(layer=layers, title=title, width=max(360, step * len(order)), height=280))


def _layers(
    scores: TokenScores, rows: list[dict[str, Any]], order: list[str], domain: tuple[float, float]
) -> list[altair.Chart]:
    """Return the intervals, line and points of each group."""
    import altair as alt

    label = f"NLL ({scores.total.unit.replace('-', ' ')})"
    scale = alt.Scale(domain=list(domain), nice=False)
    y = alt.Y("mean:Q", title=label, scale=scale)
    low = alt.Y("low:Q", title=label, scale=scale)
    groups = list(dict.fromkeys(row["group"] for row in rows))
    field = next((name for name in scores.by if name != POSITION), None)
    tilt = 0 if max(map(len, order)) <= UPRIGHT else -45
    shared: dict[str, Any] = {
        "x": alt.X("position:O", title="Position in the text (tokens)", sort=order).axis(labelAngle=tilt, grid=False),
        "color": alt.value(SEVERAL[0]),
    }
    tooltip = [alt.Tooltip(f"{name}:Q", format=".5g") for name in ("mean", "low", "high")]
    tooltip += [alt.Tooltip(f"{name}:Q", format=",") for name in ("tokens", "documents")]
    if field is not None:
        shared["color"] = alt.Color("group:N", title=field, sort=groups).scale(range=list(SEVERAL), domain=groups)
        tooltip.insert(0, alt.Tooltip("group:N", title=field))
    layers: list[altair.Chart] = []
    for k, group in enumerate(groups):
        chart = alt.Chart(inline([row for row in rows if row["group"] == group]))
        # Bands of several lines would cover each other; bars beside each other do not.
        shift = 6.0 * (k - 0.5 * (len(groups) - 1))
        bars = chart.mark_rule(opacity=0.55, clip=True, strokeWidth=1.5, xOffset=shift)
        ends = chart.mark_area(opacity=0.18, clip=True) if len(groups) == 1 else bars
        points = chart.mark_point(filled=True, size=45, opacity=1, xOffset=shift)
        layers.append(ends.encode(y=low, y2="high:Q", **shared))
        layers.append(chart.mark_line(strokeWidth=2, xOffset=shift).encode(y=y, **shared))
        layers.append(points.encode(y=y, tooltip=tooltip, **shared))
    return layers


def _rows(scores: TokenScores, level: float) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a row a group, and the positions in their order."""
    by = tuple(getattr(scores, "by", ()))
    if POSITION not in by or len(by) > 2:
        raise UsageError(f"a plot by position takes scores by position and at most one more field: {HINT}")
    where = by.index(POSITION)
    rows: list[dict[str, Any]] = []
    for key, score in scores.groups.items():
        values = key if len(by) > 1 else (key,)
        low, high = score.ci(level)
        group = str(values[1 - where]) if len(by) > 1 else ""
        about = {"position": str(values[where]), "group": group, "tokens": score.tokens, "documents": score.documents}
        rows.append({**about, "mean": score.mean, "low": low, "high": high})
    lines = {row["group"] for row in rows}
    if len(lines) > len(SEVERAL):
        raise UsageError(f"{len(lines)} lines are too many to be told apart; at most {len(SEVERAL)} are drawn")
    order = sorted({row["position"] for row in rows}, key=lambda name: int(name.partition("-")[0]))
    return sorted(rows, key=lambda row: (row["group"], order.index(row["position"]))), order


def _frame(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Return what the axis of losses shows: from 0 up, and intervals of few documents not to their ends."""
    means = [row["mean"] for row in rows if math.isfinite(row["mean"])] or [0.0]
    highs = [row["high"] for row in rows if math.isfinite(row["high"])] or means
    lows = [row["low"] for row in rows if math.isfinite(row["low"])] or means
    top = min(max([*highs, *means]), 2.0 * max(means)) or 1.0
    bottom = max(0.0, min([*lows, *means]))
    room = 0.05 * (top - bottom) or 0.05
    return max(0.0, bottom - room), top + room


def _subtitle(scores: TokenScores, level: float, whole: bool) -> list[str]:
    total = scores.total
    kind = "band" if len(scores.by) == 1 else "bars"
    counts = f"{total.tokens:,} tokens of {total.documents:,} documents"
    lines = [f"{counts}; {kind}: {100 * level:g} % interval"]
    empty = [str(key) for key, score in scores.groups.items() if score.tokens == 0]
    if empty:
        lines.append(f"No token was scored at {', '.join(empty[:3])}{' …' if len(empty) > 3 else ''}")
    if not whole:
        lines.append("An interval that leaves the frame goes on beyond it")
    if total.impossible:
        lines.append(f"{total.impossible:,} tokens have an infinite loss; the means that hold one are not drawn")
    return lines
