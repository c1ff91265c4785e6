"""Paired comparisons of models by logs, and what they refuse."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest
from scipy import stats

import nll

UsageError = nll.errors.UsageError
TEXTS = ["alpha beta", "gamma é", "delta", "epsilon zeta eta", "theta"]


def lines(seed, cut=2, texts=TEXTS, **fields):
    draw = random.Random(seed)
    found = []
    for i, text in enumerate(texts):
        tokens = [text[j : j + cut] for j in range(0, len(text), cut)]
        values = [-draw.expovariate(1.0) for _ in tokens]
        found.append({"id": i, "text": text, "tokens": tokens, "token_logprobs": values, **fields})
    return found


def sums(given):
    return np.array([-math.fsum(line["token_logprobs"]) for line in given])


def test_differences_against_numpy(log):
    a, b = lines(1), lines(2, cut=3)
    found = nll.compare_tokens({"a": log("a.jsonl", *a), "b": log("b.jsonl", *b[::-1])})
    size = np.array([len(text.encode()) for text in TEXTS])
    difference = (sums(b) - sums(a)) / math.log(2.0)
    if found.base == "b":
        difference = -difference
    other = found[next(name for name in found if name != found.base)]
    mean = difference.sum() / size.sum()
    stderr = math.sqrt(5 / 4 * ((difference - mean * size) ** 2).sum()) / size.sum()
    assert other.difference == pytest.approx(mean, rel=1e-12)
    assert other.stderr == pytest.approx(stderr, rel=1e-11)
    assert other.p_value == pytest.approx(2 * stats.t.sf(mean / stderr, 4), rel=1e-9)
    assert other.high == pytest.approx(mean + stats.t.ppf(0.975, 4) * stderr, rel=1e-8)
    assert other.wins == int((difference < 0).sum())
    assert found.same_tokens is False
    assert any("different tokens" in note for note in found.notes)
    assert other.difference == pytest.approx(other.score.mean - found[found.base].score.mean, rel=1e-10)


def test_order_and_reference(log):
    a, b = log("a.jsonl", *lines(1)), log("b.jsonl", *lines(2))
    one, two = nll.compare_tokens(a, b, reference="a"), nll.compare_tokens(b, a, reference="b")
    assert one["b"].difference == -two["a"].difference
    assert one["b"].stderr == two["a"].stderr
    assert one.best == two.best
    assert json.loads(one.to_json())["models"][0]["model"] == one.best
    assert one.to_polars().height == 2


def test_a_model_against_itself_differs_by_zero(log):
    found = nll.compare_tokens(log("a.jsonl", *lines(1)), log("b.jsonl", *lines(1)))
    assert (found["b"].difference, found["b"].stderr, found["b"].p_value, found["b"].ties) == (0.0, 0.0, 1.0, 5)


def test_texts_pair_where_ids_do_not(log):
    a = [{**line, "id": f"r{line['id']}"} for line in lines(1)]
    found = nll.compare_tokens(log("a.jsonl", *a), log("b.jsonl", *lines(1)[::-1]))
    assert found["b"].ties == 5
    with pytest.raises(UsageError, match=r"by id, 5 of 5 are only in a and 5 of 5 only in b \(the first: 'r0' of a\)"):
        nll.compare_tokens(log("a.jsonl", *a), log("b.jsonl", *lines(1)), pair="id")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": "alphx beta", "tokens": ["alphx beta"], "token_logprobs": [-1]}, "the texts of a and b differ"),
        ({"token_logprobs": [None, *[-1.0] * 4]}, "the scored part of the text of a and b"),
        ({"context": 512}, "the context of a and b differs"),
        ({"stride": 7}, "the stride of a and b differs"),
    ],
)
def test_what_does_not_compare_is_refused(log, change, message):
    a, b = lines(1), lines(2)
    b[0] |= change
    files = log("a.jsonl", *a), log("b.jsonl", *b)
    with pytest.raises(UsageError, match=f"document '0' .*{message}"):
        nll.compare_tokens(*files)
    if "texts" in message:
        return
    found = nll.compare_tokens(*files, allow=["span", "context", "stride"])
    assert any(note.startswith("overlooked as you asked") and message in note for note in found.notes)


def test_other_documents_are_refused(log):
    files = log("a.jsonl", *lines(1)), log("b.jsonl", *lines(2)[:4])
    with pytest.raises(UsageError, match="by id, 1 of 5 are only in a and 0 of 4 only in b"):
        nll.compare_tokens(*files)


def test_perplexities_of_other_tokens_are_refused(log):
    a, b, c = log("a.jsonl", *lines(1)), log("b.jsonl", *lines(2, cut=3)), log("c.jsonl", *lines(3))
    with pytest.raises(UsageError, match="cut the texts into different tokens, so that bits-per-token and perplex"):
        nll.compare_tokens(a, b, unit="bits-per-token")
    found = nll.compare_tokens(a, c, unit="bits-per-token")
    assert found.same_tokens is True
    count = found["a"].score.tokens
    assert abs(found["c"].difference - found["a"].difference) == pytest.approx(
        abs(sums(lines(3)).sum() - sums(lines(1)).sum()) / count / math.log(2.0), rel=1e-12
    )


def test_no_text_no_comparison(log):
    bare = [{"id": i, "token_logprobs": [-1.0, -1.0]} for i in range(5)]
    files = log("a.jsonl", *lines(1)), log("b.jsonl", *bare)
    with pytest.raises(UsageError, match="the log of b has no text; texts= gives the texts"):
        nll.compare_tokens(*files)
    found = nll.compare_tokens(*files, texts=TEXTS)
    assert found.same_tokens is None


def test_infinite_losses(log):
    b = lines(2)
    b[1]["token_logprobs"][0] = -9999.0
    found = nll.compare_tokens(log("a.jsonl", *lines(1)), log("b.jsonl", *b))
    assert (found.best, found["b"].difference) == ("a", math.inf)
    assert math.isnan(found["b"].stderr)
    assert any(note.startswith("b: 1 token with an infinite loss") for note in found.notes)


def test_options(log):
    a = log("a.jsonl", *lines(1))
    for models, options, message in (
        ((a,), {}, "at least two models"),
        ((a, a), {}, "given twice"),
        (({"a": a, "b": a},), {"reference": "c"}, "no model 'c'"),
        (({"a": a, "b": a},), {"allow": "texts"}, "no difference to allow 'texts'"),
        (({"a": a, "b": a},), {"level": 1.0}, "between 0 and 1"),
        (({"a": a, "b": a},), {"pair": "line"}, "pair is"),
    ):
        with pytest.raises(UsageError, match=message):
            nll.compare_tokens(*models, **options)
