"""Each format by hand-made lines, whose NLL is their sum by hand."""

from __future__ import annotations

import gzip
import json
import math

import pyarrow as pa
import pytest

import nll
from nll.cli import tokens as command
from nll.results.tokens import UNITS
from nll.sources.tokens.formats import NAMES

DataError, UsageError = nll.errors.DataError, nll.errors.UsageError


def chat(*entries, text):
    return {"id": "x", "choices": [{"message": {"content": text}, "logprobs": {"content": list(entries)}}]}


def entry(token, logprob, data=None):
    return {"token": token, "logprob": logprob, "bytes": data}


PLAIN = {"id": "p", "text": "ab cd", "tokens": ["ab", " cd"], "token_logprobs": [-1.0, -2.0]}
VLLM = {
    "prompt": "ab cd",
    "choices": [
        {"text": "", "logprobs": None,
         "prompt_logprobs": [
             None,
             {"9": {"logprob": -0.5, "decoded_token": "x"}, "7": {"logprob": -2.0, "decoded_token": " cd"}},
         ],
         "prompt_token_ids": [1, 7]},
    ],
}  # fmt: skip
LLAMA = {
    "content": "é!",
    "completion_probabilities": [
        {"id": 1, "token": "\u00c3", "bytes": [0xC3], "logprob": -1.0},
        {"id": 2, "token": "", "bytes": [0xA9], "logprob": -2.0},
        {"id": 3, "token": "!", "bytes": [33], "logprob": -0.25},
    ],
}
LLAMA_OLD = {
    "content": "ab",
    "completion_probabilities": [
        {"content": "a", "probs": [{"tok_str": "z", "prob": 0.5}, {"tok_str": "a", "prob": 0.25}]},
        {"content": "b", "probs": [{"tok_str": "b", "prob": 0.5}]},
    ],
}
TGI = {
    "inputs": "Hi",
    "generated_text": " you",
    "details": {
        "prefill": [
            {"id": 1, "text": "<s>", "logprob": None, "special": True},
            {"id": 2, "text": "Hi", "logprob": -1.0},
        ],
        "tokens": [{"id": 3, "text": " you", "logprob": -0.5, "special": False}],
    },
}
HF_IDS = {"text": "Hi you", "input_ids": [4, 5, 6], "logprobs": [-1.0, -0.5]}
ECHO = {
    "choices": [{"text": "Q: A", "logprobs": {"tokens": ["Q", ":", " A"], "token_logprobs": [None, -1.0, -0.5]}}],
    "usage": {"prompt_tokens": 2},
}


@pytest.mark.parametrize(
    ("name", "line", "nll_", "tokens", "text_bytes", "scored_bytes"),
    [
        ("plain", PLAIN, 3.0, 2, 5, 5),
        ("vllm", VLLM, 2.0, 1, 5, 3),
        ("llama.cpp", LLAMA, 3.25, 3, 3, 3),
        ("llama.cpp", LLAMA_OLD, math.log(8.0), 2, 2, 2),
        ("huggingface", TGI, 1.5, 2, 6, 6),
        ("huggingface", HF_IDS, 1.5, 2, 6, None),
        ("completions", ECHO, 1.5, 2, 4, 3),
        ("openai-chat", chat(entry("\\xc3", -1.0, [0xC3]), entry("\\xa9", -0.5, [0xA9]), text="é"), 1.5, 2, 2, 2),
        ("openai-chat", chat(entry("\\xc3", -1.0), entry("\\xa9", -0.5), text="é"), 1.5, 2, 2, 2),
        ("completions", {"choices": [{"text": "é", "logprobs": {"tokens": ["bytes:\\xc3", "bytes:\\xa9"],
                                                               "token_logprobs": [-1, -1]}}]}, 2.0, 2, 2, 2),
    ],
)  # fmt: skip
def test_each_format(log, name, line, nll_, tokens, text_bytes, scored_bytes):
    file = log("a.jsonl", line)
    for form in (None, name):
        found = nll.tokens(file, format=form)
        assert found.nll == pytest.approx(nll_, rel=1e-15)
        assert found.tokens == tokens
        assert found.rates["text_bytes"].count == text_bytes
        assert found.rates["scored_bytes"].count == scored_bytes
    assert list(nll.tokens(file, by="format")) == [name]


@pytest.mark.parametrize(
    ("tokens", "text", "first"),
    [
        (["<s>", "▁Hi", "▁you", "<0xC3>", "<0xA9>"], "Hi youé", 0),
        (["Hi", "Ġyou", "Ã", "©"], "Hi youé", 2),
        (["<|begin|>", "Hi", " you", "<|end|>"], "Hi you", 0),
    ],
)
def test_tokens_as_vocabularies_write_them(log, tokens, text, first):
    line = {"id": 1, "text": text, "tokens": tokens, "token_logprobs": [None, *[-1.0] * (len(tokens) - 1)]}
    found = nll.tokens(log("a.jsonl", line))
    assert found.disagreeing == 0
    assert found.rates["scored_bytes"].count == len(text.encode()) - first


def test_tokens_that_do_not_give_the_text_are_counted(log):
    found = nll.tokens(log("a.jsonl", {**PLAIN, "tokens": ["ab", "zz"]}), unit="bits-per-scored-byte")
    assert found.disagreeing == 1
    assert found.nll == 3.0
    assert math.isnan(found.mean)
    assert found.bits_per_byte == pytest.approx(3.0 / 5.0 / math.log(2.0), rel=1e-15)
    assert any("1 document whose tokens do not give the text" in note for note in found.notes)


def test_lost_characters_are_found_in_the_text(log):
    prompt = [None, *({"1": {"logprob": -1.0, "decoded_token": t}} for t in ["\ufffd", "\ufffd", "b", "\ufffd\ufffd"])]
    line = {"id": 1, "prompt_logprobs": prompt}
    file = log("a.jsonl", line)
    assert nll.tokens(file).rates["scored_bytes"].count is None
    found = nll.tokens(file, texts=["aéb©"])
    assert (found.lost, found.rates["scored_bytes"].count) == (3, 5)
    # Which bytes are those of the first token, which is not in the log, stays open.
    assert nll.tokens(file, texts=["éé©b©"]).rates["scored_bytes"].count is None
    assert nll.tokens(file, texts=["aéc©"]).disagreeing == 1
    clean = [None, {"1": {"logprob": -1.0, "decoded_token": "a"}}, *prompt[1:]]
    found = nll.tokens(log("b.jsonl", {"prompt_logprobs": clean}), texts=["xaéb©"])
    assert found.rates["scored_bytes"].count == 6


def test_many_lost_characters_take_no_long(log):
    # Parts of the characters between are high bytes too: a search that goes back would take forever.
    names = ["\ufffd", "é"] * 2000
    prompt = [None, *({"1": {"logprob": -1.0, "decoded_token": t}} for t in names)]
    file = log("a.jsonl", {"prompt_logprobs": prompt})
    assert nll.tokens(file, texts=["ßé" * 2000]).rates["tokens"].count == 4000
    assert nll.tokens(file, texts=["xé" * 2000]).disagreeing == 1


def test_a_character_that_a_limit_cut(log):
    entries = [entry("a", -1.0, [97]), entry("\\xc3", -2.0, [0xC3])]
    for text, special, scored in (("a", 1, 1), ("a\ufffd", 0, 2)):
        found = nll.tokens(log("a.jsonl", chat(*entries, text=text)))
        assert (found.disagreeing, found.special, found.rates["scored_bytes"].count) == (0, special, scored)


def test_all_lines_bad_is_an_error(log):
    with pytest.raises(DataError, match=r"all 2 lines are bad; the first: .*no field 'modle'"):
        nll.tokens(log("a.jsonl", PLAIN, PLAIN), by="modle", bad_lines="skip")


def test_several_choices_are_documents_each(log):
    line = chat(entry("a", -1.0, [97]), text="a")
    line["choices"] *= 2
    found = nll.tokens(log("a.jsonl", line))
    assert [each.id for each in found.each] == ["x", "x#1"]
    assert found.nll == 2.0


def test_batches_of_openai(log):
    body = chat(entry("a", -1.0, [97]), text="a")
    line = {"id": "batch_1", "custom_id": "q7", "response": {"status_code": 200, "body": body}}
    assert nll.tokens(log("a.jsonl", line)).each[0].id == "q7"


def test_packed_files_are_the_same(log, tmp_path):
    file = log("a.jsonl", *[PLAIN] * 3)
    data = file.read_bytes()
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(data))
    zst = tmp_path / "a.jsonl.zst"
    with pa.CompressedOutputStream(str(zst), "zstd") as out:
        out.write(data)
    plain = nll.tokens(file)
    for other in (packed, zst):
        assert nll.tokens(other).rates == plain.rates
    assert nll.tokens(tmp_path).documents == 9
    assert nll.tokens(str(tmp_path / "*.jsonl*")).nll == 27.0
    packed.write_bytes(gzip.compress(data)[:-10])
    with pytest.raises(DataError, match=r"a\.jsonl\.gz: the file is broken"):
        nll.tokens(packed)
    zst.write_bytes(b"no zstd at all")
    with pytest.raises(DataError, match=r"a\.jsonl\.zst: the file is broken"):
        nll.tokens(zst)


BAD = [
    (b"{", "not valid JSON"),
    (b'{"a": "\xff"}', "not UTF-8"),
    (b"[1]", r"a line is one JSON object; found \[1\]"),
    ({"a": 1}, "no known format of log-probabilities; the line has a; known: vllm, openai-chat"),
    ({"error": {"message": "too long"}}, "the server answered with an error: too long"),
    ({**PLAIN, "token_logprobs": [-1.0]}, "2 tokens and 1 log-probabilities"),
    ({**PLAIN, "token_logprobs": [-1.0, 0.5]}, "token 1: a log-probability is at most 0; found 0.5"),
    ({**PLAIN, "token_logprobs": [-1.0, math.nan]}, "token 1: a log-probability is at most 0; found nan"),
    ({**PLAIN, "token_logprobs": [-1.0, "x"]}, "token 1: a log-probability is a number or null; found 'x'"),
    ({**PLAIN, "token_logprobs": [-1.0, True]}, "token 1: a log-probability is a number or null; found True"),
    ({**PLAIN, "token_logprobs": [-1.0, -(10**400)]}, "token 1: a log-probability is a number that a double holds"),
    ({**PLAIN, "token_logprobs": [-1.0, None]}, "token 1: the log-probability is null; missing='drop'"),
    ({**PLAIN, "text": 3}, "the text is no string: 3"),
    ({**PLAIN, "tokens": ["ab", 5]}, "a token is a string; found 5"),
    (b'{"text": "\\ud800", "token_logprobs": [-1.0]}', "half of a surrogate pair"),
    ({"choices": [{"message": {"content": "a"}, "logprobs": None}]}, "choice 0 has no logprobs"),
    (chat({"token": "a"}, text="a"), "token 0 has no logprob"),
    (chat(entry("a", -1.0, [300]), text="a"), "the bytes of a token are whole numbers from 0 to 255"),
    ({"prompt_logprobs": [None, {}]}, r"prompt_logprobs\[1\] is empty"),
    ({"prompt_logprobs": [None, {"1": {"logprob": -1.0}}], "prompt_token_ids": [1]}, "1 prompt_token_ids and 2"),
    ({"prompt_logprobs": [None, {"1": {"logprob": -1.0}}], "prompt_token_ids": [1, 2]}, "not among its top tokens"),
    ({"completion_probabilities": [{"content": "a", "probs": [{"tok_str": "a", "prob": 1.5}]}]}, "found 1.5"),
    ({"input_ids": [1, 2, 3], "logprobs": [-1.0]}, "3 input_ids and 1 logprobs"),
]


@pytest.mark.parametrize(("line", "message"), BAD)
def test_bad_lines_are_named_or_counted(log, line, message):
    file = log("bad.jsonl", PLAIN, line, PLAIN)
    with pytest.raises(DataError, match=rf"bad\.jsonl:2: .*{message}"):
        nll.tokens(file)
    found = nll.tokens(file, bad_lines="skip")
    assert (found.read, found.skipped, found.documents, found.nll) == (3, 1, 2, 6.0)
    assert "bad.jsonl:2" in found.first_skipped[0]
    assert any("1 of 3 lines skipped as bad" in note for note in found.notes)


def test_a_line_is_taken_whole_or_not_at_all(log):
    good, bad = ({"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": [v]}} for v in (-1.0, 1.0))
    file = log("a.jsonl", {"choices": [good, bad]}, PLAIN)
    assert nll.tokens(file, bad_lines="skip").nll == 3.0


def test_dropped_tokens_are_counted(log):
    top = {"prompt_logprobs": [None, {"1": {"logprob": -1.0, "decoded_token": "a"}}], "prompt_token_ids": [1, 2]}
    found = nll.tokens(log("a.jsonl", {**PLAIN, "token_logprobs": [-1.0, None]}, top), missing="drop")
    assert (found.null, found.outside, found.first, found.tokens, found.nll) == (1, 1, 1, 1, 1.0)
    assert any("1 token dropped: the log-probability is null" in note for note in found.notes)
    assert any("not among the top tokens" in note for note in found.notes)


@pytest.mark.parametrize("value", ["-9999.0", "-Infinity", "-3.4028234663852886e38"])
def test_probability_zero_in_its_spellings(log, value):
    line = json.dumps(PLAIN).replace("-2.0", value).encode()
    found = nll.tokens(log("a.jsonl", line))
    assert (found.nll, found.nll_finite, found.impossible, found.perplexity) == (math.inf, 1.0, 1, math.inf)
    assert found.first_impossible[0].endswith("a.jsonl:1, token 1")
    assert json.loads(found.to_json())["nll"] == "inf"


def test_minus_zero_is_no_negative_loss(log):
    found = nll.tokens(log("a.jsonl", {**PLAIN, "token_logprobs": [-0.0, 0]}))
    assert math.copysign(1.0, found.nll) == 1.0


def test_options_that_are_none(log):
    file = log("a.jsonl", PLAIN)
    for options, message in (
        ({"unit": "bits"}, "no unit 'bits'"),
        ({"format": "open-ai"}, "no format 'open-ai'"),
        ({"bad_lines": "drop"}, "bad_lines is"),
        ({"sentinel": "zero"}, "sentinel is impossible, literal, error; got 'zero'"),
        ({"missing": "zero"}, "missing is error, drop; got 'zero'"),
        ({"by": ["id", "id"]}, "twice"),
        ({"texts": ["ab cd", "b"]}, "texts has 2 texts, and the files have 1 documents"),
        ({"texts": ["a"]}, "another text than"),
        ({"texts": {"q": "a"}}, "texts has none for 'p'"),
    ):
        with pytest.raises((UsageError, DataError), match=message):
            nll.tokens(file, **options)
    with pytest.raises(DataError, match=r"a\.jsonl:1: no field 'modle'.*present: id, text"):
        nll.tokens(file, by="modle")
    with pytest.raises(UsageError, match="no such file"):
        nll.tokens(file.with_name("b.jsonl"))
    with pytest.raises(UsageError, match="no file of JSON lines"):
        nll.tokens(__file__)


def test_the_command_names_what_the_library_has():
    assert tuple(UNITS) == command.UNIT_NAMES
    assert command.FORMAT_NAMES == NAMES
