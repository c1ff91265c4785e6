import doctest
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "markov.md"


def test_what_is_shown_is_what_comes_out():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert tried >= 25
    assert failed == 0
