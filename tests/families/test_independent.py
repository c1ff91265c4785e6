"""Rows of independent numbers: sums of the losses of the columns, however parameters are given."""

import math
import pickle

import numpy as np
import polars as pl
import pytest

import nll
from nll.errors import DataError, UsageError
from nll.kernels.kernel import Kernel, prepared

Y = np.array([[0.0, 1.0, -2.0], [1.5, 1.0, 0.25]])
LOC, SCALE = np.array([0.5, -1.0, 2.0]), np.array([[1.0], [3.0]])


def summed(y, loc, scale):
    y, loc, scale = np.broadcast_arrays(y, loc, scale)
    each = [nll.rows(y[:, j], nll.Normal(loc[:, j], scale[:, j])) for j in range(y.shape[1])]
    return [sum(row) for row in zip(*each, strict=True)]


@pytest.mark.parametrize("loc", [0.25, LOC, LOC * np.ones((2, 1))], ids=["number", "columns", "matrix"])
@pytest.mark.parametrize("scale", [2.0, SCALE, LOC**2], ids=["number", "rows", "columns"])
def test_a_row_is_the_sum_of_its_columns(loc, scale):
    dist = nll.Independent(nll.Normal(loc, scale))
    found = nll.rows(Y, dist)
    assert found.shape == (2,)
    assert found.tolist() == summed(Y, loc, scale)
    assert nll.score(Y, dist).n == 2
    assert nll.score(Y, dist).sum == math.fsum(found)


def test_a_table_gives_columns_numbers_and_lists():
    table = pl.DataFrame({"a": Y[:, 0], "b": Y[:, 1], "c": Y[:, 2], "s": SCALE[:, 0], "m": [0.5, 0.75]})
    y = ["a", "b", "c"]
    want = summed(Y, LOC, SCALE)
    assert nll.rows(y, nll.Independent(nll.Normal(LOC.tolist(), "s")), table).tolist() == want
    want = summed(Y, np.column_stack([Y[:, 0], [0.5, 0.75], Y[:, 2]]), 2.0)
    assert nll.rows(y, nll.Independent(nll.Normal(["a", "m", "c"], 2.0)), table).tolist() == want
    by = nll.score(y, nll.Independent(nll.Normal(0.0, "s")), table, by="s")
    assert [row["n"] for row in by.to_polars().to_dicts()] == [1, 1]


def test_it_is_the_likelihood_of_several_labels():
    labels, probs = np.array([[1, 0], [0, 1]]), np.array([[0.9, 0.2], [0.4, 0.7]])
    assert (
        nll.score(labels, nll.Independent(nll.Bernoulli(probs=probs))).sum
        == nll.score(labels, nll.Bernoulli(probs=probs)).sum
    )


def test_it_nests_over_combined_parts():
    part = nll.ZeroInflated(nll.Poisson(rate=[1.0, 2.0]), gate=0.25)
    y = np.array([[0, 3], [2, 0]])
    one = [nll.rows(y[:, j], nll.ZeroInflated(nll.Poisson(rate=r), gate=0.25)) for j, r in enumerate((1.0, 2.0))]
    assert nll.rows(y, nll.Independent(part)).tolist() == [a + b for a, b in zip(*one, strict=True)]


def test_few_rows_and_many_have_the_same_bits():
    form = nll.Independent(nll.Gamma)
    y, theta = np.abs(Y) + 0.1, (np.abs(LOC) * np.ones((2, 1)), 1.0 + np.abs(Y))
    y, theta = prepared(y, theta)
    slow, fast = Kernel(form), Kernel(form, seconds_left=0.0)
    assert slow.rows(y, theta).tobytes() == fast.rows(y, theta).tobytes()


def test_impossible_and_invalid_numbers_of_a_row():
    dist = nll.Independent(nll.Gamma([1.0, 2.0], 1.0))
    assert nll.score([[1.0, 2.0], [1.0, -2.0]], dist).impossible == 1
    with pytest.raises(DataError, match=r"y must be finite for Independent\(Gamma\); row 1 has nan for number 1"):
        nll.score([[1.0, 2.0], [1.0, math.nan]], dist)
    with pytest.raises(DataError, match=r"rate must be positive and finite .* has -1 for number 0"):
        nll.score([[1.0, 2.0]], nll.Independent(nll.Gamma(1.0, [-1.0, 1.0])))
    with pytest.raises(DataError, match="low must be below high"):
        nll.score([[1.0, 2.0]], nll.Independent(nll.Uniform([0.0, 5.0], 3.0)))
    assert nll.score([[1.0, 2.0], [1.0, math.nan]], dist, missing="drop").n == 1


def test_instances_sample_and_have_moments():
    dist = nll.Independent(nll.Normal(LOC, 2.0))
    assert repr(dist) == "Independent(Normal(loc=<ndarray (3,)>, scale=2.0))"
    assert dist.sample(4, rng=1).shape == (4, 3)
    assert dist.mean().tolist() == LOC.tolist()
    assert dist.entropy() == pytest.approx(3.0 * nll.Normal(0.0, 2.0).entropy(), rel=1e-15)
    again = pickle.loads(pickle.dumps(dist))
    assert type(again) is nll.Independent(nll.Normal)
    with pytest.raises(UsageError, match="observes rows"):
        dist.log_prob(Y)
    with pytest.raises(UsageError, match="observes rows"):
        nll.check(dist)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nll.Independent(nll.Categorical), UsageError, "observes rows"),
        (lambda: nll.Independent(nll.Independent(nll.Normal)), UsageError, "observes rows"),
        (lambda: nll.score([[1.0, 2.0]], nll.Independent(nll.Normal([0.0, 1.0, 2.0], 1.0))), DataError, r"loc \(3,\)"),
        (lambda: nll.score([[1.0], [2.0]], nll.Independent(nll.Normal([0.0, 1.0], 1.0))), DataError, "do not fit"),
        (lambda: nll.score(1.0, nll.Independent(nll.Normal(0.0, 1.0))), DataError, "rows of numbers"),
        (lambda: nll.score("a", nll.Independent(nll.Normal(0.0, 1.0)), {"a": [1.0]}), UsageError, "list of columns"),
        (lambda: nll.score(["a"], nll.Independent(nll.Normal(["a", 1.0], 1.0)), {"a": [1.0]}), UsageError, "not both"),
        (lambda: nll.score(["a"], nll.Independent(nll.Normal([0.0, 1.0], 1.0)), {"a": [1.0]}), UsageError, "one each"),
    ],
)
def test_what_is_no_matrix_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
