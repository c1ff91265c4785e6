"""Inputs that are small and ask for everything: each must be answered or refused in bounded memory and time.

python -m tools.fuzz.bombs [--quick | NAME ...]     in this process, with a line of what became of each
"""

from __future__ import annotations

import gzip
import json
import resource
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.fuzz import seeds
from tools.fuzz.worker import peak

import nll
from nll.errors import NllError
from nll.families.expression import parse_distribution, parse_family

ADDRESS_SPACE = 16 << 30  # bytes, which a claim of a terabyte does not fit
GIGABYTE = 1 << 30
DEEP = 100_000
BIG_ROWS = 12_345  # of a file whose count of rows is found by its bytes


@dataclass(frozen=True)
class Bomb:
    """An input and its limits.

    Attributes
    ----------
    run : makes the input in a folder and reads it.
    memory : the most megabytes it may add.
    seconds : the longest it may take, on a busy machine.
    refused : whether it must end in an error of ours.
    slow : whether it takes seconds to make or to read.
    """

    run: Callable[[Path], Any]
    memory: int = 300
    seconds: float = 20.0
    refused: bool = True
    slow: bool = False


def _normal(y: str, path: Path) -> Any:
    return nll.score(y, nll.Normal(0.0, 1.0), path)


def _text(name: str, text: str, read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    def run(folder: Path) -> Any:
        path = folder / name
        path.write_text(text)
        return read(path)

    return run


def _zeros(
    name: str, head: bytes, read: Callable[[Path], Any], piece: bytes = b"0" * (1 << 24)
) -> Callable[[Path], Any]:
    """Return a run over a gigabyte that packs into a megabyte, or, as Zstandard, less."""

    def run(folder: Path) -> Any:
        path = folder / name
        if name.endswith(".zst"):
            import pyarrow as pa

            with pa.CompressedOutputStream(str(path), "zstd") as out:
                out.write(head)
                for _ in range(GIGABYTE // len(piece)):
                    out.write(piece)
        else:
            packer = zlib.compressobj(1, zlib.DEFLATED, 31)
            with path.open("wb") as out:
                out.write(packer.compress(head))
                for _ in range(GIGABYTE // len(piece)):
                    out.write(packer.compress(piece))
                out.write(packer.flush())
        return read(path)

    return run


def _members(folder: Path) -> Any:
    """Read a gigabyte in 64 gzip members, which packs a thousand times as well again."""
    path = folder / "members.csv.gz"
    path.write_bytes(gzip.compress(b"y\n") + gzip.compress(b"0" * (1 << 24)) * 64)
    return _normal("y", path)


def _columns(count: int) -> Callable[[Path], Any]:
    def run(folder: Path) -> Any:
        path = folder / "wide.csv"
        path.write_text(",".join(f"c{i}" for i in range(count)) + "\n" + "1," * (count - 1) + "1\n")
        return _normal("c1", path)

    return run


def _parquet(change: Callable[[bytes], bytes]) -> Callable[[Path], Any]:
    def run(folder: Path) -> Any:
        import pyarrow as pa
        from pyarrow import parquet

        path = folder / "claims.parquet"
        table = pa.table({"y": [0.5] * BIG_ROWS, "g": ["abc"] * BIG_ROWS})
        parquet.write_table(table, path, compression="none", use_dictionary=False, write_statistics=False)
        path.write_bytes(change(path.read_bytes()))
        return nll.score("y", nll.Normal(0.0, 1.0), path, by="g")

    return run


def _varint(value: int) -> bytes:
    out = bytearray()
    value = 2 * value if value >= 0 else -2 * value - 1
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _footer_claims(rows: int) -> Callable[[bytes], bytes]:
    """Return a change of the rows that the footer of a Parquet file claims."""

    def change(data: bytes) -> bytes:
        size = int.from_bytes(data[-8:-4], "little")
        footer = data[-8 - size : -8].replace(_varint(BIG_ROWS), _varint(rows))
        return data[: -8 - size] + footer + len(footer).to_bytes(4, "little") + data[-4:]

    return change


def _page_claims(rows: int) -> Callable[[bytes], bytes]:
    """Return a change of the values that the pages of a Parquet file claim."""
    return lambda data: data.replace(_varint(BIG_ROWS), _varint(rows), 2)


def _string_claims(data: bytes) -> bytes:
    return data.replace(b"\x03\x00\x00\x00abc", b"\xff\xff\xff\x7fabc", 1)


def _model(**changes: Any) -> Callable[[Path], Any]:
    def run(folder: Path) -> Any:
        saved = json.loads(json.dumps(seeds.saved_models()[0])) | changes
        text = json.dumps(saved).replace('"HUGE"', "1" + "0" * 10_000).replace('"OVER"', "1e400")
        return nll.load(text)

    return run


def _mixture(folder: Path) -> Any:
    part = {"family": "Normal", "parameters": ["loc", "scale"]}
    form = {"combinator": "Mixture", "parts": [part] * 1_000, "options": {"components": 10**9}}
    saved = json.loads(json.dumps(seeds.saved_models()[0]))
    return nll.load(json.dumps(saved | {"family": {"nll": "form", "version": 1, "form": form}}))


def _expression(text: str) -> Callable[[Path], Any]:
    return lambda _: parse_distribution(text)


def _where(text: str) -> Callable[[Path], Any]:
    return lambda _: nll.score("y", nll.Normal(0.0, 1.0), {"y": [1.0, 2.0]}, where=text)


def _own(text: str) -> Callable[[Path], Any]:
    return lambda _: nll.family.from_text(text)


def _y(path: Path) -> Any:
    return _normal("y", path)


BOMBS: dict[str, Bomb] = {
    "CSV: a line of a gigabyte, gzip": Bomb(_zeros("a.csv.gz", b"y\n", _y), seconds=60.0, slow=True),
    "CSV: the same in 64 members": Bomb(_members),
    "CSV: a line of a gigabyte, zstd": Bomb(_zeros("b.csv.zst", b"y\n", _y)),
    "CSV: 2**29 rows, gzip": Bomb(
        _zeros("c.csv.gz", b"y\n", _y, b"0\n" * (1 << 23)), 600, 300.0, refused=False, slow=True
    ),
    "CSV: a million columns": Bomb(_columns(10**6), 1_600, 90.0, refused=False, slow=True),
    "CSV: three million columns": Bomb(_columns(3 * 10**6)),
    "CSV: a number of a million digits": Bomb(_text("d.csv", "y\n" + "9" * 10**6 + "\n", _y)),
    "JSON lines: a line of a gigabyte, gzip": Bomb(_zeros("a.jsonl.gz", b"", _y), seconds=60.0, slow=True),
    "JSON lines: 100,000 lists deep": Bomb(_text("b.jsonl", '{"y":' + "[" * DEEP + "]" * DEEP + "}\n", _y)),
    "JSON lines: the same after 20,000 rows": Bomb(
        _text("c.jsonl", '{"y":1}\n' * 20_000 + '{"y":' + "[" * DEEP + "]" * DEEP + "}\n", _y)
    ),
    "JSON lines: 20,000 objects deep": Bomb(_text("d.jsonl", '{"y":' * 20_000 + "1" + "}" * 20_000 + "\n", _y)),
    "JSON lines: a number of a million digits": Bomb(_text("e.jsonl", '{"y":' + "9" * 10**6 + "}\n", _y)),
    "logs: a line of a gigabyte, gzip": Bomb(_zeros("f.jsonl.gz", b"", nll.tokens), 1_200, 60.0, slow=True),
    "logs: a line of a gigabyte, zstd": Bomb(_zeros("f.jsonl.zst", b"", nll.tokens), 1_200, slow=True),
    "logs: 100,000 lists deep": Bomb(_text("g.jsonl", '{"tokens":' + "[" * DEEP + "]" * DEEP + "}\n", nll.tokens)),
    "logs: a number of a million digits": Bomb(
        _text("h.jsonl", '{"token_logprobs":[-' + "9" * 10**6 + "]}\n", nll.tokens)
    ),
    "logs: a token of a terabyte": Bomb(
        _text("i.jsonl", json.dumps({"completion_probabilities": [{"bytes": 10**12, "logprob": -1}]}), nll.tokens)
    ),
    "Parquet: a footer of 10**15 rows": Bomb(_parquet(_footer_claims(10**15))),
    "Parquet: a footer of -1 rows": Bomb(_parquet(_footer_claims(-1))),
    "Parquet: pages of -10**18 values": Bomb(_parquet(_page_claims(-(10**18)))),
    "Parquet: pages of 10**18 values": Bomb(_parquet(_page_claims(10**18))),
    "Parquet: pages of -12,345 values": Bomb(_parquet(_page_claims(-BIG_ROWS))),
    "Parquet: a text of two gigabytes": Bomb(_parquet(_string_claims)),
    "model: 100,000 lists deep": Bomb(lambda _: nll.load('{"nll":' + "[" * DEEP + "]" * DEEP + "}")),
    "model: 10**10000 rows": Bomb(_model(n="HUGE")),
    "model: a parameter of 10**10000": Bomb(_model(params={"concentration": "HUGE", "rate": 1.0})),
    "model: a loss of 1e400": Bomb(_model(loss="OVER"), refused=False),
    "model: a thousand parts, 10**9 components": Bomb(_mixture),
    "expression: 10,000 deep": Bomb(_expression("ZeroInflated(" * 10_000 + "Poisson(1)" + ")" * 10_000)),
    "expression: 10,000 lists deep": Bomb(_expression("Normal(" + "[" * 10_000 + "]" * 10_000 + ", 1)")),
    "expression: a number of 90,000 digits": Bomb(_expression("Normal(" + "9" * 90_000 + ", 1)")),
    "expression: 10**9 parts": Bomb(lambda _: parse_family("Mixture(Normal, 1000000000)")),
    "own family: 10,000 parentheses": Bomb(_own("A: " + "(" * 10_000 + "y" + ")" * 10_000 + "; a real")),
    "own family: a tower of powers": Bomb(_own("A: a + 9**9**9**9**9; a real")),
    "where: 20,000 conditions": Bomb(_where(" AND ".join(["y > 0"] * 20_000))),
    "where: 3,000 terms": Bomb(_where("y" + "+1" * 3_000 + " > 0")),
    "where: 1,000 joined texts": Bomb(_where("y" + "||1" * 1_000 + " > 0")),
    "where: 100,000 parentheses": Bomb(_where("(" * DEEP + "y > 0" + ")" * DEEP)),
    "where: 50,000 times NOT": Bomb(_where("NOT " * 50_000 + "y > 0")),
    "where: 100,000 quotes": Bomb(_where("'" * (DEEP - 1))),
    "where: as many conditions as are read": Bomb(_where(" AND ".join(["y > 0"] * 125)), refused=False),
    "list: a whole number of 10,000 digits": Bomb(lambda _: nll.score([10**10_000, 1], nll.Normal(0.0, 1.0))),
}


def exploded(name: str, folder: Path) -> dict[str, Any]:
    """Run a bomb; return what became of it, and "" or what is wrong with that."""
    bomb = BOMBS[name]
    before, begun = peak(reset=True), time.monotonic()
    message = ""
    try:
        bomb.run(folder)
        outcome = "answered"
    except NllError as error:
        outcome, message = "refused", str(error)
    except BaseException as error:  # a panic of Polars is no Exception
        outcome, message = "fault", f"{type(error).__name__}: {error}"[:300]
    seconds, memory = time.monotonic() - begun, max(peak() - before, 0) >> 20
    wrong = "" if outcome != "fault" else message
    if not wrong and bomb.refused and outcome != "refused":
        wrong = "it was answered"
    if not wrong and memory > bomb.memory:
        wrong = f"it took {memory:,} MB, and {bomb.memory:,} are allowed"
    if not wrong and seconds > bomb.seconds:
        wrong = f"it took {seconds:.0f} s, and {bomb.seconds:.0f} are allowed"
    return {
        "name": name,
        "outcome": outcome,
        "MB": memory,
        "s": round(seconds, 2),
        "message": message[:120],
        "wrong": wrong,
    }


def main(names: list[str]) -> int:
    """Run bombs in this process; return 1 if one is wrong."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    failed = False
    if names == ["--quick"]:
        names = [name for name, bomb in BOMBS.items() if not bomb.slow]
    for name in names or BOMBS:
        with tempfile.TemporaryDirectory() as folder:
            found = exploded(name, Path(folder))
        print(json.dumps(found), flush=True)
        failed |= bool(found["wrong"])
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
