"""The rules are exact for polynomials, and the panels cover the support once."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from nll.tasks.quadrature import GAUSS, KRONROD, NODES, Density, integrate, legendre_sums, whole_rule

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@pytest.mark.parametrize("degree", range(0, 24, 2))
def test_the_rules_integrate_polynomials(degree):
    exact = 2.0 / (degree + 1)
    assert KRONROD @ NODES**degree == pytest.approx(exact, rel=1e-14)
    if degree < 14:
        assert GAUSS @ NODES[1::2] ** degree == pytest.approx(exact, rel=1e-14)


def test_the_rule_for_whole_numbers_sums_polynomials():
    for n in (5, 40, 41, 1000, 4096, 4097, 100_000):
        index, fine, coarse = whole_rule(n)
        assert len(set(index)) == index.size
        assert index.min() >= 0
        assert index.max() < n
        x = (2.0 * index + 1.0) / n - 1.0
        every = (2.0 * np.arange(n) + 1.0) / n - 1.0
        for degree in (0, 2, 6, 14):
            expected = math.fsum(every**degree)
            if n > 39 or degree == 0:
                assert fine @ x**degree == pytest.approx(expected, rel=1e-9)
            if coarse is not None and degree <= 6:
                assert coarse @ x[1::2] ** degree == pytest.approx(expected, rel=1e-9)


def test_the_sums_for_long_blocks_join_those_for_short_ones():
    np.testing.assert_allclose(legendre_sums(4097)[:15:2] / 4097, legendre_sums(4096)[:15:2] / 4096, atol=2e-5)
    n = 5000
    x = (2.0 * np.arange(n) + 1.0) / n - 1.0
    np.testing.assert_allclose(legendre_sums(n), np.polynomial.legendre.legvander(x, 14).sum(axis=0), atol=1e-6)


def test_panels_cover_the_line_once():
    density = Density(lambda y: -0.5 * np.minimum(abs(y), 1e9) ** 2 - HALF_LOG_2PI, -math.inf, math.inf, False)
    found = integrate(density, [0.3], 1e-10, 5_000)
    edges = sorted(p.limits for p in found.panels)
    assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(edges))
    assert abs(found.value - 1.0) < 1e-10
