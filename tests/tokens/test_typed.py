"""The typed decoder and the sizes of all tokens at once say what the readers of formats say, or leave it to them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import nll
from nll.sources.tokens.read import Logs
from nll.tasks.tokens.batch import Reader
from nll.tasks.tokens.gather import Pass
from nll.tasks.tokens.summary import Choices

FOLDER = Path(__file__).parents[1] / "data" / "llm"
FILES = sorted(FOLDER.glob("*.jsonl"))
VALUES = (None, True, 0, -1, -2.5, 7, -9999.0, -1e30, 10**30, "", "x", "-1.5", "\ufffd", "é", [], [1], {}, {"a": 1})


def outcome(lines, typed, **options):
    """Everything that a pass says of lines, or its error."""
    logs, choices = Logs(["a.jsonl"], bad_lines=options.pop("bad_lines", "error")), Choices(**options)
    into = Pass(choices, "bits-per-byte")
    reader = Reader(logs, choices, into)
    if not typed:
        reader.is_typed = reader.is_ordinary = False
    try:
        reader.block("a.jsonl", 1, lines)
    except nll.errors.DataError as error:
        return str(error)
    found = into.finish(logs, "")
    total = getattr(found, "total", found)
    return repr((found.to_dict(), tuple(total.each), total.first_impossible, total.first_skipped, total.strides))


def same(lines, **options):
    fast, slow = (outcome(lines, typed, **options) for typed in (True, False))
    assert fast == slow, lines
    return fast


def reference():
    return [line for file in FILES for line in file.read_bytes().splitlines()]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"by": ("length", "format")},
        {"by": ("id",), "cluster": "id"},
        {"by": ("position",)},
        {"span": "answer", "bad_lines": "skip"},
        {"sentinel": "literal", "by": ("file",)},
        {"by": ("usage.prompt_tokens",), "bad_lines": "skip"},
    ],
    ids=str,
)
def test_reference_files(file, options):
    found = same(file.read_bytes().splitlines(), **options)
    assert "'nll':" in found


def test_most_lines_take_the_short_way(monkeypatch):
    singles = []
    monkeypatch.setattr(Reader, "single", lambda self, path, number, line: singles.append(number))
    lines = [line for line in reference() if b"-9999.0" not in line]
    outcome(lines, True)
    assert len(singles) <= len(lines) // 10


def paths(value, at=()):
    """The places of a JSON value."""
    yield at
    if isinstance(value, dict):
        for key in value:
            yield from paths(value[key], (*at, key))
    elif isinstance(value, list):
        for i in range(min(3, len(value))):
            yield from paths(value[i], (*at, i))


def changed(line, draw):
    """The line with another value in one of its places, or without it."""
    body = json.loads(line)
    places = [at for at in paths(body) if at]
    *outer, last = draw.choice(places)
    holder = body
    for key in outer:
        holder = holder[key]
    if draw.random() < 0.2:
        del holder[last]
    elif draw.random() < 0.2 and isinstance(holder, dict):
        holder[draw.choice(["token_logprobs", "tokens", "text", "prompt", "custom_id", "context", "details"])] = (
            draw.choice(VALUES)
        )
    else:
        holder[last] = draw.choice(VALUES)
    return json.dumps(body, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")


def short(line):
    """The line with its first tokens only, so that changes hit what matters."""
    body = json.loads(line)
    for each in [body, *body.get("choices", [])]:
        for name in ("tokens", "logprobs", "token_ids", "prompt_logprobs", "prompt_token_ids"):
            if isinstance(each.get(name), list):
                each[name] = each[name][:4]
            elif isinstance(each.get(name), dict):
                each[name] = {k: v[:4] for k, v in each[name].items() if isinstance(v, list)}
        if "text" in each and isinstance(each.get("tokens"), list):
            each["text"] = "".join(each["tokens"])
    return json.dumps(body).encode()


@pytest.mark.parametrize("seed", range(3))
def test_changed_values(seed):
    draw = random.Random(seed)
    lines = [short(line) for line in reference()]
    for _ in range(80):
        line = draw.choice(lines)
        for _ in range(draw.randint(1, 3)):
            line = changed(line, draw)
        same([line], **draw.choice([{}, {"missing": "drop"}, {"sentinel": "literal", "by": ("format",)}]))


@pytest.mark.parametrize("seed", range(3))
def test_changed_bytes(seed):
    draw = random.Random(seed)
    lines = [short(line) for line in reference()]
    for _ in range(80):
        data = bytearray(draw.choice(lines))
        for _ in range(draw.randint(1, 3)):
            i = draw.randrange(len(data))
            kind = draw.randrange(4)
            if kind == 0:
                data[i] = draw.randrange(256)
            elif kind == 1:
                del data[i : i + draw.randint(1, 9)]
            elif kind == 2:
                data[i:i] = draw.choice(
                    [b'"', b"\\", b",", b"\xff", b"\xc3", b"\\u00e9", b"\\ud800", b"NaN", b"[", b"1"]
                )
            else:
                j = draw.randrange(len(data))
                data[i:i] = data[j : j + draw.randint(1, 30)]
        same(bytes(data).split(b"\n"), missing="drop")


TOKENS = (
    ["ab", "cd"], ["", "ab"], ["<s>", "ab", "cd"], ["ab", "cd", "</s>"], ["<s>", "ab", "</s>"], ["▁ab", "▁cd"],
    ["<s>", "▁ab", "▁cd"], ["▁", "ab", "▁cd"], ["Ġab", "Ċ", "Ã", "©"], ["ab", "Ġ", "cd"], ["\\xc3", "\\xa9"],
    ["bytes:\\xc3", "bytes:\\xa9"], ["a", "\\xf0\\x9f", "\\x98\\x80"], ["<0x0A>", "a"], ["\ufffd", "a"],
    ['x", ', "y"], ['x",', "y"], ['a"', '", "'], ["a\\", "b"], ["\\", '"', ","], ["é", "\U0001f600"], [" ", "a", " "],
    ["\u2028", "a\x1cb", "\x85"], ["a", None, "b"], [None, "b", "c"], ["a", "a"], ["\x00", "b"],
)  # fmt: skip


def texts_of(tokens):
    """Texts that the tokens may be of, read in one way or another, and others."""
    known = [token or "" for token in tokens]
    joined = "".join(known)
    yield from (None, joined, "".join(known[1:]), "".join(known[:-1]), "".join(known[1:-1]), joined + "z")
    yield joined.replace("▁", " ")
    yield joined.replace("▁", " ").removeprefix(" ")
    yield "".join(known[1:]).replace("▁", " ").removeprefix(" ")
    yield "aé"
    yield "é"
    yield "ab\né"
    yield " ab\né"
    yield "a\U0001f600"


@pytest.mark.parametrize("tokens", TOKENS, ids=repr)
def test_ways_of_reading_tokens(tokens, monkeypatch):
    monkeypatch.setattr("nll.sources.tokens.read.EXAMPLES", 10**6)  # every bad line is told
    lines = [json.dumps(line, separators=s).encode() for line in lines_of(tokens) for s in ((", ", ": "), (",", ":"))]
    found = same(lines, missing="drop", bad_lines="skip")
    assert "DocumentScore" in found
    same(lines[:1])


def lines_of(tokens):
    """Lines of all formats that have these tokens, and texts that they may be of."""
    for text in texts_of(tokens):
        for first in (None, -1.0):
            values = [first, *[-0.5] * (len(tokens) - 1)]
            choice = {"text": text, "logprobs": {"tokens": tokens, "token_logprobs": values}}
            options = [
                {str(i): {"logprob": value, "decoded_token": token}}
                for i, (token, value) in enumerate(zip(tokens, values, strict=True))
            ]
            prompt = {"prompt": text, "prompt_logprobs": [None, *options[1:]] if first is None else options}
            yield {"id": 1, "text": text, "tokens": tokens, "token_logprobs": values}
            yield {"choices": [choice]}
            yield prompt
            yield {"choices": [{**choice, **prompt}]}
        entries = [{"token": token, "logprob": -0.5} for token in tokens]
        for chosen in (entries, [{**e, "bytes": list((e["token"] or "").encode())} for e in entries]):
            for last in ({}, {"bytes": None}, {"bytes": []}):
                content = [*chosen[:-1], {**chosen[-1], **last}]
                yield {"choices": [{"message": {"content": text}, "logprobs": {"content": content}}]}


def test_losses_of_all_sizes():
    for value in (-1e-300, -5e-324, -1e-28, -2047.0, -2048.0, -9998.0, -9999.0, -9999.5, -1e29, -1e30, -1e300, -0.0, 0):
        line = json.dumps({"token_logprobs": [value, -0.5, -1.5], "text": "abc"}).encode()
        same([line, line])


def test_a_batch_has_fields_in_two_places():
    body = {"id": "inner", "context": 8, "choices": [{"text": "ab", "logprobs": {"tokens": ["a", "b"],
            "token_logprobs": [-1, -2]}}] * 2}  # fmt: skip
    for outer in ({}, {"id": "outer"}, {"custom_id": "q"}, {"custom_id": None, "id": "o"}, {"stride": 3}):
        line = json.dumps({**outer, "response": {"status_code": 200, "body": body}, "error": None}).encode()
        same([line])
        same([line], by=("id",), bad_lines="skip")


@pytest.mark.parametrize("name", ["m", "m.n", "a.b", "text", "id", "context", "modle"])
def test_fields_to_group_by(name):
    lines = [
        {"id": 1, "text": "ab", "tokens": ["a", "b"], "token_logprobs": [-1, -2], "m": value, "a.b": 1, "context": 3}
        for value in ("x", 1, 10**30, 1.5, None, True, {"n": 2}, [1])
    ]
    for options in ({"by": (name,)}, {"cluster": name}):
        same([json.dumps(line).encode() for line in lines], bad_lines="skip", **options)
        for line in lines:
            same([json.dumps(line).encode()], **options)


OPTION = {"logprob": -0.5, "rank": 1, "decoded_token": "a"}


@pytest.mark.parametrize(
    "entry",
    [
        '{"5": {"logprob": -1, "decoded_token": "b"}, "6": null, "7": {"logprob": "x"}}',
        '{"6": {"logprob": -1, "decoded_token": "b"}, "5": {"logprob": -2, "decoded_token": "}{"}}',
        '{"5": {"logprob": -1, "decoded_token": "b"}, "\\u0035": {"logprob": -3, "decoded_token": "c"}}',
        '{"5": {"logprob": -1, "logprob": -4, "decoded_token": "b"}}',
        '{"5": null, "6": {"logprob": -1, "decoded_token": "b"}}',
        '{"6": {"logprob": -1, "decoded_token": "b"}}',
        '{"05": {"logprob": -1, "decoded_token": "b"}}',
        '{"5": {"logprob": NaN, "decoded_token": "b"}}',
        '{"5": [], "6": 1}',
        "{}",
        "null",
        "[]",
    ],
)
def test_options_of_a_prompt(entry):
    option = json.dumps({"5": OPTION})
    for entries in ([option, entry], ["null", entry], [entry, option], [option, entry, option]):
        for ids in ("", f', "prompt_token_ids": {[5] * len(entries)}', ', "prompt_token_ids": [5]'):
            line = '{"id": 1, "prompt_logprobs": [' + ", ".join(entries) + f"]{ids}}}"
            same([line.encode()], missing="drop", bad_lines="skip")
            same([line.encode()])
