"""Comparing five binary classifiers on the same rows: means, paired standard errors of differences, win rates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import nll
from benchmarks.bernoulli import ROWS, events
from benchmarks.report import Table, compared
from benchmarks.setting import Setting
from benchmarks.timing import Work, alternate

MODELS = 5
Floats = npt.NDArray[np.float64]


def predictions(p: Floats, seed: int = 2) -> list[Floats]:
    """Return probabilities that are further and further from the true ones."""
    rng = np.random.default_rng(seed)
    return [np.clip(p + rng.normal(0.0, 0.02 * (k + 1), p.size), 0.001, 0.999) for k in range(MODELS)]


def with_numpy(y: npt.NDArray[np.int64], columns: list[Floats]) -> float:
    """Return the lowest mean loss, as NumPy finds it with the rest of what a comparison says."""
    losses = [-np.log(np.where(y == 1, p, 1.0 - p)) for p in columns]
    means = [float(each.mean()) for each in losses]
    best = losses[int(np.argmin(means))]
    for each in losses:
        if each is not best:
            d = each - best
            d.mean(), d.std(ddof=1) / np.sqrt(d.size), (d < 0.0).mean(), (d == 0.0).mean()
    return min(means)


def with_sklearn(y: npt.NDArray[np.int64], columns: list[Floats]) -> float:
    """Return the lowest mean loss by scikit-learn, and the errors of differences by NumPy: it gives no row losses."""
    from sklearn.metrics import log_loss

    with_numpy(y, columns)
    return min(log_loss(y, p) for p in columns)


def run(setting: Setting) -> list[Table]:
    y, p = events(setting.rows(ROWS))
    columns = predictions(p)
    models = {f"model {k}": nll.Bernoulli(probs=q) for k, q in enumerate(columns)}
    works = [
        Work(
            "nll.compare, five models",
            lambda: nll.compare(y, models, progress=False),
            value=lambda c: c.standings[0].score.mean,
        ),
        Work(
            "nll.score of one model",
            lambda: nll.score(y, models["model 0"], progress=False),
            at_most=5.5,
            value=lambda s: s.mean,
        ),
        Work(
            "nll.compare with baseline=True: each pair of six",
            lambda: nll.compare(y, models, baseline=True, progress=False),
            value=lambda c: c.standings[0].score.mean,
        ),
        Work("scikit-learn log_loss, errors by NumPy", lambda: with_sklearn(y, columns), at_least=50),
        Work("NumPy", lambda: with_numpy(y, columns)),
    ]
    alternate(works)
    notes = [
        "The exact sums of a pair's differences and of their squares cost a third of a Bernoulli row's loss, so five "
        "models cost more than five scores.",
        "The best model is guessed from the first rows; where the guess is wrong, a second pass follows.",
    ]
    return [compared(f"Comparing five Bernoulli models, {setting.size(ROWS)} in memory", works, notes)]
