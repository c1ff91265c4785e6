"""The log density of an own family as text: read by a grammar of a few lines into a tree, never evaluated.

    sum       := product (("+" | "-") product)*
    product   := signed (("*" | "/") signed)*
    signed    := ("-" | "+") signed | atom ["**" signed]
    atom      := number | "y" | parameter | "pi" | function "(" sum ")" | where | "(" sum ")"
    where     := "where" "(" sum ("<" | "<=" | ">" | ">=" | "==" | "!=") sum "," sum "," sum ")"

What has no name and no parameter in it is a number at once. Text beyond these rules is refused with its place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from nll.errors import UsageError, listing, nearest
from nll.families.own_functions import FUNCTIONS, power
from nll.families.reading import SHOWN, Reader, Token
from nll.numerics.formula import quiet

MOST_CHARACTERS = 4000
DEEPEST = 32  # parentheses, calls, signs and powers within each other
HIGHEST = 200  # operations one upon the other: the terms of the longest sum
MOST_FACTORS = 32  # of a product: its second derivative has a term for each two of them
LARGEST_POWER = 64  # whole powers up to it are products
LARGEST_DEGREE = 4096  # of whole powers of whole powers: SymPy multiplies their numbers out

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
ARITHMETIC = ("+", "-", "*", "/", "**")
RESERVED = ("y", "pi", "where", *FUNCTIONS)

TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![\w.])
    | (?P<name>[^\W\d]\w*)
    | (?P<mark>\*\*|[<>=!]=|[-+*/(),<>])
    | (?P<end>\Z)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Node:
    """A number, a name, or an operation on others.

    Attributes
    ----------
    op : "number", "name", one of ARITHMETIC, "negate", "where", or the name of a function.
    args : what it works on; of where, both sides of the condition and both values.
    number, word : the value of a number; a name, or the comparison of where.
    height : operations one upon the other.
    degree : the largest product of whole powers on the way down.
    """

    op: str
    args: tuple[Node, ...] = ()
    number: float = 0.0
    word: str = ""
    height: int = 1
    degree: int = 1


def parse_log_prob(text: str, parameters: Collection[str]) -> Node:
    """Return the tree of a log density in y and the parameters.

    Raises
    ------
    UsageError
        The text is not of this form, names something unknown, or is too long or too deep; says where.
    """
    if len(text) > MOST_CHARACTERS:
        raise UsageError(f"log_prob has {len(text):,} characters; at most {MOST_CHARACTERS:,} are read")
    reader = _Reader(text, ("y", *parameters))
    tree = reader.sum()
    reader.expect("", "the end")
    return tree


def whole_power(exponent: Node) -> int | None:
    """Return an exponent that makes a power a product, or None."""
    value = exponent.number
    return int(value) if exponent.op == "number" and value.is_integer() and abs(value) <= LARGEST_POWER else None


class _Reader(Reader):
    """Reads one text by the grammar above."""

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        super().__init__(text, TOKEN, _unreadable, "log_prob: ")
        self.names, self.depth = names, 0

    def expect(self, mark: str, words: str) -> None:
        token = self.tokens[self.next]
        if token.text != mark:
            found = "the text ends" if token.kind == "end" else f"{token.text[:SHOWN]!r} was found"
            hint = "; a comparison stands in where(condition, a, b)" if token.text in COMPARISONS else ""
            self.fail(f"expected {words}, and {found}{hint}", token)
        self.next += 1

    def taken(self, *marks: str) -> Token | None:
        """Take the next token if it is one of these marks."""
        token = self.tokens[self.next]
        if token.kind != "mark" or token.text not in marks:
            return None
        self.next += 1
        return token

    def sum(self) -> Node:
        value = self.product()
        while sign := self.taken("+", "-"):
            value = self.node(sign, sign.text, value, self.product())
        return value

    def product(self) -> Node:
        value, factors = self.signed(), 1
        while sign := self.taken("*", "/"):
            factors += 1
            if factors > MOST_FACTORS:
                self.fail(f"a product of more than {MOST_FACTORS} factors", sign)
            value = self.node(sign, sign.text, value, self.signed())
        return value

    def signed(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(f"nested more than {DEEPEST} deep", self.tokens[self.next])
        if sign := self.taken("-", "+"):
            value = self.signed()
            value = self.node(sign, "negate", value) if sign.text == "-" else value
        else:
            value = self.atom()
            if sign := self.taken("**"):
                value = self.node(sign, "**", value, self.signed())
        self.depth -= 1
        return value

    def atom(self) -> Node:
        token = self.tokens[self.next]
        if self.taken("("):
            value = self.sum()
            self.expect(")", "an operation or ')'")
            return value
        if token.kind not in ("number", "name"):
            self.expect("a value", "a number, a name or '('")
        self.next += 1
        if token.kind == "number":
            return self.finite(float(token.text), token)
        if self.taken("("):
            return self.call(token)
        if token.text == "pi":
            return Node("number", number=math.pi)
        if token.text not in self.names:
            called = token.text in FUNCTIONS or token.text == "where"
            self.fail(f"{token.text} needs what it is of: {token.text}(...)" if called else self.unknown(token), token)
        return Node("name", word=token.text)

    def unknown(self, token: Token) -> str:
        close = nearest(token.text, [*self.names, "pi", "where", *FUNCTIONS])
        return f"there is no {token.text[:SHOWN]!r} here{close}; names are {listing([*self.names, 'pi'], limit=40)}"

    def call(self, name: Token) -> Node:
        """Read the arguments of a function."""
        if name.text in self.names:
            self.fail(f"{name.text} is a number, not a function; a product is written {name.text}*(...)", name)
        if name.text == "where":
            return self.where(name)
        if name.text not in FUNCTIONS:
            close = nearest(name.text, [*FUNCTIONS, "where"])
            self.fail(f"there is no function {name.text[:SHOWN]!r}{close}; there are {listing(FUNCTIONS)}, where", name)
        value = self.sum()
        self.expect(")", f"an operation or ')' ({name.text} takes one value)")
        return self.node(name, name.text, value)

    def where(self, name: Token) -> Node:
        left = self.sum()
        sign = self.taken(*COMPARISONS)
        if sign is None:
            self.fail("the first argument of where is a comparison, such as y < 0", self.tokens[self.next])
        right = self.sum()
        self.expect(",", "',' after the condition of where")
        yes = self.sum()
        self.expect(",", "',' between both values of where")
        no = self.sum()
        self.expect(")", "')' after both values of where")
        return self.node(name, "where", left, right, yes, no, word=sign.text)

    def finite(self, value: float, token: Token) -> Node:
        if not math.isfinite(value):
            self.fail("this is no finite number", token)
        return Node("number", number=float(value))

    def node(self, token: Token, op: str, *args: Node, word: str = "") -> Node:
        """Make an operation; of numbers alone, its value."""
        if op == "where":
            if all(arg.op == "number" for arg in args[:2]):
                return args[2] if compared(word, args[0].number, args[1].number) else args[3]
        elif all(arg.op == "number" for arg in args):
            return self.finite(_value(op, [np.float64(arg.number) for arg in args]), token)
        height = 1 + max(arg.height for arg in args)
        if height > HIGHEST:
            self.fail(f"more than {HIGHEST} operations one upon the other", token)
        degree = max(arg.degree for arg in args)
        if op == "**":
            degree *= max(abs(whole_power(args[1]) or 1), 1)
            if degree > LARGEST_DEGREE:
                self.fail(f"powers of powers beyond {LARGEST_DEGREE}", token)
        return Node(op, args, word=word, height=height, degree=degree)


def compared(sign: str, left: float, right: float) -> bool:
    """Return the truth of a comparison of two numbers."""
    return (left < right, left <= right, left > right, left >= right, left == right, left != right)[
        COMPARISONS.index(sign)
    ]


def _value(op: str, x: list[np.float64]) -> float:
    with quiet():
        if op == "negate":
            return float(-x[0])
        if op in FUNCTIONS:
            return float(FUNCTIONS[op](x[0]))
        a, b = x
        if op == "**":
            return float(power(a, b))
        return float(a / b if op == "/" else a * b if op == "*" else a + b if op == "+" else a - b)


def _unreadable(rest: str) -> str:
    if rest[0] == "^":
        return "a power is written **"
    number = re.match(r"[0-9.]+(?=[^\W\d])", rest)
    if number:
        return f"a product is written with *, as in {number[0]}*y"
    return f"{rest[0]!r} has no meaning here: there are numbers, names, + - * / **, functions and where"
