"""`nll tokens` and `nll compare-tokens`: language models by their logs."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import click

from nll.cli.observations import columns, level, one_output, threads
from nll.errors import UsageError

NAMED = re.compile(r"([A-Za-z0-9_.-]+)=(.+)")
# As results/tokens.py and sources/tokens/formats.py have them, which a test checks: the command starts without those.
UNIT_NAMES = (
    "nats-per-token",
    "bits-per-token",
    "nats-per-byte",
    "bits-per-byte",
    "bits-per-scored-byte",
    "bits-per-char",
    "bits-per-word",
)
FORMAT_NAMES = ("vllm", "openai-chat", "completions", "llama.cpp", "huggingface", "plain")

# How logs are read, and what of them is scored.
READ = (
    click.option("--format", type=click.Choice(FORMAT_NAMES), help="Of the lines; by default their shape tells."),
    click.option("--texts", metavar="FILE", help="JSON lines with the texts (text, id) that the logs lack."),
    click.option(
        "--sentinel",
        type=click.Choice(["impossible", "literal", "error"]),
        default="impossible",
        show_default=True,
        help="What -9999 is: probability 0, a number, or an error.",
    ),
    click.option(
        "--bad-lines",
        type=click.Choice(["error", "skip"]),
        default="error",
        show_default=True,
        help="A malformed line is an error, or is skipped and counted.",
    ),
)
SCORED = (
    click.option("--span", metavar="NAME", help="Only the 'answer', or [from, to) in characters that a field has."),
    click.option("--cluster", default="document", show_default=True, metavar="FIELD", help="For standard errors."),
    click.option(
        "--missing",
        type=click.Choice(["error", "drop"]),
        default="error",
        show_default=True,
        help="A token without a log-probability is an error, or is dropped and counted.",
    ),
)
OUTPUT = (
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
    click.option("--csv", "as_csv", is_flag=True, help="Print CSV."),
)

EPILOG = """\b
Examples:
  nll tokens logs.jsonl --unit bits-per-byte
  nll tokens 'logs/*.jsonl.zst' --by model,subject --span answer
  nll tokens logs.jsonl --by position --json
  nll plot strip logs.jsonl --document ID -o strip.html
"""

COMPARE_EPILOG = """\b
Examples:
  nll compare-tokens a.jsonl b.jsonl
  nll compare-tokens new=runs/7.jsonl old=runs/3.jsonl --reference old --json
  nll compare-tokens a.jsonl b.jsonl --by subject
"""


def _adding(options: tuple[Callable[..., Any], ...]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what adds these options to a command."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


read, scored, output = _adding(READ), _adding(SCORED), _adding(OUTPUT)


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--by", multiple=True, metavar="FIELDS", help="Score by fields of the lines, or by position, length, file, format."
)
@click.option("--unit", type=click.Choice(UNIT_NAMES), default=UNIT_NAMES[0], show_default=True, help="Of the mean.")
@click.option("--documents", is_flag=True, help="With --csv: one line a document.")
@scored
@read
@threads
@output
def tokens(**options: Any) -> None:
    """Print the negative log-likelihood of the documents in logs of language models.

    FILES are JSON lines (.jsonl, .jsonl.gz, .jsonl.zst) of OpenAI, vLLM, llama.cpp, Hugging Face, or plain.
    """
    one_output(options)
    chosen = chosen_of(options)
    if options["documents"] and not options["as_csv"]:
        raise UsageError("--documents is for --csv")
    from nll.tasks.tokens.tokens import tokens as made

    result: Any = made(
        list(options["files"]), by=columns(options["by"]), unit=options["unit"], threads=options["threads"], **chosen
    )
    total = getattr(result, "total", result)
    _show(result, options, total.document_table() if options["documents"] else None, total.notes)


@click.command("compare-tokens", epilog=COMPARE_EPILOG)
@click.argument("models", nargs=-1, required=True, metavar="[NAME=]FILES...")
@click.option(
    "--by",
    multiple=True,
    metavar="FIELDS",
    help="Compare by fields of the lines, or by bytes (of the text); by position or length, if tokens are the same.",
)
@click.option(
    "--unit",
    type=click.Choice(UNIT_NAMES),
    help="Of the means: bits-per-byte, by position bits-per-scored-byte, if none is given.",
)
@click.option("--reference", metavar="NAME", help="Compare with this model, and not with the best.")
@level
@click.option("--pair", type=click.Choice(["id", "text"]), help="How documents are paired; by default either way.")
@click.option(
    "--allow", multiple=True, type=click.Choice(["span", "context", "stride"]), help="What may differ after all."
)
@scored
@read
@threads
@output
def compare_tokens(**options: Any) -> None:
    """Compare language models by their logs of the same documents: each argument is the file of a model."""
    one_output(options)
    chosen = chosen_of(options)
    given: dict[str, Any] = {}
    plain: list[str] = []
    for each in options["models"]:
        match = NAMED.fullmatch(each)
        if match is None:
            plain.append(each)
        elif match[1] in given:
            raise UsageError(f"the model {match[1]!r} is named twice")
        else:
            given[match[1]] = match[2]
    if given and plain:
        raise UsageError(f"name all models or none: {plain[0]} has no name")
    from nll.tasks.tokens.compare import compare_tokens as compared

    names = ("unit", "reference", "level", "pair", "allow", "threads")
    wanted = {name: options[name] for name in names}
    result = compared(*([given] if given else plain), by=columns(options["by"]), **wanted, **chosen)
    _show(result, options, None, result.notes)


def chosen_of(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of logs as the library takes them."""
    names = ("span", "cluster", "format", "texts", "sentinel", "missing", "bad_lines")
    return {name: options[name] for name in names}


def _show(result: Any, options: dict[str, Any], frame: Any, notes: list[str]) -> None:
    """Print the result; what stdout cannot say goes to stderr."""
    if options["as_json"] or options["as_csv"]:
        text = (
            result.to_json() + "\n"
            if options["as_json"]
            else (result.to_polars() if frame is None else frame).write_csv()
        )
        sys.stdout.write(text)
        for note in notes:
            click.echo(f"note: {note}", err=True)
        return
    from nll.cli.terminal import show

    show(result.rich_table(), numbers=True)
