"""Rows of several independent numbers: the columns of a matrix in one loss a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.errors import DataError, UsageError
from nll.families.combined import Combinator, part_of
from nll.families.family import Family
from nll.families.parts import Parts, sample_of


class _Independent(Combinator):
    """Independent numbers that make one observation: the loss of a row is the sum of the losses of its numbers.

    The observations are a matrix (n, k), or the names of k columns. A parameter is a number, or an array that
    broadcasts to (n, k): (k,) for one a column, (n, 1) for one a row; with a table, a number, a list of k numbers, a
    list of k columns, or one column for all.

    Parameters
    ----------
    part : the family of each number, or a distribution of it.

    Returns
    -------
    Of a family, a family with the same parameters; of a distribution, a distribution.

    Raises
    ------
    UsageError : the part observes rows already.

    Source: S. Kullback, Information Theory and Statistics (1959), chapter 2, section 2: the information of independent
    observations adds.

    Examples
    --------
    >>> import nll
    >>> dist = nll.Independent(nll.Normal(loc=[0.0, 1.0], scale=1.0))
    >>> round(nll.score([[0.0, 1.0], [1.0, 1.0]], dist).mean, 12)
    2.087877066409
    """

    name = "Independent"

    def __call__(self, part: Any) -> Any:
        part = part_of(part, self.name)
        return self.instance([part], {}) if isinstance(part, Family) else self.form([part])

    def check(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> None:
        if len(parts) != 1:
            raise UsageError(f"Independent has one part; got {len(parts)}")

    def own_parameters(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> dict[str, Any]:
        return {}

    def contents(self, made: Parts) -> dict[str, Any]:
        """Return the formulas of the part, which are those of one number, and what makes rows of them."""
        (form,) = made.forms
        formulas = ("loss", "gradient", "hessian", "inside", "ends", "consistent", "together", "start")
        space = {name: _kept(getattr(form, name)) for name in formulas}
        space.update(event=1, columnwise=True, observations=form.observations, support=form.support)
        space.update(arrange=classmethod(_arrange), explain=classmethod(_explain))
        space["sample"] = made.sampler(_sample(form))
        for name in ("mean", "variance"):
            if made.have(name):
                space[name] = made.plain(lambda pieces, own, name=name: getattr(form, name)(*pieces[0]))
        if made.have("entropy"):
            space["entropy"] = made.plain(lambda pieces, own: np.sum(form.entropy(*pieces[0]), axis=-1))
        return space


def _kept(function: Any) -> Any:
    return staticmethod(function) if callable(function) else function


def _sample(form: type[Family]) -> Any:
    def sample(rng: np.random.Generator, shape: tuple[int, ...], pieces: list[list[Any]], own: list[Any]) -> Any:
        each = np.broadcast_shapes(*(np.shape(t) for t in pieces[0]))
        return sample_of(form, rng, (*shape, *each), pieces[0])

    return sample


def _arrange(cls: type[Family], y: Any, theta: tuple[Any, ...]) -> tuple[tuple[int, ...], Any, tuple[Any, ...]]:
    """Return the shape of the observations, and these and each parameter as matrices of one row each."""
    arrays = [np.asarray(t) for t in theta]
    if y.ndim == 0:
        raise DataError("y must hold rows of numbers; got one number")
    try:
        whole = np.broadcast_shapes(y.shape, *(a.shape for a in arrays))
    except ValueError:
        whole = ()
    if whole[-1:] != y.shape[-1:]:
        found = ", ".join(f"{name} {a.shape}" for name, a in zip(("y", *cls.parameters), (y, *arrays), strict=True))
        raise DataError(f"shapes do not fit: each parameter broadcasts to the rows of y; got {found}")
    n = int(np.prod(whole[:-1], dtype=np.int64))
    y, *rows = (np.broadcast_to(a, whole).reshape(n, whole[-1]) for a in (y, *arrays))
    return whole[:-1], y, tuple(rows)


def _explain(cls: type[Family], form: type[Family], y: Any, theta: list[Any], names: dict[str, str]) -> tuple[str, str]:
    """Return what the first invalid number of one row breaks, and the value it has."""
    for j, cell in enumerate(zip(y, *theta, strict=True)):
        constraints = [form.observations, *form.parameters.values()]
        for name, constraint, value in zip(("y", *form.parameters), constraints, cell, strict=True):
            if not constraint.contains(np.float64(value)):
                found = repr(float(value)).removesuffix(".0")
                return f"{name} must be {constraint.words} for {form.family.__name__}", f"{found} for number {j}"
        if form.consistent is not None and not form.consistent(*map(np.float64, cell[1:])):
            values = ", ".join(f"{n}={float(v)!r}" for n, v in zip(form.parameters, cell[1:], strict=True))
            return f"{form.together} for {form.family.__name__}", f"{values} for number {j}"
    return f"the loss of {form.signature()} is not a number", f"y = {np.asarray(y)!r}"


Independent = _Independent()
