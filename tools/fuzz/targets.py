"""The table of targets: what is made, and what reads it. A new target is one line of TARGETS and a function or two."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.fuzz import checks, seeds
from tools.fuzz.mutate import TEXTS, dumped, hostile_value, mutated, mutated_cells, mutated_json, mutated_tokens
from tools.fuzz.payloads import hostile_texts

import nll
from nll.errors import NllError
from nll.states.saved import seal_of

Draw = random.Random


@dataclass(frozen=True)
class Target:
    """Something that reads what others wrote.

    Attributes
    ----------
    make : from random numbers to an input.
    run : reads an input, in a folder; raises NllError to refuse it, and anything else is a fault. What it draws is
        drawn from the input, so that a saved input is all that is needed to see a fault again.
    share : of the cases, in parts of the sum.
    """

    make: Callable[[Draw], bytes]
    run: Callable[[bytes, Path, Draw], None]
    share: int


def _bytes_of(files: Callable[[], tuple[bytes, ...]]) -> Callable[[Draw], bytes]:
    def make(draw: Draw) -> bytes:
        every = files()
        return mutated(draw.choice(every), draw, every)

    return make


def _text_of(texts: Callable[[], tuple[str, ...]], separator: str = "") -> Callable[[Draw], bytes]:
    def make(draw: Draw) -> bytes:
        every = texts()
        text = draw.choice(every)
        if separator and draw.random() < 0.6:
            return mutated_cells(text, separator, draw).encode("utf-8", "surrogatepass")
        return mutated(text.encode(), draw, [each.encode() for each in every])

    return make


def _json_of(values: Callable[[], tuple[Any, ...]]) -> Callable[[Draw], bytes]:
    def make(draw: Draw) -> bytes:
        every = values()
        value = draw.choice(every)
        if draw.random() < 0.75:
            return mutated_json(value, draw).encode("utf-8", "surrogatepass")
        return mutated(json.dumps(value).encode(), draw, [json.dumps(each).encode() for each in every])

    return make


def _json_lines(draw: Draw) -> bytes:
    good = seeds.ndjson_texts()[draw.randrange(2)].splitlines()
    lines = list(good)
    for _ in range(draw.randint(1, 2)):
        place = draw.randrange(len(lines))
        if draw.random() < 0.7 and lines[place] in good:
            lines[place] = mutated_json(json.loads(lines[place]), draw)
        else:
            lines[place] = mutated(lines[place].encode(), draw, [b"{}"]).decode("utf-8", "replace")
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _logs(draw: Draw) -> bytes:
    made: list[bytes] = []
    for _ in range(draw.randint(1, 4)):
        value = draw.choice(seeds.log_lines())
        made.append(json.dumps(value).encode() if draw.random() < 0.3 else _json_of(seeds.log_lines)(draw))
    return b"\n".join(line.replace(b"\n", b" ") if draw.random() < 0.9 else line for line in made)


def _packed_logs(draw: Draw) -> bytes:
    import gzip

    packed = gzip.compress(_logs(draw), mtime=0)
    return mutated(packed, draw, [packed], most=2) if draw.random() < 0.6 else packed


def _file(data: bytes, folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _score_file(name: str, rows: Callable[[bytes], Any] | None = None) -> Callable[[bytes, Path, Draw], None]:
    def run(data: bytes, folder: Path, draw: Draw) -> None:
        path = _file(data, folder, name)
        options: dict[str, Any] = {}
        if draw.random() < 0.3:
            options["by"] = "g"
        if draw.random() < 0.2:
            options["sample_weight"] = "w"
        if draw.random() < 0.2:
            options["missing"] = "drop"
        if draw.random() < 0.2:
            options["where"] = "p > 0.25"
        result: Any = nll.score("y", nll.Bernoulli(probs="p"), path, **options)
        checks.explained(result)
        if rows is not None and not options:
            checks.same_rows(rows(data), result.n, result.sum)

    return run


def _tokens(name: str) -> Callable[[bytes, Path, Draw], None]:
    def run(data: bytes, folder: Path, draw: Draw) -> None:
        path = _file(data, folder, name)
        options: dict[str, Any] = {
            "by": draw.choice((None, None, "model", "position", "length", "id", "meta.a", ["model", "format"])),
            "span": draw.choice((None, None, "answer", "span")),
            "bad_lines": draw.choice(("error", "skip", "skip")),
            "missing": draw.choice(("error", "drop", "drop")),
            "sentinel": draw.choice(("impossible", "literal", "error")),
            "cluster": draw.choice(("document", "document", "model")),
            "unit": draw.choice(("nats-per-token", "bits-per-byte", "bits-per-word")),
        }
        result: Any = nll.tokens(path, **options)
        json.loads(result.to_json())
        repr(result)
        checks.escaped(result._repr_html_())

    return run


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape" if b"\xed" in data else "replace")


def _load(data: bytes, folder: Path, draw: Draw) -> None:
    path = _file(data, folder, "model.json")
    fit: Any = nll.load(path)
    repr(fit)
    checks.escaped(fit._repr_html_())
    again: Any = nll.load(fit.to_json())
    if again.to_json() != fit.to_json():
        raise checks.Fault("what was saved again is another fit")
    if draw.random() < 0.3 and hasattr(fit, "dist"):
        nll.score([1.0, 2.0], fit.dist)


def _distribution(data: bytes, folder: Path, draw: Draw) -> None:
    from nll.families.saving import from_dict, read_json, to_dict

    dist = from_dict(read_json(_text(data)))
    repr(dist)
    checks.escaped(dist._repr_html_())
    again = from_dict(json.loads(json.dumps(to_dict(dist))))
    if json.dumps(to_dict(again)) != json.dumps(to_dict(dist)):
        raise checks.Fault("what was saved again is another distribution")
    if draw.random() < 0.2:
        nll.score([1.0, 2.0], dist, {"a": [1.0, 2.0], "m": [0.0, 1.0], "mu": [0.5, 0.5]})


def _tally(data: bytes, folder: Path, draw: Draw) -> None:
    try:
        saved = json.loads(_text(data))
    except (ValueError, RecursionError):
        return
    tally = nll.Tally.from_dict(saved)
    checks.explained(tally.score())
    (tally + tally).score()
    if tally.to_dict() != nll.Tally.from_dict(json.loads(json.dumps(tally.to_dict()))).to_dict():
        raise checks.Fault("what was saved again is another tally")


def _states(draw: Draw) -> bytes:
    """Return a damaged state; some are sealed anew, as one who writes a hostile one would."""
    value = draw.choice(seeds.saved_states())
    text = mutated_json(value, draw) if draw.random() < 0.8 else json.dumps(value)
    if draw.random() < 0.6:
        with suppress(ValueError, RecursionError):
            changed = json.loads(text)
            if isinstance(changed, dict):
                changed.pop("sha256", None)
                text = json.dumps({**changed, "sha256": seal_of(changed)})
    return (
        mutated(text.encode("utf-8", "surrogatepass"), draw, [b"{}"])
        if draw.random() < 0.2
        else text.encode("utf-8", "surrogatepass")
    )


def _state(data: bytes, folder: Path, draw: Draw) -> None:
    seeds.state_folder(folder)
    for name, run in (("checkpoint.json", seeds.checkpointed), ("watch.json", seeds.watched)):
        (folder / name).write_bytes(data)
        with suppress(NllError):
            found = run(folder)
            checks.explained(found if name == "checkpoint.json" else found.total.score())


def _expression(data: bytes, folder: Path, draw: Draw) -> None:
    from nll.families.expression import parse_distribution, parse_family

    text = _text(data)
    if draw.random() < 0.3:
        parse_family(text).signature()
        return
    dist: Any = parse_distribution(text)
    repr(dist)
    checks.escaped(dist._repr_html_())
    if draw.random() < 0.2:
        table = {"y": [1.0, 2.0]} | {name: [0.25, 0.5] for name in dist.theta.values() if isinstance(name, str)}
        checks.explained(nll.score("y", dist, table))


def _own(data: bytes, folder: Path, draw: Draw) -> None:
    form = nll.family.from_text(_text(data))
    nll.family.from_dict(form.to_dict())  # type: ignore[attr-defined]
    dist = form(**dict.fromkeys(form.parameters, 0.5))
    checks.explained(nll.score([1.0, 0.0], dist))


def _condition(data: bytes, folder: Path, draw: Draw) -> None:
    result: Any = nll.score("y", nll.Bernoulli(probs="p"), seeds.columns(), where=_text(data))
    checks.explained(result)
    if not result.n <= len(seeds.columns()["y"]):
        raise checks.Fault(f"a condition made {result.n} rows")


def _names(draw: Draw) -> bytes:
    names = [draw.choice((*TEXTS, "y", "p", "g")) for _ in range(3)]
    keys = [draw.choice((*TEXTS, "a", 1, None, 0.5, True)) for _ in range(4)]
    return json.dumps([names, keys, draw.randrange(64)]).encode()


def _named(data: bytes, folder: Path, draw: Draw) -> None:
    """Score a table whose columns and groups have names of another's choice."""
    (y, p, g), keys, bits = json.loads(data)
    mixed = [str(key) if bits & 1 else key for key in keys]
    table = {y: [1, 0, 1, 1], p: [0.5, 0.25, 0.75, 0.5], g: mixed}
    if len(table) < 3:
        return
    result: Any = nll.score(y, nll.Bernoulli(probs=p), table, by=g if bits & 2 else [g])
    checks.explained(result)
    if bits & 4:
        result = nll.compare(y, {str(keys[0]): nll.Bernoulli(probs=p), "b": nll.Bernoulli(probs=0.5)}, data=table)
        repr(result)
        checks.escaped(result._repr_html_())
    if bits & 8:
        labels = [key for i, key in enumerate(keys) if key not in keys[:i]]
        checks.explained(nll.score(keys, nll.Categorical(probs=[1.0 / len(labels)] * len(labels)), labels=labels))
    if bits & 48 == 48:
        checks.escaped(nll.fit(p, nll.Normal, table, by=g)._repr_html_())


def _values(draw: Draw) -> bytes:
    return dumped([[hostile_value(draw) for _ in range(draw.randint(0, 4))] for _ in range(2)]).encode(
        "utf-8", "surrogatepass"
    )


def _arguments(data: bytes, folder: Path, draw: Draw) -> None:
    """Score lists of whatever JSON holds."""
    try:
        y, other = json.loads(_text(data))
    except (ValueError, RecursionError):
        return
    family = draw.choice((nll.Normal, nll.Poisson, nll.Bernoulli, nll.Categorical))
    dist = family(other, 1.0) if family is nll.Normal else family(other)
    given = {"sample_weight": other} if draw.random() < 0.3 else {"by": other} if draw.random() < 0.3 else {}
    checks.explained(nll.score(y, dist, **given))


def _command(draw: Draw) -> bytes:
    arguments = list(draw.choice(seeds.COMMANDS))
    for _ in range(draw.randint(1, 2)):
        place = draw.randrange(1, len(arguments)) if len(arguments) > 1 else 0
        kind = draw.randrange(6)
        if kind == 0:
            arguments[place] = draw.choice(TEXTS)
        elif kind == 1:
            arguments.insert(
                place, draw.choice(("--by", "--where", "--labels", "--clip", "--threads", "--level", "-m", "--low"))
            )
        elif kind == 2 and len(arguments) > 1:
            del arguments[place]
        elif kind == 3:
            arguments += draw.choice(seeds.COMMANDS)[2:]
        else:
            arguments[place] = mutated_tokens(arguments[place], draw, draw.choice(seeds.COMMANDS))
    return json.dumps(arguments).encode()


def _commanded(data: bytes, folder: Path, draw: Draw) -> None:
    """Run the command in this process: it ends by a code and a message, and never in a traceback."""
    from click.testing import CliRunner

    from nll.cli import main

    arguments = json.loads(data)
    if "demo" in arguments or "plot" in arguments or any("://" in each or "/dev" in each for each in arguments):
        return
    _file(seeds.csv_texts()[0].encode(), folder, "table.csv")
    _file(json.dumps(seeds.log_lines()[0]).encode(), folder, "log.jsonl")
    _file(json.dumps(seeds.saved_models()[1]).encode(), folder, "model.json")
    done = CliRunner().invoke(main, [each.replace("\x00", "\\0") for each in arguments], prog_name="nll")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    if done.exit_code not in (0, 1, 2):
        raise checks.Fault(f"exit code {done.exit_code}")
    if "Traceback" in done.output or (done.exit_code and not done.stderr.strip()):
        raise checks.Fault(f"no clear message: {done.output[:200]!r}")
    if done.exit_code:
        raise NllError(done.stderr[:200])


def _texts_of(texts: tuple[str, ...]) -> Callable[[Draw], bytes]:
    def make(draw: Draw) -> bytes:
        if draw.random() < 0.1:
            return draw.choice(hostile_texts()).encode("utf-8", "surrogatepass")
        if draw.random() < 0.6:
            return mutated_tokens(draw.choice(texts), draw, texts).encode("utf-8", "surrogatepass")
        return mutated(draw.choice(texts).encode(), draw, [each.encode() for each in texts], most=2)

    return make


TARGETS: dict[str, Target] = {
    "parquet": Target(_bytes_of(seeds.parquet_files), _score_file("t.parquet", checks.rows_of_parquet), 12),
    "arrow": Target(_bytes_of(seeds.arrow_files), _score_file("t.arrow"), 8),
    "csv": Target(_text_of(seeds.csv_texts, ","), _score_file("t.csv", checks.rows_of_csv), 10),
    "ndjson": Target(_json_lines, _score_file("t.jsonl", checks.rows_of_ndjson), 8),
    "logs": Target(_logs, _tokens("t.jsonl"), 16),
    "logs.gz": Target(_packed_logs, _tokens("t.jsonl.gz"), 4),
    "fits": Target(_json_of(seeds.saved_models), _load, 12),
    "distributions": Target(_json_of(seeds.saved_distributions), _distribution, 10),
    "tallies": Target(_json_of(seeds.saved_tallies), _tally, 10),
    "states": Target(_states, _state, 6),
    "expressions": Target(_texts_of((*seeds.DISTRIBUTIONS, *seeds.FAMILIES)), _expression, 20),
    "own families": Target(_texts_of(seeds.OWN), _own, 10),
    "conditions": Target(_texts_of(seeds.CONDITIONS), _condition, 4),
    "names": Target(_names, _named, 6),
    "arguments": Target(_values, _arguments, 10),
    "commands": Target(_command, _commanded, 6),
}
