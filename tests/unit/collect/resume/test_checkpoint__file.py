"""The checkpoint of the run before is found wherever it ended."""

from pathlib import Path

import pytest

from predsurv.collect.resume.checkpoint import find_checkpoint, store_checkpoint
from predsurv.core.errors import IntegrityError
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout
from predsurv.store.wal.log import WriteAheadLog
from tests.kit.recorder_samples import START, A, S, book

CHECKPOINT = {"open:mock:01": b"x", "alive:mock": b"5"}


def test_without_an_earlier_run_there_is_no_checkpoint(tmp_path: Path) -> None:
    assert find_checkpoint(Layout(tmp_path), "c0") == {}


def test_a_stored_checkpoint_is_found_by_its_own_collector(tmp_path: Path) -> None:
    store_checkpoint(Layout(tmp_path), "c0", CHECKPOINT)
    assert find_checkpoint(Layout(tmp_path), "c0") == CHECKPOINT
    assert find_checkpoint(Layout(tmp_path), "c1") == {}


def test_a_checkpoint_in_the_log_counts_before_the_stored_one(tmp_path: Path) -> None:
    layout, clock = Layout(tmp_path), ManualClock(START)
    store_checkpoint(layout, "c0", CHECKPOINT)
    log = WriteAheadLog(layout.state, "c0", clock)
    assert find_checkpoint(layout, "c0") == CHECKPOINT, "a log without a checkpoint does not hide the stored one"
    log.append([book(A, START)], {"alive:mock": b"9"})
    log.flush()
    assert find_checkpoint(layout, "c0") == {"alive:mock": b"9"}
    log.close()


def test_behind_an_unreadable_segment_the_checkpoint_of_the_one_before_is_found(tmp_path: Path) -> None:
    layout, clock = Layout(tmp_path), ManualClock(START)
    log = WriteAheadLog(layout.state, "c0", clock)
    log.append([book(A, START)], CHECKPOINT)
    first = log.rotate()
    log.append([book(A, START + S)])
    second = log.close()
    assert first is not None
    assert second is not None
    second.write_bytes(b"\0" * 9_000)
    assert find_checkpoint(layout, "c0") == CHECKPOINT
    first.write_bytes(b"\0" * 9_000)
    assert find_checkpoint(layout, "c0") == {}


def test_a_damaged_checkpoint_is_an_error(tmp_path: Path) -> None:
    store_checkpoint(Layout(tmp_path), "c0", CHECKPOINT)
    (tmp_path / "state" / "c0.notes").write_bytes(b"\xc1")
    with pytest.raises(IntegrityError, match="move it away"):
        find_checkpoint(Layout(tmp_path), "c0")
