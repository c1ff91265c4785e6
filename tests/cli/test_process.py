import json
import os
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

P = "Bernoulli(probs=p)"


def test_python_m_nll(process, table):
    out, err = process("score", table, "-y", "y", "-d", P, "--json").communicate()
    assert json.loads(out)["n"] == 60
    assert err == ""


def test_exit_code_and_message_of_a_process(process, table):
    run = process("score", table, "-y", "lable", "-d", P)
    out, err = run.communicate()
    assert (run.returncode, out) == (2, "")
    assert err.startswith("error: no column 'lable'")
    assert err.count("\n") == 1


def test_few_rows_need_no_compiler(table):
    code = (
        "import sys; from nll.cli import main\n"
        f"try: main(['score', {str(table)!r}, '-y', 'y', '-d', {P!r}])\n"
        "except SystemExit: print([n for n in ('numba', 'pyarrow', 'altair', 'sklearn') if n in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


@pytest.mark.skipif(os.name != "posix", reason="signals and pipes of POSIX")
class TestSignals:
    @pytest.mark.parametrize("form", [[], ["--csv"]])
    def test_a_closed_pipe_is_silent(self, process, tmp_path, form):
        path = tmp_path / "groups.csv"  # more groups than a pipe buffers
        path.write_text("y,p,g\n" + "".join(f"1,0.5,{'long name of a group' * 9}{i}\n" for i in range(2_000)))
        with process("score", path, "-y", "y", "-d", P, "--by", "g", *form) as run:
            assert run.stdout.readline()
            run.stdout.close()
            assert run.stderr.read() == ""
        assert run.returncode in (0, 141)

    def test_an_interruption_ends_quickly_and_quietly(self, process, tmp_path):
        path = tmp_path / "rows.parquet"
        pl.DataFrame({"y": [1, 0] * 500_000, "p": [0.7, 0.2] * 500_000}).write_parquet(path)
        files = [path] * 400  # minutes of work
        out = tmp_path / "losses.parquet"
        run = process("score", *files, "-y", "y", "-d", P, "--threads", "2", "--rows", out)
        time.sleep(2.0)
        run.send_signal(signal.SIGINT)
        sent = time.monotonic()
        printed, err = run.communicate(timeout=30)
        # Python may end by the signal itself, which shells report as 130 too.
        assert run.returncode in (130, -signal.SIGINT)
        assert time.monotonic() - sent < 5.0
        assert printed == ""
        assert "Traceback" not in err
        assert [each.name for each in tmp_path.iterdir()] == ["rows.parquet"]
