"""Progress lines are drawn on a terminal, and nowhere else."""

import io
import sys

import pytest

from predsurv.cli.output.progress import progress_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_each_subject_has_a_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress_line() as update:
        update(("a", "a: 1 of 2"))
        update(("b", "b: \x1b[31mred"))
        update(("a", "a: 2 of 2"))
    shown = terminal.getvalue()
    assert "a: 2 of 2" in shown
    assert "\x1b[31m" not in shown


def test_nothing_is_drawn_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_line() as update:
        update(("a", "a: 1 of 2"))
    assert not stream.getvalue()
