"""Logs of language models read by the workers of Dask and Spark: the result of a local call, or a clear error."""

import gzip
import json
import os
import pickle
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import nll
from nll.errors import DataError, UsageError
from nll.tasks.tokens import sections
from nll.tasks.tokens.sections import Section

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:pyspark", "ignore::DeprecationWarning:pyspark")
REFERENCE = Path(__file__).parents[1] / "data" / "llm"


@pytest.fixture(scope="session", params=["Dask", "Spark"])
def engine(request: pytest.FixtureRequest) -> Any:
    """Each engine."""
    if request.param == "Dask":
        return nll.engines.Dask(request.getfixturevalue("cluster"))
    return nll.engines.Spark(request.getfixturevalue("spark"))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are cut into many sections."""
    monkeypatch.setattr(sections, "PART", 4_000)


def documents(count: int, seed: int) -> list[dict[str, Any]]:
    """Documents as logs have them: some without an id, some with a sentinel, some with a first token not scored."""
    text, draw = random.Random(1), random.Random(seed)
    found = []
    for i in range(count):
        words = [text.choice(["ab", " cd", "é", "\n"]) for _ in range(text.randint(2, 30))]
        values: list[float | None] = [-draw.expovariate(0.5) for _ in words]
        line = {"id": f"d{i}", "text": "".join(words), "tokens": words, "logprobs": values, "kind": "xyz"[i % 3]}
        if i % 7 == 0:
            values[0] = None
        if i % 11 == 0:
            values[-1] = -9999.0
        if i % 13 == 0:
            line |= {"context": 4096, "stride": [i % 2]}
        found.append(line)
    return found


def written(path: Path, lines: Sequence[Any]) -> Path:
    """Write lines, objects or bytes as they are."""
    data = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Logs, of which two are cut into sections, and one is packed; some documents have no id, some lines are bad."""
    path = tmp_path / "logs"
    path.mkdir()
    lines: list[Any] = documents(60, 2)
    for line in lines[::5]:
        del line["id"]
    written(path / "a.jsonl", [*lines[:30], b"{", b"", *lines[30:], b"[]", b"nothing", *lines[:3]])
    written(path / "b.jsonl.gz", [*lines[:9], b"{"])
    written(path / "c.jsonl", lines[::-1])
    (path / "d.jsonl").touch()
    (path / "e.jsonl").write_bytes((REFERENCE / "openai_chat.jsonl").read_bytes())
    return path


def told(found: Any) -> Any:
    """Everything that a result has."""
    total = getattr(found, "total", found)
    groups = {} if total is found else dict(found)
    documents = list(total.each)
    return found.to_json(), repr(total.rates), documents, total.first_impossible, total.first_skipped, repr(groups)


CALLS: dict[str, Callable[..., Any]] = {
    "all": nll.tokens,
    "groups": partial(nll.tokens, by=["file", "length"], unit="bits-per-byte"),
    "positions": partial(nll.tokens, by="position"),
    "clusters": partial(nll.tokens, cluster="file", sentinel="literal"),
}


@pytest.mark.parametrize("name", CALLS)
def test_results_are_those_of_a_local_call(engine: Any, folder: Path, name: str):
    if name == "clusters":
        call = partial(nll.tokens, cluster="kind", sentinel="literal", bad_lines="skip")
        files: Any = [folder / "c.jsonl", folder / "a.jsonl", folder / "c.jsonl"]
    else:
        call, files = partial(CALLS[name], bad_lines="skip"), folder
    local, there = call(files, threads=1), call(files, engine=engine)
    assert told(there) == told(local)
    total = getattr(there, "total", there)
    assert total == getattr(local, "total", local)
    assert total.skipped >= 3
    assert total.documents > 120


def test_documents_stay_in_columns(folder: Path):
    found = nll.tokens(folder, bad_lines="skip", engine=Here())
    columns = found.each.columns
    arrays = [columns.path, columns.finite, *columns.numbers.values()]
    assert {len(each) for each in arrays} == {len(found.each)}
    assert sum(each.itemsize for each in arrays) <= 90


@pytest.mark.parametrize("part", [1, 50, 333, 10**6])
def test_every_line_is_in_one_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int):
    monkeypatch.setattr(sections, "PART", part)
    draw = random.Random(5)
    for end in (b"", b"\n", b"\n\n"):
        path = tmp_path / "a.jsonl"
        path.write_bytes(b"\n".join(b"x" * draw.choice([0, 1, 2, 49, 50, 51, 120]) for _ in range(40)) + end)
        found = sections.sections([str(path), str(path)], Here())
        for own in (found[: len(found) // 2], found[len(found) // 2 :]):
            ends = [each.stop or path.stat().st_size for each in own]
            assert [each.start for each in own] == [0, *ends[:-1]]
            assert ends[-1] == path.stat().st_size
            data = path.read_bytes()
            assert [each.first for each in own] == [1 + data[: each.start].count(b"\n") for each in own]
            assert all(data[each.start - 1 : each.start] in (b"", b"\n") for each in own)


class Here:
    """An engine that does jobs where it is."""

    def place(self, data: Any, where: Any = None) -> Any:
        raise NotImplementedError

    def gather(self, run: Callable[[Any], Any], jobs: Sequence[Any]) -> Any:
        first, *others = [pickle.loads(pickle.dumps(run(job))) for job in jobs]
        for state in others:
            first = first.follow(state)
        return first


def test_the_first_bad_line_is_named(engine: Any, tmp_path: Path):
    lines: list[Any] = documents(60, 3)
    path = written(tmp_path / "a.jsonl", [*lines[:41], b"{", *lines[41:], b"[]"])
    with pytest.raises(DataError, match=r"a\.jsonl:42: not valid JSON.*bad_lines='skip'"):
        nll.tokens(path, engine=engine)
    written(path, [{"tokens": ["a", "b"], "logprobs": [-1.0, -9999.0]}, *lines])
    with pytest.raises(DataError, match=r"a\.jsonl:1: token 1: the log-probability is -9999\.0, a sentinel"):
        nll.tokens(path, sentinel="error", engine=engine)
    written(path, [b"{", b"}"])
    with pytest.raises(DataError, match=r"all 2 lines are bad; the first: .*a\.jsonl:1"):
        nll.tokens(path, bad_lines="skip", engine=engine)


def test_texts_by_id_travel_and_texts_in_order_do_not(engine: Any, tmp_path: Path):
    lines = documents(30, 4)
    texts = {line["id"]: line.pop("text") for line in lines}
    path = written(tmp_path / "a.jsonl", lines)
    assert told(nll.tokens(path, texts=texts, engine=engine)) == told(nll.tokens(path, texts=texts))
    with pytest.raises(UsageError, match="give texts by id"):
        nll.tokens(path, texts=list(texts.values()), engine=engine)
    with pytest.raises(UsageError, match="texts has none for 'd0'"):
        nll.tokens(path, texts={"other": "x"}, engine=engine)


def test_comparisons_are_those_of_a_local_call(engine: Any, tmp_path: Path):
    models = {name: written(tmp_path / f"{name}.jsonl", documents(50, seed)) for name, seed in (("a", 5), ("b", 6))}
    for options in ({}, {"by": "kind"}, {"by": "position", "cluster": "kind"}):
        shared = {"sentinel": "literal", **options}
        local = nll.compare_tokens(models, **shared)
        there = nll.compare_tokens(models, **shared, engine=engine)
        assert there.to_json() == local.to_json()
        assert repr(there) == repr(local)
    written(models["b"], [*documents(50, 6), b"{"])
    with pytest.raises(DataError, match=r"b\.jsonl:51: not valid JSON"):
        nll.compare_tokens(models, engine=engine)


def test_what_is_no_engine_is_refused(folder: Path):
    for call in (nll.tokens, partial(nll.compare_tokens, folder / "a.jsonl")):
        with pytest.raises(UsageError, match=r"engine is nll\.engines\.Dask"):
            call(folder / "c.jsonl", engine="dask")


@dataclass(frozen=True)
class Wrapped:
    """An engine whose jobs go through something else first."""

    engine: Any
    through: Callable[[Callable[[Any], Any]], Callable[[Any], Any]]

    def place(self, data: Any, where: Any = None) -> Any:
        return self.engine.place(data, where)

    def gather(self, run: Callable[[Any], Any], jobs: Sequence[Any]) -> Any:
        return self.engine.gather(self.through(run), jobs)


def dying(run: Callable[[Any], Any], mark: Path) -> Callable[[Any], Any]:
    """Return what kills its worker at the job after the first, once."""

    def through(job: Any) -> Any:
        if job[2] and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return run(job)

    return through


def test_a_killed_worker_loses_nothing(engine: Any, folder: Path, tmp_path: Path):
    mark = tmp_path / "killed"
    found = nll.tokens(folder / "c.jsonl", engine=Wrapped(engine, partial(dying, mark=mark)))
    assert mark.exists()
    assert told(found) == told(nll.tokens(folder / "c.jsonl"))


def changing(run: Callable[[Any], Any], change: Callable[[Path], object]) -> Callable[[Any], Any]:
    """Return what changes the file before it is read."""

    def through(job: Any) -> Any:
        if isinstance(job, Section) and job.start:
            change(Path(job.path))
        return run(job)

    return through


def cut(path: Path) -> None:
    os.truncate(path, 2_000)


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\n{}")


def test_a_file_that_changes_is_an_error(engine: Any, folder: Path):
    path = folder / "c.jsonl"
    whole = path.read_bytes()
    for change, words in (
        (cut, "changed"),
        (append, "changed"),
        (remove, "cannot be read:|changed"),
    ):
        with pytest.raises(DataError, match=rf"c\.jsonl ({words}) "):
            nll.tokens(path, engine=Wrapped(engine, partial(changing, change=change)))
        path.write_bytes(whole)
    assert nll.tokens(path, engine=engine).documents == 60


def test_a_section_of_a_file_that_became_shorter_is_an_error(folder: Path):
    stamp = sections.stamps([str(folder / "c.jsonl")])[str(folder / "c.jsonl")]
    size = stamp[0]
    cut(folder / "c.jsonl")
    for start in (0, 1_000, 3_000):
        with pytest.raises(DataError, match="became shorter"):
            list(sections.blocks(str(folder / "c.jsonl"), start, size))


def slow(run: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what takes its time."""

    def through(job: Any) -> Any:
        time.sleep(10.0 if isinstance(job, Section) else 0.0)
        return run(job)

    return through


def test_an_interruption_ends_it(engine: Any, folder: Path):
    begun = time.monotonic()
    timer = threading.Timer(2.0, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        nll.tokens(folder / "c.jsonl", engine=Wrapped(engine, slow))
    timer.join()
    assert time.monotonic() - begun < 9
