"""Pages of pictures show names and titles of others, and do not run them."""

from __future__ import annotations

import re

import altair as alt
import polars as pl
import pytest

from nll.plots import save

EVIL = "</script><img src=x onerror=alert(1)>"


def charts():
    frame = pl.DataFrame({"a": [1.0, 2.0], EVIL: [2.0, 1.0], "g": [EVIL, "b"]})
    points = alt.Chart(frame, title=EVIL).mark_point().encode(x="a:Q", color=alt.Color("g:N", title=EVIL))
    rule = alt.Chart(pl.DataFrame({"a": [1.5]})).mark_rule().encode(x="a:Q")
    return {"one": points, "layers": alt.layer(points, rule), "beside": points | rule, "facets": points.facet("g:N")}


@pytest.mark.parametrize("kind", ["one", "layers", "beside", "facets"])
def test_a_page_does_not_run_what_it_shows(tmp_path, kind):
    page = save(charts()[kind], tmp_path / "chart.html").read_text("utf-8")
    assert EVIL not in page
    assert "<img src=x" not in page
    assert r"\u003c/script>\u003cimg src=x onerror=alert(1)>" in page  # what JavaScript reads as the title
    assert len(re.findall("<script", page)) == len(re.findall("</script>", page))


def test_a_picture_does_not_run_what_it_shows(tmp_path):
    picture = save(charts()["one"], tmp_path / "chart.svg").read_text("utf-8")
    assert "<img" not in picture
    assert "&lt;/script&gt;" in picture
