import doctest
import math
import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest

import nll
from nll.cli import main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("page", "least"), [("README.md", 20), ("docs/fit.md", 30)])
def test_what_is_shown_is_what_comes_out(page, least):
    failed, tried = doctest.testfile(
        str(ROOT / page), module_relative=False, optionflags=doctest.IGNORE_EXCEPTION_DETAIL
    )
    assert tried >= least
    assert failed == 0


@pytest.mark.parametrize("page", ["README.md", "docs/fit.md", "docs/cli.md"])
def test_options_that_are_shown_exist(page):
    text = (ROOT / page).read_text("utf-8")
    shown = [line for line in re.findall(r"^(?:\$ )?nll (.*)$", text, re.MULTILINE) if "..." not in line]
    assert len(shown) >= 4
    for line in shown:
        words = shlex.split(line.partition(" && ")[0], comments=True)
        command = main.commands[words[0]]
        if isinstance(command, click.Group):
            command = command.commands[words[1]]
        known = {option for parameter in command.params for option in parameter.opts}
        given = {word for word in words[1:] if re.fullmatch(r"--?[a-z][a-z-]*", word)}
        assert given <= known | {"-h", "--help"}, line


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
