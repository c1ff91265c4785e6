"""Where a search begins: parameters from moments of the sample, several where the likelihood has several maxima."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.families.family import Family
from nll.tasks.fit.problem import Part

Array = npt.NDArray[Any]
Start = tuple[float, ...]


class Sample:
    """Moments of the rows of each group, each computed when a family first asks for it."""

    def __init__(self, part: Part, names: list[str]) -> None:
        self.part, self.names = part, names
        self.known: dict[str, Array] = {}
        self.lists: dict[str, list[float]] = {}  # the same as Python floats, which thousands of starts read faster
        sizes = part.upper - part.lower
        self.group = np.repeat(np.arange(len(sizes)), sizes)
        w = part.weights
        self.total_weight = sizes.astype(np.float64) if w is None else np.add.reduceat(w, part.lower)

    def get(self, name: str) -> Array:
        """Return a moment of each group."""
        if name not in self.known:
            with np.errstate(all="ignore"):
                self.known[name] = getattr(self, f"_{name}")()
        return self.known[name]

    def average(self, values: Array) -> Array:
        """Return the weighted mean of each group."""
        w = self.part.weights
        return np.add.reduceat(values if w is None else values * w, self.part.lower) / self.total_weight

    def _spread_about_mean(self, values: Array) -> tuple[Array, Array]:
        mean = self.average(values)
        gap = values - mean[self.group]
        mean = mean + self.average(gap)
        return mean, self.average(gap * gap)

    def _mean(self) -> Array:
        mean, self.known["variance"] = self._spread_about_mean(self.part.y)
        return mean

    def _variance(self) -> Array:
        self.known["mean"], variance = self._spread_about_mean(self.part.y)
        return variance

    def _logs(self) -> tuple[Array, Array]:
        return self._spread_about_mean(np.log(np.where(self.part.y > 0.0, self.part.y, np.nan)))

    def _log_mean(self) -> Array:
        mean, self.known["log_variance"] = self._logs()
        return mean

    def _log_variance(self) -> Array:
        self.known["log_mean"], variance = self._logs()
        return variance

    def middle(self, values: Array) -> Array:
        """Return the weighted median of each group; the mean of the two middle ones where they are two."""
        order = np.lexsort((values, self.group)) if len(self.part.lower) > 1 else np.argsort(values)
        ordered = values[order]
        if self.part.weights is None:
            size = self.part.upper - self.part.lower
            return 0.5 * (ordered[self.part.lower + (size - 1) // 2] + ordered[self.part.lower + size // 2])
        out = np.empty(len(self.part.lower))
        for g, (lower, upper) in enumerate(zip(self.part.lower, self.part.upper, strict=True)):
            sums = np.cumsum(self.part.weights[order[lower:upper]])
            half = 0.5 * sums[-1]
            i = int(np.searchsorted(sums, half * (1.0 - 1e-14)))
            after = min(i + 1, upper - lower - 1)
            even = abs(sums[i] - half) <= 1e-14 * half
            out[g] = 0.5 * (ordered[lower + i] + ordered[lower + after]) if even else ordered[lower + i]
        return out

    def _median(self) -> Array:
        return self.middle(self.part.y)

    def _spread(self) -> Array:
        return 1.4826 * self.middle(np.abs(self.part.y - self.get("median")[self.group]))

    def _absolute_deviation(self) -> Array:
        return self.average(np.abs(self.part.y - self.get("median")[self.group]))

    def _second(self) -> Array:
        return self.average(self.part.y**2)

    def _inverse(self) -> Array:
        return self.average(np.where(self.part.y > 0.0, 1.0 / self.part.y, np.nan))

    def _zeros(self) -> Array:
        return self.average((self.part.y == 0.0).astype(np.float64))

    def _log_one_minus(self) -> Array:
        return self.average(np.log1p(-np.where(self.part.y < 1.0, self.part.y, np.nan)))

    def _minimum(self) -> Array:
        return np.minimum.reduceat(self.part.y, self.part.lower)

    def _maximum(self) -> Array:
        return np.maximum.reduceat(self.part.y, self.part.lower)

    def _total(self) -> Array:
        column = self.part.columns[self.names.index("total_count")] if "total_count" in self.names else None
        return np.full(len(self.part.lower), np.nan) if column is None else self.average(column)


class Known:
    """The moments of one group, as a family's `start` takes them."""

    __slots__ = ("g", "given", "sample")

    def __init__(self, sample: Sample, g: int, given: dict[str, float]) -> None:
        self.sample, self.g, self.given = sample, g, given

    def __getattr__(self, name: str) -> Any:
        if name in self.given:
            return self.given[name]
        lists = self.sample.lists
        if name not in lists:
            if not hasattr(self.sample, f"_{name}"):
                raise AttributeError(f"a sample has no moment {name!r}")
            lists[name] = self.sample.get(name).tolist()
        return lists[name][self.g]


def starts(form: type[Family], sample: Sample, fixed: dict[str, float], several: bool) -> Array:
    """Return starts (groups, S, p), NaN where there is none, the family's own first."""
    given = {"total": fixed["total_count"]} if "total_count" in fixed else {}
    given |= {"loc": fixed["loc"]} if "loc" in fixed else {}
    groups = len(sample.part.lower)
    with np.errstate(all="ignore"):
        found = [candidates(form, Known(sample, g, given), several, fixed) for g in range(groups)]
    out = np.full((groups, max(map(len, found)), len(form.parameters)), np.nan)
    if out.shape[1] == 1:
        out[:, 0] = [own[0] for own in found]
        return out
    for g, own in enumerate(found):
        out[g, : len(own)] = own
    return out


def candidates(form: type[Family], m: Known, several: bool, fixed: dict[str, float]) -> list[Start]:
    """Return starts of one group."""
    if form.__name__.startswith("Transformed") and getattr(form, "options", ("",))[0] in ("affine", "power"):
        return transformed(form, m, several, fixed) or guesses(form, m)
    if getattr(form, "simplexes", ()) and getattr(form, "parts", ()):
        return mixed(form, m) or guesses(form, m)
    own = attempt(form.start, m) if form.start is not None else None
    if own is None and form.start is not None:
        own = attempt(form.start, widened(m))
    found: list[Start] = [own] if own is not None else []
    if several or own is None:
        more = MORE.get(form.family.__name__)
        if more is not None and "loc" in form.parameters and form.family.__name__ == "GeneralizedPareto":
            loc = m.given["loc"] if "loc" in m.given else float(m.minimum)
            moved = Known(m.sample, m.g, {"mean": m.mean - loc, "median": m.median - loc, "maximum": m.maximum - loc})
            found += [(loc, *start) for start in more(moved)]
        elif more is not None:
            found += more(m)
    return found or guesses(form, m)


def attempt(start: Callable[..., Any], m: Any) -> Start | None:
    """Return a start, None where the moments do not give one."""
    try:
        found = tuple(map(float, start(m)))
    except (ZeroDivisionError, ValueError, OverflowError, TypeError):
        return None
    return found if all(map(math.isfinite, found)) else None


def widened(m: Known) -> Known:
    """Return moments of a sample of one value as if it had some spread."""
    mean = m.mean if math.isfinite(m.mean) else 0.5
    size = abs(mean) or 1.0
    floor = {"variance": max(m.variance, 0.01 * size * 0.01 * size), "spread": max(m.spread, 0.01 * size)}
    floor |= {"log_mean": m.log_mean if math.isfinite(m.log_mean) else math.log(size)}
    floor |= {"log_variance": m.log_variance if m.log_variance > 0.0 else 1e-4, "mean": mean or 0.01}
    floor |= {"absolute_deviation": max(m.absolute_deviation, 0.01 * size)}
    return Known(m.sample, m.g, {**m.given, **floor})


def mixed(form: type[Family], m: Known, most: int = 4096) -> list[Start]:
    """Return starts of a mixture: the sample cut into as many stretches as there are parts, each part begun on one.

    The stretches are those of equal size, and those about the means that S. P. Lloyd, Least squares quantization in
    PCM (1982), moves until they stay; in either order where the parts differ.
    """
    part = m.sample.part
    y = np.sort(part.y[part.lower[m.g] : part.upper[m.g]])
    y = y[:: max(1, len(y) // most)]
    count = len(form.parts)  # type: ignore[attr-defined]
    if len(y) < 2 * count:
        return []
    orders = [range(count)] if len(set(form.parts)) == 1 else [range(count), range(count)[::-1]]  # type: ignore[attr-defined]
    equal = np.array([len(y) * k // count for k in range(1, count)])
    found: list[Start] = []
    for cuts in (equal, settled(y, equal), np.maximum(equal // 3, 1), len(y) - np.maximum((len(y) - equal) // 3, 1)):
        pieces = np.split(y, cuts)
        if min(map(len, pieces)) == 0:
            continue
        for order in orders:
            start: list[float] = []
            for kind, k in zip(form.parts, order, strict=True):  # type: ignore[attr-defined]
                start += _of_piece(kind, pieces[k]) or [math.nan]
            start += [len(pieces[k]) / len(y) for k in order]
            if len(start) == len(form.parameters) and all(map(math.isfinite, start)):
                found.append(tuple(start))
    return found


def _of_piece(form: type[Family], y: Array) -> list[float] | None:
    ends = np.zeros(1, np.int64), np.array([len(y)])
    sample = Sample(Part(y, (None,) * len(form.parameters), None, np.zeros(1, np.int64), *ends), list(form.parameters))
    own = Known(sample, 0, {})
    found = form.start and (attempt(form.start, own) or attempt(form.start, widened(own)))
    return list(found) if found else None


def transformed(form: type[Family], m: Known, several: bool, fixed: dict[str, float]) -> list[Start]:
    """Return starts of shift + factor x or x**exponent: those of the part for the x of which the sample is made."""
    part, own, (kind,) = m.sample.part, form.layout.own, form.parts  # type: ignore[attr-defined]
    rows = slice(int(part.lower[m.g]), int(part.upper[m.g]))
    y, weights = part.y[rows], None if part.weights is None else part.weights[rows]
    known: list[Any] = []
    for name in own:
        column = part.columns[list(form.parameters).index(name)]
        known.append(fixed.get(name) if column is None else column[rows])
    names, places = form.layout.parts[0], list(form.parameters)  # type: ignore[attr-defined]
    told = {inner: fixed[name] for inner, name in zip(kind.parameters, names, strict=True) if name in fixed}
    given = {"loc": told["loc"]} if "loc" in told else {}
    columns = tuple(None if c is None else c[rows] for c in (part.columns[places.index(name)] for name in names))
    choices: list[tuple[Any, ...]] = [tuple(known)]
    if len(own) == 2:
        factor = 1.0 if known[1] is None else known[1]
        choices = [(shift, factor) for shift in ([known[0]] if known[0] is not None else shifts(kind, y, factor))]
    found: list[Start] = []
    for values in choices:
        x = (y - values[0]) / values[1] if len(own) == 2 else y ** (1.0 / values[0])
        ends = np.zeros(1, np.int64), np.array([x.size])
        inner = Part(x, columns, weights, np.zeros(1, np.int64), *ends)
        numbers = [float(np.mean(value)) for value in values]
        starts_of_x = candidates(kind, Known(Sample(inner, list(kind.parameters)), 0, given), several, told)
        found += [(*start, *numbers) for start in starts_of_x]
    return found


def shifts(kind: type[Family], y: Array, factor: Any) -> list[float]:
    """Return shifts from which a search may begin: for numbers above 0, some that leave all rows possible."""
    low, high = float(np.min(y)), float(np.max(y))
    if kind.support.low != 0.0 or np.ndim(factor) or high == low:
        return [0.0]
    gaps = [share * (high - low) for share in (0.02, 0.2, 2.0)]
    return [low - gap for gap in gaps] if factor > 0.0 else [high + gap for gap in gaps]


def settled(y: Array, cuts: Array) -> Array:
    """Return the cuts of sorted numbers halfway between the means of the stretches."""
    for _ in range(50):
        pieces = np.split(y, cuts)
        if min(map(len, pieces)) == 0:
            return cuts
        means = np.array([piece.mean() for piece in pieces])
        moved = np.searchsorted(y, 0.5 * (means[1:] + means[:-1]))
        if (moved == cuts).all():
            break
        cuts = moved
    return cuts


def guesses(form: type[Family], m: Known) -> list[Start]:
    """Return starts for a form that has none of its own, by the names and constraints of its parameters."""
    found: list[Start] = []
    for size in (1.0, 0.1, 10.0):
        start: list[float] = []
        for name, constraint in form.parameters.items():
            if name in ("loc", "mean", "mu"):
                start.append(m.mean)
            elif name in ("scale", "sd", "sigma"):
                start.append(max(math.sqrt(m.variance), 1e-300) * size)
            else:
                start.append({"log": size, "logit": 0.5}.get(constraint.link, 0.0))
        found.append(tuple(start))
    return found


def _student(m: Known) -> list[Start]:
    width = m.spread / 1.4826
    return [(1.0, m.median, width), (3.0, m.median, 1.3 * width), (30.0, m.mean, m.variance**0.5)]


def _cauchy(m: Known) -> list[Start]:
    width = m.spread / 1.4826
    return [(m.median - width, width), (m.median + width, width)]


def _gev(m: Known) -> list[Start]:
    scale = math.sqrt(6.0 * m.variance) / math.pi
    loc = m.mean - 0.5772 * scale
    heavy = 0.5 * m.spread
    return [
        (loc + 0.1 * scale, 1.1 * scale, -min(0.3, 0.9 * 1.1 * scale / max(m.maximum - loc, 1e-300))),
        (m.median - 0.35 * heavy, heavy, min(0.4, 0.9 * heavy / max(m.median - m.minimum, 1e-300))),
    ]


def _pareto(m: Known) -> list[Start]:
    return [(m.mean, 0.0), (0.5 * m.median / 0.7, 0.6), (0.3 * 1.05 * m.maximum, -0.3), (0.7 * 1.05 * m.maximum, -0.7)]


def _skew(m: Known) -> list[Start]:
    scale = m.variance**0.5
    found: list[Start] = []
    for shape in (-4.0, -1.0, 1.0, 4.0):
        d = shape / math.hypot(1.0, shape)
        wide = scale / math.sqrt(1.0 - 2.0 / math.pi * d * d)
        found.append((m.mean - wide * d * math.sqrt(2.0 / math.pi), wide, shape))
    return found


def _power(m: Known) -> list[Start]:
    sd = m.variance**0.5
    return [(m.mean, 0.7 * sd, 1.0), (m.mean, 1.41 * sd, 2.0), (m.mean, 1.7 * sd, 6.0)]


# Families whose likelihood may have several maxima, or whose own start may lie far from the one.
MORE: dict[str, Callable[[Known], list[Start]]] = {
    "StudentT": _student,
    "Cauchy": _cauchy,
    "GEV": _gev,
    "SkewNormal": _skew,
    "GeneralizedNormal": _power,
    "GeneralizedPareto": _pareto,
}
