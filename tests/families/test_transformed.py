"""Changes of variables: against the families that they make, SciPy, and mpmath differentiated."""

import copy
import math
import pickle

import mpmath
import numpy as np
import pytest

import nll
from nll.errors import DataError, UsageError
from nll.numerics.formula import quiet

YS = (0.03, 0.4, 0.9, 1.7, 6.0)
T = nll.Transformed
ALIKE = [
    (T(nll.Normal(0.3, 0.7), "exp"), nll.LogNormal(0.3, 0.7), YS),
    (T(nll.Normal(-2.0, 0.05), "exp"), nll.LogNormal(-2.0, 0.05), (0.11, 0.135, 0.2)),
    (T(nll.LogNormal(0.3, 0.7), "log"), nll.Normal(0.3, 0.7), (-3.0, *YS)),
    (T(nll.Exponential(rate=2.0), "power", exponent=0.5), nll.Rayleigh(scale=0.5), YS),
    (T(nll.Gamma(3.0, 2.0), "power", exponent=-1.0), nll.InverseGamma(3.0, 2.0), YS),
    (T(nll.Exponential(rate=1.0), "power", exponent=0.4), nll.Weibull(1.0, 2.5), YS),
    (T(nll.StudentT(3.0, 0.0, 1.0), "affine", shift=2.0, factor=0.5), nll.StudentT(3.0, 2.0, 0.5), (-3.0, *YS)),
    (T(nll.Gumbel(0.0, 1.0), "affine", shift=2.0, factor=-0.5), nll.GumbelMin(2.0, 0.5), (-3.0, *YS)),
    (T(nll.Uniform(0.0, 1.0), "logit"), nll.Logistic(0.0, 1.0), (-30.0, -3.0, *YS)),
    (T(nll.Logistic(0.0, 1.0), "sigmoid"), nll.Uniform(0.0, 1.0), (0.001, 0.4, 0.9)),
    (T(T(nll.Normal(0.3, 0.7), "exp"), "log"), nll.Normal(0.3, 0.7), (-3.0, *YS)),
    (
        T(nll.Truncated(nll.Normal(0.3, 0.7), low=-1.0), "exp"),
        nll.Truncated(nll.LogNormal(0.3, 0.7), low=math.exp(-1.0)),
        (0.4, 2.0),
    ),
]


@pytest.mark.parametrize(("made", "known", "ys"), ALIKE, ids=lambda x: str(x)[:60])
def test_a_transformed_family_is_the_one_it_must_be(made, known, ys):
    y = np.array(ys)
    assert nll.rows(y, made) == pytest.approx(nll.rows(y, known), rel=1e-13, abs=1e-13)
    for name in ("log_cdf", "log_sf"):
        assert getattr(made, name)(y) == pytest.approx(getattr(known, name)(y), rel=1e-12, abs=1e-14)
    for p in (1e-9, 0.2, 0.7):
        assert made.quantile(p) == pytest.approx(known.quantile(p), rel=1e-10)
        near = 1e-8 if "logit" in repr(made) else 1e-10  # the part's x is a double near 1
        assert made.quantile(p, upper=True) == pytest.approx(known.quantile(p, upper=True), rel=near)


AFFINE = lambda y, s, f: ((y - s) / f, mpmath.log(abs(f)))  # noqa: E731
POWER = lambda y, k: (y ** (1 / k), mpmath.log(abs(k)) + (1 - 1 / k) * mpmath.log(y))  # noqa: E731


def normal(x, m, s):
    return ((x - m) / s) ** 2 / 2 + mpmath.log(s) + mpmath.log(2 * mpmath.pi) / 2


def student(x, v, m, s):
    half = (v + 1) / 2
    constant = mpmath.loggamma(v / 2) - mpmath.loggamma(half) + mpmath.log(v * mpmath.pi) / 2 + mpmath.log(s)
    return constant + half * mpmath.log(1 + ((x - m) / s) ** 2 / v)


def gamma(x, a, b):
    return mpmath.loggamma(a) - a * mpmath.log(b) - (a - 1) * mpmath.log(x) + b * x


def beta(x, a, b):
    constant = mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)
    return constant - (a - 1) * mpmath.log(x) - (b - 1) * mpmath.log(1 - x)


def inverse_gaussian(x, m, v):
    return v * (x - m) ** 2 / (2 * m**2 * x) + (3 * mpmath.log(x) - mpmath.log(v / (2 * mpmath.pi))) / 2


def weibull(x, s, k):
    return (x / s) ** k - (k - 1) * mpmath.log(x / s) - mpmath.log(k / s)


def kumaraswamy(x, a, b):
    return -mpmath.log(a * b) - (a - 1) * mpmath.log(x) - (b - 1) * mpmath.log(1 - x**a)


def lognormal(x, m, s):
    return normal(mpmath.log(x), m, s) + mpmath.log(x)


def mixture(x, m, s, n, t, v, w):
    return -mpmath.log(v * mpmath.exp(-normal(x, m, s)) + w * mpmath.exp(-normal(x, n, t)))


DERIVED = [
    (nll.Normal, "affine", AFFINE, normal, (0.5, 2.0, 1.0, -1.5), 0.7, 1e-11),
    (nll.StudentT, "affine", AFFINE, student, (3.5, 0.2, 1.2, 1.0, 0.3), 2.5, 1e-11),
    (nll.Gamma, "affine", AFFINE, gamma, (2.5, 1.5, -1.0, 2.0), 3.0, 1e-11),
    (nll.Weibull, "affine", AFFINE, weibull, (2.0, 1.5, -1.0, 2.0), 3.0, 1e-11),
    (nll.LogNormal, "affine", AFFINE, lognormal, (0.3, 0.8, -1.0, 2.0), 3.0, 1e-11),
    (nll.Beta, "affine", AFFINE, beta, (2.5, 1.5, -1.0, 4.0), 1.0, 1e-11),
    (nll.InverseGaussian, "affine", AFFINE, inverse_gaussian, (2.0, 1.5, -1.0, 4.0), 5.0, 1e-11),
    (nll.Kumaraswamy, "affine", AFFINE, kumaraswamy, (2.5, 1.5, -1.0, 4.0), 1.0, 1e-9),
    (nll.Mixture(nll.Normal, 2), "affine", AFFINE, mixture, (0.0, 1.0, 3.0, 0.5, 0.4, 0.6, 1.0, 2.0), 4.0, 1e-11),
    (nll.Gamma, "power", POWER, gamma, (2.5, 1.5, 1.7), 3.0, 1e-11),
    (nll.LogNormal, "power", POWER, lognormal, (0.3, 0.8, -0.6), 3.0, 1e-11),
]


@pytest.mark.parametrize(
    ("part", "name", "change", "loss", "theta", "y", "tolerance"), DERIVED, ids=lambda x: str(x)[:40]
)
def test_derivatives_are_those_of_the_change_of_variables(part, name, change, loss, theta, y, tolerance):
    form = T(part, name)
    size = len(theta)
    count = len(part.parameters)

    def whole(*t):
        x, cost = change(mpmath.mpf(y), *t[count:])
        return loss(x, *t[:count]) + cost

    with mpmath.workdps(40):
        order = lambda *ks: tuple(ks.count(k) for k in range(size))  # noqa: E731
        exact = tuple(map(mpmath.mpf, theta))
        gradient = [float(mpmath.diff(whole, exact, order(j))) for j in range(size)]
        hessian = [float(mpmath.diff(whole, exact, order(j, k))) for j in range(size) for k in range(j, size)]
        value = float(whole(*exact))
    numbers = [np.float64(y), *map(np.float64, theta)]
    with quiet():
        assert form.loss(*numbers) == pytest.approx(value, rel=1e-13, abs=1e-13)
        assert form.gradient(*numbers) == pytest.approx(gradient, rel=tolerance, abs=tolerance)
        assert form.hessian(*numbers) == pytest.approx(hessian, rel=10 * tolerance, abs=10 * tolerance)


def test_what_lies_outside_is_impossible():
    made = T(nll.Normal(0.0, 1.0), "exp")
    assert list(nll.rows([-1.0, 0.0], made)) == [math.inf, math.inf]
    assert list(nll.rows([0.0, 1.0, 2.0], T(nll.Normal(0.0, 1.0), "sigmoid"))) == [math.inf] * 3
    fallen = T(nll.Exponential(rate=1.0), "affine", shift=3.0, factor=-2.0)
    assert nll.rows([3.5], fallen)[0] == math.inf
    assert math.isfinite(nll.rows([2.5], fallen)[0])
    assert fallen.cdf(3.5) == 1.0
    assert fallen.sf(3.5) == 0.0
    assert nll.rows([40.0], T(nll.Beta(2.0, 3.0), "logit"))[0] == math.inf


def test_moments_of_an_affine_transform():
    made = T(nll.Gamma(2.0, 4.0), "affine", shift=1.0, factor=-3.0)
    assert made.mean() == pytest.approx(-0.5, rel=1e-15)
    assert made.variance() == pytest.approx(9.0 * 2.0 / 16.0, rel=1e-15)
    assert made.entropy() == pytest.approx(nll.Gamma(2.0, 4.0).entropy() + math.log(3.0), rel=1e-14)
    with pytest.raises(UsageError, match="closed form"):
        T(nll.Gamma(2.0, 4.0), "log").mean()


def test_samples_follow_the_distribution():
    made = T(nll.Gamma(2.0, 4.0), "power", exponent=-0.5)
    u = np.sort(made.cdf(made.sample(500, rng=5)))
    assert np.abs(u - (np.arange(500) + 0.5) / 500).max() < 0.07
    assert T(nll.Normal([0.0, 100.0], 1.0), "affine", factor=2.0).sample(3, rng=1).shape == (3, 2)


def test_few_rows_and_many_have_the_same_bits():
    made = T(nll.Normal(0.3, 0.7), "exp")
    y = np.linspace(0.01, 9.0, 50)
    from nll.kernels.kernel import Kernel

    slow, fast = Kernel(type(made)), Kernel(type(made), seconds_left=0.0)
    theta = tuple(map(float, made.theta.values()))
    y.flags.writeable = False
    assert slow.rows(y, theta).tobytes() == fast.rows(y, theta).tobytes()


def test_classes_copies_and_texts():
    form = T(nll.Gamma, "power", exponent=2.0)
    assert form is T(nll.Gamma, "power", exponent=2)
    assert form.signature() == "Transformed(Gamma, power, exponent=2)(concentration, rate, exponent=2)"
    dist = form(concentration=2.0, rate=1.0)
    assert dist.theta == {"concentration": 2.0, "rate": 1.0, "exponent": 2.0}
    for again in (copy.copy(dist), pickle.loads(pickle.dumps(dist))):
        assert type(again) is form
        assert again.theta == dist.theta
    assert repr(T(nll.Normal(0, 1), "affine", factor="f")) == (
        "Transformed(Normal(loc=0, scale=1), 'affine', shift=0.0, factor='f')"
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: T(nll.Poisson, "exp"), "needs a density"),
        (lambda: T(nll.Hurdle(nll.Gamma), "exp"), "needs a density"),
        (lambda: T(nll.Normal, "log"), "'log' is for numbers above 0"),
        (lambda: T(nll.Gamma, "logit"), "between 0 and 1"),
        (lambda: T(nll.Normal, "exq"), r"no transform 'exq' \(did you mean 'exp'"),
        (lambda: T(nll.Normal), "no transform 'None'"),
        (lambda: T(nll.Normal, ["exp"]), "no transform"),
        (lambda: T(nll.Gamma(1.0, 1.0), "power"), "takes exponent; got none"),
        (lambda: T(nll.Normal(0, 1), "exp", shift=1.0), "shift"),
        (lambda: T(nll.Normal, "exp", shift=1.0), "shift"),
        (lambda: T(nll.Gamma, "power", exponent=0.0), "finite and not 0"),
        (lambda: T(nll.Gamma, "power", exponent="k"), "is a number"),
        (lambda: T(nll.MultivariateNormal, "exp"), "single numbers"),
        (lambda: T(3, "exp"), "made of a family"),
    ],
)
def test_what_cannot_be_transformed(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_parameters_are_checked():
    with pytest.raises(DataError, match="low must be below high and the part must lie between 0 and 1"):
        T(nll.Uniform(0.5, 1.5), "logit").log_prob(1.0)
    with pytest.raises(DataError, match="the part must lie above 0"):
        nll.score(1.0, T(nll.Truncated(nll.Normal(0.0, 1.0), low=-1.0), "log"))
    assert nll.check(T(nll.Truncated(nll.Normal(0.0, 1.0), low=0.5), "log")).ok
    with pytest.raises(DataError, match="factor must be finite and not 0"):
        T(nll.Normal(0, 1), "affine", factor=0.0).log_prob(1.0)
    with pytest.raises(DataError, match=r"factor must be finite and not 0 .*row 1"):
        nll.score([1.0, 2.0], T(nll.Normal(0, 1), "affine", factor=[1.0, 0.0]))
