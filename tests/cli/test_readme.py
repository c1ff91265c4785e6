import doctest
import math
from pathlib import Path

import numpy as np
import pytest

import nll

README = Path(__file__).parents[2] / "README.md"


def test_what_the_readme_shows_is_what_comes_out():
    failed, tried = doctest.testfile(str(README), module_relative=False, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert tried >= 8
    assert failed == 0


def test_bernoulli_is_binary_log_loss():
    y, p = np.array([1, 0, 1, 1]), np.array([0.8, 0.3, 0.6, 0.05])
    expected = -np.sum(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert nll.score(y, nll.Bernoulli(probs=p)).sum == pytest.approx(expected, rel=1e-15)


def test_categorical_is_multiclass_cross_entropy():
    y, z = np.array([2, 0, 1]), np.array([[0.1, 2.0, -1.0], [3.0, 0.0, 0.5], [-2.0, 1.0, 1.0]])
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    expected = -np.log(p[np.arange(3), y]).sum()
    assert nll.score(y, nll.Categorical(logits=z)).sum == pytest.approx(expected, rel=1e-15)
    assert nll.score(y, nll.Categorical(probs=p)).sum == pytest.approx(expected, rel=1e-15)


def test_normal_of_fixed_sigma_is_the_mean_squared_error():
    y, mu, sigma = np.array([1.0, 2.5, 3.0]), np.array([1.2, 2.0, 3.5]), 0.7
    n, mse = len(y), np.mean((y - mu) ** 2)
    expected = n * mse / (2 * sigma**2) + n * math.log(sigma * math.sqrt(2 * math.pi))
    assert nll.score(y, nll.Normal(loc=mu, scale=sigma)).sum == pytest.approx(expected, rel=1e-15)
