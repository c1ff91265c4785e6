"""Hidden Markov models: a chain that nobody sees, and observations that depend on its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.families.constraints import Probability
from nll.families.family import Family
from nll.kernels.forward import decoded, filtered, smoothed
from nll.tasks.sequences import saving
from nll.tasks.sequences.bound import Sequences
from nll.tasks.sequences.model import SequenceModel, drawn_class
from nll.tasks.sequences.probabilities import probabilities, stationary

Array = npt.NDArray[Any]
MOST_STATES = 1024


class HiddenMarkov(SequenceModel):
    """HiddenMarkov(initial p, transition A, emission): observations of a chain of K states that is not seen.

        p(y) = sum over s_1, ..., s_T of p[s_1] f(y_1 | s_1) A[s_1, s_2] f(y_2 | s_2) ... A[s_(T-1), s_T] f(y_T | s_T)

    The loss of a step is -log p(y_t | y before), by the forward algorithm; those of a sequence add up to -log p(y).

        nll.HiddenMarkov(initial=[0.5, 0.5], transition=[[0.9, 0.1], [0.2, 0.8]],
                         emission=nll.Normal(loc=[0.0, 3.0], scale=[1.0, 2.0]))         a distribution
        nll.HiddenMarkov(states=2, emission=nll.Normal)                                 what nll.fit is to find

    Parameters
    ----------
    initial : (K,) probabilities of the first state, or "stationary". In a description for `nll.fit`: "free" (the
        default) or "stationary".
    transition : (K, K) rows of probabilities.
    emission : a distribution whose parameters have one value a state, (K,), or one for all; of `Categorical` a matrix
        (K, classes). Or a list of K distributions, which may be of several families. For a fit, a family.
    states : K, for a fit.

    Source: W. Zucchini and I. L. MacDonald, Hidden Markov Models for Time Series (2009), section 2.3.

    Examples
    --------
    >>> import nll
    >>> model = nll.HiddenMarkov(
    ...     initial=[0.5, 0.5], transition=[[0.9, 0.1], [0.2, 0.8]], emission=nll.Poisson(rate=[1.0, 6.0])
    ... )
    >>> model.decode([0, 1, 7, 5, 1]).tolist()
    [0, 0, 1, 1, 0]
    >>> model.posterior([0, 1, 7, 5, 1]).round(3)[:, 1].tolist()
    [0.003, 0.036, 0.999, 0.981, 0.137]
    """

    parameters: ClassVar = {"initial": Probability, "transition": Probability}

    def __init__(
        self, initial: Any = None, transition: Any = None, emission: Any = None, *, states: int | None = None
    ) -> None:
        self.start = initial if isinstance(initial, str) else "free"
        if self.start not in ("free", "stationary"):
            raise UsageError(f"initial is probabilities, 'free' or 'stationary'; got {initial!r}")
        self.emissions: tuple[Family, ...] = ()
        self.form: type[Family] | None = None
        if isinstance(emission, type) and issubclass(emission, Family):
            self._describe(initial, transition, emission, states)
        else:
            self._set(initial, transition, emission, states)

    def _describe(self, initial: Any, transition: Any, emission: type[Family], states: Any) -> None:
        if transition is not None or (initial is not None and not isinstance(initial, str)):
            raise UsageError(
                f"the emission is the family {emission.__name__} without numbers: then a fit finds all others"
            )
        if isinstance(states, bool) or not isinstance(states, int) or not 1 <= states <= MOST_STATES:
            raise UsageError(f"nll.HiddenMarkov(states=2, emission=nll.{emission.__name__}): how many; got {states!r}")
        self._states, self.form = states, emission

    def _set(self, initial: Any, transition: Any, emission: Any, states: Any) -> None:
        unset = initial is None or (isinstance(initial, str) and initial == "free")
        if transition is None or unset or emission is None:
            raise UsageError(f"{self.signature()}: all have numbers, or emission is a family and states= says how many")
        table = probabilities("transition", transition)
        if table.ndim != 2 or table.shape[0] != table.shape[1]:
            raise DataError(f"transition is a matrix (K, K); got the shape {table.shape}")
        k = len(table)
        if k > MOST_STATES:
            raise UsageError(f"a hidden Markov model has at most {MOST_STATES:,} states; got {k:,}")
        if states is not None and states != k:
            raise UsageError(f"transition has {k} states; states={states!r}")
        self._states, self.transition = k, table
        self.initial = stationary(table) if isinstance(initial, str) else probabilities("initial", initial)
        if self.initial.shape != (k,):
            raise DataError(f"initial has one probability a state, ({k},); got the shape {self.initial.shape}")
        self.emissions = tuple(by_state(emission, k))
        if len({part.discrete for part in self.emissions}) > 1 or len({bool(p.event) for p in self.emissions}) > 1:
            raise UsageError("the emissions of all states are densities, or probabilities of discrete values: not both")

    @property
    def states(self) -> int:
        """The number of states."""
        return self._states

    @property
    def known(self) -> bool:
        """Whether the model has numbers."""
        return bool(self.emissions)

    @property
    def vectors(self) -> bool:
        """Whether one observation is a row of numbers."""
        form = self.form or type(self.emissions[0])
        return hasattr(form, "arrange")

    @property
    def stationary(self) -> Array:
        """The distribution (K,) of states that the chain keeps."""
        self.need_numbers("a stationary distribution")
        return stationary(self.transition)

    def step_losses(self, bound: Sequences, threads: int | None = None) -> Array:
        """Return -log p(y_t | y before) of each step (n,), in nats; NaN after an impossible one."""
        losses = emission_losses(self.emissions, bound, threads)
        return filtered(losses, bound.bounds, self.initial, self.transition).steps

    def posterior(self, y: Any, data: Any = None, *, threads: int | None = None, **options: Any) -> Any:
        """Return P(state | the whole sequence) of each step, (n, K), or a list of such for a list of sequences.

        Parameters
        ----------
        y, data : observations, as in `nll.score`.
        options : ``lengths``, ``sequence``, ``labels``, ``missing``, ``where``, as in `nll.score`.
        """
        bound = self.bind(y, data, **options)
        found = filtered(
            emission_losses(self.emissions, bound, threads), bound.bounds, self.initial, self.transition, keep=True
        )
        refuse_impossible(bound, found.steps)
        return bound.split(smoothed(found, bound.bounds, self.transition)[0])

    def decode(self, y: Any, data: Any = None, *, threads: int | None = None, **options: Any) -> Any:
        """Return the most probable sequence of states (n,), or a list of such for a list of sequences.

        The states of `posterior` are the most probable one by one; these are so together. Of equally probable paths the
        one with the lowest numbers, from the end on.

        Parameters
        ----------
        y, data : observations, as in `nll.score`.
        options : ``lengths``, ``sequence``, ``labels``, ``missing``, ``where``, as in `nll.score`.

        Source: A. J. Viterbi, Error Bounds for Convolutional Codes and an Asymptotically Optimum Decoding Algorithm
        (1967).
        """
        bound = self.bind(y, data, **options)
        path = decoded(emission_losses(self.emissions, bound, threads), bound.bounds, self.initial, self.transition)
        if (path < 0).any():
            refuse_impossible(bound, np.where(path < 0, np.inf, 0.0))
        return bound.split(path)

    def draw(self, length: int, rng: np.random.Generator) -> Array:
        """Return one random sequence."""
        path = np.empty(length, np.int64)
        path[0] = drawn_class(self.initial, rng)
        for t in range(1, length):
            path[t] = drawn_class(self.transition[path[t - 1]], rng)
        out: Array | None = None
        for state, part in enumerate(self.emissions):
            at = np.flatnonzero(path == state)
            values = part.sample(len(at), rng)
            if out is None:
                out = np.empty((length, *values.shape[1:]))
            out[at] = values
        assert out is not None
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain types: data only."""
        from nll.families.saving import to_dict

        self.need_numbers("saving")
        numbers = {"initial": self.initial.tolist(), "transition": self.transition.tolist()}
        return saving.header(self) | numbers | {"emission": [to_dict(part) for part in self.emissions]}

    @classmethod
    def from_dict(cls, saved: Any) -> Self:
        """Return the model that `to_dict` wrote; DataError if it is none."""
        from nll.families.saving import from_dict

        parts: Mapping[str, Any] = saving.checked(saved, cls)
        emission = parts.get("emission")
        if not isinstance(emission, list) or not 1 <= len(emission) <= MOST_STATES:
            raise DataError("the emission of a saved hidden Markov model is a list of distributions, one a state")
        numbers: dict[str, Any] = {name: saving.numbers_of(name, parts.get(name)) for name in ("initial", "transition")}
        try:
            return cls(**numbers, emission=[from_dict(part) for part in emission])
        except UsageError as error:
            raise DataError(str(error)) from error

    def __repr__(self) -> str:
        if self.known:
            names = list(dict.fromkeys(part.family.__name__ for part in self.emissions))
            return f"HiddenMarkov(states={self.states}, emission={' | '.join(names)})"
        assert self.form is not None
        first = ", initial='stationary'" if self.start == "stationary" else ""
        return f"HiddenMarkov(states={self.states}, emission={self.form.family.__name__}{first})"


def by_state(emission: Any, states: int) -> list[Family]:
    """Return the distribution of each state."""
    if isinstance(emission, Sequence) and not isinstance(emission, str):
        parts = list(emission)
        if not all(isinstance(part, Family) for part in parts) or len(parts) != states:
            raise UsageError(f"emission is a list of {states} distributions, one a state; got {emission!r:.80}")
    elif isinstance(emission, Family):
        theta = {name: _by_state(emission, name, states) for name in emission.parameters}
        parts = [type(emission)(**{name: values[s] for name, values in theta.items()}) for s in range(states)]
    else:
        raise UsageError(f"emission is a distribution with a value a state, or a list of such; got {emission!r:.80}")
    for part in parts:
        if hasattr(part, "arrange") or part.event:
            continue
        from nll.families.values import numbers

        numbers(part)  # refuses what is not valid
    return parts


def _by_state(emission: Family, name: str, states: int) -> Array:
    """Return the values of a parameter by state."""
    axes = own_axes(emission, name)
    try:
        value = np.asarray(emission.theta[name], np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"{name} of the emission holds numbers, one a state; got {emission.theta[name]!r}") from None
    if value.ndim == axes or (axes == 1 and value.ndim == 0 and hasattr(emission, "columnwise")):
        return np.broadcast_to(value, (states, *value.shape))
    if value.ndim != axes + 1 or len(value) != states:
        want = f"({', '.join([str(states), *['.'] * axes])}{',' if not axes else ''})"
        raise UsageError(f"{name} of the emission has one entry a state, {want}; got the shape {value.shape}")
    return value


def own_axes(emission: Family, name: str) -> int:
    """Return how many axes a parameter has for one observation."""
    if hasattr(emission, "arrange") and not hasattr(emission, "columnwise") and name != "loc":
        return 2
    return 1 if emission.event or hasattr(emission, "arrange") else 0


def emission_losses(parts: Sequence[Family], bound: Sequences, threads: int | None = None) -> Array:
    """Return -log f(y | state) of each observation (n, K), 0 where it is missing.

    Of a discrete family each value is done once.
    """
    from nll.tasks.score import rows

    present = np.arange(len(bound.y)) if bound.missing is None else np.flatnonzero(~bound.missing)
    y = bound.y if bound.missing is None else bound.y[present]
    check_observations(parts[0], bound, y, present)
    repeated = parts[0].discrete and y.ndim == 1
    values, where = np.unique(y, return_inverse=True) if repeated else (y, None)
    out = np.zeros((len(bound.y), len(parts)))
    for state, part in enumerate(parts):
        losses = rows(values, part, threads=threads) if len(values) else np.empty(0)
        losses = losses if where is None else losses[where.reshape(-1)]
        if losses.size and losses.min() == -np.inf:
            place = bound.locate(int(present[np.argmin(losses)]))
            raise DataError(f"the density of state {state} is infinite at {place}: there is no finite likelihood")
        if bound.missing is None:
            out[:, state] = losses
        else:
            out[present, state] = losses
    return out


def check_observations(part: Family, bound: Sequences, y: Array, present: Array) -> None:
    """Refuse what cannot be observed, here, where the places of rows are known."""
    if y.ndim != 1:
        return
    value = np.asarray(y, np.float64)
    with np.errstate(invalid="ignore"):
        wrong = ~np.asarray(part.observations.contains(value), bool)  # type: ignore[arg-type]
    words = part.observations.words
    if hasattr(part, "soft_form"):
        classes = np.shape(next(iter(part.theta.values())))[-1]
        wrong |= value >= classes
        words = f"a class, a whole number in 0 .. {classes - 1}"
    if wrong.any():
        at = int(np.argmax(wrong))
        place = bound.locate(int(present[at]))
        raise DataError(f"{bound.name} must be {words} for {part.family.__name__}; {place} has {float(value[at])!r}")


def refuse_impossible(bound: Sequences, steps: Array) -> None:
    """Raise the error for sequences whose likelihood is 0."""
    wrong = np.flatnonzero(steps == np.inf)
    if wrong.size:
        raise DataError(
            "no sequence of states explains the observations: the likelihood is 0 "
            f"from {bound.locate(int(wrong[0]))} on"
        )
