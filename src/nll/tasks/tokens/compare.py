"""`nll.compare_tokens`: language models on the same documents, in units that do not depend on their tokenisers."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nll.errors import DataError, UsageError, unknown
from nll.results.moments import UNIT, clustered
from nll.results.token_comparison import TokenComparison, TokenStanding
from nll.results.tokens import UNITS, TokenScore, check_unit
from nll.sources.tokens.read import BadLines, Logs, Texts
from nll.tasks.compare.tails import t_quantile, two_sided_t
from nll.tasks.tokens.summary import Choices, Missing, Sentinel, Summary
from nll.tasks.tokens.tokens import Pass, summaries

# What two models may differ in only if one asks for it, and what a message calls it.
DIFFERENCES = {
    "span": "the scored part of the text",
    "context": "the context",
    "stride": "the stride",
}


def compare_tokens(
    *models: Any,
    unit: str = "bits-per-byte",
    reference: str | None = None,
    level: float = 0.95,
    pair: str | None = None,
    allow: str | Sequence[str] = (),
    span: str | None = None,
    cluster: str = "document",
    format: str | None = None,  # noqa: A002 (as in `tokens`)
    texts: Texts = None,
    sentinel: Sentinel = "impossible",
    missing: Missing = "error",
    bad_lines: BadLines = "error",
) -> TokenComparison:
    r"""Compare language models by their logs of the same documents, paired by document.

    Each model is compared with the best one, or with `reference`, by the difference of NLL divided by the bytes of the
    texts. Its standard error is that of the differences of documents. Texts must be the same, byte by byte, and so
    must be which part of them was scored, and the context and stride that the lines tell.

    Parameters
    ----------
    models : {name: files}, or the files of two or more models, which are named by them.
    unit : bits-per-byte, nats-per-byte, bits-per-char, bits-per-word; nats-per-token and bits-per-token only where all
        models cut each text into the same tokens.
    reference : the model to compare with, in place of the best one.
    level : of the intervals.
    pair : "id" or "text", by which documents are paired; by default ids, where both have the same, else texts.
    allow : what may differ after all: "span", "context", "stride".
    span, cluster, format, texts, sentinel, missing, bad_lines : as in `tokens`.

    Raises
    ------
    UsageError : the models do not compare.
    DataError : as in `tokens`.

    Examples
    --------
    >>> import json, tempfile, pathlib
    >>> import nll
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> def log(name, *values):
    ...     same = {"text": "abcd", "tokens": ["ab", "cd"]}
    ...     lines = [json.dumps({"id": i, "token_logprobs": v, **same}) for i, v in enumerate(values)]
    ...     _ = (folder / name).write_text("\n".join(lines))
    ...     return folder / name
    >>> a, b = log("a.jsonl", [-1.0, -2.0], [-1.0, -1.0]), log("b.jsonl", [-2.0, -2.0], [-1.0, -3.0])
    >>> found = nll.compare_tokens({"a": a, "b": b})
    >>> found.best, round(found["b"].difference, 4), round(found["b"].stderr, 4)
    ('a', 0.541, 0.1803)
    """
    named = _named(models)
    check_unit(unit)
    overlooked = (allow,) if isinstance(allow, str) else tuple(allow)
    for each in overlooked:
        if each not in DIFFERENCES:
            raise UsageError(unknown("difference to allow", each, DIFFERENCES))
    if reference is not None and reference not in named:
        raise UsageError(unknown("model", reference, named))
    if not 0.0 < level < 1.0:
        raise UsageError(f"a confidence level is between 0 and 1; got {level!r}")
    if pair not in (None, "id", "text"):
        raise UsageError(f"pair is 'id' or 'text'; got {pair!r}")
    choices = Choices((), span, cluster, sentinel, missing)
    scores: dict[str, TokenScore] = {}
    documents: dict[str, list[Summary]] = {}
    for name, files in named.items():
        logs = Logs.open(files, format, bad_lines, texts)
        run = Pass(choices, unit)
        documents[name] = list(summaries(logs, choices))
        for found in documents[name]:
            run.add(found)
        score = run.finish(logs, name)
        assert isinstance(score, TokenScore)
        scores[name] = score
    pairs = _paired(documents, pair)
    allowed = _check(pairs, list(named), overlooked)
    same = _same_tokens(pairs)
    if UNITS[unit][0] == "tokens" and not same:
        why = "cut the texts into different tokens" if same is False else "do not say into which tokens texts are cut"
        raise UsageError(f"the models {why}, so that {unit} and perplexities do not compare; bits-per-byte does")
    return _compared(scores, pairs, unit, reference, level, same, allowed)


def _named(models: tuple[Any, ...]) -> dict[str, Any]:
    """Return the files of each model by its name."""
    if len(models) == 1 and isinstance(models[0], Mapping):
        named = {str(name): files for name, files in models[0].items()}
    else:
        named = {}
        for files in models:
            if not isinstance(files, (str, os.PathLike)):
                raise UsageError("models are {name: files}, or the file of each")
            name = os.fspath(files)
            stem = Path(name).name.partition(".")[0]
            stems = [
                Path(os.fspath(each)).name.partition(".")[0] for each in models if isinstance(each, (str, os.PathLike))
            ]
            called = stem if stem and stems.count(stem) == 1 else name
            if called in named:
                raise UsageError(f"{name} is given twice")
            named[called] = files
    if len(named) < 2:
        raise UsageError(f"at least two models are compared; got {len(named)}")
    return named


def _paired(documents: dict[str, list[Summary]], pair: str | None) -> list[tuple[Summary, ...]]:
    """Return the documents of all models side by side, in the order of the first model."""
    names = list(documents)
    first = documents[names[0]]
    if not first:
        raise UsageError(f"{names[0]} has no documents")
    tried: list[str] = []
    for kind, key in (("id", lambda found: found.name), ("text", lambda found: found.text)):
        if pair not in (None, kind):
            continue
        keyed = {name: _by_key(found, key) for name, found in documents.items()}
        if any(each is None for each in keyed.values()):
            tried.append(f"texts are not in the logs of {', '.join(n for n, e in keyed.items() if e is None)}")
            continue
        base = keyed[names[0]] or {}
        other = next((name for name in names[1:] if (keyed[name] or {}).keys() != base.keys()), None)
        if other is None:
            return [tuple((keyed[name] or {})[where] for name in names) for where in base]
        tried.append(_unlike(kind, names[0], base, other, keyed[other] or {}))
    raise UsageError(f"the models do not have the same documents: {'; '.join(tried)}")


def _by_key(found: list[Summary], key: Callable[[Summary], Any]) -> dict[Any, Summary] | None:
    """Return documents by key, and by a number where several have the same."""
    seen: dict[Any, int] = {}
    keyed: dict[Any, Summary] = {}
    for each in found:
        own = key(each)
        if own is None:
            return None
        keyed[own, seen.setdefault(own, 0)] = each
        seen[own] += 1
    return keyed


def _unlike(kind: str, a: str, base: dict[Any, Summary], b: str, other: dict[Any, Summary]) -> str:
    only_a, only_b = [base[k] for k in base if k not in other], [other[k] for k in other if k not in base]
    example, whose = (only_a[0], a) if only_a else (only_b[0], b)
    return (
        f"by {kind}, {len(only_a):,} of {len(base):,} are only in {a} and {len(only_b):,} of {len(other):,} only in {b}"
        f" (the first: {example.name!r} of {whose})"
    )


def _check(pairs: list[tuple[Summary, ...]], names: list[str], overlooked: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse documents that differ in what they must share; return the differences that were overlooked."""
    found: dict[str, None] = {}
    for each in pairs:
        first = each[0]
        for name, other in zip(names[1:], each[1:], strict=True):
            where = f"document {first.name!r} ({first.path}:{first.line} and {other.path}:{other.line})"
            if first.text is None or other.text is None:
                lacking = names[0] if first.text is None else name
                raise UsageError(f"{where}: the log of {lacking} has no text; texts= gives the texts")
            if first.text != other.text:
                raise UsageError(f"{where}: the texts of {names[0]} and {name} differ")
            for what, is_same in _differences(first, other):
                if is_same:
                    continue
                message = f"{DIFFERENCES[what]} of {names[0]} and {name} differs"
                if what not in overlooked:
                    raise UsageError(f"{where}: {message}, so that they do not compare; allow={what!r} overlooks it")
                found.setdefault(message)
    return tuple(found)


def _differences(a: Summary, b: Summary) -> list[tuple[str, bool]]:
    known = a.scored is not None and a.scored == b.scored
    same_size = a.whole.size("text_bytes") == b.whole.size("text_bytes")
    return [("span", known and same_size), ("context", a.context == b.context), ("stride", a.stride == b.stride)]


def _same_tokens(pairs: list[tuple[Summary, ...]]) -> bool | None:
    """Whether all models cut all texts alike; None where a log does not say, and none differs."""
    unknown_cut = False
    for each in pairs:
        cuts = {found.cut for found in each}
        if len(cuts - {None}) > 1:
            return False
        unknown_cut |= None in cuts
    return None if unknown_cut else True


def _compared(
    scores: dict[str, TokenScore],
    pairs: list[tuple[Summary, ...]],
    unit: str,
    reference: str | None,
    level: float,
    same: bool | None,
    allowed: tuple[str, ...],
) -> TokenComparison:
    names = list(scores)
    if any(math.isnan(score.mean) for score in scores.values()):
        raise UsageError(f"{unit} is undefined: nothing was scored, or {UNITS[unit][0]} are unknown")
    order = sorted(names, key=lambda name: (scores[name].mean, names.index(name)))
    base = order[0] if reference is None else reference
    clusters = len({each[0].cluster for each in pairs})
    standings = [
        TokenStanding(name, scores[name])
        if name == base
        else _standing(
            name, scores, base, [(each[names.index(name)], each[names.index(base)]) for each in pairs], level
        )
        for name in order
    ]
    return TokenComparison(tuple(standings), base, unit, level, len(pairs), clusters, same, allowed)


def _standing(
    name: str, scores: dict[str, TokenScore], base: str, pairs: list[tuple[Summary, Summary]], level: float
) -> TokenStanding:
    """Return a model's difference to the base: the ratio of summed differences to summed bytes."""
    own, other = scores[name], scores[base]
    what, nats = UNITS[own.unit]
    wins = sum(_loss(a) < _loss(b) for a, b in pairs)
    ties = sum(_loss(a) == _loss(b) for a, b in pairs)
    if own.impossible or other.impossible:
        both = own.impossible and other.impossible
        difference = math.nan if both else own.mean - other.mean
        return TokenStanding(name, own, difference, wins=wins, ties=ties)
    parts: dict[Any, list[int]] = {}
    for a, b in pairs:
        if a.cluster != b.cluster and not isinstance(a.cluster, tuple):
            raise DataError(f"document {a.name!r} is of cluster {a.cluster!r} in one log and {b.cluster!r} in another")
        sums = parts.setdefault(b.cluster, [0, 0])
        size = b.whole.count("tokens") if what == "tokens" else b.whole.size(what)
        sums[0] += a.whole.loss - b.whole.loss
        sums[1] += (size or 0) * UNIT
    estimate = clustered([(loss, weight) for loss, weight in parts.values()])
    difference, stderr = estimate.mean / nats, estimate.stderr / nats
    df = len(parts) - 1
    low = high = p_value = math.nan
    if stderr == 0.0 and difference == 0.0:
        low, high, p_value = 0.0, 0.0, 1.0
    elif stderr > 0.0 and df > 0:
        half = t_quantile(level, df) * stderr
        low, high, p_value = difference - half, difference + half, two_sided_t(difference / stderr, df)
    return TokenStanding(name, own, difference, stderr, low, high, p_value, wins, ties)


def _loss(found: Summary) -> tuple[int, int]:
    return found.whole.impossible, found.whole.loss
