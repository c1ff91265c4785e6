"""What `fit` returns for a family that observes rows: a Fit whose parameters are numbered, as loc_0."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from nll.errors import UsageError
from nll.families.bernoulli import Bernoulli
from nll.families.categorical import Categorical
from nll.families.family import Family
from nll.families.multivariatenormal import MultivariateNormal
from nll.families.saving import form_from_dict, form_to_dict
from nll.results import scale
from nll.results.fit import Fit
from nll.results.load import VERSION, numbers_from_dict, numbers_to_dict


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RowsFit(Fit):
    """A fit of a family that observes rows; its parameters are numbered, as loc_0 and covariance_0_1.

    Attributes
    ----------
    fitted : the fitted distribution; None where there is none.

    Examples
    --------
    >>> import nll
    >>> f = nll.load(nll.fit([0, 1, 1, 2], nll.Categorical).to_json())
    >>> f.params
    {'probs_0': 0.25, 'probs_1': 0.5, 'probs_2': 0.25}
    >>> nll.score([0, 1, 1, 2], f.dist).sum == f.nll
    True
    """

    fitted: Family | None = None

    @property
    def dist(self) -> Family:
        """The fitted distribution, which scores and samples."""
        if self.fitted is None:
            raise UsageError(f"there is no fitted distribution: {'; '.join(self.warnings)}")
        return self.fitted

    @property
    def k(self) -> int:
        """The number of free parameters; probabilities that sum to one count one less."""
        if self.family is Categorical:
            return len(self.free) - 1
        width = width_of(self.family, self.params)
        groups = [[f"{name}_{j}" for name in s] for s in scale.simplexes(part_of(self.family)) for j in range(width)]
        return len(self.free) - sum(any(name in self.free for name in group) for group in groups)

    def link(self, name: str) -> str:
        """Return the map of a parameter to the real line: "identity", "log" or "logit"."""
        if self.family is MultivariateNormal:
            what, *numbers = name.split("_")
            return "log" if what == "covariance" and numbers[0] == numbers[1] else "identity"
        if self.family is Categorical:
            return "logit"
        return self.family.parameters[name.rpartition("_")[0]].link or "identity"

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types; NaN and infinities stay floats."""
        out: dict[str, Any] = {"nll": "fit of rows", "version": VERSION, "family": form_to_dict(self.family)}
        return out | numbers_to_dict(self) | {"fitted": self.fitted is not None}


def part_of(form: type[Family]) -> type[Family]:
    """Return the family of each number of a row, where these are independent."""
    combined: Any = form
    return combined.parts[0] if hasattr(form, "columnwise") else form


def width_of(form: type[Family], names: Collection[str]) -> int:
    """Return how many numbers a row has, or how many classes there are, from the names of the parameters."""
    if form is Categorical:
        return len(names)
    if form is MultivariateNormal:
        return sum(name.startswith("loc_") for name in names)
    return len(names) // max(len(form.parameters), 1)


def names_of(form: type[Family], width: int) -> list[str]:
    """Return the numbered names of the parameters of rows of some width.

    Examples
    --------
    >>> import nll
    >>> names_of(nll.MultivariateNormal, 2)
    ['loc_0', 'loc_1', 'covariance_0_0', 'covariance_0_1', 'covariance_1_1']
    """
    if form is MultivariateNormal:
        pairs = combinations_with_replacement(range(width), 2)
        return [f"loc_{j}" for j in range(width)] + [f"covariance_{i}_{j}" for i, j in pairs]
    return [f"{name}_{j}" for j in range(width) for name in form.parameters]


def assembled(form: type[Family], params: Mapping[str, float]) -> Family:
    """Return the distribution of numbered parameters."""
    width = width_of(form, params)
    if form is MultivariateNormal:
        matrix = [[params[f"covariance_{min(i, j)}_{max(i, j)}"] for j in range(width)] for i in range(width)]
        return form(loc=np.array([params[f"loc_{j}"] for j in range(width)]), covariance_matrix=np.array(matrix))
    return form(**{name: [params[f"{name}_{j}"] for j in range(width)] for name in form.parameters})


def rows_fit_from_dict(saved: Mapping[str, Any]) -> RowsFit:
    """Return what `RowsFit.to_dict` wrote; a KeyError, TypeError or ValueError tells that it did not."""
    form, names = form_from_dict(saved["family"]), [*saved["params"]]
    if form not in (Categorical, MultivariateNormal) and not (
        issubclass(form, Bernoulli) or hasattr(form, "columnwise")
    ):
        raise ValueError(f"{form.signature()} has no fit of rows")
    width = width_of(form, names)
    count = width * (width + 3) // 2 if form is MultivariateNormal else width * len(form.parameters)
    if not width or count != len(names) or {*names} != {*names_of(form, width)}:
        raise ValueError(f"{len(names)} parameters are not those of rows of {width} numbers under {form.signature()}")
    rest = numbers_from_dict(saved, names)
    fitted = assembled(form, rest["params"]) if saved["fitted"] is True else None
    return RowsFit(form, **rest, fitted=fitted)
