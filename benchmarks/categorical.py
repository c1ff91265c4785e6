"""Cross-entropy of float32 logits in memory, int64 labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import nll
from benchmarks.limit import NAME, THREADS, reader
from benchmarks.report import Table, Target, compared
from benchmarks.setting import Setting
from benchmarks.timing import Work, alternate

SHAPES = ((2_000_000, 10, 5), (200_000, 100, 5), (2_048, 50_257, 6))  # rows, classes, how many times as fast as torch


def run(setting: Setting) -> list[Table]:
    import torch

    torch.set_num_threads(THREADS)
    return [_shape(setting, *shape) for shape in SHAPES]


def _shape(setting: Setting, rows: int, classes: int, at_least: float) -> Table:
    import torch

    n = setting.rows(rows)
    rng = np.random.default_rng(2)
    z = rng.standard_normal((n, classes), np.float32)
    z *= 3.0
    y = rng.integers(0, classes, n)
    z_torch, y_torch = torch.from_numpy(z), torch.from_numpy(y)
    loss = torch.nn.functional.cross_entropy
    mean, each = "nll.score: exact sum, standard error", "nll.rows: float64 row losses"
    works = [
        Work(mean, lambda: nll.score(y, nll.Categorical(logits=z)), value=lambda s: s.mean),
        Work(NAME, reader(z, y)),
        Work("torch cross_entropy, mean", lambda: loss(z_torch, y_torch), at_least, value=float),
        Work(each, lambda: nll.rows(y, nll.Categorical(logits=z)), value=lambda x: x.mean()),
        Work(
            "torch cross_entropy, none: float32 row losses",
            lambda: loss(z_torch, y_torch, reduction="none"),
            at_least,
            base=each,
            value=lambda x: float(x.double().mean()),
        ),
    ]
    alternate(works, seconds=2.0)
    table = compared(f"Categorical logits, {n:,} × {classes:,}", works)
    true = _losses(z, y)
    ours = float(np.abs(nll.rows(y, nll.Categorical(logits=z)) - true).max())
    theirs = float(np.abs(loss(z_torch, y_torch, reduction="none").numpy() - true).max())
    target = Target("largest error of a row loss below torch's", f"nll {ours:.1g}, torch {theirs:.1g}", ours < theirs)
    table.targets.append(target)
    table.notes.append(f"Against float64, {target}.")
    return table


def _losses(z: npt.NDArray[np.float32], y: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the row losses in float64, a block of rows at a time."""
    out = np.empty(len(y))
    step = max(1, 2**22 // z.shape[1])
    for start in range(0, len(y), step):
        block = z[start : start + step].astype(np.float64)
        top = block.max(axis=1)
        chosen = np.take_along_axis(block, y[start : start + step, None], axis=1)[:, 0]
        out[start : start + step] = np.log(np.exp(block - top[:, None]).sum(axis=1)) + (top - chosen)
    return out
