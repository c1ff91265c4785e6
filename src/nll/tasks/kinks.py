"""Where the density of a combined distribution is not smooth, or where its parts have their mass."""

from __future__ import annotations

import math

import numpy as np

from nll.errors import NllError
from nll.families.combined import Combined
from nll.families.family import Family
from nll.families.transformed import forward_of
from nll.families.values import ends, mapped, numbers


def kinks(dist: Family) -> list[float]:
    """Return the anchors of an integral: locations, and of a combined distribution those of its parts.

    Of the parts of a mixture the means too, and the ends of their supports, at which its density may jump.
    """
    if not isinstance(dist, Combined):
        found = [float(v) for name, v in dist.theta.items() if name == "loc"]
    else:
        found = []
        mixture, transformed = (dist.combinator.name == name for name in ("Mixture", "Transformed"))
        for part in dist.components():
            theirs = [*kinks(part), *(_places(part) if mixture else [])]
            if transformed and theirs:
                theirs = np.asarray(mapped(forward_of(dist.options[0]), theirs, *dist.own().values())).tolist()
            found += theirs
        low, high = (float(end) for end in ends(dist, numbers(dist)))
        found = [x for x in found if low < x < high]
    return list(dict.fromkeys(x for x in found if math.isfinite(x)))


def _places(part: Family) -> list[float]:
    try:
        return [_centre(part), *(float(end) for end in ends(part, numbers(part)))]
    except (NllError, ArithmeticError):
        return []


def _centre(part: Family) -> float:
    """Return the mean where it is closed and there is one, which costs nothing, else the median."""
    mean = float(part.mean()) if type(part).mean is not None else math.nan
    centre = mean if math.isfinite(mean) else float(part.quantile(0.5))
    return float(math.floor(centre)) if part.discrete and math.isfinite(centre) else centre


def atoms(dist: Family) -> float:
    """Return the probability of the single points that a density leaves out."""
    return math.fsum(math.exp(float(dist.log_prob(point))) for point in dist.atoms)
