"""Lines of the common shapes, decoded into fixed types: what no sum needs is skipped and never becomes an object.

A typed decoder of msgspec reads a chat log eleven times as fast as `json`, and five times as fast as orjson, that makes
an object of every alternative. It is as strict as `json` of what it skips, but for UTF-8, which the reader of blocks
checks. Whatever it does not take (another type, a shape that is not known here, NaN) is left to the readers of
`formats.py`, which decide what a line means and what is wrong with it; so results and messages are theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from nll.errors import DataError
from nll.sources.tokens import chat, completions, plain, vllm
from nll.sources.tokens.document import Document, made, said

Values = list[float | None]
ABSENT = Raw()
Name = str | int | None
NAMES = ("id", "custom_id", "context", "stride")  # of fields that every document has at hand


class Entry(msgspec.Struct, gc=False):
    """A token of a chat."""

    logprob: float
    token: str | None = None
    bytes: list[int] | None = None


class Option(msgspec.Struct, gc=False):
    """One of the tokens that vLLM logs for a place of the prompt."""

    logprob: float
    decoded_token: str | None = None


# By token id, and as JSON, since one of them is needed.
Options = dict[str, Raw]


class Logprobs(msgspec.Struct, gc=False):
    """The log-probabilities of a choice, in the form of chats or of completions."""

    content: list[Entry] | None = None
    refusal: list[Entry] | None = None
    tokens: Raw = ABSENT
    token_logprobs: Values | None = None


class Message(msgspec.Struct, gc=False):
    """The answer of a chat."""

    content: str | None = None
    refusal: str | None = None


class Choice(msgspec.Struct, gc=False):
    """One of the answers of a line."""

    message: Message | UnsetType = UNSET
    text: Raw = ABSENT
    logprobs: Logprobs | None = None
    prompt_logprobs: list[Options | None] | None = None
    prompt_token_ids: list[int] | UnsetType | None = UNSET


class Body(msgspec.Struct, gc=False):
    """What a line of any format may have; fields that only tell a format apart stay raw."""

    id: Name | UnsetType = UNSET
    custom_id: Name | UnsetType = UNSET
    context: Name | UnsetType = UNSET
    stride: Name | UnsetType = UNSET
    text: Raw = ABSENT
    prompt: Any = None
    answer: Any = None
    usage: Any = None
    tokens: Raw = ABSENT
    token_logprobs: Values | UnsetType | None = UNSET
    logprobs: Values | UnsetType | None = UNSET
    choices: list[Choice] | UnsetType = UNSET
    prompt_logprobs: list[Options | None] | None = None
    prompt_token_ids: list[int] | UnsetType | None = UNSET
    completion_probabilities: Raw = ABSENT
    details: Raw = ABSENT
    input_ids: Raw = ABSENT


class Response(msgspec.Struct, gc=False):
    """What a line of OpenAI's batches has around it."""

    body: Body


class Line(Body, gc=False):
    """A line, with the response of a batch where it has one."""

    response: Response | None = None


class Found(msgspec.Struct, gc=False):
    """A document before it is measured.

    Attributes
    ----------
    tokens : texts, JSON of a list of texts, the entries of a chat, or None where there are none.
    values : the log-probabilities.
    line, body : what it was read from.
    raw : the JSON of the text, where tokens are JSON too.
    format, text, answer, choice : as of a Document.
    """

    format: str
    tokens: list[Any] | bytes | None
    values: Values
    text: str | None
    answer: int | None
    line: Line
    body: Body
    choice: int = 0
    raw: bytes = b""

    def get(self, name: str) -> Any:
        """Return one of NAMES; None where it is not there."""
        value = getattr(self.line, name)
        if value is UNSET and self.body is not self.line:
            value = getattr(self.body, name)
        return None if value is UNSET else value

    @property
    def name(self) -> str | None:
        """The id that the log gives it."""
        line = self.line
        given = line.id if line.custom_id is UNSET and self.body is line else self._given()
        if given is None or given is UNSET:
            return None
        return f"{given}#{self.choice}" if self.choice else str(given)

    def _given(self) -> Any:
        holders = (self.line, self.body)
        return next(
            (value for name in ("custom_id", "id") for each in holders if (value := getattr(each, name)) is not UNSET),
            None,
        )


_read_texts: Callable[[bytes], list[str]] = msgspec.json.Decoder(list[str]).decode
_read_options: Callable[[bytes], list[Option]] = msgspec.json.Decoder(list[Option]).decode
_read_text: Callable[[bytes], str | None] = msgspec.json.Decoder(str | None).decode


def texts(data: bytes) -> list[str] | None:
    """Return the texts of JSON; None where it is no list of such."""
    try:
        return _read_texts(data)
    except (msgspec.DecodeError, ValueError):
        return None


def _text(raw: Raw) -> str | None:
    return _read_text(raw) if raw else None


class Typed:
    """Decodes lines, of the format that is named or that their shape tells, with the fields of further names."""

    def __init__(self, names: tuple[str, ...] = (), form: str | None = None) -> None:
        wanted = {each: None for name in names for each in (name, name.partition(".")[0]) if each not in NAMES}
        self.usable = not wanted.keys() & {each.name for each in msgspec.structs.fields(Line)}
        self.form, self.own = form, {f"own_{i}": name for i, name in enumerate(wanted)} if self.usable else {}
        fields = [(each, Any, UNSET) for each in self.own]
        line: Any = (
            msgspec.defstruct("NamedLine", fields, bases=(Line,), rename=self.own, gc=False) if self.own else Line
        )
        self.decode: Callable[[bytes], Line] = msgspec.json.Decoder(line).decode

    def documents(self, data: bytes) -> list[Found] | None:
        """Return the documents of a line; None where it is not of a shape that is known here."""
        try:
            line = self.decode(data)
            if line.response is None:
                return documents(line, line, self.form)
            # Fields of a batch may be in the line or in the body.
            return None if self.own else documents(line.response.body, line, self.form)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None

    def fields(self, found: Found) -> dict[str, Any]:
        """Return the fields of NAMES and of the further names, as far as the line has them."""
        fields = {
            name: value
            for name in NAMES
            for each in (found.body, found.line)
            if (value := getattr(each, name)) is not UNSET
        }
        more = {name: value for each, name in self.own.items() if (value := getattr(found.line, each)) is not UNSET}
        return fields | more

    def document(self, found: Found) -> Document:
        """Return a document as the reader of its format makes it; raise DataError as that does."""
        own = made(found.format, _tokens(found), list(found.values), found.text, found.answer)
        own.fields, own.choice = self.fields(found), found.choice
        return own


def _tokens(found: Found) -> list[bytes | str | None]:
    tokens: Any = found.tokens
    if tokens is None:
        return [None] * len(found.values)
    if isinstance(tokens, bytes):
        tokens = texts(tokens)
        if tokens is None:
            raise DataError("a token is no string")
    if found.format == chat.NAME:
        return [entry.token if entry.bytes is None else said({"bytes": entry.bytes}) for entry in tokens]
    return tokens


def documents(body: Body, line: Line, form: str | None) -> list[Found] | None:
    """Return the documents of what a line holds; None where its shape is another."""
    choices = body.choices
    if choices is not UNSET:
        reader = _reader_of(choices, body)
    elif body.prompt_logprobs is not None:
        reader = vllm.NAME
    elif _is_other(body):
        return None
    else:
        reader = plain.NAME
    if form is not None and form != reader:
        return None
    if reader == plain.NAME:
        return _plain(body, line)
    if choices is UNSET:
        found = _vllm(body, None, line, 0)
        return None if found is None else [found]
    read = READERS.get(reader)
    if read is None or not choices:
        return None
    every: list[Found] = []
    for i, choice in enumerate(choices):
        found = read(body, choice, line, i)
        if found is None:
            return None
        every.append(found)
    return every


def _reader_of(choices: list[Choice], body: Body) -> str:
    if body.prompt_logprobs is not None or any(each.prompt_logprobs is not None for each in choices):
        return vllm.NAME
    if any(each.message is not UNSET for each in choices):
        return chat.NAME
    return completions.NAME if any(each.text for each in choices) else ""


def _is_other(body: Body) -> bool:
    without_tokens = bool(body.input_ids) and not body.tokens
    return without_tokens or bool(body.completion_probabilities) or bool(body.details)


def _plain(body: Body, line: Line) -> list[Found] | None:
    values = body.logprobs if body.token_logprobs is UNSET else body.token_logprobs
    if values is None or values is UNSET:
        return None
    answer = body.answer
    if not isinstance(answer, int) or isinstance(answer, bool) or not 0 <= answer <= len(values):
        answer = None
    tokens, raw = bytes(body.tokens), bytes(body.text)
    if not tokens or tokens == b"null":
        tokens = None
    return [Found(plain.NAME, tokens, values, _text(body.text), answer, line, body, 0, raw)]


def _chat(body: Body, choice: Choice, line: Line, i: int) -> Found | None:
    message, logprobs = choice.message, choice.logprobs
    if logprobs is None or message is UNSET:
        return None
    entries = logprobs.refusal if logprobs.content is None else logprobs.content
    if entries is None:
        return None
    text = message.refusal if message.content is None else message.content
    return Found(chat.NAME, entries, [entry.logprob for entry in entries], text, 0, line, body, i)


def _completion(body: Body, choice: Choice, line: Line, i: int) -> Found | None:
    logprobs = choice.logprobs
    if logprobs is None or not logprobs.tokens or not logprobs.token_logprobs:
        return None
    tokens, raw, values = bytes(logprobs.tokens), bytes(choice.text), logprobs.token_logprobs
    answer = completions.prompt_tokens({"usage": body.usage}) if values[0] is None else 0
    answer = None if answer is None else min(answer, len(values))
    return Found(completions.NAME, tokens, values, _text(choice.text), answer, line, body, i, raw)


def _vllm(body: Body, choice: Choice | None, line: Line, i: int) -> Found | None:
    holder = body if choice is None else choice
    entries = body.prompt_logprobs if holder.prompt_logprobs is None else holder.prompt_logprobs
    ids = body.prompt_token_ids if holder.prompt_token_ids is UNSET else holder.prompt_token_ids
    if not entries:
        return None
    found = _prompt(entries, None if ids is UNSET else ids)
    if found is None:
        return None
    tokens, values = found
    text = body.prompt if isinstance(body.prompt, str) else _text(body.text)
    if choice is None or choice.logprobs is None:
        return Found(vllm.NAME, tokens, values, text, None, line, body, i)
    own, logged = _text(choice.text), choice.logprobs.token_logprobs
    more = texts(choice.logprobs.tokens) if choice.logprobs.tokens else None
    if not more or not logged or len(more) != len(logged):
        return None
    if logged[0] is None and len(more) >= len(tokens):  # the prompt is echoed
        return Found(vllm.NAME, more, logged, own, len(tokens), line, body, i)
    text = text + own if isinstance(text, str) and isinstance(own, str) else None
    return Found(vllm.NAME, [*tokens, *more], values + logged, text, len(tokens), line, body, i)


def _prompt(entries: list[Options | None], ids: list[int] | None) -> tuple[list[str | None], Values] | None:
    """Return the tokens of a prompt and their log-probabilities: of the ids, or the first ones; None if unclear."""
    start = int(entries[0] is None)
    given: list[Any] = entries[start:]
    try:
        if ids is None:
            chosen = [next(iter(options.values())) for options in given]
        else:
            chosen = [options[str(i)] for options, i in zip(given, ids[start:], strict=True)]
    except (KeyError, StopIteration, AttributeError, TypeError, ValueError):  # among them a null that is not the first
        return None
    options = _read_options(b"[" + b",".join(chosen) + b"]")
    nulls = [None] * start
    return [*nulls, *[each.decoded_token for each in options]], [*nulls, *[each.logprob for each in options]]


READERS = {chat.NAME: _chat, completions.NAME: _completion, vllm.NAME: _vllm}
