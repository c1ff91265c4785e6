"""Where the laws of combined families are tried, and their log densities as textbooks write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mpmath
from mpmath import exp, inf, log, ncdf

import nll
from nll.families.family import Family
from nll.families.interval import Interval

from .densities import DENSITIES, Number


@dataclass(frozen=True)
class Case:
    """A form, some parameters, some y, and log p(y, *theta) in mpmath."""

    form: type[Family]
    thetas: tuple[tuple[float, ...], ...]
    ys: tuple[float, ...]
    density: Callable[..., Number]


def of(name: str, *parameters: str) -> Callable[..., Number]:
    return lambda y, *theta: DENSITIES[name](y, **dict(zip(parameters, theta, strict=True)))


poisson, normal = of("Poisson", "rate"), of("Normal", "loc", "scale")
gamma, lognormal = of("Gamma", "concentration", "rate"), of("LogNormal", "loc", "scale")
negative = of("NegativeBinomial", "mean", "size")


def inflated(part: Callable[..., Number]) -> Callable[..., Number]:
    def density(y: Number, *theta: Number) -> Number:
        *inner, gate = theta
        mass = (1 - gate) * exp(part(y, *inner))
        return log(gate + mass if y == 0 else mass)

    return density


def hurdle(part: Callable[..., Number], counts: bool) -> Callable[..., Number]:
    def density(y: Number, *theta: Number) -> Number:
        *inner, gate = theta
        if y == 0:
            return log(gate)
        return log(1 - gate) + part(y, *inner) - (log(1 - exp(part(0, *inner))) if counts else 0)

    return density


def mixture(*parts: tuple[int, Callable[..., Number]]) -> Callable[..., Number]:
    def density(y: Number, *theta: Number) -> Number:
        total, start, weights = mpmath.mpf(0), 0, theta[len(theta) - len(parts) :]
        for weight, (size, part) in zip(weights, parts, strict=True):
            total += weight * exp(part(y, *theta[start : start + size]))
            start += size
        return log(total)

    return density


def truncated_normal(y: Number, loc: Number, scale: Number, low: Number, high: Number) -> Number:
    # By reflection where both bounds are above, so that no digit is lost.
    a, b = (loc - high) / scale, (loc - low) / scale
    return normal(y, loc, scale) - log(ncdf(b) - ncdf(a)) if low <= y <= high else -inf


def truncated_poisson(y: Number, rate: Number, low: Number, high: Number) -> Number:
    last = int(high) if high < inf else int(rate) + 150
    mass = sum(exp(poisson(k, rate)) for k in range(max(int(low), 0), last + 1))
    return poisson(y, rate) - log(mass)


def truncated_gammas(y: Number, *theta: Number) -> Number:
    *inner, low, _ = theta
    a, b, c, d, v, w = inner
    # The parts' masses weighted, also where the weights do not sum to one: so the library continues it.
    first, second = (mpmath.gammainc(k, rate * low, inf, regularized=True) for k, rate in ((a, b), (c, d)))
    return mixture((2, gamma), (2, gamma))(y, *inner) - log(v * first + w * second)


def weibull_tail(y: Number, scale: Number, concentration: Number) -> Number:
    return exp(-((y / scale) ** concentration)) if 0 < y < inf else mpmath.mpf(y <= 0)


def normal_tail(y: Number, loc: Number, scale: Number) -> Number:
    return ncdf((loc - y) / scale) if abs(y) < inf else mpmath.mpf(y < 0)


def interval(density: Callable[..., Number], tail: Callable[..., Number]) -> Callable[..., Number]:
    def seen(y: Number, *theta: Number) -> Number:
        *inner, upper = theta
        return density(y, *inner) if y == upper else log(tail(y, *inner) - tail(upper, *inner))

    return seen


def mixed_normal_tail(y: Number, a: Number, b: Number, c: Number, d: Number, v: Number, w: Number) -> Number:
    return v * normal_tail(y, a, b) + w * normal_tail(y, c, d)


NB = nll.NegativeBinomial.form_for((), {"mean": 1, "size": 1})
COUNTS = (0.0, 1.0, 2.0, 7.0)
COMBINED = [
    Case(nll.ZeroInflated(nll.Poisson), ((3.0, 0.2), (0.01, 0.9), (40.0, 1e-12)), COUNTS, inflated(poisson)),
    Case(nll.ZeroInflated(NB), ((2.0, 0.5, 0.3), (10.0, 4.0, 0.01)), COUNTS, inflated(negative)),
    Case(nll.Hurdle(nll.Poisson), ((3.0, 0.2), (0.4, 0.7)), COUNTS, hurdle(poisson, counts=True)),
    Case(nll.Hurdle(nll.Gamma), ((2.0, 0.5, 0.3), (0.7, 2.0, 0.6)), (0.0, 0.3, 2.0, 9.0), hurdle(gamma, counts=False)),
    Case(
        nll.Mixture(nll.Normal, 2),
        ((-1.0, 1.0, 2.0, 0.5, 0.3, 0.7), (-50.0, 1.0, 60.0, 2.0, 0.25, 0.75)),
        (-2.4, 0.2, 5.0, 40.0),
        mixture((2, normal), (2, normal)),
    ),
    Case(
        nll.Mixture([nll.Gamma, nll.LogNormal]),
        ((2.0, 1.0, 0.5, 0.8, 0.4, 0.6), (5.0, 0.5, -1.0, 0.3, 0.9, 0.1)),
        (0.1, 0.8, 3.0, 30.0),
        mixture((2, gamma), (2, lognormal)),
    ),
    Case(
        nll.Mixture(nll.Poisson, 3),
        ((0.5, 4.0, 12.0, 0.2, 0.3, 0.5), (1e-3, 1.0, 90.0, 0.5, 0.25, 0.25)),
        COUNTS,
        mixture((1, poisson), (1, poisson), (1, poisson)),
    ),
    Case(
        nll.Truncated(nll.Normal),
        ((0.0, 1.0, -0.5, 2.0), (0.0, 1.0, 40.0, 41.0), (3.0, 2.0, -30.0, 5.0)),
        (-0.3, 1.0, 1.9, 40.25),
        truncated_normal,
    ),
    Case(
        nll.Truncated(nll.Poisson),
        ((2.0, 1.0, inf), (0.3, 1.0, 5.0), (9.0, 3.0, 12.0)),
        (1.0, 3.0, 5.0),
        truncated_poisson,
    ),
    Case(
        nll.Truncated(nll.Mixture(nll.Gamma, 2)),
        ((2.0, 1.0, 5.0, 0.5, 0.4, 0.6, 1.0, inf),),
        (1.2, 3.0, 20.0),
        truncated_gammas,
    ),
]
INTERVALS = [
    Case(
        Interval(nll.Weibull),
        ((1.5, 2.0, inf), (1.5, 2.0, 2.0)),
        (-inf, 0.5, 1.25, 2.0),
        interval(of("Weibull", "scale", "concentration"), weibull_tail),
    ),
    Case(
        Interval(nll.Mixture(nll.Normal, 2)),
        ((-1.0, 1.0, 2.0, 0.5, 0.3, 0.7, 4.0), (-50.0, 1.0, 60.0, 2.0, 0.25, 0.75, inf)),
        (-inf, -1.5, 3.0, 4.0, 5.0),
        interval(mixture((2, normal), (2, normal)), mixed_normal_tail),
    ),
]
every = {"argvalues": COMBINED, "ids": [case.form.signature() for case in COMBINED]}
