"""Entropies, divergences and samples of classes, in each form."""

from __future__ import annotations

import math

import numpy as np
import pytest

import nll

P = np.array([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]])
Q = np.array([[0.1, 0.1, 0.8], [0.5, 0.5, 0.0]])


def forms(probs):
    with np.errstate(divide="ignore"):
        logs = np.log(probs)
    return [nll.Categorical(probs=probs), nll.Categorical(logits=logs + 3.0), nll.Categorical(log_probs=logs)]


@pytest.mark.parametrize("dist", forms(P), ids=["probs", "logits", "log_probs"])
def test_entropies_divergences_and_samples(dist):
    entropy = -sum(p * math.log(p) for p in P[0])
    np.testing.assert_allclose(dist.entropy(), [entropy, 0.0], rtol=1e-14, atol=1e-15)
    divergence = sum(p * math.log(p / q) for p, q in zip(P[0], Q[0], strict=True))
    for other in forms(Q):
        np.testing.assert_allclose(dist.kl(other), [divergence, math.log(2.0)], rtol=1e-13)
    y = dist.sample(5_000, np.random.default_rng(2))
    assert y.shape == (5_000, 2)
    assert (y[:, 1] == 0.0).all()
    np.testing.assert_allclose(np.bincount(y[:, 0].astype(int)) / 5_000, P[0], atol=4.0 * 0.5 / math.sqrt(5_000))


def test_a_class_that_the_other_excludes():
    assert nll.Categorical(probs=[0.5, 0.5]).kl(nll.Categorical(probs=[1.0, 0.0])) == math.inf


def test_rows_that_are_no_distribution():
    with pytest.raises(nll.errors.DataError, match="sum to 1"):
        nll.Categorical(probs=[0.5, 0.4]).entropy()
    with pytest.raises(nll.errors.UsageError, match="classes"):
        nll.Categorical(probs=[0.5, 0.5]).kl(nll.Categorical(probs=[0.2, 0.3, 0.5]))
