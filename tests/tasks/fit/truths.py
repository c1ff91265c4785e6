"""Distributions to sample from and fit again: every parametrisation that is fitted, at any location and scale."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import nll
from nll.families.family import Family

Theta = dict[str, float]

# name of the family: parameters at a location and a scale
LOCATED: dict[str, Callable[[float, float], Theta]] = {
    "Cauchy": lambda m, s: {"loc": m, "scale": s},
    "GEV": lambda m, s: {"loc": m, "scale": s, "shape": 0.1},
    "GeneralizedNormal": lambda m, s: {"loc": m, "scale": s, "shape": 1.5},
    "Gumbel": lambda m, s: {"loc": m, "scale": s},
    "GumbelMin": lambda m, s: {"loc": m, "scale": s},
    "Laplace": lambda m, s: {"loc": m, "scale": s},
    "Logistic": lambda m, s: {"loc": m, "scale": s},
    "Normal": lambda m, s: {"loc": m, "scale": s},
    "SkewNormal": lambda m, s: {"loc": m, "scale": s, "shape": 2.0},
    "StudentT": lambda m, s: {"df": 4.0, "loc": m, "scale": s},
    "Uniform": lambda m, s: {"low": m, "high": m + s},
}
SCALED: dict[str, Callable[[float], Theta]] = {
    "Exponential": lambda s: {"rate": 1.0 / s},
    "Gamma": lambda s: {"concentration": 2.0, "rate": 1.0 / s},
    "GeneralizedPareto": lambda s: {"scale": s, "shape": 0.2},
    "HalfCauchy": lambda s: {"scale": s},
    "HalfNormal": lambda s: {"scale": s},
    "InverseGamma": lambda s: {"concentration": 3.0, "rate": s},
    "InverseGaussian": lambda s: {"mean": s, "shape": 2.0 * s},
    "LogLogistic": lambda s: {"scale": s, "shape": 3.0},
    "LogNormal": lambda s: {"loc": math.log(s), "scale": 0.7},
    "Pareto": lambda s: {"scale": s, "alpha": 2.5},
    "Rayleigh": lambda s: {"scale": s},
    "Weibull": lambda s: {"scale": s, "concentration": 1.7},
}
ALONE: dict[str, list[Theta]] = {
    "Bernoulli": [{"probs": 0.3}, {"logits": 1.0}],
    "Beta": [{"concentration1": 2.0, "concentration0": 5.0}, {"concentration1": 0.5, "concentration0": 0.7}],
    "BetaBinomial": [{"total_count": 12.0, "concentration1": 2.0, "concentration0": 3.0}],
    "Binomial": [{"total_count": 12.0, "probs": 0.3}, {"total_count": 5.0, "logits": -1.0}],
    "Geometric": [{"probs": 0.2}, {"logits": 0.5}],
    "Kumaraswamy": [{"concentration1": 2.0, "concentration0": 3.0}],
    "LogSeries": [{"probs": 0.7}],
    "NegativeBinomial": [
        {"mean": 4.0, "dispersion": 0.5},
        {"mean": 4.0, "size": 2.0},
        {"total_count": 3.0, "probs": 0.4},
        {"total_count": 3.0, "logits": 0.3},
    ],
    "Poisson": [{"rate": 0.3}, {"rate": 50.0}],
    "VonMises": [{"loc": 0.5, "concentration": 2.0}],
}
KNOWN = ("total_count",)  # what a fit is told, where it has no link


def truth(name: str, theta: Theta) -> Family:
    return getattr(nll, name)(**theta)


def known(dist: Family) -> dict[str, Any]:
    """The parameters that a fit has to be told."""
    return {name: dist.theta[name] for name in KNOWN if name in dist.theta and not dist.parameters[name].link}


def everything(places: list[float], scales: list[float]) -> list[Family]:
    """Every family at each location and scale."""
    found = [truth(name, make(m * s, s)) for name, make in LOCATED.items() for m in places for s in scales]
    found += [truth(name, make(s)) for name, make in SCALED.items() for s in scales]
    return found + [truth(name, theta) for name, several in ALONE.items() for theta in several]
