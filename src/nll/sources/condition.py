"""The `where` of a source: one condition on the columns of a row."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from nll.errors import UsageError, first_line, unknown

QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
# Each is a level of a tree that Polars walks by recursion: a thousand overflow its stack, which ends the process.
OPERATION = re.compile(
    r"\b(?:and|or|not|xor|is|in|like|ilike|rlike|between|when|case)\b|[-+*/%|&^<>=~]+", re.IGNORECASE
)
MOST_OPERATIONS = 250
SHOWN = 60
QUERY = re.compile(r"\b(select|from)\b", re.IGNORECASE)

# How Polars prints an operation of one row: [(a) & (b)], col("p").sql_lt([1.0]), ... .not()
ROW_OPERATION = re.compile(
    r"^\[\(.*\)\]$|\.(sql_\w+|not|strict_cast|is_null|is_not_null)\((?:[^()]|\([^()]*\))*\)$", re.DOTALL
)


@dataclass(frozen=True)
class Condition:
    """A Boolean expression over columns, with the text that the user wrote.

    Parameters
    ----------
    expression : what Polars filters by.
    text : how results and messages show it.
    """

    expression: pl.Expr
    text: str

    @property
    def given(self) -> str | pl.Expr:
        """What `condition` makes this one of: its text, unless that is how Polars prints an expression."""
        return self.expression if self.text == str(self.expression) else self.text

    @property
    def columns(self) -> list[str] | None:
        """The names of the columns it reads; None if they depend on the table (a selector or a pattern)."""
        meta = self.expression.meta
        if meta.has_multiple_outputs() or meta.is_regex_projection():
            return None
        return meta.root_names()

    def by_row(self, schema: dict[str, pl.DataType]) -> bool:
        """Whether a row alone decides, so that a table may be filtered in parts (`p > AVG(p)` may not)."""
        try:
            return _by_row(self.expression, pl.Schema(schema))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            return False

    def check(self, schema: dict[str, pl.DataType], table: str) -> None:
        """Raise UsageError unless the condition is Boolean on a table of this schema."""
        for name in self.columns or []:
            if name not in schema:
                raise UsageError(f"where={self.text!r}: {unknown('column', name, schema, table)}")
        try:
            needed = schema if self.columns is None else {name: schema[name] for name in self.columns}
            kind = pl.LazyFrame(schema=needed).select(self.expression).collect().dtypes
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, RecursionError) as error:
            raise UsageError(f"where={self.text!r} does not fit {table}: {first_line(error)}") from error
        if not all(dtype in (pl.Boolean, pl.Null) for dtype in kind):
            raise UsageError(f"where={self.text!r} gives {kind[0]}, and a condition (true or false) is needed")


def condition(where: str | pl.Expr | None) -> Condition | None:
    """Return the condition that a string of SQL or a Polars expression states; None for None.

    A string is an SQL expression as Polars reads it: "country = 'DE' AND p > 0.5". It is an expression
    only: a query inside it is refused, since a query could name files.
    """
    if where is None:
        return None
    if isinstance(where, pl.Expr):
        return Condition(where, str(where))
    if not isinstance(where, str):
        raise UsageError(f"where must be a string or a Polars expression, not {type(where).__name__}")
    operations = len(OPERATION.findall(QUOTED.sub("''", where)))
    if operations > MOST_OPERATIONS:
        raise UsageError(
            f"where={where[:SHOWN]!r}… has {operations:,} operations; at most {MOST_OPERATIONS} are read: "
            "compute a column from them, or write name IN (...)"
        )
    query = QUERY.search(_without_distinct_from(QUOTED.sub("''", where)))
    if query:
        raise UsageError(
            f"where={where!r} holds a query ({query.group(0)!r}): write one condition on columns, "
            "and put a column's name that is an SQL word in double quotes"
        )
    try:
        return Condition(pl.sql_expr(where), where)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, UnicodeError) as error:
        raise UsageError(
            f"where={where!r} cannot be read: {first_line(error)}; an example is \"country = 'DE' AND p > 0.5\""
        ) from error


def _by_row(expression: pl.Expr, schema: pl.Schema) -> bool:
    # Polars answers for the outermost operation alone, and not at all above what its SQL reader left open: a
    # comparison with a decimal, or IN and its list of literals. There the text of the operation must say.
    meta = expression.meta
    operands = meta.pop(schema=schema)
    try:
        separable = meta.is_row_separable()
    except pl.exceptions.PolarsError:
        separable = ROW_OPERATION.search(str(expression)) is not None
        operands = [operand for operand in operands if not operand.meta.is_literal()]
    return separable and all(_by_row(operand, schema) for operand in operands)


def _without_distinct_from(text: str) -> str:
    """Leave out the one use of FROM (and those of EXTRACT, TRIM, SUBSTRING) that begins no query."""
    text = re.sub(r"\bdistinct\s+from\b", " ", text, flags=re.IGNORECASE)
    return re.sub(r"\b(extract|trim|substring)\s*\([^()]*\bfrom\b", " (", text, flags=re.IGNORECASE)
