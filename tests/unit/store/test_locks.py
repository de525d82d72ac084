"""Tests of predsurv.store.locks."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from predsurv.core.errors import ConfigError, SafetyError
from predsurv.store.locks import CollectorLock, publish_lock

HOLDER = """
import sys, time
from pathlib import Path
from predsurv.store.locks import CollectorLock
CollectorLock(Path(sys.argv[1]), "c0").acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_writer_is_refused_with_the_next_step(tmp_path: Path) -> None:
    refusal = rf"process {os.getpid()}\).*another collector\.id"
    with CollectorLock(tmp_path / "state", "c0"), pytest.raises(SafetyError, match=refusal):
        CollectorLock(tmp_path / "state", "c0").acquire()
    with CollectorLock(tmp_path / "state", "c0"):
        pass


def test_another_collector_may_write(tmp_path: Path) -> None:
    with CollectorLock(tmp_path / "state", "c0"), CollectorLock(tmp_path / "state", "c1"):
        pass


def test_release_may_be_repeated(tmp_path: Path) -> None:
    lock = CollectorLock(tmp_path / "state", "c0")
    lock.acquire()
    lock.release()
    lock.release()


def test_an_unsafe_name_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        CollectorLock(tmp_path, "../c0")


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(SafetyError, match=f"process {holder.pid}"):
            CollectorLock(tmp_path, "c0").acquire()
        holder.send_signal(signal.SIGKILL)
    finally:
        holder.kill()
        holder.communicate()
    with CollectorLock(tmp_path, "c0"):
        pass


def test_programs_of_all_versions_take_the_same_publish_lock(tmp_path: Path) -> None:
    with publish_lock(tmp_path), publish_lock(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == ["publishing"]
