"""Cross-validation: the NLL of rows under a family fitted to the other rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, FitError, UsageError
from nll.families.family import Family
from nll.results.fit_comparison import CrossValidation
from nll.tasks.draws import cluster_keys, folds
from nll.tasks.fit.again import Rows
from nll.tasks.fit.fit import fit
from nll.tasks.score import rows as row_losses
from nll.tasks.score import score

Array = npt.NDArray[Any]


def cross_validate(
    y: Any,
    family: type[Family],
    data: Any = None,
    *,
    k: int = 10,
    cluster: Any = None,
    seed: int = 0,
    **options: Any,
) -> CrossValidation:
    """Fit a family to all but one of k parts of the rows in turn, and return the NLL of the parts left out.

    The parts are drawn at random, of sizes that differ by one row at most; the same for every family, so that the
    results compare row by row. It fits k + 1 times, and holds the rows in memory.

    Parameters
    ----------
    y, family, data : as in `fit`.
    k : how many parts; n of them leave out one row at a time.
    cluster : (n,), or with `data` a column: rows of one value stay in one part, and make the standard error.
    seed : of the parts.
    options : of `fit`: sample_weight, fixed, start, missing, where, threads.

    Returns
    -------
    CrossValidation

    Raises
    ------
    FitError : no maximum in a part; it names the part.

    Source: M. Stone, Cross-validatory choice and assessment of statistical predictions, Journal of the Royal
    Statistical Society B 36 (1974).

    Examples
    --------
    >>> import nll
    >>> y = nll.Gamma(concentration=2.0, rate=1.0).sample(60, rng=1)
    >>> found = nll.cross_validate(y, nll.Gamma, k=5)
    >>> found.n, len(found.folds), found.nll > nll.fit(y, nll.Gamma).nll
    (60, 5, True)
    """
    if not isinstance(k, int) or k < 2:
        raise UsageError(f"k is a whole number of at least 2, of parts; got {k!r}")
    if not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise UsageError(f"seed is a whole number from 0 to 2**64 - 1; got {seed!r}")
    for name in ("by", "cov", "throw"):
        if name in options:
            raise UsageError(f"cross_validate has no option {name!r}")
    whole = fit(y, family, data, **options)
    held: Rows = whole.again.rows(whole)
    which, clusters = _parts(held.size, k, seed, _clusters(cluster, data, whole, options))
    losses, params = np.empty(held.size), []
    for part in range(k):
        out = which == part
        found = _fit(held, ~out, whole, part, options)
        rest = held.part(out)
        losses[out] = row_losses(rest.observations, _dist(whole.family, {**found.params, **rest.fixed}))
        params.append({name: found.params[name] for name in whole.free})
    return _finished(whole, losses, which, clusters, held, k, seed, params)


def _fit(held: Rows, use: Array, whole: Any, part: int, options: dict[str, Any]) -> Any:
    rows, start = held.part(use), {name: whole.params[name] for name in whole.free}
    known, threads = dict(rows.fixed), options.get("threads")
    try:
        return fit(
            rows.observations, whole.family, sample_weight=rows.weights, fixed=known, start=start, threads=threads
        )
    except (FitError, DataError) as error:
        error.add_note(f"in part {part} of the cross-validation, fitted to {int(use.sum())} rows")
        raise


def _dist(family: type[Family], theta: dict[str, Any]) -> Family:
    return family(**{name: theta[name] for name in family.parameters})  # in their order, which a Family keeps


def _clusters(cluster: Any, data: Any, whole: Any, options: dict[str, Any]) -> Array | None:
    """Return the clusters of the rows that were used."""
    if cluster is None:
        return None
    if data is not None:
        from nll.sources import open_source

        if whole.missing or options.get("where") is not None:
            raise UsageError("cluster= with rows that are left out: filter the table first")
        parts = [batch.frame[cluster] for batch in open_source(data).batches([cluster])]
        values = np.concatenate([part.to_numpy() for part in parts]) if parts else np.empty(0)
    else:
        values = np.asarray(cluster)
    if whole.missing and data is None and len(values) == whole.read:
        values = values[~np.isnan(whole.row_losses())]
    if values.ndim != 1 or len(values) != whole.n + whole.unweighted:
        raise DataError(f"cluster has shape {values.shape}; there are {whole.n + whole.unweighted:,} rows")
    return values


def _parts(n: int, k: int, seed: int, clusters: Array | None) -> tuple[Array, Array | None]:
    """Return the part of each row, and the code of its cluster."""
    codes, keys = (None, np.arange(n, dtype=np.uint64)) if clusters is None else cluster_keys(clusters)
    if len(keys) < k:
        raise UsageError(f"k = {k} parts of {len(keys)} {'rows' if codes is None else 'clusters'}: take fewer")
    which = folds(seed, keys, k)
    return (which, None) if codes is None else (which[codes], codes)


def _finished(
    whole: Any, losses: Array, which: Array, clusters: Array | None, held: Rows, k: int, seed: int, params: list[Any]
) -> CrossValidation:
    from nll.tasks.compare.step import Losses

    total: Any = score(losses, Losses(loc=0.0, scale=1.0), sample_weight=held.weights, cluster=clusters, progress=False)
    weights = np.ones(len(losses)) if held.weights is None else held.weights
    means = tuple(float(weights[which == j] @ losses[which == j] / weights[which == j].sum()) for j in range(k))
    impossible, count = int(np.isinf(losses).sum()), None if clusters is None else int(clusters.max()) + 1
    about = (total.n, k, impossible, seed, means, count, tuple(params), losses, which)
    return CrossValidation(whole.family.family.__name__, total.sum, total.mean, total.stderr, *about)
