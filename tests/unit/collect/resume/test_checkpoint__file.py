"""The notes of the run before are found wherever it ended."""

from pathlib import Path

import pytest

from predsurv.collect.resume.checkpoint import find_checkpoint, store_checkpoint
from predsurv.core.errors import IntegrityError
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout
from predsurv.store.wal.log import WriteAheadLog
from tests.kit.recorder_samples import START, A, S, book

NOTES = {"open:mock:01": b"x", "alive:mock": b"5"}


def test_without_an_earlier_run_there_are_none(tmp_path: Path) -> None:
    assert find_checkpoint(Layout(tmp_path), "c0") == {}


def test_kept_notes_are_found_by_their_owner(tmp_path: Path) -> None:
    store_checkpoint(Layout(tmp_path), "c0", NOTES)
    assert find_checkpoint(Layout(tmp_path), "c0") == NOTES
    assert find_checkpoint(Layout(tmp_path), "c1") == {}


def test_the_log_knows_better_than_what_was_kept(tmp_path: Path) -> None:
    layout, clock = Layout(tmp_path), ManualClock(START)
    store_checkpoint(layout, "c0", NOTES)
    log = WriteAheadLog(layout.state, "c0", clock)
    assert find_checkpoint(layout, "c0") == NOTES, "a log that says nothing yet does not hide them"
    log.append([book(A, START)], {"alive:mock": b"9"})
    log.flush()
    assert find_checkpoint(layout, "c0") == {"alive:mock": b"9"}
    log.close()


def test_notes_of_an_unreadable_segment_are_those_of_the_one_before(tmp_path: Path) -> None:
    layout, clock = Layout(tmp_path), ManualClock(START)
    log = WriteAheadLog(layout.state, "c0", clock)
    log.append([book(A, START)], NOTES)
    first = log.rotate()
    log.append([book(A, START + S)])
    second = log.close()
    assert first is not None
    assert second is not None
    second.write_bytes(b"\0" * 9_000)
    assert find_checkpoint(layout, "c0") == NOTES
    first.write_bytes(b"\0" * 9_000)
    assert find_checkpoint(layout, "c0") == {}


def test_damaged_notes_are_not_guessed(tmp_path: Path) -> None:
    store_checkpoint(Layout(tmp_path), "c0", NOTES)
    (tmp_path / "state" / "c0.notes").write_bytes(b"\xc1")
    with pytest.raises(IntegrityError, match="move it away"):
        find_checkpoint(Layout(tmp_path), "c0")
