"""The log's open segment with everything whose life it shares: key table, notes, unsynced records.

Kept apart from the log so that replacing a segment replaces all of it and can forget nothing.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Final

from predsurv.core.records import Record
from predsurv.store.wal.buffer import BATCH_RECORDS_MAX, LogBuffer
from predsurv.store.wal.codec import BatchEncoder
from predsurv.store.wal.segment import SegmentWriter

_PROBE_NOTE: Final = "probe"


class OpenSegment:
    """An open segment; only ``sync`` may run beside another call."""

    def __init__(self, writer: SegmentWriter, notes: Mapping[str, bytes]) -> None:
        self.writer = writer
        self._notes = dict(notes)
        self._encoder = BatchEncoder()
        self._unsynced: list[Sequence[Record]] = []
        self._synced_batches = 0

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.writer.path

    def note(self, kind: str, payload: bytes) -> None:
        """Write ``payload`` under ``kind`` with the next commit."""
        self._notes[kind] = payload

    def commit(self, intake: LogBuffer) -> None:
        """Write what waits in ``intake`` and tell it the outcome."""
        if not intake.due():
            return
        pending, notes = intake.pending(), dict(self._notes)
        if intake.paused is not None:
            notes[_PROBE_NOTE] = b""  # whether the disk takes data again is found out by writing
        if not (pending or notes):
            return
        chunks = [pending[start : start + BATCH_RECORDS_MAX] for start in range(0, len(pending), BATCH_RECORDS_MAX)]
        try:
            self.writer.commit([self._encoder.encode(chunk) for chunk in chunks], notes)
        except sqlite3.Error as error:
            self._encoder.restart()
            intake.pause(str(error))
        else:
            self._notes.clear()
            self._unsynced.extend(chunks)
            intake.written(len(pending))

    def mark(self) -> tuple[int, int]:
        """Return the position that a sync started now will cover."""
        return len(self._unsynced), self.writer.batches

    def covered(self, mark: tuple[int, int]) -> None:
        """A sync covered everything before ``mark``."""
        chunks, self._synced_batches = mark
        del self._unsynced[:chunks]

    def unsynced(self) -> tuple[int, list[Record]]:
        """Return how many batches syncs covered, and the records after them."""
        return self._synced_batches, list(chain.from_iterable(self._unsynced))

    def close(self) -> Path | None:
        """Close it and return its path, None when it is empty.

        When the disk refuses, what was committed stays readable as after a crash.
        """
        with suppress(sqlite3.Error, OSError):
            self.writer.close()
        return self.path if self.writer.batches else None
