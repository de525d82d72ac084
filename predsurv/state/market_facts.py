"""What is known of markets at an instant: statements with a time, folded into one record per market.

A statement is a ``MarketFact``: a listing or an announcement with the whole record, a change of some fields, a
settlement. Everything that asks about a market (which tick, which fee, is it open) asks what was known at a time, so
that a later statement never reaches back and an earlier one never outlives its successor.

A venue's list may lag behind its stream, so a list that repeats what it said before is no news: only a value that
differs from the list's last one replaces what another source has stated since.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import fields, replace

from predsurv.core.events import MarketChange, MarketFact, MarketResolved
from predsurv.core.ids import InstrumentId, MarketId
from predsurv.core.market import Market, MarketStatus
from predsurv.core.num import Price

STATUS_AFTER: Final[dict[str, MarketStatus]] = {
    "created": "created",
    "activated": "active",
    "paused": "paused",
    "closed": "closed",
    "disputed": "disputed",
}
"""The status of a market after a change of a kind; other kinds leave it."""

_TOLD: Final = frozenset({"activated", "paused", "closed", "disputed"})
"""Changes of the status that are news even if the record that comes with one says what the list said before."""

FINAL: Final = frozenset({"resolved", "void"})
"""Statuses that no later statement undoes."""

TIMELESS: Final = frozenset(
    {"venue", "market_id", "event_id", "question", "outcomes", "series_id", "market_type", "url", "fetched_at"}
    | {"event_title"}
)
"""Fields that hold for the whole life of a market, so that a later statement tells them of earlier times too."""

_CHANGING: Final = frozenset(
    {"status", "tradable", "tick_size", "bands", "fee", "close_time", "min_order_size", "game_start", "taker_delay"}
)
_DYNAMIC: Final = tuple(
    each.name for each in fields(Market) if each.name not in TIMELESS | {"assumed", "last_seen", "description"}
)


class KnownMarket(Struct, frozen=True):
    """A market as known at an instant.

    ``listed``: the record as stated last as a whole, None when only later statements have one: everything but the
    ``TIMELESS`` fields is assumed then. ``payouts``: what a share of each outcome pays (micros), once it settled.
    """

    market: Market
    listed: Market | None = None
    payouts: tuple[tuple[InstrumentId, Price], ...] = ()


class StatedFrom(NamedTuple):
    """What is known of a market from ``since`` (ns UTC) on, until the next statement."""

    since: int
    known: KnownMarket


def holds_from(fact: MarketFact) -> int:
    """Return the time (ns UTC) from which a statement holds: its announcement, or the later instant it names."""
    if isinstance(fact, MarketChange) and fact.effective is not None:
        return max(fact.effective, fact.ts_recv)
    return fact.ts_recv


def assumed_before(market: Market) -> KnownMarket:
    """Return what a market's first whole record tells of the time before it: its timeless fields, the rest assumed."""
    return KnownMarket(replace(market, assumed=_DYNAMIC))


def apply_fact(known: KnownMarket | None, fact: MarketFact) -> KnownMarket | None:
    """Fold one statement in, in the order of ``holds_from``; None while no whole record is known."""
    if isinstance(fact, MarketChange) and fact.market is not None:
        return _record(known, fact)
    if known is None:
        return None
    if isinstance(fact, MarketResolved):
        status: MarketStatus = "void" if fact.void else "resolved"
        return replace(known, market=_stated(known.market, status=status, tradable=False), payouts=fact.payouts)
    return replace(known, market=_changed(known, fact))


def _record(known: KnownMarket | None, fact: MarketChange) -> KnownMarket:
    stated = fact.market
    assert stated is not None  # noqa: S101 - checked by the only caller
    if known is None:
        return KnownMarket(stated, stated)
    market = merged(known, stated)
    if fact.kind in _TOLD and known.market.status not in FINAL and "status" not in stated.assumed:
        market = replace(market, status=stated.status, tradable=stated.tradable)
    return replace(known, market=market, listed=stated)


def merged(known: KnownMarket, stated: Market) -> Market:
    """Return what is known after the whole record ``stated``: its news, and what it only assumes as known before."""
    before, listed = known.market, known.listed
    kept: dict[str, object] = {}
    still_assumed = []
    for name in stated.assumed:
        if name in before.assumed:
            still_assumed.append(name)
        else:
            kept[name] = getattr(before, name)
    if listed is not None:
        for name in _CHANGING:
            repeated = name not in stated.assumed and name not in listed.assumed and name not in before.assumed
            if repeated and _says(name, listed) == _says(name, stated):
                kept[name] = getattr(before, name)
    if before.status in FINAL:
        kept["status"], kept["tradable"] = before.status, False
    return replace(stated, assumed=tuple(still_assumed), **kept)


def _says(name: str, market: Market) -> object:
    """Return a field as it is compared: the time since when a fee holds may be that of the list itself."""
    return replace(market.fee, since=None) if name == "fee" else getattr(market, name)


def _changed(known: KnownMarket, fact: MarketChange) -> Market:
    market = known.market
    if fact.tick_size is not None:
        least = {} if fact.min_order_size is None else {"min_order_size": fact.min_order_size}
        return _stated(market, tick_size=fact.tick_size, bands=fact.bands, **least)
    if fact.kind == "fee":
        if fact.fee is not None:
            return _stated(market, fee=fact.fee)
        return market if known.listed is None else replace(market, fee=known.listed.fee)
    if fact.close_time is not None:
        market = _stated(market, close_time=fact.close_time)
    status = STATUS_AFTER.get(fact.kind)
    if status is None or market.status in FINAL:
        return market
    return _stated(market, status=status, tradable=status == "active")


def _stated(market: Market, **values: object) -> Market:
    assumed = tuple(name for name in market.assumed if name not in values)
    return replace(market, assumed=assumed, **values)


class MarketTimeline:
    """The statements about one market, in whatever order they are added; equal ones count once."""

    def __init__(self) -> None:
        self._facts: list[_Ordered] = []

    def add(self, fact: MarketFact) -> None:
        """Add a statement."""
        ordered = _Ordered(holds_from(fact), fact.ts_recv, _ENCODER.encode(fact), fact)
        at = bisect_left(self._facts, ordered[:3], key=_order)
        if at == len(self._facts) or self._facts[at][:3] != ordered[:3]:
            self._facts.insert(at, ordered)

    def at(self, ts: int) -> KnownMarket | None:
        """Return what is known at ``ts`` (ns UTC); None when no statement ever has the whole record.

        Before the first whole record its timeless fields are known, and the rest is assumed.
        """
        count = bisect_right(self._facts, ts, key=lambda each: each.since)
        return self._fold(self._facts[:count])

    def pieces(self) -> Iterator[StatedFrom]:
        """Yield what is known from the time of each statement on, oldest first; nothing without a whole record."""
        for index, fact in enumerate(self._facts):
            last = index + 1 == len(self._facts) or self._facts[index + 1].since > fact.since
            known = self.at(fact.since) if last else None
            if known is not None:
                yield StatedFrom(fact.since, known)

    def facts(self) -> Iterator[MarketFact]:
        """Yield the statements in the order in which they hold."""
        return (each.fact for each in self._facts)

    def _fold(self, facts: Iterable["_Ordered"]) -> KnownMarket | None:
        first = next((fact for each in self._facts if (fact := _whole(each.fact)) is not None), None)
        known = None if first is None else assumed_before(first)
        for each in facts:
            known = apply_fact(known, each.fact)
        return known


class MarketFacts:
    """The timelines of a venue's markets."""

    def __init__(self, facts: Iterable[MarketFact] = ()) -> None:
        self._timelines: dict[MarketId, MarketTimeline] = {}
        for fact in facts:
            self.add(fact)

    def __len__(self) -> int:
        return len(self._timelines)

    def add(self, fact: MarketFact) -> None:
        """Add a statement."""
        timeline = self._timelines.get(fact.market_id)
        if timeline is None:
            timeline = self._timelines[fact.market_id] = MarketTimeline()
        timeline.add(fact)

    def timeline(self, market_id: MarketId) -> MarketTimeline | None:
        """Return the timeline of a market, None when nothing was stated of it."""
        return self._timelines.get(market_id)

    def at(self, market_id: MarketId, ts: int) -> KnownMarket | None:
        """Return what is known of a market at ``ts`` (ns UTC), see ``MarketTimeline.at``."""
        timeline = self._timelines.get(market_id)
        return None if timeline is None else timeline.at(ts)

    def market_ids(self) -> Iterator[MarketId]:
        """Yield the markets of which anything was stated."""
        return iter(self._timelines)


class _Ordered(NamedTuple):
    since: int
    ts_recv: int
    encoded: bytes
    fact: MarketFact


def _order(each: _Ordered) -> tuple[int, int, bytes]:
    return each[:3]


def _whole(fact: MarketFact) -> Market | None:
    return fact.market if isinstance(fact, MarketChange) else None


_ENCODER: Final = msgspec.msgpack.Encoder()
