"""`nll watch` in processes: what it prints, how it ends, and what Prometheus reads."""

import json
import shutil
import signal
import time
import urllib.request

import pytest


@pytest.fixture
def folder(tmp_path, table):
    (tmp_path / "in").mkdir()
    shutil.copy(table, tmp_path / "in" / "a.csv")
    return tmp_path / "in"


MODEL = ("-y", "y", "-d", "Bernoulli(probs=p)")


def test_once(run, folder):
    found = run("watch", folder, *MODEL, "--once")
    assert found.exit_code == 0
    assert "a.csv" in found.stdout
    assert "60 rows" in found.stdout
    again = run("watch", folder, *MODEL, "--once")
    assert (again.exit_code, again.stdout) == (0, "")


def test_an_alert_ends_with_3_and_a_broken_file_with_1(run, folder):
    (folder / "b.csv").write_text("y,p\n1,nonsense\n")
    found = run("watch", folder, *MODEL, "--once", "--json")
    assert found.exit_code == 1
    assert "b.csv was not scored" in found.stderr
    assert [json.loads(line)["error"] == "" for line in found.stdout.splitlines()] == [True, False]
    (folder / "c.csv").write_text("y,p\n1,0.0\n")
    found = run("watch", folder, *MODEL, "--once", "--baseline", "0.1", "--state", folder / ".other.json")
    assert found.exit_code == 3
    assert "ALERT" in found.stderr


@pytest.mark.parametrize(
    "wrong",
    [("--window", "1w"), ("--window", "0s"), ("--every", "x"), ("--baseline", "none.json"), ("--listen", "9464"),
     ("--alpha", "2"), ("-d", "Normal(0")],
)  # fmt: skip
def test_wrong_options_are_told(run, folder, wrong):
    found = run("watch", folder, *MODEL, *wrong)
    assert found.exit_code in (1, 2)
    assert found.stderr.startswith(("error: ", "Usage"))
    assert "Traceback" not in found.stderr


def test_a_folder_that_is_not_there(run, tmp_path):
    assert run("watch", tmp_path / "none", *MODEL).exit_code == 2


def test_it_runs_until_it_is_stopped_and_serves_its_numbers(process, folder, table):
    pytest.importorskip("prometheus_client")
    running = process("watch", folder, *MODEL, "--every", "0.1s", "--listen", "127.0.0.1:0", "--baseline", "9")
    try:
        place = running.stderr.readline().split()[-1]
        assert place.startswith("http://127.0.0.1:")
        assert "a.csv" in running.stdout.readline()
        shutil.copy(table, folder / "b.csv")
        assert "b.csv" in running.stdout.readline()
        text = ""
        for _ in range(50):
            with urllib.request.urlopen(place, timeout=10) as answer:
                text = answer.read().decode()
            if "nll_files_total 2.0" in text:
                break
            time.sleep(0.1)
        assert "nll_files_total 2.0" in text
        assert "nll_rows_total 120.0" in text
        assert "nll_alerts 0.0" in text
    finally:
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Traceback" not in errors
