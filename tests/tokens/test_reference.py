"""All values of the reference logs: per document and in total, to 1e-12."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import nll

FOLDER = Path(__file__).parents[1] / "data" / "llm"
EXPECTED = json.loads((FOLDER / "expected.json").read_text("utf-8"))
NAMES = [name for name in EXPECTED if isinstance(EXPECTED[name], dict) and "documents" in EXPECTED[name]]


def close(value):
    return pytest.approx(math.inf if value is None else value, rel=1e-12)


def scored(name):
    documents = EXPECTED[name]["documents"]
    texts = [each["text"] for each in documents] if "text" in documents[0] else None
    return nll.tokens(FOLDER / f"{name}.jsonl", texts=texts, sentinel="literal")


@pytest.mark.parametrize("name", NAMES)
def test_documents(name):
    found = scored(name)
    assert len(found.each) == len(EXPECTED[name]["documents"]) == found.documents
    for own, expected in zip(found.each, EXPECTED[name]["documents"], strict=True):
        assert own.line == expected["line"] + 1
        assert own.tokens == expected["scored_tokens"]
        assert own.nll == close(expected["nll"])
        assert own.nll_per_token == close(expected["nll_per_token"])
        assert own.nll_per_token / math.log(2.0) == close(expected["bits_per_token"])
        assert own.perplexity == close(expected["perplexity"])
        assert own.text_bytes == expected["utf8_bytes_text"]
        assert own.scored_bytes == expected["utf8_bytes_scored"]
        assert own.bits_per_scored_byte == close(expected["bits_per_byte_scored"])
        assert own.bits_per_byte == close(expected["bits_per_byte_text"])
        assert own.nll / own.text_bytes == close(expected["nll_per_byte_text"])
        assert own.chars == expected["chars"]
        assert own.bits_per_char == close(expected["bits_per_char"])
        assert own.sentinels == expected.get("sentinel_tokens", 0)


@pytest.mark.parametrize("name", NAMES)
def test_totals(name):
    found, total = scored(name), EXPECTED[name]["total"]
    assert found.nll == close(total["nll"])
    assert found.tokens == total["scored_tokens"]
    assert found.perplexity == close(total["perplexity_token_weighted"])
    assert found.mean_document_perplexity == close(total["mean_of_document_perplexities"])
    assert found.bits_per_byte == close(total["bits_per_byte_text"])
    assert found.bits_per_scored_byte == close(total["bits_per_byte_scored"])
    assert found.rates["text_bytes"].count == total["utf8_bytes_text"]


def test_sentinels_are_impossible_unless_told_otherwise():
    found = nll.tokens(FOLDER / "openai_chat_sentinel.jsonl")
    expected = EXPECTED["openai_chat_sentinel"]["documents"]
    count = sum(each["sentinel_tokens"] for each in expected)
    assert (found.sentinels, found.impossible) == (count, count)
    assert found.nll == found.perplexity == found.bits_per_byte == math.inf
    for own, each in zip(found.each, expected, strict=True):
        assert own.nll_finite == close(each["nll_of_other_tokens"])
        assert own.nll == float(each["true_nll"])
    assert any("sentinel" in note and "probability 0" in note for note in found.notes)
    with pytest.raises(nll.errors.DataError, match=r"openai_chat_sentinel\.jsonl:1: token 1: .*-9999\.0, a sentinel"):
        nll.tokens(FOLDER / "openai_chat_sentinel.jsonl", sentinel="error")


def test_the_plain_format_is_the_chat():
    plain, chat = (nll.tokens(FOLDER / name) for name in ("plain_token_logprobs.jsonl", "openai_chat.jsonl"))
    assert [each.nll for each in plain.each] == [each.nll for each in chat.each]
    assert plain.rates == chat.rates
    assert plain.disagreeing == plain.lost == 0


def test_counts_of_vllm():
    found = scored("vllm_prompt_logprobs")
    documents = EXPECTED["vllm_prompt_logprobs"]["documents"]
    assert found.first == len(documents)
    # The first token stands for no text where it is the beginning of the sequence.
    assert found.special == sum(each["bos"] for each in documents)
    assert found.lost > 0
    alone = nll.tokens(FOLDER / "vllm_prompt_logprobs.jsonl")
    assert alone.nll == found.nll
    assert math.isnan(alone.bits_per_byte)
