"""The store under kill -9, power cuts and a full disk: nothing lost, doubled or invented.

The program that is killed is ``tests.kit.killed_store``; ``python -m tests.proofs.store_kills`` runs it for longer.
"""

import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.kit.patience import PATIENCE_S

_ROOT = Path(__file__).resolve().parents[2]


def test_killed_recorders_lose_double_and_invent_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.kit.killed_store", "torture", str(tmp_path / "data"), "25"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        cwd=_ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = int(done.stdout.split()[-2])
    assert rows > 1_000


def test_files_that_may_not_grow_pause_the_log_and_lose_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.kit.killed_store", "fill", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        cwd=_ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_sqlite_is_new_enough() -> None:
    """Read-only access to a log whose index is gone came with SQLite 3.22."""
    assert sqlite3.sqlite_version_info >= (3, 22)
