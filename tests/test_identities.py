"""NLL is what users know under other names: log loss, cross-entropy, squared error."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import log_loss

import nll


@pytest.mark.parametrize("n", [200, 4000])  # as plain Python, and compiled
def test_bernoulli_is_binary_log_loss(n):
    random = np.random.default_rng(0)
    y, p = random.integers(0, 2, n), random.random(n)
    assert nll.score(y, nll.Bernoulli(probs=p)).mean == pytest.approx(log_loss(y, p), rel=1e-13)
    z = np.log(p / (1.0 - p))
    assert nll.score(y, nll.Bernoulli(logits=z)).mean == pytest.approx(log_loss(y, p), rel=1e-12)
    w = random.random(n)
    weighted = nll.score(y, nll.Bernoulli(probs=p), sample_weight=w).mean
    assert weighted == pytest.approx(log_loss(y, p, sample_weight=w), rel=1e-13)


@pytest.mark.parametrize("n", [200, 4000])
def test_categorical_is_multiclass_log_loss(n):
    random = np.random.default_rng(1)
    y, p = random.integers(0, 5, n), random.dirichlet(np.ones(5), n)
    assert nll.score(y, nll.Categorical(probs=p)).mean == pytest.approx(log_loss(y, p, labels=range(5)), rel=1e-13)
    assert nll.score(y, nll.Categorical(log_probs=np.log(p))).mean == pytest.approx(log_loss(y, p), rel=1e-13)


@pytest.mark.parametrize(("n", "classes"), [(100, 3), (2000, 7), (50, 300)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_categorical_is_cross_entropy_of_logits(n, classes, dtype):
    random = np.random.default_rng(2)
    y, z = random.integers(0, classes, n), random.normal(0, 3, (n, classes)).astype(dtype)
    wide = z.astype(np.longdouble)
    losses = np.log(np.exp(wide).sum(axis=1)) - wide[np.arange(n), y]
    got = nll.rows(y, nll.Categorical(logits=z))
    assert got == pytest.approx(
        losses.astype(np.float64), rel=1e-14 if classes < 64 else 0, abs=1e-7 if classes >= 64 else 0
    )
    assert nll.score(y, nll.Categorical(logits=z)).mean == pytest.approx(float(losses.mean()), rel=1e-7)


@pytest.mark.parametrize("n", [200, 4000])
@pytest.mark.parametrize("sigma", [0.01, 1.0, 37.5])
def test_normal_is_squared_error(n, sigma):
    random = np.random.default_rng(3)
    y, mu = random.normal(size=n), random.normal(size=n)
    squared = float(np.mean((y - mu) ** 2))
    want = n * squared / (2 * sigma**2) + n * math.log(sigma * math.sqrt(2 * math.pi))
    assert nll.score(y, nll.Normal(loc=mu, scale=sigma)).sum == pytest.approx(want, rel=1e-12)


def test_two_classes_are_a_bernoulli():
    random = np.random.default_rng(4)
    y, p = random.integers(0, 2, 100), random.random(100)
    both = nll.score(y, nll.Categorical(probs=np.column_stack([1.0 - p, p])))
    assert both.mean == pytest.approx(nll.score(y, nll.Bernoulli(probs=p)).mean, rel=1e-13)


def test_the_first_example():
    assert nll.score(1, nll.Bernoulli(probs=0.8)).sum == -math.log(0.8) == 0.2231435513142097
