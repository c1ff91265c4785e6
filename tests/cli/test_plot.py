"""`nll plot`: each picture, from files, and what is refused."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest
from click.testing import CliRunner

import nll
from nll.cli import main

RAIN = str(nll.data.path("rain"))
needs_altair = pytest.mark.skipif(find_spec("altair") is None, reason="needs nll[plots]")


@pytest.fixture
def run():
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="nll")


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.jsonl"
    lines = [
        {
            "id": i,
            "m": "ab"[i % 2],
            "text": "xy z",
            "tokens": ["x", "y", " z"],
            "token_logprobs": [-1.0, -0.5 * i, -2.0],
        }
        for i in range(4)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def written(path):
    return json.loads(path.read_text(encoding="utf-8"))


@needs_altair
def test_reliability_is_of_the_decomposition(run, tmp_path):
    out = tmp_path / "r.json"
    found = run("plot", "reliability", RAIN, "-y", "y", "-d", "Bernoulli(probs=p_month)", "--band", 0, "-o", out)
    assert found.exit_code == 0, found.output
    assert found.stderr == f"wrote {out}\n"
    d = nll.decompose("y", nll.Bernoulli(probs="p_month"), RAIN)
    points = written(out)["datasets"][written(out)["layer"][-1]["data"]["name"]]
    assert [row["observed"] for row in points] == list(d.observed)


@needs_altair
def test_a_class_of_a_categorical(run, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("y,a,b,c\n" + "\n".join(f"{i % 3},0.{2 + i % 3},0.3,0.{5 - i % 3}" for i in range(12)))
    out = tmp_path / "r.json"
    call = ["plot", "reliability", table, "-y", "y", "-d", "Categorical(probs=[a, b, c])", "-o", out]
    assert run(*call).exit_code == 0
    assert "the top label is right" in written(out)["title"]["text"]
    assert run(*call, "--class", 2).exit_code == 0
    assert "the top label is right" not in written(out)["title"]["text"]
    missing = run(*call, "--class", 7)
    assert (missing.exit_code, "no class '7'; the classes are 0, 1, 2" in missing.stderr) == (2, True)


@needs_altair
def test_pit(run, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("y\n" + "\n".join(str(i / 10 - 2) for i in range(41)))
    out = tmp_path / "p.json"
    assert run("plot", "pit", table, "-y", "y", "-d", "Normal(0, 1)", "-o", out).exit_code == 0
    assert "of 41 rows" in written(out)["title"]["subtitle"][0]
    wrong = run("plot", "reliability", table, "-y", "y", "-d", "Normal(0, 1)", "-o", out)
    assert (wrong.exit_code, "nll plot pit" in wrong.stderr) == (2, True)
    wrong = run("plot", "pit", RAIN, "-y", "y", "-d", "Bernoulli(probs=p_month)", "-o", out)
    assert (wrong.exit_code, "nll plot reliability" in wrong.stderr) == (2, True)


@needs_altair
def test_position(run, log, tmp_path):
    out = tmp_path / "p.json"
    assert run("plot", "position", log, "--by", "m", "--unit", "bits-per-token", "-o", out).exit_code == 0
    chart = written(out)
    assert chart["layer"][0]["encoding"]["color"]["title"] == "m"
    assert chart["layer"][0]["encoding"]["y"]["title"] == "NLL (bits per token)"


def test_strip(run, log, tmp_path):
    out = tmp_path / "s.html"
    found = run("plot", "strip", log, "--document", 2, "-o", out)
    assert found.exit_code == 0, found.output
    assert out.read_text(encoding="utf-8") == nll.plots.strip(nll.document_tokens(str(log), 2)).html
    assert run("plot", "strip", log, "-o", out).exit_code == 2


@pytest.mark.parametrize("command", [["strip"], ["position"], ["pit", "-y", "y", "-d", "Normal(0, 1)"]])
def test_a_place_that_cannot_be_is_refused_before_anything_is_read(run, tmp_path, command):
    for name in ("p.gif", "none/p.html"):
        found = run("plot", *command, tmp_path / "missing.jsonl", "-o", tmp_path / name)
        assert (found.exit_code, "cannot save a picture" in found.stderr) == (2, True)
