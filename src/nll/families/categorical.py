"""The Categorical distribution: one of K classes, the loss of every classifier and language model."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.errors import DataError, UsageError
from nll.families.constraints import Count, ExtendedReal, LogProbability, Probability
from nll.families.family import Family
from nll.families.information import times
from nll.numerics.elementary import exp, log
from nll.numerics.formula import formula
from nll.numerics.shaped import shape_row, shaped_row
from nll.numerics.single import BFLOAT16, number, widened
from nll.numerics.softmax import WIDE, lanes_sum, narrow_rows, precise_normaliser, wide_rows

INF, NAN = np.inf, np.nan
# How far the sum of a row of probabilities may be from 1: rounding to this type, and some arithmetic in it.
TOLERANCE = {"float64": 1e-6, "float32": 1e-4, "float16": 1e-2, "bfloat16": 1e-2}
SKIPPED = -(2.0**63)  # stands for a class in a row that is not scored: its logits are not read, and its loss is 0


class Categorical(Family):
    """Categorical(probs p | logits z | log_probs l) on the classes 0, 1, ..., K - 1.

    The loss of a row, in nats:

        loss = -log(p[y]) = log(sum(exp(z))) - z[y] = -l[y]

    Parameters are matrices (n, K), vectors (K,) for all rows, or lists of K columns. Rows of probabilities must
    sum to 1, to 1e-6 in float64, 1e-4 in float32, 1e-2 in float16.

    Parameters
    ----------
    probs : p in [0, 1], rows summing to 1.
    logits : z, any number below infinity; -inf excludes a class.
    log_probs : l <= 0, rows of exp(l) summing to 1.

    Source: C. M. Bishop, Pattern Recognition and Machine Learning (2006), equations (2.26) and (4.108).

    Examples
    --------
    >>> import nll
    >>> nll.score([2, 0], nll.Categorical(probs=[[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])).mean
    0.5249110622493389
    """

    probs: Probability
    observations = Count
    support = Count
    event = 1
    halves = False  # whether the form reads wide rows of 16-bit numbers as they are
    skips = False  # whether it can leave out rows whose class is SKIPPED

    def fill(y, theta, out):
        probs, tolerance = theta
        for i in range(out.size):
            k = class_of(y[i], probs.shape[1])
            row = probs[i]
            total, smallest = lanes_sum(row), INF
            for j in range(row.size):
                smallest = row[j] if row[j] < smallest else smallest
            good = (k >= 0) & (smallest >= 0.0) & (abs(total - 1.0) <= tolerance)
            out[i] = -log(np.float64(row[k])) if good else NAN

    @classmethod
    def prepare(cls, theta: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the matrix as the kernels take it, and the tolerance of its type."""
        matrix = np.asarray(theta[0])
        if matrix.ndim != 2 or matrix.shape[1] == 0:
            raise DataError(f"{cls.signature()} needs a matrix (n, classes); got shape {matrix.shape}")
        name = "bfloat16" if matrix.dtype == BFLOAT16 else matrix.dtype.name
        tolerance = TOLERANCE.get(name, TOLERANCE["float64"])
        if name in ("bfloat16", "float16"):
            matrix = matrix.view(np.uint16 if name == "bfloat16" else np.int16)  # as kernels tell them apart
            matrix = matrix if cls.halves and matrix.shape[1] >= WIDE else widened(matrix)
        elif name not in ("float32", "float64"):
            matrix = matrix.astype(np.float64)
        matrix = np.ascontiguousarray(matrix).view()
        matrix.flags.writeable = False
        return matrix, tolerance

    @classmethod
    def soft_form(cls) -> type[Family]:
        """Return the form that takes one target probability a class."""
        if issubclass(cls, CategoricalLogits):
            return SoftShapedLogits if issubclass(cls, ShapedLogits) else SoftLogits
        return SoftLogProbs if issubclass(cls, CategoricalLogProbs) else SoftProbs

    @classmethod
    def soft_targets(cls, y: Any, theta: tuple[Any, ...], smoothing: float) -> Any:
        """Return targets (n, K): those given, or 1 for the class observed; mixed with the uniform ones."""
        n, classes = theta[0].shape
        if y.ndim == 1:
            valid = (y >= 0) & (y < classes) & (y == np.floor(y))
            hard, y = np.where(valid, y, 0).astype(np.int64), np.zeros((n, classes))
            y[np.arange(n), hard] = np.where(valid, 1.0, NAN)
        if y.shape[1] != classes:
            raise DataError(f"soft targets have {y.shape[1]} classes, the distribution has {classes}")
        return np.ascontiguousarray((1.0 - smoothing) * y + smoothing / classes if smoothing else y, np.float64)

    @classmethod
    def explain(cls, form: type[Family], y: Any, theta: list[Any], names: dict[str, str]) -> tuple[str, str]:
        """Return what one invalid row breaks, and the value it has."""
        with np.errstate(invalid="ignore"):  # of a signalling NaN
            row, tolerance = np.asarray(widened(np.asarray(theta[0])), np.float64), theta[1]
        name = next(iter(form.parameters))
        if np.ndim(y):
            if not ((y >= 0.0).all() and abs(y.sum() - 1.0) <= TOLERANCE["float64"]):
                what = "a class of 0, 1, ... below the number of classes, or a row of soft targets that sums to 1"
                return f"{names.get('y', 'y')} must be {what}", f"{np.array2string(y, threshold=8)}"
        elif not (y == np.floor(y) and 0 <= y < row.size):
            return f"{names.get('y', 'y')} must be a class, a whole number in 0 .. {row.size - 1}", f"{float(y):g}"
        allowed = form.parameters[name]
        for j, value in enumerate(row):
            if not allowed.contains(np.float64(value)) or value == INF:
                words = "below infinity" if value == INF else allowed.words
                return f"{name} must be {words} for {form.family.__name__}", f"{float(value)!r} for class {j}"
        if name == "logits":
            return "logits must have at least one finite number in a row", "none"
        total = float(row.sum() if name == "probs" else np.exp(row).sum())
        what = "exp(log_probs)" if name == "log_probs" else name
        return f"each row of {what} must sum to 1 (tolerance {tolerance:g})", f"the sum {total:.10g}"

    def entropy(probs: Any) -> Any:
        log_probs = Categorical.shared(probs)
        return -times(np.exp(log_probs), log_probs).sum(axis=-1)

    def shared(probs: Any) -> Any:
        total = _matrix(probs).sum(axis=-1, keepdims=True)
        _sums_to_one(total, "probs")
        return np.log(probs)

    def kl(log_probs: Any, other: Any) -> Any:
        if log_probs.shape[-1] != other.shape[-1]:
            raise UsageError(f"one distribution has {log_probs.shape[-1]} classes, the other {other.shape[-1]}")
        p = np.exp(log_probs)
        return np.maximum(times(p, log_probs - other).sum(axis=-1), 0.0)

    def sample(rng: np.random.Generator, shape: tuple[int, ...], probs: Any) -> Any:
        return drawn(rng, shape, Categorical.shared(probs))


@formula
def class_of(y, classes):
    """Return y as the index of a class, or -1."""
    value = np.float64(y)
    k = np.int64(value) if (value >= 0.0) & (value < classes) else np.int64(-1)
    return k if np.float64(k) == value else np.int64(-1)


class CategoricalLogits(Categorical):
    """Categorical by logits."""

    logits: ExtendedReal

    halves = True
    skips = True

    def fill(y, theta, out):
        logits, leave = theta
        width = logits.shape[1]
        classes = np.empty(out.size, np.int64)
        for i in range(out.size):
            classes[i] = class_of(y[i], width)
        if width < WIDE:
            narrow_rows(logits, classes, out)
        else:
            wide_rows(logits, classes, out)
        if leave < 0.0:
            for i in range(out.size):
                out[i] = 0.0 if np.float64(y[i]) == SKIPPED else out[i]

    @classmethod
    def leaving_out(cls, theta: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return prepared parameters with which rows of the class SKIPPED are left out: a tolerance below 0."""
        return (theta[0], -1.0, *theta[2:])

    def entropy(logits: Any) -> Any:
        log_probs = CategoricalLogits.shared(logits)
        return -times(np.exp(log_probs), log_probs).sum(axis=-1)

    def shared(logits: Any) -> Any:
        largest = _matrix(logits).max(axis=-1, keepdims=True)
        if not (abs(largest) < INF).all():
            raise DataError("logits must be below infinity, and one of a row finite")
        return logits - (largest + np.log(np.exp(logits - largest).sum(axis=-1, keepdims=True)))

    def sample(rng: np.random.Generator, shape: tuple[int, ...], logits: Any) -> Any:
        return drawn(rng, shape, CategoricalLogits.shared(logits))


class ShapedLogits(CategoricalLogits, register=False):
    """Categorical by logits that are first capped and tempered: w = c tanh(z / c) / T, minus infinity staying so."""

    logits: ExtendedReal

    def fill(y, theta, out):
        logits, leave, temperature, softcap = theta
        width = logits.shape[1]
        shaped, scratch = np.empty(width), np.empty(width)
        for i in range(out.size):
            k = class_of(y[i], width)
            if (leave < 0.0) & (np.float64(y[i]) == SKIPPED):
                out[i] = 0.0
            elif k < 0:
                out[i] = NAN
            else:
                held = shape_row(logits[i], temperature, softcap, shaped)
                out[i] = shaped_row(shaped, k, held & (width >= WIDE), scratch)

    @classmethod
    def prepare(cls, theta: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the matrix, its tolerance, temperature and cap, infinity for none."""
        return (*super().prepare(theta[:1]), *map(float, theta[1:]))


class CategoricalLogProbs(Categorical):
    """Categorical by logarithms of probabilities."""

    log_probs: LogProbability

    def fill(y, theta, out):
        log_probs, tolerance = theta
        scratch = np.empty(log_probs.shape[1])
        for i in range(out.size):
            k = class_of(y[i], log_probs.shape[1])
            row, largest = log_probs[i], -INF
            for j in range(row.size):
                largest = row[j] if row[j] > largest else largest
                scratch[j] = exp(np.float64(row[j]))
            good = (k >= 0) & (largest <= 0.0) & (abs(lanes_sum(scratch) - 1.0) <= tolerance)
            out[i] = 0.0 - np.float64(row[k]) if good else NAN

    def entropy(log_probs: Any) -> Any:
        log_probs = CategoricalLogProbs.shared(log_probs)
        return -times(np.exp(log_probs), log_probs).sum(axis=-1)

    def shared(log_probs: Any) -> Any:
        total = np.exp(_matrix(log_probs)).sum(axis=-1, keepdims=True)
        _sums_to_one(total, "exp(log_probs)")
        return log_probs

    def sample(rng: np.random.Generator, shape: tuple[int, ...], log_probs: Any) -> Any:
        return drawn(rng, shape, CategoricalLogProbs.shared(log_probs))


class SoftProbs(Categorical, register=False):
    """Cross-entropy of soft targets t with probabilities: -sum(t log p), 0 log 0 being 0."""

    probs: Probability

    def fill(y, theta, out):
        probs, tolerance = theta
        scratch = np.empty(probs.shape[1])
        for i in range(out.size):
            row, targets, smallest = probs[i], y[i], INF
            for j in range(row.size):
                smallest = row[j] if row[j] < smallest else smallest
                scratch[j] = -log(np.float64(row[j])) * targets[j] if targets[j] != 0.0 else 0.0
            good = valid_targets(targets) & (smallest >= 0.0) & (abs(lanes_sum(row) - 1.0) <= tolerance)
            out[i] = lanes_sum(scratch) if good else NAN


class SoftLogProbs(Categorical, register=False):
    """Cross-entropy of soft targets with log-probabilities."""

    log_probs: LogProbability

    def fill(y, theta, out):
        log_probs, tolerance = theta
        scratch = np.empty(log_probs.shape[1])
        for i in range(out.size):
            row, targets, largest = log_probs[i], y[i], -INF
            for j in range(row.size):
                largest = row[j] if row[j] > largest else largest
                scratch[j] = exp(np.float64(row[j]))
            good = valid_targets(targets) & (largest <= 0.0) & (abs(lanes_sum(scratch) - 1.0) <= tolerance)
            for j in range(row.size):
                scratch[j] = -np.float64(row[j]) * targets[j] if targets[j] != 0.0 else 0.0
            out[i] = lanes_sum(scratch) if good else NAN


class SoftLogits(Categorical, register=False):
    """Cross-entropy of soft targets with logits: sum(t (max z - z)) + sum(t) log sum exp(z - max z)."""

    logits: ExtendedReal

    def fill(y, theta, out):
        logits = theta[0]
        scratch = np.empty(logits.shape[1])
        for i in range(out.size):
            out[i] = soft_row(logits[i], y[i], scratch)


class SoftShapedLogits(ShapedLogits, register=False):
    """Cross-entropy of soft targets with capped and tempered logits."""

    logits: ExtendedReal
    skips = False

    def fill(y, theta, out):
        logits, _, temperature, softcap = theta
        shaped, scratch = np.empty(logits.shape[1]), np.empty(logits.shape[1])
        for i in range(out.size):
            shape_row(logits[i], temperature, softcap, shaped)
            out[i] = soft_row(shaped, y[i], scratch)


@formula
def soft_row(row, targets, scratch):
    """Return the cross-entropy of soft targets with a row of logits."""
    largest, normaliser = precise_normaliser(row, scratch)
    for j in range(row.size):
        scratch[j] = (largest - np.float64(number(row[j]))) * targets[j] if targets[j] != 0.0 else 0.0
    x = lanes_sum(scratch) + lanes_sum(targets) * normaliser
    return x if valid_targets(targets) else NAN


@formula
def valid_targets(targets):
    """Say whether a row of targets is a distribution."""
    smallest = INF
    for j in range(targets.size):
        smallest = targets[j] if targets[j] < smallest else smallest
    return (smallest >= 0.0) & (abs(lanes_sum(targets) - 1.0) <= 1e-6)


def drawn(rng: np.random.Generator, shape: tuple[int, ...], log_probs: Any) -> Any:
    """Return classes (n, ...) of log-probabilities (..., K): the largest of log p plus a Gumbel number.

    Source: C. J. Maddison, D. Tarlow and T. Minka, A* Sampling (2014), section 3, after Gumbel (1954).
    """
    return np.argmax(log_probs + rng.gumbel(size=shape + log_probs.shape), axis=-1)


def _matrix(values: Any) -> Any:
    if np.ndim(values) == 0 or np.shape(values)[-1] == 0:
        raise DataError("a Categorical has one number a class; got a single one")
    return values


def _sums_to_one(total: Any, name: str) -> None:
    wrong = ~(abs(total - 1.0) <= TOLERANCE["float64"])
    if wrong.any():
        raise DataError(f"each row of {name} must sum to 1; got the sum {float(total[wrong][0]):.10g}")
