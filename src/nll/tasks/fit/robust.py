"""Covariances of estimates that the Hessian at the maximum does not give: expected information, and sandwiches.

The sandwich is A B A, with A the inverse of the observed Hessian and B the sum of the outer products of the rows'
(or the clusters') gradients. Sources: P. J. Huber, The behavior of maximum likelihood estimates under nonstandard
conditions (1967); K.-Y. Liang and S. L. Zeger, Longitudinal data analysis using generalized linear models (1986),
for clusters, whose factor M / (M - 1) for M clusters is that of most packages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import UsageError, unknown
from nll.tasks.chunks import Inputs
from nll.tasks.compare.gradients import gradients
from nll.tasks.fit.certify import Certificate
from nll.tasks.fit.links import Links
from nll.tasks.fit.problem import Problem
from nll.tasks.fit.solve import Solution
from nll.tasks.information import UNDERFLOW, log_prob, mean_parts, places
from nll.tasks.keys import group_codes

Array = npt.NDArray[Any]
KINDS = ("observed", "expected", "robust", "cluster")


def check_kind(cov: str, cluster: Any) -> None:
    """Refuse a kind of covariance that there is not."""
    if cov not in KINDS:
        raise UsageError(unknown("covariance", cov, KINDS))
    if (cluster is not None) != (cov == "cluster"):
        raise UsageError("cov='cluster' needs cluster=, and cluster= needs cov='cluster'")


def replaced(problem: Problem, solution: Solution, found: Certificate, cov: str, bound: Inputs) -> None:
    """Put other covariances in the place of the observed ones.

    Parameters
    ----------
    bound : the rows, with clusters as their last key for "cluster".
    """
    if cov == "expected":
        expected(problem, solution, found)
        return
    meat, clusters = sums_of_products(problem, solution, bound)
    for g in range(len(found.cov)):
        known = np.flatnonzero(np.isfinite(np.diagonal(found.cov[g])))
        if known.size == 0:
            continue
        factor = 1.0
        if cov == "cluster":
            factor = clusters[g] / (clusters[g] - 1.0) if clusters[g] > 1 else math.nan
        if math.isnan(factor):
            found.cov_ok[g] = False
            found.warnings[g] = (*found.warnings[g], "there is 1 cluster: its errors cannot be told from it alone")
        inner = np.ix_(known, known)
        bread = found.cov[g][inner]
        found.cov[g][inner] = factor * (bread @ meat[g][inner] @ bread)


@dataclass(slots=True)
class Clusters:
    """The sum of gradients of each cluster, as they come."""

    places: dict[Any, int] = field(default_factory=dict)
    groups: list[int] = field(default_factory=list)
    sums: list[Array] = field(default_factory=list)

    def add(self, codes: Array, keys: list[Any], groups: dict[Any, int], rows: Array) -> None:
        """Add the gradients of rows, whose keys end with that of the cluster."""
        for code in np.unique(codes).tolist():
            key = keys[code]
            at = self.places.setdefault(key, len(self.places))
            if at == len(self.sums):
                self.groups.append(groups[key[:-1]])
                self.sums.append(np.zeros(rows.shape[1]))
        where = np.array([self.places.get(key, -1) for key in keys])[codes]
        table = np.zeros((len(self.sums), rows.shape[1]))
        np.add.at(table, where, rows)
        for at in np.unique(where).tolist():
            self.sums[at] = self.sums[at] + table[at]


def sums_of_products(problem: Problem, solution: Solution, bound: Inputs) -> tuple[Array, Array]:
    """Return the sums (G, k, k) of the outer products of gradients, and the number of clusters of each group."""
    groups, k = len(problem.rows), len(problem.free)
    meat, clusters = np.zeros((groups, k, k)), Clusters()
    free = [problem.names.index(name) for name in problem.free]
    for chunk in bound.chunks():
        ready = problem.prepare(chunk)
        keep = slice(None) if ready.index is None else ready.index
        at, codes, keys = np.zeros(ready.size, np.int64), None, []
        if chunk.keys is not None:
            own = chunk.keys[:-1] if bound.cluster else chunk.keys
            if own:
                group, names = group_codes(own)
                at = np.array([problem.places.get(name, -1) for name in names])[group][keep]
            if bound.cluster:
                codes, keys = group_codes(chunk.keys)
                codes = np.asarray(codes)[keep]
        theta = tuple(
            t if np.ndim(t) else solution.table[at, j] if name in problem.free else np.full(ready.size, float(t))
            for j, (name, t) in enumerate(zip(problem.names, ready.theta, strict=True))
        )
        rows = gradients(problem.form, ready.y, theta)[:, free]
        if ready.weights is not None:
            rows = rows * ready.weights[:, None]
            rows[ready.weights == 0.0] = 0.0
        if codes is not None:
            clusters.add(codes, keys, problem.places, rows)
        else:
            np.add.at(meat, at, rows[:, :, None] * rows[:, None, :])
    if clusters.sums:
        sums, of_group = np.array(clusters.sums), np.array(clusters.groups)
        for g in np.unique(of_group).tolist():
            products = sums[of_group == g][:, :, None] * sums[of_group == g][:, None, :]
            # Exactly rounded, since clusters come in an order that may differ from run to run.
            meat[g] = [[math.fsum(products[:, i, j]) for j in range(k)] for i in range(k)]
    return meat, np.bincount(np.array(clusters.groups, np.int64), minlength=groups).astype(np.float64)


def expected(problem: Problem, solution: Solution, found: Certificate) -> None:
    """Put the inverse of n E[gradient gradient'] in the place of the observed covariances, by quadrature."""
    names, form = problem.names, problem.base
    by_row = [name for name in names if name not in problem.free and name not in problem.fixed]
    if problem.form is not form or by_row:
        seen = problem.form is not form
        what = "observations are censored or truncated" if seen else f"{by_row[0]} differs from row to row"
        raise UsageError(f"cov='expected' needs rows of one distribution; {what}: take cov='observed'")
    free = [names.index(name) for name in problem.free]
    free_of_edges = all(problem.form.edges.get(name, "median") == "median" for name in problem.free)
    links = Links.of(form, problem.free)
    for g in np.flatnonzero(found.converged).tolist():
        theta = solution.table[g]
        if not free_of_edges or found.at_boundary[g]:
            continue
        information = problem.weight[g] * information_of(form(**dict(zip(names, theta, strict=True))), theta, free)
        jacobian = links.outward(links.inward(theta[None, free])).jacobian[0]
        with np.errstate(all="ignore"):
            try:
                inverse = np.linalg.inv(jacobian.T @ information @ jacobian)
            except np.linalg.LinAlgError:
                inverse = np.full((jacobian.shape[1],) * 2, np.nan)
        found.cov[g] = jacobian @ inverse @ jacobian.T
        found.cov_ok[g] = bool((np.diagonal(found.cov[g]) > 0.0).all())
        if found.cov_ok[g]:
            found.warnings[g] = tuple(w for w in found.warnings[g] if "no standard error by curvature" not in w)


def information_of(dist: Any, theta: Array, free: list[int]) -> Array:
    """Return E[gradient gradient'] in the free parameters, of one observation."""
    size, anchors, density = len(free), places(dist), log_prob(dist)
    out = np.empty((size, size))
    for i in range(size):
        for j in range(i, size):

            def value(y: Array, i: int = i, j: int = j) -> tuple[Array, Array]:
                logs = density(y)
                inside = logs > UNDERFLOW  # what is less likely adds nothing, and its gradient may overflow
                amount = np.zeros(y.shape)
                rows = gradients(type(dist), y[inside], tuple(theta))
                amount[inside] = rows[:, free[i]] * rows[:, free[j]]
                return logs, amount

            out[i, j] = out[j, i] = math.fsum(mean_parts(dist, value, anchors))
    return out
