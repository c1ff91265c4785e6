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


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.csv"
    path.write_text("t,died,low,high\n1.5,1,1,2\n2.5,0,2,\n3,2,4,3\n,1,0,1\n-1,1,,2\n")
    return path


def findings(result):
    assert result.exit_code == 1, result.output
    return {
        (f["column"] or f["name"], f["rule"]): f["rows"] for f in json.loads(result.stdout)["findings"] if f["rows"]
    }


def test_events_and_ends_of_intervals_are_checked(run, study):
    given = ("check", study, "-d", "Exponential(rate=1)", "--json")
    found = findings(run(*given, "-y", "t", "--event", "died"))
    assert found == {
        ("died", "1 (seen) or 0 (censored)"): 1, ("t", "present"): 1, ("t", "possible: at least 0 and finite"): 1
    }  # fmt: skip
    assert findings(run(*given, "--lower", "low", "--upper", "high")) == {("high", "at least the lower end"): 1}
    assert ("t", "present") in findings(run(*given, "-y", "t", "--low", "0.5"))
    for wrong, said in (
        (["--event", "died"], "which column was observed"),
        (["--lower", "low"], "--lower needs --upper"),
    ):
        shown = run(*given, *wrong)
        assert (shown.exit_code, said in shown.stderr) == (2, True), shown.output
    shown = run("check", "-d", "Exponential(rate=1)", "-y", "t")
    assert "which FILES hold them" in shown.stderr
