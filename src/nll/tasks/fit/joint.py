"""Fit several likelihoods together: parameters of one name are one parameter, and the NLLs add."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, FitError, UsageError, unknown
from nll.families.family import Family
from nll.kernels.curvature import Sums
from nll.results.fit import Fit
from nll.results.joint_fit import JointFit, Term, joint_form
from nll.states.curvature import Curvature
from nll.tasks.chunks import Inputs
from nll.tasks.fit import newton
from nll.tasks.fit.again import Again
from nll.tasks.fit.certify import Certificate, certify
from nll.tasks.fit.fit import form_of, pose
from nll.tasks.fit.links import Links
from nll.tasks.fit.newton import minimise
from nll.tasks.fit.problem import Part, Problem
from nll.tasks.fit.rows import observes_rows
from nll.tasks.fit.solve import Objective, Solution, keep_best, representative, shown, solve, statistic
from nll.tasks.fit.starts import Sample, starts
from nll.tasks.ready import Preparation
from nll.tasks.score import score

Array = npt.NDArray[Any]
NEEDED = ("y", "family")
OPTIONS = {"data": None, "sample_weight": None, "fixed": None, "start": None, "missing": "error", "where": None}
OPTIONS |= {"threads": None, "share": None}
APART = 2**48  # between the row numbers of two problems, so that one number tells a row of any


@dataclass(slots=True)
class Member:
    """One problem of a joint fit: its arguments, its rows, and what its free parameters are called together."""

    name: str
    given: dict[str, Any]
    problem: Problem
    titles: dict[str, str] = field(default_factory=dict)

    @property
    def term(self) -> Term:
        """What the problem is, in the record of the fit."""
        own, fixed = self.problem, self.given["fixed"]
        return Term(own.base, self.titles, {n: fixed[n] for n in own.base.parameters if n not in own.free})


@dataclass(slots=True)
class JointProblem(Problem):
    """The sum of the NLLs of several problems, as a function of their parameters together: one group."""

    members: list[Member] = field(default_factory=list)

    def evaluate(
        self, table: Array, groups: Array, derivatives: Sequence[str], parts: list[Part] | None = None
    ) -> Curvature:
        """Return the sums over the rows of all problems, under each parameter vector."""
        k, upper = len(derivatives), np.triu_indices(len(derivatives))
        out = Curvature.zeros(len(table), k)
        for number, member in enumerate(self.members):
            own, titles = member.problem, member.titles
            theta = table[:, [self.names.index(titles[name]) for name in own.free]]
            free = [name for name in own.free if titles[name] in derivatives]
            found = own.evaluate(own.table(theta), np.zeros(len(table), np.int64), free)
            spread = np.array([[titles[name] == title for title in derivatives] for name in free], np.float64)
            spread = spread.reshape(len(free), k)
            bends = spread.T @ found.hessian @ spread
            pieces = found.values[:, :1], found.gradient @ spread, bends[:, upper[0], upper[1]]
            values = np.concatenate(pieces, axis=1)
            firsts = np.where(found.firsts >= 0, found.firsts + number * APART, -1)
            out.add(Sums(np.stack([values, np.zeros_like(values)], axis=2), found.counts, firsts), slice(None))
        return out


@dataclass(frozen=True, slots=True)
class JointAgain(Again):
    """The arguments of `joint`, to go over the data again."""

    def refit(self, fit: Fit, fixed: Mapping[str, float], start: Mapping[str, float]) -> Fit:
        """Return the fit of the same problems with more parameters fixed."""
        given = {**self.options["fixed"], **fixed}
        start = {name: value for name, value in start.items() if name not in given}
        return self.fit(self.y, shared=self.options["shared"], fixed=given, start=start, throw=False)

    def rows(self, fit: Fit) -> Any:
        """Refuse: the rows of several problems are not one sample."""
        raise UsageError("a joint fit has no rows of one kind: f.dists[name] is the distribution of each problem")

    row_losses = row_gradients = rows


def joint(
    problems: Mapping[str, Mapping[str, Any]],
    *,
    shared: Sequence[str] | None = None,
    fixed: Mapping[str, float] | None = None,
    start: Mapping[str, float] | None = None,
    throw: bool = True,
) -> JointFit:
    """Fit several likelihoods together: the sum of their NLLs has one minimum, in all their parameters.

    Free parameters of one name are one parameter. A problem renames its own by `share`, and `shared` says which of the
    common names are meant; the others of those get the problem's name as a suffix.

    Parameters
    ----------
    problems : the arguments of `nll.fit` for each problem, by its name: y, family, and data, sample_weight, fixed,
        start, missing, where, threads; also ``share={"rate": "expected"}``, what its parameters are called together.
    shared : which names that several problems have are one parameter; all of them by default.
    fixed : joint parameters that are known.
    start : values from which joint parameters begin.
    throw : raise where there is no maximum; False returns the outcome, whose `converged` is False.

    Returns
    -------
    JointFit : a Fit of all parameters together, with `dists` and `losses` by problem.

    Raises
    ------
    FitError : no maximum was found.
    UsageError : parameters of one name are not of one kind, or a name or an option is wrong.
    DataError : an observation, a fixed parameter or a weight is not valid.

    Examples
    --------
    >>> import nll
    >>> left, right = [1.0, 2.0, 3.0], [11.0, 12.0, 13.0]
    >>> f = nll.joint(
    ...     {"left": {"y": left, "family": nll.Normal}, "right": {"y": right, "family": nll.Normal}}, shared=["scale"]
    ... )
    >>> {name: round(value, 6) for name, value in f.params.items()}
    {'loc_left': 2.0, 'scale': 0.816497, 'loc_right': 12.0}
    """
    known, begin = {k: float(v) for k, v in (fixed or {}).items()}, dict(start or {})
    members = titled([posed(name, given) for name, given in arguments(problems).items()], shared)
    titles = list(dict.fromkeys(title for member in members for title in member.titles.values()))
    for name in [*known, *begin]:
        if name not in titles:
            raise UsageError(unknown("parameter", name, titles))
    if known:
        members = [with_fixed(member, known) for member in members]
    for member in members:
        load(member)
    problem = together(members)
    solution = solved(problem, begin)
    found = certify(problem, solution)
    again = JointAgain(joint, problems, problem.form, options={"shared": shared, "fixed": known})
    result = record(problem, solution, found, known, again)
    if throw and not result.converged:
        raise FitError(f"no joint fit of {', '.join(problems)}: {result.warnings[0]}", result)
    return result


def load(member: Member) -> None:
    """Read the rows of a problem."""
    with named(member.name):
        member.problem.load()
        if not member.problem.rows.sum():
            raise DataError(f"there are no rows to fit in {member.problem.bound.description}")


@contextmanager
def named(name: str) -> Iterator[None]:
    """Say in errors which problem they are of."""
    try:
        yield
    except (DataError, UsageError) as error:
        raise type(error)(f"problem {name!r}: {error}") from error


def arguments(problems: Any) -> dict[str, dict[str, Any]]:
    """Return the arguments of each problem, with defaults."""
    if not isinstance(problems, Mapping) or not problems:
        raise UsageError("joint takes a dict of problems: {'a': {'y': ..., 'family': nll.Normal}, ...}")
    found: dict[str, dict[str, Any]] = {}
    for name, given in problems.items():
        if not isinstance(given, Mapping) or not {*NEEDED} <= {*given}:
            raise UsageError(f"problem {name!r} is a dict of arguments of nll.fit, y and family among them")
        for key in given:
            if key not in (*NEEDED, *OPTIONS):
                raise UsageError(unknown("argument", str(key), [*NEEDED, *OPTIONS], f"problem {name!r}"))
        found[str(name)] = {**OPTIONS, **given}
        found[str(name)] |= {key: dict(given.get(key) or {}) for key in ("fixed", "start", "share")}
    return found


def posed(name: str, given: dict[str, Any]) -> Member:
    """Bind the arguments of one problem."""
    y, family, data, weight = (given[key] for key in ("y", "family", "data", "sample_weight"))
    options = {key: given[key] for key in ("fixed", "start", "missing", "where", "threads")}
    with named(name):
        if observes_rows(y, form_of(family, options["fixed"], options["start"]), data):
            raise UsageError(f"a joint fit is of single numbers, and {family.family.__name__} observes rows")
        return Member(name, given, pose(y, family, data, weight, None, **options))


def with_fixed(member: Member, known: Mapping[str, float]) -> Member:
    """Return a problem with joint parameters fixed."""
    own = {name: known[title] for name, title in member.titles.items() if title in known}
    if not own:
        return member
    given: dict[str, Any] = {**member.given, "fixed": {**member.given["fixed"], **own}, "family": member.problem.base}
    given["start"] = {name: value for name, value in given["start"].items() if name not in own}
    again = posed(member.name, given)
    again.titles = {name: member.titles[name] for name in again.problem.free}
    return again


def titled(members: list[Member], shared: Sequence[str] | None) -> list[Member]:
    """Say what the free parameters of each problem are called together."""
    holders: dict[str, list[str]] = {}
    for member in members:
        share, free = member.given["share"], member.problem.free
        for name in share:
            if name not in free:
                raise UsageError(f"problem {member.name!r}: {unknown('free parameter', name, free)}")
        for title in dict.fromkeys(str(share.get(name, name)) for name in free):
            holders.setdefault(title, []).append(member.name)
    common = [title for title, names in holders.items() if len(names) > 1]
    meant = common if shared is None else [shared] if isinstance(shared, str) else list(shared)
    for title in meant:
        if title not in common:
            raise UsageError(f"shared={title!r}: {unknown('common parameter', title, common)}")
    suffixed: dict[str, str] = {}
    for member in members:
        for name in member.problem.free:
            title = str(member.given["share"].get(name, name))
            own = title in common and title not in meant
            member.titles[name] = f"{title}_{member.name}" if own else title
            clash = member.titles[name] in holders or suffixed.get(member.titles[name], title) != title
            if own and clash:
                raise UsageError(f"{member.titles[name]!r} is the name of two parameters: rename one with share=")
            if own:
                suffixed[member.titles[name]] = title
    return members


def together(members: list[Member]) -> JointProblem:
    """Return the problem that several make."""
    form = shape_of(members)
    problems = [member.problem for member in members]

    def locate(row: int) -> str:
        number, own = divmod(row, APART)
        return f"{problems[number].prepare.locate(own)} of {members[number].name!r}"

    source = "; ".join(f"{m.name}: {m.problem.bound.description}" for m in members)
    bound = Inputs(form, lambda: iter(()), {}, locate, description=source)
    total = JointProblem(
        form, form, tuple(form.parameters), {}, bound, Preparation(form, {}, locate), None, False, members=members
    )
    for name in ("rows", "weight", "missing", "unweighted", "outside"):
        setattr(total, name, np.sum([getattr(p, name) for p in problems], axis=0))
    total.low, total.high = np.min([p.low for p in problems], axis=0), np.max([p.high for p in problems], axis=0)
    off = [p.first_outside + number * APART for number, p in enumerate(problems) if p.outside[0]]
    total.first_outside = off[0] if off else np.full(1, -1)
    return total


def shape_of(members: list[Member]) -> type[Family]:
    """Return the parameters of several problems together, with what the search needs to know of them."""
    edges: dict[str, str] = {}
    lowest: dict[str, float] = {}
    for member in members:
        form = member.problem.form
        for name, title in member.titles.items():
            edge = form.edges.get(name, "")
            if title in edges and (edges[title] != edge or edge == "median"):
                raise UsageError(f"{title} is a statistic of one sample, and cannot be shared: rename it with share=")
            edges[title] = edge
            if name in member.problem.base.lowest:
                lowest[title] = max(lowest.get(title, -math.inf), member.problem.base.lowest[name])
    made = joint_form({member.name: member.term for member in members})
    made.edges, made.lowest = {title: edge for title, edge in edges.items() if edge}, lowest
    return made


def solved(problem: JointProblem, start: dict[str, float]) -> Solution:
    """Search from the ends of the separate fits."""
    edges = problem.form.edges
    searched = tuple(name for name in problem.free if name not in edges)
    links = Links.of(problem.form, searched)
    table = begun(problem, start)
    blank = np.zeros(1, np.int64)
    status = blank + (newton.INFEASIBLE if problem.outside[0] else newton.MOVING)
    solution = Solution(
        searched, links, table[:1].copy(), np.full(1, math.nan), status, blank.copy(), None,
        problem.outside.copy(), problem.first_outside.copy(), blank[:0],
    )  # fmt: skip
    if problem.outside[0]:
        return solution
    if not searched:
        solution.loss = problem.evaluate(solution.table, blank, ()).nll
        solution.status[0] = newton.CONVERGED
        return solution
    eta = links.inward(table[:, [problem.names.index(name) for name in searched]])
    usable = np.isfinite(eta).all(axis=1)
    eta, table = eta[usable], table[usable]
    owner = np.zeros(len(eta), np.int64)
    linear = np.array([links.kinds[k] == "identity" for k in links.coordinates])
    objective = Objective(problem, links, searched, table, owner)
    solution.status[0] = newton.INFEASIBLE
    if len(eta):
        path = minimise(objective, eta, problem.weight[owner], linear)
        keep_best(solution, path, owner, objective)
    return solution


def begun(problem: JointProblem, start: dict[str, float]) -> Array:
    """Return starts (m, p): what is shared at the mean of the separate fits, and at each of them."""
    ends = [separate(member, start) for member in problem.members]
    weights = [float(member.problem.weight[0]) for member in problem.members]
    first: dict[str, float] = {}
    for name in problem.free:
        values = np.array([end[name] for end in ends if name in end])
        shares = np.array([w for w, end in zip(weights, ends, strict=True) if name in end])
        log = problem.form.parameters[name].link == "log" and (values > 0.0).all()
        mean = np.average(np.log(values) if log else values, weights=shares)
        edge = {"minimum": values.min(), "maximum": values.max()}.get(problem.form.edges.get(name, ""))
        first[name] = float(edge) if edge is not None else math.exp(mean) if log else float(mean)
    fixed = start | {name: first[name] for name in problem.form.edges}
    several = [{**first, **end, **fixed} for end in ends] if len(ends) > 1 else []
    found = [tuple(each[name] for name in problem.names) for each in [{**first, **fixed}, *several]]
    return np.array(list(dict.fromkeys(found)), np.float64)


def separate(member: Member, start: dict[str, float]) -> dict[str, float]:
    """Return the fit of one problem alone, or where it has none, from where its search began."""
    own = member.problem
    begin = member.given["start"] | {n: start[t] for n, t in member.titles.items() if t in start}
    solution = solve(own, begin)
    table = solution.table[0]
    if solution.status[0] != newton.CONVERGED:
        sample = Sample(shown(representative(own), own.names), own.names)
        table = starts(own.base, sample, own.fixed, False)[0, 0].copy()
        table = np.pad(table, (0, len(own.names) - len(table)))
        for name, what in own.form.edges.items():
            table[own.names.index(name)] = statistic(own, what)[0]
    begin = {name: value for name, value in begin.items() if name not in own.form.edges}
    return {title: float(begin.get(n, table[own.names.index(n)])) for n, title in member.titles.items()}


def record(
    problem: JointProblem, solution: Solution, found: Certificate, known: dict[str, float], again: Again
) -> JointFit:
    """Return the JointFit, with the exact NLL of each problem."""
    params = dict(zip(problem.names, map(float, solution.table[0]), strict=True)) | known
    converged = bool(found.converged[0])
    result = JointFit(
        problem.base, params, problem.free, found.cov[0], float(solution.loss[0]), int(problem.rows[0]),
        float(problem.weight[0]), converged, bool(found.cov_ok[0]), found.at_boundary[0], found.warnings[0],
        iterations=int(solution.steps[0]),
        read=int(problem.rows[0] + problem.missing[0] + problem.unweighted[0]),
        missing=int(problem.missing[0]), unweighted=int(problem.unweighted[0]),
        impossible=0 if converged else int(solution.impossible[0]),
        source=problem.bound.description, again=again,
    )  # fmt: skip
    passes = sum(member.problem.passes for member in problem.members)
    result = replace(result, passes=passes, terms={member.name: member.term for member in problem.members})
    return scored(result, problem.members) if converged else result


def scored(result: JointFit, members: list[Member]) -> JointFit:
    """Return a joint fit with the exact NLL of each problem, and their sum."""
    losses: dict[str, float] = {}
    for member in members:
        given, dist = member.given, result.dists[member.name]
        options = {key: given[key] for key in ("sample_weight", "missing", "where", "threads")}
        losses[member.name] = score(given["y"], dist, given["data"], progress=False, **options).sum
    return replace(result, nll=math.fsum(losses.values()), passes=result.passes + len(losses), losses=losses)
