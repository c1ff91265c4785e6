"""What is installed is pinned by its hash, and neither an import nor a score opens a connection."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nll

ROOT = Path(__file__).parents[1]
SOURCE = str(Path(nll.__file__).parents[1])
ALONE = """
import socket

def refuse(*arguments, **options):
    raise AssertionError(f"a connection: {arguments}")

class Refusing(socket.socket):
    connect = connect_ex = bind = sendto = refuse

socket.socket = Refusing
socket.create_connection = socket.getaddrinfo = refuse
"""
CALLS = {
    "import": "import nll; [getattr(nll, name) for name in dir(nll)]",
    "score": "import nll; nll.score([1, 0], nll.Bernoulli(probs=[0.8, 0.3]))",
    "file": "import nll; nll.score('y', nll.Normal(0, 1), 'a.csv'); nll.score('y', nll.Normal(0, 1), 'a.parquet')",
    "fit": "import nll; nll.fit([1.0, 2.0, 4.0], nll.Gamma)",
    "command": "from nll.cli import main; main('score a.csv -y y -d Normal(0,1)'.split(), standalone_mode=False)",
}


@pytest.mark.parametrize("code", CALLS.values(), ids=CALLS)
def test_no_connection_is_opened(tmp_path, code):
    import polars as pl

    frame = pl.DataFrame({"y": [1.0, 2.0]})
    frame.write_csv(tmp_path / "a.csv")
    frame.write_parquet(tmp_path / "a.parquet")
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    command = [sys.executable, "-c", ALONE + code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_connection_would_be_seen(tmp_path):
    code = ALONE + "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9/')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "a connection" in done.stderr


def test_every_package_of_the_lock_has_a_version_and_hashes():
    text = (ROOT / "requirements" / "dev.txt").read_text("utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert len(lines) > 40
    for line in lines:
        assert re.match(r"[A-Za-z0-9_.-]+==\S+", line), line
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), line
        assert "://" not in line, line
