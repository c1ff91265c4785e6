"""Models of sequences as plain JSON types and back; what is read is data and runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError
from nll.results.load import number_of
from nll.tasks.sequences.probabilities import MOST_NUMBERS

VERSION = 1
KIND = "sequence model"
DEEPEST = 24  # axes
Array = npt.NDArray[Any]


def header(model: Any) -> dict[str, Any]:
    """Return what a saved model begins with."""
    return {"nll": KIND, "version": VERSION, "model": type(model).__name__}


def checked(saved: Any, cls: type) -> Mapping[str, Any]:
    """Return a saved model as a mapping; DataError if it is none of this class."""
    if not isinstance(saved, Mapping) or saved.get("nll") != KIND or saved.get("version") != VERSION:
        raise DataError(f'this is no saved model of sequences: expected "nll": "{KIND}", "version": {VERSION}')
    if saved.get("model") != cls.__name__:
        raise DataError(f"this is a saved {str(saved.get('model'))[:40]!r}, and no {cls.__name__}")
    return saved


def numbers_of(name: str, value: Any) -> Array:
    """Return nested lists of numbers as an array; null is NaN."""

    def read(given: Any, depth: int) -> Any:
        if isinstance(given, list):
            if depth >= DEEPEST or len(given) > MOST_NUMBERS:
                raise DataError(f"{name} of a saved model is nested too deeply, or too long")
            return [read(each, depth + 1) for each in given]
        return number_of(given)

    try:
        return np.array(read(value, 0), np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{name} of a saved model is rows of numbers, of one length each") from error


def model_from_dict(saved: Any) -> Any:
    """Return any saved model of sequences.

    Examples
    --------
    >>> import nll
    >>> chain = nll.MarkovChain(initial=[0.5, 0.5], transition=[[0.75, 0.25], [0.5, 0.5]])
    >>> model_from_dict(chain.to_dict())
    MarkovChain(order=1, states=2)
    """
    known = kinds()
    name = saved.get("model") if isinstance(saved, Mapping) else None
    if not isinstance(name, str) or name not in known:
        raise DataError(f"a saved model of sequences is one of {', '.join(known)}; got {str(name)[:40]!r}")
    return known[name].from_dict(saved)


def kinds() -> dict[str, Any]:
    """Return the classes of models by their names."""
    from nll.tasks.sequences.chain import MarkovChain, NGram
    from nll.tasks.sequences.hidden import HiddenMarkov

    return {cls.__name__: cls for cls in (MarkovChain, NGram, HiddenMarkov)}


def fit_from_dict(saved: Mapping[str, Any]) -> Any:
    """Return what `SequenceFit.to_dict` wrote; a KeyError, TypeError or ValueError tells that it did not."""
    from nll.results.load import numbers_from_dict, whole_of
    from nll.results.sequence_fit import SequenceFit

    model = None if saved["model"] is None else model_from_dict(saved["model"])
    family = kinds().get(saved["family"])
    if family is None or (model is not None and type(model) is not family):
        raise ValueError(f"a fit of {str(saved['family'])[:40]!r}, which its model is not")
    links = tuple((str(name), str(link)) for name, link in saved["links"].items())
    rest = numbers_from_dict(saved, list(saved["params"]))
    counts: dict[str, Any] = {name: whole_of(saved[name]) for name in ("sequences", "starts", "reached", "collapsed")}
    return SequenceFit(
        family, **rest, fitted=model, parameters=whole_of(saved["k"]), links=links,
        pseudo_count=number_of(saved["pseudo_count"]), **counts,
    )  # fmt: skip
