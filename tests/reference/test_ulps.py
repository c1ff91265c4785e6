"""The formulas of the hottest families, and those that families share, to the last bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mpmath import exp, expm1, log, log1p, mp, mpf

from nll.families.bernoulli import Bernoulli, BernoulliLogits, sigmoid
from nll.families.exponential import log_one_minus_exp
from nll.families.normal import log_parts, standardised
from nll.kernels.kernel import kernel, prepared
from nll.numerics.formula import quiet

Array = npt.NDArray[np.float64]
generator = np.random.default_rng(5)
powers = 10.0 ** -generator.uniform(0.0, 323.0, 200)
PROBABILITIES = np.concatenate([generator.random(300), powers, 1.0 - powers[powers > 1e-16], [2.0**-53, 5e-324, 0.5]])
LOGITS = np.concatenate([generator.uniform(-40.0, 40.0, 200), generator.uniform(-740.0, 740.0, 200)])


def worst(found: Array, expected: list[Any]) -> float:
    """The largest error, in units in the last place."""
    return max(
        float(abs(mpf(float(a)) - b) / float(np.spacing(abs(float(b))))) for a, b in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize(
    ("form", "y", "theta", "exact"),
    [
        (Bernoulli, 1.0, PROBABILITIES, lambda p: -log(p)),
        (Bernoulli, 0.0, PROBABILITIES[PROBABILITIES < 1.0], lambda p: -log1p(-p)),
        (BernoulliLogits, 1.0, LOGITS, lambda z: log1p(exp(-z))),
        (BernoulliLogits, 0.0, LOGITS, lambda z: log1p(exp(z))),
    ],
)
def test_bernoulli_losses_are_within_one_ulp(
    form: type[Bernoulli], y: float, theta: Array, exact: Callable[[Any], Any]
):
    mp.dps = 40
    found = kernel(form).plain_rows(*prepared(np.full(theta.size, y), [theta]))
    assert worst(found, [exact(mpf(float(t))) for t in theta]) <= 1.0


def test_bernoulli_is_never_minus_zero():
    for y in (0.0, 1.0):
        loss = kernel(Bernoulli).plain_rows(*prepared([y], [[y]]))[0]
        assert loss == 0.0
        assert not np.signbit(loss)


def test_sigmoid_is_within_two_ulp():
    mp.dps = 40
    with quiet():
        assert worst(np.array([sigmoid(z) for z in LOGITS]), [1 / (1 + exp(-mpf(float(z)))) for z in LOGITS]) <= 2.0


def test_log_one_minus_exp_is_within_two_ulp():
    mp.dps = 40
    x = np.concatenate([10.0 ** generator.uniform(-30.0, 2.85, 300), generator.uniform(0.0, 2.0, 300)])
    low = x * generator.uniform(-1.0, 1.0, x.size) * 2.0**-54
    with quiet():
        found = np.array([log_one_minus_exp(a, b) for a, b in zip(x, low, strict=True)])
        assert log_one_minus_exp(np.float64(0.0), np.float64(0.0)) == -np.inf
    sums = [mpf(float(a)) + mpf(float(b)) for a, b in zip(x, low, strict=True)]
    assert worst(found, [log1p(-exp(-t)) if t > 1 else log(-expm1(-t)) for t in sums]) <= 2.0


def test_log_parts_are_within_their_bound():
    mp.dps = 40
    x = np.concatenate([10.0 ** generator.uniform(-308.0, 308.0, 500), generator.uniform(0.5, 2.0, 500), [5e-324]])
    with quiet():
        parts = [log_parts(a) for a in x]
    errors = [abs(mpf(float(h)) + mpf(float(t)) - log(mpf(float(a)))) for (h, t), a in zip(parts, x, strict=True)]
    assert max(errors) <= mpf(2) ** -55


def test_standardised_is_twice_as_precise_and_only_the_quotient_overflows():
    mp.dps = 60
    y, loc = generator.normal(size=(2, 300))
    scale = 10.0 ** generator.uniform(-100.0, 100.0, 300)
    rows = [*zip(y, loc, scale, strict=True), (np.float64(1.7e308), np.float64(-1.7e308), np.float64(1e10))]
    for a, b, c in rows:
        with quiet():
            z, small = standardised(a, b, c)
        exact = (mpf(float(a)) - mpf(float(b))) / mpf(float(c))
        assert abs(mpf(float(z)) + mpf(float(small)) - exact) <= abs(exact) * mpf(2) ** -100
    with quiet():
        assert standardised(np.float64(1e300), np.float64(0.0), np.float64(1e-300)) == (np.inf, 0.0)
