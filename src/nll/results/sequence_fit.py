"""What `fit` returns for a model of sequences: a Fit whose parameters are numbered, as transition_0_1 and loc_1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from nll.errors import UsageError
from nll.results.fit import Fit
from nll.results.load import VERSION, numbers_to_dict

if TYPE_CHECKING:
    from nll.results.derive import Derived

Array = npt.NDArray[Any]
KIND = "sequence fit"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SequenceFit(Fit):
    """A fit of a Markov chain, an n-gram or a hidden Markov model.

    `n` counts observations. Parameters are numbered by state: initial_0, transition_0_1, and of an emission loc_0,
    scale_0; the states of a hidden Markov model stand in the order of the means of their emissions.

    `cov_ok` says whether standard errors hold for all parameters but initial ones: few sequences put these at 0 or 1,
    `at_boundary`, without a standard error.

    Attributes
    ----------
    fitted : the fitted model; None where there is none.
    sequences : how many sequences there were.
    parameters : how many free parameters there are; probabilities that sum to one count one less.
    links : the map of each emission parameter to the real line, by its name without the state.
    pseudo_count : what was added to each count, for a chain.
    counts : (K, ..., K) how often each symbol followed each context, for a chain; not saved.
    errors : the standard errors of the transition, of its shape, for a chain; not saved.
    starts, reached, collapsed : of the search of a hidden Markov model: from how many places it began, how many of
        these ended at the best maximum, to 0.02 nats, and how many at a state that closes in on one value, where the
        likelihood is unbounded, or that has no observations.

    Examples
    --------
    >>> import nll
    >>> f = nll.fit([0, 0, 1, 0, 0, 1, 1, 0], nll.MarkovChain, lengths=[5, 3])
    >>> f.dist.transition.round(4).tolist()
    [[0.6667, 0.3333], [0.6667, 0.3333]]
    >>> f.k, round(f.stderr["transition_1_0"], 4)
    (3, 0.2722)
    """

    fitted: Any = None
    sequences: int = 0
    parameters: int = 0
    links: tuple[tuple[str, str], ...] = ()
    pseudo_count: float = 0.0
    counts: Array | None = None
    errors: Array | None = None
    starts: int = 0
    reached: int = 0
    collapsed: int = 0

    @property
    def dist(self) -> Any:
        """The fitted model, which scores, samples and decodes."""
        if self.fitted is None:
            raise UsageError(f"there is no fitted model: {'; '.join(self.warnings)}")
        return self.fitted

    @property
    def k(self) -> int:
        """The number of free parameters; probabilities that sum to one count one less."""
        return self.parameters

    def link(self, name: str) -> str:
        """Return the map of a parameter to the real line: "identity", "log" or "logit"."""
        if name.startswith(("initial_", "transition_")):
            return "logit"
        return dict(self.links).get(name.rpartition("_")[0], "logit")

    def derive(self, text: str) -> Derived:
        """Return a quantity made from the parameters, with its standard error by the delta method.

        Parameters
        ----------
        text : an expression in the parameters, such as "rate_1 - rate_0"; a model of sequences has no single mean.
        """
        asked = set(re.findall(r"[A-Za-z_]\w*", text))
        moments = sorted(asked & {"mean", "variance", "stddev", "entropy", "quantile", "cdf", "sf", "log_prob"})
        if moments:
            raise UsageError(
                f"a fit of {self.family.__name__} has parameters only, no {moments[0]}: ask of .dist.emissions"
            )
        return Fit.derive(self, text)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types; NaN and infinities stay floats."""
        out: dict[str, Any] = {"nll": KIND, "version": VERSION, "family": self.family.__name__}
        out |= numbers_to_dict(self) | {"sequences": self.sequences, "links": dict(self.links)}
        out |= {"pseudo_count": self.pseudo_count, "starts": self.starts, "reached": self.reached}
        out |= {"collapsed": self.collapsed}
        return out | {"model": None if self.fitted is None else self.fitted.to_dict()}

    def _must_be_free(self, name: str) -> None:
        if name not in self.free:
            raise UsageError(f"{name} is none of the fitted parameters: {', '.join(self.free[:12])} ...")
