"""Whole collectors killed and on full disks: a small share of ``tests/proofs/faults.py``.

The batteries run as programs: they fork before anything that has threads is loaded.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]


def battery(folder: Path, name: str, rounds: int) -> str:
    """Run a battery; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.proofs.faults", name, "--rounds", str(rounds), "--dir", str(folder)],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def may_mount(folder: Path) -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode == 0:
        subprocess.run(["umount", str(folder)], check=True)
    return mounted.returncode == 0


def test_killed_collectors_cover_no_time_whose_rows_are_missing(tmp_path: Path) -> None:
    assert "findings: 0" in battery(tmp_path, "kill", 3)


def test_a_disk_that_fills_up_loses_rows_in_its_gaps_only(tmp_path: Path) -> None:
    if not may_mount(tmp_path):
        pytest.skip("takes the right to mount a file system")
    assert "findings: 0" in battery(tmp_path, "full", 3)
