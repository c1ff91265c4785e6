"""The heat strip: everything escaped, every token there, colours that can be read."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nll
from nll.plots import page
from nll.plots.strip import LABELS, level, strip
from nll.results.document_tokens import DocumentTokens, Token

NASTY = [
    "<script>alert(1)</script>",
    "</span></main><b onclick=x>",
    "\"' onmouseover='x",
    "&lt;&#x3c;",
    "a\u202eb\u2066c\u200f",
    "\x00\x07\x1b[31m\x7f\x85",
    "\r\n\t\v",
    "\ud800",
    "\u2028\u2029\ufeff\u200b\u00a0",
    "{style}{0}%s",
    "🏳️‍🌈",
]
ALLOWED = {"html", "head", "meta", "title", "style", "body", "main", "h1", "p", "span", "i"}


class Reader(HTMLParser):
    """Reads a page: its tags, their attributes, and the tokens with what stands in them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tokens: list[tuple[str, str, str]] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag == "span" and "title" in found:
            self.inside = True
            self.tokens.append((found["class"] or "", found["title"] or "", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "span":
            self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            kind, title, text = self.tokens[-1]
            self.tokens[-1] = kind, title, text + data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


def made(*tokens: Token, name: str = "a") -> DocumentTokens:
    return DocumentTokens(name, "a.jsonl", 1, 0, "plain", tokens)


def harmless(reader: Reader) -> None:
    for tag, attributes in reader.tags:
        assert tag in ALLOWED
        assert set(attributes) <= {"class", "title", "charset", "http-equiv", "content", "name", "lang"}


def visible(text: str) -> bool:
    return all(each.isprintable() or each in "\n\u200d" for each in text)


@pytest.mark.parametrize("text", NASTY)
def test_nothing_of_a_log_is_markup(text: str, tmp_path: Path) -> None:
    data = text.encode("utf-8", "surrogatepass")
    tokens = made(
        Token(text, data, text, 1.0, alternatives=((text, -0.5),)), Token(None, b"", text, None, "first"), name=text
    )
    written = strip(tokens).save(tmp_path / "s.html").read_text(encoding="utf-8")
    reader = read(written)
    harmless(reader)
    assert visible(re.sub(r"<style>.*</style>", "", written, flags=re.DOTALL))
    assert len(reader.tokens) == 2
    assert [tag for tag, _ in reader.tags].count("main") == 1
    letters = "".join(re.findall(r"[a-z]", text))
    assert letters in re.sub(r"[^a-z]", "", reader.tokens[0][2])


@given(st.lists(st.text(max_size=8), max_size=4), st.text(max_size=8))
def test_any_text_is_shown_and_harmless(texts: list[str], name: str) -> None:
    tokens = [
        Token(text, text.encode("utf-8", "surrogatepass"), text, 1.0, alternatives=((text, -1.0),)) for text in texts
    ]
    reader = read(strip(made(*tokens, name=name)).html)
    harmless(reader)
    assert len(reader.tokens) == len(texts)
    for text, (_, _, shown) in zip(texts, reader.tokens, strict=True):
        if text.isprintable():
            assert shown == (text or "no text")


def test_what_a_title_says(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    line = {
        "id": "d",
        "text": "I say é",
        "tokens": ["I", " say", " ", "\\xc3", "\\xa9"],
        "token_logprobs": [None, -2.0, -9999.0, -0.25, -12.0],
        "top_logprobs": [None, {" am": -0.5, " say": -2.0}, None, None, None],
    }
    log.write_text(json.dumps(line))
    first, say, space, half, other = read(strip(nll.document_tokens(log)).html).tokens
    assert first[0] == "t u"
    assert "not scored: nothing comes before it" in first[1]
    assert say[0] == "t c2"
    assert say[1].splitlines() == [
        "“ say”",
        "2 nats, 2.88539 bits, p = 0.135",
        "token 1, bytes 1 to 5",
        "likeliest in its place:",
        "  “ am”  0.5 nats, p = 0.607",
        "  “ say”  2 nats, p = 0.135",
    ]
    assert (space[0], "impossible: a sentinel" in space[1]) == ("t c6", True)
    assert (half[0], half[2]) == ("t c0", "C3")
    assert "C3, part of a character" in half[1]
    assert (other[0], other[2]) == ("t c5", "A9")


def test_levels_are_in_bits() -> None:
    bits = [0.0, 0.99, 1.0, 3.99, 8.0, 15.9, 16.0, 1e9, float("inf")]
    tokens = [Token("a", b"a", "a", each * 0.6931471805599453) for each in bits]
    assert [level(token) for token in tokens] == [0, 0, 1, 2, 4, 4, 5, 5, 6]
    assert len(LABELS) == 7
    assert level(Token("a", b"a", "a", None, "first")) is None


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_can_be_read_and_keep_their_order_in_grey() -> None:
    pairs = [*page.LIGHT, *page.DARK, page.LIGHT_PAGE, page.DARK_PAGE, page.LIGHT_IMPOSSIBLE, page.DARK_IMPOSSIBLE]
    for back, text in pairs:
        low, high = sorted([luminance(back), luminance(text)])
        assert (high + 0.05) / (low + 0.05) >= 4.5, (back, text)
    light = [luminance(back) for back, _ in page.LIGHT]
    dark = [luminance(back) for back, _ in page.DARK]
    assert light == sorted(light, reverse=True)
    assert dark == sorted(dark)


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    text = strip(made(Token("a", b"a", "a", 1.0))).html
    assert "default-src 'none'" in text
    assert not re.search(r"https?:|<script|<link|url\(|@import|\bsrc=|\bhref=", text)
    with pytest.raises(nll.errors.UsageError, match=r"must end in \.html"):
        strip(made()).save(tmp_path / "s.png")
    shown = strip(made())._repr_html_()
    assert shown.startswith("<style>.nll-strip")
    assert not re.search(r"body\{|:root|vh", shown)
