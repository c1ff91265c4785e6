"""Arrays of doubles from what users pass, and what is none."""

from __future__ import annotations

import numpy as np
import pytest

from nll.errors import DataError
from nll.numerics.arrays import dimensions, doubles

ENDLESS: list[object] = []
for _ in range(3_000):
    ENDLESS = [ENDLESS]
NOT_NUMBERS = {
    "ragged": [1, [2]],
    "deep": [ENDLESS, 1],
    "digits": [10**400, 1],
    "more digits": 10**10_000,
    "text": ["a"],
    "an object": object(),
    "a mapping": [{}],
}


@pytest.mark.parametrize("value", NOT_NUMBERS.values(), ids=NOT_NUMBERS)
def test_what_is_no_number_is_an_error_of_data(value):
    with pytest.raises(DataError, match="x must hold numbers"):
        doubles(value, "x")


def test_numbers_are_kept():
    assert doubles([1, 2.5, True, None], "x").tolist()[:3] == [1.0, 2.5, 1.0]
    assert doubles(3, "x").shape == ()
    assert doubles(np.array([1], np.int8), "x").dtype == np.float64


def test_dimensions():
    assert [dimensions(value) for value in (1, [1], [[1], [2]], [1, [2]])] == [0, 1, 2, 1]
    assert dimensions([10**400, 1]) == 1
