"""Replace one connection by another without a gap: no change lost, none emitted twice.

Pure, because it is about the order of events and not about sockets. Both connections carry the
same instruments, and the old one emits until the new one has every book. Then the old one is muted,
and for each instrument the new one continues behind the last event that the old one emitted, with
a whole book of that moment, so that what follows builds on its own epoch.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import structs

from predsurv.core.events import BookDelta, BookSnapshot, Gap, MarketEvent, Quote
from predsurv.core.ids import InstrumentKey
from predsurv.core.level_changes import PackedEvent, each_event
from predsurv.state.book import Book

BUFFERED_EVENTS_MAX: Final = 200_000
"""Most events of the new connection that are buffered until it may emit."""

BookChange = BookSnapshot | BookDelta


class Takeover:
    """One replacement: ``filter_old`` and ``filter_new`` are the event filters of the two connections.

    Trades and changes of markets pass from both: their codecs, which share what was told, suppress
    duplicates. ``switched``: the old connection is muted. ``overflowed``: the new one delivered too
    much before it could take over.
    """

    def __init__(self) -> None:
        self.switched = False
        self.overflowed = False
        self._last: dict[InstrumentKey, BookChange | Gap] = {}
        """The last book event that the old connection emitted."""
        self._buffered: dict[InstrumentKey, list[BookChange]] = {}
        """Book events of the new connection, from a snapshot on."""
        self._count = 0
        self._pending: set[InstrumentKey] = set()

    @property
    def done(self) -> bool:
        """Whether the new connection emits for every instrument."""
        return self.switched and not self._pending

    def switch(self, keys: AbstractSet[InstrumentKey]) -> None:
        """Mute the old connection; the new one takes over each of ``keys`` once it has caught up."""
        self.switched = True
        self._pending = set(keys)

    def filter_old(self, events: Sequence[PackedEvent], out: list[MarketEvent]) -> None:
        """Append all events of the old connection until the switch, those without a book or quote afterwards."""
        for event in each_event(events):
            if isinstance(event, BookSnapshot | BookDelta | Gap):
                if self.switched:
                    continue
                self._last[event.key] = event
            elif self.switched and isinstance(event, Quote):
                continue
            out.append(event)

    def filter_new(self, events: Sequence[PackedEvent], out: list[MarketEvent]) -> None:
        """Buffer book events of the new connection until it has taken over; append the others it may emit."""
        for event in each_event(events):
            if isinstance(event, BookSnapshot | BookDelta):
                self._book_changed(event, out)
            elif isinstance(event, Gap):
                self._book_lost(event, out)
            elif self.switched or not isinstance(event, Quote):
                out.append(event)
        if self._pending and events:
            self.hand_over(events[-1].ts_recv, out)

    def forget(self, keys: AbstractSet[InstrumentKey]) -> None:
        """Drop all state of instruments that are no longer wanted."""
        self._pending -= keys
        for key in keys:
            self._buffered.pop(key, None)
            self._last.pop(key, None)

    def hand_over(self, ts: int, out: list[MarketEvent], *, force: bool = False) -> None:
        """Let the new connection take over the instruments that have caught up by ``ts`` (ns UTC).

        ``force``: also those that have a book but have not caught up. Does nothing before the switch.
        """
        if not self.switched:
            return
        for key in sorted(self._pending & self._buffered.keys()):
            buffered = self._buffered[key]
            start = len(buffered) - 1 if force else _resume_index(buffered, self._last.get(key))
            if start is not None:
                out += _resumed(buffered, start, ts)
                del self._buffered[key]
                self._pending.discard(key)

    def _book_changed(self, event: BookChange, out: list[MarketEvent]) -> None:
        if self.switched and event.key not in self._pending:
            out.append(event)
            return
        if isinstance(event, BookSnapshot):
            # It contains all earlier changes, but the old connection may not have emitted all of them.
            self._buffered.setdefault(event.key, [])
        if event.key in self._buffered:
            self._buffered[event.key].append(event)
            self._count += 1
            self.overflowed = self._count > BUFFERED_EVENTS_MAX

    def _book_lost(self, event: Gap, out: list[MarketEvent]) -> None:
        self._buffered.pop(event.key, None)
        if self.switched:
            self._pending.discard(event.key)
            out.append(event)


def _resume_index(buffered: Sequence[BookChange], last: BookChange | Gap | None) -> int | None:
    """Return the index of the buffered event up to which the old connection has emitted.

    That is the one equal to ``last``, else the last one not later in venue time; None while all are
    earlier, because the equal one may still come.
    """
    if last is None or isinstance(last, Gap) or last.ts_venue is None:
        return 0
    last_ts = last.ts_venue
    for index in range(len(buffered) - 1, -1, -1):
        if _same(buffered[index], last):
            return index
    if (buffered[-1].ts_venue or 0) < last_ts:
        return None
    return max((index for index, event in enumerate(buffered) if (event.ts_venue or 0) <= last_ts), default=0)


def _same(one: BookChange, other: BookChange) -> bool:
    if isinstance(one, BookDelta) and isinstance(other, BookDelta):
        return (one.ts_venue, one.side, one.price, one.size) == (other.ts_venue, other.side, other.price, other.size)
    if isinstance(one, BookSnapshot) and isinstance(other, BookSnapshot):
        return (one.ts_venue, one.bids, one.asks) == (other.ts_venue, other.bids, other.asks)
    return False


def _resumed(buffered: Sequence[BookChange], start: int, ts: int) -> list[MarketEvent]:
    """Return the book as of ``buffered[start]`` and the later events, none with a receive time before ``ts``.

    The old connection emitted until then, and receive times must not go back.
    """
    book = Book(buffered[0].key)
    for event in buffered[: start + 1]:
        book.apply(event)
    later = (structs.replace(event, ts_recv=max(ts, event.ts_recv)) for event in buffered[start + 1 :])
    return [book.as_snapshot(max(ts, buffered[start].ts_recv)), *later]
