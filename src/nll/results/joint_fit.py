"""What `joint` returns: a Fit of several likelihoods, with the distribution of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import new_class
from typing import Any

import numpy as np

from nll.errors import UsageError, listing
from nll.families.constraints import Constraint
from nll.families.family import REGISTRY, Family
from nll.families.saving import form_from_dict, form_to_dict
from nll.results.fit import Fit
from nll.results.load import VERSION, number_of, numbers_from_dict, numbers_to_dict


class Together(Family):
    """What stands for the family of a joint fit: its parameters, under the names they have together."""


del REGISTRY[Together.__name__]  # it is no distribution


@dataclass(frozen=True, slots=True)
class Term:
    """One likelihood of a joint fit.

    Attributes
    ----------
    family : the parametrisation.
    titles : what its free parameters are called together.
    fixed : its known parameters: a number, the name of a column, or values by row, which a saved fit has not.
    """

    family: type[Family]
    titles: Mapping[str, str]
    fixed: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class JointFit(Fit):
    """Several distributions fitted together; all that a Fit has, but its distribution, which each problem has.

    Attributes
    ----------
    terms : what each problem is, by its name.
    losses : the NLL of each problem at the estimates, in nats; `nll` is their sum.

    Examples
    --------
    >>> import nll
    >>> a, b = {"y": [1.0, 3.0], "family": nll.Exponential}, {"y": [2.0, 6.0], "family": nll.Exponential}
    >>> f = nll.load(nll.joint({"a": a, "b": b}).to_json())
    >>> list(f.dists), round(f.dists["b"].mean(), 9)
    (['a', 'b'], 3.0)
    """

    terms: Mapping[str, Term] = field(default_factory=dict)
    losses: Mapping[str, float] = field(default_factory=dict)

    @property
    def dist(self) -> Family:
        """Refuse: there is one for each problem."""
        raise UsageError(f"a joint fit has a distribution for each problem: f.dists[{next(iter(self.terms), '')!r}]")

    @property
    def dists(self) -> Mapping[str, Family]:
        """The fitted distribution of each problem, by the problem's name."""
        return Distributions(self)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types; NaN and infinities stay floats."""
        problems = {name: self._problem(name, term) for name, term in self.terms.items()}
        return {"nll": "joint fit", "version": VERSION, **numbers_to_dict(self), "problems": problems}

    def _problem(self, name: str, term: Term) -> dict[str, Any]:
        columns = {own: value for own, value in term.fixed.items() if isinstance(value, str)}
        # Values by row are data, and stay behind.
        numbers = {n: float(v) for n, v in term.fixed.items() if n not in columns and np.ndim(v) == 0}
        out = {"family": form_to_dict(term.family), "titles": dict(term.titles)}
        return out | {"fixed": numbers, "columns": columns, "loss": self.losses.get(name, math.nan)}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Distributions(Mapping[str, Family]):
    """The distributions of a joint fit, each made when it is asked for."""

    fit: JointFit

    def __getitem__(self, name: str) -> Family:
        if name not in self.fit.terms:
            raise KeyError(f"no problem {name!r}; present: {listing(map(repr, self.fit.terms))}")
        term, params = self.fit.terms[name], self.fit.params
        if not all(math.isfinite(params[title]) for title in term.titles.values()):
            raise UsageError(f"there is no fitted distribution: {'; '.join(self.fit.warnings)}")
        known = {own: params[title] for own, title in term.titles.items()}
        theta = {own: known[own] if own in known else term.fixed.get(own) for own in term.family.parameters}
        unsaved = [own for own, value in theta.items() if value is None]
        if unsaved:
            what = f"problem {name!r} lacks {', '.join(unsaved)}, fixed to a value a row, which a saved fit has not"
            raise UsageError(f"{what}: fit again, with the name of a column in fixed=")
        return term.family(**theta)

    def __iter__(self) -> Iterator[str]:
        return iter(self.fit.terms)

    def __len__(self) -> int:
        return len(self.fit.terms)

    def __repr__(self) -> str:
        return f"<distributions of {listing(map(repr, self.fit.terms))}>"


def joint_form(terms: Mapping[str, Term]) -> Any:
    """Return the parameters of several problems together; refuse those of one name that are not of one kind."""
    constraints: dict[str, type[Constraint]] = {}
    for problem, term in terms.items():
        for name, title in term.titles.items():
            constraint = term.family.parameters[name]
            first = constraints.get(title, constraint)
            tightest = tighter(first, constraint)
            if tightest is None:
                what = f"{title} is {first.words} in one problem and {constraint.words} in {problem!r}"
                raise UsageError(f"{what}: give one of them another name with share=")
            constraints[title] = tightest
    made: Any = new_class("Joint", (Together,), {"register": False})
    made.family, made.forms, made.parameters, made.simplexes = made, [made], constraints, simplexes_of(terms)
    return made


def tighter(one: type[Constraint], other: type[Constraint]) -> type[Constraint] | None:
    """Return that of two sets which lies in the other, where they differ in their ends only; else None.

    Examples
    --------
    >>> from nll.families.constraints import NonNegative, Positive, Real
    >>> tighter(NonNegative, Positive) is Positive, tighter(Real, Positive)
    (True, None)
    """
    if one is other:
        return one
    alike = all(getattr(one, what) == getattr(other, what) for what in ("link", "low", "high", "discrete"))
    if not alike or not one.link:
        return None
    ends = [{x for x in (c.low, c.high) if c.contains(np.float64(x))} for c in (one, other)]
    return one if ends[0] < ends[1] else other if ends[1] < ends[0] else None


def simplexes_of(terms: Mapping[str, Term]) -> tuple[tuple[str, ...], ...]:
    """Return the parameters that sum to one; refuse those of which problems share some and not all."""
    whole = [
        (term.titles, simplex) for term in terms.values() for simplex in term.family.simplexes
        if all(name in term.titles for name in simplex)
    ]  # fmt: skip
    distinct = tuple(dict.fromkeys(tuple(titles[name] for name in simplex) for titles, simplex in whole))
    weights = [title for simplex in distinct for title in simplex]
    if len(set(weights)) < len(weights):
        raise UsageError("of weights that sum to one, problems share all, in one order, or none: rename with share=")
    return distinct


def joint_fit_from_dict(saved: Mapping[str, Any]) -> JointFit:
    """Return what `JointFit.to_dict` wrote; a KeyError, TypeError or ValueError tells that it did not."""
    terms = {str(name): _term(problem) for name, problem in saved["problems"].items()}
    losses = {str(name): number_of(problem["loss"]) for name, problem in saved["problems"].items()}
    form = joint_form(terms)
    rest = numbers_from_dict(saved, [*saved["params"]])
    if not terms or {*rest["free"]} != {*form.parameters}:
        raise ValueError("the free parameters are not those of the problems")
    losses = {name: loss for name, loss in losses.items() if not math.isnan(loss)}
    return JointFit(form, **rest, terms=terms, losses=losses)


def _term(saved: Mapping[str, Any]) -> Term:
    form = form_from_dict(saved["family"])
    titles, columns = dict(saved["titles"]), dict(saved["columns"])
    fixed: dict[str, Any] = {name: number_of(value) for name, value in saved["fixed"].items()}
    if not all(isinstance(text, str) for text in (*titles.values(), *columns.values())):
        raise TypeError("the names of parameters and of columns are texts")
    names = [*titles, *columns, *fixed]
    if len({*names}) < len(names) or not {*names} <= {*form.parameters}:
        raise ValueError(f"{listing(names)} are not parameters of {form.family.__name__}, or not once each")
    return Term(form, titles, fixed | columns)
