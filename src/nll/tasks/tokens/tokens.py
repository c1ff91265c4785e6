"""`nll.tokens`: the NLL of documents in logs of language models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from nll.errors import DataError, UsageError
from nll.numerics.exact import exact_sum, rounded
from nll.results.moments import UNIT, clustered
from nll.results.tokens import DocumentScore, Rate, TokenScore, TokenScores, check_unit
from nll.sources.paths import describe
from nll.sources.tokens.read import BadLines, Logs, Texts
from nll.states.documents import SIZES, DocumentTallies, Part
from nll.tasks.tokens.summary import LENGTH, POSITION, Choices, Missing, Sentinel, Summary, summary

EXAMPLES = 5
LARGEST_BUCKET_OF_ONE = 1


def tokens(
    files: Any,
    *,
    by: str | Sequence[str] | None = None,
    span: str | None = None,
    unit: str = "nats-per-token",
    cluster: str = "document",
    format: str | None = None,  # noqa: A002 (the word that users look for)
    texts: Texts = None,
    sentinel: Sentinel = "impossible",
    missing: Missing = "error",
    bad_lines: BadLines = "error",
) -> TokenScore | TokenScores:
    """Return the negative log-likelihood of the documents in logs of language models.

    The NLL is the sum over tokens of -log p(token | before), in nats; each line is read and dropped again.

    Parameters
    ----------
    files : JSON lines (.jsonl, .jsonl.gz, .jsonl.zst): a path, a pattern, a folder or a list of these.
    by : score by a field of the lines ("model", "meta.subject"), or by "position" (in powers of two), "length" (of the
        document in tokens, alike), "file" or "format"; or by several.
    span : "answer" for what follows the prompt, or the name of a field with [from, to), in characters of the text, or a
        list of such. A token counts if a part of it lies inside.
    unit : of `mean`: nats-per-token, bits-per-token, nats-per-byte, bits-per-byte, bits-per-scored-byte,
        bits-per-char or bits-per-word. All are in the result.
    cluster : "document", or a field: documents of one value depend on each other.
    format : vllm, openai-chat, completions, llama.cpp, huggingface or plain; by default the shape of each line tells.
    texts : texts of documents whose log lacks them: in the order of documents, by id, or a file of JSON lines.
    sentinel : what -9999 is: "impossible", probability 0 and an infinite loss; "literal", a number; "error".
    missing : "drop" leaves out tokens whose log-probability is null or not among the top k, and counts them.
    bad_lines : "skip" leaves out lines that cannot be read, and counts them.

    Returns
    -------
    TokenScore, or TokenScores by group.

    Raises
    ------
    DataError : a line is malformed, with file and number.
    UsageError : there is no such file, format, unit or option.

    Examples
    --------
    >>> import json, tempfile, pathlib
    >>> import nll
    >>> log = pathlib.Path(tempfile.mkdtemp()) / "log.jsonl"
    >>> line = {"id": "a", "text": "Hi you", "tokens": ["Hi", " you"], "token_logprobs": [None, -1.5]}
    >>> _ = log.write_text(json.dumps(line))
    >>> found = nll.tokens(log)
    >>> found.nll, found.tokens, found.first, round(found.bits_per_byte, 4), round(found.bits_per_scored_byte, 4)
    (1.5, 1, 1, 0.3607, 0.541)
    """
    check_unit(unit)
    names = (by,) if isinstance(by, str) else tuple(by or ())
    if len(set(names)) < len(names):
        raise UsageError(f"by names a field twice: {list(names)}")
    choices = Choices(names, span, cluster, sentinel, missing)
    logs = Logs.open(files, format, bad_lines, texts)
    pass_ = Pass(choices, unit)
    for each in summaries(logs, choices):
        pass_.add(each)
    listed = files if isinstance(files, (list, tuple)) else str(files)
    return pass_.finish(logs, describe(listed, logs.files))


def summaries(logs: Logs, choices: Choices) -> Iterator[Summary]:
    """Return the summary of each document; a line of which one document is bad is bad."""
    for documents in logs:
        try:
            found = [summary(document, choices) for document in documents]
        except DataError as error:
            logs.bad(documents[0].path, documents[0].line, error)
            continue
        yield from found
    if logs.read and logs.skipped == logs.read:
        raise DataError(f"all {logs.read:,} lines are bad; the first: {logs.first_skipped[0]}")


class Pass:
    """Documents as they come, and the result of all."""

    def __init__(self, choices: Choices, unit: str) -> None:
        self.choices, self.unit = choices, unit
        self.state = DocumentTallies()
        self.whole = DocumentTallies()
        self.each: list[DocumentScore] = []
        self.perplexities: dict[tuple[Any, ...], list[float]] = {}
        self.impossible: list[str] = []
        self.contexts: dict[Any, None] = {}
        self.strides: dict[Any, None] = {}

    def add(self, found: Summary) -> None:
        """Add a document."""
        self.whole.add((), found.cluster, found.whole)
        if self.choices.by:
            for key, part in found.parts.items():
                self.state.add(key, found.cluster, part)
                if POSITION not in self.choices.by and part.count("tokens"):
                    self.perplexities.setdefault(key, []).append(document_score(found).perplexity)
        self.each.append(document_score(found))
        if found.first_impossible and len(self.impossible) < EXAMPLES:
            self.impossible.append(found.first_impossible)
        self.contexts.setdefault(repr(found.context) if _unhashable(found.context) else found.context)
        self.strides.setdefault(repr(found.stride) if _unhashable(found.stride) else found.stride)

    def finish(self, logs: Logs, source: str) -> TokenScore | TokenScores:
        """Return the score of all documents, or scores by group."""
        about: dict[str, Any] = {"unit": self.unit, "span": self.choices.span or "all", "source": source}
        ends = {
            "read": logs.read,
            "skipped": logs.skipped,
            "first_skipped": tuple(logs.first_skipped),
            "first_impossible": tuple(self.impossible),
            "contexts": tuple(value for value in self.contexts if value is not None),
            "strides": tuple(value for value in self.strides if value is not None),
            "each": tuple(self.each),
        }
        perplexities = [each.perplexity for each in self.each if each.tokens]
        total = score_of(list(self.whole.parts.values()), perplexities, {**about, **ends})
        if not self.choices.by:
            return total
        groups: dict[tuple[Any, ...], list[Part]] = {}
        for (key, _), part in self.state.parts.items():
            groups.setdefault(key, []).append(part)
        order = sorted(
            groups, key=lambda key: [(v is None, isinstance(v, str), v if v is not None else 0) for v in key]
        )
        made = {self._key(key): score_of(groups[key], self.perplexities.get(key, []), about) for key in order}
        return TokenScores(self.choices.by, made, total)

    def _key(self, key: tuple[Any, ...]) -> Any:
        named = tuple(
            label(value) if name in (POSITION, LENGTH) else value
            for name, value in zip(self.choices.by, key, strict=True)
        )
        return named if len(named) != 1 else next(iter(named))


def label(low: int) -> str:
    """Return the words for a bucket: "4-7"."""
    return str(low) if low <= LARGEST_BUCKET_OF_ONE else f"{low}-{2 * low - 1}"


def _unhashable(value: Any) -> bool:
    return isinstance(value, (list, dict))


def document_score(found: Summary) -> DocumentScore:
    """Return the score of one document."""
    part = found.whole
    finite = rounded(part.loss)
    sizes = dict(zip(SIZES, part.sizes, strict=True))
    return DocumentScore(
        found.name,
        found.path,
        found.line,
        found.choice,
        math.inf if part.impossible else finite,
        finite,
        part.count("tokens"),
        **sizes,
        sentinels=part.count("sentinels"),
    )


def score_of(parts: list[Part], own: list[float], about: dict[str, Any]) -> TokenScore:
    """Return the score of the parts of clusters."""
    total = Part()
    for part in parts:
        total.add(part)
    finite = rounded(total.loss)
    used = [part for part in parts if part.count("tokens")]
    rates = {name: rate(used, total, name) for name in ("tokens", *SIZES)}
    mean = math.nan
    if own:
        mean = exact_sum_or_inf(own) / len(own)
    counts = ("documents", "tokens", "sentinels", "first", "null", "outside", "special", "lost", "disagreeing")
    return TokenScore(
        nll=math.inf if total.impossible else finite,
        nll_finite=finite,
        rates=rates,
        mean_document_perplexity=mean,
        clusters=len(used),
        impossible=total.impossible,
        **{name: total.count(name) for name in counts},
        **about,
    )


def exact_sum_or_inf(values: list[float]) -> float:
    """Return the sum, rounded once; infinite if one of them is."""
    import numpy as np

    return math.inf if math.inf in values else exact_sum(np.array(values))


def rate(used: list[Part], total: Part, name: str) -> Rate:
    """Return the losses divided by tokens, bytes, ... with an error clustered as the parts are."""
    count = total.count("tokens") if name == "tokens" else total.size(name)
    if not count:
        return Rate(math.nan, math.nan, count)
    if total.impossible:
        return Rate(math.inf, math.inf, count)
    pairs = [
        (part.loss, ((part.count("tokens") if name == "tokens" else part.size(name)) or 0) * UNIT) for part in used
    ]
    estimate = clustered(pairs)
    return Rate(_whole_mean(total.loss, count), estimate.stderr, count)


def _whole_mean(loss: int, count: int) -> float:
    """Return the mean over all of the text, that of documents without a scored token included."""
    try:
        return loss / (count * UNIT)
    except OverflowError:
        return math.inf
