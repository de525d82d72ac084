"""Tests of predsurv.store.locks."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from predsurv.core.errors import ConfigError, SafetyError
from predsurv.store import locks
from predsurv.store.locks import CollectorLock, LockHolder, collector_lock, lock_holders, publish_lock

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


def test_who_holds_a_lock_now_can_be_asked(tmp_path: Path) -> None:
    assert lock_holders(tmp_path / "state") == []
    with CollectorLock(tmp_path, "c0"), CollectorLock(tmp_path, "c1"):
        since = {name: collector_lock(tmp_path, name).stat().st_mtime_ns for name in ("c0", "c1")}
        collector_lock(tmp_path, "c1").write_bytes(b"")
        os.utime(collector_lock(tmp_path, "c1"), ns=(since["c1"], since["c1"]))
        expected = [LockHolder("c0", str(os.getpid()), since["c0"]), LockHolder("c1", "unknown", since["c1"])]
        assert lock_holders(tmp_path) == expected
    assert lock_holders(tmp_path) == []


def test_a_look_at_the_lock_refuses_no_collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CollectorLock(tmp_path, "c0"):
        pass
    looking = os.open(collector_lock(tmp_path, "c0"), os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)

    class LooksAway:
        def wait(self, seconds: float) -> None:
            assert seconds < 1
            os.close(looking)

    monkeypatch.setattr(locks, "Event", LooksAway)
    with CollectorLock(tmp_path, "c0"):
        assert [each.collector for each in lock_holders(tmp_path)] == ["c0"]


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
