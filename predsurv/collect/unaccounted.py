"""Instruments that were never recorded so far, and from when to when their markets were open meanwhile.

An instrument is here from the first time that its market is said to be open, or to be over, until it is recorded, waits
for a place, or has its rows. What is said may come late: a market that opens and closes while no connection is open is
told of when it is over.
"""

from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

from msgspec import Struct

from predsurv.core.events import GapReason, MarketChange, MarketFact
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Coverage
from predsurv.state.coverage import gap


class MarketEnd(NamedTuple):
    """The end of a market: whether it was known to be open, when it opened and ended as far as is stated (ns UTC)."""

    opened: int | None
    ended: int
    was_open: bool = True


class Unaccounted(Struct):
    """What is known of the market of an instrument; times in ns UTC.

    ``opened``: as the venue states it, None where it does not. ``heard``: when it was said to be open, None when it
    never was before it ended. ``ended``: None while it is open. ``has_place``: it is about to be recorded.
    """

    opened: int | None = None
    heard: int | None = None
    ended: int | None = None
    has_place: bool = False

    def gaps(self, key: InstrumentKey, began: int) -> list[Coverage]:
        """Return its gaps from ``began`` on, adjacent: from its opening to its end, or to when it was heard to be open.

        Until its opening was heard the time is ``unannounced``. From then on there was no place for it, or it was
        ``subscribing``. Without a stated opening the first begins where it was heard, or at ``began`` when it was not.
        """
        heard = None if self.heard is None else max(self.heard, began)
        ended = self.ended if self.ended is not None else heard
        if ended is None:
            return []
        heard = ended if heard is None else min(heard, ended)
        opened = self.opened if self.opened is not None else began if self.heard is None else heard
        since: GapReason = "subscribing" if self.has_place else "no_capacity"
        spans: tuple[tuple[int, int, GapReason], ...] = (
            (max(opened, began), heard, "unannounced"),
            (heard, ended, since),
        )
        return [gap(key, start, end, reason) for start, end, reason in spans if start < end]


class UnaccountedInstruments:
    """The instruments by key. ``began``: when the recording of their venue began in this run (ns UTC)."""

    def __init__(self) -> None:
        self.began = 0
        self._known: dict[InstrumentKey, Unaccounted] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: InstrumentKey) -> Unaccounted | None:
        """Return what is known of an instrument, None when it is not here."""
        return self._known.get(key)

    def open(self, key: InstrumentKey, heard: int, opened: int | None, *, has_place: bool) -> None:
        """Add an instrument whose market is open for the first time; what was said first of it stays."""
        known = self._known.setdefault(key, Unaccounted(opened, heard))
        known.has_place = has_place

    def end(self, key: InstrumentKey, end: MarketEnd, *, has_place: bool = False) -> None:
        """Note that the market of an instrument is over; add it when it was open and is not here."""
        known = self._known.get(key)
        if known is None:
            if not (end.was_open or end.opened is not None):
                return
            known = self._known[key] = Unaccounted(end.opened, self.began if end.was_open else None)
            known.has_place = has_place
        known.opened = known.opened if end.opened is None else end.opened
        known.ended = end.ended

    def discard(self, keys: Iterable[InstrumentKey]) -> None:
        """Remove ``keys``: their time is accounted for elsewhere."""
        for key in keys:
            self._known.pop(key, None)

    def lose_places(self, target: Container[InstrumentKey]) -> None:
        """Note that there is no place any more for those that are not in ``target``."""
        for key, known in self._known.items():
            known.has_place &= key in target

    def due(self) -> Iterator[InstrumentKey]:
        """Yield those that are to be accounted for now: they have no place, or are over."""
        return (key for key, each in self._known.items() if each.ended is not None or not each.has_place)


def end_of(fact: MarketFact, *, was_open: bool) -> MarketEnd:
    """Return the end of a market as ``fact`` says it, at the latest now; a settlement comes after the end."""
    opened = ended = None
    if isinstance(fact, MarketChange):
        opened, ended = fact.opened, fact.closed
    if ended is None:
        ended = fact.ts_venue
    return MarketEnd(opened, fact.ts_recv if ended is None else min(ended, fact.ts_recv), was_open)
