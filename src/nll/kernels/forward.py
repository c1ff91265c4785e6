"""Passes over sequences whose states are hidden: forward, backward, and the most probable path.

Probabilities are scaled to sum to one at each step, which costs K exponentials a step and K**2 products. Where that
could lose a path to underflow, the sequence is marked, and goes again through the same sums on a scale of logs, at K**2
exponentials a step. Each sequence is gone through alone and in its order: its numbers do not depend on the others.

Source: L. R. Rabiner, A Tutorial on Hidden Markov Models and Selected Applications in Speech Recognition (1989),
sections III.A to III.C and V.A (scaling). The backward pass goes over the filtered probabilities alone: G. Kitagawa,
Non-Gaussian State-Space Modeling of Nonstationary Time Series (1987), section 2.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.numerics.elementary import exp, log
from nll.numerics.formula import bind, is_stored, quiet

Array = npt.NDArray[Any]
INF = float("inf")
# A filtered probability below LOST may have lost digits, or all of it. What is lost at one step counts for nothing
# at the next if each state is reached there with a probability above THIN.
LOST = 1e-250
THIN = 1e-200
FAINT = 1e-280  # a predicted probability above 0 and below this may have lost digits
SMALLEST = 1e-30  # positive probabilities of a model below this go by logs at once: products of them could vanish

# As plain Python a formula takes 25 microseconds, a product 0.5; a kernel compiles in 1 to 3 s.
SECONDS_BEFORE_COMPILING = 0.5
SECONDS_TO_LOOK = 0.1  # worth loading a compiler, to see whether a compiled kernel is on disk
SECONDS_A_FORMULA = 25e-6
SECONDS_A_PRODUCT = 0.5e-6


def forward(losses, bounds, initial, transition, keep, steps, filtered, rough):
    """Write -log p(y_t | y before) of each step, and with `keep` P(state_t | y up to t), by scaled probabilities.

    Steps after one that is impossible are NaN. `rough` marks sequences that may have lost something.
    """
    states = initial.size
    ahead, now = np.empty(states), np.empty(states)
    for s in range(bounds.size - 1):
        worn, dead = False, False
        for t in range(bounds[s], bounds[s + 1]):
            if dead:
                steps[t] = np.nan
                continue
            if t == bounds[s]:
                for j in range(states):
                    ahead[j] = initial[j]
            else:
                for j in range(states):
                    ahead[j] = 0.0
                for i in range(states):
                    weight = now[i]
                    for j in range(states):
                        ahead[j] += weight * transition[i, j]
            least, thinnest, faint = INF, INF, False
            for j in range(states):
                if ahead[j] > 0.0 and losses[t, j] < least:
                    least = losses[t, j]
                thinnest = ahead[j] if ahead[j] < thinnest else thinnest
                faint = faint or (ahead[j] > 0.0 and ahead[j] < FAINT)
            if faint or (worn and thinnest < THIN):
                rough[s] = 1
                break
            if least == INF:
                steps[t], dead = INF, True
                continue
            total = 0.0
            for j in range(states):
                now[j] = ahead[j] * exp(np.float64(least - losses[t, j])) if ahead[j] > 0.0 else 0.0
                total += now[j]
            worn = False
            for j in range(states):
                now[j] /= total
                worn = worn or (now[j] < LOST and ahead[j] > 0.0 and losses[t, j] < INF)
            steps[t] = least - log(np.float64(total))
            if keep:
                for j in range(states):
                    filtered[t, j] = now[j]


def forward_logs(losses, bounds, initial, transition, keep, steps, filtered, rough):
    """Do the same for the marked sequences, from logs of the model's probabilities; `filtered` gets logs."""
    states = initial.size
    ahead, now = np.empty(states), np.empty(states)
    for s in range(bounds.size - 1):
        if rough[s] == 0:
            continue
        dead = False
        for t in range(bounds[s], bounds[s + 1]):
            if dead:
                steps[t] = np.nan
                continue
            for j in range(states):
                if t == bounds[s]:
                    ahead[j] = initial[j]
                    continue
                largest, total = -INF, 0.0
                for i in range(states):
                    value = now[i] + transition[i, j]
                    largest = value if value > largest else largest
                if largest > -INF:
                    for i in range(states):
                        total += exp(np.float64(now[i] + transition[i, j] - largest))
                    ahead[j] = largest + log(np.float64(total))
                else:
                    ahead[j] = -INF
            largest, total = -INF, 0.0
            for j in range(states):
                now[j] = ahead[j] - losses[t, j]
                largest = now[j] if now[j] > largest else largest
            if largest == -INF:
                steps[t], dead = INF, True
                continue
            for j in range(states):
                total += exp(np.float64(now[j] - largest))
            value = largest + log(np.float64(total))
            steps[t] = -value
            for j in range(states):
                now[j] -= value
                if keep:
                    filtered[t, j] = now[j]


def backward(filtered, bounds, transition, turned, rough, smoothed, moves):
    """Write P(state_t | y) of each step, and add to `moves` the expected number of each transition.

    An expected move is P(i at t | y to t) A_ij P(j at t + 1 | y) / P(j at t + 1 | y to t): never more than 1.
    `turned` is the transposed matrix.
    """
    states = transition.shape[0]
    ahead, back = np.empty(states), np.empty(states)
    for s in range(bounds.size - 1):
        if rough[s] != 0 or bounds[s] == bounds[s + 1]:
            continue
        last = bounds[s + 1] - 1
        for j in range(states):
            smoothed[last, j] = filtered[last, j]
        for t in range(last - 1, bounds[s] - 1, -1):
            for j in range(states):
                ahead[j] = 0.0
            for i in range(states):
                weight = filtered[t, i]
                for j in range(states):
                    ahead[j] += weight * transition[i, j]
            for j in range(states):
                ahead[j] = smoothed[t + 1, j] / ahead[j] if smoothed[t + 1, j] > 0.0 else 0.0
            for i in range(states):
                back[i] = 0.0
            for j in range(states):
                weight = ahead[j]
                for i in range(states):  # the transposed matrix, so that it runs across lanes
                    back[i] += turned[j, i] * weight
            for i in range(states):
                weight = filtered[t, i]
                smoothed[t, i] = weight * back[i]
                for j in range(states):
                    moves[i, j] += weight * transition[i, j] * ahead[j]


def backward_logs(filtered, bounds, transition, rough, smoothed, moves):
    """Do the same for the marked sequences, from logs of filtered and of the model's probabilities."""
    states = transition.shape[0]
    ahead = np.empty(states)
    for s in range(bounds.size - 1):
        if rough[s] == 0 or bounds[s] == bounds[s + 1]:
            continue
        last = bounds[s + 1] - 1
        for j in range(states):
            smoothed[last, j] = exp(np.float64(filtered[last, j]))
        for t in range(last - 1, bounds[s] - 1, -1):
            for j in range(states):
                largest, total = -INF, 0.0
                for i in range(states):
                    value = filtered[t, i] + transition[i, j]
                    largest = value if value > largest else largest
                if largest > -INF:
                    for i in range(states):
                        total += exp(np.float64(filtered[t, i] + transition[i, j] - largest))
                    ahead[j] = largest + log(np.float64(total))
                else:
                    ahead[j] = INF  # no move ends there
            for i in range(states):
                total = 0.0
                for j in range(states):
                    move = exp(np.float64(filtered[t, i] + transition[i, j] - ahead[j])) * smoothed[t + 1, j]
                    moves[i, j] += move
                    total += move
                smoothed[t, i] = total


def best_path(losses, bounds, initial, transition, path, back):
    """Write the most probable states, from costs -log p; of equal ones the lowest number. -1 where none is possible.

    `back` (steps, states) is scratch: the state before on the best way to each.
    """
    states = initial.size
    cost, new, came = np.empty(states), np.empty(states), np.empty(states, np.int64)
    for s in range(bounds.size - 1):
        for t in range(bounds[s], bounds[s + 1]):
            if t == bounds[s]:
                for j in range(states):
                    new[j], came[j] = initial[j], 0
            else:
                for j in range(states):
                    new[j], came[j] = INF, 0
                for i in range(states):
                    before = cost[i]
                    for j in range(states):
                        value = before + transition[i, j]
                        better = value < new[j]
                        new[j] = value if better else new[j]
                        came[j] = i if better else came[j]
            least = INF
            for j in range(states):
                back[t, j] = came[j]
                new[j] += losses[t, j]
                least = new[j] if new[j] < least else least
            for j in range(states):  # differences count: so long sequences lose no digits
                cost[j] = new[j] - least if least < INF else INF
        at, least = -1, INF
        for j in range(states):
            if bounds[s] < bounds[s + 1] and cost[j] < least:
                least, at = cost[j], j
        for t in range(bounds[s + 1] - 1, bounds[s] - 1, -1):
            path[t] = at
            if at >= 0 and t > bounds[s]:
                at = back[t, at]


@dataclass(slots=True)
class Pass:
    """A pass that runs as plain Python until a compiler pays."""

    loop: Callable[..., None]
    seconds_left: float = SECONDS_BEFORE_COMPILING
    compiled: Any = None
    ready: bool = False  # whether it has run compiled, or is known to be on disk

    def __call__(self, formulas: int, products: int, *arguments: Any) -> None:
        """Run the pass, which takes about so many formulas and products."""
        seconds = formulas * SECONDS_A_FORMULA + products * SECONDS_A_PRODUCT
        if not self.ready and seconds <= self.seconds_left:
            if seconds > SECONDS_TO_LOOK:
                self.ready = is_stored(self._kernel())
            if not self.ready:
                start = time.perf_counter()
                with quiet():
                    self.loop(*arguments)
                self.seconds_left -= time.perf_counter() - start
                return
        self.ready = True
        self._kernel()(*arguments)

    def _kernel(self) -> Any:
        if self.compiled is None:
            self.compiled = bind(self.loop)
        return self.compiled


FORWARD, FORWARD_LOGS = Pass(forward), Pass(forward_logs)
BACKWARD, BACKWARD_LOGS = Pass(backward), Pass(backward_logs)
BEST_PATH = Pass(best_path)


@dataclass(frozen=True, slots=True)
class Filtered:
    """What a forward pass found.

    Attributes
    ----------
    steps : (n,) the loss of each step given those before, infinite at the first impossible one and NaN after it.
    probabilities : (n, K) P(state | y up to there), logs of them in the `rough` sequences; empty if not kept.
    rough : (S,) which sequences went by logs.
    """

    steps: Array
    probabilities: Array
    rough: Array


def logs_of(probabilities: Array) -> Array:
    """Return logs of probabilities, of 0 minus infinity."""
    with quiet():
        return np.array([log(np.float64(p)) for p in probabilities.flat], np.float64).reshape(probabilities.shape)


def filtered(losses: Array, bounds: Array, initial: Array, transition: Array, keep: bool = False) -> Filtered:
    """Go forward through sequences: losses (n, K) of the observations by state, bounds (S + 1,) of the sequences."""
    n, states = losses.shape
    steps, found = np.empty(n), np.empty((n if keep else 0, states))
    small = [p[p > 0.0].min(initial=1.0) < SMALLEST for p in (initial, transition)]
    rough = np.full(len(bounds) - 1, any(small), np.uint8)
    if not any(small):
        work = (n * (states + 1), n * states * (states + 8))
        FORWARD(*work, losses, bounds, initial, transition, keep, steps, found, rough)
    if rough.any():
        logs = (logs_of(initial), logs_of(transition))
        rows = int(np.diff(bounds)[rough == 1].sum())
        work = (rows * states * (states + 3), rows * states * states * 3)
        FORWARD_LOGS(*work, losses, bounds, *logs, keep, steps, found, rough)
    return Filtered(steps, found, rough)


def smoothed(found: Filtered, bounds: Array, transition: Array) -> tuple[Array, Array]:
    """Go backward: return P(state | y) of each step (n, K) and the expected number of each transition (K, K)."""
    n, states = found.probabilities.shape
    out, moves = np.empty((n, states)), np.zeros((states, states))
    if not found.rough.all():
        both = (transition, np.ascontiguousarray(transition.T))
        work = n * states * (3 * states + 4)
        BACKWARD(0, work, found.probabilities, bounds, *both, found.rough, out, moves)
    if found.rough.any():
        arguments = (found.probabilities, bounds, logs_of(transition), found.rough, out, moves)
        rows = int(np.diff(bounds)[found.rough == 1].sum())
        BACKWARD_LOGS(rows * states * (2 * states + 2), rows * states * states * 4, *arguments)
    return out, moves


def decoded(losses: Array, bounds: Array, initial: Array, transition: Array) -> Array:
    """Return the most probable states (n,); -1 in a sequence that no path explains."""
    n, states = losses.shape
    path, back = np.empty(n, np.int64), np.empty((n, states), np.int16)
    costs = (-logs_of(initial), -logs_of(transition))
    BEST_PATH(0, n * states * (states + 3) * 2, losses, bounds, *costs, path, back)
    return path
