"""Decide when an instrument's best levels are written down.

Kept apart from the recorder because the rule has two clocks (not too often, not too rarely) and
must cost nothing for books that do not move: due times wait in a heap, nobody scans all books.

A row's time is exact: it shows the book after every event up to and including its ``ts_recv``, so
folding the recorded deltas up to there gives the same levels.
"""

from heapq import heappop, heappush
from itertools import count

from predsurv.collect.recording import compiled
from predsurv.collect.recording.instrument import RecordedInstrument
from predsurv.core.records import BookTop, Record


class SnapshotSampler:
    """The rule: a row when the best ``levels`` changed, one per ``interval`` at most and per ``heartbeat`` at least.

    ``due`` is a heap of (time, number in ``order``, line).
    """

    def __init__(self, levels: int, interval: int, heartbeat: int) -> None:
        self._levels = levels
        self.interval = interval
        self._heartbeat = heartbeat
        self.order = count()
        self.due: list[tuple[int, int, RecordedInstrument]] = []
        self._beats: list[tuple[int, int, RecordedInstrument]] = []

    def opened(self, line: RecordedInstrument, ts: int) -> None:
        """Note that a book became trusted at ``ts``: it is due at once, whatever it holds."""
        line.pending = True
        line.due = ts
        heappush(self.due, (ts, next(self.order), line))
        if not line.beating:
            line.beating = True
            heappush(self._beats, (ts + self._heartbeat, next(self.order), line))

    def lost(self, line: RecordedInstrument, ts: int) -> BookTop:
        """Return the row that says a book is no longer known: no levels, not trusted."""
        line.bids = line.asks = None
        line.pending = False
        line.shown_at = ts
        return BookTop(line.book.key, ts, None, b"", b"", trusted=False)

    def changed(self, line: RecordedInstrument, ts: int) -> None:
        """Note that the book changed at ``ts``; call it when ``line.pending`` is not set yet."""
        line.pending = True
        due = line.shown_at + self.interval
        if due < ts:
            due = ts
        line.due = due
        heappush(self.due, (due, next(self.order), line))

    def show(self, line: RecordedInstrument, out: list[Record]) -> None:
        """Append the row of a pending book as of its due time, none when its best levels are the same."""
        line.pending = False
        ts = line.due if line.due > line.changed_at else line.changed_at
        book, levels = line.book, self._levels
        bids, asks = book.bids.packed(levels), book.asks.packed(levels)
        # An unchanged ladder returns the same object: most comparisons end at the identity.
        same = (bids is line.bids or bids == line.bids) and (asks is line.asks or asks == line.asks)
        if same and ts < line.shown_at + self._heartbeat:
            return
        line.bids, line.asks, line.shown_at = bids, asks, ts
        out.append(BookTop(book.key, ts, book.ts_venue, bids, asks, True))  # noqa: FBT003 - the hot path

    def until(self, mark: int, out: list[Record]) -> None:
        """Append the rows due before ``mark``; no event before ``mark`` may follow."""
        if compiled.native is None:
            self._until_patiently(mark, out)
        else:
            compiled.native.show_due(self.due, mark, self.order, self._levels, self._heartbeat, out)
        beats = self._beats
        while beats and beats[0][0] < mark:
            self._beat(heappop(beats)[2], mark, out)

    def _until_patiently(self, mark: int, out: list[Record]) -> None:
        queue = self.due
        while queue and queue[0][0] < mark:
            entered, _, line = heappop(queue)
            if not line.pending or entered < line.due:  # shown already; it may be due again later
                continue
            if line.changed_at >= mark:  # more may come at this very instant
                heappush(queue, (line.changed_at, next(self.order), line))
            else:
                self.show(line, out)

    def _beat(self, line: RecordedInstrument, mark: int, out: list[Record]) -> None:
        line.beating = line.alive and line.book.trusted
        if not line.beating:
            return
        ready = max(line.shown_at + self._heartbeat, line.changed_at)
        if ready < mark:
            line.pending, line.due = False, ready
            line.bids = None  # whatever it holds: it is time
            self.show(line, out)
            ready = line.shown_at + self._heartbeat
        heappush(self._beats, (max(ready, mark), next(self.order), line))
