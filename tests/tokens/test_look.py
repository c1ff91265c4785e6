"""One document of a log, token by token, with the alternatives of each format."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import nll

DataError, UsageError = nll.errors.DataError, nll.errors.UsageError
REFERENCE = Path(__file__).parents[1] / "data" / "llm"


@pytest.mark.parametrize(
    ("file", "line"),
    [("openai_chat.jsonl", 10), ("completions_echo.jsonl", 2), ("vllm_prompt_logprobs.jsonl", 11)],
)
def test_tokens_add_up_to_the_document(file, line):
    place = f"{REFERENCE / file}:{line}"
    found = nll.document_tokens(REFERENCE / file, place)
    whole = next(each for each in nll.tokens(REFERENCE / file).each if each.line == line)
    assert found.nll == pytest.approx(whole.nll, rel=1e-14)
    assert (found.scored, found.id) == (whole.tokens, whole.id)


def test_parts_of_characters_have_their_bytes():
    found = nll.document_tokens(REFERENCE / "openai_chat.jsonl", f"{REFERENCE / 'openai_chat.jsonl'}:10")
    flag = [token for token in found if token.text is None][:8]
    assert b"".join(token.data for token in flag) == "🇦🇷".encode()
    assert b"".join(token.data for token in found).decode().startswith("argentina is 🇦🇷; aries")
    assert found.bits_per_byte == pytest.approx(found.nll / math.log(2.0) / sum(len(t.data) for t in found), rel=1e-14)


def entry(token, value, *others):
    return {"token": token, "logprob": value, "top_logprobs": [{"token": t, "logprob": v} for t, v in others]}


TOP = [("b", -0.5), ("a", -1.0)]
LINES = {
    "openai-chat": {
        "choices": [
            {"message": {"content": "ab"}, "logprobs": {"content": [entry("a", -1.0, *TOP[::-1]), entry("b", -2.0)]}}
        ]
    },
    "completions": {
        "choices": [
            {
                "text": "ab",
                "logprobs": {
                    "tokens": ["a", "b"],
                    "token_logprobs": [-1.0, -2.0],
                    "top_logprobs": [{"a": -1.0, "b": -0.5}, None],
                },
            }
        ]
    },
    "vllm": {
        "prompt": "ab",
        "prompt_logprobs": [
            {"7": {"logprob": -1.0, "decoded_token": "a"}, "8": {"logprob": -0.5, "decoded_token": "b"}},
            {"8": {"logprob": -2.0, "decoded_token": "b"}},
        ],
    },
    "llama.cpp": {
        "content": "ab",
        "completion_probabilities": [entry("a", -1.0, *TOP), {"token": "b", "logprob": -2.0}],
    },
    "huggingface": {
        "generated_text": "ab",
        "details": {
            "tokens": [{"text": "a", "logprob": -1.0}, {"text": "b", "logprob": -2.0}],
            "top_tokens": [[{"text": t, "logprob": v} for t, v in TOP], []],
        },
    },
    "plain": {
        "text": "ab",
        "tokens": ["a", "b"],
        "token_logprobs": [-1.0, -2.0],
        "top_logprobs": [{"a": -1.0, "b": -0.5}, {}],
    },
}


@pytest.mark.parametrize("name", LINES)
def test_alternatives_of_each_format(log, name):
    found = nll.document_tokens(log("a.jsonl", LINES[name]))
    assert found.format == name
    assert [token.text for token in found] == ["a", "b"]
    assert [token.loss for token in found] == [1.0, 2.0]
    assert found[0].alternatives == tuple(TOP)


@pytest.mark.parametrize("wrong", [7, "x", [1, 2], {"a": "b"}, [[7], None], [{"a": None}, {"b": True}], [[{}], [{}]]])
def test_what_is_no_alternative_is_left_out(log, wrong):
    found = nll.document_tokens(log("a.jsonl", LINES["plain"] | {"top_logprobs": wrong}))
    assert [token.alternatives for token in found] == [(), ()]


def test_unscored_impossible_and_special(log):
    line = {"text": "ab", "tokens": ["<s>", "a", "b"], "token_logprobs": [None, -9999.0, -1.0]}
    found = nll.document_tokens(log("a.jsonl", line))
    assert [token.why for token in found] == ["first", "", ""]
    assert [token.data for token in found] == [b"", b"a", b"b"]
    assert (found[1].loss, found[1].sentinel, found.nll) == (math.inf, True, math.inf)
    assert nll.document_tokens(log("a.jsonl", line), sentinel="literal").nll == 10000.0
    with pytest.raises(DataError, match=r"a\.jsonl:1: token 1: .*sentinel"):
        nll.document_tokens(log("a.jsonl", line), sentinel="error")
    table = found.to_polars()
    assert table["nats"].to_list() == [None, math.inf, 1.0]
    assert table["token"].to_list() == ["<s>", "a", "b"]
    assert "'<s>'" in repr(found)


def test_which_document(log):
    one = {"token_logprobs": [-1.0], "tokens": ["a"]}
    file = log("a.jsonl", {"id": 1, **one}, {"id": "two", **one}, {"id": "two", **one})
    assert nll.document_tokens(file, 1).line == 1
    assert nll.document_tokens(file, f"{file}:3").line == 3
    with pytest.raises(UsageError, match=r"several documents are called 'two'; .*a\.jsonl:2, .*a\.jsonl:3"):
        nll.document_tokens(file, "two")
    with pytest.raises(UsageError, match=r"no document is called 'tow' \(did you mean 'two'\?\), of the 3 in the log"):
        nll.document_tokens(file, "tow")
    with pytest.raises(UsageError, match="there are 3 documents; say which"):
        nll.document_tokens(file)
    with pytest.raises(DataError, match=r"a\.jsonl:2: not valid JSON"):
        nll.document_tokens(log("a.jsonl", one, b"{"), "x")
    assert nll.document_tokens(log("a.jsonl", json.dumps(one).encode(), b"{"), bad_lines="skip").line == 1
