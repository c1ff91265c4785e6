"""A distribution or a family as text, such as "Normal(loc=mu, scale=2)": read by a short grammar, never evaluated.

    distribution := name "(" [argument ("," argument)* [","]] ")"
    argument     := [name "="] value
    value        := number | column | "[" value ("," value)* [","] "]" | distribution
    column       := a bare name, or any text in '...', "..." or `...` (the quote itself is written twice)

A distribution may be made of others: `ZeroInflated(Poisson(rate=mu), gate=g)`, `Mixture([Normal(0, 1), Normal(m, 2)],
weights=[w, 0.3])`, `Transformed(Normal(mu, s), exp)`. A family is a name, `Normal`; a name with the names of its
parameters, `NegativeBinomial(mean, size)`; or made of families, `Truncated(Poisson, low=1)`, `Mixture(Normal, 2)`.

A bare name may hold dots and may be a word of Python: `Poisson(rate=lambda)` is fine. That, exact positions and
no limit on how Python nests are why this is not a walk over Python's own syntax tree.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nll.errors import UsageError, listing, nearest
from nll.families.family import Family
from nll.families.reading import SHOWN, Reader, Token

MOST_CHARACTERS = 100_000  # a list of ten thousand logits
DEEPEST = 16  # distributions of distributions, and lists
# What makes distributions of others, each with an example of how it is written: of distributions, and of families.
COMBINED = {
    "Hurdle": ("Hurdle(Gamma(2, 1), gate=0.3)", "Hurdle(Gamma)"),
    "Independent": ("Independent(Normal(0, 1))", "Independent(Normal)"),
    "Mixture": ("Mixture([Normal(0, 1), Normal(3, 2)], weights=[0.3, 0.7])", "Mixture(Normal, 2)"),
    "Transformed": ("Transformed(Normal(0, 1), exp)", "Transformed(Normal, exp)"),
    "Truncated": ("Truncated(Poisson(2), low=1)", "Truncated(Poisson, low=1)"),
    "ZeroInflated": ("ZeroInflated(Poisson(2), gate=0.3)", "ZeroInflated(Poisson)"),
}
Known = Mapping[str, type[Family]]

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


class Items(list[Any]):
    """A list, and where it begins."""

    def __init__(self, opening: Token) -> None:
        super().__init__()
        self.name = opening


class Word(str):
    """A bare or quoted name, and where it stands."""

    __slots__ = ("name",)
    name: Token


def parse_distribution(text: str, own: Known | None = None) -> Family:
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
    >>> parse_distribution("ZeroInflated(Poisson(rate=mu), gate=0.1)")
    ZeroInflated(Poisson(rate='mu'), gate=0.1)
    """
    call, reader, known = _parsed(text, own, "distribution")
    if not isinstance(call, Call):
        reader.fail(_uncalled(call, known), reader.tokens[0])
    return _Builder(reader, known).distribution(call)


def parse_family(text: str, own: Known | None = None) -> type[Family]:
    """Return the family, or the parametrisation of one, that a text names: what a fit estimates the parameters of.

    `own` are families by name beside the built-in ones.

    Raises
    ------
    UsageError
        The text is not of this form, or there is no such family or parameter; says where, and what is near.

    Examples
    --------
    >>> parse_family("Mixture(Normal, 2)").signature()
    'Mixture(Normal, 2)(loc_1, scale_1, loc_2, scale_2, weight_1, weight_2)'
    >>> parse_family("NegativeBinomial(mean, size)").__name__
    'NegativeBinomialSize'
    """
    value, reader, known = _parsed(text, own, "family")
    return _Builder(reader, known).family(value, reader.tokens[0])


def _parsed(text: str, own: Known | None, what: str) -> tuple[Any, _Reader, Known]:
    if len(text) > MOST_CHARACTERS:
        raise UsageError(f"the {what} has {len(text):,} characters; at most {MOST_CHARACTERS:,} are read")
    reader = _Reader(text)
    value = reader.value(1)
    reader.expect("", "the end")
    return value, reader, {**_families(), **(own or {})}


def _uncalled(value: Any, known: Known) -> str:
    if isinstance(value, str) and value in COMBINED:
        return f"{value} is made of distributions: {COMBINED[value][0]}"
    form = known.get(value) if isinstance(value, str) else None
    if form is None:
        return "a distribution is written Family(parameters), such as Bernoulli(probs=p)"
    return f"{value} needs parameters: {' or '.join(each.signature() for each in form.forms)}"


class _Builder:
    """Makes distributions and families of what was read, by names that are known."""

    def __init__(self, reader: _Reader, known: Known) -> None:
        self.reader, self.known = reader, known

    def distribution(self, call: Call) -> Family:
        """Return the distribution of a call."""
        if call.name.text in COMBINED:
            return self.combined(call, 0, self.component)
        family = self.known_family(call.name)
        for value in [*call.positional, *call.named.values()]:
            if isinstance(value, Call):
                self.reader.fail(
                    f"{call.name.text} of {value.name.text}(...): parameters are columns or numbers; distributions "
                    f"are made of others by {listing(COMBINED)}",
                    value.name,
                )
        positional = [self.plain(value) for value in call.positional]
        named = {name: self.plain(value) for name, value in call.named.items()}
        try:
            return family(*positional, **named)
        except UsageError as error:
            place = next((at for name, at in call.places.items() if f"parameter {name!r}" in str(error)), call.name)
            self.reader.fail(str(error).removesuffix("."), place)

    def family(self, value: Any, place: Token) -> type[Family]:
        """Return the family of a name, or of a call whose arguments are names of parameters or families."""
        if isinstance(value, Word) and value not in COMBINED:
            return self.known_family(value.name)
        if not isinstance(value, Call):
            example = COMBINED[value][1] if isinstance(value, Word) else "Normal, or Mixture(Normal, 2)"
            self.reader.fail(f"a family is written {example}", place)
        if value.name.text in COMBINED:
            return self.combined(value, 1, self.family)
        family = self.known_family(value.name)
        names = value.positional
        if value.named or not all(isinstance(name, Word) for name in names):
            forms = " or ".join(f"{family.__name__}({', '.join(form.parameters)})" for form in family.forms)
            self.reader.fail(f"a family is written {family.__name__}, or by its parameters {forms}", value.name)
        for form in family.forms:
            if list(form.parameters) == names:
                return form
        return self.trying(value.name, lambda: family.form_for((), dict.fromkeys(map(str, names))))

    def combined(self, call: Call, kind: int, part: Callable[[Any, Token], Any]) -> Any:
        """Return what a combinator makes of its parts: distributions, or families."""
        name, example = call.name.text, COMBINED[call.name.text][kind]
        if not call.positional:
            self.reader.fail(f"{name} is made of its first argument: {example}", call.name)
        first, *rest = call.positional
        if isinstance(first, Items) and name == "Mixture":
            parts: Any = [part(each, first.name) for each in first]
        else:
            parts = part(first, call.name)
        for key, value in call.named.items():
            if key == "weights" and not isinstance(value, Items):
                self.reader.fail(f"weights is a list, as in {example}", call.places[key])
        positional = [self.plain(value, mixed=True) for value in rest]
        named = {key: self.plain(value, mixed=True) for key, value in call.named.items()}
        combinator = _combinators()[name]
        try:
            inspect.signature(combinator).bind(parts, *positional, **named)
        except TypeError as error:
            self.reader.fail(f"{error}; {name} is written {example}", call.name)
        return self.trying(call.name, lambda: combinator(parts, *positional, **named))

    def component(self, value: Any, place: Token) -> Family:
        """Return the distribution that a part of another is."""
        if not isinstance(value, Call):
            self.reader.fail(_uncalled(value, self.known), getattr(value, "name", place))
        return self.distribution(value)

    def trying(self, place: Token, make: Callable[[], Any]) -> Any:
        """Return what is made; an error of its names the place."""
        try:
            made = make()
        except UsageError as error:
            self.reader.fail(str(error).removesuffix("."), place)
        return made

    def known_family(self, name: Token) -> type[Family]:
        text = name.text[1:-1] if name.kind == "quoted" else name.text
        family = self.known.get(text)
        if family is None:
            choices = [*self.known, *COMBINED]
            hint = nearest(text, choices) or f"; there are {listing(choices, limit=50)}"
            self.reader.fail(f"there is no family {text[:SHOWN]!r}{hint}", name)
        return family

    def plain(self, value: Any, mixed: bool = False) -> Any:
        """Return an argument that is no part: a number, a name, or a list of numbers or names (or, `mixed`, both)."""
        if isinstance(value, Items):
            uniform = _all(value, str) or _all(value, (int, float)) or (mixed and _all(value, (str, int, float)))
            if not value or not uniform:
                self.reader.fail("a list holds columns, or numbers, at least one and not both", value.name)
            return [self.plain(each) for each in value]
        if isinstance(value, Call):
            self.reader.fail(f"{value.name.text}(...) is no column and no number", value.name)
        return str(value) if isinstance(value, Word) else value


def _families() -> dict[str, type[Family]]:
    from nll.families import families

    return families()


def _combinators() -> dict[str, Any]:
    from nll.families.combined import COMBINATORS

    return dict(COMBINATORS)


def _word(text: str, token: Token) -> Word:
    word = Word(text)
    word.name = token
    return word


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
            text = token.text[1:-1].replace(quote * 2, quote)
            return _word(text or self.fail("a column without a name", token), token)
        return self.call(token, depth) if self.at_mark("(") else _word(token.text, token)

    def number(self, token: Token) -> int | float:
        value = float(token.text)
        if not math.isfinite(value):
            self.fail(f"{token.text[:SHOWN]} is too large for a double", token)
        whole = token.text.lstrip("+-").isdigit() and abs(value) < 2.0**53
        return int(token.text) if whole else value

    def items(self, depth: int) -> Items:
        """Read a list."""
        values = Items(self.tokens[self.next])
        self.next += 1
        while not self.at_mark("]"):
            values.append(self.value(depth + 1))
            if not self.at_mark("]"):
                self.expect(",", "',' or ']'")
        self.next += 1
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
