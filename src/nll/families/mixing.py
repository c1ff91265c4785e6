"""The formulas of a mixture: its terms, what is seen of each part weighted, and the derivatives by their shares."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from nll.families.family import Family
from nll.families.masses import Build, Seen
from nll.families.parts import INF, tails_of
from nll.families.tracing import Value, Write, where
from nll.numerics.elementary import exp, expm1, log, log1p
from nll.numerics.pairs import two_sum


class _Terms:
    """The parts' losses, the least of them that counts, and each part's share."""

    def __init__(self, seen: Seen, forms: Sequence[type[Family]], pieces: Any, own: list[Value]) -> None:
        write = seen.write
        self.losses = [seen.loss(form, theta) for form, theta in zip(forms, pieces, strict=True)]
        counted = [where(w > 0.0, loss, INF) for w, loss in zip(own, self.losses, strict=True)]
        self.least = reduce(lambda a, b: where(a < b, a, b), counted)
        self.scaled = [write(exp, self.least - loss) for loss in self.losses]  # densities, over the largest
        self.terms = [where(w > 0.0, w * e, 0.0) for w, e in zip(own, self.scaled, strict=True)]
        self.total = reduce(lambda a, b: a + b, self.terms)

    def ratios(self) -> list[Value]:
        """Return the density of each part over that of the mixture."""
        return [e / self.total for e in self.scaled]

    def shares(self) -> list[Value]:
        """Return the probabilities that y comes from each part."""
        return [term / self.total for term in self.terms]


def loss_of_mixture(forms: Sequence[type[Family]]) -> Build:
    """Return what writes the loss."""

    def loss(seen: Seen, pieces: list[list[Value]], own: list[Value]) -> Value:
        write, found = seen.write, _Terms(seen, forms, pieces, own)
        finite = (found.least > -INF) & (found.least < INF)
        value = where(finite, found.least - write(log, found.total), found.least)
        if not seen.probability(forms[0]):
            return value
        # A probability near 1 from what is missing, of which the digits are known.
        total, rest = own[0], None
        for w in own[1:]:
            total, error = write.several(two_sum, 2, total, w)
            rest = error if rest is None else rest + error
        excess = total - 1.0 if rest is None else (total - 1.0) + rest
        for w, part in zip(own, found.losses, strict=True):
            excess = excess + w * write(expm1, -part)
        return where(excess > -0.5, -write(log1p, excess), value)

    return loss


def _slopes(seen: Seen, forms: Any, pieces: Any, ratios: list[Value]) -> list[list[Value]]:
    """Return the gradients of the parts' losses, 0 for a part that has no density here."""
    found = []
    for form, theta, ratio in zip(forms, pieces, ratios, strict=True):
        found.append([where(ratio > 0.0, slope, 0.0) for slope in seen.gradient(form, theta)])
    return found


def gradient_of_mixture(forms: Sequence[type[Family]]) -> Build:
    """Return what writes the gradient."""

    def gradient(seen: Seen, pieces: list[list[Value]], own: list[Value]) -> list[Value]:
        found = _Terms(seen, forms, pieces, own)
        ratios, shares = found.ratios(), found.shares()
        slopes = _slopes(seen, forms, pieces, ratios)
        inner = [share * slope for share, piece in zip(shares, slopes, strict=True) for slope in piece]
        return [*inner, *(-ratio for ratio in ratios)]

    return gradient


def hessian_of_mixture(forms: Sequence[type[Family]]) -> Build:
    """Return what writes the Hessian.

    With p the mixture's density, s = p_k / p, r = w s, and g the gradient of part k's loss: see `entry`.
    """

    def hessian(seen: Seen, pieces: list[list[Value]], own: list[Value]) -> list[Value]:
        found = _Terms(seen, forms, pieces, own)
        ratios, shares = found.ratios(), found.shares()
        slopes = _slopes(seen, forms, pieces, ratios)
        others = [
            reduce(lambda a, b: a + b, [r for m, r in enumerate(shares) if m != k], 0.0) for k in range(len(forms))
        ]
        bends = []
        for form, theta, ratio in zip(forms, pieces, ratios, strict=True):
            bend = iter(seen.hessian(form, theta))
            places = [(i, j) for i in range(len(theta)) for j in range(i, len(theta))]
            bends.append({place: where(ratio > 0.0, next(bend), 0.0) for place in places})

        def entry(a: tuple[int, int], b: tuple[int, int]) -> Value:
            (k, i), (m, j) = a, b
            if i < 0:  # two weights
                return ratios[k] * ratios[m]
            if j < 0:  # a parameter and a weight
                factor = ratios[k] * others[k] if k == m else -(shares[k] * ratios[m])
                return factor * slopes[k][i]
            if k == m:
                return shares[k] * (bends[k][i, j] - others[k] * slopes[k][i] * slopes[k][j])
            return shares[k] * shares[m] * slopes[k][i] * slopes[m][j]

        places = [(k, i) for k, piece in enumerate(pieces) for i in range(len(piece))]
        places += [(k, -1) for k in range(len(own))]
        return [entry(a, b) for i, a in enumerate(places) for b in places[i:]]

    return hessian


def tail_of_mixture(forms: Sequence[type[Family]], upper: bool) -> Any:
    """Return what writes log P(Y <= y), or log P(Y > y)."""

    def tail(write: Write, y: Value, pieces: list[list[Value]], own: list[Value]) -> Value:
        both = [tails_of(write, form, y, theta) for form, theta in zip(forms, pieces, strict=True)]
        near, far = ([pair[side] for pair in both] for side in (upper, not upper))
        small, large = _log_sum(write, near, own), _log_sum(write, far, own)
        # From the other side where that is the smaller: nothing is lost near 1.
        return where(small < large, small, write(log1p, -write(exp, large)))

    return tail


def _log_sum(write: Write, logs: list[Value], own: list[Value]) -> Value:
    counted = [where(w > 0.0, x, -INF) for w, x in zip(own, logs, strict=True)]
    largest = reduce(lambda a, b: where(a > b, a, b), counted)
    finite = where(largest > -INF, largest, 0.0)
    terms = [w * write(exp, x - finite) for w, x in zip(own, counted, strict=True)]
    return finite + write(log, reduce(lambda a, b: a + b, terms))
