"""The entry point: cheap help, one line for every failure, the promised exit codes."""

import sqlite3
import subprocess
import sys
from collections.abc import Sequence

import pytest

from predsurv.cli import app
from predsurv.cli import lazy_typer as parser
from predsurv.core.errors import MAKE_WRITABLE, ConfigError, IntegrityError, PredsurvError, SafetyError, TransientError

HEAVY = ("typer", "rich", "polars", "pyarrow", "httpx", "websockets", "prometheus_client", "msgspec", "asyncio")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Whatever is put into the list is raised by the command that runs."""
    errors: list[BaseException] = []

    def run(arguments: Sequence[str]) -> int:
        raise errors.pop()

    monkeypatch.setattr(parser, "run", run)
    return errors


def test_the_help_imports_no_heavy_library() -> None:
    probe = f"""import sys
from predsurv.cli.app import main
main(["--help"])
sys.exit(",".join(name for name in {HEAVY!r} if name in sys.modules) or 0)"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "predsurv demo" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_the_commands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(arguments) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in ("init", "doctor", "config", "scan", "mine"))


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("predsurv ")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PredsurvError("x"), 1),
        (ConfigError("x"), 2),
        (TransientError("x"), 3),
        (IntegrityError("x"), 4),
        (SafetyError("x"), 5),
        (ExceptionGroup("two", [SafetyError("x"), ConfigError("x")]), 5),
    ],
)
def test_each_error_has_its_code_and_one_line(
    failing: list[BaseException], error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(error)
    assert app.main(["scan"]) == code
    assert capsys.readouterr() == ("", "error: x\n")


def _of_sqlite(text: str, name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorname = name
    return error


def test_several_failures_are_told_together(failing: list[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    failing.append(ExceptionGroup("two", [TransientError("a"), ExceptionGroup("one", [ConfigError("b")])]))
    assert app.main(["scan"]) == 3
    assert capsys.readouterr().err == "error: a; b\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyError("k\nl"), "unexpected KeyError: 'k\\nl'; this is a bug: rerun with --debug and report it\n"),
        (
            OSError(28, "No space left on device", "/data/x"),
            "error: /data/x: No space left on device; free disk space\n",
        ),
        (
            PermissionError(13, "Permission denied", "/data/x"),
            f"error: /data/x: Permission denied; {MAKE_WRITABLE}\n",
        ),
        (_of_sqlite("database or disk is full", "SQLITE_FULL"), "error: database or disk is full; free disk space\n"),
        (
            _of_sqlite("attempt to write a readonly database", "SQLITE_READONLY"),
            f"error: attempt to write a readonly database; {MAKE_WRITABLE}\n",
        ),
        (
            _of_sqlite("no such table: x", "SQLITE_ERROR"),
            "unexpected OperationalError: no such table: x; this is a bug: rerun with --debug and report it\n",
        ),
        (IsADirectoryError(21, "Is a directory"), "error: Is a directory; rerun with --debug to see where\n"),
        (ConfigError("bad \x1b[31m\nname"), "error: bad \N{REPLACEMENT CHARACTER}[31m name\n"),
    ],
)
def test_no_traceback_unless_asked(
    failing: list[BaseException], error: Exception, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(error)
    assert app.main(["scan"]) in (1, 2)
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("arguments", [["--debug", "scan"], ["scan", "--debug"]])
def test_debug_shows_the_traceback_too(
    failing: list[BaseException], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(KeyError("k"))
    assert app.main(arguments) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert "unexpected KeyError" in err


def test_debug_after_a_double_dash_is_an_argument() -> None:
    assert app._without_debug(["scan", "--", "--debug"]) == (["scan", "--", "--debug"], False)


@pytest.mark.parametrize(
    ("group", "commands"), [("export", "hftbacktest, nautilus, release, taxes"), ("keys", "check")]
)
def test_a_group_without_a_command_names_those_that_it_has(
    group: str, commands: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.main([group]) == 2
    told = f"error: predsurv {group} needs a command: {commands}; see 'predsurv {group} --help'\n"
    assert capsys.readouterr().err == told


def test_an_interrupt_is_no_failure_of_ours(failing: list[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    failing.append(KeyboardInterrupt())
    assert app.main(["scan"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_reader_that_goes_away_is_no_failure(form: str) -> None:
    probe = f"import sys; from predsurv.cli.app import main; sys.exit(main(['config', 'show', '--format', '{form}']))"
    done = subprocess.Popen(
        [sys.executable, "-c", probe], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    assert done.stdout is not None
    done.stdout.close()
    assert done.stderr is not None
    assert (done.stderr.read(), done.wait(30)) == ("", 0)
    done.stderr.close()
