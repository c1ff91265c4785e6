"""Fit a model of sequences: which one, of what, with which options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nll.errors import FitError, UsageError, listing
from nll.results.fit import Fit
from nll.results.sequence_fit import SequenceFit
from nll.tasks.sequences.bound import sequences
from nll.tasks.sequences.chain import MarkovChain
from nll.tasks.sequences.fit_chain import fit_chain
from nll.tasks.sequences.hidden import HiddenMarkov
from nll.tasks.sequences.model import SequenceModel
from nll.tasks.sequences.score import sequence_rows

BINDING = ("lengths", "sequence", "labels", "missing", "where")
SEARCH = ("fixed", "start", "starts", "rng")
ALIKE = ("threads", "throw")


@dataclass(frozen=True, slots=True)
class SequencesAgain:
    """The data of a fit of sequences, whose losses can be asked for."""

    y: Any
    data: Any
    options: Mapping[str, Any]

    def row_losses(self, fit: Fit) -> Any:
        """Return the loss of each step given those before."""
        return sequence_rows(self.y, fit.dist, self.data, **self.options)

    def _refuse(self, fit: Fit, what: str) -> Any:
        raise UsageError(f"a fit of {fit.family.__name__} has no {what}")

    def intervals(self, fit: Fit, level: float, method: str, names: Any, **options: Any) -> Any:
        """Refuse: the search is too long to be done for each."""
        return self._refuse(fit, f"{method} intervals: take method='wald'")

    def profile(self, fit: Fit, name: str, **options: Any) -> Any:
        """Refuse: the search is too long to be done for each value."""
        return self._refuse(fit, "profiles")

    def goodness(self, fit: Fit, **options: Any) -> Any:
        """Refuse: the tests are of independent observations."""
        return self._refuse(fit, "goodness of fit: its tests are of independent observations")

    def row_gradients(self, fit: Fit) -> Any:
        """Refuse: steps are not independent."""
        return self._refuse(fit, "derivatives by row: steps depend on each other")


def sequence_fit(y: Any, model: Any, data: Any = None, **options: Any) -> SequenceFit:
    """Fit a Markov chain, an n-gram or a hidden Markov model by maximum likelihood.

    A chain has a closed maximum: shares of what follows each context. A hidden Markov model is searched for from
    several starts, by Baum and Welch's algorithm and then by Newton's method.

    Parameters
    ----------
    y, data : sequences, as in `sequence_score`.
    model : a description: ``nll.MarkovChain``, ``nll.MarkovChain(order=2, pseudo_count=0.5)``, ``nll.NGram(3)``,
        ``nll.HiddenMarkov(states=2, emission=nll.Normal)``.
    options : ``lengths``, ``sequence``, ``labels``, ``missing``, ``where`` and ``threads`` as in `sequence_score`,
        ``throw`` as in `nll.fit`. Of a hidden Markov model: ``fixed``, parameters of its emission that are known, a
        number or one a state; ``starts``, how many (10); ``rng``, their seed (0); ``start``, a hidden Markov model from
        which one more search begins. Others are refused.

    Raises
    ------
    FitError : the likelihood is unbounded, the sequences are impossible, or no maximum was found.
    DataError : an observation is not valid.
    UsageError : an option is wrong, or not for sequences.

    Examples
    --------
    >>> import nll
    >>> f = sequence_fit("ABABBABAAB", nll.MarkovChain(pseudo_count=1.0), labels=["A", "B"])
    >>> f.dist.transition.round(4).tolist()
    [[0.2857, 0.7143], [0.6667, 0.3333]]
    """
    kept = {name: value for name, value in options.items() if value is not None}
    strange = [name for name in kept if name not in BINDING + SEARCH + ALIKE]
    if strange:
        known = ", ".join(sorted({*BINDING, *SEARCH, *ALIKE}))
        raise UsageError(f"a fit of sequences takes no {listing(strange)}; it takes {known}")
    model = _description(model)
    hidden = isinstance(model, HiddenMarkov)
    binding = {name: kept[name] for name in BINDING if name in kept}
    bound = sequences(y, data, vectors=model.vectors, **binding)
    again = SequencesAgain(y, data, binding)
    searching = {name: kept[name] for name in SEARCH if name in kept}
    if hidden:
        from nll.tasks.sequences.fit_hidden import fit_hidden

        result = fit_hidden(bound, model, again, threads=kept.get("threads"), **searching)
    else:
        if searching:
            raise UsageError(f"a chain has a closed fit of all its parameters: it takes no {listing(searching)}")
        result = fit_chain(bound, model, again)
    if kept.get("throw", True) and not result.converged:
        raise FitError(f"no fit of {model!r}: {result.warnings[0]}", result)
    return result


def _description(model: Any) -> MarkovChain | HiddenMarkov:
    """Return what is to be fitted."""
    if isinstance(model, type) and issubclass(model, SequenceModel):
        if model is MarkovChain:
            return MarkovChain()
        hint = "nll.NGram(3)" if issubclass(model, MarkovChain) else "nll.HiddenMarkov(states=2, emission=nll.Normal)"
        raise UsageError(f"fit takes {hint}, and finds its numbers; got nll.{model.__name__}")
    if not isinstance(model, (MarkovChain, HiddenMarkov)):
        raise UsageError(f"a model of sequences is needed, such as nll.MarkovChain; got {model!r:.80}")
    if model.known:
        raise UsageError(f"{model!r} has numbers already: fit takes a description, nll.{type(model).__name__}(...)")
    return model
