"""Completion is installed once, where the shell finds it, and works in the shells that are here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.cli.completion.scripts import SCRIPTS, SHELLS, place_of


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize("shell", SHELLS)
def test_it_is_installed_once_and_nothing_else_is_touched(
    home: Path, shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = place_of(shell, {}, home)
    if place.startup is not None:
        place.startup.write_text("alias ll='ls -l'")
    for _ in range(2):
        assert main(["completion", "install", shell]) == 0
    assert place.script.read_text() == SCRIPTS[shell]
    assert str(place.script) in capsys.readouterr().err
    if place.startup is not None:
        assert place.startup.read_text() == f"alias ll='ls -l'\n{place.line}\n"


def test_the_shell_is_that_of_the_user_unless_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert main(["completion", "show"]) == 0
    assert capsys.readouterr().out == SCRIPTS["fish"]
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert main(["completion", "show"]) == 2
    assert "no completion for 'tcsh'; name one of bash, zsh, fish" in capsys.readouterr().err


def test_where_nothing_can_be_written_the_script_can_still_be_printed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / ".local").write_text("")
    assert main(["completion", "install", "bash"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("Not a directory; 'predsurv completion show bash' prints the script")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_commands_values_and_files(home: Path) -> None:
    place = place_of("bash", {}, home)
    assert main(["completion", "install", "bash"]) == 0
    (home / "bin").mkdir()
    program = home / "bin" / "predsurv"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m predsurv "$@"\n')
    program.chmod(0o755)
    (home / "my.toml").write_text("")

    def complete(*typed: str) -> list[str]:
        words = " ".join(f"'{word}'" for word in ("predsurv", *typed))
        script = f"source '{place.startup}'; COMP_WORDS=({words}); COMP_CWORD={len(typed)}; _predsurv"
        done = subprocess.run(
            ["bash", "--norc", "-c", f'{script} 2>/dev/null; printf "%s\\n" "${{COMPREPLY[@]}}"; complete -p predsurv'],
            env={**os.environ, "PATH": f"{home / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": _root()},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        *found, installed = done.stdout.splitlines()
        assert "_predsurv predsurv" in installed
        return found

    assert complete("stat") == ["status"]
    assert complete("status", "--format", "=", "js") == ["json", "jsonl"]
    assert complete("status", "--config", "my") == ["my.toml"]


def _root() -> str:
    return str(Path(__file__).resolve().parents[4])
