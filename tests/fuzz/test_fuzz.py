"""The fuzzer of tools/fuzz: a short run of every target and of the bombs, and that it sees what it looks for."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def module(name: str) -> Any:
    sys.path.insert(0, str(ROOT))  # tools are no part of the package
    try:
        return import_module(f"tools.fuzz.{name}")
    finally:
        sys.path.remove(str(ROOT))


def started(*arguments: str) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT / "src"), str(ROOT)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "POLARS_MAX_THREADS": "2"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


# All targets in one process, which `make fuzz` has apart: to start fifteen takes longer than to run these cases.
SHORT = """
import sys
from pathlib import Path
from tools.fuzz import targets, worker
for name, target in targets.TARGETS.items():
    worker.main(name, 17, 0, 4 * target.share, Path(sys.argv[1]))
"""


def test_no_target_has_a_fault_in_a_short_run(tmp_path):
    done = started("-c", SHORT, str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in (tmp_path / "progress").read_text().splitlines()]
    outcomes = [outcome for _, outcome, _ in found]
    assert [outcome for outcome in outcomes if outcome not in ("answered", "refused")] == []
    assert len(outcomes) > 500
    assert outcomes.count("answered") > 60, "hardly an input is good enough to be answered"


def test_the_table_of_a_run_counts_its_cases(tmp_path):
    done = started("-m", "tools.fuzz", "--cases", "20", "--target", "tallies", "--kept", str(tmp_path / "kept"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].split()[:2] == ["all", "20"]
    assert not (tmp_path / "kept").exists()


def test_bombs_are_answered_or_refused_in_bounded_memory_and_time():
    done = started("-m", "tools.fuzz.bombs", "--quick")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) > 30, done.stderr
    assert [each for each in found if each["wrong"]] == []
    assert done.returncode == 0


def target(run: Any) -> Any:
    return module("targets").Target(lambda draw: b"x", run, 1)


def test_a_refusal_is_no_fault_and_another_exception_is_one(tmp_path):
    worker, errors = module("worker"), import_module("nll.errors")

    def refuse(data: bytes, folder: Path, draw: random.Random) -> None:
        raise errors.DataError("no")

    def silent(data: bytes, folder: Path, draw: random.Random) -> None:
        raise errors.DataError(" ")

    assert worker.run(target(lambda *_: None), b"", tmp_path) == "answered"
    assert worker.run(target(refuse), b"", tmp_path) == "refused"
    with pytest.raises(AssertionError, match="without a message"):
        worker.run(target(silent), b"", tmp_path)


def test_a_payload_that_runs_is_seen(tmp_path):
    worker, payloads = module("worker"), module("payloads")
    with pytest.raises(module("checks").Fault, match="payload ran"):
        worker.run(target(lambda data, folder, draw: (folder / payloads.CANARY).touch()), b"", tmp_path)


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("import os; os.abort()", "died with -6"),
        ("import time; time.sleep(60)", "hang"),
        ("raise SystemExit(3)", "died with 3"),
        ("pass", ""),
    ],
)
def test_a_process_that_dies_or_hangs_is_seen(tmp_path, code, seen):
    run = module("__main__")
    (tmp_path / run.PROGRESS).touch()
    assert run.watched(["-c", code], tmp_path, 1.5).partition(":")[0] == seen


def test_wrong_answers_unexplained_nans_and_open_tags_are_seen():
    checks, nll = module("checks"), import_module("nll")
    with pytest.raises(checks.Fault, match="a wrong answer"):
        checks.same_rows([(1.0, 0.5)], 1, 0.7)
    checks.same_rows([(1.0, 0.5)], 1, 0.6931471805599453)
    with pytest.raises(checks.Fault, match="not escaped"):
        checks.escaped("<table><script>alert(1)</script></table>")

    class Unexplained:
        sum, mean, notes = float("nan"), 1.0, ()

    with pytest.raises(checks.Fault, match="NaN without a note"):
        checks.explained(Unexplained())
    checks.explained(nll.score([], nll.Normal(0.0, 1.0)))


def test_cases_are_made_again_from_their_numbers():
    worker = module("worker")
    for name in module("targets").TARGETS:
        assert worker.make(name, 3, 5) == worker.make(name, 3, 5)
    assert worker.make("csv", 3, 5) != worker.make("csv", 3, 6)
