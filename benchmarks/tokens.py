"""Logs of language models as JSON lines: against `json` and NumPy, and against parsing the same lines alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

import nll
from benchmarks.report import Table, compared
from benchmarks.setting import Setting
from benchmarks.timing import Work, alternate

BYTES = 250_000_000  # of each file
LOGS = Path(__file__).parents[1] / "tests" / "data" / "llm"
Line = dict[str, Any]


def _plain(line: Line) -> list[float]:
    return line["logprobs"]


def _chat(line: Line) -> list[float]:
    return [entry["logprob"] for entry in line["choices"][0]["logprobs"]["content"]]


def _completion(line: Line) -> list[float]:
    return line["choices"][0]["logprobs"]["token_logprobs"][1:]


def _vllm(line: Line) -> list[float]:
    prompt = line["choices"][0]["prompt_logprobs"]
    return [next(iter(entry.values()))["logprob"] for entry in prompt[1:]]


# The reference logs that are repeated, and how a program that knows their form would read the log-probabilities.
READERS: dict[str, Callable[[Line], list[float]]] = {
    "plain_token_logprobs": _plain,
    "openai_chat": _chat,
    "completions_echo": _completion,
    "vllm_prompt_logprobs": _vllm,
}


def run(setting: Setting) -> list[Table]:
    tables: list[Table] = []
    for name, read in READERS.items():
        path = repeated(name, setting.rows(BYTES), setting.folder)
        tables.append(_table(name, path, read))
        path.unlink()
    return tables


def _table(name: str, path: Path, read: Callable[[Line], list[float]]) -> Table:
    works = [
        Work("nll.tokens: exact sums, bytes, errors; all CPUs", lambda: nll.tokens(path), value=lambda s: s.nll),
        Work("nll.tokens, threads=1", lambda: nll.tokens(path, threads=1), value=lambda s: s.nll),
        Work("json and NumPy, sum alone", lambda: summed(path, json.loads, read), at_least=5.0),
        *(Work(f"parse alone: {parser}", partial(parsed, path, parse), at_most=1.5) for parser, parse in _parsers()),
    ]
    # What parses alone gives no sum.
    alternate(works, seconds=3.0)
    size = path.stat().st_size / 1e6
    notes = [
        f"{size:.0f} MB, documents of `{name}.jsonl` again and again, in the page cache; one CPU but for the first.",
        f"nll reads {size / works[0].median:,.0f} MB a second, one CPU {size / works[1].median:,.0f}.",
    ]
    return compared(f"Log files: {name.replace('_', ' ')}", works, notes)


def _parsers() -> list[tuple[str, Callable[[bytes], Any]]]:
    import msgspec
    import orjson

    return [("orjson", orjson.loads), ("msgspec, no types", msgspec.json.Decoder().decode)]


def summed(path: Path, parse: Callable[[bytes], Line], read: Callable[[Line], list[float]]) -> float:
    """Return the NLL as a short program finds it."""
    total = 0.0
    with path.open("rb") as file:
        for line in file:
            total -= float(np.array(read(parse(line)), np.float64).sum())
    return total


def parsed(path: Path, parse: Callable[[bytes], Any]) -> None:
    """Parse each line, and drop it."""
    with path.open("rb") as file:
        for line in file:
            parse(line)


def repeated(name: str, size: int, folder: Path) -> Path:
    """Write the documents of a reference log again and again, with ids of their own."""
    path = folder / f"{name}.jsonl"
    documents = [json.loads(line) for line in (LOGS / f"{name}.jsonl").read_text("utf-8").splitlines()]
    written = 0
    with path.open("wb") as file:
        for i in count():
            line = {**documents[i % len(documents)], "id": f"document-{i}"}
            written += file.write(json.dumps(line).encode() + b"\n")
            if written >= size:
                break
    return path
