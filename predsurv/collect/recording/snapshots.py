"""When a snapshot row of an instrument's best levels is written.

A row's time is exact: it shows the book after every event up to and including its ``ts_recv``, so
applying the recorded deltas up to there gives the same levels. Due times are kept in a heap, so a book
that does not change costs nothing.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from predsurv.collect.recording.instrument import RecordedInstrument
from predsurv.core import native
from predsurv.core.ids import InstrumentKey
from predsurv.core.level_changes import PackedEvent, PackedRecord
from predsurv.core.records import BookTop, Record

FoldPlace = tuple[list[PackedEvent], int, int, int, bool]
"""Events, the number of the first that is not folded, the time folded up to, the first time that has to wait, and
whether books can be trusted."""

FoldedEvents = tuple[int, int, int, int]
"""The number of the event that was left, the time folded up to, and how many were strays, and how many orphans."""

FoldEvents = Callable[..., FoldedEvents]


class SnapshotSampler:
    """Samples the best ``top_levels`` of each side when they change.

    At most every ``snapshot_interval`` and at least every ``heartbeat_interval`` (ns).

    ``due`` is a heap of (time, number from ``sequence``, instrument).
    """

    def __init__(self, top_levels: int, snapshot_interval: int, heartbeat_interval: int) -> None:
        self._top_levels = top_levels
        self.snapshot_interval = snapshot_interval
        self._heartbeat_interval = heartbeat_interval
        self.sequence = count()
        self.due: list[tuple[int, int, RecordedInstrument]] = []
        self._heartbeats: list[tuple[int, int, RecordedInstrument]] = []

    def book_trusted(self, instrument: RecordedInstrument, ts: int) -> None:
        """Make a row due at ``ts``, when the book became trusted, whatever it holds."""
        instrument.pending = True
        instrument.due = ts
        heappush(self.due, (ts, next(self.sequence), instrument))
        if not instrument.heartbeat_queued:
            instrument.heartbeat_queued = True
            heappush(self._heartbeats, (ts + self._heartbeat_interval, next(self.sequence), instrument))

    def book_lost(self, instrument: RecordedInstrument, ts: int) -> BookTop:
        """Return the row that says the book is unknown from ``ts`` on: no levels, not trusted."""
        instrument.bids = instrument.asks = None
        instrument.pending = False
        instrument.shown_at = ts
        return BookTop(instrument.book.key, ts, None, b"", b"", trusted=False)

    def book_changed(self, instrument: RecordedInstrument, ts: int) -> None:
        """Make a row due after a change at ``ts``; call it only while ``pending`` is not set."""
        instrument.pending = True
        due = instrument.shown_at + self.snapshot_interval
        if due < ts:
            due = ts
        instrument.due = due
        heappush(self.due, (due, next(self.sequence), instrument))

    def fold(
        self,
        fold: FoldEvents,
        place: FoldPlace,
        instruments: dict[InstrumentKey, RecordedInstrument],
        out: list[PackedRecord],
    ) -> FoldedEvents:
        """Fold events by the compiled function."""
        interval, heartbeat = self.snapshot_interval, self._heartbeat_interval
        *where, trusting = place
        return fold(*where, instruments, out, self.due, self.sequence, interval, self._top_levels, heartbeat, trusting)

    def sample(self, instrument: RecordedInstrument, out: list[Record]) -> None:
        """Append the row of a pending book as of its due time, none when its best levels are unchanged."""
        instrument.pending = False
        ts = instrument.due if instrument.due > instrument.changed_at else instrument.changed_at
        book, top_levels = instrument.book, self._top_levels
        bids, asks = book.bids.packed(top_levels), book.asks.packed(top_levels)
        # An unchanged ladder returns the same object: most comparisons end at the identity.
        same = (bids is instrument.bids or bids == instrument.bids) and (
            asks is instrument.asks or asks == instrument.asks
        )
        if same and ts < instrument.shown_at + self._heartbeat_interval:
            return
        instrument.bids, instrument.asks, instrument.shown_at = bids, asks, ts
        out.append(BookTop(book.key, ts, book.ts_venue, bids, asks, True))  # noqa: FBT003 - the hot path

    def sample_until(self, watermark: int, out: list[Record]) -> None:
        """Append the rows due before ``watermark`` (ns UTC); no event before it may follow."""
        if native.speedups is None:
            self._sample_due(watermark, out)
        else:
            native.speedups.show_due(
                self.due, watermark, self.sequence, self._top_levels, self._heartbeat_interval, out
            )
        heartbeats = self._heartbeats
        while heartbeats and heartbeats[0][0] < watermark:
            self._sample_heartbeat(heappop(heartbeats)[2], watermark, out)

    def _sample_due(self, watermark: int, out: list[Record]) -> None:
        queue = self.due
        while queue and queue[0][0] < watermark:
            entered, _, instrument = heappop(queue)
            if not instrument.pending or entered < instrument.due:  # sampled since; it may have another entry
                continue
            if instrument.changed_at >= watermark:  # more may arrive with this very timestamp
                heappush(queue, (instrument.changed_at, next(self.sequence), instrument))
            else:
                self.sample(instrument, out)

    def _sample_heartbeat(self, instrument: RecordedInstrument, watermark: int, out: list[Record]) -> None:
        instrument.heartbeat_queued = instrument.recorded and instrument.book.trusted
        if not instrument.heartbeat_queued:
            return
        ready = max(instrument.shown_at + self._heartbeat_interval, instrument.changed_at)
        if ready < watermark:
            instrument.pending, instrument.due = False, ready
            instrument.bids = None  # so that the row is written even when nothing changed
            self.sample(instrument, out)
            ready = instrument.shown_at + self._heartbeat_interval
        heappush(self._heartbeats, (max(ready, watermark), next(self.sequence), instrument))
