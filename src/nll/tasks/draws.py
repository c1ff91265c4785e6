"""Random numbers from a counter: each depends on its place alone, and not on what was drawn before.

What a row draws in a replicate is a function of seed, replicate and the row's own key. So any split of the rows gives
the same draws, and the same replicates.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
U = np.uint64
GOLDEN = U(0x9E3779B97F4A7C15)
FIRST, SECOND = U(0xBF58476D1CE4E5B9), U(0x94D049BB133111EB)
MOST = 20  # a Poisson(1) number above it has a probability below 2**-65


def mixed(z: Array) -> Array:
    """Return 64 bits of which each depends on all bits of z.

    Source: G. L. Steele, D. Lea and C. H. Flood, Fast splittable pseudorandom number generators, OOPSLA 2014
    (the constants are of D. Stafford's variant 13).
    """
    with np.errstate(over="ignore"):
        z = (z ^ (z >> U(30))) * FIRST
        z = (z ^ (z >> U(27))) * SECOND
        return z ^ (z >> U(31))


def bits(seed: int, replicates: Any, keys: Any) -> Array:
    """Return 64 random bits (replicates, rows), each from (seed, its replicate, its row's key)."""
    with np.errstate(over="ignore"):
        start = mixed(np.array([seed % 2**64], U) + GOLDEN)
        streams = mixed(start + (np.asarray(replicates).astype(U) + U(1)) * GOLDEN)
        rows = mixed((np.asarray(keys).astype(U) + U(1)) * GOLDEN)
        return mixed(streams[:, None] ^ rows[None, :])


def uniforms(seed: int, replicates: Any, keys: Any) -> Array:
    """Return uniform numbers in [0, 1), of shape (replicates, rows)."""
    return (bits(seed, replicates, keys) >> U(11)).astype(np.float64) * 2.0**-53


def _thresholds() -> Array:
    """Return floor(2**64 P(N <= k)) of N ~ Poisson(1) for k = 0 .. MOST - 1, exact."""
    digits = 1 << 128
    inverse_e = sum((-1) ** j * digits // math.factorial(j) for j in range(40))
    sums, total = [], 0
    for k in range(MOST):
        total += inverse_e // math.factorial(k)
        sums.append(total >> 64)
    return np.array(sums, U)


THRESHOLDS = _thresholds()


def poisson_weights(seed: int, replicates: Any, keys: Any) -> Array:
    """Return Poisson(1) weights (replicates, rows) as uint8.

    Parameters
    ----------
    seed : any whole number of at least 0 below 2**64.
    replicates : (r,) whole numbers. keys : (n,) whole numbers, what the rows are known by.
    """
    drawn = bits(seed, replicates, keys)
    # A third of all weights are 0, a third 1: a few comparisons of all bits cost less than a search in each.
    weights = np.zeros(drawn.shape, np.uint8)
    for threshold in THRESHOLDS[:5]:
        weights += drawn >= threshold
    large = drawn >= THRESHOLDS[5]
    if large.any():
        weights[large] = np.searchsorted(THRESHOLDS, drawn[large], side="right")
    return weights


def cluster_keys(values: Array) -> tuple[Array, Array]:
    """Return a code (n,) for each row's cluster, and the key of each cluster, which depends on its value alone."""
    present, codes = np.unique(values, return_inverse=True)
    keys = [
        int.from_bytes(hashlib.blake2b(repr(v).encode(), digest_size=8).digest(), "little") for v in present.tolist()
    ]
    return codes, np.array(keys, U)


def folds(seed: int, keys: Array, k: int) -> Array:
    """Return the fold 0 .. k - 1 of each unit, at random; their sizes differ by one at most."""
    order = np.lexsort((keys, bits(seed, [0], keys)[0]))
    found = np.empty(len(keys), np.int64)
    found[order] = np.arange(len(keys)) % k
    return found
