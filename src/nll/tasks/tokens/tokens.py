"""`nll.tokens`: the NLL of documents in logs of language models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nll.errors import UsageError
from nll.results.tokens import TokenScore, TokenScores, check_unit
from nll.sources.paths import describe
from nll.sources.tokens.read import BadLines, Logs, Texts
from nll.tasks.tokens.gather import Pass, label
from nll.tasks.tokens.sections import read_all
from nll.tasks.tokens.summary import Choices, Missing, Sentinel

__all__ = ["Pass", "label", "read_all", "tokens"]


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
    engine: Any = None,
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
    threads : how many CPUs of this machine read large files, each in a process of its own; all by default.
    engine : where files are read: ``nll.engines.Dask(client)`` or ``nll.engines.Spark(session)``, whose workers see
        them at the same paths; by default here. The numbers are the same. Texts must then be given by id.

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
    listed = files if isinstance(files, (list, tuple)) else str(files)
    return read_all(logs, choices, unit, threads, engine).finish(logs, describe(listed, logs.files))
