"""Points where other libraries return inf, NaN, zero, or an infinitely good score; the truth comes from mpmath.

The points are those of scikit-learn's `log_loss`, torch.distributions, scoringrules and SciPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import nll
from nll.errors import DataError


def m(x: float) -> Any:
    return mp.mpf(float(x))


def normal(y: float, loc: float, scale: float) -> Any:
    return ((m(y) - loc) / m(scale)) ** 2 / 2 + mp.log(scale) + mp.log(2 * mp.pi) / 2


def poisson(y: float, rate: float) -> Any:
    return m(rate) - m(y) * mp.log(rate) + mp.loggamma(m(y) + 1)


def binomial(y: float, n: float, p: float) -> Any:
    choose = mp.loggamma(m(n) + 1) - mp.loggamma(m(y) + 1) - mp.loggamma(m(n) - y + 1)
    return -choose - m(y) * mp.log(p) - (m(n) - y) * mp.log1p(-m(p))


def laplace(y: float, loc: float, scale: float) -> Any:
    return abs(m(y) - m(loc)) / m(scale) + mp.log(2 * m(scale))


def student(y: float, df: float, loc: float, scale: float) -> Any:
    v, z = m(df), (m(y) - m(loc)) / m(scale)
    return (
        mp.loggamma(v / 2)
        - mp.loggamma((v + 1) / 2)
        + mp.log(mp.pi * v) / 2
        + mp.log(scale)
        + (v + 1) / 2 * mp.log1p(z * z / v)
    )


def gamma(y: float, a: float, b: float) -> Any:
    return mp.loggamma(m(a)) - m(a) * mp.log(b) - (m(a) - 1) * mp.log(y) + m(b) * m(y)


def negative_binomial(y: float, mean: float, size: float) -> Any:
    r, mu = m(size), m(mean)
    return (
        mp.loggamma(m(y) + 1) + mp.loggamma(r) - mp.loggamma(r + y) + (r + y) * mp.log1p(mu / r) - m(y) * mp.log(mu / r)
    )


def bernoulli(y: int, p: float) -> Any:
    return -mp.log(p) if y else -mp.log(1 - m(p))


def softplus(z: float) -> Any:
    return mp.log(1 + mp.exp(m(z)))


POINTS: list[tuple[str, float, Callable[[], Any], Callable[[], Any]]] = [
    ("Normal at 40 sigma", 40.0, lambda: nll.Normal(0.0, 1.0), lambda: normal(40, 0, 1)),
    ("Normal at 1e150 sigma", 1e150, lambda: nll.Normal(0.0, 1.0), lambda: normal(1e150, 0, 1)),
    ("Poisson(150) at 150", 150, lambda: nll.Poisson(150.0), lambda: poisson(150, 150)),
    ("Poisson(1000) at 1000", 1000, lambda: nll.Poisson(1000.0), lambda: poisson(1000, 1000)),
    ("Poisson(1e15) at 1e15", 1e15, lambda: nll.Poisson(1e15), lambda: poisson(1e15, 1e15)),
    ("Poisson(1e15) near 1e15", 1e15 + 1e8, lambda: nll.Poisson(1e15), lambda: poisson(1e15 + 1e8, 1e15)),
    ("Poisson(2) at 5, without Stirling", 5, lambda: nll.Poisson(2.0), lambda: poisson(5, 2)),
    ("Binomial(2000, 1/2) at 1000", 1000, lambda: nll.Binomial(2000, probs=0.5), lambda: binomial(1000, 2000, 0.5)),
    ("Binomial(1e15, 1/3)", 3e14, lambda: nll.Binomial(1e15, probs=1 / 3), lambda: binomial(3e14, 1e15, 1 / 3)),
    ("Laplace at 1e3", 1e3, lambda: nll.Laplace(0.0, 1.0), lambda: laplace(1e3, 0, 1)),
    ("Laplace at 1e300", 1e300, lambda: nll.Laplace(0.0, 1.0), lambda: laplace(1e300, 0, 1)),
    ("Laplace of scale 1e-5", 1.0, lambda: nll.Laplace(0.0, 1e-5), lambda: laplace(1, 0, 1e-5)),
    ("StudentT near 1e300", 1e300, lambda: nll.StudentT(4.0, 0.0, 1.0), lambda: student(1e300, 4, 0, 1)),
    ("Cauchy near 1e300", -3e300, lambda: nll.StudentT(1.0, 0.0, 2.0), lambda: student(-3e300, 1, 0, 2)),
    ("StudentT of 1e10 degrees", 3.0, lambda: nll.StudentT(1e10, 0.0, 1.0), lambda: student(3, 1e10, 0, 1)),
    ("Gamma of shape 1e12", 1e12, lambda: nll.Gamma(1e12, 1.0), lambda: gamma(1e12, 1e12, 1)),
    ("Gamma of shape 1e12, off", 1.00001e12, lambda: nll.Gamma(1e12, 1.0), lambda: gamma(1.00001e12, 1e12, 1)),
    (
        "NegativeBinomial of size 1e15",
        100,
        lambda: nll.NegativeBinomial(mean=100.0, dispersion=1e-15),
        lambda: negative_binomial(100, 100, 1 / m(1e-15)),
    ),
    (
        "NegativeBinomial of size 1e10",
        10**6,
        lambda: nll.NegativeBinomial(mean=1e6, dispersion=1e-10),
        lambda: negative_binomial(1e6, 1e6, 1 / m(1e-10)),
    ),
    ("Bernoulli of a sure logit", 0, lambda: nll.Bernoulli(logits=-37.0), lambda: softplus(-37)),
    ("Bernoulli of a surer logit", 1, lambda: nll.Bernoulli(logits=700.0), lambda: softplus(-700)),
    ("Bernoulli at p = 1e-300", 1, lambda: nll.Bernoulli(probs=1e-300), lambda: bernoulli(1, 1e-300)),
    ("Bernoulli at p = 1e-17", 0, lambda: nll.Bernoulli(probs=1e-17), lambda: bernoulli(0, 1e-17)),
    ("Bernoulli below certainty", 0, lambda: nll.Bernoulli(probs=1 - 2.0**-53), lambda: bernoulli(0, 1 - 2.0**-53)),
]  # fmt: skip


@pytest.mark.parametrize(("what", "y", "dist", "truth"), POINTS, ids=[point[0] for point in POINTS])
def test_the_truth(what, y, dist, truth):
    with mp.workdps(400):
        want = truth()
        got = nll.score(y, dist()).sum
        assert math.isfinite(got)
        assert abs(m(got) - want) <= 1e-13 * max(abs(want), mp.mpf(10) ** -320), what


@pytest.mark.parametrize(
    ("y", "dist", "value"),
    [
        (40.0, lambda: nll.Normal(0.0, 1.0), 800.92),
        (150, lambda: nll.Poisson(150.0), 3.425),
        (0, lambda: nll.Bernoulli(logits=-37.0), 8.5e-17),
        (1, lambda: nll.Bernoulli(probs=1e-300), 690.78),
        (5, lambda: nll.Poisson(2.0), 3.3217),
    ],
)
def test_the_figures_that_are_quoted(y, dist, value):
    assert nll.score(y, dist()).sum == pytest.approx(value, rel=1e-3)


def test_log_loss_of_the_impossible_is_infinite_and_counted():
    for dtype in (np.float32, np.float64):
        score = nll.score([0, 1], nll.Bernoulli(probs=np.zeros(2, dtype)))
        assert (score.sum, score.mean, score.impossible) == (math.inf, math.inf, 1)
        assert score.first_impossible == ("row 1",)
    clipped = nll.score([0, 1], nll.Bernoulli(probs=[0.0, 0.0]), clip=2.0**-52)
    assert clipped.mean == pytest.approx(18.02, abs=0.01)
    assert (clipped.clipped, clipped.impossible) == (1, 0)


def test_negative_weights_are_refused():
    with pytest.raises(DataError, match=r"sample_weight .* row 0 has -1\.0"):
        nll.score([0, 1, 1], nll.Bernoulli(probs=[0.5, 0.9, 0.9]), sample_weight=[-1, 1, 1])


def test_the_order_of_labels_is_that_given():
    probs = [[1.0, 0.0], [0.0, 1.0]]
    assert nll.score(["b", "a"], nll.Categorical(probs=probs), labels=["b", "a"]).sum == 0.0
    assert nll.score(["b", "a"], nll.Categorical(probs=probs), labels=["a", "b"]).impossible == 2


def test_a_label_that_the_prediction_lacks_is_no_perfect_score():
    with pytest.raises(DataError, match="none of the labels"):
        nll.score(["c"], nll.Categorical(probs=[[0.5, 0.5]]), labels=["a", "b"])


@pytest.mark.parametrize(
    ("y", "dist"),
    [
        (2.5, lambda: nll.Poisson(1.0)),
        (2.5, lambda: nll.Binomial(5, probs=0.5)),
        (0.5, lambda: nll.Bernoulli(probs=0.5)),
        (2.5, lambda: nll.NegativeBinomial(mean=1.0, dispersion=1.0)),
        (2.5, lambda: nll.Geometric(probs=0.5)),
    ],
)
def test_a_count_of_two_and_a_half_is_refused(y, dist):
    with pytest.raises(DataError, match=r"row 0 has (2\.5|0\.5)"):
        nll.score(y, dist())


@pytest.mark.parametrize("scale", [-1.0, 0.0, math.nan, math.inf])
@pytest.mark.parametrize("family", ["Normal", "Laplace", "Logistic", "LogNormal"])
def test_a_scale_that_is_none_is_refused(family, scale):
    with pytest.raises(DataError, match="scale must be positive and finite"):
        nll.score(1.0, getattr(nll, family)(0.0, scale))


def test_means_are_weighted_by_rows_not_by_blocks():
    y, p = np.array([1, 1, 1, 0]), np.array([0.9, 0.8, 0.7, 0.6])
    a, b = nll.Tally(), nll.Tally()
    a.update(y[:3], nll.Bernoulli(probs=p[:3]))
    b.update(y[3:], nll.Bernoulli(probs=p[3:]))
    assert a.merge(b).score().mean == nll.score(y, nll.Bernoulli(probs=p)).mean


def test_a_constant_normal_keeps_its_constant_and_its_variance():
    want = 0.5 * math.log(2 * math.pi) + math.log(1e-4) + 0.5
    assert nll.score(1e-4, nll.Normal(0.0, 1e-4)).sum == pytest.approx(want, rel=1e-15)


@pytest.mark.parametrize("classes", [3, 100])
def test_nothing_left_to_score_is_said(classes):
    logits = np.zeros((2, classes))
    score = nll.score([0, 1], nll.Categorical(logits=logits), sample_weight=[0, 0])
    assert math.isnan(score.mean)
    assert "no rows were scored" in score.notes[0]
    zero_weight = nll.score([0, 1], nll.Categorical(logits=logits), sample_weight=[0, 1])
    assert (zero_weight.n, zero_weight.unweighted, zero_weight.mean) == (1, 1, pytest.approx(math.log(classes)))
