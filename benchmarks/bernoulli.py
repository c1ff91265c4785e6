"""Binary log loss of arrays in memory: float64 probabilities, int64 labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

import nll
from benchmarks.limit import NAME, THREADS, reader
from benchmarks.report import Table, compared
from benchmarks.setting import Setting
from benchmarks.timing import Work, alternate

ROWS = 10_000_000
MEAN = -pl.when(pl.col("y") == 1).then(pl.col("p")).otherwise(1.0 - pl.col("p")).log().mean()


def events(n: int, seed: int = 1) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return labels and the probabilities that they follow."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.001, 0.999, n)
    return (rng.random(n) < p).astype(np.int64), p


def run(setting: Setting) -> list[Table]:
    import torch
    from sklearn.metrics import log_loss

    torch.set_num_threads(THREADS)
    y, p = events(setting.rows(ROWS))
    frame = pl.DataFrame({"y": y, "p": p})
    y_torch, p_torch = torch.from_numpy(y.astype(np.float64)), torch.from_numpy(p)
    loss = torch.nn.functional.binary_cross_entropy
    works = [
        Work(
            "nll.score: exact sum, standard error", lambda: nll.score(y, nll.Bernoulli(probs=p)), value=lambda s: s.mean
        ),
        Work(NAME, reader(y, p), at_most=2.5),
        Work("scikit-learn log_loss", lambda: log_loss(y, p), at_least=250),
        Work("Polars expression", lambda: frame.select(MEAN), at_least=12, value=lambda f: f.item()),
        Work(
            "Polars expression, streaming",
            lambda: frame.lazy().select(MEAN).collect(engine="streaming"),
            at_least=12,
            value=lambda f: f.item(),
        ),
        Work("NumPy", lambda: -np.log(np.where(y == 1, p, 1.0 - p)).mean(), value=float),
        Work("torch binary_cross_entropy", lambda: loss(p_torch, y_torch), value=float),
    ]
    alternate(works)
    notes = [
        "The peers give a mean in rounded arithmetic and no standard error.",
        "torch wants labels of the probabilities' type: they are converted before, which is not timed.",
    ]
    return [compared(f"Bernoulli, {setting.size(ROWS)} in memory", works, notes)]
