"""Zero inflation: gates at their ends, zeros that are nearly sure or nearly impossible."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import nll
from nll.errors import UsageError
from nll.families.family import Moments
from nll.numerics.formula import quiet

FAMILY = nll.ZeroInflated(nll.Poisson)


@pytest.mark.parametrize("gate", [0.0, 5e-324, 1e-300, 1e-20, 0.3, 1.0 - 2.0**-53, 1.0])
@pytest.mark.parametrize("rate", [0.0, 1e-300, 1e-12, 0.7, 40.0, 690.0, 5000.0])
def test_the_loss_and_slopes_at_zero(gate, rate):
    with mpmath.workdps(700):
        g, m = mpmath.mpf(gate), mpmath.mpf(rate)
        mass = g + (1 - g) * mpmath.exp(-m)
        expected = -mpmath.log(mass)
        found = -FAMILY(rate=rate, gate=gate).log_prob(0)
        assert abs(found - expected) <= 4e-16 * abs(expected) + 5e-324
        with quiet():
            slopes = FAMILY.gradient(np.float64(0.0), np.float64(rate), np.float64(gate))
        exact = [(1 - g) * mpmath.exp(-m) / mass, -(1 - mpmath.exp(-m)) / mass]
        for slope, value in zip(slopes, exact, strict=True):
            if abs(value) > np.finfo(float).max:
                assert slope == -np.inf
            else:
                assert abs(slope - value) <= 1e-12 * abs(value) + 1e-300


def test_sure_gates():
    assert FAMILY(rate=3.0, gate=1.0).log_prob([0, 1]).tolist() == [0.0, -np.inf]
    counts = np.arange(5.0)
    np.testing.assert_allclose(FAMILY(rate=3.0, gate=0.0).log_prob(counts), nll.Poisson(3.0).log_prob(counts), 1e-15)


def test_moments_and_start():
    dist = FAMILY(rate=3.0, gate=0.25)
    assert (nll.Poisson(1.0).family, dist.discrete) == (nll.Poisson, True)
    rate, gate = FAMILY.start(Moments(2.25, 4.0, zeros=0.3))
    assert 2.25 < rate < 3.0
    assert 0.0 < gate < 0.3


def test_a_density_has_no_zeros_to_inflate():
    with pytest.raises(UsageError, match="Hurdle"):
        nll.ZeroInflated(nll.Gamma)
    with pytest.raises(UsageError, match="gate is a parameter"):
        nll.ZeroInflated(nll.Poisson, gate=0.2)
    with pytest.raises(UsageError, match="takes gate"):
        nll.ZeroInflated(nll.Poisson(1.0))
