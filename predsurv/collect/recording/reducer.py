"""Fold a feed's events into books and records, one event at a time.

Kept apart from the recorder that steers it because this is the hot path: thousands of events a
second pass here, so it awaits nothing, logs nothing and looks each instrument up once.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, field

from predsurv.collect.recording import compiled
from predsurv.collect.recording.coverage import CoverageTracker
from predsurv.collect.recording.instrument import RecordedInstrument
from predsurv.collect.recording.snapshots import SnapshotSampler
from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Connected,
    Disconnected,
    Dropped,
    Gap,
    GapReason,
    Malformed,
    MarketChange,
    MarketEvent,
    MarketResolved,
    Trade,
    Unknown,
)
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Record

FoldChanges = Callable[..., tuple[int, int]]

HOUR: Final = 3_600 * 1_000_000_000


class EventCounters(Struct):
    """What happened so far, counted.

    ``orphans``: deltas without a trusted book of their epoch; ``strays``: events of instruments
    that are not wanted (any more); ``trusted``: books that are right now; ``up``: since when (ns UTC)
    each open connection, by epoch.
    """

    events: int = 0
    orphans: int = 0
    strays: int = 0
    unknown: int = 0
    malformed: int = 0
    dropped: int = 0
    connects: int = 0
    disconnects: int = 0
    connections: int = 0
    trusted: int = 0
    gaps: Counter[GapReason] = field(default_factory=Counter)
    up: dict[int, int] = field(default_factory=dict)


class EventReducer:
    """Books of the instruments in ``lines`` and what is to be recorded of them.

    While it is ``deaf``, for the reason given, no book becomes known: what is said of it is not kept.
    """

    def __init__(self, tops: SnapshotSampler, account: CoverageTracker) -> None:
        self.lines: dict[InstrumentKey, RecordedInstrument] = {}
        self.tally = EventCounters()
        self.deaf: GapReason | None = None
        self.mark = 0
        self.hour_end = 0
        self.tops = tops
        self.lifecycle: list[MarketChange | MarketResolved] = []
        self._account = account
        self._others: Mapping[type, Callable[[Any, list[Record]], None]] = {
            BookSnapshot: self.snapshot,
            Gap: self.gap,
            Trade: self._trade,
            MarketChange: self._life,
            MarketResolved: self._life,
        }

    def apply(self, events: Sequence[MarketEvent], out: list[Record]) -> None:
        """Fold a batch and append its records to ``out``."""
        native = compiled.native
        if native is None:
            self._patiently(events, out)
        else:
            self._quickly(native.fold_changes, events if isinstance(events, list) else list(events), out)
        self.tally.events += len(events)
        self.tops.until(self.mark, out)

    def _patiently(self, events: Sequence[MarketEvent], out: list[Record]) -> None:
        mark, hour_end = self.mark, self.hour_end
        others, delta = self._others, self._delta
        for event in events:
            ts = event.ts_recv
            if ts > mark:
                mark = ts
                if ts >= hour_end:
                    self.pass_time(ts, out)
                    hour_end = self.hour_end
            if type(event) is BookDelta:
                delta(event, ts, out)
                continue
            handler = others.get(type(event))
            if handler is None:
                count(self.tally, event)
            else:
                handler(event, out)
        self.mark = mark

    def _quickly(self, fold: FoldChanges, events: list[MarketEvent], out: list[Record]) -> None:
        """Do the same with the compiled twin, which leaves to the patient what is no plain change of a known book."""
        at, tops = 0, self.tops
        while True:
            at, self.mark = fold(
                events, at, self.mark, self.hour_end, self.lines, out, tops.due, tops.order, tops.interval
            )
            if at == len(events):
                break
            self._patiently(events[at : at + 1], out)
            at += 1

    def pass_time(self, ts: int, out: list[Record]) -> None:
        """Move the mark; a new hour begins with the whole book of every live instrument."""
        self.mark = ts
        if ts < self.hour_end:
            return
        start = ts - ts % HOUR
        if self.hour_end:
            out += (line.book.as_snapshot(start) for line in self.lines.values() if line.book.trusted)
        self.hour_end = start + HOUR

    def snapshot(self, event: BookSnapshot, out: list[Record]) -> None:
        """Take a whole book: it is trusted from here on."""
        line = self.lines.get(event.key)
        if line is None:
            self.tally.strays += 1
            return
        if self.deaf is not None:
            self.gap(Gap(event.key, event.ts_recv, self.deaf, event.epoch), out)
            return
        fresh = not line.book.trusted
        if line.pending and line.due < event.ts_recv and line.changed_at < event.ts_recv:
            self.tops.show(line, out)
        line.book.apply(event)
        line.changed_at, line.epoch = event.ts_recv, event.epoch
        out += self._account.apply(event)
        out.append(event)
        if fresh:
            self.tally.trusted += 1
            self.tops.opened(line, event.ts_recv)
        elif not line.pending:
            self.tops.changed(line, event.ts_recv)

    def gap(self, event: Gap, out: list[Record]) -> None:
        """Lose a book: nothing is known of it from then, which may be past, until its next snapshot."""
        line = self.lines.get(event.key)
        if line is None:
            return
        since = event.ts_recv
        self.tally.gaps[event.reason] += 1
        if line.book.trusted:
            self.tally.trusted -= 1
            if line.pending and line.due < since and line.changed_at < since:
                self.tops.show(line, out)
            out.append(self.tops.lost(line, max(since, line.shown_at + 1)))
        line.book.apply(event)
        out += self._account.apply(event)
        hour = self.hour_end - HOUR
        if since < hour:
            # Meanwhile the hour began with this book, and a reader would believe it again from there.
            out += self._account.split(event.key, hour + 1)

    def _delta(self, event: BookDelta, ts: int, out: list[Record]) -> None:
        line = self.lines.get(event.key)
        if line is None:
            self.tally.strays += 1
            return
        if line.pending and line.due < ts and line.changed_at < ts:
            self.tops.show(line, out)
        if event.epoch != line.epoch or not line.book.change(event):
            self.tally.orphans += 1
            return
        line.changed_at = ts
        out.append(event)
        if not line.pending:
            self.tops.changed(line, ts)

    def _trade(self, event: Trade, out: list[Record]) -> None:
        if event.key in self.lines:
            out.append(event)
        else:
            self.tally.strays += 1

    def _life(self, event: MarketChange | MarketResolved, out: list[Record]) -> None:
        out.append(event)
        self.lifecycle.append(event)


def count(tally: EventCounters, event: MarketEvent) -> None:
    """Count an event that leaves no record; a venue's own quotes are not even counted."""
    match event:
        case Connected():
            tally.connects += 1
            tally.connections = event.connections
            tally.up[event.epoch] = event.ts_recv
        case Disconnected():
            tally.disconnects += 1
            tally.connections = event.connections
            tally.up.pop(event.epoch, None)
        case Unknown():
            tally.unknown += 1
        case Malformed():
            tally.malformed += 1
        case Dropped():
            tally.dropped += event.count
        case _:
            pass
