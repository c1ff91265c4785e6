"""A document's tokens, each on the colour of its loss: a page of HTML that needs nothing else."""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nll.plots.output import checked
from nll.plots.page import PAGE, PAGE_STYLE, STYLE
from nll.results.document_tokens import REASONS, DocumentTokens, Token
from nll.results.show import number

# Where each colour ends, in bits: powers of two, for a bit is a doubling of the odds against the token.
EDGES = (1.0, 2.0, 4.0, 8.0, 16.0, math.inf)
LABELS = ("under 1 bit", "1–2", "2–4", "4–8", "8–16", "16 and more", "impossible")
IMPOSSIBLE = len(EDGES)
PAGES = (".html", ".htm")
JOINER = "\u200d"  # holds parts of an emoji together
LINE, TAB = "\n", "\t"


@dataclass(frozen=True, slots=True)
class Strip:
    """A heat strip: shows itself in a notebook, and saves as a page.

    Attributes
    ----------
    tokens : what is drawn.
    html : the whole page, in which all that a log says is escaped, and which loads and runs nothing.
    """

    tokens: DocumentTokens

    @property
    def html(self) -> str:
        """The page."""
        return PAGE.format(
            style=PAGE_STYLE + STYLE, title=_escaped(f"{self.tokens.id}: loss by token"), body=_body(self.tokens)
        )

    def save(self, path: str | Path) -> Path:
        """Write the page to a file, whose name must end in .html.

        Raises
        ------
        UsageError
            The name ends otherwise, or there is no such folder.
        """
        path = checked(path, PAGES)
        path.write_text(self.html, encoding="utf-8", newline="\n")
        return path

    def _repr_html_(self) -> str:
        return f"<style>{STYLE}</style>{_body(self.tokens)}"


def strip(tokens: DocumentTokens) -> Strip:
    """Draw the tokens of a document in their order, each on a colour that says what it cost.

    Darker (in a dark page, lighter) is costlier, in steps of powers of two of a bit. A token's title has its loss in
    nats and bits, and the likeliest tokens in its place where the log has them. Tokens that were not scored have no
    colour and a dotted line. Control characters and those that change the direction of writing are shown by name;
    parts of characters by their bytes.

    Parameters
    ----------
    tokens : what `nll.document_tokens` returns.

    Returns
    -------
    Strip
        Shows itself in a notebook; `.save("strip.html")` writes a page that loads nothing from elsewhere.

    Examples
    --------
    >>> import json, tempfile, pathlib
    >>> import nll
    >>> log = pathlib.Path(tempfile.mkdtemp()) / "log.jsonl"
    >>> line = {"id": "a", "text": "Hi <b>", "tokens": ["Hi", " <b>"], "token_logprobs": [None, -1.5]}
    >>> _ = log.write_text(json.dumps(line))
    >>> " &lt;b&gt;</span>" in nll.plots.strip(nll.document_tokens(log)).html
    True
    """
    return Strip(tokens)


def level(token: Token) -> int | None:
    """Return which colour a token has; None where it was not scored."""
    if token.loss is None or token.bits is None:
        return None
    if math.isinf(token.loss):
        return IMPOSSIBLE
    return next(i for i, edge in enumerate(EDGES) if token.bits < edge)


def _body(tokens: DocumentTokens) -> str:
    facts = [f"{tokens.scored:,} of {len(tokens):,} tokens scored", *_sums(tokens)]
    place = f"{tokens.path}:{tokens.line}" + (f", choice {tokens.choice}" if tokens.choice else "")
    notes = "".join(f"<p class='note'>Note: {_escaped(note)}.</p>" for note in tokens.notes)
    strip_ = "".join(_tokens(tokens))
    return (
        f"<main class='nll-strip'><h1>{_escaped(tokens.id)}</h1><p class='facts'>{_escaped('; '.join(facts))}. "
        f"{_escaped(place)}</p>{_legend()}<p class='text'>{strip_}</p>{notes}</main>\n"
    )


def _sums(tokens: DocumentTokens) -> Iterator[str]:
    """Return the sum of the losses and what it is divided by, in words."""
    if math.isinf(tokens.nll):
        finite = [token.loss for token in tokens if token.loss is not None and math.isfinite(token.loss)]
        yield f"{tokens.scored - len(finite):,} of them impossible"
        yield f"the others add up to {number(math.fsum(finite))} nats"
        return
    yield f"{number(tokens.nll)} nats"
    if tokens.scored:
        yield f"{number(tokens.nll / tokens.scored)} nats a token"
    if not math.isnan(tokens.bits_per_byte):
        yield f"{number(tokens.bits_per_byte)} bits a byte"


def _legend() -> str:
    marks = "".join(f"<span class='t c{i}'>{label}</span> " for i, label in enumerate(LABELS))
    return f"<p class='legend'>Loss: {marks}<span class='t u'>not scored</span></p>"


def _tokens(tokens: DocumentTokens) -> Iterator[str]:
    at = 0
    for i, token in enumerate(tokens):
        shown = level(token)
        kind = "u" if shown is None else f"c{shown}"
        end = None if at is None or token.data is None else at + len(token.data)
        title = LINE.join(map(_escaped, _title(token, i, at, end)))
        yield f"<span class='t {kind}' title=\"{title}\">{_shown(token)}</span>"
        at = end


def _title(token: Token, i: int, at: int | None, end: int | None) -> Iterator[str]:
    """Return the lines of a token's title."""
    said = token.text if token.text is not None else token.said
    if said is not None:
        yield f"“{said}”"
    if token.loss is None:
        yield REASONS[token.why]
    elif math.isinf(token.loss):
        yield "impossible: a sentinel in the log" if token.sentinel else "impossible: probability 0"
    else:
        yield f"{number(token.loss)} nats, {number(token.bits or 0.0)} bits, p = {math.exp(-token.loss):.3g}"
    place = f"token {i}"
    if at is not None and end is not None:
        place += f", bytes {at:,} to {end:,}" if end > at else ", no text"
    if token.text is None and token.data:
        place += f": {token.data.hex(' ').upper()}, part of a character"
    yield place
    if token.alternatives:
        yield "likeliest in its place:"
        for text, value in token.alternatives:
            yield f"  “{text}”  {number(-value)} nats, p = {math.exp(value):.3g}"


def _shown(token: Token) -> str:
    """Return what stands in the strip for a token."""
    if token.text:
        return _escaped_text(token.text)
    if token.data:
        return f"<i>{token.data.hex(' ').upper()}</i>"
    if token.said:
        return f"<i>{_escaped_text(token.said)}</i>" if token.data == b"" else _escaped_text(token.said)
    return "<i>no text</i>" if token.data == b"" else "<i>?</i>"


def _escaped_text(text: str) -> str:
    return _visible(text, html.escape, "<i>{}</i>")


def _escaped(text: str) -> str:
    """Return a line for a title or a heading: nothing in it is markup, and nothing is invisible."""
    return html.escape(_visible(text, str))


def _visible(text: str, escape: Callable[[str], str], named: str = "{}") -> str:
    """Return text in which control characters and such that show nothing are named; `escape` is for all others."""
    if text.isprintable():
        return escape(text)
    found: list[str] = []
    for i, each in enumerate(text):
        if each == LINE:
            found.append("↵\n" if named != "{}" else "↵")
        elif each == TAB:
            found.append("⇥")
        elif each == " " or each.isprintable() or (each == JOINER and _joins(text, i)):
            found.append(escape(each))
        else:
            found.append(named.format(f"U+{ord(each):04X}"))
    return "".join(found)


def _joins(text: str, i: int) -> bool:
    """Whether a joiner stands between two pictures."""
    sides = text[max(i - 1, 0) : i], text[i + 1 : i + 2]
    return all(side and unicodedata.category(side) in ("So", "Sk", "Mn") for side in sides)
