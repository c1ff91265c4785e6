"""Means, variances, entropies and divergences are the integrals that define them, and those of SciPy."""

from __future__ import annotations

import math
from unittest import mock

import mpmath
import numpy as np
import pytest

import nll
from nll.families.family import Family, Moments
from nll.families.information import scaled_integral
from nll.numerics.formula import quiet
from nll.tasks import information

from .points import FORMS, masses, parameters

NAMES = ("mean", "variance", "entropy")
# Their densities are not small enough at the ends of the rule for 1e-9, or their moments are infinite.
HEAVY = {"Cauchy", "HalfCauchy"}


def cases(name: str):
    forms = [form for form in FORMS if getattr(form, name) is not None]
    return [
        pytest.param(form, theta, id=f"{form.signature()}{theta}") for form in forms for theta in parameters(form, 2)
    ]


def instance(form: type[Family], theta) -> Family:
    return form(**dict(zip(form.parameters, theta, strict=True)))


def integral(form: type[Family], theta, value) -> float:
    return math.fsum(mass * value(y, mass) for y, mass in masses(form, theta))


def near(found: float, expected: float) -> bool:
    return found == pytest.approx(expected, rel=1e-7, abs=1e-8)


@pytest.mark.parametrize(("form", "theta"), cases("mean"))
def test_the_mean_is_an_integral(form, theta):
    found = instance(form, theta).mean()
    if np.isfinite(found) and form.family.__name__ != "VonMises":  # a mean direction
        assert near(found, integral(form, theta, lambda y, _: y)) or heavy(form, theta)


def heavy(form: type[Family], theta) -> bool:
    """Whether a tail is too heavy for the rule: SciPy's value, or the closed one, is then tried elsewhere."""
    shapes = dict(zip(form.parameters, theta, strict=True))
    names = (
        {"alpha", "df", "concentration"} if form.family.__name__ in ("Pareto", "StudentT", "InverseGamma") else set()
    )
    return any(shapes[name] < 4.0 for name in names & set(shapes)) or form.family.__name__ in (
        "LogLogistic",
        "GEV",
        "GeneralizedPareto",
        "LogNormal",
    )


@pytest.mark.parametrize(("form", "theta"), cases("variance"))
def test_the_variance_is_an_integral(form, theta):
    dist = instance(form, theta)
    found = dist.variance()
    if np.isfinite(found):
        mean = float(dist.mean())
        assert near(found, integral(form, theta, lambda y, _: (y - mean) ** 2)) or heavy(form, theta)


@pytest.mark.parametrize(("form", "theta"), cases("entropy"))
def test_the_entropy_is_the_mean_loss(form, theta):
    dist = instance(form, theta)
    found = dist.entropy()
    if max(unbounded(form, theta)):
        return
    with mock.patch.object(form, "entropy", None):
        assert found == pytest.approx(nll.entropy(dist), rel=1e-8, abs=1e-9)


def unbounded(form: type[Family], theta) -> list[bool]:
    """Whether the density has no maximum; SciPy's entropy is tried then."""
    shapes = dict(zip(form.parameters, theta, strict=True))
    below = [shapes[name] < 1.0 for name in ("concentration", "concentration1", "concentration0") if name in shapes]
    return [shapes.get("shape", 0.0) < -1.0 and form.family.__name__ in ("GEV", "GeneralizedPareto"), *below]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("form", "theta"), cases("scipy"))
def test_scipy_agrees(form, theta, name):
    dist = instance(form, theta)
    if getattr(form, name) is None or form.family.__name__ == "VonMises":
        pytest.skip("no closed form")
    other = dist.to_scipy()
    with quiet():
        expected = float(getattr(other, {"mean": "mean", "variance": "var", "entropy": "entropy"}[name])())
    if not math.isfinite(expected) or form.family.__name__ in HEAVY:
        assert not math.isfinite(getattr(dist, name)()) or name == "entropy"
        return
    assert getattr(dist, name)() == pytest.approx(expected, rel=1e-6, abs=1e-6)


PAIRS = [
    (nll.Normal(0.3, 1.2), nll.Normal(-1.0, 0.7)),
    (nll.Exponential(2.0), nll.Exponential(0.7)),
    (nll.Gamma(0.6, 1.3), nll.Gamma(3.7, 0.6)),
    (nll.InverseGamma(0.6, 1.3), nll.InverseGamma(3.7, 0.6)),
    (nll.Beta(1.5, 3.7), nll.Beta(2.2, 0.6)),
    (nll.Bernoulli(probs=0.2), nll.Bernoulli(logits=0.6)),
    (nll.Binomial(total_count=12, logits=0.2), nll.Binomial(total_count=12, probs=0.6)),
    (nll.Poisson(0.6), nll.Poisson(3.7)),
    (nll.Geometric(probs=0.2), nll.Geometric(logits=0.6)),
    (nll.NegativeBinomial(mean=1.3, dispersion=0.5), nll.NegativeBinomial(mean=3.0, size=2.0)),
    (nll.Laplace(0.3, 1.2), nll.Laplace(-1.0, 0.7)),
    (nll.LogNormal(0.3, 1.2), nll.LogNormal(-1.0, 0.7)),
    (nll.Weibull(0.6, 3.7), nll.Weibull(1.3, 0.6)),
    (nll.Gumbel(0.3, 1.2), nll.Gumbel(-1.0, 1.7)),
    (nll.GumbelMin(0.3, 1.2), nll.GumbelMin(-1.0, 1.7)),
    (nll.Pareto(1.3, 2.5), nll.Pareto(1.0, 3.7)),
    (nll.InverseGaussian(1.3, 2.0), nll.InverseGaussian(0.6, 3.7)),
    (nll.Uniform(0.0, 1.0), nll.Uniform(-1.0, 3.0)),
    (nll.Cauchy(0.3, 1.2), nll.Cauchy(-1.0, 0.7)),
    (nll.HalfNormal(1.3), nll.HalfNormal(0.6)),
    (nll.Rayleigh(1.3), nll.Rayleigh(0.6)),
    (nll.VonMises(0.3, 1.2), nll.VonMises(-1.0, 0.7)),
]


@pytest.mark.parametrize(("p", "q"), PAIRS, ids=[p.family.__name__ for p, _ in PAIRS])
def test_a_closed_divergence_is_the_integral(p, q):
    closed = p.kl(q)
    with mock.patch.object(type(p), "kl", None):
        assert nll.kl(p, q) == pytest.approx(closed, rel=1e-9)
    assert p.kl(p) == pytest.approx(0.0, abs=1e-15)
    assert nll.cross_entropy(p, q) == pytest.approx(closed + nll.entropy(p), rel=1e-12)


def test_every_closed_divergence_is_tried():
    have = {form.family.__name__ for form in FORMS if form.kl is not None}
    assert have == {p.family.__name__ for p, _ in PAIRS}


def test_a_divergence_from_less_support_is_infinite():
    assert nll.Uniform(0.0, 2.0).kl(nll.Uniform(0.0, 1.0)) == math.inf
    assert nll.Pareto(1.0, 2.0).kl(nll.Pareto(1.5, 2.0)) == math.inf
    assert nll.Poisson(1.0).kl(nll.Poisson(0.0)) == math.inf
    assert nll.Poisson(0.0).kl(nll.Poisson(1.0)) == 1.0
    assert nll.Bernoulli(probs=0.5).kl(nll.Bernoulli(probs=1.0)) == math.inf
    assert nll.kl(nll.Normal(0.0, 1.0), nll.Exponential(1.0)) == math.inf
    assert nll.kl(nll.Cauchy(0.0, 1.0), nll.Normal(0.0, 1.0)) == math.inf
    assert nll.cross_entropy(nll.Normal(0.0, 1.0), nll.Exponential(1.0)) == math.inf


def test_divergences_between_families():
    p, q = nll.Exponential(rate=2.0), nll.Normal(loc=0.3, scale=1.5)
    with mpmath.workdps(25):
        expected = mpmath.quad(
            lambda y: 2 * mpmath.exp(-2 * y) * (mpmath.log(2) - 2 * y - mpmath.log(mpmath.npdf(y, 0.3, 1.5))),
            [0, 1, 4, 40],
        )
    assert nll.kl(p, q) == pytest.approx(float(expected), rel=1e-9)
    with mpmath.workdps(25):
        a, b = nll.Poisson(rate=2.5), nll.Geometric(probs=0.25)
        total = mpmath.mpf(0)
        for k in range(80):
            mass = mpmath.exp(-2.5) * mpmath.mpf(2.5) ** k / mpmath.factorial(k)
            total += mass * mpmath.log(mass / (0.25 * mpmath.mpf(0.75) ** k))
    assert nll.kl(a, b) == pytest.approx(float(total), rel=1e-9)


def test_close_distributions_keep_their_digits():
    p, q = nll.Normal(0.0, 1.0), nll.Normal(1e-7, 1.0)
    assert p.kl(q) == pytest.approx(0.5e-14, rel=1e-12)
    assert nll.Gamma(3.0, 1.0).kl(nll.Gamma(3.0, 1.0 + 1e-7)) == pytest.approx(1.5e-14, rel=1e-6)


@pytest.mark.parametrize(
    ("dist", "expected"),
    [
        # log(2 pi e m) / 2 - 1 / (12 m) - 1 / (24 m**2) - 19 / (360 m**3): R. J. Evans and J. Boersma, The entropy of a
        # Poisson distribution, SIAM Review 30 (1988)
        (nll.Poisson(1e8), 0.5 * math.log(2.0 * math.pi * math.e * 1e8) - 1.0 / 12e8),
        (nll.Poisson(1e4), 0.5 * math.log(2 * math.pi * math.e * 1e4) - 1 / 12e4 - 1 / 24e8 - 19 / 360e12),
        (nll.NegativeBinomial(mean=1e6, dispersion=1.0), nll.Geometric(probs=1.0 / (1e6 + 1.0)).entropy()),
        (nll.Poisson(0.0), 0.0),
    ],
)
def test_entropies_of_many_counts(dist, expected):
    assert dist.entropy() == pytest.approx(expected, rel=1e-12, abs=0.0)


@pytest.mark.parametrize("x", [1e-8, 0.01, 0.5, 0.999, 1.0, 3.0, 10.0, 1e5])
def test_the_exponential_integral(x):
    with mpmath.workdps(30):
        assert scaled_integral(x) == pytest.approx(float(mpmath.exp(x) * mpmath.e1(x)), rel=1e-14)


@pytest.mark.parametrize("k", [0.7, 3.0, 19.0, 21.0, 1e3, 1e6])
def test_the_variance_of_a_narrow_weibull(k):
    with mpmath.workdps(40):
        x = 1 / mpmath.mpf(k)
        expected = 4 * (mpmath.gamma(1 + 2 * x) - mpmath.gamma(1 + x) ** 2)
    assert nll.Weibull(2.0, k).variance() == pytest.approx(float(expected), rel=1e-12)


def test_moments_that_do_not_exist():
    assert math.isnan(nll.StudentT(df=1.0, loc=0.0, scale=1.0).mean())
    assert nll.StudentT(df=1.5, loc=2.0, scale=1.0).mean() == 2.0
    assert nll.StudentT(df=1.5, loc=2.0, scale=1.0).variance() == math.inf
    with pytest.raises(nll.errors.UsageError, match="no closed form of its mean"):
        nll.Categorical(probs=[0.5, 0.5]).mean()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nll.Normal(0.0, 1.0).kl(nll.Laplace(0.0, 1.0)), "nll.kl"),
        (lambda: nll.Logistic(0.0, 1.0).kl(nll.Logistic(1.0, 1.0)), "nll.kl"),
        (lambda: nll.Binomial(3, 0.5).kl(nll.Binomial(4, 0.5)), "equal total_count"),
        (lambda: nll.kl(nll.Normal(0.0, 1.0), nll.Poisson(1.0)), "whole numbers"),
        (lambda: nll.kl(nll.Logistic([0.0, 1.0], 1.0), nll.Normal(0.0, 1.0)), "must be numbers"),
        (lambda: information.kl(3.0, nll.Normal(0.0, 1.0)), "needed"),
    ],
)
def test_what_has_no_divergence_says_so(call, words):
    with pytest.raises(nll.errors.UsageError, match=words):
        call()


Y = np.array([0.2, 0.5, 0.7, 1.1, 1.9, 2.3, 4.8])


def moments(y) -> Moments:
    logs = np.log(y)
    return Moments(
        mean=y.mean(),
        variance=y.var(),
        log_mean=logs.mean(),
        log_variance=logs.var(),
        median=float(np.median(y)),
        absolute_deviation=np.abs(y - np.median(y)).mean(),
        inverse=(1.0 / y).mean(),
        minimum=y.min(),
        maximum=y.max(),
        total=9.0,
    )


CLOSED = {"Normal", "LogNormal", "Exponential", "Laplace", "HalfNormal", "Rayleigh", "InverseGaussian", "Pareto"}
COUNTED = {"Poisson", "Geometric", "Binomial"}


@pytest.mark.parametrize(
    "form", [f for f in FORMS if f.family.__name__ in CLOSED | COUNTED], ids=lambda f: f.signature()
)
def test_a_start_is_the_maximum_where_that_is_closed(form):
    y = np.array([0.0, 1.0, 1.0, 3.0, 4.0, 7.0]) if form.family.__name__ in COUNTED else Y
    with np.errstate(all="ignore"):
        theta = [np.float64(t) for t in form.start(moments(y))]
    with quiet():
        slopes = np.sum([form.gradient(np.float64(each), *theta) for each in y], axis=0)
    free = [i for i, name in enumerate(form.parameters) if name != "total_count"]
    if form.family.__name__ in ("Laplace", "Pareto"):  # the first parameter ends at a kink or at the smallest y
        free = free[1:]
    assert slopes[free] == pytest.approx(np.zeros(len(free)), abs=1e-10)


def test_a_table_of_parameters():
    dist = nll.Normal(np.arange(1000.0), "<b>")
    assert repr(dist) == "Normal(loc=<ndarray (1000,)>, scale='<b>')"
    assert "&lt;b&gt;" in dist._repr_html_()
    assert "<b>" not in dist._repr_html_()
    assert repr(nll.Poisson(np.float64(2.0))) == "Poisson(rate=2.0)"
    assert repr(nll.Poisson([1.0] * 100)) == "Poisson(rate=<list of 100>)"
