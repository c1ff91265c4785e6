import doctest
import re
import shlex
from pathlib import Path

from nll.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "tokens.md"


def test_what_is_shown_is_what_comes_out():
    flags = doctest.IGNORE_EXCEPTION_DETAIL | doctest.ELLIPSIS
    failed, tried = doctest.testfile(str(PAGE), module_relative=False, optionflags=flags, encoding="utf-8")
    assert tried >= 20
    assert failed == 0


def test_options_that_are_shown_exist():
    shown = re.findall(r"^nll (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(shown) >= 4
    for line in shown:
        words = shlex.split(line)
        command = main.commands[words[0]]
        if words[0] == "plot":
            command = command.commands[words[1]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
