"""Good inputs of every kind, from which the bad ones are made."""

from __future__ import annotations

import io
import json
import os
import random
from contextlib import chdir
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nll

ROWS = 12


@cache
def columns() -> dict[str, list[Any]]:
    """Return a small table: outcomes y, probabilities p, groups g, weights w, numbers x."""
    draw = random.Random(5)
    return {
        "y": [draw.randrange(2) for _ in range(ROWS)],
        "p": [draw.uniform(0.05, 0.95) for _ in range(ROWS)],
        "g": ["abc"[i % 3] for i in range(ROWS)],
        "w": [float(1 + i % 4) for i in range(ROWS)],
        "x": [draw.gauss(0.0, 2.0) for _ in range(ROWS)],
    }


@cache
def csv_texts() -> tuple[str, ...]:
    table = columns()
    plain = [",".join(table)] + [",".join(map(str, row)) for row in zip(*table.values(), strict=True)]
    quoted = ['"y","p","g"'] + [
        f'"{y}","{p!r}","{g}"' for y, p, g in zip(table["y"], table["p"], table["g"], strict=True)
    ]
    return "\n".join(plain) + "\n", "\n".join(quoted) + "\n"


@cache
def ndjson_texts() -> tuple[str, ...]:
    rows = [dict(zip(columns(), row, strict=True)) for row in zip(*columns().values(), strict=True)]
    nested = [{**row, "more": {"a": [1, 2], "b": None}} for row in rows[:4]]
    return tuple("\n".join(map(json.dumps, each)) + "\n" for each in (rows, nested))


@cache
def parquet_files() -> tuple[bytes, ...]:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table(columns())
    nulls = pa.table({"y": [1, 0, None, 1], "p": [0.5, None, 0.25, 0.75]})
    settings: list[dict[str, Any]] = [
        {"compression": "none"},
        {"compression": "snappy", "use_dictionary": False},
        {"compression": "zstd", "row_group_size": 5},
        {"compression": "gzip", "data_page_version": "2.0", "use_dictionary": False},
        {"compression": "none", "column_encoding": {"p": "BYTE_STREAM_SPLIT"}, "use_dictionary": ["g"]},
        {"compression": "none", "column_encoding": {"y": "DELTA_BINARY_PACKED"}, "use_dictionary": False},
    ]
    found: list[bytes] = []
    for each, options in [(table, option) for option in settings] + [(nulls, settings[0])]:
        out = io.BytesIO()
        parquet.write_table(each, out, **options)
        found.append(out.getvalue())
    return tuple(found)


@cache
def arrow_files() -> tuple[bytes, ...]:
    import polars as pl

    frame = pl.DataFrame(columns())
    found: list[bytes] = []
    for packing in ("uncompressed", "lz4", "zstd"):
        out = io.BytesIO()
        frame.write_ipc(out, compression=packing)
        found.append(out.getvalue())
    out = io.BytesIO()
    frame.with_columns(pl.col("g").cast(pl.Categorical), pl.col("y").cast(pl.Boolean)).write_ipc(out)
    return (*found, out.getvalue())


@cache
def log_lines() -> tuple[Any, ...]:
    """Return lines of every format of token logs."""
    entry = [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}, {"token": " you", "logprob": -1.5, "bytes": None}]
    prompt = [None, {"5": {"logprob": -2.0, "decoded_token": " a"}, "7": {"logprob": -0.1, "decoded_token": " b"}}]
    return (
        {"id": "a", "text": "Hi you", "tokens": ["Hi", " you"], "token_logprobs": [None, -1.5], "model": "m"},
        {"id": 7, "text": "h\u00e9 \U0001f600", "tokens": ["h", "\u00e9", " ", "\ufffd", "\ufffd"],
         "token_logprobs": [-1, -0.25, -3.0, -9999.0, -0.5], "span": [1, 3]},
        {"id": "c", "model": "m", "choices": [
            {"index": 0, "message": {"content": "Hi you"}, "logprobs": {"content": entry}}]},
        {"id": "d", "usage": {"prompt_tokens": 1}, "choices": [{"text": "Hi you", "logprobs": {
            "tokens": ["Hi", " you"], "token_logprobs": [None, -1.5], "text_offset": [0, 2],
            "top_logprobs": [None, {" you": -1.5}]}}]},
        {"prompt": "x a", "prompt_token_ids": [1, 5], "prompt_logprobs": prompt},
        {"content": "Hi you", "completion_probabilities": [
            {"token": "Hi", "logprob": -0.5}, {"token": " you", "logprob": -0.7}]},
        {"generated_text": "Hi", "details": {"prefill": [{"text": "x", "logprob": None}], "tokens": [
            {"text": "Hi", "logprob": -0.5, "special": False}]}},
        {"input_ids": [1, 2, 3], "token_logprobs": [-0.5, -0.25], "text": "abc"},
        {"custom_id": "q", "response": {"status_code": 200, "body": {"choices": [
            {"message": {"content": "Hi you"}, "logprobs": {"content": entry}}]}}},
    )  # fmt: skip


@cache
def saved_models() -> tuple[Any, ...]:
    """Return what is saved as JSON, as plain types."""
    y = [0.5, 1.25, 2.0, 0.75, 3.5, 1.0, 0.25, 1.5]
    groups = list("aabbaabb")
    made: list[Any] = [
        nll.fit(y, nll.Gamma),
        nll.fit(y, nll.Normal, fixed={"scale": 1.0}),
        nll.fit(y, nll.Exponential, by=groups),
        nll.fit([0, 1, 1, 2], nll.Categorical),
        nll.fit([[0.5, 1.0], [1.5, 0.0], [1.0, 3.0], [0.25, 2.0]], nll.MultivariateNormal),
        nll.fit([0, 1, 3, 0, 2, 5, 0, 1], nll.ZeroInflated(nll.Poisson)),
    ]
    fits = [json.loads(each.to_json()) for each in made]
    return tuple(fits)


@cache
def saved_distributions() -> tuple[Any, ...]:
    """Return distributions as plain types."""
    from nll.families.saving import to_dict

    own = nll.family("Wait", log_prob="log(r) - r*y", parameters={"r": "positive"}, support="nonnegative")
    made: list[Any] = [
        nll.Normal(0.0, 2.0),
        nll.Gamma(concentration="a", rate=0.5),
        nll.Categorical(probs=[0.2, 0.3, 0.5]),
        nll.Laplace(1.0, 2.0),
        nll.Mixture([nll.Normal(0.0, 1.0), nll.Normal("m", 2.0)], weights=[0.25, 0.75]),
        nll.Truncated(nll.Poisson(2.0), low=1),
        nll.ZeroInflated(nll.Poisson("mu"), gate=0.25),
        own(r=1.5),
    ]
    return tuple(json.loads(json.dumps(to_dict(each))) for each in made)


@cache
def saved_tallies() -> tuple[Any, ...]:
    """Return scores in the making as plain types."""
    table = columns()
    found: list[Any] = []
    for options in ({}, {"by": "g"}, {"sample_weight": "w"}, {"by": "g", "cluster": "w"}):
        tally = nll.Tally()
        tally.update("y", nll.Bernoulli(probs="p"), table, **options)
        found.append(json.loads(json.dumps(tally.to_dict())))
    return tuple(found)


@cache
def saved_states() -> tuple[Any, ...]:
    """Return what a checkpoint and a watch note of the files that `state_folder` makes."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        state_folder(folder)
        checkpointed(folder)
        watched(folder)
        found = [json.loads((folder / each).read_text()) for each in ("checkpoint.json", "watch.json")]
    return tuple(found)


def state_folder(folder: Path) -> None:
    """Write two files, the same each time, of which states are noted."""
    table = "y,p\n1,0.5\n0,0.25\n"
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text(table)
        os.utime(folder / name, ns=(10**18, 10**18))


def checkpointed(folder: Path) -> Any:
    """Score the files, from what is noted of them on."""
    with chdir(folder):
        return nll.score("y", nll.Bernoulli(probs="p"), data=["a.csv", "b.csv"], checkpoint="checkpoint.json")


def watched(folder: Path) -> Any:
    """Take the files that are not noted yet."""
    from nll.tasks.watch.drift import Baseline
    from nll.tasks.watch.watch import Watch

    watch = Watch(
        "y", nll.Bernoulli(probs="p"), width=3600.0, state=folder / "watch.json", baseline=Baseline(0.5), clip=1e-6
    )
    for name in ("a.csv", "b.csv"):
        if name not in watch.scored:
            with chdir(folder):
                watch.take(name)
    return watch


DISTRIBUTIONS = (
    "Normal(loc=mu, scale=2)",
    "Bernoulli(probs=p)",
    "Gamma(concentration=2.5, rate='a rate')",
    "Categorical(probs=[0.2, 0.3, 0.5])",
    "Mixture([Normal(0, 1), Normal(m, 2)], weights=[0.3, 0.7])",
    "ZeroInflated(Poisson(rate=lambda), gate=0.1)",
    "Truncated(Normal(0, 1), low=-1, high=2)",
    "Transformed(Normal(mu, s), exp)",
    "Hurdle(Gamma(2, 1), gate=0.3)",
    "NegativeBinomial(mean=2, size=3)",
)
FAMILIES = (
    "Normal",
    "NegativeBinomial(mean, size)",
    "Mixture(Normal, 2)",
    "Truncated(Poisson, low=1)",
    "Hurdle(Gamma)",
)
OWN = (
    "MyGamma: a*log(b) - lgamma(a) + (a-1)*log(y) - b*y; a positive; b positive; support positive",
    "Wait: log(r) - r*y; r positive; support nonnegative",
    "Step: where(y < a, -1.0, -abs(y - a)**2); a real; support real",
    "Coin: y*log(p) + (1 - y)*log1p(-p); p probability; support binary; discrete",
)
CONDITIONS = (
    "y = 1 AND p > 0.5", "g IN ('a', 'b')", "p BETWEEN 0.1 AND 0.9 OR NOT (y = 0)",
    "CASE WHEN y > 0 THEN p > 0.2 ELSE true END",
    "g LIKE 'a%' AND p IS NOT NULL", "CAST(y AS DOUBLE) / 2 < p",
)  # fmt: skip
COMMANDS = (
    ("score", "table.csv", "-y", "y", "-d", "Bernoulli(probs=p)"),
    ("score", "table.csv", "-y", "y", "-d", "Bernoulli(probs=p)", "--by", "g", "--json"),
    ("score", "table.csv", "-y", "y", "-d", "Bernoulli(probs=p)", "--where", "p > 0.3", "--clip", "1e-3", "--csv"),
    ("score", "table.csv", "-y", "x", "-d", "Normal(loc=0, scale=2)", "--sample-weight", "w", "--cluster", "g"),
    ("score", "table.csv", "-y", "g", "-d", "Categorical(probs=[0.3,0.3,0.4])", "--labels", "a,b,c"),
    ("score", "table.csv", "-y", "x", "-d", "A(s=2)", "--family", "A: -abs(y)/s - log(2*s); s positive"),
    ("score", "table.csv", "-y", "x", "-m", "model.json"),
    ("fit", "table.csv", "-y", "x", "-f", "Normal", "--by", "g"),
    ("fit", "table.csv", "-y", "w", "-f", "Exponential", "--json"),
    ("compare", "table.csv", "-y", "y", "-d", "a=Bernoulli(probs=p)", "-d", "b=Bernoulli(probs=0.5)"),
    ("decompose", "table.csv", "-y", "y", "-d", "Bernoulli(probs=p)"),
    ("tokens", "log.jsonl", "--by", "model", "--unit", "bits-per-byte"),
    ("compare-tokens", "a=log.jsonl", "b=log.jsonl"),
    ("check", "Normal(0, 1)"),
    ("families",),
)  # fmt: skip
