"""The closed fit of a Markov chain: shares of what follows each context, and their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.results.sequence_fit import SequenceFit
from nll.tasks.sequences.bound import Sequences
from nll.tasks.sequences.chain import MarkovChain, class_codes
from nll.tasks.sequences.probabilities import MOST_NUMBERS
from nll.tasks.sequences.score import summed

Array = npt.NDArray[Any]
MOST_NAMED = 2048  # parameters that are named one by one; their covariances are a matrix


def fit_chain(bound: Sequences, wanted: MarkovChain, again: Any) -> SequenceFit:
    """Return the shares of what follows each context, (count + a) / (total + a K) with a the pseudo-count.

    Given its context, what follows is multinomial: the covariance of a row is (diag(p) - p p') N / (N + a K)**2.
    Source: T. W. Anderson and L. A. Goodman, Statistical Inference about Markov Chains (1957), section 2.
    """
    if bound.missing is not None:
        raise UsageError("a fit of a chain takes no missing states: what follows them is not known")
    k, a = wanted.order, wanted.pseudo_count
    codes = class_codes(bound, wanted.wanted)
    states = wanted.wanted or int(codes.max()) + 1
    if states ** (k + 1) > MOST_NUMBERS:
        raise UsageError(
            f"{states:,} states and order {k} make more than {MOST_NUMBERS:,} probabilities: take a lower order"
        )
    inner = np.flatnonzero(bound.step(k))
    if not inner.size and wanted.start == "given":
        raise DataError(f"no sequence in {bound.description} is longer than the order, {k}: nothing follows a context")
    counts = counted(codes, inner, k + 1, states)
    transition = shares(counts, a)
    free = wanted.start != "given" and k > 0
    initial, guessed = starting(bound, codes, k, states, a) if free else ("given" if k else None, False)
    model = type(wanted)(initial=initial, transition=transition)
    scored = bound.observed() & bound.step(model.given)
    score = summed(bound, model.step_losses(bound), scored, repr(model))
    seen = int((counts.sum(axis=-1) > 0).sum()) if not a else states**k
    parameters = seen * (states - 1) + (states**k - 1 if free else 0)
    errors = deviations(counts, transition, a)
    whole = float((bound.lengths >= k).sum()) if k == 1 or not a else 0.0  # errors of smoothed runs are not known
    told = named(model, counts, whole, a) if transition.size <= MOST_NAMED else Told.nothing(transition.size)
    unseen = states**k - seen
    warnings = list(told.warnings)
    if guessed:
        said = "sequences that end early leave open what would have followed at their start: taken as equally probable"
        warnings.append(said)
    if unseen:
        rows = "1 context was" if unseen == 1 else f"{unseen:,} contexts were"
        warnings.append(
            f"{rows} never followed by anything: their rows of transition are NaN; pseudo_count= fills them"
        )
    if a:
        warnings.append(f"smoothed: {a:g} was added to each count, so this is not the maximum of the likelihood")
    kind: Any = type(wanted)
    return SequenceFit(
        kind, told.params, told.free, told.cov, score.sum, score.n, float(score.n),
        cov_ok=bool(told.free) and all(name.startswith("initial_") for name in told.at_boundary),
        at_boundary=told.at_boundary, warnings=tuple(warnings),
        cov_type="smoothed counts" if a else "observed", passes=1, read=len(codes), source=bound.description,
        again=again, fitted=model, sequences=len(bound.lengths), parameters=parameters, pseudo_count=a,
        counts=counts, errors=errors,
    )  # fmt: skip


def counted(codes: Array, at: Array, width: int, states: int) -> Array:
    """Return how often each run of `width` states ends at the rows `at`, on one axis a state."""
    index = np.zeros(len(at), np.int64)
    for back in range(width - 1, -1, -1):
        index = index * states + codes[at - back]
    return np.bincount(index, minlength=states**width).reshape((states,) * width)


def shares(counts: Array, a: float) -> Array:
    """Return (count + a) / (total + a K) of each row; NaN where that is 0 / 0."""
    with np.errstate(invalid="ignore"):
        return (counts + a) / (counts.sum(axis=-1, keepdims=True) + a * counts.shape[-1])


def starting(bound: Sequences, codes: Array, k: int, states: int, a: float) -> tuple[Array, bool]:
    """Return the probabilities of the first k states together, each given those before it, and if some are open."""
    joint, guessed = np.ones(()), False
    for m in range(1, k + 1):
        at = bound.bounds[:-1] + m - 1
        own = shares(counted(codes, at[at < bound.bounds[1:]], m, states), a)
        if m > 1 and not a:
            at_hand = joint[..., None] > 0.0
            if (np.isnan(own) & at_hand).any():  # all sequences that begin so end there
                own, guessed = np.where(np.isnan(own), 1.0 / states, own), True
        joint = np.where(joint[..., None] > 0.0, joint[..., None] * own, 0.0)
    return joint, guessed


def deviations(counts: Array, p: Array, a: float) -> Array:
    """Return the standard error of each probability; NaN at 0, at 1 and in a row without counts."""
    total = counts.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.sqrt(p * (1.0 - p) * total) / (total + a * counts.shape[-1])
    return np.where((p > 0.0) & (p < 1.0) & (total > 0), found, np.nan)


class Told:
    """Parameters one by one: their values, names, covariances, and what is to be said of them."""

    def __init__(self, params: dict[str, float], cov: Array, at_boundary: tuple[str, ...], warnings: list[str]) -> None:
        self.params, self.free, self.cov = params, tuple(params), cov
        self.at_boundary, self.warnings = at_boundary, warnings

    @classmethod
    def nothing(cls, size: int) -> Told:
        """Return what is told of more parameters than are named."""
        said = f"{size:,} probabilities are not named one by one: see .dist.transition, .errors and .counts"
        return cls({}, np.zeros((0, 0)), (), [said])


def named(model: MarkovChain, counts: Array, starts: float, a: float) -> Told:
    """Return the parameters of a chain by name, with their covariance, block by block."""
    params: dict[str, float] = {}
    blocks: list[Array] = []
    if model.initial is not None and model.order:
        p = model.initial.reshape(-1)
        params |= {f"initial_{_name(i, model.initial.shape)}": float(v) for i, v in enumerate(p)}
        blocks.append(_block(p, starts, starts + a * len(p)))
    rows, totals = model.table.reshape(-1, model.states), counts.reshape(-1, model.states).sum(axis=1)
    shape = model.table.shape[:-1]
    for i, (p, total) in enumerate(zip(rows, totals.tolist(), strict=True)):
        if np.isnan(p).any():
            continue
        name = f"{_name(i, shape)}_" if shape else ""
        params |= {f"transition_{name}{j}": float(v) for j, v in enumerate(p)}
        blocks.append(_block(p, total, total + a * model.states))
    cov, at = np.zeros((len(params), len(params))), 0
    for block in blocks:
        cov[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    values = np.array(list(params.values()))
    edge = np.array([v in (0.0, 1.0) for v in values], bool) & (model.states > 1)
    lost = np.isnan(np.diagonal(cov)) | edge
    cov[lost], cov[:, lost] = np.nan, np.nan
    ends = tuple(name for name, at_end in zip(params, edge, strict=True) if at_end)
    shown = ", ".join(ends[:6]) + (f" and {len(ends) - 6} more" if len(ends) > 6 else "")
    said = [f"{shown}: at the boundary, 0 or 1, without a standard error"] if ends else []
    return Told(params, cov, ends, said)


def _block(p: Array, total: float, smoothed: float) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.float64(total) / np.float64(smoothed) ** 2 if total else np.nan
    return (np.diag(p) - np.outer(p, p)) * scale


def _name(index: int, shape: tuple[int, ...]) -> str:
    return "_".join(str(int(i)) for i in np.unravel_index(index, shape))
