"""Laws over random logs: any bytes, any cut into tokens, any split of files."""

from __future__ import annotations

import json
import math
import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import nll

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(lambda text: "\ufffd" not in text)
VALUE = st.floats(-1e5, 0.0).filter(lambda value: value != -9999.0)


@st.composite
def documents(draw):
    """Lines in the form of a chat, cut at any byte: token strings are of no use, bytes are."""
    found = []
    for i in range(draw(st.integers(1, 5))):
        text = draw(TEXT)
        data = text.encode()
        cuts = sorted(draw(st.sets(st.integers(1, max(1, len(data) - 1)), max_size=6)) | {0, len(data)})
        pieces = [data[a:b] for a, b in pairwise(cuts)]
        content = [
            {"token": piece.decode("utf-8", "backslashreplace"), "bytes": list(piece), "logprob": draw(VALUE)}
            for piece in pieces
        ]
        found.append({"id": i, "choices": [{"message": {"content": text}, "logprobs": {"content": content}}]})
    return found


def written(folder, name, lines):
    path = Path(folder) / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


@settings(max_examples=60, deadline=None)
@given(documents(), st.integers(0, 5))
def test_bytes_and_sums(lines, split):
    with tempfile.TemporaryDirectory() as folder:
        whole = nll.tokens(written(folder, "a.jsonl", lines))
        texts = [line["choices"][0]["message"]["content"] for line in lines]
        values = [-e["logprob"] for line in lines for e in line["choices"][0]["logprobs"]["content"]]
        assert whole.nll == math.fsum(values)
        assert whole.disagreeing == whole.special == 0
        size = sum(len(text.encode()) for text in texts)
        assert whole.rates["text_bytes"].count == whole.rates["scored_bytes"].count == size
        assert whole.rates["chars"].count == sum(map(len, texts))
        parts = [part for part in (lines[split:], lines[:split]) if part]
        files = [written(folder, f"b{i}.jsonl", part) for i, part in enumerate(parts)]
        assert nll.tokens(files).rates == whole.rates


@settings(max_examples=60, deadline=None)
@given(documents())
def test_escaped_tokens_with_a_text_are_as_good_as_bytes(lines):
    with tempfile.TemporaryDirectory() as folder:
        plain = []
        for line in lines:
            content = line["choices"][0]["logprobs"]["content"]
            own = {"text": line["choices"][0]["message"]["content"], "tokens": [e["token"] for e in content]}
            plain.append({"id": line["id"], **own, "token_logprobs": [e["logprob"] for e in content]})
        files = written(folder, "a.jsonl", lines), written(folder, "b.jsonl", plain)
        one, two = map(nll.tokens, files)
        assert two.rates["scored_bytes"].count == one.rates["scored_bytes"].count
        found = nll.compare_tokens(*files)
        assert found["b"].difference == 0.0
