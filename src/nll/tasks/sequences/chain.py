"""Markov chains: what comes next depends on the last few symbols alone; n-grams are the same by another name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.families.constraints import Probability
from nll.families.values import mapped
from nll.kernels.forward import filtered
from nll.numerics.elementary import log
from nll.tasks.sequences import saving
from nll.tasks.sequences.bound import Sequences
from nll.tasks.sequences.model import SequenceModel, drawn_class
from nll.tasks.sequences.probabilities import MOST_NUMBERS, probabilities, stationary

Array = npt.NDArray[Any]
INITIAL = ("free", "stationary", "given")


class MarkovChain(SequenceModel):
    """MarkovChain(initial p, transition A): a chain of the states 0, 1, ..., K - 1.

        -log p(y) = -log p[y_1] - sum_t log A[y_(t-1), y_t]

    A chain of order k has a transition of k + 1 axes, A[y_(t-k), ..., y_(t-1), y_t], and an initial of k axes: the
    probabilities of the first k states together.

        nll.MarkovChain(initial=[0.5, 0.5], transition=[[0.9, 0.1], [0.4, 0.6]])        a distribution
        nll.MarkovChain(order=2, pseudo_count=0.5)                                      what nll.fit is to find

    Parameters
    ----------
    initial : probabilities of the first state; "stationary" for those that the chain tends to; "given" where the first
        k states are known and not scored. In a description for `nll.fit`: "free" (the default) or "given".
    transition : rows of probabilities. A row of NaN is not known; to need it is an error.
    order, states : for `nll.fit`: k, 1 without; and the number of states, by the data without.
    pseudo_count : for `nll.fit`: added to each count of a symbol after a context, 0 without.

    Source: P. Billingsley, Statistical Methods in Markov Chains (1961).

    Examples
    --------
    >>> import nll
    >>> chain = nll.MarkovChain(initial=[0.5, 0.5], transition=[[0.75, 0.25], [0.5, 0.5]])
    >>> chain.stationary.round(4).tolist()
    [0.6667, 0.3333]
    >>> chain.sample(8, rng=0).tolist()
    [1, 0, 0, 0, 1, 1, 1, 1]
    """

    parameters: ClassVar = {"initial": Probability, "transition": Probability}

    def __init__(
        self, initial: Any = None, transition: Any = None, *, order: int | None = None, states: int | None = None,
        pseudo_count: float = 0.0,
    ) -> None:  # fmt: skip
        self.pseudo_count, self._order, self._states = _count(pseudo_count), order, states
        self.start = initial if isinstance(initial, str) else "free"
        if self.start not in INITIAL:
            raise UsageError(f"initial is probabilities, or one of {', '.join(map(repr, INITIAL))}; got {initial!r}")
        self.transition: Array | None = None
        self.initial: Array | None = None
        if transition is None:
            self._describe(initial)
        else:
            self._set(initial, transition)

    def _describe(self, initial: Any) -> None:
        if initial is not None and not isinstance(initial, str):
            raise UsageError(f"{self.signature()}: initial has numbers, and transition has none")
        if self.start == "stationary":
            raise UsageError("a fit finds an initial that is 'free' or 'given'; a stationary one has no closed fit")
        for name, value, least in (("order", self._order, 0), ("states", self._states, 1)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise UsageError(f"{name} is a whole number of at least {least}; got {value!r}")
        self._order = 1 if self._order is None else self._order

    def _set(self, initial: Any, transition: Any) -> None:
        if self.pseudo_count or self._order is not None or self._states is not None:
            raise UsageError("order, states and pseudo_count are for a fit; a chain with numbers has them in its shape")
        table = probabilities("transition", transition, holes=True)
        k = table.ndim - 1
        if len(set(table.shape)) > 1:
            raise DataError(f"transition has one entry a state on each axis, (K, ..., K); got the shape {table.shape}")
        if table.size > MOST_NUMBERS:
            raise UsageError(f"transition has at most {MOST_NUMBERS:,} numbers; got {table.size:,}")
        self._order, self._states, self.transition = k, table.shape[-1], table
        if isinstance(initial, str) and initial == "stationary":
            self.initial = np.ones(()) if k == 0 else self.stationary
        elif initial is not None and not isinstance(initial, str):
            self.initial = _joint(initial, table.shape[:-1])
        elif k == 0:
            self.initial = np.ones(())
        elif self.start != "given":
            raise UsageError("initial= is missing: probabilities, 'stationary', or 'given' to score what follows only")

    @property
    def order(self) -> int:
        """How many states before matter."""
        return self._order or 0

    @property
    def states(self) -> int:
        """The number of states."""
        self.need_numbers("the number of states")
        return self._states or 0

    @property
    def known(self) -> bool:
        """Whether the chain has numbers."""
        return self.transition is not None

    @property
    def wanted(self) -> int | None:
        """The number of states that a fit is asked for; None leaves it to the data."""
        return self._states

    @property
    def given(self) -> int:
        """How many first steps of a sequence are taken as given, and not scored."""
        return self.order if self.initial is None else 0

    @property
    def table(self) -> Array:
        """The transition probabilities."""
        self.need_numbers("this")
        assert self.transition is not None
        return self.transition

    @property
    def stationary(self) -> Array:
        """The distribution that the chain keeps: (K,), or of k states together for order k."""
        k, states = self.order, self.states
        if k <= 1:
            return self.table if k == 0 else stationary(self.table)
        contexts = states**k
        if contexts > 2048:
            raise UsageError(f"the stationary distribution is found of up to 2,048 contexts; got {contexts:,}")
        moves = np.zeros((contexts, contexts))
        rows = np.repeat(np.arange(contexts), states)
        moves[rows, rows % (contexts // states) * states + np.tile(np.arange(states), contexts)] = self.table.ravel()
        return stationary(moves).reshape((states,) * k)

    def step_losses(self, bound: Sequences, threads: int | None = None) -> Array:
        """Return -log p(y_t | y before) of each step (n,), in nats."""
        codes = class_codes(bound, self.states)
        if bound.missing is not None and self.order:
            return self._around_holes(bound, codes)
        k, out = self.order, np.full(len(codes), np.nan)
        if self.initial is not None:
            before = np.zeros(len(bound.bounds) - 1)
            for m in range(1, k + 1):
                at = bound.bounds[:-1] + m - 1
                inside = at < bound.bounds[1:]
                joint = _losses(self.initial.sum(axis=tuple(range(m, k))), _contexts(codes, at[inside], m))
                with np.errstate(invalid="ignore"):
                    out[at[inside]] = joint - before[inside]  # not a number after an impossible one
                before[inside] = joint
        at = np.flatnonzero(bound.step(k))
        own = _losses(self.table, _contexts(codes, at, k + 1))
        unknown = np.flatnonzero(np.isnan(own))
        if unknown.size:
            row = int(at[unknown[0]])
            context = ", ".join(str(c) for c in codes[row - k : row].tolist())
            raise DataError(
                f"the chain has no probabilities after {context} (a row of NaN), which {bound.locate(row)} needs: "
                "a fit with pseudo_count= has"
            )
        out[at] = own
        return out

    def _around_holes(self, bound: Sequences, codes: Array) -> Array:
        """Return the losses where some states were not seen: sums over what they may have been."""
        if self.order > 1 or self.initial is None:
            raise UsageError(f"{self!r} takes no sequences with missing states: order 1 with an initial does")
        if np.isnan(self.table).any():
            raise UsageError("missing states need every row of transition; one is not known (NaN)")
        losses = np.full((len(codes), self.states), np.inf)
        losses[np.arange(len(codes)), codes] = 0.0
        losses[~bound.observed()] = 0.0
        return filtered(losses, bound.bounds, self.initial, self.table).steps

    def draw(self, length: int, rng: np.random.Generator) -> Array:
        """Return one random sequence."""
        k = self.order
        if self.initial is None:
            raise UsageError(
                "a sample needs initial= probabilities or 'stationary': this chain takes its start as given"
            )
        out = np.empty(max(length, k), np.int64)
        if k:
            out[:k] = np.unravel_index(drawn_class(self.initial.ravel(), rng), self.initial.shape)
        for t in range(k, length):
            row = self.table[tuple(out[t - k : t])]
            if np.isnan(row).any():
                raise UsageError(f"the chain has no probabilities after {out[t - k : t].tolist()} (a row of NaN)")
            out[t] = drawn_class(row, rng)
        return out[:length]

    def to_dict(self) -> dict[str, Any]:
        """Return the chain as plain types: data only."""
        self.need_numbers("saving")
        initial = None if self.initial is None else self.initial.tolist()
        return saving.header(self) | {"initial": initial, "transition": self.table.tolist()}

    @classmethod
    def from_dict(cls, saved: Any) -> Self:
        """Return the chain that `to_dict` wrote; DataError if it is none."""
        parts: Mapping[str, Any] = saving.checked(saved, cls)
        transition = saving.numbers_of("transition", parts.get("transition"))
        initial = parts.get("initial")
        first: Any = "given" if initial is None else saving.numbers_of("initial", initial)
        if transition.ndim == 1:
            first = None
        try:
            return cls(initial=first, transition=transition)
        except UsageError as error:
            raise DataError(str(error)) from error

    def __repr__(self) -> str:
        name = type(self).__name__
        if self.known:
            return f"{name}(order={self.order}, states={self.states}{', initial=given' if self.given else ''})"
        smooth = f", pseudo_count={self.pseudo_count:g}" if self.pseudo_count else ""
        return f"{name}(order={self.order}{'' if self._states is None else f', states={self._states}'}{smooth})"


class NGram(MarkovChain):
    """NGram(n): the next symbol depends on the n - 1 before it; a `MarkovChain` of order n - 1.

    The first symbols of a sequence, which have fewer before them, are counted by themselves, as if each sequence began
    with n - 1 marks of its start.

        nll.fit(sequences, nll.NGram(3, pseudo_count=0.1, states=26))

    Parameters
    ----------
    n : how many symbols a context and what follows it have; by the shape of `transition` without.
    initial, transition, states, pseudo_count : as in `MarkovChain`.

    Source: D. Jurafsky and J. H. Martin, Speech and Language Processing, 2nd edition (2009), sections 4.2 and 4.5.1
    (additive smoothing).

    Examples
    --------
    >>> import nll
    >>> nll.NGram(3, pseudo_count=1.0)
    NGram(3, pseudo_count=1)
    """

    def __init__(
        self, n: int | None = None, *, initial: Any = None, transition: Any = None, states: int | None = None,
        pseudo_count: float = 0.0,
    ) -> None:  # fmt: skip
        if n is None and transition is None:
            raise UsageError("nll.NGram(3): how many symbols a context and what follows it have")
        if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
            raise UsageError(f"n of an n-gram is a whole number of at least 1; got {n!r}")
        order = None if transition is not None or n is None else n - 1
        super().__init__(initial, transition, order=order, states=states, pseudo_count=pseudo_count)
        if n is not None and n != self.order + 1:
            raise UsageError(f"the transition is that of a {self.order + 1}-gram; n={n}")

    def __repr__(self) -> str:
        states = "" if self._states is None else f", states={self._states}"
        smooth = f", pseudo_count={self.pseudo_count:g}" if self.pseudo_count else ""
        return f"NGram({self.order + 1}{states}{smooth})"


def class_codes(bound: Sequences, states: int | None) -> Array:
    """Return observations as whole numbers of states below `states`, of missing ones 0."""
    y = np.where(bound.observed(), bound.y, 0) if bound.missing is not None else bound.y
    y = np.asarray(y, np.float64)
    wrong = np.flatnonzero(~((y >= 0.0) & (y == np.floor(y)) & (y < (np.inf if states is None else states))))
    if wrong.size:
        row = int(wrong[0])
        ends = "" if states is None else f" .. {states - 1}"
        raise DataError(
            f"{bound.name} must be a state, a whole number in 0{ends or ', 1, ...'}; {bound.locate(row)} has {y[row]:g}"
        )
    return y.astype(np.int64)


def _count(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0.0 <= value < np.inf:
        raise UsageError(f"pseudo_count is a number of at least 0; got {value!r}")
    return float(value)


def _joint(initial: Any, shape: tuple[int, ...]) -> Array:
    """Return the probabilities of the first k states together."""
    found = np.asarray(initial, np.float64) if np.ndim(initial) else np.zeros(())
    if found.shape != shape:
        raise DataError(f"initial of a chain of order {len(shape)} has the shape {shape}; got {np.shape(initial)}")
    return probabilities("initial", found.reshape(-1)).reshape(shape)


def _contexts(codes: Array, at: Array, width: int) -> Array:
    """Return the last `width` states up to each row `at`, as indices on each axis (width, n)."""
    return np.stack([codes[at - d] for d in range(width - 1, -1, -1)])


def _losses(table: Array, index: Array) -> Array:
    """Return -log of a table at indices (axes, n), each probability once."""
    whole = table.size <= index.shape[1]
    values, where = np.unique(table if whole else table[tuple(index)], return_inverse=True)
    losses = -np.atleast_1d(mapped(log, values))[where.reshape(-1)] if values.size else np.empty(0)
    return losses.reshape(table.shape)[tuple(index)] if whole else losses
