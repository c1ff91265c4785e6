"""A formula as plain Python and the compiled loop give the same bits, whatever the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nll.families.constraints import Constraint
from nll.families.family import Family
from nll.kernels.kernel import kernel, prepared

from .points import EXTREMES, names

SIZE = 24
RANGES = ((0.0, 1.0), (1e-9, 0.999), (0.0, 0.999), (0.01, 40.0), (-40.0, 40.0), (1e-300, 1e300), (-1e300, 1e300))


def numbers(constraint: type[Constraint]) -> st.SearchStrategy[float]:
    """Numbers of a set, ordinary ones and extremes, and a few that are not in it."""
    if constraint.discrete:
        inside = st.integers(0, 1).map(float) | st.integers(0, 40).map(float)
    else:
        ranges = [(a, b) for a, b in RANGES if constraint.contains(a) and constraint.contains(b)]
        inside = st.one_of(*(st.floats(a, b) for a, b in ranges))
    extremes = [v for v in (*EXTREMES, np.inf, -np.inf, 5e-324) if constraint.contains(v)]
    return inside | inside | st.sampled_from(extremes) | st.sampled_from([np.nan, -1.0, 0.5, 2.0])


def columns(form: type[Family]) -> st.SearchStrategy[list[list[float]]]:
    sets = (form.observations, *form.parameters.values())
    return st.tuples(*(st.lists(numbers(c), min_size=SIZE, max_size=SIZE) for c in sets)).map(list)


def bits(x: Any) -> Any:
    return np.where(np.isnan(x), np.nan, x).view(np.int64)


@pytest.mark.parametrize("form", **names)
def test_plain_and_compiled_losses_have_the_same_bits(form: type[Family]):
    compiled = kernel(form)._loop("rows")

    @settings(max_examples=30, deadline=None, database=None, derandomize=True)
    @given(columns(form))
    def same(rows: list[list[float]]) -> None:
        y, theta = prepared(np.array(rows[0]), [np.array(x) for x in rows[1:]])
        out = np.empty(SIZE)
        compiled(y, theta, out)
        np.testing.assert_array_equal(bits(out), bits(kernel(form).plain_rows(y, theta)))

    same()
