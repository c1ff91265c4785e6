"""Cross-entropy of logits in memory, float32 and bfloat16, int64 labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import nll
from benchmarks.limit import NAME, THREADS, reader
from benchmarks.report import Table, Target, compared
from benchmarks.setting import Setting
from benchmarks.timing import Work, alternate

# Rows, classes, how many times as fast as torch, and the most times as long as reading the logits once.
SHAPES = ((2_000_000, 10, 5, None), (200_000, 100, 5, None), (2_048, 50_257, 6, 2), (4_096, 128_256, 6, 2))
HALF_SHAPES = ((2_048, 50_257, 8),)  # of bfloat16
PADDED = 0.2  # of the ids, ignored


def run(setting: Setting) -> list[Table]:
    import torch

    torch.set_num_threads(THREADS)
    return [_shape(setting, *shape) for shape in SHAPES] + [_halves(setting, *shape) for shape in HALF_SHAPES]


def _logits(n: int, classes: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(2)
    z = np.empty((n, classes), np.float32)
    step = max(1, 2**24 // classes)
    for start in range(0, n, step):  # so that the making takes no more memory than the logits
        z[start : start + step] = 3.0 * rng.standard_normal((min(step, n - start), classes), np.float32)
    return z, rng.integers(0, classes, n)


def _halves(setting: Setting, rows: int, classes: int, at_least: float) -> Table:
    """bfloat16 tensors, as they are."""
    import torch

    n = setting.rows(rows)
    single, y = _logits(n, classes)
    z, y_torch = torch.from_numpy(single).to(torch.bfloat16), torch.from_numpy(y)
    padded = np.where(np.random.default_rng(3).random(n) < PADDED, -100, y).reshape(1, n)
    batch = z.reshape(1, n, classes)
    loss = torch.nn.functional.cross_entropy
    works = [
        Work("nll.score", lambda: nll.score(y, nll.Categorical(logits=z)), value=lambda s: s.mean),
        Work(NAME, reader(z.view(torch.int16).numpy(), y)),
        Work("torch cross_entropy, mean", lambda: loss(z, y_torch), at_least, value=lambda _: None),
        Work("nll.score of their float32", lambda: nll.score(y, nll.Categorical(logits=single)), value=lambda _: None),
        Work(
            f"nll.score, shift, {PADDED:.0%} ignored",
            lambda: nll.score(padded, nll.Categorical(logits=batch), ignore_index=-100, shift=True),
            value=lambda _: None,
        ),
    ]
    alternate(works, seconds=2.0)
    return compared(f"Categorical logits in bfloat16, {n:,} × {classes:,}", works)


def _shape(setting: Setting, rows: int, classes: int, at_least: float, at_most: float | None) -> Table:
    import torch

    n = setting.rows(rows)
    z, y = _logits(n, classes)
    z_torch, y_torch = torch.from_numpy(z), torch.from_numpy(y)
    loss = torch.nn.functional.cross_entropy
    mean, each = "nll.score: exact sum, standard error", "nll.rows: float64 row losses"
    works = [
        Work(mean, lambda: nll.score(y, nll.Categorical(logits=z)), value=lambda s: s.mean),
        Work(NAME, reader(z, y), at_most=at_most),
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
