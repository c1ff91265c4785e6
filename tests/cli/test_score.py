import json
import math

import polars as pl
import pytest

import nll

P = "Bernoulli(probs=p)"


def document(result):
    """Return the one JSON document on stdout, refusing the NaN and Infinity that Python's parser lets pass."""
    assert result.exit_code == 0, result.output

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(result.stdout, parse_constant=refuse)


def library(table, **options):
    return nll.score("y", nll.Bernoulli(probs="p"), str(table), **options)


def test_the_table_shows_the_numbers(run, table):
    result = run("score", table, "-y", "y", "-d", P)
    expected = library(table)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert f"{expected.mean:.6g}" in result.stdout
    assert f"{expected.sum:.6g}" in result.stdout
    assert "\x1b" not in result.stdout


def test_json_is_the_librarys(run, table):
    found = document(run("score", table, "-y", "y", "-d", P, "--json"))
    expected = library(table)
    assert (found["sum"], found["mean"], found["stderr"]) == (expected.sum, expected.mean, expected.stderr)
    assert found["n"] == 60
    assert found["distribution"] == "Bernoulli(probs='p')"


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (["--sample-weight", "w"], {"sample_weight": "w"}),
        (["--cluster", "c"], {"cluster": "c"}),
        (["--where", "h > 0 AND g = 'a'"], {"where": "h > 0 AND g = 'a'"}),
        (["--clip", "0.3"], {"clip": 0.3}),
        (["--units", "bits"], {"units": "bits"}),
        (["--threads", "2"], {"threads": 2}),
        (["--missing", "drop", "--no-progress"], {"missing": "drop"}),
    ],
)
def test_options_are_the_librarys(run, table, given, options):
    found = document(run("score", table, "-y", "y", "-d", P, "--json", *given))
    expected = json.loads(library(table, **options).to_json())
    assert found == expected
    assert options.keys() & {"threads", "missing"} or found != json.loads(library(table).to_json())


@pytest.mark.parametrize("given", [["--by", "g,h"], ["--by", "g", "--by", "h"], ["--by", "g , h"]])
def test_by_is_repeated_or_has_commas(run, table, given):
    found = document(run("score", table, "-y", "y", "-d", P, "--json", *given))
    assert found == json.loads(library(table, by=["g", "h"]).to_json())
    assert len(found["groups"]) == 6


def test_groups_as_a_table_and_as_csv(run, table):
    shown = run("score", table, "-y", "y", "-d", P, "--by", "g")
    assert [line.split()[0] for line in shown.stdout.splitlines()[4:7]] == ["a", "b", "all"]
    lines = run("score", table, "-y", "y", "-d", P, "--by", "g", "--csv").stdout.splitlines()
    assert lines[0].startswith("g,n,weight,sum,mean")
    assert [line.split(",")[:2] for line in lines[1:]] == [["a", "30"], ["b", "30"]]


def test_text_labels_and_number_labels(run, table):
    expected = document(run("score", table, "-y", "y", "-d", P, "--json"))
    text = document(run("score", table, "-y", "label", "-d", P, "--json", "--labels", "no, yes"))
    assert text["sum"] == expected["sum"]
    flipped = document(run("score", table, "-y", "y", "-d", P, "--json", "--labels", "1,0"))
    assert flipped["sum"] != expected["sum"]
    wrong = run("score", table, "-y", "y", "-d", P, "--labels", "no,yes")
    assert wrong.exit_code == 2
    assert "holds numbers" in wrong.stderr


def test_label_smoothing(run, tmp_path):
    path = tmp_path / "classes.csv"
    path.write_text("y,a,b,c\n0,1.0,0.5,-1\n2,0.1,0.2,0.3\n")
    found = document(
        run("score", path, "-y", "y", "-d", "Categorical(logits=[a,b,c])", "--label-smoothing", 0.1, "--json")
    )
    logits = [[1.0, 0.5, -1.0], [0.1, 0.2, 0.3]]
    expected = 0.0
    for y, z in zip((0, 2), logits, strict=True):
        normaliser = math.log(sum(map(math.exp, z)))
        expected += sum((normaliser - each) * (0.1 / 3 + (0.9 if k == y else 0.0)) for k, each in enumerate(z))
    assert found["sum"] == pytest.approx(expected, rel=1e-14)


def test_several_files_and_a_pattern(run, table, tmp_path):
    second = tmp_path / "table2.csv"
    second.write_bytes(table.read_bytes())
    for files in ([table, second], [tmp_path / "table*.csv"]):
        assert document(run("score", *files, "-y", "y", "-d", P, "--json"))["n"] == 120


def test_infinities_and_nothing_are_valid_json_with_a_note(run, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("y,p,g\n1,0,a\n1,0.5,b\n")
    result = run("score", path, "-y", "y", "-d", P, "--by", "g", "--json")
    found = document(result)
    assert [group["sum"] for group in found["groups"]] == ["inf", math.log(2.0)]
    assert found["groups"][1]["stderr"] is None
    assert "note: 1 of 2 rows" in result.stderr
    nothing = document(run("score", path, "-y", "y", "-d", P, "--where", "p > 2", "--json"))
    assert (nothing["n"], nothing["sum"], nothing["mean"]) == (0, 0.0, None)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_rows_are_written_in_order(run, table, tmp_path, suffix):
    out = tmp_path / f"rows.{suffix}"
    assert run("score", table, "-y", "y", "-d", P, "--rows", out, "--units", "bits").exit_code == 0
    found = pl.read_csv(out) if suffix == "csv" else pl.read_parquet(out)
    expected = nll.rows("y", nll.Bernoulli(probs="p"), str(table)) / math.log(2.0)
    assert found.columns == ["row", "loss"]
    assert found["row"].to_list() == list(range(60))
    assert found["loss"].to_list() == expected.tolist()
    assert [each.name for each in tmp_path.iterdir() if "partial" in each.name] == []


def test_a_dropped_row_has_no_loss(run, tmp_path):
    path, out = tmp_path / "gap.csv", tmp_path / "rows.parquet"
    path.write_text("y,p\n1,0.5\n1,\n0,0.5\n")
    result = run("score", path, "-y", "y", "-d", P, "--missing", "drop", "--rows", out, "--csv")
    assert "note: 1 of 3 rows dropped" in result.stderr
    assert pl.read_parquet(out)["loss"].to_list() == [math.log(2.0), None, math.log(2.0)]


def test_scores_are_written_as_parquet_beside_what_is_printed(run, table, tmp_path):
    out = tmp_path / "scores.parquet"
    found = document(run("score", table, "-y", "y", "-d", P, "--by", "g", "--parquet", out, "--json"))
    written = pl.read_parquet(out)
    assert written["g"].to_list() == ["a", "b"]
    assert written["sum"].to_list() == [group["sum"] for group in found["groups"]]


@pytest.mark.parametrize("output", ["--json", "--csv", None])
def test_many_groups_go_into_the_file_alone(run, table, tmp_path, monkeypatch, output):
    out = tmp_path / "scores.parquet"
    arguments = ["score", table, "-y", "y", "-d", P, "--by", "g,h", "--parquet", out]
    few = run(*arguments, "--csv").stdout
    expected = pl.read_parquet(out)
    monkeypatch.setattr("nll.tasks.groups.MOST_HELD", 2)
    found = run(*arguments, *([output] if output else []))
    assert found.exit_code == 0
    assert pl.read_parquet(out).sort("g", "h").equals(expected)
    if output == "--json":
        assert json.loads(found.stdout) | {"total": 0} == {
            "by": ["g", "h"], "written": str(out), "count": 6, "total": 0
        }  # fmt: skip
    elif output == "--csv":
        assert sorted(found.stdout.splitlines()) == sorted(few.splitlines())
    else:
        assert f"6 groups are in {out}" in found.stderr
