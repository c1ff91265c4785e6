import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "sequences.md"


def test_what_is_shown_is_what_comes_out():
    flags = doctest.IGNORE_EXCEPTION_DETAIL | doctest.ELLIPSIS
    failed, tried = doctest.testfile(str(PAGE), module_relative=False, optionflags=flags, encoding="utf-8")
    assert tried >= 25
    assert failed == 0
