"""Comparisons by group: each is the comparison of the group's documents alone."""

from __future__ import annotations

import json
import math
import random

import pytest
from click.testing import CliRunner

import nll
from nll.cli import main

DataError, UsageError = nll.errors.DataError, nll.errors.UsageError
TEXTS = ["alpha beta", "gamma é", "delta", "epsilon zeta eta theta iota kappa", "lambda mu", "nu"]


def lines(seed, cut=2, **fields):
    draw = random.Random(seed)
    found = []
    for i, text in enumerate(TEXTS):
        tokens = [text[j : j + cut] for j in range(0, len(text), cut)]
        values = [None, *(-draw.expovariate(1.0) for _ in tokens[1:])]
        found.append({"id": i, "text": text, "tokens": tokens, "token_logprobs": values, "kind": "xy"[i % 2], **fields})
    return found


def numbers(comparison):
    names = ("name", "difference", "stderr", "low", "high", "p_value", "wins", "ties")
    return [[getattr(each, name) for name in names] for each in comparison.standings]


@pytest.mark.parametrize("cut", [2, 3])
def test_a_group_is_the_comparison_of_its_documents(log, cut):
    a, b = lines(1), lines(2, cut)
    found = nll.compare_tokens(log("a.jsonl", *a), log("b.jsonl", *b), by="kind", allow="span")
    assert list(found) == ["x", "y"]
    assert found.total.documents == 6
    for kind in found:
        own = [
            log(f"{name}.jsonl", *(line for line in given if line["kind"] == kind))
            for name, given in (("a", a), ("b", b))
        ]
        alone = nll.compare_tokens(*own, reference=found.total.base, allow="span")
        assert repr(numbers(found[kind])) == repr(numbers(alone))
        assert found[kind].documents == 3


def test_all_groups_have_the_base_of_the_total(log):
    a, b = lines(1), lines(2)
    b[0]["token_logprobs"] = [None, *[-1e-3] * (len(b[0]["tokens"]) - 1)]
    b[0]["kind"] = a[0]["kind"] = "one"
    found = nll.compare_tokens(log("a.jsonl", *a), log("b.jsonl", *b), by="kind", reference="a")
    assert {each.base for each in found.values()} == {"a"}
    assert found["one"].best == "b"
    assert found["one"]["b"].difference < 0.0
    assert math.isnan(found["one"]["b"].stderr)


def test_by_position_against_sums(log):
    a, b = lines(1), lines(2)
    found = nll.compare_tokens(log("a.jsonl", *a), log("b.jsonl", *b), by="position", reference="a")
    assert found.total.unit == "bits-per-scored-byte"
    places = {"0": range(1), "1": range(1, 2), "2-3": range(2, 4), "4-7": range(4, 8), "8-15": range(8, 16)}
    assert list(found) == [*places, "16-31"]
    for place, which in places.items():
        loss, size = 0.0, 0
        for one, other in zip(a, b, strict=True):
            for i in which:
                if i < len(one["tokens"]) and i:
                    loss += one["token_logprobs"][i] - other["token_logprobs"][i]
                    size += len(one["tokens"][i].encode())
        expected = loss / size / math.log(2.0) if size else math.nan
        assert found[place]["b"].difference == pytest.approx(expected, rel=1e-11, nan_ok=True)
    assert any("nothing was scored" in note for note in found.notes)
    assert json.loads(found.to_json())["groups"][0]["position"] == "0"


def test_by_bytes_and_a_field(log):
    found = nll.compare_tokens(
        log("a.jsonl", *lines(1)), log("b.jsonl", *lines(2, 3)), by=["kind", "bytes"], allow="span"
    )
    # 10, 8 (é has two), 5, 33, 9 and 2 bytes
    expected = [("x", "4-7"), ("x", "8-15"), ("y", "2-3"), ("y", "8-15"), ("y", "32-63")]
    assert list(found) == expected
    assert [found[key].documents for key in expected] == [1, 2, 1, 1, 1]
    assert found.to_polars().height == 10
    assert "<td>8-15</td>" in found._repr_html_()


def test_what_is_no_group_is_refused(log):
    a, b, c = log("a.jsonl", *lines(1)), log("b.jsonl", *lines(2, kind="z")), log("c.jsonl", *lines(3, 3))
    with pytest.raises(DataError, match="document '0' has kind 'x' in the log of a and 'z' in that of b"):
        nll.compare_tokens(a, b, by="kind")
    for by in ("position", "length"):
        with pytest.raises(
            UsageError, match=f"different tokens, so that {by} in tokens is not the same for all; by='bytes'"
        ):
            nll.compare_tokens(a, c, by=by, allow="span")
    with pytest.raises(UsageError, match="by position, bits-per-word is undefined"):
        nll.compare_tokens(a, b, by="position", unit="bits-per-word")
    with pytest.raises(UsageError, match="a field twice"):
        nll.compare_tokens(a, b, by=["kind", "kind"])
    with pytest.raises(DataError, match="no field 'kin'"):
        nll.compare_tokens(a, b, by="kin")


def test_the_command_is_the_library(log):
    a, b = str(log("a.jsonl", *lines(1))), str(log("b.jsonl", *lines(2)))
    found = CliRunner().invoke(main, ["compare-tokens", a, b, "--by", "kind,length", "--json"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout) == json.loads(nll.compare_tokens(a, b, by=["kind", "length"]).to_json())
    shown = CliRunner().invoke(main, ["compare-tokens", a, b, "--by", "kind"])
    assert shown.stdout.splitlines()[0].startswith("6 documents, differences to")
    assert "CSV" not in shown.stdout
    rows = CliRunner().invoke(main, ["compare-tokens", a, b, "--by", "kind", "--csv"]).stdout.splitlines()
    assert rows[0].startswith("kind,model,mean")
    assert len(rows) == 5
