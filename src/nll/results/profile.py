"""What `Fit.profile` returns: the smallest NLL over a grid of one parameter, for a plot."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.results.score import jsonable

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Profile:
    """The profile of the NLL over a parameter.

    Attributes
    ----------
    name : the parameter.
    grid : its values (m,), rising; the estimate is among them unless the grid was given.
    nll : the smallest NLL (m,) at each, over the other free parameters.
    best, estimate : the NLL of the fit, and its value of the parameter.
    converged : whether the others were found, at each value (m,).
    """

    name: str
    grid: Array
    nll: Array
    best: float
    estimate: float
    converged: Array

    @property
    def rise(self) -> Array:
        """Twice the rise of the NLL above its smallest, which a chi-square of one degree bounds."""
        return 2.0 * (self.nll - self.best)

    @property
    def root(self) -> Array:
        """The signed root of the rise: a straight line where the NLL is a parabola."""
        return np.sign(self.grid - self.estimate) * np.sqrt(np.maximum(self.rise, 0.0))

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a value."""
        import polars as pl

        return pl.DataFrame({self.name: self.grid, "nll": self.nll, "rise": self.rise, "converged": self.converged})

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types."""
        arrays = {name: np.asarray(getattr(self, name)).tolist() for name in ("grid", "nll", "converged")}
        return {"name": self.name, "estimate": self.estimate, "best": self.best} | arrays

    def to_json(self) -> str:
        """Return one valid JSON document."""
        return json.dumps(jsonable(self.to_dict()))

    def __repr__(self) -> str:
        low, high = (float(self.grid[0]), float(self.grid[-1])) if len(self.grid) else (np.nan, np.nan)
        return f"<Profile of {self.name}: {len(self.grid)} values from {low:.6g} to {high:.6g}>"
