"""What instances answer to calls that cannot mean anything."""

from __future__ import annotations

import pytest

import nll
from nll.errors import DataError, UsageError

DIST = nll.Normal(loc=0.0, scale=1.0)


@pytest.mark.parametrize("method", ["log_prob", "log_cdf", "log_sf", "cdf", "sf", "quantile"])
@pytest.mark.parametrize("given", ["a", [1.0, "b"], object(), [[1.0], [2.0, 3.0]]])
def test_what_is_no_number_is_refused_by_name(method, given):
    with pytest.raises(DataError, match=r"^[yp] must be a number, or an array of numbers; got "):
        getattr(DIST, method)(given)


@pytest.mark.parametrize("n", [-1, 2.5, "3", None])
def test_a_number_of_draws_is_whole(n):
    with pytest.raises(UsageError, match=r"sample\(n\) draws n observations"):
        DIST.sample(n)


def test_no_draws_are_an_empty_array():
    assert DIST.sample(0).shape == (0,)
