"""Replace one connection by another without a seam: no change lost, none told twice.

Kept apart, pure, because it is about the order of events and not about sockets. Both connections
carry the same instruments; the old one speaks until the new one has every book. Then the old one
falls silent, and for each instrument the new one goes on behind the last thing that the old one
said: with a whole book of that moment, so that what follows builds on its own generation.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import structs

from predsurv.core.events import BookDelta, BookSnapshot, Gap, MarketChange, MarketEvent, Quote
from predsurv.core.ids import InstrumentKey
from predsurv.state.book import Book

KEPT_MAX: Final = 200_000
"""Events of the new connection kept at most while it waits for its turn."""

BookChange = BookSnapshot | BookDelta


class Takeover:
    """One replacement: ``old`` and ``new`` are the gates of the two connections.

    Trades pass from both: whoever decodes them knows which were told. ``overfull`` when the new
    connection brought too much before it could take over.
    """

    def __init__(self) -> None:
        self.switched = False
        self.overfull = False
        self._last: dict[InstrumentKey, BookChange | Gap] = {}
        self._kept: dict[InstrumentKey, list[BookChange]] = {}
        self._count = 0
        self._pending: set[InstrumentKey] = set()

    @property
    def done(self) -> bool:
        """Whether the new connection speaks for every instrument."""
        return self.switched and not self._pending

    def switch(self, keys: AbstractSet[InstrumentKey]) -> None:
        """Let the old connection say nothing more; the new one takes over ``keys`` as soon as it is as far."""
        self.switched = True
        self._pending = set(keys)

    def old(self, events: Sequence[MarketEvent], out: list[MarketEvent]) -> None:
        """Pass on what the old connection says until the switch, only trades afterwards."""
        for event in events:
            if isinstance(event, BookSnapshot | BookDelta | Gap):
                if self.switched:
                    continue
                self._last[event.key] = event
            elif self.switched and isinstance(event, Quote | MarketChange):
                continue
            out.append(event)

    def new(self, events: Sequence[MarketEvent], out: list[MarketEvent]) -> None:
        """Keep what the new connection says of books until it is its turn."""
        for event in events:
            if isinstance(event, BookSnapshot | BookDelta):
                self._take(event, out)
            elif isinstance(event, Gap):
                self._lose(event, out)
            elif self.switched or not isinstance(event, Quote | MarketChange):
                out.append(event)
        if self._pending and events:
            self.settle(events[-1].ts_recv, out)

    def drop(self, keys: AbstractSet[InstrumentKey]) -> None:
        """Forget instruments that are not wanted any more."""
        self._pending -= keys
        for key in keys:
            self._kept.pop(key, None)
            self._last.pop(key, None)

    def settle(self, ts: int, out: list[MarketEvent], *, force: bool = False) -> None:
        """Take over what can be taken over at ``ts`` (ns UTC); with ``force`` all that has a book."""
        if not self.switched:
            return
        for key in sorted(self._pending & self._kept.keys()):
            kept = self._kept[key]
            start = len(kept) - 1 if force else _behind(kept, self._last.get(key))
            if start is not None:
                out += _resumed(kept, start, ts)
                del self._kept[key]
                self._pending.discard(key)

    def _take(self, event: BookChange, out: list[MarketEvent]) -> None:
        if self.switched and event.key not in self._pending:
            out.append(event)
            return
        if isinstance(event, BookSnapshot):
            # What came before is in it, but the old connection may have told less than that.
            self._kept.setdefault(event.key, [])
        if event.key in self._kept:
            self._kept[event.key].append(event)
            self._count += 1
            self.overfull = self._count > KEPT_MAX

    def _lose(self, event: Gap, out: list[MarketEvent]) -> None:
        self._kept.pop(event.key, None)
        if self.switched:
            self._pending.discard(event.key)
            out.append(event)


def _behind(kept: Sequence[BookChange], last: BookChange | Gap | None) -> int | None:
    """Return which of ``kept`` says what was said last; None while none does and one still may."""
    if last is None or isinstance(last, Gap) or last.ts_venue is None:
        return 0
    said = last.ts_venue
    for index in range(len(kept) - 1, -1, -1):
        if _same(kept[index], last):
            return index
    if (kept[-1].ts_venue or 0) < said:
        return None
    return max((index for index, event in enumerate(kept) if (event.ts_venue or 0) <= said), default=0)


def _same(one: BookChange, other: BookChange) -> bool:
    if isinstance(one, BookDelta) and isinstance(other, BookDelta):
        return (one.ts_venue, one.side, one.price, one.size) == (other.ts_venue, other.side, other.price, other.size)
    if isinstance(one, BookSnapshot) and isinstance(other, BookSnapshot):
        return (one.ts_venue, one.bids, one.asks) == (other.ts_venue, other.bids, other.asks)
    return False


def _resumed(kept: Sequence[BookChange], start: int, ts: int) -> list[MarketEvent]:
    """Return the book as of ``kept[start]`` and what came later, none of it as received before ``ts``.

    Until then the old connection spoke, and what is told later must not seem older.
    """
    book = Book(kept[0].key)
    for event in kept[: start + 1]:
        book.apply(event)
    later = (structs.replace(event, ts_recv=max(ts, event.ts_recv)) for event in kept[start + 1 :])
    return [book.as_snapshot(max(ts, kept[start].ts_recv)), *later]
