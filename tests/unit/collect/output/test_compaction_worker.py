"""Compaction in a process does the same as in this one, raises the same errors, and ends with the recording."""

import errno
import multiprocessing.process
from pathlib import Path
from threading import Event

import pytest

from predsurv.collect.output.compaction_worker import compact_in_process
from predsurv.core.errors import SafetyError, TransientError
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout, data_files
from predsurv.store.locks import exclusive_lock
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog
from tests.kit.recorder_samples import A, book

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
    assert len(list(data_files(layout, "deltas"))) == 3
