"""What a model of sequences is: how it is told from a family, and what all of them can say."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from nll.errors import UsageError
from nll.results.score import jsonable
from nll.tasks.sequences.bound import Sequences, sequences

Array = npt.NDArray[Any]


class SequenceModel(ABC):
    """A distribution of sequences; -log p of a sequence is the sum of the losses of its steps, each given those before.

    A subclass has `parameters`, as a family has, so that results print alike; an instance without numbers is a
    description of what to fit.
    """

    family: ClassVar[Any]
    parameters: ClassVar[dict[str, Any]] = {}
    simplexes: ClassVar[tuple[tuple[str, ...], ...]] = ()

    def __init_subclass__(cls) -> None:
        cls.family = cls

    @classmethod
    def signature(cls) -> str:
        """Return how the model is written."""
        return f"{cls.__name__}({', '.join(cls.parameters)})"

    @property
    @abstractmethod
    def states(self) -> int:
        """The number of states."""

    @property
    @abstractmethod
    def known(self) -> bool:
        """Whether the model has numbers, and is no description of what to fit."""

    @property
    def vectors(self) -> bool:
        """Whether one observation is a row of numbers."""
        return False

    @property
    def given(self) -> int:
        """How many first steps of a sequence are taken as given, and not scored."""
        return 0

    @abstractmethod
    def step_losses(self, bound: Sequences, threads: int | None = None) -> Array:
        """Return -log p(y_t | y before) of each step (n,), in nats; of one that is not scored, anything."""

    @abstractmethod
    def draw(self, length: int, rng: np.random.Generator) -> Array:
        """Return one random sequence."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain types: data only."""

    @classmethod
    @abstractmethod
    def from_dict(cls, saved: Any) -> Self:
        """Return the model that `to_dict` wrote; DataError if it is none."""

    def to_json(self) -> str:
        """Return the model as one valid JSON document."""
        return json.dumps(jsonable(self.to_dict()))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the model that `to_json` wrote."""
        from nll.families.saving import read_json

        return cls.from_dict(read_json(text))

    def sample(self, n: Any, rng: Any = None) -> Any:
        """Return a random sequence of n steps, or a list of sequences for a list of lengths.

        Parameters
        ----------
        n : the number of steps, or a list of such, one a sequence.
        rng : a NumPy Generator, or a seed.
        """
        self.need_numbers("a sample")
        generator = np.random.default_rng(rng)
        sizes = list(n) if isinstance(n, (list, tuple, np.ndarray)) else [n]
        for size in sizes:
            if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
                raise UsageError(f"sample(n) draws n steps, a whole number of at least 1; got {size!r}")
        drawn = [self.draw(int(size), generator) for size in sizes]
        return drawn if isinstance(n, (list, tuple, np.ndarray)) else drawn[0]

    def need_numbers(self, what: str) -> None:
        """Refuse a model that is only a description of what to fit."""
        if not self.known:
            raise UsageError(
                f"{what} needs a {type(self).__name__} with numbers: this one says what nll.fit is to find"
            )

    def bind(self, y: Any, data: Any = None, **options: Any) -> Sequences:
        """Return the sequences that the arguments of a task mean."""
        self.need_numbers("this")
        return sequences(y, data, vectors=self.vectors, **options)


def is_sequence_model(dist: Any) -> bool:
    """Whether something is a model of sequences, or such a class.

    Examples
    --------
    >>> import nll
    >>> is_sequence_model(nll.Normal(0.0, 1.0))
    False
    """
    return isinstance(dist, SequenceModel) or (isinstance(dist, type) and issubclass(dist, SequenceModel))


def drawn_class(probabilities: Array, rng: np.random.Generator) -> int:
    """Return a random index with these probabilities; none whose probability is 0."""
    ends = np.cumsum(probabilities)
    at = int(np.searchsorted(ends, rng.random() * ends[-1], side="right"))
    return min(at, int(np.flatnonzero(probabilities)[-1]))
