"""Where the laws of fits are tried: a distribution of each kind, a sample of it, and how to compare two fits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

import nll
from nll.families.family import Family
from nll.results.fit import Fit

Array = npt.NDArray[Any]
DEFAULT = 48


@dataclass(frozen=True)
class Case:
    """A truth to sample from, and what a fit of its family is told."""

    truth: Family
    n: int = DEFAULT
    fixed: dict[str, float] = field(default_factory=dict)
    tail: bool = True  # whether the family has tails, so that its observations may be seen in part

    @property
    def form(self) -> type[Family]:
        return type(self.truth)

    @property
    def discrete(self) -> bool:
        return self.form.observations.discrete

    def sample(self, seed: int = 5) -> Array:
        return np.asarray(self.truth.sample(self.n, seed), np.float64)

    def fit(self, y: Any, **options: Any) -> Any:
        options["fixed"] = self.fixed | options.get("fixed", {})
        return nll.fit(y, self.form, **options)

    def near(self, y: Any, **options: Any) -> Any:
        """A fit that begins at the truth, which spares the several starts."""
        bounds = ("low", "high")
        told = {*self.fixed, *options.get("fixed", {}), *bounds}
        return self.fit(y, start={k: v for k, v in self.truth.theta.items() if k not in told}, **options)


PLAIN = {
    "Normal": Case(nll.Normal(loc=0.3, scale=1.2)),
    "StudentT": Case(nll.StudentT(df=3.0, loc=0.3, scale=1.0), 80),
    "Cauchy": Case(nll.Cauchy(loc=0.3, scale=1.0)),
    "Logistic": Case(nll.Logistic(loc=0.3, scale=1.0)),
    "Gumbel": Case(nll.Gumbel(loc=0.3, scale=1.0)),
    "GumbelMin": Case(nll.GumbelMin(loc=0.3, scale=1.0)),
    "GEV": Case(nll.GEV(loc=0.3, scale=1.0, shape=0.15)),
    "SkewNormal": Case(nll.SkewNormal(loc=0.3, scale=1.0, shape=3.0), 80),
    "Exponential": Case(nll.Exponential(rate=0.7)),
    "Gamma": Case(nll.Gamma(concentration=2.0, rate=0.7)),
    "Weibull": Case(nll.Weibull(scale=2.0, concentration=1.7)),
    "LogNormal": Case(nll.LogNormal(loc=0.4, scale=0.7)),
    "LogLogistic": Case(nll.LogLogistic(scale=2.0, shape=3.0)),
    "InverseGaussian": Case(nll.InverseGaussian(mean=2.0, shape=3.0)),
    "InverseGamma": Case(nll.InverseGamma(concentration=3.0, rate=2.0)),
    "GeneralizedPareto": Case(nll.GeneralizedPareto(scale=1.0, shape=0.3), 100),
    "HalfNormal": Case(nll.HalfNormal(scale=2.0)),
    "Rayleigh": Case(nll.Rayleigh(scale=2.0)),
    "Beta": Case(nll.Beta(concentration1=2.0, concentration0=3.0)),
    "Kumaraswamy": Case(nll.Kumaraswamy(concentration1=2.0, concentration0=3.0)),
    "VonMises": Case(nll.VonMises(loc=0.5, concentration=2.0)),
    "Poisson": Case(nll.Poisson(rate=3.0)),
    "NegativeBinomial": Case(nll.NegativeBinomial(mean=4.0, dispersion=0.6), 100),
    "Geometric": Case(nll.Geometric(probs=0.3)),
    "LogSeries": Case(nll.LogSeries(probs=0.7)),
    "Binomial": Case(nll.Binomial(total_count=12.0, probs=0.3), fixed={"total_count": 12.0}),
    "BetaBinomial": Case(
        nll.BetaBinomial(total_count=12.0, concentration1=2.0, concentration0=3.0), 100, {"total_count": 12.0}
    ),
}
COMBINED = {
    "ZeroInflated(Poisson)": Case(nll.ZeroInflated(nll.Poisson)(rate=3.0, gate=0.3), 100),
    "ZeroInflated(NegativeBinomial)": Case(
        nll.ZeroInflated(nll.NegativeBinomial)(mean=6.0, dispersion=0.3, gate=0.3), 100
    ),
    "Hurdle(Poisson)": Case(nll.Hurdle(nll.Poisson)(rate=3.0, gate=0.4), 100),
    "Hurdle(Gamma)": Case(nll.Hurdle(nll.Gamma)(concentration=2.0, rate=0.7, gate=0.4), 100),
    "Truncated(Normal)": Case(nll.Truncated(nll.Normal, low=-1.0, high=2.0)(loc=0.3, scale=0.8), 60),
    "Truncated(Poisson)": Case(nll.Truncated(nll.Poisson, low=1)(rate=2.0), 100),
    "Mixture(Normal)": Case(
        nll.Mixture(nll.Normal, 2)(loc_1=-2.0, scale_1=1.0, loc_2=3.0, scale_2=0.7, weight_1=0.4, weight_2=0.6), 100
    ),
    "Mixture(Poisson)": Case(nll.Mixture(nll.Poisson, 2)(rate_1=1.0, rate_2=9.0, weight_1=0.4, weight_2=0.6), 80),
    "Transformed(exp)": Case(nll.Transformed(nll.Logistic, "exp")(loc=0.3, scale=0.5)),
    "Transformed(power)": Case(
        nll.Transformed(nll.Exponential, "power")(rate=0.7, exponent=0.6), fixed={"exponent": 0.6}
    ),
    "Transformed(affine)": Case(
        nll.Transformed(nll.Gamma, "affine")(concentration=2.0, rate=0.7, shift=1.0, factor=-2.0),
        fixed={"shift": 1.0, "factor": -2.0},
    ),
}
ALL = PLAIN | COMBINED


@cache
def sampled(name: str) -> Array:
    y = ALL[name].sample()
    y.flags.writeable = False
    return y


def few(name: str) -> Array:
    """Some rows, for what is slow: tails that are integrals or sums; parts need enough to stay apart."""
    return sampled(name)[: 40 if name.startswith("Mixture") else 16]


@cache
def fitted(name: str) -> Fit:
    return ALL[name].fit(sampled(name))


def assert_same(a: Fit, b: Fit, tolerance: float = 1e-9, errors: float = 1e-7) -> None:
    """Two fits of the same likelihood: estimates to a fraction of their standard errors, and all that follows."""
    assert a.converged
    assert b.converged
    assert a.free == b.free
    assert a.at_boundary == b.at_boundary
    assert a.cov_ok == b.cov_ok
    for name in a.free:
        size = abs(a.params[name]) if math.isnan(a.stderr[name]) else a.stderr[name]
        assert abs(a.params[name] - b.params[name]) <= tolerance * max(size, abs(a.params[name])), name
        assert b.stderr[name] == math_approx(a.stderr[name], errors), name


def math_approx(value: float, rel: float) -> Any:
    import pytest

    return pytest.approx(value, rel=rel, nan_ok=True)


def seen_in_part(y: Array) -> tuple[Any, Any]:
    """Exact, right-, left- and interval-censored rows in turn; and the same with the first five rows thrice."""
    kind = np.arange(y.size) % 4
    lower = np.where(kind == 2, -np.inf, np.where(kind == 3, y - 1.0, y))
    upper = np.where(kind == 1, np.inf, y)
    first = np.r_[np.repeat(np.arange(5), 3), np.arange(5, y.size)]
    return nll.interval(lower, upper), nll.interval(lower[first], upper[first])


def differences(f: Fit, y: Array) -> tuple[Array, Array]:
    """Slope and curvature of the loss at the estimate by differences of scores, in units of standard errors."""
    weights = [name for name in f.free if name.startswith("weight_")]
    names = [name for name in f.free if name != (weights or [""])[-1]]
    at = [f.free.index(name) for name in names]
    root = np.linalg.cholesky(f.cov[np.ix_(at, at)])

    def loss(z: Array) -> float:
        theta = dict(f.params)
        theta |= {name: theta[name] + d for name, d in zip(names, (root @ z).tolist(), strict=True)}
        if weights:
            theta[weights[-1]] = 1.0 - sum(theta[name] for name in weights[:-1])
        return nll.score(y, f.family(**theta)).sum

    h, k = 0.02, len(names)
    ways = np.eye(k)
    slope, curvature = np.zeros(k), np.zeros((k, k))

    def along(way: Array) -> tuple[float, float]:
        c, b, d, e = (loss(s * h * way) for s in (-2, -1, 1, 2))
        middle = loss(0.0 * way)
        return (c - 8 * b + 8 * d - e) / (12 * h), (-c + 16 * b - 30 * middle + 16 * d - e) / (12 * h * h)

    for i in range(k):
        slope[i], curvature[i, i] = along(ways[i])
    for i in range(k):
        for j in range(i):
            both = along(ways[i] + ways[j])[1]
            curvature[i, j] = curvature[j, i] = 0.5 * (both - curvature[i, i] - curvature[j, j])
    return slope, curvature
