"""Variations of the formats, as servers and programs write them: read rightly, or refused with file and line."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

import nll

DataError = nll.errors.DataError


def chat(*entries, text, **more):
    return {"choices": [{"message": {"content": text, **more}, "logprobs": {"content": list(entries)}}]}


def entry(token, logprob, **more):
    return {"token": token, "logprob": logprob, **more}


A, B = entry("a", -1.0, bytes=[97]), entry("b", -0.5, bytes=[98])
TOP = [{"token": "a", "logprob": -1.0, "bytes": [97]}, {"token": "z", "logprob": -9999.0, "bytes": None}]
COMPLETION: dict[str, Any] = {"text": "ab", "logprobs": {"tokens": ["a", "b"], "token_logprobs": [-1.0, -0.5]}}
OPTION = {"logprob": -1.5, "rank": 1, "decoded_token": "b"}


def vllm(*entries, **more):
    return {"prompt": "ab", "choices": [{"text": "", "prompt_logprobs": list(entries), **more}]}


READ = {
    "chat, alternatives with sentinels": (chat({**A, "top_logprobs": TOP}, B, text="ab"), 1.5, 2, 2),
    "chat, bytes are null": (chat(entry("a", -1.0, bytes=None), entry("b", -0.5, bytes=None), text="ab"), 1.5, 2, 2),
    "chat, no bytes": (chat(entry("a", -1.0), entry("b", -0.5), text="ab"), 1.5, 2, 2),
    "chat, an end of turn": (chat(A, B, entry("<|im_end|>", -0.25, bytes=None), text="ab"), 1.75, 3, 2),
    "chat, an end of turn with bytes": (chat(A, B, entry("<e>", -0.25, bytes=[60, 101, 62]), text="ab"), 1.75, 3, 2),
    "chat, an empty end": (chat(A, B, entry("", -0.25, bytes=[]), text="ab"), 1.75, 3, 2),
    "chat, whole numbers": (chat({**A, "logprob": -1}, {**B, "logprob": 0}, text="ab"), 1.0, 2, 2),
    "chat, content is null": (
        {"choices": [{"message": {"content": None, "tool_calls": []}, "logprobs": {"content": [A, B]}}]}, 1.5, 2, 2,
    ),
    "chat, a refusal": (
        {"choices": [{"message": {"content": None, "refusal": "ab"},
                      "logprobs": {"content": None, "refusal": [A, B]}}]}, 1.5, 2, 2,
    ),
    "chat, nothing said": (chat(text=""), 0.0, 0, 0),
    "chat, unicode": (
        chat(entry("é", -1.0, bytes=[195, 169]), entry("\U0001f600", -0.5), text="é\U0001f600"), 1.5, 2, 6,
    ),
    "completions, alternatives": (
        {"choices": [{**COMPLETION, "logprobs": {**COMPLETION["logprobs"], "top_logprobs": [None, {"b": -0.5}],
                                                 "text_offset": [0, 1]}}]}, 1.5, 2, 2,
    ),
    "completions, an end of text": (
        {"choices": [{"text": "ab", "logprobs": {"tokens": ["a", "b", "</s>"], "token_logprobs": [-1, -0.5, -2]}}]},
        3.5, 3, 2,
    ),
    "vllm, ids": (vllm(None, {"7": OPTION, "9": OPTION}, prompt_token_ids=[1, 9]), 1.5, 1, 2),
    "vllm, no ids": (vllm(None, {"7": OPTION, "9": {**OPTION, "logprob": -3.0}}), 1.5, 1, 2),
    "vllm, null logprobs": (vllm(None, {"7": OPTION}, logprobs=None), 1.5, 1, 2),
    "vllm, at the top": ({"prompt": "ab", "prompt_logprobs": [None, {"7": OPTION}]}, 1.5, 1, 2),
    "vllm, what it wrote": (
        {"prompt": "ab", "choices": [{"text": "c", "prompt_logprobs": [None, {"7": OPTION}],
                                      "logprobs": {"tokens": ["c"], "token_logprobs": [-0.5]}}]}, 2.0, 2, 3,
    ),
    "llama.cpp, alternatives": (
        {"content": "ab", "completion_probabilities": [
            {"id": 1, "token": "a", "bytes": [97], "logprob": -1.0, "top_logprobs": TOP},
            {"id": 2, "token": "b", "bytes": [98], "logprob": -0.5, "top_logprobs": []}]}, 1.5, 2, 2,
    ),
    "llama.cpp, after sampling": (
        {"content": "a", "completion_probabilities": [
            {"id": 1, "token": "a", "bytes": [97], "prob": 0.5, "top_probs": []}]}, math.log(2.0), 1, 1,
    ),
    "hugging face, without a prompt": (
        {"generated_text": "ab", "details": {"finish_reason": "length", "prefill": [],
                                             "tokens": [{"id": 1, "text": "a", "logprob": -1.0, "special": False},
                                                        {"id": 2, "text": "b", "logprob": -0.5}]}}, 1.5, 2, 2,
    ),
    "ids and log_probs": ({"input_ids": [3, 4], "log_probs": [None, -0.5], "text": "ab"}, 0.5, 1, 2),
    "plain, values alone": ({"token_logprobs": [-1.0, -0.5]}, 1.5, 2, None),
    "plain, text alone": ({"text": "ab", "logprobs": [-1.0, -0.5]}, 1.5, 2, 2),
    "plain, tokens are null": ({"text": "ab", "tokens": None, "logprobs": [-1.0, -0.5]}, 1.5, 2, 2),
    "plain, a name that is a number": ({"id": 3.5, "text": "ab", "logprobs": [-1.0, -0.5]}, 1.5, 2, 2),
    "plain, fields of other meaning": ({"logprobs": [-1.0, -0.5], "choices": None, "usage": 3, "prompt": [1]},
                                       1.5, 2, None),
    "plain, a huge name": ({"id": 10**40, "logprobs": [-1.0, -0.5]}, 1.5, 2, None),
}  # fmt: skip


@pytest.mark.parametrize(("line", "nll_", "tokens", "text_bytes"), READ.values(), ids=READ)
def test_what_is_read(log, line, nll_, tokens, text_bytes):
    found = nll.tokens(log("a.jsonl", line, line))
    assert found.nll == pytest.approx(2.0 * nll_, rel=1e-15)
    assert found.tokens == 2 * tokens
    assert found.rates["text_bytes"].count == (None if text_bytes is None else 2 * text_bytes)


CHUNK = {"object": "chat.completion.chunk", "choices": [{"delta": {"content": "a"}, "logprobs": {"content": [A]}}]}
REFUSED = {
    "a chunk of a stream": (CHUNK, "no known format"),
    "an event of a stream": (b"data: " + json.dumps(CHUNK).encode(), "not valid JSON"),
    "the end of a stream": (b"data: [DONE]", "not valid JSON"),
    "no choices": ({"choices": []}, "no known format"),
    "a number as text": (chat({**A, "logprob": "-1.0"}, text="a"), "a number or null; found '-1.0'"),
    "minus infinity as text": (chat({**A, "logprob": "-Infinity"}, text="a"), "a number or null; found '-Infinity'"),
    "infinity": (b'{"logprobs": [-1.0, Infinity]}', "at most 0; found inf"),
    "NaN": (b'{"logprobs": [-1.0, NaN]}', "at most 0; found nan"),
    "null": (chat({**A, "logprob": None}, {**B, "logprob": None}, text="ab"), "token 1: the log-probability is null"),
    "a list of parts": (chat(A, text=[{"type": "text", "text": "a"}]), "the text is no string"),
    "no logprobs in the chat": ({"choices": [{"message": {"content": "a"}}]}, "choice 0 has no logprobs"),
    "empty logprobs": ({"choices": [{"message": {"content": "a"}, "logprobs": {}}]}, "is no list: None"),
    "a second choice without": (
        {"choices": [chat(A, text="a")["choices"][0], {"message": {"content": "b"}, "logprobs": None}]},
        "choice 1 has no logprobs",
    ),
    "vllm, infinity as text": (vllm(None, {"7": {**OPTION, "logprob": "-inf"}}), "a number or null; found '-inf'"),
    "vllm, more ids": (vllm(None, {"7": OPTION}, prompt_token_ids=[1, 7, 9]), "3 prompt_token_ids and 2 prompt"),
    "vllm, another id": (vllm(None, {"7": OPTION}, prompt_token_ids=[1, 8]), "not among its top tokens"),
    "a logprob above 0": (chat({**A, "logprob": 1e-9}, text="a"), "at most 0"),
    "tokens of numbers": ({"tokens": [1, 2], "logprobs": [-1.0, -0.5]}, "a token is a string; found 1"),
    "a list": (b"[]", "a line is one JSON object"),
    "two objects": (b'{"logprobs": [-1.0]} {"logprobs": [-1.0]}', "not valid JSON: Extra data"),
    "half a line": (b'{"logprobs": [-1.0', "not valid JSON"),
    "what is no UTF-8, in a field that nobody needs": (b'{"logprobs": [-1.0, -1.0], "note": "\xff"}', "not UTF-8"),
    "a digit too many": (b'{"logprobs": [-01.0, -1.0]}', "not valid JSON"),
    "a control character": (b'{"logprobs": [-1.0, -1.0], "note": "a\tb"}', "not valid JSON: Invalid control character"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(log, line, message):
    good = {"text": "ab", "logprobs": [-1.0, -0.5]}
    file = log("a.jsonl", good, line, good)
    with pytest.raises(DataError, match=rf"a\.jsonl:2: .*{message}"):
        nll.tokens(file)
    found = nll.tokens(file, bad_lines="skip")
    assert (found.nll, found.read, found.skipped) == (3.0, 3, 1)


def test_minus_infinity_and_its_kin_are_impossible(log):
    for value in ("-Infinity", "-1e400", "-9999.0", "-3.4028234663852886e+38", "-1e31"):
        line = b'{"text": "ab", "tokens": ["a", "b"], "logprobs": [-1.0, %s]}' % value.encode()
        found = nll.tokens(log("a.jsonl", line))
        assert (found.nll, found.nll_finite, found.impossible) == (math.inf, 1.0, 1), value


def test_lines_as_editors_and_systems_write_them(tmp_path):
    line = json.dumps({"id": "x", "text": "é", "tokens": ["é", ""], "logprobs": [-1.0, -0.5]}, ensure_ascii=False)
    file = tmp_path / "a.jsonl"
    for data, count in (
        (f"{line}\n{line}", 2),
        (f"{line}\r\n{line}\r\n", 2),
        (f"\ufeff{line}\n{line}\n", 2),
        (f"\n\n{line}\n \t\r\n  {line}  \n\n", 2),
        (f"{line}\n" * 3, 3),
        ("", 0),
        ("\n\r\n", 0),
    ):
        file.write_bytes(data.encode())
        found = nll.tokens(file)
        assert (found.documents, found.nll, found.read) == (count, 1.5 * count, count), data
    file.write_bytes(f"{line}\n\n\r\n{line[:-1]}\n".encode())
    with pytest.raises(DataError, match=r"a\.jsonl:4: not valid JSON"):
        nll.tokens(file)
    file.write_bytes(f"{line}\n".encode("utf-16"))
    with pytest.raises(DataError, match=r"a\.jsonl:\d: not valid JSON"):
        nll.tokens(file)


def test_a_line_longer_than_a_block(log):
    count = 70_000  # of more than a mebibyte
    line = {"text": "é" * count, "tokens": ["é"] * count, "logprobs": [-0.1] * count}
    found = nll.tokens(log("a.jsonl", line, {"logprobs": [-1.0, -0.5]}, line))
    assert found.nll == math.fsum([0.1] * 2 * count + [1.5])
    assert [each.line for each in found.each] == [1, 2, 3]
    assert found.each[2].scored_bytes == 2 * count
