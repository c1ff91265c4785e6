"""Counterparts in SciPy say what ours say."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

import nll
from nll.families import families
from nll.numerics.formula import quiet

FORMS = [form for family in families().values() for form in family.forms if form.scipy is not None]
VALUES = {"total_count": 7.0, "probs": 0.3, "shape": 0.4, "dispersion": 0.6, "low": -1.0, "high": 2.5, "loc": 0.3}


@pytest.mark.parametrize("form", FORMS, ids=[form.signature() for form in FORMS])
def test_scipy_has_the_same_densities_and_tails(form):
    dist = form(**{name: VALUES.get(name, 1.7) for name in form.parameters})
    other = dist.to_scipy()
    y = np.array([1.0, 2.0, 3.0, 5.0] if dist.discrete else [-0.7, 0.2, 0.6, 0.9, 1.8, 2.4])
    if form.family.__name__ == "Bernoulli":
        y = np.array([0.0, 1.0])
    y = y[np.isfinite(dist.log_prob(y))]
    assert len(y) > 1
    with quiet():
        densities = other.logpmf(y) if dist.discrete else other.logpdf(y)
        np.testing.assert_allclose(dist.log_prob(y), densities, rtol=1e-7, atol=1e-9)
        cdf = other.cdf(y)
        if form.family.__name__ == "VonMises":  # SciPy counts from loc - pi
            cdf = cdf - other.cdf(-np.pi)
        np.testing.assert_allclose(dist.cdf(y), cdf, rtol=1e-7, atol=1e-9)


def test_arrays_broadcast():
    dist = nll.Gamma(concentration=[[1.0], [2.0]], rate=[1.0, 2.0, 3.0])
    np.testing.assert_allclose(dist.to_scipy().mean(), dist.mean())


@pytest.mark.parametrize(
    ("dist", "words"),
    [(nll.Kumaraswamy(2.0, 3.0), "no counterpart"), (nll.Normal("mu", 1.0), "names a column")],
)
def test_what_scipy_has_not_is_refused(dist, words):
    with pytest.raises(nll.errors.UsageError, match=words):
        dist.to_scipy()


def test_scipy_is_imported_when_asked_for_and_named_when_missing():
    code = (
        "import sys, nll; d = nll.Normal(0.0, 1.0); d.log_prob(0.0); assert 'scipy' not in sys.modules\n"
        "sys.modules['scipy'] = None\n"
        "try:\n    d.to_scipy()\nexcept nll.errors.MissingExtraError as error:\n    print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'nll[scipy]'" in said
    assert import_module("nll.interop.scipy").frozen(nll.Normal(0.0, 1.0)).dist.name == "norm"
