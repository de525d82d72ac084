"""A disk that is full, or fails, when a test says so."""

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from predsurv.store.wal.segment import SegmentWriter


class Disk:
    """The disk under every log: it refuses commits while ``full`` or while ``full_when`` says so.

    The next ``syncs_to_fail`` syncs of a segment that has data fail, after which the disk is full where it
    ``fills_up``; ``refused`` counts the commits.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = self.fills_up = False
        self.full_when: Callable[[], bool] = lambda: False
        self.syncs_to_fail = self.refused = 0
        commit, sync = SegmentWriter.commit, SegmentWriter.sync

        def guarded_commit(segment: SegmentWriter, *batch: Any) -> None:
            if self.full or self.full_when():
                self.refused += 1
                raise sqlite3.OperationalError("database or disk is full")
            commit(segment, *batch)

        def guarded_sync(segment: SegmentWriter) -> None:
            if self.syncs_to_fail and segment.batches:
                self.syncs_to_fail -= 1
                self.full = self.full or self.fills_up
                raise OSError("I/O error")
            sync(segment)

        monkeypatch.setattr(SegmentWriter, "commit", guarded_commit)
        monkeypatch.setattr(SegmentWriter, "sync", guarded_sync)
