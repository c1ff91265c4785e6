"""Vuong's test: which of two models is closer to the truth, whether or not they are nested."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.results.evidence import VuongTest
from nll.tasks.compare.losses import Pair, fitted, paired
from nll.tasks.compare.tails import two_sided_normal
from nll.tasks.compare.weighted_chi_square import weighted_chi_square_sf

Array = npt.NDArray[Any]


def vuong(
    a: Any,
    b: Any,
    *,
    k: tuple[int, int] | None = None,
    ddof: int = 0,
    scores: tuple[Any, Any] | None = None,
    cov: tuple[Any, Any] | None = None,
    sample_weight: Any = None,
) -> VuongTest:
    """Test whether two models are equally close to the truth; they need not be nested.

    With m_i = l_b,i - l_a,i, the row losses of b less those of a, and omega2 their variance,

        z = sum(m) / sqrt(n omega2),   z_aic = (sum(m) + k_b - k_a) / sqrt(n omega2),
        z_bic = (sum(m) + (k_b - k_a) log(n) / 2) / sqrt(n omega2).

    z > 0 favours a. It is standard normal only if omega2 > 0, which is tested first where the scores allow: n omega2
    is then compared with a sum of chi-squares, weighted by the squared eigenvalues of Vuong's matrix W.

    A weight w says that a row came w times: sums over rows become sums of w times each, and n is the sum of the
    weights, so that the test is the one of the rows repeated. Other weights (of a survey, say) have no such test.

    Parameters
    ----------
    a, b : two fits to the same rows, or two arrays (n,) of row losses in nats.
    k : the free parameters of a and b; known of fits. Without, z_aic and z_bic are NaN.
    ddof : omega2 has divisor n - ddof: 0 as in Vuong's paper, 1 as in R's pscl.
    scores : the derivatives (n, k) of the row losses in the free parameters, of a and of b.
    cov : the inverses (k, k) of the Hessians of the NLL, of a and of b (the covariance from observed information).
    sample_weight : weights (n,) of rows given as arrays; fits bring their own.

    Returns
    -------
    VuongTest

    Source: Q. H. Vuong, Likelihood ratio tests for model selection and non-nested hypotheses, Econometrica 57 (1989),
    equations 3.6 and 4.2; E. C. Merkle, D. You and K. J. Preacher, Testing nonnested structural equation models,
    Psychological Methods 21 (2016).

    Examples
    --------
    >>> import nll
    >>> y = [1.0, 2.0, 0.5, 3.0, 1.5, 0.7]
    >>> a, b = nll.rows(y, nll.Gamma(2.0, 1.4)), nll.rows(y, nll.Normal(1.4, 0.9))
    >>> t = nll.vuong(a, b, k=(2, 2))
    >>> round(t.z, 4), round(t.p_value, 4)
    (0.697, 0.4858)
    """
    if ddof not in (0, 1):
        raise UsageError(f"ddof is 0 (divisor n) or 1 (n - 1); got {ddof!r}")
    pair = paired(a, b, k, weighted=True, sample_weight=sample_weight)
    m, weights = pair.difference, np.ones(pair.n) if pair.weights is None else pair.weights
    n = pair.n if pair.weights is None else math.fsum(weights)
    if not n > ddof:
        raise DataError(f"the weights sum to {n!r}: as counts of rows they leave no variance with ddof={ddof}")
    total = math.fsum(weights * m)
    mean = total / n
    omega2 = 0.0 if (m == m[0]).all() else math.fsum(weights * (m - mean) ** 2) / (n - ddof)
    root = math.sqrt(n * omega2)
    more = math.nan if pair.k is None else float(pair.k[1] - pair.k[0])
    z, z_aic, z_bic = (
        top / root if root > 0.0 else math.nan for top in (total, total + more, total + 0.5 * math.log(n) * more)
    )
    return VuongTest(
        z,
        z_aic,
        z_bic,
        omega2,
        *map(two_sided_normal, (z, z_aic, z_bic)),
        p_distinguishable=_distinguishable(a, b, pair, omega2 * (n - ddof), scores, cov),
        mean_difference=mean,
        n=pair.n,
        k=pair.k if pair.k is not None else (-1, -1),
        ddof=ddof,
        names=(_name(a, "a"), _name(b, "b")),
        sum_weights=n if pair.weights is not None else math.nan,
    )


def _name(model: Any, otherwise: str) -> str:
    family: Any = getattr(model, "family", None)
    return f"{otherwise} ({family.family.__name__})" if hasattr(family, "family") else otherwise


def _distinguishable(a: Any, b: Any, pair: Pair, statistic: float, scores: Any, cov: Any) -> float:
    """Return the p of omega2 = 0: 1 if it is, NaN where scores and Hessians are not known."""
    if statistic == 0.0:
        return 1.0
    if scores is None and cov is None:
        parts = [_of_fit(model) for model in (a, b)]
        if parts[0] is None or parts[1] is None:
            return math.nan
        scores, cov = zip(*parts, strict=True)
    if scores is None or cov is None:
        raise UsageError("scores= and cov= go together: the test of omega2 = 0 needs both of both models")
    s = [np.asarray(x, np.float64) for x in scores]
    s = [(x if pair.used is None else x[pair.used]).reshape(pair.n, -1) for x in s]
    c = [np.asarray(x, np.float64) for x in cov]
    for name, score, inverse in zip("ab", s, c, strict=True):
        if inverse.shape != (score.shape[1],) * 2:
            raise DataError(f"{name} has {score.shape[1]} scores a row and a covariance of shape {inverse.shape}")
        if not (np.isfinite(score).all() and np.isfinite(inverse).all()):
            return math.nan  # a fit without a usable covariance
    return weighted_chi_square_sf(statistic, distinguishing_weights(s[0], s[1], c[0], c[1], pair.weights))


def _of_fit(model: Any) -> tuple[Array, Array] | None:
    """Return scores and covariance of a fit that has both, from observed information."""
    if fitted(model) is None or not hasattr(model, "row_gradients") or getattr(model, "cov_type", "") != "observed":
        return None
    try:
        return np.asarray(model.row_gradients()), np.asarray(model.cov)
    except UsageError:  # of rows of several numbers, or without a formula for the gradient
        return None


def distinguishing_weights(
    score_a: Array, score_b: Array, cov_a: Array, cov_b: Array, weights: Array | None = None
) -> Array:
    """Return the squared eigenvalues of Vuong's W (equation 3.6), the weights of the chi-squares in n omega2.

    Scores are the derivatives of the losses, so that the mean Hessians are -A in Vuong's signs, and cov is the
    inverse of n times that.
    """
    w_a, w_b = (s if weights is None else s * weights[:, None] for s in (score_a, score_b))
    n = float(len(score_a)) if weights is None else math.fsum(weights)
    inverse_a, inverse_b = n * cov_a, n * cov_b
    b_a, b_b, b_ab = w_a.T @ score_a / n, w_b.T @ score_b / n, w_a.T @ score_b / n
    w = np.block([[b_a @ inverse_a, b_ab @ inverse_b], [-b_ab.T @ inverse_a, -b_b @ inverse_b]])
    return np.linalg.eigvals(w).real ** 2
