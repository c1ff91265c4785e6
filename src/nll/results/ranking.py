"""What `fit_best` returns: families ranked by a criterion, and those that failed with the reason."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nll.errors import UsageError, unknown
from nll.results.fit import Fit
from nll.results.fit_show import html_of, state
from nll.results.load import fit_to_dict
from nll.results.score import jsonable
from nll.results.show import _rich, as_text, number

if TYPE_CHECKING:
    import polars as pl

CRITERIA = {"aic": "AIC", "aicc": "AICc", "bic": "BIC"}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ranking(Mapping[str, Fit]):
    """Fitted families, best first: a mapping from the name of a family to its Fit.

    Attributes
    ----------
    criterion : "aic", "aicc" or "bic", in which they are ranked: smaller is better.
    fits : the fits that converged, best first.
    failed : the families without a usable fit, each with the reason.
    notes : how families were chosen.
    """

    criterion: str
    fits: Mapping[str, Fit]
    failed: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Fit:
        if name in self.failed:
            raise UsageError(f"{name} has no usable fit: {self.failed[name]}")
        if name not in self.fits:
            raise KeyError(unknown("family", name, self.fits))
        return self.fits[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fits)

    def __len__(self) -> int:
        return len(self.fits)

    @property
    def best(self) -> Fit:
        """The best fit."""
        if not self.fits:
            raise UsageError(f"no family could be fitted: {'; '.join(f'{n}: {r}' for n, r in self.failed.items())}")
        return next(iter(self.fits.values()))

    @property
    def criteria(self) -> dict[str, float]:
        """The criterion of each family."""
        return {name: getattr(fit, self.criterion) for name, fit in self.fits.items()}

    @property
    def deltas(self) -> dict[str, float]:
        """By how much the criterion of each family exceeds the smallest."""
        found = self.criteria
        smallest = min(found.values(), default=math.nan)
        return {name: value - smallest if value > smallest else 0.0 for name, value in found.items()}

    @property
    def weights(self) -> dict[str, float]:
        """The weight exp(-delta / 2) of each family, divided by their sum.

        Source: Burnham and Anderson, Model Selection and Multimodel Inference, section 2.9.
        """
        raw = {name: math.exp(-0.5 * delta) for name, delta in self.deltas.items()}
        total = math.fsum(raw.values())
        return {name: value / total for name, value in raw.items()}

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a family, best first, the failed ones last."""
        import polars as pl

        rows = [
            {
                "family": name,
                "k": fit.k,
                "nll": fit.nll,
                "aic": fit.aic,
                "aicc": fit.aicc,
                "bic": fit.bic,
                "delta": self.deltas[name],
                "weight": self.weights[name],
                "at_boundary": ", ".join(fit.at_boundary),
                "failed": "",
            }
            for name, fit in self.fits.items()
        ]
        rows += [{"family": name, "failed": reason} for name, reason in self.failed.items()]
        kinds = dict.fromkeys(("nll", "aic", "aicc", "bic", "delta", "weight"), pl.Float64)
        schema = {"family": pl.String, "k": pl.Int64, **kinds, "at_boundary": pl.String, "failed": pl.String}
        return pl.DataFrame(rows, schema=schema)

    def to_dict(self) -> dict[str, Any]:
        """Return the ranking as plain types, each fit as it is saved."""
        deltas, weights = self.deltas, self.weights
        ranked = [
            {"name": name, "delta": deltas[name], "weight": weights[name], "fit": fit_to_dict(fit)}
            for name, fit in self.fits.items()
        ]
        return {"criterion": self.criterion, "ranked": ranked, "failed": dict(self.failed), "notes": list(self.notes)}

    def to_json(self) -> str:
        """Return one valid JSON document."""
        return json.dumps(jsonable(self.to_dict()))

    def _parts(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        name = CRITERIA[self.criterion]
        found, deltas, weights = self.criteria, self.deltas, self.weights
        body = [
            [n, str(f.k), number(f.nll), number(found[n]), number(deltas[n]), f"{weights[n]:.3g}", state(f)]
            for n, f in self.fits.items()
        ]
        below = [*self.notes, *(f"Failed: {n}: {reason}" for n, reason in self.failed.items())]
        return f"Families by {name}", ["family", "k", "NLL", name, "delta", "weight", ""], body, below

    def summary(self) -> str:
        """Return the ranking as a text."""
        caption, header, body, below = self._parts()
        return "\n".join([as_text(_rich(caption, header, body, [], 1)), *below])

    def __repr__(self) -> str:
        best = next(iter(self.fits), "none")
        count = f"{len(self.fits)} families by {CRITERIA[self.criterion]}"
        return f"<Ranking of {count}: {best} first; {len(self.failed)} failed>"

    def _repr_html_(self) -> str:
        return html_of(*self._parts())
