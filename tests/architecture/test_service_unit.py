"""The unit of systemd parses, starts a command that there is, and asks for what the program does."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from predsurv.cli.command_table import COMMANDS
from predsurv.cli.service_manager import EXTENSION, STATUS_INTERVAL

UNIT = Path(__file__).resolve().parents[2] / "ops" / "predsurv-collect.service"
S = 1_000_000_000


def settings() -> dict[str, str]:
    lines = (line for line in UNIT.read_text().splitlines() if line and not line.startswith(("#", "[")))
    return dict(line.split("=", 1) for line in lines)


def test_it_starts_a_command_that_there_is() -> None:
    program, command, *options = settings()["ExecStart"].split()
    assert program.endswith("/bin/predsurv")
    assert command in {each.name for each in COMMANDS}
    assert options[0] == "--config"


def test_it_waits_for_what_the_program_tells() -> None:
    unit = settings()
    assert unit["Type"] == "notify"
    assert int(unit["TimeoutStartSec"]) * S > STATUS_INTERVAL  # the first extension comes before the time is over
    assert STATUS_INTERVAL < EXTENSION
    assert int(unit["WatchdogSec"]) >= 20  # tolerates an event loop that stands still for twice what health does
    assert int(unit["TimeoutStopSec"]) > 5
    assert set(unit["RestartPreventExitStatus"].split()) == {"2", "5"}


def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd here")
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"(?m)^(ExecStart=)\S+", rf"\1{sys.executable}", UNIT.read_text()))
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
