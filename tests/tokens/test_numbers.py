"""Sums, denominators, groups, spans and standard errors, against NumPy and the definitions."""

from __future__ import annotations

import json
import math
import random
import re
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

import nll
from nll.states.documents import DocumentTallies, Part, exact_count


def documents(count=9, seed=3):
    draw = random.Random(seed)
    lines = []
    for i in range(count):
        words = [draw.choice(["ab", " cd", " é", "\n x", "yz "]) for _ in range(draw.randint(1, 40))]
        values = [-draw.expovariate(0.3) * 10 ** draw.uniform(-12, 2) for _ in words]
        values[0] = None if i % 3 == 0 else values[0]
        meta = {"subject": "ab"[i % 2], "topic": i % 3}
        lines.append({"id": f"d{i}", "text": "".join(words), "tokens": words, "token_logprobs": values, "meta": meta})
    return lines


def losses(line):
    return [-value for value in line["token_logprobs"] if value is not None]


def clustered(pairs):
    """The error of a ratio of totals, from its definition."""
    total, weight = np.array(pairs, dtype=float).T
    mean, g = total.sum() / weight.sum(), len(pairs)
    return mean, math.sqrt(g / (g - 1) * ((total - mean * weight) ** 2).sum()) / weight.sum()


def test_sums_are_those_of_fsum_in_any_order(log):
    lines = documents()
    every = [loss for line in lines for loss in losses(line)]
    whole = nll.tokens(log("a.jsonl", *lines))
    assert whole.nll == math.fsum(every)
    assert whole.tokens == len(every)
    shuffled = lines[:]
    random.Random(1).shuffle(shuffled)
    files = [log("b.jsonl", *shuffled[:4]), log("c.jsonl", *shuffled[4:])]
    other = nll.tokens(files, by="meta.subject")
    assert (other.total.nll, other.total.rates) == (whole.nll, whole.rates)
    assert other.total.mean_document_perplexity == whole.mean_document_perplexity
    assert other["a"].rates == nll.tokens(log("d.jsonl", *lines), by="meta.subject")["a"].rates


def test_exact_counts_add_up():
    draw = random.Random(5)
    values = [draw.choice([-1, 1]) * draw.random() * 2.0 ** draw.randint(-1074, 1000) for _ in range(300)]
    assert exact_count(values) == sum(Fraction(v) for v in values) * 2**1074
    assert exact_count([1e308] * 5) == 5 * int(1e308) << 1074
    assert exact_count([]) == 0


def test_states_merge_in_any_order():
    parts = [Part(i, i % 2, [i] * 9, [i, None if i == 2 else i, i, i]) for i in range(4)]
    a, b = DocumentTallies(), DocumentTallies()
    for i, part in enumerate(parts):
        (a if i % 2 else b).add(("k",), i % 3, part)
    one = DocumentTallies().merge(a).merge(b)
    two = DocumentTallies().merge(b).merge(a)
    assert one == two
    assert one.parts[("k",), 2].sizes == [2, None, 2, 2]


def test_means_errors_and_denominators(log):
    lines = documents()
    found = nll.tokens(log("a.jsonl", *lines))
    sums = [math.fsum(losses(line)) for line in lines]
    sizes = {
        "tokens": [len(losses(line)) for line in lines],
        "text_bytes": [len(line["text"].encode()) for line in lines],
        "chars": [len(line["text"]) for line in lines],
        "words": [len(re.split(r"\s+", line["text"])) for line in lines],
        "scored_bytes": [
            sum(len(t.encode()) for t, v in zip(line["tokens"], line["token_logprobs"], strict=True) if v is not None)
            for line in lines
        ],
    }
    for name, own in sizes.items():
        used = [(s, w) for s, w, n in zip(sums, own, sizes["tokens"], strict=True) if n]
        _, stderr = clustered(used)
        assert found.rates[name].count == sum(own)
        assert found.rates[name].stderr == pytest.approx(stderr, rel=1e-11), name
        assert found.rates[name].mean == pytest.approx(sum(sums) / sum(own), rel=1e-13), name
    assert found.perplexity == pytest.approx(math.exp(sum(sums) / sum(sizes["tokens"])), rel=1e-12)
    assert found.word_perplexity == pytest.approx(math.exp(sum(sums) / sum(sizes["words"])), rel=1e-12)
    assert found.byte_perplexity == pytest.approx(math.exp(sum(sums) / sum(sizes["text_bytes"])), rel=1e-12)
    own = [math.exp(s / n) for s, n in zip(sums, sizes["tokens"], strict=True) if n]
    assert found.mean_document_perplexity == pytest.approx(np.mean(own), rel=1e-12)


def test_clusters_by_a_field(log):
    lines = documents()
    found = nll.tokens(log("a.jsonl", *lines), cluster="meta.topic", unit="bits-per-token")
    pairs = {i: [0.0, 0] for i in range(3)}
    for line in lines:
        pairs[line["meta"]["topic"]][0] += math.fsum(losses(line))
        pairs[line["meta"]["topic"]][1] += len(losses(line))
    mean, stderr = clustered(list(pairs.values()))
    assert found.clusters == 3
    assert found.mean == pytest.approx(mean / math.log(2.0), rel=1e-13)
    assert found.stderr == pytest.approx(stderr / math.log(2.0), rel=1e-11)
    low, high = found.ci(0.9)
    assert high - low == pytest.approx(2 * stats.t.ppf(0.95, 2) * found.stderr, rel=1e-8)


def test_groups(log):
    lines = documents()
    found = nll.tokens(log("a.jsonl", *lines), by=["meta.subject", "meta.topic"])
    assert list(found) == sorted(found)
    for key, score in found.items():
        own = [line for line in lines if (line["meta"]["subject"], line["meta"]["topic"]) == key]
        assert score.nll == math.fsum(loss for line in own for loss in losses(line))
        assert score.documents == len(own)
    assert found.to_polars().height == len(found)
    by_length = nll.tokens(log("a.jsonl", *lines), by="length")
    for key, score in by_length.items():
        low, high = (int(x) for x in ([key, key] if "-" not in key else key.split("-")))
        assert score.documents == sum(low <= len(line["tokens"]) <= high for line in lines)


def test_positions_are_buckets_of_tokens(log):
    lines = documents()
    found = nll.tokens(log("a.jsonl", *lines), by="position")
    assert list(found)[:4] == ["0", "1", "2-3", "4-7"]
    own = [-v for line in lines for v in line["token_logprobs"][4:8]]
    assert found["4-7"].nll == math.fsum(own)
    assert found["4-7"].tokens == len(own)
    assert math.isnan(found["4-7"].bits_per_byte)
    assert found["4-7"].rates["scored_bytes"].count == sum(
        len(t.encode()) for line in lines for t in line["tokens"][4:8]
    )
    assert sum(score.tokens for score in found.values()) == found.total.tokens


SPAN = {
    "id": 1,
    "text": "Q: é? A: no",
    "tokens": ["Q", ": é", "?", " A:", " n", "o"],
    "token_logprobs": [-1, -2, -3, -4, -5, -6],
}


@pytest.mark.parametrize(
    ("fields", "span", "nll_", "tokens", "text_bytes", "scored_bytes", "chars"),
    [
        ({"s": [9, 11]}, "s", 11.0, 2, 2, 3, 2),
        ({"s": [3, 4]}, "s", 2.0, 1, 2, 4, 1),
        ({"s": [[0, 1], [4, 5]]}, "s", 4.0, 2, 2, 2, 2),
        ({"s": []}, "s", 0.0, 0, 0, 0, 0),
        ({"answer": 4}, "answer", 11.0, 2, 3, 3, 3),
        ({"answer": 0}, "answer", 21.0, 6, 12, 12, 11),
        ({"answer": 6}, "answer", 0.0, 0, 0, 0, 0),
    ],
)
def test_spans(log, fields, span, nll_, tokens, text_bytes, scored_bytes, chars):
    found = nll.tokens(log("a.jsonl", {**SPAN, **fields}), span=span)
    assert (found.nll, found.tokens) == (nll_, tokens)
    sizes = [found.rates[name].count for name in ("text_bytes", "scored_bytes", "chars")]
    assert sizes == [text_bytes, scored_bytes, chars]


@pytest.mark.parametrize("span", [[4, 99], [3, 2], [1], "x", [1.0, 2.0], None])
def test_spans_that_are_none(log, span):
    with pytest.raises(nll.errors.DataError, match=r"a\.jsonl:1: a span is \[from, to\)"):
        nll.tokens(log("a.jsonl", {**SPAN, "s": span}), span="s")


def test_where_the_answer_begins_is_never_guessed(log):
    echo = {"choices": [{"text": "ab", "logprobs": {"tokens": ["a", "b"], "token_logprobs": [None, -1.0]}}]}
    prompt = {"prompt_logprobs": [None, {"1": {"logprob": -1.0, "decoded_token": "a"}}]}
    for line in (SPAN, {**SPAN, "answer": "no"}, {**SPAN, "answer": 9}, echo, prompt):
        with pytest.raises(nll.errors.DataError, match=r"a\.jsonl:1: the log does not say where the answer begins"):
            nll.tokens(log("a.jsonl", line), span="answer")


def test_the_answer_of_an_echoed_prompt(log):
    logprobs = {"tokens": ["Q", ":", " A"], "token_logprobs": [None, -1.0, -0.5]}
    line = {"choices": [{"text": "Q: A", "logprobs": logprobs}], "usage": {"prompt_tokens": 2}}
    found = nll.tokens(log("a.jsonl", line), span="answer")
    assert (found.nll, found.tokens, found.rates["text_bytes"].count) == (0.5, 1, 2)


def test_nothing_scored_is_no_number(log):
    found = nll.tokens(log("a.jsonl", {"id": 1, "text": "a", "tokens": ["a"], "token_logprobs": [None]}))
    assert (found.nll, found.tokens, found.first) == (0.0, 0, 1)
    assert math.isnan(found.mean)
    assert math.isnan(found.perplexity)
    assert any("no token was scored" in note for note in found.notes)


def test_results_print_and_are_json(log):
    lines = [{**line, "id": "<b>"} for line in documents(2)]
    found = nll.tokens(log("a.jsonl", *lines), by="id")
    assert "<b>" in repr(found)
    assert "<b>" not in found._repr_html_()
    assert "&lt;b&gt;" in found._repr_html_()
    saved = json.loads(found.to_json())
    assert saved["total"]["tokens"] == found.total.tokens
    assert saved["groups"][0]["id"] == "<b>"
    assert found.total.document_table()["tokens"].sum() == found.total.tokens
    assert found.total.to_polars()["nll"][0] == found.total.nll
