"""A data folder that this user may not write to: what only reads works, everything else says so in one line."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from predsurv.core.errors import MAKE_WRITABLE
from tests.kit.market_samples import market
from tests.kit.mining_samples import DATE, listed, record, session

# root may write everywhere: PR_CAPBSET_DROP of CAP_DAC_OVERRIDE makes it a user like others from the next exec on
_COMMAND = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "predsurv", *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a recording in ``data`` that cannot be changed."""
    place = tmp_path_factory.mktemp("read-only")
    listed(record(place / "data", [session()]), market(1), market(2))
    folders = [Path(name) for name, _, _ in os.walk(place / "data")]
    for folder in folders:
        folder.chmod(0o555)
    yield place
    for folder in folders:
        folder.chmod(0o755)


def run(place: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PREDSURV_METRICS__PORT": "0", "PREDSURV_MOCK__MARKETS": "10"}
    command = [sys.executable, "-c", _COMMAND, *arguments]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("command", ["status", "verify"])
def test_what_only_reads_works(place: Path, command: str) -> None:
    done = run(place, *command.split())
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "command",
    [
        "compact",
        f"mine mock {DATE}",
        "scan --mock",
        "collect --mock --duration 1s",
        "trade --paper --mock --duration 1s",
        f"backtest mock {DATE}",
        "halt",
    ],
)
def test_what_writes_says_where_it_may_not_and_what_to_do(place: Path, command: str) -> None:
    done = run(place, *command.split())
    assert done.returncode == 2, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error"))
    assert "data/" in line
    assert "Permission denied" in line
    assert line.endswith(MAKE_WRITABLE)
    assert "--debug" not in done.stderr
