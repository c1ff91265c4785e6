import re
import shlex
import sys
from importlib.util import find_spec

import pytest

import nll
from nll.cli import demo
from nll.families import families


def test_version(run):
    assert run("--version").stdout == f"nll {nll.__version__}\n"


@pytest.mark.parametrize("command", [[], ["score"], ["families"], ["plot"], ["plot", "loss"], ["demo"]])
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
    assert len(lines) == 5
    for line in lines:
        words = shlex.split(line)
        arguments = words[words.index("nll") + 1 :] if "nll" in words else words[1:]
        assert run(*arguments).exit_code == 0, line
    assert (tmp_path / "loss.html").exists()
