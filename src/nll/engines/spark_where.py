"""The part of a condition that Spark may test too, so that it reads less; the workers test all of it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from nll.sources.condition import Condition

Term = tuple[str, Callable[[Any, Any], Any], int | float | str]

# Whole numbers with whole numbers, doubles with short decimals, texts with texts: there the SQL of Polars and of Spark
# mean the same, with nulls and NaN too. Anything else (functions, casts, single precision, OR) is left to Polars.
TERM = re.compile(
    r"\s*([A-Za-z_]\w*)\s*(<=|>=|<>|!=|=|<|>)\s*"
    r"(?:(-?\d{1,6}\.\d{1,9}|-?\d{1,15})(?![\w.])|'([^'\\]*)'(?!'))\s*"
)
AND = re.compile(r"and\b", re.IGNORECASE)
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "<>": operator.ne, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
WHOLE = (pl.Int8, pl.Int16, pl.Int32, pl.Int64)


def terms(condition: Condition, schema: dict[str, pl.DataType]) -> list[Term]:
    """Return comparisons of a column with a value which all rows meet that meet a condition."""
    if not isinstance(condition.given, str):
        return []
    found: list[Term] = []
    text, place = condition.given, 0
    while match := TERM.match(text, place):
        name, sign, number, word = match.groups()
        value = word if number is None else float(number) if "." in number else int(number)
        if not _alike(schema.get(name), value):
            return []
        found.append((name, COMPARISONS[sign], value))
        place = match.end()
        if place == len(text):
            return found
        joined = AND.match(text, place)
        if joined is None:
            return []
        place = joined.end()
    return []


def _alike(kind: pl.DataType | None, value: int | float | str) -> bool:
    if isinstance(value, str):
        return kind == pl.String
    return kind == pl.Float64 or (isinstance(value, int) and kind in WHOLE)
