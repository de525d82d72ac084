"""What the log holds in memory, and what it takes while the disk takes nothing.

Kept apart from the log because the rules of a full disk are about records, not about files.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from predsurv.core.errors import IntegrityError
from predsurv.core.events import MarketChange, MarketResolved
from predsurv.core.records import Coverage, Record
from predsurv.ports import Clock
from predsurv.store.layout import NS_SECOND

BATCH_RECORDS_MAX: Final = 4_096
"""Records in one batch; a longer buffer is committed as several, in one transaction."""

BUFFER_RECORDS_MAX: Final = 500_000
"""Records that may wait for a flush, or for the end of a pause; when more do, the log takes nothing more."""

RETRY_INTERVAL: Final = NS_SECOND
"""How often a paused log tries again, ns."""

_LEDGER = (Coverage, MarketChange, MarketResolved)


class LogPaused(Struct, frozen=True):
    """The disk took nothing at ``ts`` (ns UTC).

    What was appended before is kept and written on resume. From now on books, changes and trades
    are refused and counted; coverage and lifecycle records are still taken. The caller owes every
    wanted instrument a ``disk_full`` gap from ``ts`` on.
    """

    ts: int
    reason: str


class LogResumed(Struct, frozen=True):
    """The disk takes data again at ``ts``; ``refused`` records were let go. Books need snapshots."""

    ts: int
    refused: int


class SegmentReplaced(Struct, frozen=True):
    """A sync failed at ``ts``: seal ``path`` now; what its syncs did not cover was written again."""

    ts: int
    path: Path
    reason: str


LogFact = LogPaused | LogResumed | SegmentReplaced


class LogBuffer:
    """The buffer before the log and its pause."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buffer: list[Record] = []
        self._refused = 0
        self._retry_at = 0
        self._facts: list[LogFact] = []
        self.paused: LogPaused | None = None

    def take(self, records: Sequence[Record]) -> None:
        """Buffer ``records``, less what a pause refuses; raises IntegrityError when more than the bound wait already.

        What comes at once may be more: a disk that stood still for a while leaves a backlog that it can take now.
        """
        if len(self._buffer) > BUFFER_RECORDS_MAX:
            why = self.paused.reason if self.paused else "nobody flushed"
            raise IntegrityError(f"the log holds {BUFFER_RECORDS_MAX} unwritten records ({why}): free disk space")
        if self.paused is not None:
            kept = [record for record in records if isinstance(record, _LEDGER)]
            self._refused += len(records) - len(kept)
            records = kept
        self._buffer.extend(records)

    def pending(self) -> list[Record]:
        """Return a copy of what waits, oldest first."""
        return list(self._buffer)

    def due(self) -> bool:
        """Return whether the disk may be asked now: always, unless a pause just began."""
        return self.paused is None or self._clock.monotonic() >= self._retry_at

    def written(self, count: int) -> None:
        """Forget the ``count`` oldest records: the disk has them. Ends a pause."""
        del self._buffer[:count]
        if self.paused is not None:
            self._facts.append(LogResumed(self._clock.now(), self._refused))
            self.paused, self._refused = None, 0

    def pause(self, reason: str) -> None:
        """Begin a pause, or go on with it, since the disk refused for ``reason``."""
        self._retry_at = self._clock.monotonic() + RETRY_INTERVAL
        if self.paused is None:
            self.paused = LogPaused(self._clock.now(), reason)
            self._facts.append(self.paused)

    def put_back(self, records: Sequence[Record]) -> None:
        """Take ``records`` again, ahead of everything that waits."""
        self._buffer[:0] = records

    def report(self, fact: LogFact) -> None:
        """Keep ``fact`` for the caller."""
        self._facts.append(fact)

    @property
    def holds_back(self) -> bool:
        """Return whether there is something that nobody may hear of yet."""
        return self.paused is not None and any(isinstance(fact, SegmentReplaced) for fact in self._facts)

    def facts(self) -> tuple[LogFact, ...]:
        """Return what happened since the last call and forget it.

        That a segment was replaced is held back while the disk refuses: before its successor says, on disk,
        how much of it counts, sealing it would double what was put back.
        """
        facts, self._facts = self._facts, []
        if self.paused is not None:
            self._facts = [fact for fact in facts if isinstance(fact, SegmentReplaced)]
        return tuple(fact for fact in facts if fact not in self._facts)
