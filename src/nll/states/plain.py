"""Group keys as plain JSON types and back."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from enum import Enum
from typing import Any

from nll.errors import DataError

# How a value that JSON lacks is written, and how it is read: {"date": "2024-05-01"}. A datetime is a date: it is first.
_KINDS: dict[str, tuple[type, Any, Any]] = {
    "float": (float, repr, float),
    "datetime": (dt.datetime, dt.datetime.isoformat, dt.datetime.fromisoformat),
    "date": (dt.date, dt.date.isoformat, dt.date.fromisoformat),
    "time": (dt.time, dt.time.isoformat, dt.time.fromisoformat),
    "duration": (dt.timedelta, lambda v: [v.days, v.seconds, v.microseconds], lambda v: dt.timedelta(*v)),
    "decimal": (Decimal, str, Decimal),
    "bytes": (bytes, bytes.hex, bytes.fromhex),
}


class Special(Enum):
    """What a key cannot hold as it is."""

    NAN = "nan"  # a member is pickled by its value, which must equal itself


NAN = Special.NAN


def plain(value: Any) -> Any:
    """Return a value of a key as JSON has it."""
    if value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if value is NAN:
        return {"float": "nan"}
    for name, (kind, write, _) in _KINDS.items():
        if isinstance(value, kind):
            return {name: write(value)}
    raise DataError(f"a group whose key is of type {type(value).__name__} cannot be saved: {value!r}")


def restored(saved: Any) -> Any:
    """Return the value that `plain` wrote."""
    if not isinstance(saved, dict):
        return saved
    ((name, value),) = saved.items()
    found = _KINDS[name][2](value)
    return NAN if found != found else found
