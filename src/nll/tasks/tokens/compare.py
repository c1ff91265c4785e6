"""`nll.compare_tokens`: language models on the same documents, in units that do not depend on their tokenisers."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nll.errors import DataError, UsageError, unknown
from nll.results.moments import UNIT, clustered
from nll.results.token_comparison import TokenComparison, TokenComparisons, TokenStanding
from nll.results.tokens import UNITS, TokenScore, check_unit
from nll.sources.tokens.read import BadLines, Logs, Texts
from nll.tasks.compare.tails import t_quantile, two_sided_t
from nll.tasks.tokens.groups import BYTES, IN_TOKENS, grouped, labelled, unit_by
from nll.tasks.tokens.pairing import DIFFERENCES, check_alike, paired, same_tokens
from nll.tasks.tokens.summary import Choices, Missing, Sentinel, Summary
from nll.tasks.tokens.tokens import Pass, read_all


def compare_tokens(
    *models: Any,
    by: str | Sequence[str] | None = None,
    unit: str | None = None,
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
    threads: int | None = None,
    engine: Any = None,
) -> TokenComparison | TokenComparisons:
    r"""Compare language models by their logs of the same documents, paired by document.

    Each model is compared with the best one, or with `reference`, by the difference of NLL divided by the bytes of the
    texts. Its standard error is that of the differences of documents. Texts must be the same, byte by byte, and so
    must be which part of them was scored, and the context and stride that the lines tell.

    Parameters
    ----------
    models : {name: files}, or the files of two or more models, which are named by them.
    by : compare by a field of the lines, the same in all logs; by "bytes", the length of the text in powers of two;
        or by "position" or "length" in tokens, alike, which needs models that cut texts into the same tokens. Or by
        several. All groups are compared with the same model.
    unit : bits-per-byte, nats-per-byte, bits-per-scored-byte, bits-per-char, bits-per-word; nats-per-token and
        bits-per-token only where all models cut each text into the same tokens. By default bits-per-byte, and by
        position, where only scored bytes are known, bits-per-scored-byte.
    reference : the model to compare with, in place of the best one.
    level : of the intervals.
    pair : "id" or "text", by which documents are paired; by default ids, where both have the same, else texts.
    allow : what may differ after all: "span", "context", "stride".
    span, cluster, format, texts, sentinel, missing, bad_lines, threads, engine : as in `tokens`. What a comparison
        holds of each document, hashes and sums, comes here from the workers of an engine.

    Returns
    -------
    TokenComparison, or TokenComparisons by group.

    Raises
    ------
    UsageError : the models do not compare.
    DataError : as in `tokens`; or two logs give a document another group.

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
    >>> by = nll.compare_tokens({"a": a, "b": b}, by="position")
    >>> {place: round(each["b"].difference, 4) for place, each in by.items()}
    {'0': 0.3607, '1': 0.7213}
    """
    named = _named(models)
    names = (by,) if isinstance(by, str) else tuple(by or ())
    unit = unit_by(names, unit)
    overlooked = (allow,) if isinstance(allow, str) else tuple(allow)
    _check_options(named, names, unit, overlooked, reference, level, pair)
    choices = Choices(tuple(name for name in names if name != BYTES), span, cluster, sentinel, missing)
    logs = {name: Logs.open(files, format, bad_lines, texts) for name, files in named.items()}
    documents = {name: read_all(each, choices, None, threads, engine).documents for name, each in logs.items()}
    pairs = paired(documents, pair)
    allowed = check_alike(pairs, list(named), overlooked)
    same = same_tokens(pairs)
    _check_tokens(names, unit, same)
    about = About(unit, reference, level, same, allowed)
    # Groups are compared with the model that is best in all, so that their differences can be read side by side.
    total = _compared(pairs, logs, about)
    if not names:
        return total
    within = replace(about, reference=total.base, partly=True)
    made = {
        labelled(names, key): _compared(found, {name: Logs([]) for name in named}, within)
        for key, found in grouped(pairs, list(named), names).items()
    }
    return TokenComparisons(names, made, total)


@dataclass(frozen=True, slots=True)
class About:
    """What a comparison was asked for, and what was found of the logs.

    Attributes
    ----------
    partly : whether it is that of a group, in which a model may have nothing that was scored.
    """

    unit: str
    reference: str | None
    level: float
    same: bool | None
    allowed: tuple[str, ...] = ()
    partly: bool = False


def _check_options(
    named: dict[str, Any],
    by: tuple[str, ...],
    unit: str,
    overlooked: tuple[str, ...],
    reference: str | None,
    level: float,
    pair: str | None,
) -> None:
    """Refuse what cannot be asked for, before any log is read."""
    check_unit(unit)
    if len(set(by)) < len(by):
        raise UsageError(f"by names a field twice: {list(by)}")
    for each in overlooked:
        if each not in DIFFERENCES:
            raise UsageError(unknown("difference to allow", each, DIFFERENCES))
    if reference is not None and reference not in named:
        raise UsageError(unknown("model", reference, named))
    if not 0.0 < level < 1.0:
        raise UsageError(f"a confidence level is between 0 and 1; got {level!r}")
    if pair not in (None, "id", "text"):
        raise UsageError(f"pair is 'id' or 'text'; got {pair!r}")


def _check_tokens(by: tuple[str, ...], unit: str, same: bool | None) -> None:
    """Refuse units and groups of tokens, if the models cut texts into different ones."""
    if same:
        return
    why = "cut the texts into different tokens" if same is False else "do not say into which tokens texts are cut"
    if UNITS[unit][0] == "tokens":
        raise UsageError(f"the models {why}, so that {unit} and perplexities do not compare; bits-per-byte does")
    for name in by:
        if name in IN_TOKENS:
            hint = f"by={BYTES!r} groups by the length of the text in bytes"
            raise UsageError(f"the models {why}, so that {name} in tokens is not the same for all; {hint}")


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


def _compared(pairs: list[tuple[Summary, ...]], logs: dict[str, Logs], about: About) -> TokenComparison:
    """Return the comparison of the models on these documents."""
    names = list(logs)
    scores = {name: _score(name, [each[i] for each in pairs], logs[name], about) for i, name in enumerate(names)}
    undefined = any(math.isnan(score.mean) for score in scores.values())
    if undefined and not about.partly:
        raise UsageError(f"{about.unit} is undefined: nothing was scored, or {UNITS[about.unit][0]} are unknown")
    order = names if undefined else sorted(names, key=lambda name: (scores[name].mean, names.index(name)))
    base = order[0] if about.reference is None else about.reference
    clusters = len({each[0].cluster for each in pairs})
    standings = []
    for name in order:
        own = [(each[names.index(name)], each[names.index(base)]) for each in pairs]
        if name == base:
            standings.append(TokenStanding(name, scores[name]))
        elif undefined:
            standings.append(TokenStanding(name, scores[name], math.nan))
        else:
            standings.append(_standing(name, scores, base, own, about.level))
    kept = (about.unit, about.level, len(pairs), clusters, about.same, about.allowed)
    return TokenComparison(tuple(standings), base, *kept)


def _score(name: str, documents: list[Summary], logs: Logs, about: About) -> TokenScore:
    run = Pass(Choices(), about.unit)
    for found in documents:
        run.add(found)
    score = run.finish(logs, name)
    assert isinstance(score, TokenScore)
    return score


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
