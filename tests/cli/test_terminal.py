import io
import sys

import pytest
from rich.table import Table

from nll.cli import terminal
from nll.engines import progress as rows_done


class Screen(io.StringIO):
    def isatty(self):
        return True


def screen(monkeypatch, stream: type[io.StringIO] = Screen):
    """Put a terminal, or another stream, in the place of stderr."""
    monkeypatch.setenv("TERM", "xterm")
    shown = stream()
    monkeypatch.setattr(sys, "stderr", shown)
    return shown


def test_progress_is_unseen_in_the_first_second(monkeypatch):
    shown = screen(monkeypatch)
    with rows_done.RowProgress("scoring") as progress:
        progress(1_000)
    assert shown.getvalue() == ""


def test_progress_counts_rows_after_that(monkeypatch):
    shown = screen(monkeypatch)
    monkeypatch.setattr(rows_done, "SECONDS_UNSEEN", 0.0)
    with rows_done.RowProgress("scoring") as progress:
        progress(1_000)
        progress(234)
    assert "scoring 1,234 rows" in shown.getvalue()


@pytest.mark.parametrize("wanted", [True, False])
def test_progress_is_only_for_a_terminal_and_only_if_wanted(monkeypatch, wanted):
    shown = screen(monkeypatch, io.StringIO if wanted else Screen)
    monkeypatch.setattr(rows_done, "SECONDS_UNSEEN", 0.0)
    with rows_done.RowProgress("scoring", wanted=wanted) as progress:
        progress(1_000)
    assert shown.getvalue() == ""


def test_a_table_has_colour_in_a_terminal_only(monkeypatch):
    table = Table("x", header_style="bold red")
    for stream, coloured in ((Screen(), True), (io.StringIO(), False)):
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setattr(sys, "stdout", stream)
        terminal.show(table)
        assert ("\x1b[" in stream.getvalue()) == coloured


def test_numbers_keep_their_digits_in_a_narrow_terminal(monkeypatch):
    table = Table()
    table.add_column("x")
    table.add_column("y")
    table.add_row("0.12345678901234567890", "9.87654321098765432109")
    for numbers in (True, False):
        monkeypatch.setenv("COLUMNS", "30")
        monkeypatch.setattr(sys, "stdout", Screen())
        terminal.show(table, numbers=numbers)
        shown = sys.stdout.getvalue()
        assert ("0.12345678901234567890" in shown and "9.87654321098765432109" in shown) == numbers
