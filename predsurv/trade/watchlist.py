"""Which instruments a trading run watches.

Kept apart from rotation, which shares places out over time: a strategy needs all of an event or
none of it, and keeps it.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from predsurv.core.events import MarketChange, MarketEvent, MarketResolved
from predsurv.core.ids import EventId, InstrumentKey
from predsurv.core.market import Market


class Watchlist(Struct, frozen=True):
    """``markets`` to know (closed siblings too, so that a set is not taken for complete), ``keys`` to watch."""

    markets: tuple[Market, ...]
    keys: frozenset[InstrumentKey]


class VenueWatchlist:
    """The instruments wanted at one venue, following its markets' lives; at most ``capacity``."""

    def __init__(self, keys: AbstractSet[InstrumentKey], capacity: int, *, mirrored: bool) -> None:
        self._keys = dict.fromkeys(sorted(keys))
        self._capacity, self._mirrored = capacity, mirrored

    @property
    def keys(self) -> frozenset[InstrumentKey]:
        """What is wanted now."""
        return frozenset(self._keys)

    def follow(self, batch: Sequence[MarketEvent]) -> bool:
        """Take in newly listed markets and let resolved ones go; return whether that changed anything."""
        changed = False
        for event in batch:
            if isinstance(event, MarketResolved):
                for instrument_id, _ in event.payouts:
                    key = InstrumentKey(event.venue, event.market_id, instrument_id)
                    changed |= key in self._keys
                    self._keys.pop(key, None)
            elif isinstance(event, MarketChange) and event.market is not None:
                fresh = keys_to_watch(event.market, mirrored=self._mirrored)
                if fresh and len(self._keys) + sum(key not in self._keys for key in fresh) <= self._capacity:
                    self._keys |= dict.fromkeys(fresh)
                    changed = True  # also when it was wanted before: the venue may not have known it then
        return changed


class _Group(Struct, frozen=True):
    event_id: EventId
    markets: tuple[Market, ...]
    keys: tuple[InstrumentKey, ...]
    exclusive: bool
    volume: int


def choose(
    markets: Iterable[Market], capacity: int, *, mirrored: bool, held: AbstractSet[InstrumentKey] = frozenset()
) -> Watchlist:
    """Return whole events, those with exclusive siblings first, then by volume of the last day.

    ``capacity`` is the number of instruments; an event that no longer fits is left out for smaller
    ones. ``mirrored``: the venue keeps one book per binary market, so its first outcome says all.
    What is ``held`` comes before everything else, whatever became of its market.
    """
    events: dict[EventId, list[Market]] = {}
    for market in markets:
        events.setdefault(market.event_id, []).append(market)
    groups = [_group(event_id, members, mirrored=mirrored) for event_id, members in events.items()]
    known: list[Market] = []
    held_markets = {key.market_id for key in held}
    owned = {each.market_id: each for group in groups for each in group.markets if each.market_id in held_markets}
    keys = {_primary(key, owned.get(key.market_id), mirrored=mirrored) for key in held}
    for group in sorted(groups, key=lambda each: (not each.exclusive, -each.volume, each.event_id)):
        if group.keys and len(keys) + sum(key not in keys for key in group.keys) <= capacity:
            known += group.markets
            keys.update(group.keys)
        elif any(market.market_id in owned for market in group.markets):
            known += group.markets
    return Watchlist(tuple(known), frozenset(keys))


def is_open(market: Market) -> bool:
    """Return whether the market takes orders."""
    return market.status == "active" and market.tradable


def keys_to_watch(market: Market, *, mirrored: bool) -> tuple[InstrumentKey, ...]:
    """Return the instruments of a market whose books say everything, none when it cannot be traded."""
    if not is_open(market):
        return ()
    return market.primary_keys(mirrored=mirrored)


def _primary(key: InstrumentKey, market: Market | None, *, mirrored: bool) -> InstrumentKey:
    return key if market is None else market.primary_of(key, mirrored=mirrored)


def _group(event_id: EventId, members: Sequence[Market], *, mirrored: bool) -> _Group:
    keys = tuple(key for market in members for key in keys_to_watch(market, mirrored=mirrored))
    exclusive = any(len(market.outcomes) > 2 for market in members) or (
        len(members) > 1 and all(market.mutually_exclusive for market in members)
    )
    volume = sum(market.volume_24h or 0 for market in members)
    return _Group(event_id, tuple(members), keys, exclusive, volume)
