"""Which documents of several models belong together, and whether they may be compared at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nll.errors import UsageError
from nll.tasks.tokens.summary import Summary

# What two models may differ in only if one asks for it, and what a message calls it.
DIFFERENCES = {
    "span": "the scored part of the text",
    "context": "the context",
    "stride": "the stride",
}


def paired(documents: dict[str, list[Summary]], pair: str | None) -> list[tuple[Summary, ...]]:
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


def check_alike(pairs: list[tuple[Summary, ...]], names: list[str], overlooked: tuple[str, ...]) -> tuple[str, ...]:
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


def same_tokens(pairs: list[tuple[Summary, ...]]) -> bool | None:
    """Whether all models cut all texts alike; None where a log does not say, and none differs."""
    unknown_cut = False
    for each in pairs:
        cuts = {found.cut for found in each}
        if len(cuts - {None}) > 1:
            return False
        unknown_cut |= None in cuts
    return None if unknown_cut else True
