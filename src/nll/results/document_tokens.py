"""What `document_tokens` returns: the tokens of one document, each with its loss."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nll.results.show import Tabled, number

if TYPE_CHECKING:
    import polars as pl

LN2 = math.log(2.0)
MOST_TOKENS = 40
REASONS = {
    "first": "not scored: nothing comes before it",
    "null": "not scored: its log-probability is null",
    "outside": "not scored: it is not among the top tokens of the log",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a text, and what a model said of it.

    Attributes
    ----------
    text : what it stands for; where it is part of a character, or where the log lost that, None.
    data : the bytes that it stands for; None where unknown, empty where it stands for no text.
    said : the token as the log writes it; None where it does not.
    loss : -log p(token | before) in nats, infinite where it is impossible; None where it was not scored.
    why : why it was not scored: "first", "null" or "outside"; else empty.
    sentinel : whether the log has a sentinel, such as -9999, in the place of its log-probability.
    alternatives : the likeliest tokens in its place and their log-probabilities, where the log has them.
    """

    text: str | None
    data: bytes | None
    said: str | None
    loss: float | None
    why: str = ""
    sentinel: bool = False
    alternatives: tuple[tuple[str, float], ...] = ()

    @property
    def bits(self) -> float | None:
        """The loss in bits."""
        return None if self.loss is None else self.loss / LN2


@dataclass(frozen=True, slots=True, repr=False)
class DocumentTokens(Tabled, Sequence[Token]):
    """The tokens of a document, in their order.

    Attributes
    ----------
    id, path, line, choice : which document, and where it is.
    format : of its log.
    tokens : each token.
    whole : whether the tokens put together are the text; if not, or if the log has no text, they are shown as logged.
    """

    id: str
    path: str
    line: int
    choice: int
    format: str
    tokens: tuple[Token, ...]
    whole: bool = True

    def __getitem__(self, index: Any) -> Any:
        return self.tokens[index]

    def __iter__(self) -> Iterator[Token]:
        return iter(self.tokens)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def scored(self) -> int:
        """The tokens that have a loss."""
        return sum(token.loss is not None for token in self.tokens)

    @property
    def nll(self) -> float:
        """The sum of the losses, in nats; infinite where a token is impossible."""
        losses = [token.loss for token in self.tokens if token.loss is not None]
        return math.inf if math.inf in losses else math.fsum(losses)

    @property
    def bits_per_byte(self) -> float:
        """Bits per byte of all tokens, scored or not; NaN where their bytes are unknown."""
        sizes = [None if token.data is None else len(token.data) for token in self.tokens]
        known = [size for size in sizes if size is not None]
        return self.nll / sum(known) / LN2 if len(known) == len(sizes) and sum(known) else math.nan

    @property
    def notes(self) -> list[str]:
        """Say what a reader of the numbers must know."""
        found = []
        if not self.whole:
            found.append("the tokens do not give the text, or the log has none: they are shown as they were logged")
        sentinels = sum(token.sentinel for token in self.tokens)
        if sentinels:
            found.append(f"{sentinels:,} logged as a sentinel (-9999: below what the server reports)")
        return found

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a token."""
        import polars as pl

        columns: dict[str, list[Any]] = {
            "position": list(range(len(self))),
            "token": [token.said if token.text is None else token.text for token in self.tokens],
            "bytes": [token.data for token in self.tokens],
            "nats": [token.loss for token in self.tokens],
            "bits": [token.bits for token in self.tokens],
            "why": [token.why or None for token in self.tokens],
            "alternatives": [
                [{"token": text, "logprob": value} for text, value in token.alternatives] for token in self.tokens
            ],
        }
        pair = pl.List(pl.Struct({"token": pl.String, "logprob": pl.Float64}))
        kinds = {"position": pl.Int64, "token": pl.String, "bytes": pl.Binary, "nats": pl.Float64, "bits": pl.Float64}
        return pl.DataFrame(columns, schema={**kinds, "why": pl.String, "alternatives": pair})

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, rows and notes of what is shown."""
        caption = f"{self.scored:,} tokens scored of {len(self):,}: {number(self.nll)} nats; {self.id}"
        rows = []
        for i, token in enumerate(self.tokens[:MOST_TOKENS]):
            shown = ascii(token.said if token.text is None else token.text)
            numbers = ["–", "–"] if token.loss is None else [number(token.loss), number(token.loss / LN2)]
            rows.append([shown, str(i), *numbers, ", ".join(ascii(text) for text, _ in token.alternatives[:3])])
        notes = self.notes
        if len(self) > MOST_TOKENS:
            notes = [f"{len(self) - MOST_TOKENS:,} more tokens: .to_polars() has them all", *notes]
        return caption, ["token", "position", "nats", "bits", "likeliest"], rows, notes
