"""Failures as people and as programs read them."""

import fcntl
import json
import os
import pty
import struct
import sys
import termios
from collections.abc import Sequence

import pytest

from predsurv.cli import app, streams
from predsurv.cli import lazy_typer as parser
from predsurv.cli.failures import KINDS, complain, failure_line, wants_json
from predsurv.core.errors import IntegrityError
from tests.kit.captures import Terminal


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ([], False),
        (["status"], False),
        (["status", "--format", "json"], True),
        (["--format=jsonl", "status"], True),
        (["--format", "json", "status", "--format", "csv"], False),
        (["sql", "--", "--format", "json"], False),
        (["status", "--format"], False),
    ],
)
def test_failures_are_json_where_data_is(arguments: Sequence[str], asked: bool) -> None:
    assert wants_json(arguments) is asked


def test_a_terminal_gets_text_folded_between_words_and_json_as_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "30")
    told = "error: there is no such venue as moc; did you mean /a/path/without/any/room/for/it?"
    complain(told)
    assert terminal.getvalue().splitlines() == [
        "error: there is no such venue",
        "  as moc; did you mean",
        "  /a/path/without/any/room/for/it?",
    ]
    terminal.truncate(0)
    terminal.seek(0)
    line = failure_line(told, 2, as_json=True)
    complain(line)
    assert terminal.getvalue() == f"{line}\n"


def test_a_terminal_that_does_not_say_how_wide_it_is_counts_as_80(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "wide")
    complain("error: " + "word " * 30)
    assert max(map(len, terminal.getvalue().splitlines())) in range(70, 81)


def test_the_width_of_a_real_terminal_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with open(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        complain("error: " + "word " * 12)
        monkeypatch.undo()
    rows = os.read(ours, 1_000).decode().splitlines()
    os.close(ours)
    assert max(map(len, rows)) in range(30, 41)


def test_a_failure_as_json_is_one_object_with_kind_code_and_message() -> None:
    line = failure_line('no "such" thing\u00a0…', 2, as_json=True)
    assert json.loads(line) == {"error": {"kind": "usage", "exit_code": 2, "message": 'no "such" thing\u00a0…'}}
    assert "\n" not in line
    assert failure_line("why", 2, as_json=False) == "error: why"


@pytest.mark.parametrize("code", sorted(KINDS))
def test_every_exit_code_has_a_kind_of_its_own(code: int) -> None:
    kind = json.loads(failure_line("x", code, as_json=True))["error"]["kind"]
    assert [each for each, name in KINDS.items() if name == kind] == [code]


@pytest.mark.parametrize("arguments", [["scna", "--format", "json"], ["--format", "jsonl", "mine", "--top", "zero"]])
def test_a_slip_in_the_arguments_is_json_too(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert json.loads(told.err)["error"]["exit_code"] == 2


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (IntegrityError("torn"), "damaged"),
        (OSError(28, "No space left on device", "/x"), "failed"),
        (ZeroDivisionError("0"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_whatever_a_command_raises_is_one_json_line(
    error: BaseException, kind: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(_arguments: Sequence[str]) -> int:
        raise error

    monkeypatch.setattr(parser, "run", run)
    monkeypatch.setattr(streams, "discard_output", lambda: None)  # the descriptors here are pytest's
    code = app.main(["status", "--format", "json"])
    (line,) = capfd.readouterr().err.splitlines()
    assert json.loads(line)["error"]["kind"] == kind
    assert json.loads(line)["error"]["exit_code"] == code
