from __future__ import annotations

import json
import math

import numpy as np
import pytest

import nll


@pytest.mark.parametrize("n", range(14))
@pytest.mark.parametrize("context", [2, 3, 5, 8])
@pytest.mark.parametrize("stride", [1, 2, 4, 7])
def test_each_token_is_scored_once_with_enough_before_it(n, context, stride):
    if stride >= context:
        with pytest.raises(nll.errors.UsageError, match="stride is from 1"):
            nll.windows(n, context, stride)
        return
    found = nll.windows(n, context, stride)
    assert len(found) == len(list(found))
    assert [t for w in found for t in range(w.first, w.stop)] == list(range(1, n))
    for w in found:
        assert 0 <= w.start < w.first <= w.stop - 1
        assert w.stop - w.start <= context
        assert w.first - w.start >= min(w.first, context - stride)


def model(ids):
    """Logits that depend on the ids of the window up to each place, and on nothing later."""
    seen = np.cumsum(np.asarray(ids) + 1.0)
    return np.sin(seen[:, None] * np.arange(1, 6))


def by_hand(ids, n, context, stride):
    total = 0.0
    for w in nll.windows(n, context, stride):
        z = model(ids[w.start : w.stop])
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        total -= sum(logp[t - 1 - w.start, ids[t]] for t in range(w.first, w.stop))
    return total


@pytest.mark.parametrize(("context", "stride"), [(50, None), (6, None), (6, 2), (2, 1)])
def test_scores_are_those_of_the_windows(context, stride):
    ids = np.random.default_rng(4).integers(0, 5, 23)
    found = nll.windows(23, context, stride)
    score = found.score(ids, model)
    assert score.n == 22
    assert score.sum == pytest.approx(by_hand(ids, 23, context, found.stride), rel=1e-13)
    assert f"context {context} and stride {found.stride}" in score.source
    values = found.logprobs(ids, model)
    assert values[0] is None
    assert math.fsum(values[1:]) == -score.sum


def test_a_log_of_another_stride_does_not_compare(tmp_path):
    ids = np.random.default_rng(4).integers(0, 5, 23)
    text = "".join("abcde"[i] for i in ids)
    for stride in (2, 5):
        own = nll.windows(23, 6, stride)
        line = {"id": 1, "text": text, "tokens": list(text), "token_logprobs": own.logprobs(ids, model)}
        line |= {"context": own.context, "stride": own.stride}
        (tmp_path / f"s{stride}.jsonl").write_text(json.dumps(line) + "\n")
    files = [tmp_path / "s2.jsonl", tmp_path / "s5.jsonl"]
    with pytest.raises(nll.errors.UsageError, match="the stride of s2 and s5 differs"):
        nll.compare_tokens(*files)
    found = nll.compare_tokens(*files, allow="stride")
    assert any("the stride of s2 and s5 differs" in note for note in found.notes)
    both = nll.tokens(files)
    assert both.strides == (2, 5)
    assert any("differ in context" in note for note in both.notes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 4), "n_tokens is at least 0"),
        ((3, 1), "context is at least 2"),
        ((3, 4, 0), "stride"),
        ((3.5, 4), "n_tokens"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(nll.errors.UsageError, match=message):
        nll.windows(*arguments)


def test_wrong_shapes():
    found = nll.windows(4, 3)
    with pytest.raises(nll.errors.DataError, match=r"ids has shape \(3,\); expected \(4,\)"):
        found.score([1, 2, 3], model)
    with pytest.raises(nll.errors.DataError, match=r"window \[0, 3\) have shape \(2, 5\)"):
        found.score([1, 2, 3, 0], lambda ids: model(ids)[1:])
