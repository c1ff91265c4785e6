"""The coordinates of a search: each free parameter on the whole real line, weights that sum to one by a softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nll.families.family import Family

Array = npt.NDArray[Any]
LOG_LARGEST = 709.0
LEAST = 1e-300


class Mapped(NamedTuple):
    """Parameters (n, free) at coordinates (n, k), their Jacobian (n, free, k), and slopes and bends (n, free)."""

    theta: Array
    jacobian: Array


@dataclass(frozen=True)
class Links:
    """Maps between the free parameters of a form, in order, and the coordinates of a search.

    Attributes
    ----------
    kinds : "identity", "log", "logit" or "simplex", one a free parameter.
    blocks : the free parameters of each simplex, as positions; the last has no coordinate of its own.
    """

    kinds: tuple[str, ...]
    blocks: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of(cls, form: type[Family], free: tuple[str, ...]) -> Links:
        """Return the links of a form's free parameters."""
        kinds = [form.parameters[name].link or "identity" for name in free]
        blocks: list[tuple[int, ...]] = []
        for simplex in getattr(form, "simplexes", ()):
            if all(name in free for name in simplex):
                blocks.append(tuple(free.index(name) for name in simplex))
                for place in blocks[-1]:
                    kinds[place] = "simplex"
        return cls(tuple(kinds), tuple(blocks))

    @property
    def coordinates(self) -> list[int]:
        """The free parameter of each coordinate."""
        last = {block[-1] for block in self.blocks}
        return [k for k in range(len(self.kinds)) if k not in last]

    def inward(self, theta: Array) -> Array:
        """Return the coordinates (n, k) of parameters (n, free), those at an end moved inside."""
        out = np.array(theta, np.float64)
        with np.errstate(all="ignore"):
            for k, kind in enumerate(self.kinds):
                x = out[:, k]
                if kind == "log":
                    out[:, k] = np.log(np.where(x > 0.0, x, np.where(x == 0.0, 1e-3, np.nan)))
                elif kind == "logit":
                    x = np.clip(x, 1e-6, 1.0 - 1e-6)
                    out[:, k] = np.log(x) - np.log1p(-x)
            for block in self.blocks:
                logs = np.log(np.maximum(out[:, block], 1e-12))
                out[:, block] = logs - logs[:, -1:]
        return out[:, self.coordinates]

    def outward(self, eta: Array) -> Mapped:
        """Return the parameters and their Jacobian at coordinates."""
        n, places = len(eta), self.coordinates
        theta, jacobian = np.empty((n, len(self.kinds))), np.zeros((n, len(self.kinds), len(places)))
        with np.errstate(all="ignore"):
            for column, k in enumerate(places):
                x, kind = eta[:, column], self.kinds[k]
                if kind == "log":
                    theta[:, k] = jacobian[:, k, column] = np.exp(x)
                elif kind == "logit":
                    theta[:, k] = 1.0 / (1.0 + np.exp(-x))
                    jacobian[:, k, column] = theta[:, k] * (1.0 / (1.0 + np.exp(x)))
                elif kind == "identity":
                    theta[:, k], jacobian[:, k, column] = x, 1.0
            for block in self.blocks:
                own = [places.index(k) for k in block[:-1]]
                logs = np.concatenate([eta[:, own], np.zeros((n, 1))], axis=1)
                powers = np.exp(logs - logs.max(axis=1, keepdims=True))
                w = powers / powers.sum(axis=1, keepdims=True)
                theta[:, block] = w
                slopes = w[:, :, None] * (np.eye(len(block))[None] - w[:, None, :])
                jacobian[np.ix_(range(n), block, own)] = slopes[:, :, :-1]
        return Mapped(theta, jacobian)

    def curved(self, mapped: Mapped, gradient: Array, hessian: Array) -> tuple[Array, Array]:
        """Return gradient (n, k) and Hessian (n, k, k) in the coordinates, from those in the parameters."""
        theta, jacobian = mapped
        places = self.coordinates
        with np.errstate(all="ignore"):
            turned = jacobian.transpose(0, 2, 1)
            inner = turned @ hessian @ jacobian
            outer = (turned @ gradient[:, :, None])[:, :, 0]
            for column, k in enumerate(places):
                slope = jacobian[:, k, column]
                if self.kinds[k] == "log":
                    inner[:, column, column] += gradient[:, k] * slope
                elif self.kinds[k] == "logit":
                    inner[:, column, column] += gradient[:, k] * slope * (1.0 - 2.0 * theta[:, k])
            for block in self.blocks:
                own = [places.index(k) for k in block[:-1]]
                w, g = theta[:, block], gradient[:, block]
                e = np.eye(len(block))[None] - w[:, None, :]  # e[i, j] = (i == j) - w_j
                bends = e[:, :, :, None] * e[:, :, None, :] - (w[:, :, None] * e)[:, None, :, :]
                second = np.einsum("ni,nijk->njk", g * w, bends)[:, :-1, :-1]
                inner[np.ix_(range(len(theta)), own, own)] += second
        return outer, inner
