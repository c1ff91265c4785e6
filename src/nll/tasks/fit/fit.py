"""Fit a distribution by maximum likelihood: estimates, standard errors, and whether they can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.engines.placing import is_placed, placed
from nll.errors import DataError, FitError, UsageError, nearest
from nll.families import families
from nll.families.family import Family
from nll.numerics.arrays import dimensions, doubles
from nll.results.fit import Fit
from nll.results.fits import Fits
from nll.states.plain import NAN
from nll.tasks.chunks import inputs
from nll.tasks.fit.again import Again
from nll.tasks.fit.certify import Certificate, certify
from nll.tasks.fit.problem import Problem, free_names
from nll.tasks.fit.robust import check_kind, replaced
from nll.tasks.fit.rows import fit_rows, observes_rows
from nll.tasks.fit.solve import Solution, solve
from nll.tasks.observed import Observed
from nll.tasks.ready import Preparation
from nll.tasks.score import score
from nll.tasks.sequences.model import is_sequence_model
from nll.tasks.sequences.score import chosen

Array = npt.NDArray[Any]


def fit(
    y: Any,
    family: Any,
    data: Any = None,
    *,
    sample_weight: Any = None,
    by: Any = None,
    fixed: Mapping[str, Any] | None = None,
    start: Mapping[str, float] | None = None,
    cov: str = "observed",
    cluster: Any = None,
    missing: str = "error",
    where: Any = None,
    threads: int | None = None,
    throw: bool = True,
    engine: Any = None,
    lengths: Any = None,
    sequence: Any = None,
    labels: Any = None,
    starts: int | None = None,
    rng: Any = None,
) -> Any:
    """Fit a family by maximum likelihood, with standard errors, and say whether the maximum is one.

    The search is Newton's with exact derivatives, in coordinates without bounds; a maximum is one where a further
    step would gain less than 1e-10 nats.

    Parameters
    ----------
    y : observations (n,), or with `data` the name of a column; or what `nll.censored`, `nll.interval`, `nll.truncated`
        or `nll.binned` make of such.
    family : a family such as ``nll.Gamma``. The names in `fixed` and `start` choose among its parametrisations.
    data : a table, as in `nll.score`; one that memory does not hold is read again in every pass.
    sample_weight : weights (n,) of the rows, at least 0; one of 2 counts a row twice, one of 0 drops it.
    by : the columns (or array) whose values make groups: each is fitted, all in the same passes.
    fixed : parameters that are known: numbers, arrays with a value a row, or with `data` names of columns.
    start : values from which parameters begin.
    cov : what the covariance is made from: "observed", the Hessian at the maximum; "expected", the information that
        the family expects; "robust", a sandwich that holds under another distribution too; "cluster", one for rows
        that depend on each other within clusters.
    cluster : the column (or array) of clusters, for ``cov="cluster"``.
    missing : "error" refuses an empty cell or NaN; "drop" leaves such rows out and counts them.
    where : a condition in SQL, or a Polars expression, that rows of the table must meet.
    threads : how many threads run kernels; all CPUs by default.
    throw : raise where there is no maximum; False returns the outcome, whose `converged` is False.
    engine : where files are read, as in `nll.score`. The rows stay there; sums come back, and a sample to start from.
    lengths, sequence, labels, starts, rng : for models of sequences, as ``nll.MarkovChain(order=2)`` or
        ``nll.HiddenMarkov(states=2, emission=nll.Normal)``: see docs/markov.md. `start` is then a HiddenMarkov.

    Returns
    -------
    Fit, or Fits by group.

    Raises
    ------
    FitError : the likelihood is unbounded, rows are impossible under the family, or no maximum was found.
    DataError : an observation, a fixed parameter or a weight is not valid.
    UsageError : a name or an option is wrong.

    Examples
    --------
    >>> import nll
    >>> f = nll.fit([1.0, 2.0, 4.0, 9.0], nll.Exponential)
    >>> f.params, f.stderr
    ({'rate': 0.25}, {'rate': 0.125})
    """
    if is_sequence_model(family) or lengths is not None or sequence is not None:
        from nll.tasks.sequences.fit import sequence_fit

        return sequence_fit(y, family, data, **chosen(fit, locals()))
    if labels is not None or starts is not None or rng is not None:
        raise UsageError("labels=, starts= and rng= are for models of sequences, such as nll.HiddenMarkov")
    fixed, start = dict(fixed or {}), dict(start or {})
    check_kind(cov, cluster)
    form = form_of(family, fixed, start)
    if engine is not None:
        data, where = placed(data, where, engine), None
    if observes_rows(y, form, data):
        options = {"missing": missing, "where": where, "threads": threads}
        return fit_rows(
            y, form, data, sample_weight=sample_weight, by=by, fixed=fixed, start=start, cov=cov, throw=throw, **options
        )
    problem = pose(y, family, data, sample_weight, by, fixed, start, missing, where, threads)
    data, where = (data, where) if problem.bound.source is None else (problem.bound.source, None)
    problem.load()
    again = Again(
        fit, y, problem.base, data, sample_weight,
        {"fixed": fixed, "start": start, "missing": missing, "where": where, "threads": threads,
         "cov": cov, "cluster": cluster}, by,
    )  # fmt: skip
    if not problem.rows.sum():
        raise DataError(f"there are no rows to fit in {problem.bound.description}")
    solution = solve(problem, start)
    found = certify(problem, solution)
    if cov != "observed" and problem.free:
        dist = problem.base(**{name: fixed.get(name, 1.0) for name in problem.base.parameters})
        bound = inputs(y, dist, data, sample_weight=sample_weight, by=by, cluster=cluster, where=where)
        replaced(problem, solution, found, cov, bound)
    by_row = {name: value for name, value in fixed.items() if name not in problem.fixed}
    if by is not None:
        return grouped(problem, solution, found, again, by_row)
    result = single(problem, solution, found, again, by_row)
    if throw and not result.converged:
        raise FitError(f"no fit of {problem.base.signature()}: {result.warnings[0]}", result)
    return result


def pose(
    y: Any, family: Any, data: Any, sample_weight: Any, by: Any, fixed: dict[str, Any], start: dict[str, Any],
    missing: str, where: Any, threads: int | None,
) -> Problem:  # fmt: skip
    """Bind the arguments of a fit to a problem, whose rows have not been read."""
    if missing not in ("error", "drop"):
        raise UsageError(f"missing is 'error' or 'drop'; got {missing!r}")
    form = form_of(family, fixed, start)
    if data is None and hasattr(y, "columns"):
        raise UsageError("y is a table: pass it as data=, and the name of a column as y")
    if form.loss is None or form.event:
        raise UsageError(f"{form.signature()} observes rows of numbers, which fit does not do yet")
    for name, value in getattr(form, "defaults", {}).items():  # bounds that are part of a family's definition
        if not form.parameters[name].link:
            fixed.setdefault(name, value)
    free = free_names(form, lambda name: name in fixed)
    numbers = {
        name: float(doubles(value, name))
        for name, value in fixed.items()
        if not isinstance(value, str) and dimensions(value) == 0
    }
    for name, value in [*numbers.items(), *start.items()]:
        if not form.parameters[name].contains(np.float64(doubles(value, name))):
            raise DataError(f"{name} must be {form.parameters[name].words} for {form.family.__name__}; got {value!r}")
    dist = form(**{name: fixed.get(name, 1.0) for name in form.parameters})
    bound = inputs(y, dist, data, sample_weight=sample_weight, by=by, cluster=None, where=where)
    prepare = Preparation(bound.form, bound.names, bound.locate, missing == "drop")
    if isinstance(y, Observed):
        numbers |= y.numbers()
    problem = Problem(bound.form, form, free, numbers, bound, prepare, threads, by is not None)
    if bound.source is None or not is_placed(bound.source):
        return problem
    from nll.tasks.fit.remote import RemoteProblem

    arguments = {"y": y, "family": family, "sample_weight": sample_weight, "by": by, "fixed": fixed, "start": start}
    return RemoteProblem.of(problem, {**arguments, "missing": missing})


def form_of(family: Any, fixed: Mapping[str, Any], start: Mapping[str, Any]) -> type[Family]:
    """Return the parametrisation that has the names in `fixed` and `start`."""
    if isinstance(family, Family):
        raise UsageError(f"fit takes the family, nll.{family.family.__name__}, and finds its parameters")
    if not (isinstance(family, type) and issubclass(family, Family)):
        given, hint = type(family).__name__, ""
        if isinstance(family, str):
            given = repr(family)
            hint = f": pass nll.{family} itself" if family in families() else nearest(family, families())
        raise UsageError(f"the family must be one such as nll.Gamma; got {given}{hint}")
    forms = family.forms if family is family.family else [family]
    names = [*fixed, *start]
    for form in [family, *forms]:
        if set(names) <= set(form.parameters):
            return form
    known = list(dict.fromkeys(name for form in forms for name in form.parameters))
    for name in names:
        if name not in known:
            raise UsageError(f"{family.family.__name__} has no parameter {name!r}{nearest(name, known)}")
    raise UsageError(f"no parametrisation of {family.family.__name__} has all of {', '.join(names)}")


def single(problem: Problem, solution: Solution, found: Certificate, again: Again, by_row: dict[str, Any]) -> Fit:
    """Return the Fit of a problem without groups."""
    params = {
        name: float(x)
        for name, x in zip(problem.names, solution.table[0], strict=True)
        if name in problem.base.parameters and (name in problem.free or name in problem.fixed)
    }
    loss = float(solution.loss[0])
    result = Fit(
        problem.base,
        params,
        problem.free,
        found.cov[0],
        loss,
        int(problem.rows[0]),
        float(problem.weight[0]),
        bool(found.converged[0]),
        bool(found.cov_ok[0]),
        found.at_boundary[0],
        found.warnings[0],
        iterations=int(solution.steps[0]),
        cov_type=again.options["cov"],
        by_row=by_row,
        read=int(problem.rows[0] + problem.missing[0] + problem.unweighted[0]),
        missing=int(problem.missing[0]),
        unweighted=int(problem.unweighted[0]),
        impossible=0 if found.converged[0] else int(solution.impossible[0]),
        source=problem.bound.description,
        again=again,
    )
    passes = problem.passes
    if (
        (result.converged or solution.searched)
        and all(math.isfinite(params[name]) for name in problem.free)  # a bound that is known may be infinite
        and (math.isfinite(loss) or not solution.searched)
    ):
        options = {key: again.options[key] for key in ("missing", "where", "threads")}
        exact = score(again.y, result.dist, again.data, sample_weight=again.sample_weight, progress=False, **options)
        loss, passes = exact.sum, passes + 1
    return replace(result, nll=loss, passes=passes)


def grouped(problem: Problem, solution: Solution, found: Certificate, again: Again, by_row: dict[str, Any]) -> Fits:
    """Return the Fits of a problem with groups, in the order of their keys."""
    keys = [tuple(math.nan if v is NAN else v for v in key) for key in problem.places]
    order = sorted(
        range(len(keys)), key=lambda i: [(v is None, v != v, 0 if v is None or v != v else v) for v in keys[i]]
    )
    several = len(problem.bound.by) > 1
    shown = [keys[i] if several else keys[i][0] for i in order]
    at = np.array(order, np.int64)
    reported = {*problem.free, *problem.fixed} & {*problem.base.parameters}
    columns = {name: solution.table[at, k] for k, name in enumerate(problem.names) if name in reported}
    loss = solution.loss[at]
    counts = {
        "iterations": solution.steps[at],
        "read": (problem.rows + problem.missing + problem.unweighted)[at],
        "missing": problem.missing[at],
        "unweighted": problem.unweighted[at],
        "impossible": np.where(found.converged, 0, solution.impossible)[at],
    }
    return Fits(
        problem.bound.by,
        shown,
        problem.base,
        problem.free,
        columns,
        found.cov[at],
        loss,
        problem.rows[at],
        problem.weight[at],
        found.converged[at],
        found.cov_ok[at],
        [found.at_boundary[i] for i in order],
        [found.warnings[i] for i in order],
        counts,
        cov_type=again.options["cov"],
        passes=problem.passes,
        by_row=by_row,
        source=problem.bound.description,
        again=lambda i: replace(again, key=shown[i]),
    )
