"""Score rows under a distribution: row losses, their exact sum, its standard error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nll.engines.local import Local, Progress
from nll.engines.placing import placed
from nll.engines.progress import RowProgress
from nll.errors import UsageError, listing
from nll.families.bernoulli import Bernoulli
from nll.families.family import Family
from nll.numerics.elementary import log
from nll.numerics.formula import quiet
from nll.results.score import Scores
from nll.tasks.chunks import Inputs
from nll.tasks.finish import finish
from nll.tasks.labels import Labels
from nll.tasks.logits import DEFAULTS, Options, bind
from nll.tasks.multilabel import by_label
from nll.tasks.passes import reduce
from nll.tasks.ready import Preparation
from nll.tasks.sequences.model import is_sequence_model
from nll.tasks.sequences.score import chosen, sequence_rows, sequence_score
from nll.tasks.tally import Step

Array = npt.NDArray[Any]
Missing = Literal["error", "drop"]


def rows(
    y: Any,
    dist: Family,
    data: Any = None,
    *,
    missing: Missing = "error",
    clip: float | None = None,
    labels: Sequence[Any] | None = None,
    label_smoothing: float = 0.0,
    where: Any = None,
    threads: int | None = None,
    ignore_index: int | None = None,
    mask: Any = None,
    shift: bool = False,
    temperature: float | None = None,
    softcap: float | None = None,
    lengths: Any = None,
    sequence: Any = None,
) -> Array:
    """Return the row losses -log p(y), constants included, in nats.

    Parameters
    ----------
    y : observations: numbers of a shape that broadcasts with the parameters, or with `data` a column.
    dist : a distribution with parameters, such as ``nll.Normal(loc=mu, scale=sigma)``.
    data, missing, clip, labels, label_smoothing, where, threads : as in `score`.
    ignore_index, mask, shift, temperature, softcap : as in `score`, for ``Categorical``.
    lengths : for a model of sequences (``nll.MarkovChain``, ``nll.NGram``, ``nll.HiddenMarkov``): the length of each
        sequence in y; y may also be a list of arrays. The result is a SequenceScore.
    sequence : with `data`: the column that names the sequence of a row; the rows of one follow each other, in order.

    Returns
    -------
    array of the common shape of y and the parameters, (n,) for a table, one shorter with `shift`: infinite for an
    impossible row, NaN for a row that ``missing="drop"`` leaves out, or that is ignored.

    Raises
    ------
    DataError : an observation or a parameter is not valid; names row, value and what was expected.
    UsageError : a name or an option is wrong.

    Examples
    --------
    >>> import nll
    >>> nll.rows([0.0, 2.0], nll.Normal(loc=0.0, scale=1.0))
    array([0.91893853, 2.91893853])
    """
    if lengths is not None or sequence is not None or is_sequence_model(dist):
        return sequence_rows(y, dist, data, **chosen(rows, locals()))
    positions = Options(ignore_index, mask, shift, temperature, softcap)
    bound = bind(y, dist, data, positions, sample_weight=None, by=None, cluster=None, where=where)
    step = make_step(bound, missing, clip, labels, label_smoothing, None)
    parts = Local(threads).reduce(
        bound.chunks(),
        lambda found, chunk: found.update({chunk.first: step.rows(chunk)}),
        dict[int, Array],
        dict.update,
    )
    losses = np.concatenate([parts[first] for first in sorted(parts)]) if parts else np.empty(0)
    return losses if data is not None else losses.reshape(bound.shape)


def score(
    y: Any,
    dist: Family,
    data: Any = None,
    *,
    sample_weight: Any = None,
    by: Any = None,
    cluster: Any = None,
    missing: Missing = "error",
    clip: float | None = None,
    labels: Sequence[Any] | None = None,
    label_smoothing: float = 0.0,
    class_weight: Any = None,
    where: Any = None,
    units: str = "nats",
    threads: int | None = None,
    progress: Progress | bool = True,
    engine: Any = None,
    checkpoint: Any = None,
    ignore_index: int | None = None,
    mask: Any = None,
    shift: bool = False,
    temperature: float | None = None,
    softcap: float | None = None,
    lengths: Any = None,
    sequence: Any = None,
) -> Any:
    """Return the negative log-likelihood of observations under a distribution, exact, with its standard error.

    The sum of row losses -log p(y) is exact before it is rounded once: any order, split, number of threads or
    kind of table gives the same bits.

    Parameters
    ----------
    y : observations (n,), a number, or with `data` the name of a column. A matrix (n, labels) for
        ``Bernoulli`` scores several labels at once; a matrix (n, classes) for ``Categorical`` holds soft targets.
    dist : a distribution whose parameters are numbers, arrays, or with `data` names of columns.
    data : a table: a path, glob or list of files (Parquet, CSV, NDJSON, Arrow), or a Polars, pandas, Arrow or
        DuckDB table. Files are read in a stream; memory does not grow with the rows.
    sample_weight : weights (n,) of the rows, at least 0. A row of weight 0 is dropped, and counted.
    by : the columns (or array) whose values make groups; the result is then a Scores, one Score a group.
    cluster : the column (or array) whose values make clusters of dependent rows, for the standard error.
    missing : "error" refuses an empty cell or NaN; "drop" leaves such rows out and counts them.
    clip : a probability in (0, 1): larger losses become -log(clip), and the result counts them. None by default:
        a row of probability 0 has an infinite loss.
    labels : the values of y in the order of the classes, where they are not 0, 1, ...
    label_smoothing : for ``Categorical``: mixes each target with the uniform one, as in torch.
    class_weight : for ``Categorical`` and ``Bernoulli``: a weight for each class, which multiplies the row's; the
        mean is divided by the sum of the weights, as in torch. With `label_smoothing` the weight of the observed
        class multiplies the whole smoothed loss (torch weighs each class's part by its own weight).
    where : a condition in SQL, or a Polars expression, that rows of the table must meet.
    units : "nats", "bits" or "bans".
    threads : how many threads run kernels; all CPUs by default.
    progress : True shows the rows done on stderr, if it is a terminal and the work takes longer than a second; False
        does not; a function is called with the rows done since the last call, from any thread.
    engine : where files are read: ``nll.engines.Dask(client)`` or ``nll.engines.Spark(session)``; by default by threads
        of this process. A frame of Dask or Spark brings its engine.
    checkpoint : a file to note finished parts in. The same call, after an interruption, goes on from there.
    ignore_index : for ``Categorical``: ids of this value, such as -100, are not scored, and counted as ignored.
    mask : for ``Categorical``: of the shape of y, True where an id is scored. `sample_weight`, `by` and `cluster` may
        have that shape too: they and `mask` go with their id, also with `shift`.
    shift : for ``Categorical``: True scores y[..., 1:] by the logits at [..., :-1], as logits of a language model are
        of the next id; nothing is copied, and no sequence is scored by the one before it.
    temperature, softcap : for ``Categorical(logits=z)``: scores the logits c tanh(z / c) / T. A logit of -inf stays so.
    lengths : for a model of sequences (``nll.MarkovChain``, ``nll.NGram``, ``nll.HiddenMarkov``): the length of each
        sequence in y; y may also be a list of arrays. The result is a SequenceScore.
    sequence : with `data`: the column that names the sequence of a row; the rows of one follow each other, in order.

    Returns
    -------
    Score, or Scores by group.

    Raises
    ------
    DataError : an observation, a parameter or a weight is not valid, or a file cannot be read; names row, value
        and what was expected.
    UsageError : a name or an option is wrong.

    Examples
    --------
    >>> import nll
    >>> nll.score(1, nll.Bernoulli(probs=0.8)).sum
    0.2231435513142097
    >>> s = nll.score([1, 0, 1], nll.Bernoulli(probs=[0.8, 0.3, 0.6]))
    >>> round(s.mean, 4), round(s.stderr, 4)
    (0.3635, 0.0831)
    """
    if lengths is not None or sequence is not None or is_sequence_model(dist):
        return sequence_score(y, dist, data, **chosen(score, locals()))
    if engine is not None or checkpoint is not None:
        data, where = placed(data, where, engine, checkpoint), None
    arguments: dict[str, Any] = {
        "y": y, "dist": dist, "sample_weight": sample_weight, "by": by, "cluster": cluster, "missing": missing,
        "clip": clip, "labels": labels, "label_smoothing": label_smoothing, "class_weight": class_weight,
        "positions": Options(ignore_index, mask, shift, temperature, softcap),
    }  # fmt: skip
    bound, step = begin(data=data, where=where, **arguments)
    with RowProgress("scoring", wanted=progress is True) as shown:
        called = progress if callable(progress) else shown
        state = reduce(begin, arguments, bound, step, threads, called)
    result = finish(state, bound.by, bound.cluster, bound.distribution, bound.description, bound.locate)
    if bound.form.event and issubclass(bound.form, Bernoulli):
        bound, step = by_label(bound, step)
        state = reduce(begin_by_label, arguments, bound, step, threads)
        single = finish(state, ("label",), False, bound.distribution, bound.description, bound.locate)
        total = replace(result.total if isinstance(result, Scores) else result, labels=single)
        result = replace(result, total=total) if isinstance(result, Scores) else total
    return result if units == "nats" else result.to(units)


def begin(
    y: Any,
    dist: Any,
    data: Any,
    *,
    sample_weight: Any,
    by: Any,
    cluster: Any,
    positions: Options = DEFAULTS,
    where: Any = None,
    **options: Any,
) -> tuple[Inputs, Step]:
    """Return what a score reads, and what it does with a chunk."""
    bound = bind(y, dist, data, positions, sample_weight=sample_weight, by=by, cluster=cluster, where=where)
    return bound, make_step(bound, **options)


def begin_by_label(**arguments: Any) -> tuple[Inputs, Step]:
    """Return the same for each of several labels a row."""
    return by_label(*begin(**arguments))


def make_step(
    bound: Inputs, missing: str, clip: float | None, labels: Any, label_smoothing: float, class_weight: Any
) -> Step:
    """Check the options of a score and return what to do with a chunk."""
    if missing not in ("error", "drop"):
        raise UsageError(f"missing is 'error' or 'drop'; got {missing!r}")
    if clip is not None and not 0.0 < clip < 1.0:
        raise UsageError(f"clip is a probability in (0, 1), such as 1e-15; got {clip!r}")
    if not 0.0 <= label_smoothing <= 1.0:
        raise UsageError(f"label_smoothing is in [0, 1]; got {label_smoothing!r}")
    classes = hasattr(bound.form, "soft_form")
    if label_smoothing and not classes:
        raise UsageError("label_smoothing needs a Categorical distribution")
    if (labels is not None or class_weight is not None) and not classes and not issubclass(bound.form, Bernoulli):
        raise UsageError("labels and class_weight need a Bernoulli or Categorical distribution")
    with quiet():
        limit = math.inf if clip is None else float(-log(np.float64(clip)))
    own = None if class_weight is None else _class_weight(class_weight, labels)
    prepare = Preparation(
        bound.form,
        bound.names,
        bound.locate,
        missing == "drop",
        None if labels is None else Labels(labels),
        label_smoothing,
        own,
    )
    return Step(prepare, limit, bound.weighted or own is not None)


def _class_weight(weights: Any, labels: Sequence[Any] | None) -> Array:
    if isinstance(weights, dict):
        if labels is None and not all(isinstance(label, int) and label >= 0 for label in weights):
            raise UsageError(f"class_weight by names of classes needs labels=, their order; got {listing(weights)}")
        order = list(range(max(weights, default=-1) + 1)) if labels is None else list(labels)
        absent = [label for label in order if label not in weights]
        if absent or len(weights) != len(order):
            wrong = absent or weights
            raise UsageError(f"class_weight must have one weight for each class; missing or unknown: {wrong}")
        weights = [weights[label] for label in order]
    own = np.asarray(weights, np.float64)
    if own.ndim != 1 or not ((own >= 0.0) & (own < np.inf)).all():
        raise UsageError(f"class weights must be finite and at least 0, one a class; got {weights!r}")
    return own
