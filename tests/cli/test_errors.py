import pytest

P = "Bernoulli(probs=p)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-y", "y", "-d", "Bernouli(probs=p)"], "did you mean 'Bernoulli'"),
        (["-y", "y", "-d", "Bernoulli(prob=p)"], "did you mean 'probs'"),
        (["-y", "lable", "-d", P], "did you mean 'label'"),
        (["-y", "y", "-d", "Bernoulli(probs=q)"], "no column 'q'"),
        (["-y", "y", "-d", P, "--by", "gg"], "no column 'gg'"),
        (["-y", "y", "-d", P, "--by", "g,g"], "each column once"),
        (["-y", "y", "-d", P, "--by", ""], "each column once"),
        (["-y", "y", "-d", P, "--where", "q > 1"], "no column 'q'"),
        (["-y", "y", "-d", P, "--clip", "2"], "clip is a probability"),
        (["-y", "y", "-d", P, "--threads", "0"], "threads"),
        (["-y", "y", "-d", P, "--label-smoothing", "0.1"], "needs a Categorical"),
        (["-y", "y", "-d", P, "--json", "--csv"], "exclude each other"),
        (["-y", "y", "-d", P, "--units", "bytes"], "'bytes'"),
        (["-y", "y", "-d", P, "--rows", "rows.txt"], "must end in .parquet or .csv"),
        (["-y", "y", "-d", P, "--rows", "nowhere/rows.csv"], "there is no folder nowhere"),
        (["-y", "y", "-d", P, "--parquet", "scores.csv"], "must end in .parquet"),
        (["-y", "y"], "by -d EXPR, or by -m FILE"),
        (["-y", "y", "-d", P, "--nonsense"], "--nonsense"),
    ],
)
def test_bad_usage_is_2(run, table, arguments, message):
    result = run("score", table, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_file_that_is_not_there_is_2(run, table):
    result = run("score", table.with_name("tabel.csv"), "-y", "y", "-d", P)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "did you mean 'table.csv'" in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y,p\n1,0.5\n2,0.5\n", "must be 0 or 1"),
        ("y,p\n1,1.5\n", "must be in [0, 1]"),
        ("y,p\n1,\n", "missing"),
        ("y,p\nyes,0.5\n", "labels"),
        ("y,p\n1,high\n", "numbers are needed"),
        ("", "empty"),
    ],
)
def test_bad_data_is_1(run, tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    for more in ([], ["--json"]):
        result = run("score", path, "-y", "y", "-d", P, *more)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("error: ")
        assert message in result.stderr


def test_what_is_read_is_not_overwritten(run, table):
    before = table.read_bytes()
    result = run("score", table, "-y", "y", "-d", P, "--rows", table)
    assert result.exit_code == 2
    assert "would be overwritten" in result.stderr
    assert table.read_bytes() == before


def test_a_failure_leaves_the_old_output(run, tmp_path, monkeypatch):
    path, out = tmp_path / "data.csv", tmp_path / "rows.csv"
    path.write_text("y,p\n1,0.5\n")
    out.write_text("old")
    monkeypatch.setattr("nll.cli.output._write_csv", lambda frames, partial: (partial.write_text("half"), 1 / 0))
    with pytest.raises(ZeroDivisionError):
        raise run("score", path, "-y", "y", "-d", P, "--rows", out).exception
    assert out.read_text() == "old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["data.csv", "rows.csv"]


def test_a_file_that_cannot_be_written_is_1(run, table, tmp_path, monkeypatch):
    def full(frames, partial):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nll.cli.output._write_csv", full)
    result = run("score", table, "-y", "y", "-d", P, "--rows", tmp_path / "rows.csv")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "No space left" in result.stderr
