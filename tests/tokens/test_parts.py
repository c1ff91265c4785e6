"""Files in parts, read by several processes or unpacked ahead: the same bits as in one piece; compact documents."""

from __future__ import annotations

import gzip
import itertools
import json
import math
import os
import pickle
import random
import subprocess
import threading
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

import nll
from nll.engines.processes import in_processes
from nll.results.moments import UNIT, clustered
from nll.sources.tokens import lines as reading
from nll.sources.tokens.ahead import ReadAhead
from nll.sources.tokens.lines import blocks, parts
from nll.states.documents import COUNTS, TO_FINEST, Moments, Part, Rows, exact_count
from nll.states.stretches import LONGEST, exact_sums
from nll.tasks.tokens import sections
from nll.tasks.tokens.gather import Pass
from nll.tasks.tokens.rates import rate
from nll.tasks.tokens.summary import Choices

DataError = nll.errors.DataError


def documents(count, seed=1):
    draw = random.Random(seed)
    found = []
    for i in range(count):
        words = [draw.choice(["ab", " cd", "é", "\n"]) for _ in range(draw.randint(2, 30))]
        values = [-draw.expovariate(0.5) for _ in words]
        line = {"id": i, "text": "".join(words), "tokens": words, "logprobs": values, "kind": draw.choice("xyz")}
        if i % 7 == 0:
            del line["id"]
        if i % 11 == 0:
            values[-1] = -9999.0
        found.append(line)
    return found


def told(found):
    total = getattr(found, "total", found)
    return found.to_json(), tuple(total.each), total.first_impossible, total.first_skipped, total.mean


@pytest.fixture
def small(monkeypatch):
    """Files in many small parts, all of them worth a process."""
    monkeypatch.setattr(sections, "WORTH_A_PROCESS", 1)
    monkeypatch.setattr(sections, "SECTION", 3000)


@pytest.mark.usefixtures("small")
def test_any_number_of_processes_gives_the_same(log, tmp_path):
    good = documents(60)
    file = log("a.jsonl", *good[:30], b"{", *good[30:], b"[]", b"nothing")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(file.read_bytes()))
    for options in ({}, {"by": "kind"}, {"by": ["kind", "position"]}, {"cluster": "kind"}):
        one, three = (nll.tokens(tmp_path, bad_lines="skip", threads=n, **options) for n in (1, 3))
        assert told(one) == told(three)
    assert one.read == 126


@pytest.mark.usefixtures("small")
def test_the_first_bad_line_is_named_whoever_finds_it(log):
    good = documents(60)
    file = log("a.jsonl", *good[:31], b"{", *good[31:], b"[]")
    for threads in (1, 2):
        with pytest.raises(DataError, match=r"a\.jsonl:32: not valid JSON"):
            nll.tokens(file, threads=threads)
    with pytest.raises(nll.errors.UsageError, match="threads is a whole number"):
        nll.tokens(file, threads=0)


def test_small_files_start_no_process(log, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    assert nll.tokens(log("a.jsonl", *documents(3)), threads=8).documents == 3


def die_elsewhere(here, job):
    if os.getpid() != here:
        os._exit(3)
    return job * job


def fail(at, job):
    if job == at:
        raise DataError(f"job {job}")
    return job


def test_a_process_that_dies_does_no_harm():
    answers = in_processes(partial(die_elsewhere, os.getpid()), iter(range(40)), 3)
    assert list(answers) == [i * i for i in range(40)]


def test_answers_come_in_order_and_so_do_errors():
    found = []
    with pytest.raises(DataError, match=r"^job 17$"):
        found.extend(in_processes(partial(fail, 17), iter(range(40)), 2))
    assert found == list(range(17))

    def broken():
        yield 1
        raise DataError("no more")

    for processes in (1, 2):
        with pytest.raises(DataError, match="no more"):
            list(in_processes(partial(fail, 9), broken(), processes))


def test_parts_and_blocks_are_whole_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "BLOCK", 40)
    file = tmp_path / "a.jsonl"
    for end in ("", "\n", "\n\n"):
        file.write_text("\n".join(str(i) * (i % 9) for i in range(60)) + end)
        whole = file.read_bytes().split(b"\n")
        for size in (1, 13, 200, 10**6):
            found = {}
            for start, stop, first in parts(str(file), size):
                for number, block in blocks(str(file), start, stop, first):
                    found |= dict(enumerate(block, number))
            assert [found.get(i + 1, b"") for i in range(len(whole))] == whole


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize("size", [2, 7, 1 << 20])
def test_lines_are_those_of_the_file(tmp_path, monkeypatch, ending, size):
    monkeypatch.setattr(reading, "BLOCK", size)
    for data in (b"", b"\n", b"a", b"a\n", b"\n\na\r\n\nbb\x0bc\x85\n  \nd", b"x" * 30 + b"\n" + b"y" * 8):
        path = tmp_path / f"log.jsonl{ending}"
        path.write_bytes(packed(data, ending))
        found = [(first + i, line) for first, block in blocks(str(path)) for i, line in enumerate(block)]
        wanted = data.removesuffix(b"\n").split(b"\n") if data else []
        assert found == list(enumerate(wanted, 1))


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_line_that_is_no_document_is_not_read_whole(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(reading, "LONGEST_LINE", 10)
    path = tmp_path / f"log.jsonl{ending}"
    path.write_bytes(packed(b"a\n" + b"0" * 9 + b"\n", ending))
    assert [line for _, block in blocks(str(path)) for line in block] == [b"a", b"0" * 9]
    path.write_bytes(packed(b"a\n" + b"0" * 11, ending))
    with pytest.raises(nll.errors.DataError, match="more than 10 bytes"):
        list(blocks(str(path)))


def packed(data, ending):
    """The data as a file of this name has them."""
    if ending == ".gz":
        return gzip.compress(data)
    return pa.compress(data, codec="zstd", asbytes=True) if ending else data


def test_reading_ahead_ends_with_its_reader():
    with ReadAhead(itertools.count(), 2) as ahead:
        assert list(itertools.islice(ahead, 5)) == [0, 1, 2, 3, 4]
    assert not any(thread.name == "nll-ahead" for thread in threading.enumerate())

    def broken():
        yield 1
        raise DataError("broken")

    with ReadAhead(broken(), 2) as ahead, pytest.raises(DataError, match="broken"):
        assert [next(iter(ahead)), *ahead]


def test_sums_of_stretches():
    draw = np.random.default_rng(2)
    lengths = [1, 5, 2, LONGEST - 1, LONGEST, LONGEST + 1, 3 * LONGEST + 7, 4, 1, 2]
    values = draw.random(sum(lengths)) * 2.0 ** draw.integers(-40, 11, sum(lengths))
    starts = np.cumsum([0, *lengths[:-1]])
    values[starts[1]], values[starts[2]], values[starts[7]] = 2.0**-1074, 2.0**11, -1.0
    values[starts[8]], values[starts[9]] = 2.0**-142, np.nextafter(2048.0, 0.0)
    sums, wrong = exact_sums(values, starts)
    assert wrong.tolist() == [False, True, True, False, False, False, False, True, False, False]
    for i, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        if not wrong[i]:
            assert sums[i] << TO_FINEST == exact_count(values[start : start + length].tolist())


def parted(count, seed=3):
    draw = random.Random(seed)
    for _ in range(count):
        counts = [0] * len(COUNTS)
        counts[0], counts[1] = draw.randint(1, 30), 1
        sizes = [draw.randint(1, 99) for _ in range(4)]
        yield Part(draw.getrandbits(140) << TO_FINEST, 0, counts, [*sizes])


def test_moments_are_those_of_the_documents():
    every = list(parted(40))
    rows = Rows(
        [part.loss >> TO_FINEST for part in every],
        {"tokens": [part.counts[0] for part in every]},
        [[part.sizes[k] for part in every] for k in range(4)],
    )
    assert [rows.part(i) for i in range(40)] == every
    one, two, together = Moments(), Moments(), Moments()
    for part in every:
        one.add(part)
    two.add_rows(rows)
    for some in (range(17, 40), range(17)):
        own = Moments()
        own.add_rows(rows.take(list(some)))
        together.merge(own)
    assert one == two == together
    for name, weights in (("tokens", [p.counts[0] for p in every]), ("chars", [p.size("chars") or 0 for p in every])):
        expected = clustered([(part.loss, weight * UNIT) for part, weight in zip(every, weights, strict=True)])
        found = rate(one, name)
        assert found.count == sum(weights)
        assert (found.mean, found.stderr) == pytest.approx((expected.mean, expected.stderr), rel=1e-15)


def test_moments_of_what_is_unknown_or_nothing():
    sums = Moments()
    sums.add(Part(0, 0, [0, 1, *[0] * 7], [5, 0, 5, 1]))
    assert (sums.clusters, sums.total.size("chars")) == (0, 5)
    assert math.isnan(rate(sums, "tokens").mean)
    sums.add(Part(UNIT, 0, [2, 1, *[0] * 7], [5, None, 5, 1]))
    assert rate(sums, "scored_bytes").count is None
    assert (rate(sums, "chars").mean, rate(sums, "tokens").mean) == (0.1, 0.5)
    assert math.isnan(rate(sums, "tokens").stderr)
    same = Moments()
    for _ in range(3):
        same.add(Part(7 * UNIT // 3, 0, [2, 1, *[0] * 7], [5, 5, 5, 1]))
    assert rate(same, "words").stderr == 0.0


def test_documents_take_little_memory(log):
    found = nll.tokens(log("a.jsonl", *[{**line, "id": f"document {i}"} for i, line in enumerate(documents(2000))]))
    columns = found.each.columns
    arrays = [columns.path, columns.finite, *columns.numbers.values()]
    assert sum(each.itemsize * len(each) for each in arrays) <= 90 * 2000
    assert found.each[-1] == found.each[1999] == list(found.each)[1999]
    assert found.each[3].id == "document 3"
    assert [each.line for each in found.each[5:8]] == [6, 7, 8]
    with pytest.raises(IndexError):
        found.each[2000]
    assert pickle.loads(pickle.dumps(found)).each == found.each
    assert found.document_table()["nll_finite"].sum() == pytest.approx(found.nll_finite, rel=1e-12)


def test_passes_merge(log):
    lines = documents(30)
    files = [log(f"{name}.jsonl", *lines[a:b]) for name, a, b in (("a", 0, 12), ("b", 12, 30))]
    choices = Choices(("kind",))
    merged = Pass(choices, "nats-per-token")
    logs = [nll.tasks.tokens.tokens.Logs.open(each) for each in (files, files[0], files[1])]
    whole = sections.read_all(logs[0], choices, "nats-per-token")
    for own in logs[1:]:
        merged.merge(sections.read_all(own, choices, "nats-per-token"))
    assert told(whole.finish(logs[0], "")) == told(merged.finish(logs[0], ""))
    assert json.loads(whole.finish(logs[0], "").to_json())["total"]["documents"] == 30
