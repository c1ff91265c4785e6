"""Rows of numbers that vary together: their loss in 40 digits, their forms, their blocks, and what is refused."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import nll
from nll.families.family import Moments
from nll.families.multivariatenormal import MultivariateNormal, cholesky
from nll.kernels.kernel import kernel

Array = npt.NDArray[np.float64]
FORMS = ("covariance_matrix", "precision_matrix", "scale_tril")


def case(k: int, rows: int = 20) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(k)
    root = np.tril(rng.standard_normal((k, k)), -1) + np.diag(rng.uniform(0.5, 2.0, k))
    return 3.0 * rng.standard_normal((rows, k)), rng.standard_normal(k), root


def matrix_of(name: str, root: Array) -> Array:
    """The argument `name` of a distribution, from a triangular matrix."""
    return root if name == "scale_tril" else root @ root.T


def exact(y: Array, loc: Array, name: str, matrix: Array) -> float:
    """The loss as the textbook writes it."""
    with mpmath.workdps(40):
        given = mpmath.matrix(matrix.tolist())
        given = given * given.T if name == "scale_tril" else given
        precision = given if name == "precision_matrix" else given**-1
        d = mpmath.matrix(y.tolist()) - mpmath.matrix(loc.tolist())
        determinant = mpmath.det(2 * mpmath.pi * precision**-1)
        return float((mpmath.log(determinant) + (d.T * precision * d)[0]) / 2)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_loss_is_that_of_the_textbook(name: str, k: int):
    y, loc, root = case(k)
    matrix = matrix_of(name, root)
    found = nll.rows(y, nll.MultivariateNormal(loc=loc, **{name: matrix}))
    expected = [exact(row, loc, name, matrix) for row in y]
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", FORMS)
def test_plain_and_compiled_losses_have_the_same_bits_in_blocks_of_any_size(name: str):
    y, loc, root = case(3, rows=1500)
    form = MultivariateNormal.form_for((), {"loc": None, name: None})
    _, y, theta = form.arrange(y, (loc, matrix_of(name, root)))
    y, theta = y.view(), form.prepare(theta)
    y.flags.writeable = False
    compiled = np.empty(len(y))
    kernel(form)._loop("rows")(y, theta, compiled)
    plain = kernel(form).plain_rows(y[:40], tuple(t[:40] if np.ndim(t) else t for t in theta))
    np.testing.assert_array_equal(compiled[:40], plain)
    np.testing.assert_array_equal(compiled[1100:1140], one_by_one(form, y[1100:1140], theta))


def one_by_one(form: Any, y: Array, theta: tuple[Any, ...]) -> list[float]:
    rows = [(y[i : i + 1], (theta[0][:1], theta[1][:1], theta[2])) for i in range(len(y))]
    return [kernel(form).plain_rows(row, parameters)[0] for row, parameters in rows]


def test_independent_numbers_are_normal_ones():
    y, loc, _ = case(4)
    scale = np.array([0.5, 1.0, 2.0, 7.0])
    found = nll.rows(y, nll.MultivariateNormal(loc=loc, scale_tril=np.diag(scale)))
    np.testing.assert_allclose(found, nll.rows(y, nll.Normal(loc=loc, scale=scale)).sum(axis=1), rtol=1e-14)


def test_one_loc_a_row_one_number_and_one_row():
    y, _, root = case(2)
    zero = nll.MultivariateNormal(loc=0.0, scale_tril=root)
    moved = nll.MultivariateNormal(loc=y + 1.0, scale_tril=root)
    one = nll.rows([1.0, 1.0], zero)
    assert one.shape == ()
    np.testing.assert_allclose(nll.rows(2.0 * y + 2.0, moved), nll.rows(y + 1.0, zero), rtol=1e-14)
    np.testing.assert_allclose(nll.rows(y, nll.MultivariateNormal(loc=y + 1.0, scale_tril=root)), one, rtol=1e-13)


def test_columns_of_a_table_are_arrays():
    y, loc, root = case(3)
    frame = pl.DataFrame({**{f"y{j}": y[:, j] for j in range(3)}, **{f"m{j}": y[:, j] - loc[j] for j in range(3)}})
    dist = nll.MultivariateNormal(loc=loc, covariance_matrix=root @ root.T)
    columns = ["y0", "y1", "y2"]
    assert nll.score(columns, dist, data=frame).sum == nll.score(y, dist).sum
    named = nll.MultivariateNormal(loc=["m0", "m1", "m2"], covariance_matrix=(root @ root.T).tolist())
    shifted = nll.MultivariateNormal(loc=y - loc, covariance_matrix=root @ root.T)
    assert nll.score(columns, named, data=frame).sum == nll.score(y, shifted).sum


def test_missing_rows_are_dropped_and_counted():
    y, loc, root = case(2)
    dist = nll.MultivariateNormal(loc=loc, scale_tril=root)
    expected = nll.score(y[1:], dist)
    y = y.copy()
    y[0, 1] = np.nan
    found = nll.score(y, dist, missing="drop")
    assert (found.sum, found.n) == (expected.sum, 19)


def test_cholesky_gives_the_factor():
    _, _, root = case(6)
    np.testing.assert_allclose(cholesky(root @ root.T, "C"), root, rtol=1e-12, atol=1e-13)


REFUSED = [
    ({"covariance_matrix": [[1.0, 2.0], [2.0, 1.0]]}, "must be positive definite; the pivot of its row 1 is -3"),
    ({"covariance_matrix": [[0.0, 0.0], [0.0, 1.0]]}, "must be positive definite; its first entry is 0"),
    ({"precision_matrix": [[1.0, 0.2], [0.1, 1.0]]}, r"precision_matrix must be symmetric; it has 0.2 at \[0, 1\]"),
    ({"scale_tril": [[1.0, 0.2], [0.1, 1.0]]}, r"must be lower triangular; it has 0.2 at \[0, 1\]"),
    ({"scale_tril": [[1.0, 0.0], [0.1, -1.0]]}, r"must have a positive diagonal; it has -1.0 at \[1, 1\]"),
    ({"scale_tril": [[1.0, np.nan], [0.1, 1.0]]}, r"scale_tril must be finite; it has nan at \[0, 1\]"),
    ({"scale_tril": [1.0, 1.0]}, r"must be one square matrix \(k, k\), the same for all rows; got shape \(2,\)"),
    ({"scale_tril": np.eye(3)}, r"y must hold rows of 3 numbers, as scale_tril \(3, 3\) does; got shape \(1, 2\)"),
    ({"scale_tril": np.eye(2), "loc": [0.0, 0.0, 0.0]}, r"loc \(3,\) does not fit y \(1, 2\)"),
    ({"scale_tril": np.eye(2), "loc": [0.0, np.inf]}, r"loc must be finite .* row 0 has inf for number 1"),
]


@pytest.mark.parametrize(("theta", "message"), REFUSED, ids=lambda v: v if isinstance(v, str) else "")
def test_what_is_no_distribution_is_refused(theta: dict[str, Any], message: str):
    with pytest.raises(nll.errors.DataError, match=message):
        nll.score([[0.0, 1.0]], nll.MultivariateNormal(**{"loc": [0.0, 0.0], **theta}))


def test_a_number_that_is_none_is_refused():
    dist = nll.MultivariateNormal(loc=[0.0, 0.0], scale_tril=np.eye(2))
    with pytest.raises(nll.errors.DataError, match=r"y must be finite .* row 1 has nan for number 0"):
        nll.score([[0.0, 1.0], [np.nan, 1.0]], dist)


def test_columns_are_lists():
    frame = pl.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0]})
    dist = nll.MultivariateNormal(loc=[0.0, 0.0], scale_tril=np.eye(2))
    with pytest.raises(nll.errors.UsageError, match="y is a list of columns, one a number of a row; got 'a'"):
        nll.score("a", dist, data=frame)
    with pytest.raises(nll.errors.UsageError, match="loc is a list of columns, one a number of a row; got 'b'"):
        nll.score(["a", "b"], nll.MultivariateNormal(loc="b", scale_tril=np.eye(2)), data=frame)


def test_smoothing_of_labels_is_for_classes():
    dist = nll.MultivariateNormal(loc=[0.0, 0.0], scale_tril=np.eye(2))
    with pytest.raises(nll.errors.UsageError, match="label_smoothing needs a Categorical"):
        nll.score([[0.0, 1.0]], dist, label_smoothing=0.1)


def test_a_loss_beyond_the_doubles_is_infinite():
    dist = nll.MultivariateNormal(loc=0.0, scale_tril=[[1e-300, 0.0], [1.0, 1e-300]])
    assert nll.rows([1e300, -1e300], dist) == np.inf


def instance(name: str, loc: Array, covariance: Array) -> MultivariateNormal:
    """The same distribution in each form."""
    given = {
        "covariance_matrix": covariance,
        "precision_matrix": np.linalg.inv(covariance),
        "scale_tril": np.linalg.cholesky(covariance),
    }
    return nll.MultivariateNormal(loc=loc, **{name: given[name]})


@pytest.mark.parametrize("name", FORMS)
def test_forms_have_the_same_moments_and_samples(name: str):
    _, loc, root = case(3)
    covariance = root @ root.T
    dist = instance(name, loc, covariance)
    np.testing.assert_allclose(dist.mean(), loc)
    np.testing.assert_allclose(dist.variance(), np.diag(covariance), rtol=1e-12)
    assert dist.entropy() == pytest.approx(0.5 * np.linalg.slogdet(2.0 * np.pi * np.e * covariance)[1], rel=1e-12)
    y = dist.sample(20_000, np.random.default_rng(5))
    assert y.shape == (20_000, 3)
    # the loss on samples is the entropy, with variance k / 2
    assert nll.score(y, dist).mean == pytest.approx(dist.entropy(), abs=4.0 * np.sqrt(1.5 / 20_000))
    np.testing.assert_allclose(np.cov(y.T), covariance, atol=0.06 * abs(covariance).max())


@pytest.mark.parametrize("name", FORMS)
def test_the_divergence_is_that_of_the_textbook(name: str):
    _, loc, root = case(3)
    _, other_loc, other_root = case(3, rows=7)
    a, b = root @ root.T, other_root @ other_root.T + np.eye(3)
    p, q = instance(name, loc, a), instance("covariance_matrix", other_loc + 1.0, b)
    with mpmath.workdps(40):
        c, d = mpmath.matrix(a.tolist()), mpmath.matrix(b.tolist())
        z = mpmath.matrix((loc - other_loc - 1.0).tolist())
        trace = sum((d**-1 * c)[i, i] for i in range(3))
        expected = (trace + (z.T * d**-1 * z)[0] - 3 + mpmath.log(mpmath.det(d) / mpmath.det(c))) / 2
    assert p.kl(q) == pytest.approx(float(expected), rel=1e-10)
    assert p.kl(p) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("name", FORMS)
def test_the_start_is_the_maximum(name: str):
    y, _, _ = case(2, rows=50)
    form = MultivariateNormal.form_for((), {"loc": None, name: None})
    loc, matrix = form.start(Moments(mean=y.mean(axis=0), variance=np.nan, covariance=np.cov(y.T, bias=True)))
    best = nll.score(y, form(loc=loc, **{name: matrix})).sum
    for nudge in (1.001, 0.999):
        assert nll.score(y, form(loc=loc, **{name: matrix * nudge})).sum > best
        assert nll.score(y, form(loc=loc * nudge, **{name: matrix})).sum > best


def test_parameters_that_do_not_fit_each_other():
    with pytest.raises(nll.errors.DataError, match="does not fit"):
        nll.MultivariateNormal(loc=np.zeros(2), scale_tril=np.eye(3)).mean()
    with pytest.raises(nll.errors.DataError, match="square"):
        nll.MultivariateNormal(loc=np.zeros(2), scale_tril=np.zeros((2, 3))).entropy()
