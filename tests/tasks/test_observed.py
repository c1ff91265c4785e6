"""Censored, interval, truncated and binned observations, against SciPy's tails."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

import nll
from nll.errors import DataError

RNG = np.random.default_rng(5)
TIME = 3.0 * RNG.weibull(1.5, 40)
EVENT = RNG.random(40) < 0.6
ENTRY = TIME * RNG.random(40)
DIST = nll.Weibull(scale=3.1, concentration=1.4)
PEER = stats.weibull_min(1.4, scale=3.1)


def close(score, expected):
    assert score.sum == pytest.approx(expected, rel=1e-12)


def test_right_censored_rows_have_the_upper_tail():
    close(nll.score(nll.censored(TIME, EVENT), DIST), -np.where(EVENT, PEER.logpdf(TIME), PEER.logsf(TIME)).sum())


def test_left_censored_rows_have_the_lower_tail():
    seen = nll.censored(TIME, EVENT, side="left")
    close(nll.score(seen, DIST), -np.where(EVENT, PEER.logpdf(TIME), PEER.logcdf(TIME)).sum())


def test_delayed_entry_divides_by_the_tail_at_entry():
    seen = nll.truncated(nll.censored(TIME, EVENT), low=ENTRY)
    expected = -(np.where(EVENT, PEER.logpdf(TIME), PEER.logsf(TIME)) - PEER.logsf(ENTRY)).sum()
    close(nll.score(seen, DIST), expected)


def test_columns_give_what_arrays_give():
    table = pl.DataFrame({"time": TIME, "event": EVENT, "entry": ENTRY})
    arrays = nll.score(nll.truncated(nll.censored(TIME, EVENT), low=ENTRY), DIST)
    assert nll.score(nll.truncated(nll.censored("time", "event"), low="entry"), DIST, table).sum == arrays.sum


def test_an_interval_far_in_a_tail_keeps_its_digits():
    # mpmath: -log(ncdf(-40) - ncdf(-41))
    close(nll.score(nll.interval([40.0], [41.0]), nll.Normal(loc=0.0, scale=1.0)), 804.608442013753751)


def test_open_ends_may_be_infinite_nan_or_empty():
    table = pl.DataFrame({"a": [None, 1.0, 2.0, float("nan")], "b": [1.0, None, 2.0, 3.0]})
    p = stats.norm
    expected = -(p.logcdf(1.0) + p.logsf(1.0) + p.logpdf(2.0) + p.logcdf(3.0))
    close(nll.score(nll.interval("a", "b"), nll.Normal(loc=0.0, scale=1.0), table), expected)
    arrays = nll.interval([-np.inf, 1.0, 2.0, np.nan], [1.0, np.inf, 2.0, 3.0])
    close(nll.score(arrays, nll.Normal(loc=0.0, scale=1.0)), expected)


def test_intervals_of_counts_leave_out_the_lower_end_and_are_cut_by_bounds():
    p = stats.poisson(2.5)
    seen = nll.truncated(nll.interval([2, -np.inf, 1], [5, 1, np.inf]), low=1)
    masses = [p.cdf(5) - p.cdf(2), p.pmf(1), p.sf(1)]
    close(nll.score(seen, nll.Poisson(rate=2.5)), -(np.log(masses) - p.logsf(0)).sum())


def test_an_interval_off_the_bounds_is_impossible_and_counted():
    found = nll.score(nll.truncated(nll.interval([0.0], [1.0]), low=2.0), nll.Exponential(rate=1.0))
    assert found.sum == np.inf
    assert found.impossible == 1


def test_no_truncation_changes_nothing():
    plain = nll.score(TIME, DIST).sum
    assert nll.score(nll.truncated(TIME, low=-np.inf), DIST).sum == pytest.approx(plain, rel=1e-15)


def test_bins_count_their_rows():
    p = stats.expon(scale=0.5)
    found = nll.score(nll.binned([0.0, 0.5, 1.0, np.inf], [5, 3, 2]), nll.Exponential(rate=2.0))
    close(found, -(np.array([5, 3, 2]) * np.log(np.diff(p.cdf([0.0, 0.5, 1.0, np.inf])))).sum())


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        (lambda: nll.censored([1.0, 2.0], [1, 2]), r"1 \(seen\) or 0 \(censored\); row 1 has 2"),
        (lambda: nll.interval([1.0, 3.0], [2.0, 2.5]), "at least the lower end; row 1 has 2.5 below 3"),
        (lambda: nll.censored([1.0, 2.0], [1.0, np.nan]), "row 1"),
    ],
)
def test_what_cannot_be_is_refused_with_its_row(observed, words):
    with pytest.raises(nll.errors.DataError, match=words):
        nll.score(observed(), nll.Exponential(rate=1.0))


def test_a_missing_event_is_dropped_and_counted():
    table = pl.DataFrame({"t": [1.0, 2.0, 3.0], "e": [1, None, 0]})
    found = nll.score(nll.censored("t", "e"), nll.Exponential(rate=1.0), table, missing="drop")
    assert (found.n, found.missing, found.sum) == (2, 1, 4.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: nll.binned([0.0, 1.0], [1, 2]),
        lambda: nll.binned([0.0, 0.0, 1.0], [1, 2]),
        lambda: nll.truncated([1.0]),
        lambda: nll.truncated(nll.truncated([1.0], low=0.0), high=1.0),
        lambda: nll.censored([1.0], [1], side="middle"),
        lambda: nll.score(nll.censored([1.0], [0]), nll.Categorical(probs=[[0.5, 0.5]])),
    ],
)
def test_calls_that_mean_nothing_are_refused(call):
    with pytest.raises(nll.errors.NllError):
        call()


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ([1, 0, 2], "event must be 1 .seen. or 0 .censored.; row 2 has 2"),
        ([1, 1], "time and event have one entry a row each; got 3 and 2"),
        (["yes", "no", "yes"], "event must be 1 .seen. or 0 .censored.; got text, such as 'yes'"),
        ([1.0, np.nan, 0.0], "^event must be .*row 1 has nan"),
    ],
)
def test_wrong_events_are_called_events(event, message):
    with pytest.raises(nll.errors.DataError, match=message):
        nll.score(nll.censored([1.0, 2.0, 3.0], event), DIST)


def test_an_empty_cell_of_whole_numbers_is_an_open_end() -> None:
    bounds = {"l": [1, None, 3], "u": [2, 2, None], "a": [-5, None, -7], "b": [None, 9, 9]}
    table = pl.DataFrame({"y": [1.0, 2.0, 3.0], **bounds})
    normal = nll.Normal(loc=0.0, scale=3.0)
    ends = nll.interval([1.0, -np.inf, 3.0], [2.0, 2.0, np.inf])
    assert nll.score(nll.interval("l", "u"), normal, table).sum == nll.score(ends, normal).sum
    cut = nll.truncated([1.0, 2.0, 3.0], [-5.0, -np.inf, -7.0], [np.inf, 9.0, 9.0])
    assert nll.score(nll.truncated("y", "a", "b"), normal, table).sum == nll.score(cut, normal).sum
    with pytest.raises(DataError, match="column 'l' is missing"):  # it is a parameter too
        nll.score(nll.interval("l", "u"), nll.Normal(loc="l", scale=3.0), table)
