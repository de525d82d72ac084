"""Completion as a person sees it in zsh and fish, where these are installed: keys typed at a terminal, words shown."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from predsurv.cli.app import main
from predsurv.cli.completion.scripts import place_of
from tests.kit.patience import PATIENCE_S

_CONTROLS: Final = re.compile(r"\x1b\[[0-9;?>]*[a-zA-Z]|\x1b[=>]|\x1b\][^\x07]*\x07|\r")
_ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the program on PATH and a file to name."""
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "predsurv"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m predsurv "$@"\n')
    program.chmod(0o755)
    (tmp_path / "my.toml").write_text("")
    settings = {"HOME": str(tmp_path), "ZDOTDIR": str(tmp_path), "PYTHONPATH": str(_ROOT), "TERM": "xterm"}
    settings["PATH"] = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return tmp_path


class _Terminal:
    """What a program at the other end of a terminal has shown."""

    def __init__(self, end: int) -> None:
        self._end, self._shown = end, b""

    def type(self, keys: str) -> None:
        self._shown = b""
        os.write(self._end, keys.encode())

    def shown(self, expected: str) -> str:
        """Return what was shown since the last keys, as soon as ``expected`` is in it."""
        until = time.monotonic() + PATIENCE_S
        while not re.search(expected, text := _CONTROLS.sub("", self._shown.decode(errors="replace"))):
            assert time.monotonic() < until, f"waited in vain for {expected!r} in {text!r}"
            if select.select([self._end], [], [], 0.05)[0]:
                self._shown += os.read(self._end, 1 << 16)
        return text


@contextmanager
def _zsh(home: Path) -> Iterator[_Terminal]:
    (home / ".zshrc").write_text("PROMPT='ready '\n")
    assert main(["completion", "install", "zsh"]) == 0
    ours, theirs = pty.openpty()
    process = subprocess.Popen(["zsh", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    try:
        terminal = _Terminal(ours)
        terminal.shown("ready")
        yield terminal
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        os.close(ours)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")
def test_zsh_completes_commands_values_and_files_and_shows_what_they_are(home: Path) -> None:
    with _zsh(home) as terminal:
        for typed, completed in (
            ("stat", "status "),
            ("status --config my", r"my\.toml "),
            ("status --format=j", "--format=json"),
            ("trade --pap", "--paper "),
        ):
            terminal.type(f"predsurv {typed}\t")
            terminal.shown(completed)
            terminal.type("\x15\n")
            terminal.shown("ready")
        terminal.type("predsurv mine \t")
        listed = terminal.shown("mock")
        assert re.search(r"rank +-- Rank the markets", listed)
        assert not re.search(r"polymarket.*--", listed), "a word of which there is nothing to say"


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish_completes_commands_values_and_files_and_shows_what_they_are(home: Path) -> None:
    assert main(["completion", "install", "fish"]) == 0
    script = place_of("fish", {}, home).script

    def complete(typed: str) -> list[str]:
        command = f"source '{script}'; complete -C 'predsurv {typed}'"
        found = subprocess.run(
            ["fish", "--no-config", "-c", command], capture_output=True, text=True, check=True, timeout=PATIENCE_S
        )
        assert found.stderr == ""
        return found.stdout.splitlines()

    assert complete("stat") == ["status\tShow how much of the wanted time was recorded"]
    assert complete("status --format j") == ["json", "jsonl"]
    assert complete("status --format=j") == ["--format=json", "--format=jsonl"]
    assert complete("status --config my") == ["my.toml"]
