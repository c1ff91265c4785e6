"""A distribution as text, such as "Normal(loc=mu, scale=2)": read by a grammar of a few lines, never evaluated.

    distribution := name "(" [argument ("," argument)* [","]] ")"
    argument     := [name "="] value
    value        := number | column | "[" value ("," value)* [","] "]" | distribution
    column       := a bare name, or any text in '...', "..." or `...` (the quote itself is written twice)

A bare name may hold dots and may be a word of Python: `Poisson(rate=lambda)` is fine. That, exact positions and
no limit on how Python nests are why this is not a walk over Python's own syntax tree.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nll.errors import UsageError, listing, nearest
from nll.families.family import Family
from nll.families.reading import SHOWN, Reader, Token

MOST_CHARACTERS = 100_000  # a list of ten thousand logits
DEEPEST = 8  # distributions of distributions, and lists

TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![\w.])
    | (?P<name>[^\W\d][\w.]*)
    | (?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`)
    | (?P<mark>[(),=\[\]])
    | (?P<end>\Z)
    )""",
    re.VERBOSE,
)


@dataclass(slots=True)
class Call:
    """A name with arguments, before anyone asked whether such a family exists."""

    name: Token
    positional: list[Any] = field(default_factory=list)
    named: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Token] = field(default_factory=dict)


def parse_distribution(text: str, own: Mapping[str, type[Family]] | None = None) -> Family:
    """Return the distribution that a text describes; names are columns, numbers are constants.

    `own` are families by name beside the built-in ones.

    Raises
    ------
    UsageError
        The text is not of this form, or there is no such family or parameter; says where, and what is near.

    Examples
    --------
    >>> parse_distribution("Normal(loc=mu, scale=2)")
    Normal(loc='mu', scale=2)
    """
    if len(text) > MOST_CHARACTERS:
        raise UsageError(f"the distribution has {len(text):,} characters; at most {MOST_CHARACTERS:,} are read")
    reader = _Reader(text)
    call = reader.value(1)
    known = {**_families(), **(own or {})}
    if not isinstance(call, Call):
        reader.fail(_uncalled(call, known), reader.tokens[0])
    reader.expect("", "the end")
    return _built(call, reader, known)


def _uncalled(value: Any, known: Mapping[str, type[Family]]) -> str:
    form = known.get(value) if isinstance(value, str) else None
    if form is None:
        return "a distribution is written Family(parameters), such as Bernoulli(probs=p)"
    return f"{value} needs parameters: {' or '.join(each.signature() for each in form.forms)}"


def _built(call: Call, reader: _Reader, known: Mapping[str, type[Family]]) -> Family:
    family = known.get(call.name.text)
    if family is None:
        hint = nearest(call.name.text, known) or f"; there are {listing(known, limit=40)}"
        reader.fail(f"there is no family {call.name.text!r}{hint}", call.name)
    for value in [*call.positional, *call.named.values()]:
        if isinstance(value, Call):
            reader.fail(
                f"{call.name.text} of {value.name.text}(...): distributions made of others are not supported yet, "
                "parameters are columns or numbers",
                value.name,
            )
    try:
        return family(*call.positional, **call.named)
    except UsageError as error:
        place = next((at for name, at in call.places.items() if f"parameter {name!r}" in str(error)), call.name)
        reader.fail(str(error).removesuffix("."), place)


def _families() -> dict[str, type[Family]]:
    from nll.families import families

    return families()


class _Reader(Reader):
    """Reads one text by the grammar above."""

    def __init__(self, text: str) -> None:
        super().__init__(text, TOKEN, _unreadable)

    def expect(self, mark: str, words: str) -> None:
        token = self.tokens[self.next]
        if token.text != mark or token.kind == "quoted":
            found = "the text ends" if token.kind == "end" else f"{token.text[:SHOWN]!r} was found"
            self.fail(f"expected {words}, and {found}", token)
        self.next += 1

    def at_mark(self, mark: str) -> bool:
        token = self.tokens[self.next]
        return token.kind == "mark" and token.text == mark

    def value(self, depth: int) -> Any:
        """Read a number, the name of a column, a list or a distribution."""
        token = self.tokens[self.next]
        if depth > DEEPEST:
            self.fail(f"nested more than {DEEPEST} deep", token)
        if self.at_mark("["):
            return self.items(depth)
        if token.kind in ("mark", "end"):
            self.expect("a value", "a column, a number or a list")
        self.next += 1
        if token.kind == "number":
            return self.number(token)
        if token.kind == "quoted":
            quote = token.text[0]
            return token.text[1:-1].replace(quote * 2, quote) or self.fail("a column without a name", token)
        return self.call(token, depth) if self.at_mark("(") else token.text

    def number(self, token: Token) -> int | float:
        value = float(token.text)
        if not math.isfinite(value):
            self.fail(f"{token.text[:SHOWN]} is too large for a double", token)
        whole = token.text.lstrip("+-").isdigit() and abs(value) < 2.0**53
        return int(token.text) if whole else value

    def items(self, depth: int) -> list[Any]:
        """Read a list: all columns, or all numbers."""
        opening = self.tokens[self.next]
        self.next += 1
        values: list[Any] = []
        while not self.at_mark("]"):
            values.append(self.value(depth + 1))
            if not self.at_mark("]"):
                self.expect(",", "',' or ']'")
        self.next += 1
        if not values or not (_all(values, str) or _all(values, (int, float))):
            self.fail("a list holds columns, or numbers, at least one and not both", opening)
        return values

    def call(self, name: Token, depth: int) -> Call:
        """Read the arguments of a distribution."""
        call = Call(name)
        self.next += 1
        while not self.at_mark(")"):
            token, following = self.tokens[self.next], self.tokens[self.next + 1 : self.next + 2]
            if token.kind == "name" and following and following[0].kind == "mark" and following[0].text == "=":
                if token.text in call.named:
                    self.fail(f"{token.text} is given twice", token)
                self.next += 2
                call.places[token.text] = token
                call.named[token.text] = self.value(depth + 1)
            elif call.named:
                self.fail("a parameter without a name follows one with a name", token)
            else:
                call.positional.append(self.value(depth + 1))
            if not self.at_mark(")"):
                self.expect(",", "',' or ')'")
        self.next += 1
        return call


def _all(values: list[Any], kind: type | tuple[type, ...]) -> bool:
    return all(isinstance(value, kind) for value in values)


def _unreadable(rest: str) -> str:
    if rest[0] in "'\"`":
        return f"a column's name begins with {rest[0]} and does not end"
    word = re.match(r"\S[\w.]*", rest)
    found = word[0] if word else rest[0]
    return f"{found[:SHOWN]!r} is neither a number nor a name; a column whose name holds more than letters is quoted"
