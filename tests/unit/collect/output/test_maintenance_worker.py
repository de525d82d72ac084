"""Compaction and retention do the same in a process of their own, raise the same errors, end with the recording."""

import errno
import multiprocessing.process
from collections.abc import Sequence
from pathlib import Path
from threading import Event, get_ident

import pytest

from predsurv.collect.output.maintenance_worker import compact_in_process, expire_in_process
from predsurv.core.errors import SafetyError, TransientError
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout, data_files
from predsurv.store.locks import exclusive_lock
from predsurv.store.remote import upload_journal
from predsurv.store.remote.upload_journal import UploadRecord
from predsurv.store.seal.retention import RetentionPolicy
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog
from tests.kit.recorder_samples import A, book

LATER = 1_600_009_000_000_000_000
LONG_AGO = 1_600_000_000_000_000_000  # 2020-09-13: an hour that is closed by any clock


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout, clock = Layout(tmp_path), ManualClock(LONG_AGO)
    for number in range(3):
        log = WriteAheadLog(layout.state, "c0", clock)
        log.append([book(A, LONG_AGO + number)])
        path = log.close()
        assert path is not None
        seal_segment(path, layout, clock)
    return layout


def note_uploads(layout: Layout) -> None:
    """Write into the journal that the bucket was given every sealed file."""
    for batch in upload_journal.pending_batches(layout, "c0"):
        records = [UploadRecord(file.path, file.blake2b, file.bytes) for file in batch.files]
        upload_journal.append(layout, "c0", batch.date, [*records, UploadRecord(batch.name, "any", 1)])


def test_an_hour_is_merged_in_another_process(layout: Layout) -> None:
    report = compact_in_process(layout, "c0", 3, Event())
    assert (report.hours, report.files) == (1, 3)
    assert len(list(data_files(layout, "deltas"))) == 1


def test_an_error_in_the_process_is_raised_by_its_caller(layout: Layout) -> None:
    with exclusive_lock(layout.merging("c0") / "lock", "a test"), pytest.raises(SafetyError, match="wait for it"):
        compact_in_process(layout, "c0", 3, Event())


def test_a_process_that_cannot_be_started_is_tried_again(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", refuse)
    with pytest.raises(TransientError, match="tried again in an hour"):
        compact_in_process(layout, "c0", 3, Event())
    assert len(list(data_files(layout, "deltas"))) == 3


def test_a_recording_that_stops_does_not_wait_for_compaction(layout: Layout) -> None:
    stopping = Event()
    stopping.set()
    assert compact_in_process(layout, "c0", 3, stopping).hours == 0
    assert expire_in_process(layout, LATER, RetentionPolicy(max_age=1), stopping).files == 0
    assert len(list(data_files(layout, "deltas"))) == 3


def test_old_hours_are_removed_in_another_process_at_the_time_of_the_recording(layout: Layout) -> None:
    assert expire_in_process(layout, LONG_AGO + 1, RetentionPolicy(max_age=1), Event()).files == 0
    report = expire_in_process(layout, LATER, RetentionPolicy(max_age=1), Event())
    assert report.files == 3
    assert not list(data_files(layout, "deltas"))


def test_the_recording_says_in_its_own_thread_what_the_bucket_has(layout: Layout) -> None:
    asked: list[int] = []

    def confirm(records: Sequence[UploadRecord]) -> list[str]:
        asked.append(get_ident())
        return [each.path for each in records]

    note_uploads(layout)
    report = expire_in_process(layout, LATER, RetentionPolicy(max_age=1, confirm=confirm), Event())
    assert (report.files, report.kept) == (3, ())
    assert asked == [get_ident()]


def test_a_bucket_that_does_not_answer_removes_nothing(layout: Layout) -> None:
    def refuse(_: object) -> set[str]:
        raise TransientError("no answer")

    note_uploads(layout)
    with pytest.raises(TransientError, match="no answer"):
        expire_in_process(layout, LATER, RetentionPolicy(max_age=1, confirm=refuse), Event())
    assert len(list(data_files(layout, "deltas"))) == 3
