import re
import shlex
import sys
from importlib.util import find_spec

import polars as pl
import pytest

import nll
from nll.cli import demo
from nll.families import families
from nll.families.expression import COMBINED, parse_distribution, parse_family


def test_version(run):
    assert run("--version").stdout == f"nll {nll.__version__}\n"


@pytest.mark.parametrize(
    "command", [[], ["score"], ["fit"], ["compare"], ["families"], ["plot"], ["plot", "loss"], ["demo"]]
)
def test_help(run, command):
    result = run(*command, "-h")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: nll")


def test_families_come_from_the_registry(run):
    shown = run("families").stdout
    for family in families().values():
        for form in family.forms:
            assert form.signature() in shown
    assert re.search(r"Normal\(loc, scale\) +finite +continuous", shown)


def test_combinators_are_listed_and_what_is_written_can_be_read(run):
    shown = run("families").stdout
    for name, (scored, fitted) in COMBINED.items():
        assert scored in shown
        assert f"{fitted}, to fit" in shown
        parse_distribution(scored)
        parse_family(fitted)
        explained = run("families", name.lower())
        assert explained.exit_code == 0
        assert scored in explained.stdout
        assert "Parameters" in explained.stdout
    assert "did you mean 'Mixture'" in run("families", "Mixtur").stderr


def test_one_family_is_explained(run):
    for name in ("Normal", "normal"):
        shown = run("families", name).stdout
        assert "z**2 / 2" in shown
        assert "Normal(loc, scale)" in shown
    wrong = run("families", "Norml")
    assert wrong.exit_code == 2
    assert "did you mean 'Normal'" in wrong.stderr


@pytest.mark.skipif(find_spec("altair") is None, reason="needs nll[plots]")
def test_plot(run, tmp_path):
    out = tmp_path / "loss.svg"
    result = run("plot", "loss", "-o", out)
    assert (result.exit_code, result.stdout) == (0, "")
    assert out.read_text().startswith("<svg")
    assert run("plot", "loss", "-o", tmp_path / "loss.gif").exit_code == 2


def test_the_demo_agrees_with_scikit_learn(run):
    shown = run("demo").stdout
    rows = {
        line.split()[0]: re.findall(r"0\.\d{4}", line) for line in shown.splitlines() if re.search(r"0\.\d{4}", line)
    }
    assert rows["all"][::2] == rows["scikit-learn"][:3]
    assert "-log 0.8 = 0.2231" in shown


def test_the_demo_compares_and_fits(run):
    shown = run("demo").stdout
    models = {name: nll.Bernoulli(probs=column) for column, name in demo.MODELS.items()}
    compared = nll.compare("y", models, nll.data.path("rain"), cluster="week")
    assert f"{compared.best} is best" in shown
    for other in compared.standings[1:]:
        assert re.search(rf"{other.name} +{other.difference:.4f} ± {other.stderr:.4f}", shown)
    rain = pl.read_parquet(nll.data.path("rain")).filter(season="summer")["y"]
    share = rain.mean()
    assert f"summer {share:.3f} ± {(share * (1 - share) / len(rain)) ** 0.5:.3f}" in shown


@pytest.mark.skipif(find_spec("sklearn") is None, reason="compares with scikit-learn")
def test_the_stored_numbers_are_scikit_learns():
    who, live = demo.reference(nll.data.path("rain"))
    assert who.startswith("scikit-learn")
    assert live == pytest.approx(demo.LOG_LOSS, rel=1e-14)


def test_without_scikit_learn_the_stored_numbers_are_shown(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    shown = run("demo")
    assert shown.exit_code == 0
    assert demo.LOG_LOSS_BY in shown.stdout


def test_what_the_demo_proposes_works(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = run("demo").stdout.partition("Try next:\n")[2].splitlines()
    assert len(lines) == 12
    for line in lines:
        words = shlex.split(line)
        arguments = words[words.index("nll") + 1 :] if "nll" in words else words[1:]
        assert run(*arguments).exit_code == 0, line
    assert {file.name for file in tmp_path.glob("*.html")} == {"loss.html", "strip.html", "reliability.html"}


def test_the_demo_judges_language_models(run):
    shown = run("demo").stdout
    files = {name: nll.data.path(file) for name, file in demo.LOGS.items()}
    compared = nll.compare_tokens(files)
    for name, file in files.items():
        score = nll.tokens(file, unit="bits-per-byte")
        assert re.search(rf"{name} .* {score.mean:.4f} ± {score.stderr:.4f}", shown)
    assert f"{compared.standings[1].difference:.4f} ± {compared.standings[1].stderr:.4f} to {compared.base}" in shown
