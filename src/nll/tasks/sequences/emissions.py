"""The emissions of a hidden Markov model as a search sees them: losses by state, weighted fits, gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.families.bernoulli import Bernoulli
from nll.families.categorical import Categorical
from nll.families.exponential import Exponential
from nll.families.family import Family
from nll.families.normal import Normal
from nll.families.poisson import Poisson
from nll.kernels.curvature import curvature_kernel
from nll.kernels.forward import logs_of
from nll.kernels.kernel import kernel, observed
from nll.states.curvature import Curvature
from nll.tasks.fit.links import Links
from nll.tasks.fit.problem import Part, free_names
from nll.tasks.fit.starts import Sample, starts
from nll.tasks.sequences.bound import Sequences
from nll.tasks.sequences.chain import class_codes
from nll.tasks.sequences.hidden import check_observations

Array = npt.NDArray[Any]
NEWTON_STEPS = 4  # of one weighted fit: the next round of the search brings other weights
HALVINGS = 12
LEAST = 1e-300


def emissions(bound: Sequences, form: type[Family], states: int, fixed: Mapping[str, Any]) -> Numbers | Classes:
    """Return the emissions of observations under a family; UsageError where it cannot be searched for."""
    if form is Categorical:
        if fixed:
            raise UsageError(
                f"the probabilities of a Categorical emission are all fitted; got fixed {', '.join(fixed)}"
            )
        return Classes(bound, states)
    if form.event or form.loss is None or hasattr(form, "arrange"):
        raise UsageError(
            f"a hidden Markov model is not fitted with {form.signature()}: it scores with it, given numbers"
        )
    if form.edges:
        raise UsageError(
            f"{form.signature()}: its {', '.join(form.edges)} is a statistic of the sample, not searched for"
        )
    return Numbers(bound, form, states, fixed)


class Numbers:
    """Emissions of a family of single numbers, in K states: tables of parameters (K, p), one row a state.

    Attributes
    ----------
    names : the free parameters of one state. links : the map of each to the real line.
    size : how many coordinates a state has on these lines.
    """

    def __init__(self, bound: Sequences, form: type[Family], states: int, fixed: Mapping[str, Any]) -> None:
        present = bound.observed()
        values = np.asarray(bound.y[present], np.float64)
        self.form, self.states, self.present = form, states, present
        self.known = _fixed(form, states, fixed)
        self.names = free_names(form, lambda name: name in self.known)
        check_observations(form(**dict.fromkeys(form.parameters, 1.0)), bound, values, np.flatnonzero(present))
        self.discrete = form.observations.discrete
        self.values, where = np.unique(values, return_inverse=True)
        self.where = where.reshape(-1)
        self.y = self.values if self.discrete else values
        self.link = Links.of(form, self.names)
        self.links = tuple((name, form.parameters[name].link or "identity") for name in self.names)
        self.size = len(self.link.coordinates)
        self.places = tuple(list(form.parameters).index(name) for name in self.names)
        self.ready = observed(self.y)
        outside = [] if form.inside is not None else np.flatnonzero(~np.asarray(form.support.contains(values), bool))  # type: ignore[arg-type]
        self.outside = -1 if not len(outside) else int(np.flatnonzero(present)[outside[0]])  # impossible in any state

    def losses(self, table: Array) -> Array:
        """Return -log f(y | state) of each observation (n, K), 0 where it is missing."""
        out = np.zeros((len(self.present), self.states))
        for state, theta in enumerate(table):
            own = kernel(self.form).rows(self.ready, tuple(map(float, theta)))
            out[self.present, state] = own[self.where] if self.discrete else own
        return out

    def gathered(self, weights: Array) -> Array:
        """Return weights (n, K) of all steps as those (K, m) of the numbers that are gone through."""
        own = weights[self.present]
        if not self.discrete:
            return np.ascontiguousarray(own.T)
        return np.stack([np.bincount(self.where, w, minlength=len(self.values)) for w in own.T])

    def start(self, weights: Array) -> Array:
        """Return the family's own start for each state."""
        w = self.gathered(weights)
        m, k = len(self.y), self.states
        columns = (None,) * len(self.form.parameters)
        lower = np.arange(k, dtype=np.int64) * m
        part = Part(np.tile(self.y, k), columns, w.reshape(-1), np.arange(k), lower, lower + m)
        shared = {name: float(v[0]) for name, v in self.known.items() if (v == v[0]).all()}
        found = starts(self.form, Sample(part, list(self.form.parameters)), shared, several=False)[:, 0]
        for name, value in self.known.items():
            found[:, list(self.form.parameters).index(name)] = value
        return found

    def improved(self, table: Array, weights: Array) -> Array:
        """Return the weighted maximum where it is closed, and otherwise a table that is nearer to it."""
        w = self.gathered(weights)
        closed = CLOSED.get(self.form) if not self.known else None
        if closed is not None:
            return closed(self.y, w)
        place = self.inward(table)
        value, gradient, hessian = self._sums(place, w)
        for _ in range(NEWTON_STEPS):
            step = np.stack([downhill(g, h) for g, h in zip(gradient, hessian, strict=True)])
            if not (np.abs((gradient * step).sum(axis=1)) > 1e-9).any():
                break
            scale, trial = np.ones((self.states, 1)), self._sums(place + step, w)
            for halving in range(HALVINGS):
                worse = ~(trial[0] <= value)
                if not worse.any():
                    break
                scale[worse] *= 0.25 if halving < HALVINGS - 1 else 0.0
                trial = self._sums(place + scale * step, w)
            place, (value, gradient, hessian) = place + scale * step, trial
        return self.outward(place)[0]

    def _sums(self, coordinates: Array, w: Array) -> tuple[Array, Array, Array]:
        mapped = self.link.outward(coordinates)
        found = self._curvature(self._table(mapped.theta), w)
        gradient, hessian = self.link.curved(mapped, found.gradient, found.hessian)
        return np.where(found.counts.any(axis=1), np.inf, found.nll), gradient, hessian

    def _curvature(self, table: Array, w: Array) -> Curvature:
        m, k = len(self.y), self.states
        lower = np.arange(k, dtype=np.int64) * m
        columns = (None,) * len(self.form.parameters)
        found = Curvature.zeros(k, len(self.places))
        sums = curvature_kernel(self.form, self.places)(
            np.tile(self.y, k), columns, table, w.reshape(-1), lower, lower + m
        )
        found.add(sums, np.arange(k))
        return found

    def _table(self, theta: Array) -> Array:
        table = np.empty((self.states, len(self.form.parameters)))
        table[:, self.places] = theta
        for name, value in self.known.items():
            table[:, list(self.form.parameters).index(name)] = value
        return table

    def inward(self, table: Array) -> Array:
        """Return the coordinates (K, size) of a table; `Links.inward` would move those at an end inside."""
        out = np.array(table[:, self.places])
        for k, kind in enumerate(self.link.kinds):
            x = out[:, k]
            if kind == "log":
                out[:, k] = np.log(np.maximum(x, LEAST))
            elif kind == "logit":
                x = np.clip(x, LEAST, 1.0 - 2.0**-53)
                out[:, k] = np.log(x) - np.log1p(-x)
        for block in self.link.blocks:
            logs = np.log(np.maximum(out[:, block], LEAST))
            out[:, block] = logs - logs[:, -1:]
        return out[:, self.link.coordinates]

    def outward(self, coordinates: Array) -> tuple[Array, Array]:
        """Return the table, and the Jacobian (K, free, size) of its free parameters."""
        mapped = self.link.outward(coordinates)
        return self._table(mapped.theta), mapped.jacobian

    def slopes(self, coordinates: Array, weights: Array) -> tuple[Array, Array]:
        """Return the derivatives of the weighted sums of losses in the coordinates: first, second of each alone."""
        _, gradient, hessian = self._sums(coordinates, self.gathered(weights))
        return gradient, np.einsum("kii->ki", hessian)

    def distribution(self, table: Array) -> Family:
        """Return the distribution with a value a state."""
        return self.form(**dict(zip(self.form.parameters, table.T.copy(), strict=True)))

    def means(self, table: Array) -> Array:
        """Return the means by state; the first parameter where there are none."""
        mean = self.form.mean
        with np.errstate(all="ignore"):
            found = np.full(self.states, np.nan) if mean is None else np.asarray(mean(*table.T), np.float64)
        return found if found.shape == (self.states,) and np.isfinite(found).all() else table[:, self.places[0]]

    def peaked(self, weights: Array) -> Array:
        """Return which states have all but a thousandth of their weight on one value."""
        if self.discrete or len(self.names) < 2:
            return np.zeros(self.states, bool)
        own = weights[self.present]
        most = [np.bincount(self.where, w, minlength=len(self.values)).max() for w in own.T]
        return np.array(most) > 0.999 * own.sum(axis=0)


class Classes:
    """Emissions of one of several classes, in K states: tables of probabilities (K, classes), one row a state."""

    form: type[Family] = Categorical

    def __init__(self, bound: Sequences, states: int) -> None:
        self.present, self.states = bound.observed(), states
        codes = class_codes(bound, None)
        most = 2**20 // states
        self.codes = codes[self.present]
        classes = int(self.codes.max()) + 1 if len(self.codes) else 1
        if classes > most:
            raise DataError(
                f"{bound.name} has classes up to {classes - 1:,}; with {states} states at most {most:,} are fitted"
            )
        self.names = tuple(f"probs_{c}" for c in range(classes))
        self.outside = -1
        self.links = tuple((name, "logit") for name in self.names)

    def losses(self, table: Array) -> Array:
        """Return -log p of each observation (n, K), 0 where it is missing."""
        out = np.zeros((len(self.present), self.states))
        out[self.present] = (0.0 - logs_of(table)).T[self.codes]
        return out

    def gathered(self, weights: Array) -> Array:
        """Return the weight of each class in each state (K, classes)."""
        return np.stack([np.bincount(self.codes, w, minlength=len(self.names)) for w in weights[self.present].T])

    def start(self, weights: Array) -> Array:
        """Return the shares of the classes."""
        return self.improved(np.empty(0), weights)

    def improved(self, table: Array, weights: Array) -> Array:
        """Return the shares of the classes."""
        found = self.gathered(weights)
        return found / found.sum(axis=1, keepdims=True)

    def distribution(self, table: Array) -> Family:
        """Return the distribution with a row a state."""
        return Categorical(probs=table)

    def means(self, table: Array) -> Array:
        """Return the mean class by state."""
        return table @ np.arange(table.shape[1])

    def peaked(self, weights: Array) -> Array:
        """Return that none does: probabilities are bounded."""
        return np.zeros(self.states, bool)


def _fixed(form: type[Family], states: int, fixed: Mapping[str, Any]) -> dict[str, Array]:
    """Return what is known of the emission, one value a state."""
    given = dict(getattr(form, "defaults", {})) | dict(fixed)
    found: dict[str, Array] = {}
    for name, value in given.items():
        if name not in form.parameters:
            raise UsageError(f"{form.family.__name__} has no parameter {name!r} to be fixed: {form.signature()}")
        if isinstance(value, str) or np.shape(value) not in ((), (states,)):
            raise UsageError(
                f"fixed {name} of an emission is a number, or one for each of {states} states; got {value!r}"
            )
        found[name] = np.array(np.broadcast_to(np.asarray(value, np.float64), states))
        for each in found[name]:
            if not form.parameters[name].contains(np.float64(each)):
                raise DataError(
                    f"{name} must be {form.parameters[name].words} for {form.family.__name__}; got {each!r}"
                )
    return found


def downhill(gradient: Array, hessian: Array) -> Array:
    """Return Newton's step, along directions of negative curvature by the size of that, at most 5 units long."""
    if not (np.isfinite(gradient).all() and np.isfinite(hessian).all()):
        return np.zeros_like(gradient)
    values, vectors = np.linalg.eigh(hessian)
    size = np.maximum(np.abs(values), 1e-10 * max(1e-300, float(np.abs(values).max())))
    step = -vectors @ ((vectors.T @ gradient) / size)
    longest = float(np.abs(step).max(initial=0.0))
    return step if longest <= 5.0 else step * (5.0 / longest)


def _normal(y: Array, w: Array) -> Array:
    total = w.sum(axis=1)
    mean = (w @ y) / total
    gap = y[None, :] - mean[:, None]
    return np.stack([mean, np.sqrt((w * gap * gap).sum(axis=1) / total)], axis=1)


def _mean(y: Array, w: Array) -> Array:
    return ((w @ y) / w.sum(axis=1))[:, None]


def _rate(y: Array, w: Array) -> Array:
    return 1.0 / _mean(y, w)


# Weighted maxima that are closed, of numbers (m,) and weights (K, m): tables (K, p).
CLOSED: dict[Any, Any] = {Normal: _normal, Poisson: _mean, Exponential: _rate, Bernoulli: _mean}
