"""The multivariate Normal distribution: rows of numbers that vary together."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.families.constraints import Real
from nll.families.family import Family, Moments
from nll.families.information import excess
from nll.numerics.elementary import log
from nll.numerics.formula import formula, quiet

Array = npt.NDArray[np.float64]
INF, NAN = np.inf, np.nan
HALF_LOG_TWO_PI = 0.9189385332046728
LOPSIDED = 1e-8  # how far a matrix may be from symmetric, over its largest entry


class MultivariateNormal(Family):
    """MultivariateNormal(loc m, covariance_matrix C | precision_matrix P | scale_tril L) of k numbers a row.

    The loss of a row, in nats, with the Cholesky factor L of C = L L' or K of P = K K':

        loss = k log(2 pi) / 2 + log(det(L)) + |L**-1 (y - m)|**2 / 2
             = k log(2 pi) / 2 - log(det(K)) + |K' (y - m)|**2 / 2

    Observations are rows (n, k), with `data` a list of k columns; one matrix (k, k) is that of all rows.

    Parameters
    ----------
    loc : m (k,), or (n, k): one a row; in the unit of y.
    covariance_matrix : C, symmetric and positive definite.
    precision_matrix : P, the inverse of C.
    scale_tril : L, lower triangular with a positive diagonal.

    Source: K. V. Mardia, J. T. Kent and J. M. Bibby, Multivariate Analysis (1979), section 2.5.

    Examples
    --------
    >>> import nll
    >>> dist = nll.MultivariateNormal(loc=[0.0, 0.0], covariance_matrix=[[2.0, 1.0], [1.0, 2.0]])
    >>> round(nll.score([[1.0, -1.0], [0.0, 0.0]], dist).mean, 12)
    2.887183210743
    """

    loc: Real
    covariance_matrix: Real
    observations = Real
    support = Real
    event = 1

    def fill(y, theta, out):
        loc, matrix, constant = theta
        n, k = loc.shape
        z = np.empty((k, n))
        for j in range(k):
            for i in range(n):
                z[j, i] = np.float64(y[i, j]) - loc[i, j]
        factor = matrix[0]
        for j in range(k):  # L z = y - m, each step for all rows of the block
            for m in range(j):
                c = factor[j * k + m]
                for i in range(n):
                    z[j, i] -= c * z[m, i]
            c = factor[j * k + j]
            for i in range(n):
                z[j, i] /= c
        half_squares(y, loc, z, constant, out)

    @classmethod
    def arrange(cls, y: Any, theta: tuple[Any, ...]) -> tuple[tuple[int, ...], Any, tuple[Any, ...]]:
        """Return the shape of the observations, and these and the parameters as one row each.

        The matrix is the same in all rows, without a copy.
        """
        loc, matrix = (np.asarray(t) for t in theta)
        name = list(cls.parameters)[1]
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
            raise DataError(f"{name} must be one square matrix (k, k), the same for all rows; got shape {matrix.shape}")
        wrong = np.argwhere(~(abs(matrix) < INF))
        if wrong.size:
            i, j = map(int, wrong[0])
            raise DataError(f"{name} must be finite; it has {float(matrix[i, j])!r} at [{i}, {j}]")
        k = matrix.shape[0]
        if y.ndim == 0 or y.shape[-1] != k:
            raise DataError(f"y must hold rows of {k} numbers, as {name} {matrix.shape} does; got shape {y.shape}")
        try:
            whole = np.broadcast_shapes(y.shape, loc.shape)
        except ValueError:
            whole = ()
        if whole[-1:] != (k,):
            raise DataError(f"loc {loc.shape} does not fit y {y.shape}: it is a vector ({k},), or one a row")
        n = int(np.prod(whole[:-1], dtype=np.int64))
        rows = tuple(np.broadcast_to(a, whole).reshape(n, k) for a in (y, loc))
        return whole[:-1], rows[0], (rows[1], np.broadcast_to(matrix.reshape(-1), (n, k * k)))

    @classmethod
    def prepare(cls, theta: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return loc, the triangular factor and the constant of the loss, as the kernels take them."""
        loc, matrix = theta
        loc = np.ascontiguousarray(loc, np.float64).view()
        loc.flags.writeable = False
        k = loc.shape[1]
        if not len(loc):
            return loc, np.broadcast_to(np.zeros(k * k), (0, k * k)), 0.0
        factor, constant = _factored(cls, np.ascontiguousarray(matrix[0], np.float64).tobytes(), k)
        return loc, np.broadcast_to(factor, (len(loc), k * k)), constant

    @classmethod
    def factor(cls, matrix: Array, name: str) -> tuple[Array, float]:
        """Return L and log(det(L))."""
        lower = cholesky(matrix, name)
        return lower, log_diagonal(lower)

    @classmethod
    def explain(cls, form: type[Family], y: Any, theta: list[Any], names: dict[str, str]) -> tuple[str, str]:
        """Return what one invalid row breaks, and the value it has."""
        for name, row in (("y", y), ("loc", theta[0])):
            for j, value in enumerate(np.asarray(row, np.float64)):
                if not abs(value) < INF:
                    return f"{name} must be finite for {form.family.__name__}", f"{float(value)!r} for number {j}"
        return "the loss is not a number: y - loc is too far out for this matrix", repr(np.asarray(y))

    def mean(loc: Any, covariance_matrix: Any) -> Any:
        return MultivariateNormal.shared(loc, covariance_matrix)[0]

    def variance(loc: Any, covariance_matrix: Any) -> Any:
        return (np.asarray(MultivariateNormal.shared(loc, covariance_matrix)[1]) ** 2).sum(axis=-1)

    def entropy(loc: Any, covariance_matrix: Any) -> Any:
        lower = MultivariateNormal.shared(loc, covariance_matrix)[1]
        return len(lower) * (HALF_LOG_TWO_PI + 0.5) + np.log(np.diagonal(lower)).sum()

    def shared(loc: Any, covariance_matrix: Any) -> Any:
        return located(loc, factor_of(MultivariateNormal, covariance_matrix))

    def sample(rng: np.random.Generator, shape: tuple[int, ...], loc: Any, covariance_matrix: Any) -> Any:
        mean, lower = MultivariateNormal.shared(loc, covariance_matrix)
        return mean + rng.standard_normal(shape + mean.shape) @ lower.T

    def kl(theta: Any, other: Any) -> Any:
        """Return the divergence by triangular factors.

        (|L'**-1 L|**2 + |L'**-1 (m - m')|**2 - k) / 2 + log det L' - log det L. Source: T. M. Cover and J. A. Thomas,
        Elements of Information Theory, 2nd edition (2006), from theorem 8.4.1.
        """
        (loc, lower), (other_loc, other_lower) = theta, other
        if len(lower) != len(other_lower):
            raise UsageError(f"one distribution is of {len(lower)} numbers, the other of {len(other_lower)}")
        z = np.linalg.solve(other_lower, np.moveaxis(np.atleast_2d(loc - other_loc), -1, 0))
        ratio = np.linalg.solve(other_lower, lower)
        diagonal = np.diagonal(ratio)
        spread = excess(diagonal**2).sum() + (np.tril(ratio, -1) ** 2).sum()
        value = 0.5 * (spread + (z * z).sum(axis=0))
        return value if np.ndim(loc - other_loc) > 1 else value[0]

    def start(moments: Moments) -> Any:
        """Return the mean and the covariance, which are the maximum of likelihood."""
        return moments.mean, moments.covariance


class MultivariateNormalPrecision(MultivariateNormal):
    """MultivariateNormal by the inverse of the covariance: no system is solved."""

    loc: Real
    precision_matrix: Real

    def fill(y, theta, out):
        loc, matrix, constant = theta
        n, k = loc.shape
        z, d = np.zeros((k, n)), np.empty(n)
        factor = matrix[0]
        for j in range(k):
            for i in range(n):
                d[i] = np.float64(y[i, j]) - loc[i, j]
            for m in range(j + 1):
                c = factor[j * k + m]
                for i in range(n):
                    z[m, i] += c * d[i]
        half_squares(y, loc, z, constant, out)

    @classmethod
    def factor(cls, matrix: Array, name: str) -> tuple[Array, float]:
        """Return K and -log(det(K))."""
        lower = cholesky(matrix, name)
        return lower, -log_diagonal(lower)

    def mean(loc: Any, precision_matrix: Any) -> Any:
        return MultivariateNormalPrecision.shared(loc, precision_matrix)[0]

    def variance(loc: Any, precision_matrix: Any) -> Any:
        return (np.asarray(MultivariateNormalPrecision.shared(loc, precision_matrix)[1]) ** 2).sum(axis=-1)

    def entropy(loc: Any, precision_matrix: Any) -> Any:
        lower = MultivariateNormalPrecision.shared(loc, precision_matrix)[1]
        return len(lower) * (HALF_LOG_TWO_PI + 0.5) + np.log(np.diagonal(lower)).sum()

    def shared(loc: Any, precision_matrix: Any) -> Any:
        return located(loc, factor_of(MultivariateNormalPrecision, precision_matrix))

    def sample(rng: np.random.Generator, shape: tuple[int, ...], loc: Any, precision_matrix: Any) -> Any:
        mean, lower = MultivariateNormalPrecision.shared(loc, precision_matrix)
        return mean + rng.standard_normal(shape + mean.shape) @ lower.T

    def start(moments: Moments) -> Any:
        """Return the mean and the inverse of the covariance."""
        return moments.mean, np.linalg.inv(moments.covariance)


class MultivariateNormalScaleTril(MultivariateNormal):
    """MultivariateNormal by the lower triangular factor of its covariance."""

    loc: Real
    scale_tril: Real

    @classmethod
    def factor(cls, matrix: Array, name: str) -> tuple[Array, float]:
        """Return the matrix and the logarithm of its determinant, if it is triangular."""
        row, column = np.unravel_index(np.argmax(np.triu(matrix, 1) != 0.0), matrix.shape)
        if matrix[row, column] != 0.0 and column > row:
            found = f"{float(matrix[row, column])!r} at [{row}, {column}]"
            raise DataError(f"{name} must be lower triangular; it has {found}")
        wrong = np.flatnonzero(~(np.diagonal(matrix) > 0.0))
        if wrong.size:
            at = int(wrong[0])
            raise DataError(f"{name} must have a positive diagonal; it has {float(matrix[at, at])!r} at [{at}, {at}]")
        return matrix, log_diagonal(matrix)

    def mean(loc: Any, scale_tril: Any) -> Any:
        return MultivariateNormalScaleTril.shared(loc, scale_tril)[0]

    def variance(loc: Any, scale_tril: Any) -> Any:
        return (np.asarray(MultivariateNormalScaleTril.shared(loc, scale_tril)[1]) ** 2).sum(axis=-1)

    def entropy(loc: Any, scale_tril: Any) -> Any:
        lower = MultivariateNormalScaleTril.shared(loc, scale_tril)[1]
        return len(lower) * (HALF_LOG_TWO_PI + 0.5) + np.log(np.diagonal(lower)).sum()

    def shared(loc: Any, scale_tril: Any) -> Any:
        return located(loc, factor_of(MultivariateNormalScaleTril, scale_tril))

    def sample(rng: np.random.Generator, shape: tuple[int, ...], loc: Any, scale_tril: Any) -> Any:
        mean, lower = MultivariateNormalScaleTril.shared(loc, scale_tril)
        return mean + rng.standard_normal(shape + mean.shape) @ lower.T

    def start(moments: Moments) -> Any:
        """Return the mean and the factor of the covariance."""
        return moments.mean, cholesky(moments.covariance, "the covariance")


@formula
def half_squares(y, loc, z, constant, out):
    """out[i] = |z[:, i]|**2 / 2 + constant; NaN where y or loc is not finite."""
    k, n = z.shape
    out[:] = 0.0
    for j in range(k):
        for i in range(n):
            out[i] += 0.5 * z[j, i] * z[j, i]
    for i in range(n):
        out[i] = out[i] + constant
    for i in range(n):
        good = True
        for j in range(k):
            good &= (abs(np.float64(y[i, j])) < INF) & (abs(loc[i, j]) < INF)
        # infinities of the solution may have cancelled to NaN
        out[i] = (out[i] if out[i] == out[i] else INF) if good else NAN


@lru_cache(maxsize=16)
def _factored(form: type[MultivariateNormal], data: bytes, k: int) -> tuple[Array, float]:
    """Return the factor (k * k,) of a matrix and the constant of the loss: once, not for each chunk of rows."""
    matrix, name = np.frombuffer(data).reshape(k, k), list(form.parameters)[1]
    lower, log_determinant = form.factor(matrix, name)
    factor = np.ascontiguousarray(lower).reshape(-1)
    factor.flags.writeable = False
    return factor, k * HALF_LOG_TWO_PI + log_determinant


def cholesky(matrix: Array, name: str) -> Array:
    """Return the lower triangular L with L L' = matrix, by columns: the same bits on every machine, unlike LAPACK.

    Source: G. H. Golub and C. F. Van Loan, Matrix Computations, 4th edition (2013), algorithm 4.2.2 (outer product).
    """
    gap = abs(matrix - matrix.T)
    if gap.max() > LOPSIDED * abs(matrix).max():
        i, j = map(int, np.unravel_index(np.argmax(gap), gap.shape))
        found = f"{float(matrix[i, j])!r} at [{i}, {j}] and {float(matrix[j, i])!r} at [{j}, {i}]"
        raise DataError(f"{name} must be symmetric; it has {found}")
    rest, lower = 0.5 * matrix + 0.5 * matrix.T, np.zeros_like(matrix)
    for j in range(len(matrix)):
        pivot = rest[j, j]
        if not pivot > 0.0:
            what = "its first entry" if j == 0 else f"the pivot of its row {j}"
            raise DataError(f"{name} must be positive definite; {what} is {float(pivot):.6g}, not above 0")
        lower[j:, j] = rest[j:, j] / np.sqrt(pivot)
        rest[j + 1 :, j + 1 :] -= np.multiply.outer(lower[j + 1 :, j], lower[j + 1 :, j])
    return lower


def factor_of(form: type[MultivariateNormal], matrix: Array) -> Array:
    """Return the lower triangular L with L L' the covariance that a matrix of this form gives."""
    name = list(form.parameters)[1]
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise DataError(f"{name} must be one square matrix (k, k); got shape {matrix.shape}")
    lower = form.factor(matrix, name)[0]
    if form is not MultivariateNormalPrecision:
        return lower
    root = np.linalg.inv(lower)  # P = K K', so the covariance is root' root
    return cholesky(root.T @ root, "the inverse of precision_matrix")


def located(loc: Array, lower: Array) -> tuple[Array, Array]:
    """Return loc with one number a column of the factor, and that."""
    k = len(lower)
    if loc.ndim and loc.shape[-1] not in (1, k):
        raise DataError(f"loc {loc.shape} does not fit a matrix {lower.shape}: it is a vector ({k},), or one a row")
    return np.broadcast_to(loc, (*loc.shape[:-1], k)), lower


def log_diagonal(lower: Array) -> float:
    """Return the sum of the logarithms of a diagonal."""
    with quiet():
        total = np.float64(0.0)
        for value in np.diagonal(lower):
            total = total + log(np.float64(value))
    return float(total)
