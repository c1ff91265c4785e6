import csv
import io
import json
import math
import re

import pytest

import nll

A, B = "a=Bernoulli(probs=p)", "b=Bernoulli(probs=0.5)"


def document(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def library(table, **options):
    models = {"a": nll.Bernoulli(probs="p"), "b": nll.Bernoulli(probs=0.5)}
    return json.loads(nll.compare("y", models, str(table), **options).to_json())


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ([], {}),
        (["--by", "g,h"], {"by": ["g", "h"]}),
        (["--cluster", "c"], {"cluster": "c"}),
        (["--sample-weight", "w"], {"sample_weight": "w"}),
        (["--reference", "b"], {"reference": "b"}),
        (["--level", "0.5"], {"level": 0.5}),
        (["--baseline"], {"baseline": True}),
        (["--where", "g = 'a'"], {"where": "g = 'a'"}),
        (["--clip", "0.3"], {"clip": 0.3}),
        (["--missing", "drop", "--threads", "2", "--no-progress"], {"missing": "drop"}),
    ],
)
def test_json_is_the_librarys(run, table, given, options):
    found = document(run("compare", table, "-y", "y", "-d", A, "-d", B, "--json", *given))
    assert found == library(table, **options)
    assert not options or options == {"missing": "drop"} or found != library(table)


def test_the_difference_is_that_of_two_scores(run, table):
    found = document(run("compare", table, "-y", "y", "-d", A, "-d", B, "--json"))
    means = {
        name: document(run("score", table, "-y", "y", "-d", text, "--json"))["mean"]
        for name, text in (each.split("=", 1) for each in (A, B))
    }
    worse = found["models"][1]
    assert worse["difference"] == pytest.approx(means[worse["model"]] - means[found["best"]], rel=1e-12)
    assert worse["difference"] > 0.0


def test_the_table_has_the_models_best_first(run, table):
    shown = run("compare", table, "-y", "y", "-d", A, "-d", B)
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert f"differences to the best, '{library(table)['best']}'" in shown.stdout
    assert (
        "differences to the reference 'b'"
        in run("compare", table, "-y", "y", "-d", A, "-d", B, "--reference", "b").stdout
    )


def test_wide_tables_are_not_broken_in_a_pipe(run, table):
    names = ["a model with a long name", "b model with a long name"]
    given = [word for name in names for word in ("-d", f"{name}=Bernoulli(probs={'p' if name[0] == 'a' else 0.5})")]
    shown = run("compare", table, "-y", "y", *given, "--by", "g,h").stdout
    lines = [line for line in shown.splitlines() if re.search(r"long name +\d", line)]
    assert len(lines) == 14
    assert sum(bool(re.search(r"\d to -?\d", line)) for line in lines) == 7


def test_csv_has_a_line_a_model_and_group(run, table):
    text = run("compare", table, "-y", "y", "-d", A, "-d", B, "--by", "g", "--csv").stdout
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["g"] for line in lines] == ["a", "a", "b", "b"]
    assert {line["model"] for line in lines} == {"a", "b"}


def test_a_model_without_a_name_is_called_by_its_text(run, table):
    texts = ["Bernoulli(probs=p)", "Bernoulli(probs=0.5)"]
    found = document(run("compare", table, "-y", "y", "-d", texts[0], "-d", texts[1], "--json"))
    assert {model["model"] for model in found["models"]} == set(texts)
    named = document(run("compare", table, "-y", "y", "-d", " my model = Bernoulli(probs=p)", "-d", B, "--json"))
    assert {model["model"] for model in named["models"]} == {"my model", "b"}


def test_a_saved_model_is_compared(run, table, tmp_path):
    out = tmp_path / "model.json"
    fitted = document(run("fit", table, "-y", "x", "-f", "Normal", "--json", "-o", out))
    given = ["-m", f"fitted={out}", "-d", "given=Normal(loc=mu, scale=1)", "--json"]
    found = document(run("compare", table, "-y", "x", *given))
    sums = {model["model"]: model["sum"] for model in found["models"]}
    assert sums["fitted"] == fitted["loss"]
    assert sums["given"] == nll.score("x", nll.Normal(loc="mu", scale=1), str(table)).sum


def test_the_skill_of_one_model_against_the_baseline(run, table):
    found = document(run("compare", table, "-y", "y", "-d", A, "--baseline", "--json"))
    models = {model["model"]: model for model in found["models"]}
    labels = [int(line.split(",")[0]) for line in table.read_text().splitlines()[1:]]
    share = sum(labels) / 60
    assert models["baseline"]["sum"] == pytest.approx(
        -60 * (share * math.log(share) + (1 - share) * math.log(1 - share)), rel=1e-12
    )
    assert models["a"]["skill"] == pytest.approx(1 - models["a"]["sum"] / models["baseline"]["sum"], rel=1e-12)


def test_a_model_against_itself(run, table):
    result = run("compare", table, "-y", "y", "-d", A, "-d", "same=Bernoulli(probs=p)", "--json")
    assert document(result)["models"][1]["difference"] == 0.0
    assert "exactly 0" in result.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["-d", A], "at least two models"),
        ([], "at least two models"),
        (["-d", A, "-d", A], "names 'a' twice"),
        (["-d", A, "-d", "b=Bernouli(probs=p)"], "did you mean 'Bernoulli'"),
        (["-d", A, "-d", "b=Bernoulli(probs=q)"], "no column 'q'"),
        (["-d", A, "-d", B, "--reference", "c"], "no model 'c'"),
        (["-d", A, "-d", B, "--level", "95"], "between 0 and 1"),
        (["-d", A, "-d", B, "--by", "g,g"], "each column once"),
        (["-d", A, "-d", B, "--json", "--csv"], "exclude each other"),
        (["-d", A, "-d", "b=Normal(0, 1)"], "the same measure"),
        (["-d", A, "-m", "b=none.json"], "no such file"),
        (["-d", A, "-d", "b="], "a column, a number"),
    ],
)
def test_calls_that_mean_nothing(run, table, given, words):
    result = run("compare", table, "-y", "y", *given)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


@pytest.mark.parametrize(("text", "words"), [("", "empty"), ("y,p\n1,\n", "missing"), ("y,p\n2,0.5\n", "0 or 1")])
def test_bad_data_is_1(run, tmp_path, text, words):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    result = run("compare", path, "-y", "y", "-d", A, "-d", B)
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.csv"
    rows = [f"{0.3 + 0.37 * i % 4!r},{int(i % 3 > 0)},{0.37 * i % 4!r},{i // 4}" for i in range(40)]
    path.write_text("\n".join(["t,died,low,site", *rows]) + "\n")
    return path


E, W = nll.Exponential(rate=0.5), nll.Exponential(rate=0.9)
SEEN = {
    "censored": (["-y", "t", "--event", "died"], nll.censored("t", "died")),
    "left": (["-y", "t", "--event", "died", "--side", "left"], nll.censored("t", "died", side="left")),
    "interval": (["--lower", "low", "--upper", "t"], nll.interval("low", "t")),
    "truncated": (["-y", "t", "--low", "0.1", "--high", "9"], nll.truncated("t", 0.1, 9.0)),
}


@pytest.mark.parametrize("kind", SEEN)
def test_observations_that_are_seen_in_part(run, study, kind):
    given, seen = SEEN[kind]
    models = ["-d", "e=Exponential(rate=0.5)", "-d", "w=Exponential(rate=0.9)"]
    found = document(run("compare", study, *given, *models, "--cluster", "site", "--json"))
    assert found == json.loads(nll.compare(seen, {"e": E, "w": W}, str(study), cluster="site").to_json())


def test_what_was_observed_must_be_said(run, study):
    models = ["-d", "e=Exponential(rate=0.5)", "-d", "w=Exponential(rate=0.9)"]
    shown = run("compare", study, *models)
    assert (shown.exit_code, "which column was observed" in shown.stderr) == (2, True)
    shown = run("compare", study, *models, "-y", "t", "--side", "left")
    assert "needs --event" in shown.stderr
