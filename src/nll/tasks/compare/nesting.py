"""Which of two fits contains the other: by what is fixed in a family, and by families that are cases of others."""

from __future__ import annotations

from typing import Any

from nll.errors import UsageError, listing

# {(restricted, full): parameters at the end of their range under the restriction}; each takes away one parameter.
# Normal in SkewNormal is left out: its information is singular there, and the statistic not chi-square.
CASES = {
    ("Exponential", "Gamma"): 0,  # concentration 1
    ("Exponential", "Weibull"): 0,  # concentration 1
    ("Exponential", "GeneralizedPareto"): 0,  # shape 0, between the negative and the positive ones
    ("Rayleigh", "Weibull"): 0,  # concentration 2
    ("Normal", "GeneralizedNormal"): 0,  # shape 2
    ("Laplace", "GeneralizedNormal"): 0,  # shape 1
    ("Cauchy", "StudentT"): 0,  # df 1
    ("Normal", "StudentT"): 1,  # df without end
    ("Gumbel", "GEV"): 0,  # shape 0
    ("Geometric", "NegativeBinomial"): 0,  # size 1
    ("Poisson", "NegativeBinomial"): 1,  # dispersion 0
    ("Binomial", "BetaBinomial"): 1,  # concentrations without end
}
SHARED = ("total_count",)  # known of each row: no part of what is estimated


def nesting(restricted: Any, full: Any) -> int | None:
    """Return how many parameters lie on the boundary under the restriction; None where the fits do not say.

    Raises
    ------
    UsageError : the second fit does not contain the first, as far as families and fixed parameters tell.
    """
    families: list[Any] = [getattr(getattr(fit, "family", None), "family", None) for fit in (restricted, full)]
    free = [set(getattr(fit, "free", ())) for fit in (restricted, full)]
    if None in families or not all(free):
        return None
    if families[0] is not families[1]:
        return _of_families(restricted, full, families)
    if restricted.family is not full.family:
        raise UsageError("the fits have different parametrisations, and what one fixes is not known of the other")
    extra = free[0] - free[1]
    if extra:
        raise UsageError(f"the restricted fit has free parameters that the full one has not: {listing(sorted(extra))}")
    if free[0] == free[1]:
        raise UsageError("both fits have the same free parameters: nothing is restricted (use fixed= in one of them)")
    held = [name for name in getattr(restricted, "params", {}) if name not in free[1]]
    _same_known(restricted, full, [*held, *getattr(restricted, "by_row", {})])
    return 0


def _of_families(restricted: Any, full: Any, families: list[Any]) -> int:
    names = (families[0].__name__, families[1].__name__)
    if names == ("Independent(Normal)", "MultivariateNormal"):
        return 0  # covariances of 0
    if names not in CASES:
        raise UsageError(
            f"{names[0]} and {names[1]} are different families, and no case of each other that is known here: use "
            "nll.vuong, or pass the NLL of each as a number with df= if they are nested"
        )
    for fit in (restricted, full):
        known = [name for name in fit.family.parameters if name not in fit.free and name not in SHARED]
        known = [n for n in known if not (n == "loc" and names[1] == "GeneralizedPareto" and fit.params.get(n) == 0.0)]
        if known:
            raise UsageError(f"{listing(known)} is fixed in the fit of {fit.family.family.__name__}: not nested")
    _same_known(restricted, full, [n for n in SHARED if n in restricted.family.parameters])
    return CASES[names]


def _same_known(restricted: Any, full: Any, names: list[str]) -> None:
    """Refuse fits that know different values of a parameter."""
    for name in names:
        held, other = (fit.params.get(name, getattr(fit, "by_row", {}).get(name)) for fit in (restricted, full))
        same = held is other or (held is not None and other is not None and _equal(held, other))
        if not same:
            raise UsageError(f"{name} is fixed at {held!r} in one fit and at {other!r} in the other: not nested")


def _equal(held: Any, other: Any) -> bool:
    import numpy as np

    return bool(np.array_equal(np.asarray(held), np.asarray(other)))
