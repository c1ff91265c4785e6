"""A file that changes while it is read gives the right result or an error, and never ends the process."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

ROWS = 1_000_000
SCRIPT = """
import os, sys
import nll
path, how = sys.argv[1:]
done = []

def change(rows):
    if not done:
        done.append(1)
        if how == "truncated":
            os.truncate(path, os.path.getsize(path) // 3)
        elif how == "written over":
            open(path, "wb").write(b"y,p\\n1,0.5\\n")
        else:
            os.unlink(path)

try:
    print("sum", nll.score("y", nll.Bernoulli(probs="p"), data=path, progress=change, threads=1).sum)
except nll.errors.NllError as error:
    print("error", error)
"""


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    rng = np.random.default_rng(6)
    p = rng.random(ROWS)
    return pl.DataFrame({"y": (rng.random(ROWS) < p).astype(np.int64), "p": p})


WRITE = {
    "parquet": lambda table, path: table.write_parquet(path, row_group_size=50_000),
    "csv": lambda table, path: table.write_csv(path),
    "arrow": lambda table, path: table.write_ipc(path, record_batch_size=50_000),
    "jsonl": lambda table, path: table.write_ndjson(path),
}


@pytest.mark.parametrize("ending", WRITE)
@pytest.mark.parametrize("how", ["truncated", "written over", "removed"])
def test_a_file_that_changes(table: pl.DataFrame, tmp_path: Path, ending: str, how: str):
    import nll

    path = tmp_path / f"a.{ending}"
    WRITE[ending](table, path)
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, os.fspath(path), how], capture_output=True, text=True, timeout=120, check=False
    )
    assert found.returncode == 0, found.stderr[-500:]
    word, _, rest = found.stdout.strip().partition(" ")
    if word == "sum":
        assert how == "removed"  # its rows are there as long as it is open
        assert float(rest) == nll.score("y", nll.Bernoulli(probs="p"), data=table).sum
    else:
        assert "changed while it was read" in rest
