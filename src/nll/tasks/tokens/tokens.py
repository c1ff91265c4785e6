"""`nll.tokens`: the NLL of documents in logs of language models."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from nll.engines.local import Local
from nll.errors import DataError, UsageError
from nll.results.tokens import TokenScore, TokenScores, check_unit
from nll.sources.paths import describe
from nll.sources.tokens.lines import is_packed
from nll.sources.tokens.read import BadLines, Logs, Texts
from nll.tasks.tokens.gather import Pass, label
from nll.tasks.tokens.summary import Choices, Missing, Sentinel, Summary, summary

WORTH_A_PROCESS = 1 << 26  # bytes: a process takes 0.3 s to start, in which another reads as many
PACKING = 5  # JSON packs to a fifth, and better
__all__ = ["Pass", "label", "read_all", "summaries", "tokens"]


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
    threads: int | None = None,
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
    threads : how many CPUs read large files, each in a process of its own; all by default.

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
    read_all(logs, choices, pass_, threads)
    listed = files if isinstance(files, (list, tuple)) else str(files)
    return pass_.finish(logs, describe(listed, logs.files))


def read_all(logs: Logs, choices: Choices, into: Pass, threads: int | None = None) -> None:
    """Add all documents of logs to a pass."""
    from nll.tasks.tokens.batch import read_part, read_parts

    if logs.texts is not None:  # which go by the number or the name of each document
        for each in summaries(logs, choices):
            into.add(each)
        return
    processes = _processes(logs.files, threads)
    if processes < 2:
        for path in logs.files:
            read_part(logs, choices, into, (path, 0, None, 1))
    else:
        read_parts(logs, choices, into, processes)
    logs.check_not_all_bad()


def _processes(files: list[str], threads: int | None) -> int:
    """Return how many processes read: JSON holds the interpreter's lock, so that threads would wait for each other."""
    most = Local(threads).threads
    if most < 2:
        return 1
    size = sum(os.path.getsize(path) * (PACKING if is_packed(path) else 1) for path in files)  # noqa: PTH202
    return max(1, min(most, size // WORTH_A_PROCESS))


def summaries(logs: Logs, choices: Choices) -> Iterator[Summary]:
    """Return the summary of each document; a line of which one document is bad is bad."""
    for documents in logs:
        try:
            found = [summary(document, choices) for document in documents]
        except DataError as error:
            logs.bad(documents[0].path, documents[0].line, error)
            continue
        yield from found
    logs.check_not_all_bad()
