"""Units of information: one nat is 1 / log(2) bits or 1 / log(10) bans."""

from __future__ import annotations

import math

from nll.errors import UsageError, nearest

NATS_PER_UNIT = {"nats": 1.0, "bits": math.log(2.0), "bans": math.log(10.0)}


def nats_per(unit: str) -> float:
    """Return the size of a unit in nats."""
    if unit not in NATS_PER_UNIT:
        raise UsageError(f"units are nats, bits or bans; got {unit!r}{nearest(unit, list(NATS_PER_UNIT))}")
    return NATS_PER_UNIT[unit]
