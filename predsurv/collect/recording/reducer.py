"""Fold a feed's events into books and records, one event at a time.

This is the hot path, thousands of events a second: nothing here awaits or logs, and each event costs
one lookup of its instrument.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, cast

from msgspec import Struct, field
from msgspec.structs import replace

from predsurv.collect.recording.coverage import CoverageTracker
from predsurv.collect.recording.instrument import RecordedInstrument
from predsurv.collect.recording.snapshots import FoldEvents, SnapshotSampler
from predsurv.core import native
from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    ChannelChange,
    Connected,
    Disconnected,
    Dropped,
    Gap,
    GapReason,
    Malformed,
    MarketChange,
    MarketEvent,
    MarketFact,
    MarketResolved,
    Trade,
    Unknown,
    Unwanted,
    VenuePhase,
)
from predsurv.core.ids import InstrumentKey
from predsurv.core.level_changes import PackedEvent, PackedRecord, count_of, each_event
from predsurv.core.packed_book import PackedBook
from predsurv.core.records import Record
from predsurv.ports import Mirrors
from predsurv.state.coverage import NOTHING_RECEIVED


class Speedups(Protocol):
    """The compiled function of the fold."""

    fold_events: FoldEvents


FoldFact = Callable[[MarketFact], bool]
"""Folds a statement into what is known of its market; returns whether it is news."""

HOUR: Final = 3_600 * 1_000_000_000

NEVER: Final = 2**62

KINDS_MAX: Final = 100
"""Kinds of messages that nobody knows which are told apart."""
"""A time (ns UTC) after all others."""


class EventCounters(Struct):
    """Running counts of what the feed sent.

    ``orphans``: deltas without a trusted book of their epoch; ``strays``: events of instruments that
    are not recorded (any more); ``trusted``: books trusted now; ``connected_since``: ns UTC of each
    open connection, by epoch; ``phase``: what the venue said last about trading as a whole. ``unknown_kinds``:
    how often each came. ``lost``: the recorded
    instruments whose book was lost, by the first reason; those without a book that are not here never had one.
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
    connected_since: dict[int, int] = field(default_factory=dict)
    phase: VenuePhase | None = None
    unknown_kinds: Counter[str] = field(default_factory=Counter)
    lost: dict[InstrumentKey, GapReason] = field(default_factory=dict)


class EventReducer:
    """The books of ``instruments`` and the records that events make of them.

    ``mirrors``: the other outcomes whose trades are recorded as well, by instrument.
    ``watermark``: the latest time (ns UTC) up to which all events have been applied. What comes later is not older:
    an event stamped before it, because it waited in a queue while the clock was set, is recorded at the watermark, and
    one stamped in the future at the present, so that rows sorted by time are in the order in which they were folded.
    Only a ``Gap`` that is found out late may lie in the past. While
    ``muted_reason`` is set no book becomes trusted: snapshots count as gaps of that reason. ``fold`` returns whether
    a statement about a market is news; what is none is not recorded.
    """

    def __init__(self, sampler: SnapshotSampler, coverage: CoverageTracker, fold: FoldFact = lambda _: True) -> None:
        self.instruments: dict[InstrumentKey, RecordedInstrument] = {}
        self.mirrors: dict[InstrumentKey, InstrumentKey] = {}
        self._mirrored_by: dict[InstrumentKey, InstrumentKey] = {}
        self.counters = EventCounters()
        self.muted_reason: GapReason | None = None
        self.watermark = 0
        self.hour_end = 0
        self.sampler = sampler
        self.lifecycle: list[MarketFact] = []
        self._coverage = coverage
        self._fold = fold
        self._handlers: Mapping[type, Callable[[Any, list[Record]], None]] = {
            BookSnapshot: self.snapshot,
            PackedBook: self.snapshot,
            Gap: self.gap,
            Trade: self._trade,
            MarketChange: self.statement,
            MarketResolved: self.statement,
            VenuePhase: lambda event, out: out.extend(new_phase(self.counters, event)),
            ChannelChange: lambda event, out: out.extend(coverage.apply(event)),
        }

    def apply(self, events: Sequence[PackedEvent], out: list[PackedRecord], now: int = NEVER) -> None:
        """Fold a batch received by ``now`` (ns UTC) and append its records to ``out``."""
        records = cast("list[Record]", out)  # what is not put together when it comes is not when it goes
        speedups = native.speedups
        if speedups is None:
            self._apply_each(each_event(events), records, now)
        else:
            self._apply_compiled(speedups, events if isinstance(events, list) else list(events), out, now)
        self.counters.events += count_of(events)
        self.sampler.sample_until(self.watermark, records)

    def _apply_each(self, events: Sequence[MarketEvent], out: list[Record], now: int) -> None:
        watermark, hour_end = self.watermark, self.hour_end
        handlers, delta, latest = self._handlers, self._delta, max(now, watermark)
        for each in events:
            event, ts = each, each.ts_recv
            if ts > latest or (ts < watermark and not _is_found_late(event)):
                ts = min(max(ts, watermark), latest)
                event = replace(event, ts_recv=ts)
            if ts > watermark:
                watermark = ts
                if ts >= hour_end:
                    self.advance(ts, out)
                    hour_end = self.hour_end
            if type(event) is BookDelta:
                delta(event, ts, out)
                continue
            handler = handlers.get(type(event))
            if handler is None:
                count_event(self.counters, event)
            else:
                handler(event, out)
        self.watermark = watermark

    def _apply_compiled(self, speedups: Speedups, events: list[PackedEvent], out: list[PackedRecord], now: int) -> None:
        """Do the same with a compiled function: it stops at each event that is none it knows, or a special case."""
        at, records, counters = 0, cast("list[Record]", out), self.counters
        while True:
            until, trusting = min(self.hour_end, max(now, self.watermark) + 1), self.muted_reason is None
            place = events, at, self.watermark, until, trusting
            at, self.watermark, strays, orphans = self.sampler.fold(speedups.fold_events, place, self.instruments, out)
            counters.strays += strays
            counters.orphans += orphans
            if at == len(events):
                break
            self._apply_each(_taken_apart(events[at], self.watermark, max(now, self.watermark)), records, now)
            at += 1

    def advance(self, ts: int, out: list[Record]) -> None:
        """Move the watermark to ``ts`` (ns UTC); a new hour begins with a snapshot of every trusted book."""
        self.watermark = ts
        if ts < self.hour_end:
            return
        start = ts - ts % HOUR
        if self.hour_end:
            record_books(self.instruments.values(), start, out)
        self.hour_end = start + HOUR

    def snapshot(self, event: BookSnapshot | PackedBook, out: list[Record]) -> None:
        """Replace a book, which is trusted from here on."""
        instrument = self.instruments.get(event.key)
        if instrument is None:
            self.counters.strays += 1
            return
        if self.muted_reason is not None:
            self.gap(Gap(event.key, event.ts_recv, self.muted_reason, event.epoch), out)
            return
        fresh = not instrument.book.trusted
        if instrument.pending and instrument.due < event.ts_recv and instrument.changed_at < event.ts_recv:
            self.sampler.sample(instrument, out)
        instrument.book.apply(event)
        instrument.changed_at, instrument.epoch = event.ts_recv, event.epoch
        instrument.told_at = event.ts_recv
        out += self._coverage.apply(event)
        out.append(cast("BookSnapshot", event))
        if fresh:
            self.counters.trusted += 1
            self.counters.lost.pop(event.key, None)
            self.sampler.book_trusted(instrument, event.ts_recv)
        elif not instrument.pending:
            self.sampler.book_changed(instrument, event.ts_recv)

    def gap(self, event: Gap, out: list[Record]) -> None:
        """Stop trusting a book from the time of ``event`` on, which may be in the past, until its next snapshot."""
        instrument = self.instruments.get(event.key)
        if instrument is None:
            return
        since = event.ts_recv
        self.counters.gaps[event.reason] += 1
        self.counters.lost.setdefault(event.key, event.reason)
        if instrument.book.trusted:
            self.counters.trusted -= 1
            if instrument.pending and instrument.due < since and instrument.changed_at < since:
                self.sampler.sample(instrument, out)
            out.append(self.sampler.book_lost(instrument, max(since, instrument.shown_at + 1)))
        instrument.book.apply(event)
        out += self._coverage.apply(event)
        if since <= instrument.told_at:
            # The whole book was recorded since then, such as at the hour: a reader would trust it again from there.
            out += self._coverage.split(event.key, instrument.told_at + 1)

    def drop(self, keys: Iterable[InstrumentKey], out: list[Record]) -> None:
        """Stop recording ``keys`` at the watermark."""
        for key in keys:
            instrument = self.instruments.pop(key)
            self.counters.lost.pop(key, None)
            self._mirrored_by.pop(self.mirrors.pop(key, key), None)
            instrument.recorded = instrument.pending = False
            self.counters.trusted -= instrument.book.trusted
            out += self._coverage.apply(Unwanted(key, self.watermark, "rotated_out"))

    def _delta(self, event: BookDelta, ts: int, out: list[Record]) -> None:
        instrument = self.instruments.get(event.key)
        if instrument is None:
            self.counters.strays += 1
            return
        if instrument.pending and instrument.due < ts and instrument.changed_at < ts:
            self.sampler.sample(instrument, out)
        if event.epoch != instrument.epoch or not instrument.book.change(event):
            self.counters.orphans += 1
            return
        instrument.changed_at = ts
        out.append(event)
        if not instrument.pending:
            self.sampler.book_changed(instrument, ts)

    def set_mirrors(self, mirrors: Mirrors) -> None:
        """Record the trades of ``mirrors``, each as long as its instrument is recorded."""
        self.mirrors.clear()
        self.mirrors.update(mirrors)
        self._mirrored_by = {mirror: key for key, mirror in mirrors.items()}

    def _trade(self, event: Trade, out: list[Record]) -> None:
        if event.key in self.instruments or event.key in self._mirrored_by:
            out.append(event)
        else:
            self.counters.strays += 1

    def statement(self, event: MarketFact, out: list[Record]) -> None:
        """Record a statement about a market, unless it says what is known already."""
        if self._fold(event):
            out.append(event)
            self.lifecycle.append(event)


def _taken_apart(event: PackedEvent, first: int, last: int) -> Sequence[MarketEvent]:
    """Return the events that ``event`` is; a book from ``first`` to ``last`` (ns UTC) stays packed: its time holds."""
    if type(event) is PackedBook and first <= event.ts_recv <= last:
        return (cast("BookSnapshot", event),)
    return each_event((event,))


def _is_found_late(event: MarketEvent) -> bool:
    return type(event) is Gap and event.reason not in NOTHING_RECEIVED


def record_books(instruments: Iterable[RecordedInstrument], ts: int, out: list[Record]) -> None:
    """Append every trusted book as a whole, as of ``ts`` (ns UTC)."""
    for instrument in instruments:
        if instrument.book.trusted:
            instrument.told_at = ts
            out.append(instrument.book.as_snapshot(ts))


def count_event(counters: EventCounters, event: MarketEvent) -> None:
    """Count an event that makes no record; a venue's own quotes are not counted."""
    match event:
        case Connected():
            counters.connects += 1
            counters.connections = event.connections
            counters.connected_since[event.epoch] = event.ts_recv
        case Disconnected():
            counters.disconnects += 1
            counters.connections = event.connections
            counters.connected_since.pop(event.epoch, None)
        case Unknown():
            counters.unknown += 1
            if event.kind in counters.unknown_kinds or len(counters.unknown_kinds) < KINDS_MAX:
                counters.unknown_kinds[event.kind] += 1
        case Malformed():
            counters.malformed += 1
        case Dropped():
            counters.dropped += event.count
        case _:
            pass


def new_phase(counters: EventCounters, event: VenuePhase) -> Sequence[VenuePhase]:
    """Return the phase of a venue unless the last one said the same."""
    before, counters.phase = counters.phase, event
    if before is not None and (event.phase, event.resumes) == (before.phase, before.resumes):
        return ()
    return (event,)
