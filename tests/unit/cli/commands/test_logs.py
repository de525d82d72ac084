"""The logs of a data folder's runs: found, selected, shown in every format, followed."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.cli.commands import logs as command
from predsurv.store.layout import Layout
from predsurv.store.log_places import note_log
from predsurv.telemetry.log_files import FollowedLog
from predsurv.telemetry.log_lines import LogFilter
from tests.kit.captures import Terminal

ENTRIES = (
    ("2026-11-20T12:00:00.000+00:00", "info", "predsurv.scan", "listed"),
    ("2026-11-20T12:00:02.000+00:00", "warning", "predsurv.collect.session", "lost"),
    ("2026-11-20T12:00:04.000+00:00", "error", "predsurv.trade", "refused"),
)


def entry(time: str, level: str, logger: str, message: str, **more: object) -> str:
    return json.dumps({"time": time, "level": level, "logger": logger, "message": message, **more}) + "\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "collect.log"
    path.write_text("".join(entry(*each, collector="c0") for each in ENTRIES))
    return path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["logs", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["logs", *arguments]) == 2
    return capsys.readouterr().err


@pytest.mark.usefixtures("file")
def test_the_log_files_of_the_runs_on_a_folder_are_merged_by_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "trade.log"
    other.write_text(entry("2026-11-20T12:00:03.000+00:00", "info", "predsurv.trade", "filled", order="7"))
    for name in ("collect.log", "trade.log"):
        note_log(Layout(tmp_path / "data"), Path(name))
    assert main(["logs"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "from collect.log, trade.log\n"
    assert captured.out.splitlines() == [
        "2026-11-20 12:00:00 INFO    scan: listed",
        "2026-11-20 12:00:02 WARNING collect.session: lost",
        "2026-11-20 12:00:03 INFO    trade: filled order=7",
        "2026-11-20 12:00:04 ERROR   trade: refused",
    ]


@pytest.mark.parametrize(
    ("flags", "messages"),
    [
        (["--level", "warning"], ["lost", "refused"]),
        (["--component", "collect", "--component", "scan"], ["listed", "lost"]),
        (["--collector", "c1"], []),
        (["--collector", "c0", "-n", "1"], ["refused"]),
        (["-n", "0"], []),
    ],
)
@pytest.mark.usefixtures("file")
def test_lines_are_selected(flags: list[str], messages: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "collect.log", "--format", "jsonl", *flags)
    assert [json.loads(line)["message"] for line in lines] == messages


def test_the_last_line_is_shown_though_it_has_no_end(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("one\ntwo\nthree")
    assert printed(capsys, "collect.log", "-n", "2") == ["two", "three"]


@pytest.mark.usefixtures("file")
def test_json_is_a_list_and_csv_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "collect.log", "--format", "json"]) == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert first == {
        "time": "2026-11-20T12:00:00.000+00:00",
        "level": "info",
        "component": "scan",
        "collector": "c0",
        "message": "listed",
        "fields": {},
        "traceback": [],
    }
    head, *rows = printed(capsys, "collect.log", "--format", "csv")
    assert head == "time,level,component,collector,message,fields,traceback"
    assert rows[2] == "2026-11-20T12:00:04.000+00:00,error,trade,c0,refused,,"


def test_a_terminal_gets_colours_and_folded_lines_that_stay_on_it(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(entry(*ENTRIES[1][:3], "the \x1b]0;owned\x07 connection was lost", traceback=["at x", "at y"]))
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main(["logs", "collect.log"]) == 0
    seen = terminal.getvalue()
    assert "\x1b[33m2026-11-20 12:00:02 WARNING collect.session: the" in seen
    assert "]0;owned" in seen
    assert "\x1b]" not in seen
    assert "\n    connection was lost" in seen.replace("\x1b[0m", "").replace("\x1b[33m", "")
    assert "    at y" in seen
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    assert main(["logs", "collect.log"]) == 0
    assert "\x1b" not in pipe.getvalue()
    capsys.readouterr()


class Stdin:
    def __init__(self, content: bytes) -> None:
        self.buffer = io.BufferedReader(io.BytesIO(content))


def test_stdin_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    content = "".join(entry(*each) for each in ENTRIES).encode() + b"error: no end"
    monkeypatch.setattr(sys, "stdin", Stdin(content))
    assert printed(capsys, "-", "-n", "1") == ["error: no end"]
    monkeypatch.setattr(sys, "stdin", Stdin(content))
    lines = printed(capsys, "-", "-f", "--level", "error", "-n", "1", "--format", "json")
    assert [json.loads(line)["message"] for line in lines] == ["refused", "error: no end"]


class ScriptedClock:
    """A clock on which each sleep lets the next thing happen, and the last one is interrupted."""

    def __init__(self, *happenings: Callable[[], object]) -> None:
        self.left = list(happenings)

    async def sleep(self, _duration: int) -> None:
        if not self.left:
            raise KeyboardInterrupt
        self.left.pop(0)()


def test_a_log_is_followed_across_its_rotation_until_an_interrupt(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = file.with_suffix(".1")

    def rotate() -> None:
        file.rename(moved)
        with moved.open("a") as late:
            late.write("late in the old file\n")
        file.write_text("first of the new file\nsecond, not wanted\n")

    monkeypatch.setattr(command, "SystemClock", lambda: ScriptedClock(lambda: None, rotate, lambda: None))
    monkeypatch.setattr(LogFilter, "takes", lambda _self, line: "not wanted" not in line.message)
    lines = printed(capsys, "collect.log", "-f", "-n", "1")
    assert lines == [
        "2026-11-20 12:00:04 ERROR   trade: refused",
        "late in the old file",
        "first of the new file",
    ]


def test_a_file_that_is_not_there_is_waited_for_when_it_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    came = ScriptedClock(lambda: Path("later.log").write_text("here\n"))
    monkeypatch.setattr(command, "SystemClock", lambda: came)
    assert main(["logs", "later.log", "--follow"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "later.log is not there yet; waiting for it\n"
    assert captured.out == "here\n"


@pytest.mark.usefixtures("file")
def test_what_cannot_be_shown_is_refused_with_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "start one with --log-file FILE" in refused(capsys)
    assert "none.log: no such file" in refused(capsys, "none.log")
    assert "is a folder" in refused(capsys, str(tmp_path))
    assert "stands alone" in refused(capsys, "-", "collect.log")
    assert "use --format jsonl" in refused(capsys, "collect.log", "-f", "--format", "csv")
    monkeypatch.setattr(FollowedLog, "last", _denied)
    assert "collect.log: Permission denied" in refused(capsys, "collect.log")


def _denied(*_arguments: object) -> None:
    raise PermissionError(13, "Permission denied", "collect.log")


@pytest.mark.usefixtures("file")
def test_a_reader_that_leaves_ends_it_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Gone())
    assert main(["logs", "collect.log"]) == 0
