"""Files that arrive are scored once, in windows, across restarts, and a drift is told at the right rate."""

import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import nll
from nll.errors import DataError, UsageError
from nll.tasks.watch import watch as module
from nll.tasks.watch.drift import Baseline, begin, bounds_of, read_baseline
from nll.tasks.watch.watch import Watch

MODEL = nll.Normal(loc=0.0, scale=1.0)
HOUR = 3600.0
MEAN = 0.5 * np.log(2.0 * np.pi) + 0.5  # of the loss of a Normal under itself


def put(folder: Path, name: str, y: object, hour: float = 0.5) -> str:
    path = folder / name
    pl.DataFrame({"y": y}).write_parquet(path)
    os.utime(path, (hour * HOUR, hour * HOUR))
    return str(path)


def watched(tmp_path: Path, **options) -> Watch:
    return Watch("y", MODEL, **{"width": HOUR, "state": tmp_path / "state.json", **options})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def test_each_file_is_scored_once_in_its_window(folder: Path, tmp_path: Path):
    values = np.random.default_rng(1).normal(size=(4, 50))
    for k, hour in enumerate((0.2, 0.9, 1.0, 5.5)):
        put(folder, f"{k}.parquet", values[k], hour)
    watch = watched(tmp_path)
    assert [watch.take(path).window[11:16] for path in watch.arrived(folder, settled=True)] == [
        "00:00",
        "00:00",
        "01:00",
        "05:00",
    ]
    assert watch.arrived(folder, settled=True) == []
    assert watch.total.score().sum == nll.score(values.ravel(), MODEL).sum
    assert watch.windows["1970-01-01T00:00:00+00:00"].tally.score().sum == nll.score(values[:2].ravel(), MODEL).sum
    assert watch.current() is watch.windows["1970-01-01T05:00:00+00:00"]


def test_a_file_is_taken_when_nobody_writes_to_it(folder: Path, tmp_path: Path):
    watch = watched(tmp_path)
    path = put(folder, "a.parquet", [0.0])
    assert watch.arrived(folder) == []
    put(folder, "a.parquet", [0.0, 1.0], hour=0.6)
    assert watch.arrived(folder) == []
    assert watch.arrived(folder) == [path]


def test_other_files_are_let_alone(folder: Path, tmp_path: Path):
    (folder / "_tmp").mkdir()
    for name in (".a.parquet", "_tmp/b.parquet", "c.parquet"):
        put(folder, name, [0.0])
    (folder / "notes.txt").write_text("no data")
    assert [Path(path).name for path in watched(tmp_path).arrived(folder, settled=True)] == ["c.parquet"]


def test_what_is_known_survives_a_restart(folder: Path, tmp_path: Path):
    one, two = put(folder, "a.parquet", [0.5, 1.0]), put(folder, "b.parquet", [2.0], 7.0)
    first = watched(tmp_path, baseline=Baseline(MEAN))
    first.take(one)
    again = watched(tmp_path, baseline=Baseline(MEAN))
    assert again.arrived(folder, settled=True) == [two]
    again.take(two)
    straight = watched(tmp_path, baseline=Baseline(MEAN), state=tmp_path / "other.json")
    for path in straight.arrived(folder, settled=True):
        straight.take(path)
    saved = [json.loads((tmp_path / name).read_text()) for name in ("state.json", "other.json")]
    assert saved[0] == saved[1]
    assert saved[0]["files"] == 2


def test_a_file_that_breaks_is_told_and_tried_when_it_changes(folder: Path, tmp_path: Path):
    path = folder / "a.parquet"
    path.write_bytes(b"PAR1 no")
    watch = watched(tmp_path)
    assert "cannot be read" in watch.take(str(path)).error
    assert (watch.files, watch.failures, watch.total.score().n) == (0, 1, 0)
    assert watch.arrived(folder, settled=True) == []
    put(folder, "a.parquet", [1.0])
    assert watch.take(watch.arrived(folder, settled=True)[0]).error == ""
    assert watched(tmp_path).failed == {}


def test_a_file_that_changes_after_its_score_is_counted(folder: Path, tmp_path: Path):
    watch = watched(tmp_path)
    watch.take(put(folder, "a.parquet", [1.0]))
    put(folder, "a.parquet", [1.0, 2.0], hour=2.0)
    assert (watch.arrived(folder, settled=True), watch.changed, watch.total.score().n) == ([], 1, 1)
    (folder / "a.parquet").unlink()
    assert watch.arrived(folder) == []
    put(folder, "a.parquet", [3.0], hour=3.0)  # another file, of a name that had gone
    assert len(watch.arrived(folder, settled=True)) == 1


def test_a_file_that_changes_while_it_is_read_is_not_counted(folder: Path, tmp_path: Path, monkeypatch):
    path = put(folder, "a.parquet", [1.0])
    monkeypatch.setattr(Watch, "_score", lambda *_: put(folder, "a.parquet", [9.0, 9.0], 4.0) and (nll.Tally(), None))
    watch = watched(tmp_path)
    assert "changed while it was read" in watch.take(path).error
    assert watch.total.score().n == 0


def test_old_windows_go_into_the_total(folder: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(module, "WINDOWS_KEPT", 2)
    watch = watched(tmp_path)
    for k in range(4):
        watch.take(put(folder, f"{k}.parquet", [float(k)], k))
    assert [start[11:13] for start in watch.windows] == ["02", "03"]
    assert watch.total.score().n == 4


def test_a_drift_raises_one_alert_a_window(folder: Path, tmp_path: Path):
    rng = np.random.default_rng(3)
    watch = watched(tmp_path, baseline=Baseline(MEAN))
    good = [watch.take(put(folder, f"g{k}.parquet", rng.normal(size=2_000), 0.5)) for k in range(3)]
    bad = [watch.take(put(folder, f"b{k}.parquet", rng.normal(0.8, 1.0, 8_000), 1.5)) for k in range(3)]
    assert [arrival.alert for arrival in good] == [""] * 3
    assert "above 1.41894" in bad[0].alert
    assert [arrival.alert for arrival in bad[1:]] == [""] * 2
    assert list(watch.alerts) == ["1970-01-01T01:00:00+00:00"]
    assert watched(tmp_path, baseline=Baseline(MEAN)).alerts == watch.alerts


def test_impossible_rows_are_an_alert(folder: Path, tmp_path: Path):
    watch = Watch("y", nll.Exponential(rate=1.0), width=HOUR, state=tmp_path / "s.json", baseline=Baseline(1.0))
    assert watch.take(put(folder, "a.parquet", [1.0, -1.0])).alert == "1 rows were impossible under the model"


def test_the_errors_of_all_windows_add_up_to_alpha():
    baseline = Baseline(0.5)
    bounds = bounds_of(baseline, True, 0.01)
    spent = [1.0 - begin(k, 0.1, baseline, bounds).level for k in range(1, 2_000)]
    assert spent == sorted(spent, reverse=True)
    assert 0.0999 < sum(spent) <= 0.1
    assert bounds == (-0.5, pytest.approx(-np.log(0.01) - 0.5))
    assert bounds_of(baseline, False, 0.01) is None
    assert bounds_of(baseline, True, None) is None


def test_a_baseline_is_read_from_scores_and_fits(tmp_path: Path):
    y = np.random.default_rng(4).normal(size=500)
    score, fit = nll.score(y, MODEL), nll.fit(y, nll.Normal)
    (tmp_path / "score.json").write_text(score.to_json())
    (tmp_path / "fit.json").write_text(fit.to_json())
    assert read_baseline(str(tmp_path / "score.json")) == Baseline(score.mean, score.stderr)
    assert read_baseline(str(tmp_path / "fit.json")).mean == pytest.approx(fit.nll / 500, rel=1e-15)
    assert read_baseline("0.25") == Baseline(0.25)
    by = nll.score(y, MODEL, by=(y > 0).astype(int))
    (tmp_path / "by.json").write_text(by.to_json())
    assert read_baseline(str(tmp_path / "by.json")) == Baseline(score.mean, score.stderr)
    (tmp_path / "bits.json").write_text(score.to("bits").to_json())
    for text, error in (("inf", UsageError), ("nothing.json", UsageError), (str(tmp_path / "bits.json"), DataError)):
        with pytest.raises(error):
            read_baseline(text)
    for text in ("{}", "[]", "[[", '{"mean": "x"}', '{"mean": 1e999, "stderr": 0}'):
        (tmp_path / "odd.json").write_text(text)
        with pytest.raises(DataError):
            read_baseline(str(tmp_path / "odd.json"))


def test_a_state_of_another_watch_is_refused(tmp_path: Path):
    watched(tmp_path)
    with pytest.raises(UsageError, match=r"was begun with window = 3600\.0"):
        watched(tmp_path, width=60.0)
    with pytest.raises(UsageError, match="was begun with baseline"):
        watched(tmp_path, baseline=Baseline(1.0))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"nll": "tally"}', '{"nll": "watch", "version": 9}',
                                  '{"nll": "watch", "version": 1}'])  # fmt: skip
def test_a_state_that_is_none_is_refused_and_left(tmp_path: Path, text: str):
    (tmp_path / "state.json").write_text(text)
    with pytest.raises((DataError, UsageError)):
        watched(tmp_path)
    assert (tmp_path / "state.json").read_text() == text


@pytest.mark.parametrize("options", [{"width": 0.0}, {"width": np.inf}, {"alpha": 0.0}, {"alpha": 1.0}])
def test_options_are_checked(tmp_path: Path, options: dict):
    with pytest.raises(UsageError):
        watched(tmp_path, **options)
