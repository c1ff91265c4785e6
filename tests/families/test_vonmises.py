"""Tails of the circle, counted from -pi, against integrals in 25 digits; quantiles and samples."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

import nll


def log_tails(y: float, loc: float, k: float) -> tuple[float, float]:
    """log P(-pi <= Y <= y) and log P(y < Y <= pi), in panels in which the density changes little."""
    with mpmath.workdps(25):
        step = mpmath.pi / max(8, int(4 * k))

        def density(t):
            return mpmath.exp(k * (mpmath.cos(t - loc) - 1))

        def integral(low, high):
            n = int(mpmath.ceil((high - low) / step))
            edges = [low + (high - low) * i / n for i in range(n + 1)]
            # a panel negligible at both ends, beside the largest end, is left out
            sizes = [density(t) for t in edges]
            floor = max(sizes) * mpmath.mpf(10) ** -30
            pairs = zip(edges, edges[1:], sizes, sizes[1:], strict=False)
            return sum(
                mpmath.quad(density, [a, b], method="gauss-legendre", maxdegree=5)
                for a, b, s, t in pairs
                if max(s, t) > floor
            )

        below, above = integral(-mpmath.pi, mpmath.mpf(y)), integral(mpmath.mpf(y), mpmath.pi)
        total = 2 * mpmath.pi * mpmath.besseli(0, k) * mpmath.exp(-k)
        smaller = min(below, above)
        other = mpmath.log1p(-smaller / total)
        log_small = mpmath.log(smaller / total)
        return (float(log_small), float(other)) if below < above else (float(other), float(log_small))


@pytest.mark.parametrize("loc", [0.0, 0.6, -1.3, 2.9, -3.7, 5.0])
@pytest.mark.parametrize("k", [0.0, 0.3, 3.7, 30.0])
def test_the_tails_are_integrals(loc, k):
    dist = nll.VonMises(loc=loc, concentration=k)
    for y in (-3.0, -0.5, 1.7):
        assert (dist.log_cdf(y), dist.log_sf(y)) == pytest.approx(log_tails(y, loc, k), rel=1e-12)


def test_the_tails_of_a_narrow_one_far_out():
    dist = nll.VonMises(loc=0.6, concentration=1000.0)
    for y in (-0.5, 1.7):
        assert (dist.log_cdf(y), dist.log_sf(y)) == pytest.approx(log_tails(y, 0.6, 1000.0), rel=1e-12)


def test_the_tails_end_where_they_are_counted_from():
    dist = nll.VonMises(loc=2.0, concentration=1.5)
    assert dist.log_cdf([-math.pi, math.pi]).tolist() == [-math.inf, 0.0]
    assert dist.log_sf([-math.pi, math.pi]).tolist() == [0.0, -math.inf]


def test_quantiles_invert_and_samples_follow():
    dist = nll.VonMises(loc=1.0, concentration=2.0)
    p = np.array([1e-9, 0.2])
    np.testing.assert_allclose(dist.cdf(dist.quantile(p)), p, rtol=1e-7)  # the last bit of y near -pi
    y = np.sort(dist.sample(100, np.random.default_rng(3)))
    gap = np.abs(dist.cdf(y) - (np.arange(100) + 0.5) / 100).max()
    assert gap < 1.95 / math.sqrt(100)
