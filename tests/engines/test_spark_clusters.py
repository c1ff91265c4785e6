"""The same bits from Spark Connect, and from a cluster of two processes; each in a process of its own."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nll

pyspark = pytest.importorskip("pyspark", reason="Spark is not installed: pip install 'nll[spark]'")

SOURCE = os.fspath(Path(nll.__file__).parents[1])
PASSES = """
import json, sys, warnings
warnings.simplefilter("ignore")
import nll
from pyspark.sql import SparkSession

def main(folder):
    builder = SparkSession.builder
    for name, value in {options}.items():
        builder = builder.config(name, value)
    session = builder.{where}.getOrCreate()
    frame, engine = session.read.parquet(folder), nll.engines.Spark(session, rows=2_000)
    found = {{"frame": type(frame).__module__}}
    dist = nll.Bernoulli(probs="p")
    for name, place in {{"a": {{"data": frame}}, "b": {{"data": folder, "engine": engine}}}}.items():
        score = nll.score("y", dist, by="g", cluster="user", where="p > 0.1", **place)
        found[name] = {{key: [score[key].sum.hex(), score[key].stderr.hex()] for key in score}}
    fit = nll.fit("x", nll.Gamma, data=frame)
    found["fit"] = fit.params
    try:
        nll.score("user", dist, data=frame)
    except nll.errors.DataError as error:
        found["error"] = str(error)
    session.stop()
    print("found" + json.dumps(found), flush=True)

if __name__ == "__main__":
    main(sys.argv[1])
"""
OPTIONS = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.log.level": "OFF",
    "spark.sql.shuffle.partitions": "4",
}


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": SOURCE, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}


def passes(where: str, folder: str, tmp_path: Path) -> dict[str, Any]:
    script = tmp_path / "passes.py"
    script.write_text(PASSES.format(options=OPTIONS, where=where))
    done = subprocess.run(
        [sys.executable, os.fspath(script), folder],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=300,
    )
    lines = [line for line in done.stdout.splitlines() if "found{" in line]
    assert lines, done.stderr[-3_000:]
    return json.loads(lines[0].partition("found")[2])


def check(found: dict[str, Any], folder: str) -> None:
    score = nll.score("y", nll.Bernoulli(probs="p"), by="g", cluster="user", where="p > 0.1", data=folder)
    expected = {key: [score[key].sum.hex(), score[key].stderr.hex()] for key in score}
    assert found["a"] == found["b"] == expected
    assert found["fit"] == pytest.approx(nll.fit("x", nll.Gamma, data=folder).params, rel=1e-10)
    assert "must be 0 or 1 for Bernoulli; row 0 of partition 0 of the Spark DataFrame has" in found["error"]


def test_connect(folder: str, tmp_path: Path):
    pytest.importorskip("grpc_status", reason="Spark Connect needs more packages: pip install 'pyspark[connect]'")
    found = passes("remote('local[2]')", folder, tmp_path)
    assert found["frame"] == "pyspark.sql.connect.dataframe"
    check(found, folder)


@pytest.fixture
def master(tmp_path: Path) -> Iterator[str]:
    """The address of a master that has a worker, each a process."""
    home = Path(pyspark.__file__).parent
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"spark://127.0.0.1:{port}"
    env = {**environment(), "SPARK_HOME": os.fspath(home), "SPARK_WORKER_DIR": os.fspath(tmp_path)}
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, options: str) -> None:
        command = [os.fspath(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}", *options.split()]
        with (tmp_path / f"{len(started)}.log").open("w") as log:
            started.append(subprocess.Popen(command, env=env, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=log))

    try:
        start("master.Master", f"--host 127.0.0.1 --port {port} --webui-port 0")
        start("worker.Worker", f"--host 127.0.0.1 --cores 2 --memory 1g --webui-port 0 {address}")
        deadline = time.monotonic() + 90
        while "Registering worker" not in (tmp_path / "0.log").read_text():
            if time.monotonic() > deadline or any(process.poll() is not None for process in started):
                pytest.skip("a Spark master and worker do not start here: " + (tmp_path / "0.log").read_text()[-300:])
            time.sleep(0.2)
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(30)


def test_standalone(master: str, folder: str, tmp_path: Path):
    check(passes(f"master({master!r}).config('spark.executor.memory', '512m')", folder, tmp_path), folder)
