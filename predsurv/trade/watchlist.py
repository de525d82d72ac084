"""Which instruments a trading run watches: whole events, since a strategy needs all markets of an event or none."""

from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import Struct

from predsurv.core.events import MarketChange, MarketEvent, MarketResolved
from predsurv.core.ids import EventId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import BINARY, Market
from predsurv.ports import NO_MIRRORS, Mirrors
from predsurv.state.market_facts import FINAL, KnownMarket, apply_fact, holds_from

SWEEP_INTERVAL: Final = 60_000_000_000
"""How often (ns) markets that are over are looked for."""
MOVED_WITHIN: Final = 3_600_000_000_000
"""How long (ns) after trading ended by its timetable the venue may still move that end."""
KNOWN_MAX: Final = 100_000
"""Markets known, watched or not; beyond it those that are not watched are forgotten, the oldest first."""

_ENDED: Final = FINAL | {"closed"}

Needed = Callable[[VenueName, MarketId], bool]
"""Whether anything more has to be heard of a market, though it is over: its payout."""


class MarketSelection(Struct, frozen=True):
    """What a run begins with: ``markets`` to know and instruments (``keys``) to watch, with their ``mirrors``.

    Closed siblings are among the markets, so that a set of outcomes is not taken for complete without them.
    """

    markets: tuple[Market, ...]
    keys: frozenset[InstrumentKey]
    mirrors: Mirrors = NO_MIRRORS


class Watchlist:
    """The instruments watched at one venue, following listings and resolutions; at most ``capacity``.

    A market that is over (closed, past its hours, no longer listed) makes room for others, unless it is ``needed``.
    ``mirrored``: the venue keeps one book per binary market (see ``Market.primary_keys``). ``mirrors``: those of
    ``keys``, whose trades are heard as well; they need no place of their own. ``known``: markets that may open later.
    """

    def __init__(
        self,
        keys: AbstractSet[InstrumentKey],
        capacity: int,
        *,
        mirrored: bool,
        mirrors: Mirrors = NO_MIRRORS,
        known: Iterable[Market] = (),
        needed: Needed = lambda _venue, _market: False,
    ) -> None:
        self._keys = dict.fromkeys(sorted(keys))
        self._capacity, self._mirrored, self._mirrors = capacity, mirrored, dict(mirrors)
        self._known = {market.market_id: KnownMarket(market, market) for market in known}
        self._needed, self._sweep_at = needed, 0

    @property
    def keys(self) -> frozenset[InstrumentKey]:
        """The instruments watched now."""
        return frozenset(self._keys)

    def mirrors_of(self, keys: AbstractSet[InstrumentKey]) -> Mirrors:
        """Return the mirrors of those of ``keys`` that are watched and have one."""
        return {key: mirror for key, mirror in self._mirrors.items() if key in keys}

    def update(self, batch: Sequence[MarketEvent]) -> bool:
        """Add markets that open and remove resolved ones; return whether the feed has to be told."""
        changed = False
        if batch and batch[-1].ts_recv >= self._sweep_at:
            self._sweep_at = batch[-1].ts_recv + SWEEP_INTERVAL
            changed = self._sweep(batch[-1].ts_recv)
        for event in batch:
            if isinstance(event, MarketResolved):
                for instrument_id, _ in event.payouts:
                    key = InstrumentKey(event.venue, event.market_id, instrument_id)
                    changed |= key in self._keys
                    self._keys.pop(key, None)
                    self._mirrors.pop(key, None)
                self._known.pop(event.market_id, None)
            elif isinstance(event, MarketChange) and holds_from(event) <= event.ts_recv:
                changed |= self._follow(event)
        return changed

    def _sweep(self, now: int) -> bool:
        """Forget the markets that are over; return whether any of them was watched."""
        before = len(self._keys)
        for name, market in [(name, each.market) for name, each in self._known.items()]:
            if _is_over(market, now) and not self._needed(market.venue, name):
                del self._known[name]
                for key in market.keys():  # noqa: SIM118
                    self._keys.pop(key, None)
                    self._mirrors.pop(key, None)
        watched = {key.market_id for key in self._keys}
        idle = [name for name in self._known if name not in watched]
        for name in idle[: max(len(self._known) - KNOWN_MAX, 0)]:
            del self._known[name]
        return len(self._keys) < before

    def _follow(self, change: MarketChange) -> bool:
        """Fold a change in; return whether the feed has to be told of the market, because it is open now."""
        known = apply_fact(self._known.get(change.market_id), change)
        if known is None:
            return False
        market = known.market
        self._known[change.market_id] = known
        listed = keys_to_watch(market, mirrored=self._mirrored) if market.open_at(change.ts_recv) else ()
        new = sum(key not in self._keys for key in listed)
        # Also when all are watched: the venue may have ignored a market until it was announced.
        if not listed or len(self._keys) + new > self._capacity or not (new or change.market is not None):
            return False
        self._keys |= dict.fromkeys(listed)
        self._mirrors |= _mirrors((market,), listed) if self._mirrored else {}
        return True


class _EventMarkets(Struct, frozen=True):
    event_id: EventId
    markets: tuple[Market, ...]
    keys: tuple[InstrumentKey, ...]
    exclusive: bool
    volume: int


def select_markets(
    markets: Iterable[Market], capacity: int, *, mirrored: bool, held: AbstractSet[InstrumentKey] = frozenset()
) -> MarketSelection:
    """Return whole events, those with exclusive outcomes first, then by volume of the last day.

    ``capacity`` is the number of instruments; an event that does not fit is skipped in favour of smaller
    ones. ``mirrored``: see ``Market.primary_keys``. Instruments that are ``held`` come first, whatever the
    status of their market.
    """
    by_event: dict[EventId, list[Market]] = {}
    for market in markets:
        by_event.setdefault(market.event_id, []).append(market)
    events = [_event_markets(event_id, members, mirrored=mirrored) for event_id, members in by_event.items()]
    known: list[Market] = []
    held_ids = {key.market_id for key in held}
    held_markets = {each.market_id: each for event in events for each in event.markets if each.market_id in held_ids}
    keys = {_primary(key, held_markets.get(key.market_id), mirrored=mirrored) for key in held}
    for event in sorted(events, key=lambda each: (not each.exclusive, -each.volume, each.event_id)):
        if event.keys and len(keys) + sum(key not in keys for key in event.keys) <= capacity:
            known += event.markets
            keys.update(event.keys)
        elif any(market.market_id in held_markets or market.status == "created" for market in event.markets):
            known += event.markets  # those that are only announced may open later
    return MarketSelection(tuple(known), frozenset(keys), _mirrors(known, keys) if mirrored else NO_MIRRORS)


def _is_over(market: Market, now: int) -> bool:
    ends = market.trading_ends
    over = ends is not None and ends + MOVED_WITHIN <= now
    return over or market.status in _ENDED or market.last_seen is not None


def is_open(market: Market) -> bool:
    """Return whether the market accepts orders of ours, and is still listed."""
    return market.status == "active" and market.tradable and market.last_seen is None and market.market_type == BINARY


def keys_to_watch(market: Market, *, mirrored: bool) -> tuple[InstrumentKey, ...]:
    """Return the instruments with a book of their own, none when the market is not open."""
    return market.primary_keys(mirrored=mirrored) if is_open(market) else ()


def _primary(key: InstrumentKey, market: Market | None, *, mirrored: bool) -> InstrumentKey:
    return key if market is None else market.primary_of(key, mirrored=mirrored)


def _mirrors(markets: Iterable[Market], keys: Collection[InstrumentKey]) -> dict[InstrumentKey, InstrumentKey]:
    """Return the mirrors of those of ``keys`` that are outcomes of ``markets`` and have one."""
    found = ((key, market.mirror_of(key)) for market in markets for key in market.keys() if key in keys)  # noqa: SIM118
    return {key: mirror for key, mirror in found if mirror is not None}


def _event_markets(event_id: EventId, members: Sequence[Market], *, mirrored: bool) -> _EventMarkets:
    keys = tuple(key for market in members for key in keys_to_watch(market, mirrored=mirrored))
    binary = [market for market in members if market.market_type == BINARY]
    exclusive = any(len(market.outcomes) > 2 for market in binary) or (
        len(binary) > 1 and all(market.mutually_exclusive for market in binary)
    )
    volume = sum(market.volume_24h or 0 for market in members)
    return _EventMarkets(event_id, tuple(members), keys, exclusive, volume)
