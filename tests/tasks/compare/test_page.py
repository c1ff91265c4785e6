"""The page on comparing says what the code does."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from scipy import stats

from nll.tasks.compare.tails import t_quantile

PAGE = Path(__file__).parents[3] / "docs" / "compare.md"


def test_the_page_is_true() -> None:
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert (failed, tried > 20) == (0, True)


@pytest.mark.parametrize("df", [1.0, 2.0, 7.0, 59.0, 12345.0])
@pytest.mark.parametrize("level", [0.02, 0.5, 0.95, 1.0 - 1e-9])
def test_t_quantile(level: float, df: float) -> None:
    assert t_quantile(level, df) == pytest.approx(stats.t.isf(0.5 - level / 2.0, df), rel=1e-12)
