"""What `tokens` returns: a TokenScore, or TokenScores by group."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nll.errors import UsageError, unknown
from nll.results.score import jsonable
from nll.results.show import MOST_GROUPS, _html, _rich, as_text, number
from nll.results.student import t_quantile

if TYPE_CHECKING:
    import polars as pl
    from rich.console import RenderableType

LN2 = math.log(2.0)
# The unit's denominator, and its size in nats.
UNITS = {
    "nats-per-token": ("tokens", 1.0),
    "bits-per-token": ("tokens", LN2),
    "nats-per-byte": ("text_bytes", 1.0),
    "bits-per-byte": ("text_bytes", LN2),
    "bits-per-scored-byte": ("scored_bytes", LN2),
    "bits-per-char": ("chars", LN2),
    "bits-per-word": ("words", LN2),
}
COLUMNS = ("documents", "tokens", "mean", "stderr", "95 % interval", "perplexity", "bits/byte", "NLL (nats)")


def check_unit(unit: str) -> None:
    """Raise UsageError if there is no such unit."""
    if unit not in UNITS:
        raise UsageError(unknown("unit", unit, UNITS))


def exponential(x: float) -> float:
    """Return exp(x), infinite beyond the largest double."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


@dataclass(frozen=True, slots=True)
class Rate:
    """A sum of losses divided by a count of something, in nats; NaN where that count is unknown or 0."""

    mean: float
    stderr: float
    count: int | None


@dataclass(frozen=True, slots=True)
class TokenScore:
    """The negative log-likelihood of the tokens of documents.

    Attributes
    ----------
    nll : the sum of -log p(token | before), in nats; infinite where a token is impossible.
    nll_finite : the sum over the other tokens.
    rates : NLL per token, byte of text, scored byte, character and word, each with its denominator and a standard error
        clustered by document (or as `cluster` says): sqrt(G / (G - 1) sum (L_g - m W_g)**2) / sum W.
    unit : of `mean`, `stderr` and `ci`.
    documents, tokens : what was scored.
    mean_document_perplexity : the mean over documents of exp(their NLL per token); not the perplexity.
    impossible : tokens of infinite loss. sentinels : tokens logged as -9999 or as the lowest float.
    first : first tokens, which nothing precedes, without a log-probability. null, outside : other tokens dropped
        because theirs is null, or because the token was not among the top k.
    special : tokens that stand for no text. lost : tokens whose bytes are not in the log.
    disagreeing : documents whose tokens do not give their text.
    clusters : behind the standard errors.
    read, skipped : lines of the files, and bad ones left out; first_skipped says why.
    contexts, strides : what the lines say of context and stride.
    each : the score of each document, made when it is looked at.
    """

    nll: float
    nll_finite: float
    rates: Mapping[str, Rate]
    unit: str
    documents: int
    tokens: int
    mean_document_perplexity: float
    clusters: int
    impossible: int = 0
    sentinels: int = 0
    first: int = 0
    null: int = 0
    outside: int = 0
    special: int = 0
    lost: int = 0
    disagreeing: int = 0
    read: int = 0
    skipped: int = 0
    first_skipped: tuple[str, ...] = ()
    first_impossible: tuple[str, ...] = ()
    contexts: tuple[Any, ...] = ()
    strides: tuple[Any, ...] = ()
    span: str = "all"
    source: str = ""
    each: Sequence[DocumentScore] = ()

    def per(self, unit: str) -> tuple[float, float]:
        """Return the mean in a unit, such as "bits-per-byte", and its standard error."""
        check_unit(unit)
        name, nats = UNITS[unit]
        rate = self.rates[name]
        return rate.mean / nats, rate.stderr / nats

    @property
    def mean(self) -> float:
        """NLL in `unit`."""
        return self.per(self.unit)[0]

    @property
    def stderr(self) -> float:
        """The standard error of `mean`."""
        return self.per(self.unit)[1]

    def ci(self, level: float = 0.95) -> tuple[float, float]:
        """Return mean -+ t stderr, t of Student's with one degree of freedom less than clusters; NaN of one cluster."""
        if not 0.0 < level < 1.0:
            raise UsageError(f"a confidence level is between 0 and 1; got {level!r}")
        half = t_quantile(level, self.clusters - 1.0) * self.stderr if self.clusters > 1 else math.nan
        return self.mean - half, self.mean + half

    @property
    def perplexity(self) -> float:
        """exp(NLL per token): every token counts alike."""
        return exponential(self.rates["tokens"].mean)

    @property
    def byte_perplexity(self) -> float:
        """exp(NLL per byte of text), as lm-eval has it."""
        return exponential(self.rates["text_bytes"].mean)

    @property
    def word_perplexity(self) -> float:
        r"""exp(NLL per word), words being what `re.split(r"\s+", text)` gives, as lm-eval has it."""
        return exponential(self.rates["words"].mean)

    @property
    def nll_per_token(self) -> float:
        """NLL per token, in nats."""
        return self.rates["tokens"].mean

    @property
    def bits_per_byte(self) -> float:
        """Bits per byte of the text, scored or not."""
        return self.per("bits-per-byte")[0]

    @property
    def bits_per_scored_byte(self) -> float:
        """Bits per byte of the tokens that were scored."""
        return self.per("bits-per-scored-byte")[0]

    @property
    def bits_per_char(self) -> float:
        """Bits per character (code point) of the text."""
        return self.per("bits-per-char")[0]

    @property
    def bits_per_word(self) -> float:
        """Bits per word of the text."""
        return self.per("bits-per-word")[0]

    @property
    def notes(self) -> list[str]:
        """Say what a reader of the numbers must know."""
        return list(_notes(self))

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types; NaN and infinities stay floats."""
        low, high = self.ci()
        out: dict[str, Any] = {"nll": self.nll, "nll_finite": self.nll_finite, "unit": self.unit}
        out |= {"mean": self.mean, "stderr": self.stderr, "ci95": [low, high], "perplexity": self.perplexity}
        out |= {"mean_document_perplexity": self.mean_document_perplexity}
        out |= {"byte_perplexity": self.byte_perplexity, "word_perplexity": self.word_perplexity}
        for unit in UNITS:
            value, stderr = self.per(unit)
            plain = unit.replace("-", "_")
            out |= {plain: value, f"{plain}_stderr": stderr}
        out |= {name: rate.count for name, rate in self.rates.items()}
        names = ("documents", "clusters", "impossible", "sentinels", "first", "null", "outside", "special", "lost")
        out |= {name: getattr(self, name) for name in (*names, "disagreeing", "read", "skipped")}
        out |= {"contexts": list(self.contexts), "strides": list(self.strides), "span": self.span}
        return out | {"source": self.source, "notes": self.notes}

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def to_polars(self) -> pl.DataFrame:
        """Return one row with the numbers."""
        import polars as pl

        return pl.DataFrame({name: [value] for name, value in _flat(self).items()})

    def document_table(self) -> pl.DataFrame:
        """Return one row a document: its id and place, its NLL, tokens and denominators."""
        import polars as pl

        return pl.DataFrame([each.to_dict() for each in self.each], infer_schema_length=None)

    def rich_table(self) -> RenderableType:
        """Return the score as a rich table."""
        return _rich(_title(self), list(COLUMNS), [_cells(self)], self.notes, 0)

    def __repr__(self) -> str:
        return as_text(self.rich_table())

    def _repr_html_(self) -> str:
        return _html(_title(self), list(COLUMNS), [_cells(self)], self.notes)


@dataclass(frozen=True, slots=True)
class DocumentScore:
    """The NLL of one document: in nats, over `tokens` tokens; a denominator is None where it is unknown."""

    id: str
    path: str
    line: int
    choice: int
    nll: float
    nll_finite: float
    tokens: int
    text_bytes: int | None
    scored_bytes: int | None
    chars: int | None
    words: int | None
    sentinels: int = 0

    @property
    def nll_per_token(self) -> float:
        """NLL per token, in nats; NaN of no tokens."""
        return self.nll / self.tokens if self.tokens else math.nan

    @property
    def perplexity(self) -> float:
        """exp(NLL per token)."""
        return exponential(self.nll_per_token)

    @property
    def bits_per_byte(self) -> float:
        """Bits per byte of the text, scored or not."""
        return self.nll / self.text_bytes / LN2 if self.text_bytes else math.nan

    @property
    def bits_per_scored_byte(self) -> float:
        """Bits per byte of the tokens that were scored."""
        return self.nll / self.scored_bytes / LN2 if self.scored_bytes else math.nan

    @property
    def bits_per_char(self) -> float:
        """Bits per character of the text."""
        return self.nll / self.chars / LN2 if self.chars else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types."""
        names = ("id", "path", "line", "choice", "nll", "nll_finite", "tokens", "text_bytes", "scored_bytes", "chars")
        more = ("words", "sentinels", "nll_per_token", "perplexity", "bits_per_byte", "bits_per_scored_byte")
        return {name: getattr(self, name) for name in (*names, *more, "bits_per_char")}


def _title(score: TokenScore) -> str:
    where = "" if score.span == "all" else f" of the {score.span!r} span"
    return f"Negative log-likelihood of tokens{where}, mean in {score.unit.replace('-', ' ')}: {score.source}"


def _cells(score: TokenScore) -> list[str]:
    low, high = score.ci()
    between = f"{number(low)} to {number(high)}" if math.isfinite(low) and math.isfinite(high) else "–"
    counts = [f"{score.documents:,}", f"{score.tokens:,}"]
    numbers = (score.perplexity, score.bits_per_byte, score.nll)
    return [*counts, number(score.mean), number(score.stderr), between, *map(number, numbers)]


def _flat(score: TokenScore) -> dict[str, Any]:
    kept = {k: v for k, v in score.to_dict().items() if not isinstance(v, list)}
    low, high = score.ci()
    return {**kept, "ci95_low": low, "ci95_high": high}


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _notes(s: TokenScore) -> Iterator[str]:
    if s.tokens == 0:
        yield "no token was scored: the sum is 0 and the means undefined (NaN)"
    elif s.impossible:
        where = f": {', '.join(s.first_impossible)}" if s.first_impossible else ""
        others = f"the others add up to {s.nll_finite:.6g} nats"
        yield f"{_some(s.impossible, 'token')} with an infinite loss{where}; {others}"
    elif s.clusters < 2:
        yield "one cluster: no standard error (NaN)"
    if s.sentinels:
        meaning = "probability 0" if s.impossible else "a number, as you asked"
        what = "logged as a sentinel (-9999: below what the server reports)"
        yield f"{_some(s.sentinels, 'token')} {what}, read as {meaning}"
    yield from _left_out(s)
    name, _ = UNITS[s.unit]
    if s.tokens and s.rates[name].count is None:
        yield f"{name} are unknown for some documents, so that {s.unit} is undefined (NaN); `texts` can give the texts"
    whole, scored = s.rates["text_bytes"].count, s.rates["scored_bytes"].count
    if name == "text_bytes" and whole is not None and scored is not None and scored < whole:
        yield f"{whole - scored:,} of {whole:,} bytes are of tokens that were not scored; they count in {s.unit}"


def _left_out(s: TokenScore) -> Iterator[str]:
    if s.first:
        yield f"{_some(s.first, 'first token')} without a log-probability: nothing precedes them; not scored"
    if s.null:
        yield f"{_some(s.null, 'token')} dropped: the log-probability is null"
    if s.outside:
        yield f"{_some(s.outside, 'token')} dropped: not among the top tokens of the log"
    if s.lost:
        yield f"{_some(s.lost, 'token')} of part of a character, whose bytes are not in the log"
    if s.disagreeing:
        yield f"{_some(s.disagreeing, 'document')} whose tokens do not give the text: scored bytes are unknown"
    if s.skipped:
        yield f"{s.skipped:,} of {_some(s.read, 'line')} skipped as bad: {'; '.join(s.first_skipped[:2])}"
    if len(s.contexts) > 1 or len(s.strides) > 1:
        yield f"documents differ in context {list(s.contexts)} or stride {list(s.strides)}: their means do not compare"


@dataclass(frozen=True, slots=True, repr=False)
class TokenScores(Mapping[Any, TokenScore]):
    """Token scores by group: a mapping from the key of a group to its TokenScore, in the order of the keys.

    Attributes
    ----------
    by : the names of the fields; a key is a value, or a tuple of values where there are several.
    groups : the TokenScore of each group.
    total : the TokenScore of all tokens.
    """

    by: tuple[str, ...]
    groups: Mapping[Any, TokenScore]
    total: TokenScore

    def __getitem__(self, key: Any) -> TokenScore:
        return self.groups[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def _named(self, key: Any) -> dict[str, Any]:
        return dict(zip(self.by, key if len(self.by) > 1 else (key,), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return groups and total as plain types."""
        rows = []
        for key, score in self.groups.items():
            kept = {k: v for k, v in score.to_dict().items() if k not in ("source", "unit", "span", "read", "skipped")}
            rows.append(self._named(key) | kept | self._named(key))
        return {"by": list(self.by), "groups": rows, "total": self.total.to_dict()}

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a group."""
        import polars as pl

        rows = [self._named(key) | _flat(score) | self._named(key) for key, score in self.groups.items()]
        return pl.DataFrame(rows, infer_schema_length=None, strict=False)

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return title, header, rows and notes."""
        body = [
            [*map(str, self._named(key).values()), *_cells(score)]
            for key, score in list(self.groups.items())[:MOST_GROUPS]
        ]
        body.append(["all", *[""] * (len(self.by) - 1), *_cells(self.total)])
        notes = self.total.notes
        if len(self) > MOST_GROUPS:
            notes = [f"{len(self) - MOST_GROUPS:,} more groups: .to_polars() (or --csv) has them all", *notes]
        return _title(self.total), [*self.by, *COLUMNS], body, notes

    def rich_table(self) -> RenderableType:
        """Return the scores as a rich table."""
        return _rich(*self.table(), len(self.by))

    def __repr__(self) -> str:
        return as_text(self.rich_table())

    def _repr_html_(self) -> str:
        return _html(*self.table())
