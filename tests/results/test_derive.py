import math

import numpy as np
import pytest
from scipy import special, stats

from nll.errors import UsageError
from nll.families.gamma import Gamma
from nll.families.mixture import Mixture
from nll.families.normal import Normal
from nll.families.poisson import Poisson
from nll.results.derive import extrapolated
from nll.results.fit import Fit

COV = np.array([[0.09, 0.1], [0.1, 0.2]])
A, B = 2.0, 3.0
GAMMA = Fit(Gamma, {"concentration": A, "rate": B}, ("concentration", "rate"), COV, 250.9, 100, 100.0)
Q = stats.gamma.ppf(0.9, A, scale=1.0 / B)


def gamma_quantile_slopes():
    """dq/da = -(dP/da) / density, with dP/da by differences of SciPy's incomplete gamma function."""
    h = 1e-4
    ahead = [special.gammainc(A + s * h, B * Q) for s in (-2, -1, 1, 2)]
    slope = (ahead[0] - 8.0 * ahead[1] + 8.0 * ahead[2] - ahead[3]) / (12.0 * h)
    return -slope / stats.gamma.pdf(Q, A, scale=1.0 / B), -Q / B


@pytest.mark.parametrize(
    ("text", "estimate", "gradient"),
    [
        ("mean", A / B, (1.0 / B, -A / B**2)),
        ("concentration/rate", A / B, (1.0 / B, -A / B**2)),
        ("1/rate", 1.0 / B, (0.0, -1.0 / B**2)),
        ("variance", A / B**2, (1.0 / B**2, -2.0 * A / B**3)),
        ("stddev", math.sqrt(A) / B, (0.5 / math.sqrt(A) / B, -math.sqrt(A) / B**2)),
        ("log(mean)", math.log(A / B), (1.0 / A, -1.0 / B)),
        ("2", 2.0, (0.0, 0.0)),
        ("where(rate < 10, concentration**2, 0)", 4.0, (4.0, 0.0)),
        ("sf(0)", 1.0, (0.0, 0.0)),
        ("log_prob(1)", stats.gamma.logpdf(1.0, A, scale=1.0 / B), (math.log(B) - special.digamma(A), A / B - 1.0)),
    ],
)
def test_delta_method_against_derivatives_by_hand(text, estimate, gradient):
    found = GAMMA.derive(text)
    g = np.array(gradient)
    assert found.estimate == pytest.approx(estimate, rel=1e-14)
    assert list(found.gradient.values()) == pytest.approx(gradient, rel=1e-11, abs=1e-12)
    assert found.stderr == pytest.approx(math.sqrt(g @ COV @ g), rel=1e-10, abs=1e-12)


def test_quantiles_have_the_error_of_the_implicit_function():
    found = GAMMA.derive("quantile(0.9)")
    g = np.array(gamma_quantile_slopes())
    assert found.estimate == pytest.approx(Q, rel=1e-13)
    assert found.stderr == pytest.approx(math.sqrt(g @ COV @ g), rel=1e-9)
    low, high = found.ci(0.9)
    assert (low + high) / 2.0 == pytest.approx(Q, rel=1e-13)
    assert (high - low) / 2.0 == pytest.approx(stats.norm.ppf(0.95) * found.stderr, rel=1e-13)


def test_a_narrow_distribution_far_from_zero():
    f = Fit(Normal, {"loc": 1e4, "scale": 1e-3}, ("loc", "scale"), np.diag([1e-8, 5e-9]), 1.0, 100, 100.0)
    z = stats.norm.ppf(0.9)
    found = f.derive("quantile(0.9)")
    assert found.stderr == pytest.approx(math.sqrt(1e-8 + z * z * 5e-9), rel=1e-6)


def test_a_fixed_parameter_adds_no_error():
    f = Fit(Gamma, {"concentration": A, "rate": B}, ("rate",), np.array([[0.2]]), 250.9, 100, 100.0)
    assert f.derive("mean").stderr == pytest.approx(A / B**2 * math.sqrt(0.2), rel=1e-11)


def test_no_error_where_a_used_parameter_has_none():
    f = Fit(Gamma, dict(GAMMA.params), GAMMA.free, np.array([[np.nan, np.nan], [np.nan, 0.2]]), 1.0, 9, 9.0)
    assert math.isnan(f.derive("mean").stderr)
    assert f.derive("1/rate").stderr == pytest.approx(math.sqrt(0.2) / 9.0, rel=1e-11)


def test_a_parameter_comes_before_a_moment_of_its_name():
    f = Fit(Poisson, {"rate": 4.0}, ("rate",), np.array([[0.04]]), 1.0, 100, 100.0)
    assert f.derive("rate").stderr == pytest.approx(0.2, rel=1e-12)
    assert f.derive("sf(0)").stderr == pytest.approx(0.2 * math.exp(-4.0), rel=1e-10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rte", "no 'rte' here"),
        ("quantil(0.9)", "did you mean 'quantile'"),
        ("quantile(rate)", "of a number"),
        ("quantile 0.9", "quantile"),
        ("__import__('os')", "no meaning"),
        ("rate.real", "a product is written with"),
        ("y", "no 'y' here"),
        ("log(0-rate)", "not a number"),
        ("(" * 100, "deep"),
        ("1+" * 5000 + "1", "characters"),
    ],
)
def test_other_texts_are_refused(text, message):
    with pytest.raises(UsageError, match=message):
        GAMMA.derive(text)


def test_quantiles_of_counts_have_no_derivative():
    f = Fit(Poisson, {"rate": 4.0}, ("rate",), np.array([[0.04]]), 1.0, 100, 100.0)
    with pytest.raises(UsageError, match="discrete"):
        f.derive("quantile(0.5)")


def test_a_kink_at_the_estimate_is_refused():
    with pytest.raises(UsageError, match="not smooth"):
        GAMMA.derive("where(rate < 3, 1, 1 + 5*rate)")


@pytest.mark.parametrize(("function", "slope"), [(math.exp, 1.0), (math.atan, 1.0), (lambda x: x**3, 0.0)])
def test_extrapolated_derivatives_know_their_error(function, slope):
    found, rest = extrapolated(function, 1.0)
    assert found == pytest.approx(slope, abs=1e-12)
    assert abs(found - slope) <= max(10.0 * rest, 1e-13)


def test_weights_that_sum_to_one_count_one_less_and_move_together():
    form = Mixture(Normal, 2)
    params = dict(zip(form.parameters, [0.0, 1.0, 3.0, 2.0, 0.3, 0.7], strict=True))
    cov = np.diag([0.1, 0.02, 0.2, 0.03, 0.004, 0.004])
    cov[4, 5] = cov[5, 4] = -0.004
    f = Fit(form, params, tuple(params), cov, 100.0, 50, 50.0)
    assert f.k == 5
    assert f.derive("weight_1").stderr == pytest.approx(f.stderr["weight_1"], rel=1e-10)
    # The mean is w loc_1 + (1 - w) loc_2, with the variances of both and of w.
    wanted = 0.09 * 0.1 + 0.49 * 0.2 + (0.0 - 3.0) ** 2 * 0.004
    assert f.derive("mean").stderr == pytest.approx(math.sqrt(wanted), rel=1e-10)
    assert f.derive("weight_1 + weight_2").stderr == pytest.approx(0.0, abs=1e-8)
