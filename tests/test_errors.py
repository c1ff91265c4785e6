"""The tree of errors and the words of its messages."""

import pickle

import pytest

from nll.errors import DataError, MissingExtraError, NllError, UsageError, first_line, listing, nearest, unknown


def test_the_tree():
    for kind, builtin, code in [
        (DataError, ValueError, 1),
        (UsageError, ValueError, 2),
        (MissingExtraError, ImportError, 2),
    ]:
        assert issubclass(kind, NllError)
        assert issubclass(kind, builtin)
        assert kind.exit_code == code


def test_a_missing_extra_says_how_to_install_it():
    error = MissingExtraError("plots", "altair")
    assert str(error) == "altair is not installed; it comes with: pip install 'nll[plots]'"
    assert error.name == "altair"
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert (again.extra, again.package) == ("plots", "altair")


def test_nearest():
    assert nearest("lable", ["label", "p"]) == " (did you mean 'label'?)"
    assert nearest("LABEL", ["Label"]) == " (did you mean 'Label'?)"
    assert nearest("zzz", ["label", "p"]) == ""
    assert nearest("a", []) == ""


def test_listing():
    assert listing([]) == "none"
    assert listing("abc") == "a, b, c"
    assert listing(range(50), limit=2) == "0, 1 and 48 more"


def test_unknown():
    assert unknown("column", "lable", ["label", "p"], "a.csv") == (
        "no column 'lable' in a.csv (did you mean 'label'?); present: label, p"
    )


@pytest.mark.parametrize(("text", "line"), [("a\nb", "a"), ("", "ValueError"), ("x" * 300, "x" * 199 + "…")])
def test_first_line(text, line):
    assert first_line(ValueError(text)) == line
