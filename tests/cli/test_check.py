import json

import pytest


@pytest.fixture
def wrong(tmp_path):
    path = tmp_path / "wrong.csv"
    path.write_text("label,p,s\n1,0.5,1\n0,1.2,0\n1,,-2\n0,0.3,1\n")
    return path


def test_a_distribution_is_checked(run):
    shown = run("check", "-d", "StudentT(df=0.5, loc=0, scale=1e-6)")
    assert shown.exit_code == 0
    assert "normalised" in shown.stdout
    document = json.loads(run("check", "-d", "Poisson(3)", "--json").stdout)
    assert (document["ok"], document["measure"]) == (True, "mass")


def test_a_clean_table(run, table):
    shown = run("check", table, "-d", "Bernoulli(probs=p)", "-y", "y")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "60 rows read; all is well" in shown.stdout


def test_a_table_with_faults_ends_with_1_and_names_them_all(run, wrong):
    shown = run("check", wrong, "-d", "Normal(loc=p, scale=s)", "-y", "label")
    assert shown.exit_code == 1
    assert "0 in row 1 of" in shown.stdout
    assert "-2 in row 2 of" in shown.stdout
    assert "an empty cell in row 2" in shown.stdout
    found = run("check", wrong, "-d", "Bernoulli(probs=p)", "--json")
    assert found.exit_code == 1
    rules = {(f["name"], f["rule"]): f["rows"] for f in json.loads(found.stdout)["findings"]}
    assert rules == {("probs", "in [0, 1]"): 1, ("probs", "present"): 1}


def test_rows_are_chosen(run, wrong):
    assert run("check", wrong, "-d", "Normal(loc=0, scale=s)", "--where", "s > 0").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-d", "Normal(loc=mu, scale=1)"], "which FILES hold them"),
        (["-d", "Normal(loc=0, scale=1)", "-y", "label"], "which FILES hold them"),
        (["-d", "Norml(0, 1)"], "did you mean 'Normal'"),
        (["missing.csv", "-d", "Bernoulli(probs=p)"], "missing.csv"),
    ],
)
def test_calls_that_mean_nothing(run, arguments, words):
    result = run("check", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_help(run):
    assert run("check", "-h").stdout.startswith("Usage: nll check")
