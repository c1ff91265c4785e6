"""What `compare` returns of fits: information criteria, weights, and a test of each against the best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from nll.errors import unknown
from nll.results.evidence import LikelihoodRatioTest, Record, VuongTest, shown
from nll.results.show import as_text

Array = npt.NDArray[Any]
HEADER = ["model", "k", "NLL", "AIC", "difference", "weight", "AICc", "BIC", "TIC", "test against best", "p"]

WIDTH = 140  # of the text: eleven columns


@dataclass(frozen=True, slots=True, repr=False)
class FittedModel(Record):
    """A fit among others.

    Attributes
    ----------
    name, family, k, nll : of the fit.
    aic, aicc, bic, tic : criteria on the scale of a deviance, smaller is better; tic is 2 nll + 2 trace(J inv(H)).
    difference : aic less the smallest. weight : exp(-difference / 2) over the sum of these.
    test : likelihood ratio where one fit contains the other, Vuong otherwise, of this and the best by AIC; None for
        the best. untested : why there is none.
    """

    name: str
    family: str
    k: int
    nll: float
    aic: float
    difference: float
    weight: float
    aicc: float
    bic: float
    tic: float
    test: LikelihoodRatioTest | VuongTest | None = None
    untested: str = ""

    @property
    def p_value(self) -> float:
        """The p-value of the test; NaN without one."""
        return float("nan") if self.test is None else self.test.p_value


@dataclass(frozen=True, slots=True, repr=False)
class FitComparison(Record, Mapping[str, FittedModel]):
    """Fits to the same rows in order of AIC: a mapping from a name to its FittedModel, best first.

    Attributes
    ----------
    models : the fits, best first. n : their rows. sum_weights : of the rows; n without weights.
    remarks : what a reader of the numbers must know.
    """

    caption = "Fits to the same rows, by AIC"
    models: tuple[FittedModel, ...]
    n: int
    sum_weights: float
    remarks: tuple[str, ...] = field(default=())

    @property
    def best(self) -> str:
        """The name of the fit with the smallest AIC."""
        return self.models[0].name

    def __getitem__(self, name: str) -> FittedModel:
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(unknown("model", name, list(self)))

    def __iter__(self) -> Iterator[str]:
        return (model.name for model in self.models)

    def __len__(self) -> int:
        return len(self.models)

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, rows and notes of what is shown."""
        rows = [
            [
                *map(shown, (m.name, m.k, m.nll, m.aic, m.difference, m.weight, m.aicc, m.bic, m.tic)),
                "" if m.test is None else "likelihood ratio" if isinstance(m.test, LikelihoodRatioTest) else "Vuong",
                "" if m.test is None else f"{m.p_value:.2g}",
            ]
            for m in self.models
        ]
        return f"{self.caption} ({self.n:,} rows)", HEADER, rows, self.notes

    def __repr__(self) -> str:
        return as_text(self.rich_table(), WIDTH)

    def _notes(self) -> Iterator[str]:
        yield from self.remarks
        for model in self.models:
            if model.untested:
                yield f"{model.name} is not tested against {self.best}: {model.untested}"
            elif isinstance(model.test, VuongTest) and model.test.omega2 == model.test.mean_difference == 0.0:
                yield f"{model.name} has the loss of {self.best} in every row: the difference is exactly 0"
            elif isinstance(model.test, VuongTest) and model.test.p_distinguishable > 0.05:
                yield (
                    f"{model.name} and {self.best} are not told apart (p = {model.test.p_distinguishable:.2g}): "
                    "Vuong's z means nothing then"
                )


@dataclass(frozen=True, slots=True, repr=False)
class CrossValidation(Record):
    """The NLL of a family on rows that it was not fitted to.

    Attributes
    ----------
    nll, mean : sum and mean of the held-out losses, in nats.
    stderr : of the mean, by clusters where there are such. It takes folds as independent, which they nearly are.
    folds : the mean held-out loss of each fold. params : the estimates of each fold.
    losses : the held-out loss of each row, in their order; arrays for `vuong`, `bootstrap` or, negative, `stacking`.
    fold : the fold of each row.
    """

    caption = "Cross-validated NLL"
    family: str
    nll: float
    mean: float
    stderr: float
    n: int
    k: int
    impossible: int
    seed: int
    folds: tuple[float, ...]
    clusters: int | None = None
    params: tuple[dict[str, float], ...] = field(default=(), repr=False)
    losses: Array = field(default=None, repr=False)  # type: ignore[assignment]
    fold: Array = field(default=None, repr=False)  # type: ignore[assignment]

    @property
    def pointwise(self) -> Array:
        """The log predictive density of each row, as `stacking` takes it."""
        return -self.losses

    def _notes(self) -> Iterator[str]:
        if self.impossible:
            yield f"{self.impossible} of {self.n:,} rows are impossible under the fit to the others (infinite loss)"
