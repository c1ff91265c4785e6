"""A run that is stopped at any moment goes on from its checkpoint, and ends with the same bits."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import nll
from nll.engines import checkpoint as module
from nll.engines.checkpoint import Checkpoint
from nll.errors import DataError, UsageError
from nll.states.saved import read_sealed, write_sealed

MODEL = nll.Bernoulli(probs="p")
OPTIONS = {"by": "g", "sample_weight": "w", "progress": False}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(5)
    for k in range(3):
        p = rng.random(900)
        table = {"y": (rng.random(900) < p).astype(int), "p": p, "g": rng.integers(0, 3, 900), "w": rng.random(900)}
        pl.DataFrame(table).write_parquet(tmp_path / f"{k}.parquet", row_group_size=100)
    return tmp_path


def scored(folder: Path, **options):
    place = Checkpoint(folder / "state.json", rows=200).place(str(folder / "*.parquet"))
    return nll.score("y", MODEL, data=place, **{**OPTIONS, **options})


def same(found, expected):
    assert found.total == expected.total
    assert {key: found[key] for key in found} == {key: expected[key] for key in expected}


def expected(folder: Path):
    return nll.score("y", MODEL, data=str(folder / "*.parquet"), **OPTIONS)


def test_files_are_cut_between_row_groups(folder: Path):
    place = Checkpoint(folder / "state.json", rows=200).place(str(folder / "*.parquet"))
    spans = [part.span for part in place.source.parts(200)]
    assert spans == [(0, 200), (200, 400), (400, 600), (600, 800), (800, 900)] * 3


@pytest.mark.parametrize("stop", [0, 1, 7, 14])
def test_an_interrupted_run_goes_on_where_it_was(folder: Path, monkeypatch, stop: int):
    monkeypatch.setattr(module, "SECONDS_BETWEEN", 0.0)
    run, done = module.part_state, []

    def interrupted(*arguments):
        if len(done) == stop:
            raise KeyboardInterrupt
        done.append(1)
        return run(*arguments)

    monkeypatch.setattr(module, "part_state", interrupted)
    with pytest.raises(KeyboardInterrupt):
        scored(folder)
    more: list[int] = []
    monkeypatch.setattr(module, "part_state", lambda *a: (more.append(1), run(*a))[1])
    same(scored(folder), expected(folder))
    assert len(more) == 15 - stop


def test_a_finished_run_reads_nothing_again(folder: Path, monkeypatch):
    first = scored(folder)
    monkeypatch.setattr(module, "part_state", None)
    same(scored(folder), first)


def test_rows_are_named_as_in_one_pass(folder: Path, monkeypatch):
    table = pl.read_parquet(folder / "1.parquet").with_columns(
        p=pl.when(pl.int_range(900) == 250).then(1.0).otherwise("p")
    )
    table = table.with_columns(y=pl.when(pl.int_range(900) == 250).then(0).otherwise("y"))
    table.write_parquet(folder / "1.parquet", row_group_size=100)
    found = scored(folder)
    assert found.total.impossible == 1
    assert found.total.first_impossible == expected(folder).total.first_impossible
    assert "row 250 of" in found.total.first_impossible[0]


def test_what_was_begun_otherwise_is_refused(folder: Path):
    scored(folder)
    with pytest.raises(UsageError, match=r"was begun with dist"):
        nll.score(
            "y",
            nll.Bernoulli(probs="w"),
            data=Checkpoint(folder / "state.json", rows=200).place(str(folder / "*.parquet")),
            **OPTIONS,
        )
    with pytest.raises(UsageError, match="was begun with clip"):
        scored(folder, clip=1e-9)
    with pytest.raises(UsageError, match="of other files"):
        nll.score("y", MODEL, data=str(folder / "1.parquet"), checkpoint=folder / "state.json", **OPTIONS)
    with pytest.raises(UsageError, match=r"was begun with (rows of the first part|parts)"):
        nll.score("y", MODEL, data=str(folder / "*.parquet"), checkpoint=folder / "state.json", **OPTIONS)
    os.utime(folder / "1.parquet", ns=(1, 1))
    with pytest.raises(DataError, match=r"1\.parquet has changed since"):
        scored(folder)


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("", DataError, "is no checkpoint"),
        ("{", DataError, "is no checkpoint"),
        ("[" * 100_000, DataError, "is no checkpoint"),
        ("[]", UsageError, "not written over"),
        ('{"nll": "fit"}', UsageError, "not written over"),
        ('{"nll": "checkpoint", "version": 1, "passes": {}, "sha256": "0"}', DataError, "changed or damaged"),
    ],
)
def test_another_file_is_not_written_over(folder: Path, text: str, error: type[Exception], match: str):
    (folder / "state.json").write_text(text)
    with pytest.raises(error, match=match):
        scored(folder)
    assert (folder / "state.json").read_text() == text


@pytest.mark.parametrize("change", [{"parts": -1}, {"parts": 99}, {"parts": "x"}, {"state": {}}, {"state": None}])
def test_notes_that_say_nonsense_are_refused(folder: Path, change: dict):
    scored(folder)
    saved = read_sealed(folder / "state.json", "checkpoint") or {}
    next(iter(saved["passes"].values())).update(change)
    write_sealed(folder / "state.json", saved)
    with pytest.raises(DataError, match="begin anew"):
        scored(folder)


def test_a_damaged_checkpoint_is_refused(folder: Path):
    scored(folder)
    text = (folder / "state.json").read_text()
    at = text.index('"sums"') + 14
    (folder / "state.json").write_text(text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1 :])
    with pytest.raises(DataError, match="changed or damaged"):
        scored(folder)
    saved = json.loads(text)
    saved.pop("sha256")
    write_sealed(folder / "state.json", {**saved, "version": 99})
    with pytest.raises(DataError, match="version 99"):
        scored(folder)


def test_a_file_that_changes_while_it_is_read_is_refused(folder: Path, monkeypatch):
    run = module.part_state

    def rewritten(*arguments):
        found = run(*arguments)
        pl.read_parquet(folder / "0.parquet").head(500).write_parquet(folder / "0.parquet")
        return found

    monkeypatch.setattr(module, "part_state", rewritten)
    with pytest.raises(DataError, match="changed during the run"):
        scored(folder)


def test_only_files_have_checkpoints(folder: Path):
    with pytest.raises(UsageError, match="a checkpoint is of files"):
        nll.score("y", MODEL, data=pl.read_parquet(folder / "0.parquet"), checkpoint=folder / "s.json")
    with pytest.raises(UsageError, match="pass data="):
        nll.score([1], nll.Bernoulli(probs=0.5), checkpoint=folder / "s.json")
    with pytest.raises(UsageError, match="cannot be written"):
        nll.score("y", MODEL, data=str(folder / "*.parquet"), checkpoint=folder / "none" / "s.json")


def test_a_full_disk_is_an_error_and_leaves_the_last_notes(folder: Path, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN", 0.0)
    sync, calls = os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        scored(folder)
    monkeypatch.undo()
    assert 0 < next(iter(json.loads((folder / "state.json").read_text())["passes"].values()))["parts"] < 15
    assert [each.name for each in folder.iterdir() if "partial" in each.name] == []
    same(scored(folder), expected(folder))


SCRIPT = """
import os, signal, sys
from pathlib import Path
import nll
from nll.engines import checkpoint as module
from nll.states import saved
module.SECONDS_BETWEEN = 0.0
where, left = sys.argv[2], [int(sys.argv[3])]

def counted(function):
    def run(*arguments):
        if left[0] == 0:
            os.kill(os.getpid(), getattr(signal, sys.argv[4]))
        left[0] -= 1
        return function(*arguments)
    return run

if where == "part":
    module.part_state = counted(module.part_state)
else:
    Path.replace = counted(Path.replace)
place = module.Checkpoint(Path(sys.argv[1]) / "state.json", rows=200).place(sys.argv[1] + "/*.parquet")
nll.score("y", nll.Bernoulli(probs="p"), data=place, by="g", sample_weight="w", progress=False)
"""


@pytest.mark.parametrize("where", ["part", "writing"])
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_a_run_that_is_killed_goes_on(folder: Path, where: str, name: str):
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder), where, "6", name]
    ended = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert ended.returncode == (-getattr(signal, name))
    notes = json.loads((folder / "state.json").read_text())
    assert 5 <= next(iter(notes["passes"].values()))["parts"] <= 6
    same(scored(folder), expected(folder))
