"""Check that a density integrates, or a mass sums, to one, and that derivatives and tails belong to it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.engines.local import Progress
from nll.errors import DataError, NllError, UsageError, first_line
from nll.families.categorical import Categorical
from nll.families.family import Family
from nll.families.inversion import ordered, unordered
from nll.families.values import ends, numbers
from nll.results.check import Check, Region
from nll.tasks.derivatives import compared
from nll.tasks.kinks import atoms, kinks
from nll.tasks.quadrature import Density, Integral, Panel, integrate, modes

Array = npt.NDArray[Any]

MOST_EVALUATIONS = 4_000
SEARCHED, SEARCHED_ONE_BY_ONE = 20_000, 2_000  # points of a grid on which a hump that was missed is searched
GOAL = 0.01  # of the tolerance: the error at which the quadrature is content
REGIONS = 8
JUMPS = 4
NEAR_KINK = 1e-3  # of the width of a distribution: too near an anchor, which may be a kink, to differentiate
NOTHING = 1e-12  # the mass of a hump not worth a word
SEEN = -60.0  # log of the mass next to a fall to 0 that is worth a word
HINTS = (0.001, 0.05, 0.25, 0.5, 0.75, 0.95, 0.999)  # quantiles, where no mode led to the mass
SPREAD = (0.05, 0.2, 0.35, 0.7, 0.9)  # where derivatives are compared


def check(
    dist: Any,
    *,
    support: tuple[float, float] | None = None,
    discrete: bool = False,
    points: Sequence[float] = (),
    tolerance: float = 1e-6,
    data: Any = None,
    y: Any = None,
    where: Any = None,
    threads: int | None = None,
    progress: Progress | bool = True,
) -> Any:
    """Say whether a distribution is one: whether its density integrates, or its mass sums, to 1.

    With `data` (or parameters that are arrays) the rows are checked instead: which parameters and observations are
    not what they must be, how many, and the first of each kind.

    Parameters
    ----------
    dist : a distribution whose parameters are numbers, or a function log_prob(y) of an array (or of a number);
        with `data` a distribution whose parameters are columns.
    support : the ends (low, high) of y, for a function.
    discrete : whether the function gives the log of a mass on whole numbers.
    points : where the density has modes, kinks or spikes, if that is known.
    tolerance : how far from 1 is still 1.
    data, y, where, threads, progress : for the rows of a table, as in `score`; y may be left out, or be observations
        that are seen in part, such as `nll.censored`.

    Returns
    -------
    Check, or TableCheck for rows; both are true where nothing was found.

    Raises
    ------
    DataError : a parameter is not valid, or the function raises or does not return numbers.
    UsageError : the arguments do not say what to check.

    Source: R. Piessens, E. de Doncker-Kapenga, C. W. Ueberhuber and D. K. Kahaner, QUADPACK (1983), routine QK15, on
    panels in the logarithm of the distance from a mode or an end; see `quadrature.py`.

    Examples
    --------
    >>> import nll
    >>> found = nll.check(nll.Gamma(concentration=2.0, rate=3.0))
    >>> found.verdict, round(found.integral, 9)
    ('normalised', 1.0)
    >>> nll.check(lambda y: -0.5 * y * y, support=(-float("inf"), float("inf"))).notes
    ['excess mass of 1.50663: the integral is sqrt(2 pi), as where a constant is missing']
    """
    if not 0.0 < tolerance < 1.0:
        raise UsageError(f"tolerance is between 0 and 1, such as 1e-6; got {tolerance!r}")
    if not isinstance(dist, Family):
        if not callable(dist) or isinstance(dist, type):
            raise UsageError(f"check a distribution such as nll.Normal(loc=0, scale=1), or log_prob(y); got {dist!r}")
        return check_function(dist, support, discrete, points, tolerance)
    if support is not None or discrete:
        raise UsageError(f"support= and discrete= are for a function; {dist.family.__name__} knows its own")
    if dist.event and not isinstance(dist, Categorical):
        raise UsageError(f"{dist.family.__name__} observes rows of several numbers, which are not integrated")
    if data is not None or y is not None or dist.event or any(np.ndim(v) or isinstance(v, str) for v in _theta(dist)):
        from nll.tasks.table_check import check_table

        return check_table(dist, data, y, where, threads, progress)
    return check_family(dist, points, tolerance)


def _theta(dist: Family) -> list[Any]:
    return list(dist.theta.values())


def check_family(dist: Family, points: Sequence[float], tolerance: float) -> Check:
    """Check a distribution whose parameters are numbers."""
    begin = time.perf_counter()
    theta = numbers(dist)
    low, high = (float(end) for end in ends(dist, theta))
    if not (low < high or (dist.discrete and low == high)):
        raise DataError(f"the support of {dist!r} is empty: from {low:g} to {high:g}")
    density = Density(lambda y: np.asarray(dist.log_prob(y), np.float64), low, high, dist.discrete)
    anchors = [*modes(density), *kinks(dist), *map(float, points)]
    found = integrate(density, anchors, GOAL * tolerance, MOST_EVALUATIONS)
    single = atoms(dist)
    if not abs(found.value + single - 1.0) <= tolerance and (hints := quantiles(dist)):
        again = integrate(density, [*anchors, *hints], GOAL * tolerance, density.evaluations + MOST_EVALUATIONS)
        found = again if again.value > found.value else found
    found = replace(found, value=found.value + single)
    count, faults = compared(type(dist), [float(t) for t in theta], *spread(found))
    regions = against_tails(dist, density, found, single)
    if not regions and abs(found.value - 1.0) > tolerance:
        regions = humps(density, found)
    return record(repr(dist), density, found, tolerance, begin, regions, count, tuple(faults))


def check_function(
    function: Callable[[Any], Any],
    support: tuple[float, float] | None,
    discrete: bool,
    points: Sequence[float],
    tolerance: float,
) -> Check:
    """Check log_prob(y)."""
    begin = time.perf_counter()
    low, high = support_of(support, discrete)
    log_prob = Guarded(function)
    density = Density(log_prob, low, high, discrete)
    anchors = [*modes(density), *map(float, points)]
    found = integrate(density, anchors, GOAL * tolerance, MOST_EVALUATIONS)
    if found.value < 1.0 - tolerance:  # perhaps a narrow hump was missed
        anchors += modes(density, search=SEARCHED_ONE_BY_ONE if log_prob.scalar else SEARCHED)
        found = integrate(density, anchors, GOAL * tolerance, density.evaluations + MOST_EVALUATIONS)
    name = getattr(function, "__name__", type(function).__name__)
    humps_ = humps(density, found) if abs(found.value - 1.0) > tolerance else []
    return record(name, density, found, tolerance, begin, humps_)


def support_of(support: Any, discrete: bool) -> tuple[float, float]:
    """Return the ends of a support, or refuse it."""
    try:
        low, high = (float(end) for end in support)
    except (TypeError, ValueError):
        low = high = math.nan
    if not low < high or (discrete and any(abs(x) < math.inf and x != math.floor(x) for x in (low, high))):
        kind = "whole numbers or infinities" if discrete else "such as (0.0, float('inf'))"
        raise UsageError(f"a function needs support=(low, high), {kind}; got {support!r}")
    return low, high


class Guarded:
    """A log density that raises errors of ours: of a function of arrays, or of numbers (which is then `scalar`)."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self.scalar = False

    def __call__(self, y: Array) -> Array:
        """Return the log densities."""
        if not self.scalar:
            try:
                with np.errstate(all="ignore"):
                    logs = np.asarray(self.function(y.copy()), np.float64)
                if logs.shape == y.shape:
                    return logs
            except NllError:
                raise
            except Exception:  # perhaps it is made for numbers; if not, it says so again, with the y
                self.scalar = True
        return np.array([self._one(each) for each in y.tolist()])

    def _one(self, y: float) -> float:
        try:
            with np.errstate(all="ignore"):
                return float(self.function(y))
        except NllError:
            raise
        except Exception as error:
            raise DataError(f"log_prob raised {type(error).__name__} at y = {y!r}: {first_line(error)}") from error


def quantiles(dist: Family) -> list[float]:
    """Return some quantiles, or none where the family has none."""
    try:
        found = np.asarray(dist.quantile(np.array(HINTS)), np.float64)
    except (NllError, ArithmeticError):
        return []
    return [float(q) for q in found if abs(q) < math.inf]


def spread(found: Integral) -> tuple[list[float], float]:
    """Return observations at some quantiles of what was integrated, and the distance between two of them."""
    panels = [p for p in found.panels if abs(p.start) < math.inf and p.stop < math.inf and 0.0 < p.mass < math.inf]
    if not panels:
        return [], 0.0
    shares = np.cumsum([p.mass for p in panels])
    chosen = [panels[int(i)] for i in np.searchsorted(shares, np.array(SPREAD) * shares[-1])]
    places = [middle(p) for p in chosen]
    width = places[3] - places[1]
    kinks = {p.ray.anchor for p in panels if not (p.ray.at_end or p.ray.discrete)}
    smooth = [y for y in places if all(abs(y - kink) > NEAR_KINK * width for kink in kinks)]
    return list(dict.fromkeys(smooth)), width


def middle(panel: Panel) -> float:
    """Return an observation within a panel."""
    ray, between = panel.ray, (panel.start + panel.stop) / 2.0
    if ray.discrete:
        return ray.anchor + ray.sign * math.floor(between)
    return float(ray.at(np.array([between]))[0])


def against_tails(dist: Family, density: Density, found: Integral, single: float) -> list[Region]:
    """Return the mass of a few intervals beside what the tails say of them; `single` lies at the lower end."""
    form = type(dist)
    if form.log_cdf is None or form.log_sf is None or not math.isfinite(found.value) or not found.panels:
        return []
    regions, mass, low = [], single, density.low
    share = found.value / REGIONS
    for i, panel in enumerate(found.panels):
        mass += panel.mass
        last = i == len(found.panels) - 1
        high = density.high if last else panel.limits[1]
        if (mass >= share or last) and high > low - dist.discrete:
            whole = low <= density.low, high >= density.high
            regions.append(Region(low, high, mass, by_tails(dist, low - dist.discrete, high, *whole)))
            low, mass = high + dist.discrete, 0.0
    return regions


def by_tails(dist: Family, low: float, high: float, from_low: bool, to_high: bool) -> float:
    """Return P(low < Y <= high) as the tails say; an interval may begin or end with the support."""
    if from_low:
        return 1.0 if to_high else math.exp(float(dist.log_cdf(high)))
    return math.exp(float(dist.log_sf(low) if to_high else dist.log_interval(low, high)))


def humps(density: Density, found: Integral) -> list[Region]:
    """Return the mass of each hump, cut at the valleys between them."""
    pieces: list[tuple[float, float, float, float]] = []  # low, high, mass, height
    for panel in (p for p in found.panels if math.isfinite(p.mass)):
        low, high = panel.limits
        if pieces and (gap := pieces[-1][1]) < low - density.discrete:
            between = math.floor(gap / 2.0 + low / 2.0) if density.discrete else gap / 2.0 + low / 2.0
            pieces.append((gap, low, 0.0, float(np.exp(density(np.array([between]))[0]))))
        width = high - low + density.discrete
        if width > 0.0:
            pieces.append((low, high, panel.mass, panel.mass / width))
    if not pieces:
        return []
    regions: list[Region] = []
    start = valley = 0
    peak = 0.0  # of the hump so far; a valley is below half of the peaks on both sides
    for i, (*_, height) in enumerate(pieces):
        if height > 2.0 * pieces[valley][3] and peak > 2.0 * pieces[valley][3] and valley > start:
            regions.append(_hump(pieces[start : valley + 1]))
            start, valley, peak = valley + 1, i, height
        if height > peak:
            peak, valley = height, i
        elif height <= pieces[valley][3]:
            valley = i
    regions.append(_hump(pieces[start:]))
    regions = [r for r in regions if r.mass > NOTHING]
    if regions:  # the ends beyond which nothing was measured
        regions[0] = replace(regions[0], low=density.low)
        regions[-1] = replace(regions[-1], high=density.high)
    return regions


def _hump(pieces: list[tuple[float, float, float, float]]) -> Region:
    return Region(pieces[0][0], pieces[-1][1], math.fsum(piece[2] for piece in pieces))


def record(
    name: str,
    density: Density,
    found: Integral,
    tolerance: float,
    begin: float,
    regions: Sequence[Region] = (),
    derivatives: int = 0,
    faults: tuple[Any, ...] = (),
) -> Check:
    """Return the result."""
    value, error = found.value, found.error
    nan = holes(density)
    y, logs = density.seen()
    infinite = [*found.infinite, *y[logs == np.inf][:1].tolist()]
    if nan:
        verdict = "not a number"
    elif value == math.inf:
        verdict = "infinite"
    elif abs(value - 1.0) > tolerance + error:
        verdict = "not normalised"
    else:
        verdict = "normalised" if abs(value - 1.0) <= tolerance and error <= tolerance else "undecided"
    falls = jumps(density) if verdict == "not normalised" and not density.discrete else []
    return Check(
        name,
        verdict,
        value,
        error,
        tolerance,
        "mass" if density.discrete else "density",
        tuple(dict.fromkeys(infinite)) if value == math.inf else (),
        tuple(nan),
        tuple(falls),
        tuple(regions),
        derivatives,
        faults,
        density.evaluations,
        time.perf_counter() - begin,
    )


def holes(density: Density) -> list[tuple[float, float]]:
    """Return the intervals, as far as they were seen, in which the log density is NaN: the first few."""
    y, logs = density.seen()
    lost = np.isnan(logs)
    starts = np.flatnonzero(lost & ~np.concatenate([[False], lost[:-1]]))
    stops = np.flatnonzero(lost & ~np.concatenate([lost[1:], [False]]))
    return [(float(y[a]), float(y[b])) for a, b in zip(starts[:JUMPS], stops[:JUMPS], strict=True)]


def jumps(density: Density) -> list[float]:
    """Return where a density falls to 0 at once, to the last bit: between neighbours that were seen."""
    y, logs = density.seen()
    none = logs == -np.inf
    found: list[float] = []
    for i in np.flatnonzero(none[1:] != none[:-1]).tolist():
        inner, outer = (i, i + 1) if none[i + 1] else (i + 1, i)
        beside = inner - 1 if none[i + 1] else inner + 1
        gap = abs(y[inner] - y[beside]) if 0 <= beside < y.size else 0.0
        if gap > 0.0 and logs[inner] + math.log(gap) > SEEN and len(found) < JUMPS:
            found.append(_edge(density, float(y[inner]), float(y[outer])))
    return found


def _edge(density: Density, inner: float, outer: float) -> float:
    a, b = ordered(np.array([inner, outer])).tolist()
    while abs(b - a) > 1:
        half = (a + b) // 2
        empty = density(unordered(np.array([half], np.int64)))[0] == -np.inf
        a, b = (a, half) if empty else (half, b)
    return float(unordered(np.array([a], np.int64))[0])
