from __future__ import annotations

import csv
import io
import json

import pytest
from click.testing import CliRunner

import nll
from nll.cli import main


@pytest.fixture
def run():
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="nll")


def line(i, *values, text="ab cd", **fields):
    return {"id": i, "text": text, "tokens": ["ab", " cd"], "token_logprobs": list(values), **fields}


A = [line(0, -1.0, -2.0, m="x", s=[0, 1]), line(1, None, -0.5, m="y", s=[0, 5])]
B = [line(0, -1.5, -2.5, m="x"), line(1, None, -0.25, m="y")]


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ([], {}),
        (["--by", "m,position"], {"by": ["m", "position"]}),
        (["--unit", "bits-per-byte"], {"unit": "bits-per-byte"}),
        (["--span", "s"], {"span": "s"}),
        (["--cluster", "m"], {"cluster": "m"}),
        (["--format", "plain"], {"format": "plain"}),
        (["--sentinel", "literal", "--missing", "drop", "--bad-lines", "skip"], {"bad_lines": "skip"}),
    ],
)
def test_json_is_the_librarys(run, log, given, options):
    file = log("a.jsonl", *A)
    found = run("tokens", file, "--json", *given)
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout) == json.loads(nll.tokens([str(file)], **options).to_json())
    assert "note: 1 first token without" in found.stderr


def test_tables_and_csv(run, log):
    file = log("a.jsonl", *A)
    shown = run("tokens", file)
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "mean in nats per token" in shown.stdout
    assert "3.5" in shown.stdout
    rows = list(csv.DictReader(io.StringIO(run("tokens", file, "--csv", "--by", "m").stdout)))
    assert [(row["m"], row["nll"]) for row in rows] == [("x", "3.0"), ("y", "0.5")]
    rows = list(csv.DictReader(io.StringIO(run("tokens", file, "--csv", "--documents").stdout)))
    assert [(row["id"], row["nll"]) for row in rows] == [("0", "3.0"), ("1", "0.5")]
    assert run("tokens", file, "--documents").exit_code == 2
    assert run("tokens", file, "--csv", "--json").exit_code == 2


def test_compare(run, log):
    a, b = log("a.jsonl", *A), log("b.jsonl", *B)
    found = run("compare-tokens", f"new={a}", f"old={b}", "--json", "--reference", "old")
    assert found.exit_code == 0, found.output
    expected = nll.compare_tokens({"new": str(a), "old": str(b)}, reference="old")
    assert json.loads(found.stdout) == json.loads(expected.to_json())
    shown = run("compare-tokens", a, b)
    assert "differences to 'a'" in shown.stdout
    assert run("compare-tokens", a, b, "--csv").stdout.startswith("model,mean,nll")
    assert run("compare-tokens", f"a={a}", b).exit_code == 2
    assert run("compare-tokens", a).exit_code == 2


def test_errors_end_in_one_line(run, log):
    result = run("tokens", log("a.jsonl", *A, b"{"))
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "a.jsonl:3: not valid JSON" in result.stderr
    texts = log("t.jsonl", "ab cd", {"text": "ab cd"})
    bare = log("b.jsonl", {"token_logprobs": [-1.0]}, {"token_logprobs": [-2.0]})
    found = run("tokens", bare, "--texts", texts, "--json")
    assert json.loads(found.stdout)["text_bytes"] == 10
