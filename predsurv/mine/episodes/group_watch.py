"""The groups of claims whose books are watched, and whether their best prices could pay at all.

The sums of a group's best prices are kept up to date claim by claim: most changes of a book need no more than that.
"""

from collections.abc import Iterator

from msgspec import Struct

from predsurv.core.ids import InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS
from predsurv.state.market_cache import MarketCache
from predsurv.state.view import View
from predsurv.strategies.claims import ClaimGroup, ClaimGroups
from predsurv.strategies.quick_look import claim_best


class WatchedGroup(Struct, eq=False):
    """A group with the best prices of its claims (micros); ``places``: the claim that each book is part of."""

    venue: VenueName
    group: ClaimGroup
    places: dict[InstrumentKey, int]
    asks: list[int | None]
    bids: list[int]
    total_ask: int = 0
    total_bid: int = 0
    missing: int = 0

    @property
    def name(self) -> tuple[VenueName, str]:
        """What stays the same when its markets change."""
        return self.venue, self.group.name

    def look(self, index: int, view: View) -> None:
        """Take in the best prices of claim number ``index``."""
        ask, bid = claim_best(self.group.claims[index], view)
        old, self.asks[index] = self.asks[index], ask
        self.total_ask += (ask or 0) - (old or 0)
        self.missing += (ask is None) - (old is None)
        self.total_bid += bid - self.bids[index]
        self.bids[index] = bid

    def may_pay(self) -> bool:
        """Return whether best prices without fees leave anything; never wrong about what does not."""
        if self.total_bid > MICROS or (self.group.exhaustive and not self.missing and self.total_ask < MICROS):
            return True
        return any(ask is not None and bid > ask for ask, bid in zip(self.asks, self.bids, strict=True))


class GroupWatch:
    """The watched group of each market in ``cache``, formed by ``claims`` when one of its books is first heard of."""

    def __init__(self, cache: MarketCache, claims: ClaimGroups, view: View) -> None:
        self._cache, self._claims, self._view = cache, claims, view
        self._groups: dict[tuple[VenueName, MarketId], WatchedGroup | None] = {}

    def of(self, venue: VenueName, market_id: MarketId) -> WatchedGroup | None:
        """Return the group of a market, None where nothing is known to hold for it."""
        name = (venue, market_id)
        if name not in self._groups:
            market = self._cache.market(venue, market_id)
            group = None if market is None else self._claims.of(market, self._view)
            watched = None if group is None else self._watched(venue, group)
            self._groups[name] = watched
            for key in () if group is None else group.instruments():
                self._groups[key.venue, key.market_id] = watched
        return self._groups[name]

    def forget(self, venue: VenueName, market_id: MarketId) -> list[WatchedGroup]:
        """Form the groups of a market, and of all markets of its event, anew; return those that there were."""
        market = self._cache.market(venue, market_id)
        names = {(venue, market_id)}
        if market is not None:
            names |= {(each.venue, each.market_id) for each in self._cache.siblings(venue, market.event_id)}
        dropped = {id(each): each for name in names if (each := self._groups.pop(name, None)) is not None}
        for each in dropped.values():
            for key in each.group.instruments():
                self._groups.pop((key.venue, key.market_id), None)
        return list(dropped.values())

    def _watched(self, venue: VenueName, group: ClaimGroup) -> WatchedGroup:
        count = len(group.claims)
        watched = WatchedGroup(venue, group, dict(self._places(group)), [None] * count, [0] * count, missing=count)
        for index in range(count):
            watched.look(index, self._view)
        return watched

    def _places(self, group: ClaimGroup) -> Iterator[tuple[InstrumentKey, int]]:
        for index, claim in enumerate(group.claims):
            for key in claim.instruments():
                yield self._cache.primary_of(key), index
