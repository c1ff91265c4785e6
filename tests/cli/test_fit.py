import csv
import io
import json
import math

import numpy as np
import polars as pl
import pytest

import nll


def document(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def waits(tmp_path):
    """Waiting times t with the mark `seen`, groups g, weights w, clusters c, ends lo and hi of intervals."""
    draw = np.random.default_rng(4)
    t = draw.gamma(2.0, 3.0, 90).round(6)
    seen = (draw.random(90) < 0.7).astype(int)
    upper = [value if s else None for value, s in zip(t.tolist(), seen.tolist(), strict=True)]
    table = {"t": t, "seen": seen, "g": ["abc"[i % 3] for i in range(90)], "w": [i % 4 for i in range(90)]}
    table |= {"lo": t, "hi": upper, "n": [5 + i % 3 for i in range(90)], "k": [i % 5 for i in range(90)]}
    path = tmp_path / "waits.csv"
    pl.DataFrame(table, strict=False).write_csv(path)
    return path


def test_the_table_and_the_json_are_the_librarys(run, waits):
    expected = nll.fit("t", nll.Gamma, str(waits))
    shown = run("fit", waits, "-y", "t", "-f", "Gamma")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert f"{expected.params['rate']:.6g}" in shown.stdout
    assert f"{expected.nll:.6g}" in shown.stdout
    assert all(line == line.rstrip() for line in shown.stdout.splitlines())
    found = document(run("fit", waits, "-y", "t", "-f", "Gamma", "--json", "--level", "0.5"))
    assert (found["params"], found["stderr"], found["loss"]) == (expected.params, expected.stderr, expected.nll)
    assert found["intervals"] == {name: list(ends) for name, ends in expected.ci(0.5).items()}


def test_one_parameter_is_its_closed_form(run, waits):
    t = pl.read_csv(waits)["t"]
    found = document(run("fit", waits, "-y", "t", "-f", "Exponential", "--json"))
    assert found["params"]["rate"] == pytest.approx(1.0 / t.mean(), rel=1e-12)
    assert found["stderr"]["rate"] == pytest.approx(1.0 / t.mean() / math.sqrt(90), rel=1e-9)


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (["--sample-weight", "w"], {"sample_weight": "w"}),
        (["--where", "g = 'a'"], {"where": "g = 'a'"}),
        (["--fixed", "concentration=2"], {"fixed": {"concentration": 2.0}}),
        (["--start", "rate=1", "--start", "concentration=3"], {"start": {"rate": 1.0, "concentration": 3.0}}),
        (["--threads", "2"], {"threads": 2}),
    ],
)
def test_options_are_the_librarys(run, waits, given, options):
    found = document(run("fit", waits, "-y", "t", "-f", "Gamma", "--json", *given))
    expected = nll.fit("t", nll.Gamma, str(waits), **options)
    assert (found["params"], found["loss"], found["k"]) == (expected.params, expected.nll, expected.k)


@pytest.mark.parametrize(
    ("given", "options"),
    [(["--cov", "robust"], {"cov": "robust"}), (["--cluster", "g"], {"cov": "cluster", "cluster": "g"})],
)
def test_errors_are_of_the_kind_that_is_asked_for(run, waits, given, options):
    found = document(run("fit", waits, "-y", "t", "-f", "Gamma", "--json", *given))
    expected = nll.fit("t", nll.Gamma, str(waits), **options).stderr
    assert found["stderr"] == pytest.approx(expected, rel=1e-12)
    assert found["stderr"] != nll.fit("t", nll.Gamma, str(waits)).stderr
    assert found["cov_type"] == options["cov"]


def test_a_parametrisation_and_a_column_of_known_values(run, waits):
    found = document(run("fit", waits, "-y", "k", "-f", "NegativeBinomial(mean, size)", "--json"))
    assert set(found["params"]) == {"mean", "size"}
    found = document(run("fit", waits, "-y", "k", "-f", "Binomial", "--fixed", "total_count=n", "--json"))
    table = pl.read_csv(waits)
    assert found["params"]["probs"] == pytest.approx(table["k"].sum() / table["n"].sum(), rel=1e-12)


def test_csv_has_a_line_a_parameter_with_its_level(run, waits):
    lines = list(
        csv.DictReader(io.StringIO(run("fit", waits, "-y", "t", "-f", "Gamma", "--csv", "--level", 0.9).stdout))
    )
    expected = nll.fit("t", nll.Gamma, str(waits)).ci(0.9)
    assert [line["parameter"] for line in lines] == ["concentration", "rate"]
    assert {line["parameter"]: (float(line["ci90_low"]), float(line["ci90_high"])) for line in lines} == expected


def test_groups_are_the_fits_of_their_rows(run, waits):
    text = run("fit", waits, "-y", "t", "-f", "Exponential", "--by", "g", "--csv").stdout
    lines = {line["g"]: line for line in csv.DictReader(io.StringIO(text))}
    rates = dict(pl.read_csv(waits).group_by("g").agg(1.0 / pl.col("t").mean()).iter_rows())
    assert {key: float(line["rate"]) for key, line in lines.items()} == pytest.approx(rates, rel=1e-12)
    shown = run("fit", waits, "-y", "t", "-f", "Exponential", "--by", "g")
    assert "3 groups, 0 not converged" in shown.stdout
    found = document(run("fit", waits, "-y", "t", "-f", "Exponential", "--by", "g", "--json"))
    assert [group["key"] for group in found["groups"]] == [["a"], ["b"], ["c"]]


class TestPartlySeen:
    def test_censored_exponential_is_events_over_time(self, run, waits):
        table = pl.read_csv(waits)
        found = document(run("fit", waits, "-y", "t", "--event", "seen", "-f", "Exponential", "--json"))
        assert found["params"]["rate"] == pytest.approx(table["seen"].sum() / table["t"].sum(), rel=1e-9)
        intervals = document(run("fit", waits, "--lower", "lo", "--upper", "hi", "-f", "Exponential", "--json"))
        assert intervals["params"]["rate"] == pytest.approx(found["params"]["rate"], rel=1e-9)

    def test_truncated_exponential_forgets_the_bound(self, run, waits):
        t = pl.read_csv(waits).filter(pl.col("t") >= 2.0)["t"]
        given = ["-y", "t", "--low", 2, "--where", "t >= 2", "-f", "Exponential", "--json"]
        found = document(run("fit", waits, *given))
        assert found["params"]["rate"] == pytest.approx(1.0 / (t.mean() - 2.0), rel=1e-9)

    def test_scores_take_them_too(self, run, waits):
        table = pl.read_csv(waits)
        given = ["-d", "Exponential(rate=0.25)", "--json"]
        found = document(run("score", waits, "-y", "t", "--event", "seen", *given))
        expected = 0.25 * table["t"].sum() - table["seen"].sum() * math.log(0.25)
        assert found["sum"] == pytest.approx(expected, rel=1e-13)
        left = document(run("score", waits, "-y", "t", "--event", "seen", "--side", "left", *given))
        expected = sum(
            0.25 * t - math.log(0.25) if seen else -math.log(-math.expm1(-0.25 * t))
            for t, seen in table.select("t", "seen").iter_rows()
        )
        assert left["sum"] == pytest.approx(expected, rel=1e-13)

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (["--lower", "lo"], "--lower needs --upper"),
            (["--upper", "hi"], "--upper needs --lower"),
            (["-y", "t", "--lower", "lo", "--upper", "hi"], "in the place of -y"),
            (["-y", "t", "--side", "left"], "it needs --event"),
            (["-y", "t", "--low", "nan"], "a bound is a column or a number"),
            ([], "which column was observed"),
        ],
    )
    def test_half_of_them_is_an_error(self, run, waits, given, words):
        for command in (["fit", waits, "-f", "Exponential"], ["score", waits, "-d", "Exponential(1)"]):
            result = run(*command, *given)
            assert (result.exit_code, result.stdout) == (2, "")
            assert words in result.stderr


class TestRanking:
    def test_the_best_is_first_and_written(self, run, waits, tmp_path):
        out = tmp_path / "best.json"
        result = run("fit", waits, "-y", "t", "-f", "Normal", "-f", "Gamma", "-f", "Exponential", "-o", out)
        assert result.exit_code == 0
        expected = sorted(
            (nll.fit("t", form, str(waits)).aic, form.__name__) for form in (nll.Normal, nll.Gamma, nll.Exponential)
        )
        names = [line.split()[0] for line in result.stdout.splitlines()[4:7]]
        assert names == [name for _, name in expected]
        assert nll.load(out).family.__name__ == names[0]

    def test_best_alone_takes_the_plausible_ones(self, run, waits):
        result = run("fit", waits, "-y", "k", "--best", "--criterion", "bic", "--csv")
        families = [line["family"] for line in csv.DictReader(io.StringIO(result.stdout))]
        assert {"Poisson", "Geometric"} <= set(families)
        assert "Normal" not in families
        assert "whole numbers" in result.stderr

    def test_none_that_fits_is_1(self, run, tmp_path):
        path = tmp_path / "same.csv"
        path.write_text("y\n2\n2\n2\n")
        result = run("fit", path, "-y", "y", "-f", "Normal", "-f", "Gamma", "-o", tmp_path / "m.json")
        assert result.exit_code == 1
        assert "Failed: Normal" in result.stdout
        assert not (tmp_path / "m.json").exists()


class TestNoMaximum:
    def test_it_says_why_and_writes_nothing(self, run, tmp_path):
        path, out = tmp_path / "same.csv", tmp_path / "model.json"
        path.write_text("y\n2\n2\n2\n")
        out.write_text("old")
        result = run("fit", path, "-y", "y", "-f", "Normal", "-o", out)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "unbounded" in result.stderr
        assert out.read_text() == "old"

    def test_a_group_without_one_is_named(self, run, tmp_path):
        path, out = tmp_path / "groups.csv", tmp_path / "model.json"
        path.write_text("y,g\n1,a\n2,a\n4,a\n3,b\n3,b\n")
        result = run("fit", path, "-y", "y", "-f", "Normal", "--by", "g", "-o", out)
        assert result.exit_code == 1
        assert "NOT CONVERGED" in result.stdout
        assert "g 'b'" in result.stderr
        assert "1 of 2 groups have no fit" in result.stderr
        assert not out.exists()


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (["-y", "t"], 2, "which family is fitted"),
        (["-y", "t", "--family", "Gamma"], 2, "-f names the one to fit"),
        (["-y", "t", "-f", "Gama"], 2, "did you mean 'Gamma'"),
        (["-y", "t", "-f", "Gamma(2, 1)"], 2, "--fixed concentration=2"),
        (["-y", "tt", "-f", "Gamma"], 2, "no column 'tt'"),
        (["-y", "g", "-f", "Gamma"], 1, "holds String, and a fit needs numbers"),
        (["-y", "k", "-f", "Binomial"], 2, "--fixed total_count=NUMBER"),
        (["-y", "t", "-f", "Gamma", "--fixed", "rate"], 2, "name=value"),
        (["-y", "t", "-f", "Gamma", "--fixed", "rate=1", "--fixed", "rate=2"], 2, "rate twice"),
        (["-y", "t", "-f", "Gamma", "--fixed", "rate=speed"], 2, "no column 'speed'"),
        (["-y", "t", "-f", "Gamma", "--fixed", "shape=1"], 2, "no parameter 'shape'"),
        (["-y", "t", "-f", "Gamma", "--start", "rate=x"], 2, "'x' is no number"),
        (["-y", "t", "-f", "Gamma", "--level", "95"], 2, "between 0 and 1"),
        (["-y", "t", "-f", "Gamma", "--json", "--csv"], 2, "exclude each other"),
        (["-y", "t", "-f", "Gamma", "--cluster", "g", "--cov", "robust"], 2, "--cluster goes with"),
        (["-y", "t", "-f", "Gamma", "--cov", "cluster"], 2, "needs --cluster COLUMN"),
        (["-y", "t", "-f", "Gamma", "-o", "model.txt"], 2, "must end in .json"),
        (["-y", "t", "--best", "--by", "g"], 2, "--by goes with one -f"),
        (["-y", "t", "--best", "--start", "rate=1"], 2, "--start goes with one -f"),
        (["-y", "t", "-f", "Poisson"], 1, "whole number"),
    ],
)
def test_calls_that_mean_nothing(run, waits, given, code, words):
    result = run("fit", waits, *given)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr
    assert result.stderr.startswith("error: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "empty"), ("y\n", "no rows"), ("y\n1\n\n", "missing"), ("y\n1\nNaN\n", ""), ("y\n1\nx\n", "numbers")],
)
def test_files_that_cannot_be_fitted(run, tmp_path, text, words):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    result = run("fit", path, "-y", "y", "-f", "Normal")
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr


class TestModels:
    @pytest.mark.parametrize(
        ("family", "more"), [("Gamma", []), ("Mixture(Gamma, 2)", []), ("Gamma", ["--fixed", "rate=0.5"])]
    )
    def test_a_saved_model_scores_as_the_fit(self, run, waits, tmp_path, family, more):
        out = tmp_path / "model.json"
        fitted = document(run("fit", waits, "-y", "t", "-f", family, *more, "--json", "-o", out))
        assert document(run("score", waits, "-y", "t", "-m", out, "--json"))["sum"] == fitted["loss"]

    def test_a_column_of_known_values_is_found_in_the_next_table(self, run, waits, tmp_path):
        out = tmp_path / "model.json"
        fitted = document(
            run("fit", waits, "-y", "k", "-f", "Binomial", "--fixed", "total_count=n", "--json", "-o", out)
        )
        assert document(run("score", waits, "-y", "k", "-m", out, "--json"))["sum"] == fitted["loss"]

    def test_saved_classes_are_loaded_and_score(self, run, waits, tmp_path):
        out = tmp_path / "model.json"
        fitted = document(run("fit", waits, "-y", "k", "-f", "Categorical", "--json", "-o", out))
        assert nll.score("k", nll.load(out).dist, str(waits)).sum == fitted["loss"]
        assert document(run("score", waits, "-y", "k", "-m", out, "--json"))["sum"] == fitted["loss"]
        joint = nll.joint({"a": {"y": [1.0], "family": nll.Exponential}, "b": {"y": [2.0], "family": nll.Exponential}})
        out.write_text(joint.to_json())
        result = run("score", waits, "-y", "t", "-m", out)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "holds a joint fit of a, b" in result.stderr

    def test_one_or_the_other(self, run, waits):
        for given in ([], ["-d", "Exponential(1)", "-m", "model.json"]):
            result = run("score", waits, "-y", "t", *given)
            assert result.exit_code == 2
            assert "-m FILE" in result.stderr

    def test_fits_by_group_are_refused(self, run, waits, tmp_path):
        out = tmp_path / "groups.json"
        assert run("fit", waits, "-y", "t", "-f", "Gamma", "--by", "g", "-o", out).exit_code == 0
        result = run("score", waits, "-y", "t", "-m", out)
        assert result.exit_code == 2
        assert "3 fits by g" in result.stderr

    def test_what_is_no_maximum_is_refused(self, run, waits, tmp_path):
        out = tmp_path / "model.json"
        run("fit", waits, "-y", "t", "-f", "Gamma", "-o", out)
        out.write_text(json.dumps(json.loads(out.read_text()) | {"converged": False, "warnings": ["it ran away"]}))
        result = run("score", waits, "-y", "t", "-m", out)
        assert result.exit_code == 2
        assert "it ran away" in result.stderr

    def test_no_such_file(self, run, waits):
        result = run("score", waits, "-y", "t", "-m", waits.with_name("model.json"))
        assert result.exit_code == 2
        assert "no such file" in result.stderr

    HOSTILE = (
        "",
        "[]",
        "null",
        "{" * 100_000,
        "[" * 100_000,
        '{"nll": "fit"}',
        '{"nll": "fit", "version": 1}',
        '{"nll": "fit", "version": 99}',
        "\x80",
    )

    @pytest.mark.parametrize("text", HOSTILE)
    def test_files_that_are_no_models(self, run, waits, tmp_path, text):
        path = tmp_path / "hostile.json"
        path.write_text(text, "latin-1")
        result = run("score", waits, "-y", "t", "-m", path)
        assert (result.exit_code in (1, 2), result.stdout) == (True, "")
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1

    @pytest.mark.parametrize(
        ("place", "value"),
        [
            (("family",), "__import__('os').system('touch owned')"),
            (("family", "form", "family"), "os.system"),
            (("family", "form"), {"combinator": "os.system", "parts": [], "options": {}}),
            (("family",), {"combinator": "Mixture", "parts": []}),
            (("params", "rate"), "1; import os"),
            (("params", "rate"), -1.0),
            (("params", "rate"), None),
            (("params", "rate"), [1.0]),
            (("params",), {}),
            (("params", "__class__"), 1.0),
            (("free",), ["rate", "rate"]),
            (("cov",), [[1.0]]),
            (("cov",), "x"),
            (("n",), -1),
            (("by_row",), {"rate": "/etc/passwd"}),
            (("by_row",), []),
        ],
    )
    def test_changed_models_are_errors_and_run_nothing(self, run, waits, tmp_path, monkeypatch, place, value):
        monkeypatch.chdir(tmp_path)
        out = tmp_path / "model.json"
        run("fit", waits, "-y", "t", "-f", "Gamma", "-o", out)
        saved = json.loads(out.read_text())
        at = saved
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = value
        out.write_text(json.dumps(saved))
        result = run("score", waits, "-y", "t", "-m", out)
        assert (result.exit_code in (1, 2), result.stdout) == (True, "")
        assert result.stderr.startswith("error: ")
        assert not (tmp_path / "owned").exists()
