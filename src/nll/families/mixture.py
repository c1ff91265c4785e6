"""Mixtures: each observation comes from one of several distributions, nobody knows which."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from nll.errors import UsageError
from nll.families.combined import MOST_PARTS, Combinator, Combined, part_of, short
from nll.families.constraints import Constraint, Probability, Real, Whole
from nll.families.family import Family
from nll.families.masses import at_value, of_masses
from nll.families.mixing import gradient_of_mixture, hessian_of_mixture, loss_of_mixture, tail_of_mixture
from nll.families.parts import Parts, any_of, ends_of, joined, sample_of, supported
from nll.families.tracing import Value, Write, where

NEAR = 1e-9  # of 1, for each part: how far from it weights may add up


class _Mixture(Combinator):
    """Several distributions, each with the probability that an observation is one of its: its weight.

        nll.Mixture(nll.Normal, 2)                                   a family: loc_1, scale_1, ..., weight_1, weight_2
        nll.Mixture([nll.Normal(0, 1), nll.Normal(3, 2)], weights=[0.3, 0.7])          a distribution

    loss = -log(weight_1 p_1(y) + weight_2 p_2(y) + ...), from the largest term, so far out too. A part whose weight
    is 0, or off whose support y lies, contributes nothing.

    Parameters
    ----------
    parts : a family, with `count`; or a list of families, or of distributions, all discrete or none.
    count : of parts, with one family.
    weights : with distributions: one each, numbers, arrays or names of columns, that sum to 1 (within 1e-9 a part).

    Returns
    -------
    Of families a family, whose parameters have the suffixes _1, _2, ..., followed by weight_1, weight_2, ...; of
    distributions a distribution.

    Raises
    ------
    UsageError : parts that do not go together, or weights missing.

    Source: G. McLachlan and D. Peel, Finite Mixture Models (2000), section 1.4.

    Examples
    --------
    >>> import nll
    >>> nll.Mixture(nll.Normal, 2).signature()
    'Mixture(Normal, 2)(loc_1, scale_1, loc_2, scale_2, weight_1, weight_2)'
    >>> two = nll.Mixture([nll.Poisson(1.0), nll.Poisson(8.0)], weights=[0.25, 0.75])
    >>> round(two.prob(0), 6)
    0.092221
    """

    name = "Mixture"
    numbered = True

    def __call__(self, parts: Any, count: int | None = None, *, weights: Any = None) -> Any:
        if not isinstance(parts, (list, tuple)):
            part = part_of(parts, self.name)
            if isinstance(part, Family):
                raise UsageError(f"a mixture of one distribution, {part!r}: give a list of them, or a family and count")
            if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_PARTS:
                raise UsageError(
                    f"nll.Mixture(nll.{part.__name__}, 2): how many parts, 1 to {MOST_PARTS}; got {count!r}"
                )
            return self._of_families([part] * count, weights)
        if count is not None or not parts:
            raise UsageError("a mixture is of a list of parts, or of one family and a count")
        found = [part_of(part, self.name) for part in parts]
        if all(isinstance(part, type) for part in found):
            return self._of_families(found, weights)
        if not all(isinstance(part, Family) for part in found):
            raise UsageError("a mixture is of families or of distributions, not of both")
        names = self.own_names(tuple(type(part) for part in found), ())
        return self.instance(found, dict(zip(names, _weights(weights, len(found)), strict=True)))

    def _of_families(self, parts: list[Any], weights: Any) -> type[Combined]:
        if weights is not None:
            raise UsageError("weights are parameters of a mixture of families: give them with the others")
        return self.form(parts)

    def title(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> str:
        names = [part.family.__name__ for part in parts]
        if len({part.family for part in parts}) == 1:
            return f"Mixture({names[0]}, {len(names)})"
        return f"Mixture([{', '.join(names)}])"

    def shown(self, dist: Combined) -> str:
        weights = ", ".join(map(short, dist.own().values()))
        return f"Mixture([{', '.join(map(repr, dist.components()))}], weights=[{weights}])"

    def check(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> None:
        first = parts[0]
        for part in parts[1:]:
            for what, a, b in (
                ("counts", first.observations.discrete, part.observations.discrete),
                ("densities with points of their own probability", first.mixed, part.mixed),
            ):
                if a != b:
                    names = f"{first.family.__name__} and {part.family.__name__}"
                    raise UsageError(f"a mixture is of {what} or of none: {names} do not go together")

    def own_parameters(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> dict[str, type[Constraint]]:
        return {f"weight_{k}": Probability for k in range(1, len(parts) + 1)}

    def contents(self, made: Parts) -> dict[str, Any]:
        forms = made.forms
        space = _where(made)
        builds = [
            loss_of_mixture(forms),
            gradient_of_mixture(forms) if made.have("gradient") else None,
            hessian_of_mixture(forms) if made.have("gradient", "hessian") else None,
        ]
        for name, build in zip(("loss", "gradient", "hessian"), builds, strict=True):
            space[name] = build and made.formula(name, at_value(build))
        if made.have("log_cdf", "log_sf"):
            space["log_cdf"] = made.formula("log_cdf", tail_of_mixture(forms, upper=False))
            space["log_sf"] = made.formula("log_sf", tail_of_mixture(forms, upper=True))
            space.update(of_masses(made, builds))
        space["sample"] = made.sampler(_sample(forms))
        if made.have("mean"):
            space["mean"] = made.plain(_mean(forms))
        if made.have("mean", "variance"):
            space["variance"] = made.plain(_variance(forms))
        space.update(_summing_to_one(made))
        return space


def _weights(given: Any, count: int) -> list[Any]:
    """Return one weight a part."""
    if given is None:
        raise UsageError(f"a mixture of distributions has weights=[...], one each of {count}")
    if isinstance(given, (list, tuple)):
        found = list(given)
    else:
        array = np.asarray(given, np.float64)
        found = [array[..., k] for k in range(array.shape[-1])] if array.ndim else [given]
        found = [float(w) for w in found] if array.ndim == 1 else found
    if len(found) != count:
        raise UsageError(f"a mixture of {count} parts has {count} weights; got {len(found)}")
    return found


def _where(made: Parts) -> dict[str, Any]:
    """Return what may be observed, and the support: the parts' together."""
    forms = made.forms
    observations = {form.observations for form in forms}
    supports = {form.support for form in forms}
    space: dict[str, Any] = {
        "observations": forms[0].observations
        if len(observations) == 1
        else Whole
        if forms[0].observations.discrete
        else Real,
        "support": forms[0].support if len(supports) == 1 else Whole if forms[0].observations.discrete else Real,
        "atoms": forms[0].atoms,
    }
    if len(supports) > 1 or any(form.inside is not None for form in forms):

        def inside(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> Value:
            found = [supported(write, form, y, theta) for form, theta in zip(forms, pieces, strict=True)]
            known = [each for each in found if each is not None]
            return any_of(known) if len(known) == len(found) else y == y

        space["inside"] = made.formula("inside", inside)
    if len(supports) > 1 or any(form.ends is not None for form in forms):

        def ends(write: Write, pieces: list[list[Value]], own: list[Value]) -> list[Any]:
            found = [ends_of(write, form, theta) for form, theta in zip(forms, pieces, strict=True)]
            lows, highs = ([Value(write, write.name_of(end)) for end in side] for side in zip(*found, strict=True))
            return [reduce(lambda a, b: where(a < b, a, b), lows), reduce(lambda a, b: where(a > b, a, b), highs)]

        space["ends"] = made.of_theta("ends", ends)
    return space


def _summing_to_one(made: Parts) -> dict[str, Any]:
    """Return the simplex of the weights, beside those of parts."""
    inner, names = joined(made), made.layout.own
    check = inner.get("consistent")

    def consistent(write: Write, pieces: list[list[Value]], own: list[Value]) -> Value:
        total = reduce(lambda a, b: a + b, own)
        error = total - 1.0
        good = (error <= NEAR * len(own)) & (error >= -NEAR * len(own))
        return good if check is None else good & write(check, *(v for piece in pieces for v in piece), *own)

    words = f"{', '.join(names)} must sum to 1"
    return {
        "simplexes": (*inner["simplexes"], names),
        "together": f"{inner['together']} and {words}" if inner["together"] else words,
        "consistent": made.of_theta("consistent", consistent),
    }


def _sample(forms: Sequence[type[Family]]) -> Any:
    def sample(rng: np.random.Generator, shape: tuple[int, ...], pieces: list[list[Any]], own: list[Any]) -> Any:
        u = rng.random(shape) * sum(own)
        found = np.zeros(shape)
        low = 0.0
        for k, (form, theta, w) in enumerate(zip(forms, pieces, own, strict=True)):
            high = low + w if k < len(own) - 1 else np.inf
            values = sample_of(form, rng, shape, theta)
            found = np.where((u >= low) & (u < high), values, found)
            low = low + w
        return found

    return sample


def _mean(forms: Sequence[type[Family]]) -> Any:
    def mean(pieces: list[list[Any]], own: list[Any]) -> Any:
        return sum(w * form.mean(*theta) for form, theta, w in zip(forms, pieces, own, strict=True))

    return mean


def _variance(forms: Sequence[type[Family]]) -> Any:
    middle = _mean(forms)

    def variance(pieces: list[list[Any]], own: list[Any]) -> Any:
        mean = middle(pieces, own)
        parts = zip(forms, pieces, own, strict=True)
        return sum(w * (form.variance(*theta) + (form.mean(*theta) - mean) ** 2) for form, theta, w in parts)

    return variance


Mixture = _Mixture()
