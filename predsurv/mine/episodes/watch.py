"""Follows the books of a recording and tells the episodes in it.

All events of one time are taken in before anything is looked at: what one frame changes in two books is no episode
between them.
"""

from heapq import heappop, heappush
from itertools import count

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Gap,
    MarketChange,
    MarketEvent,
    MarketResolved,
    Unwanted,
    VenuePhase,
)
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.mine.episodes.episode import DELAYS, Episode, EpisodeEnd, SetOffer
from predsurv.mine.episodes.group_watch import GroupWatch, WatchedGroup
from predsurv.mine.episodes.market_view import MarketView
from predsurv.state.market_cache import MarketCache
from predsurv.strategies.claim_tiers import TierTerms, claim_tiers
from predsurv.strategies.claims import ClaimGroups
from predsurv.strategies.set_plan import SetSearch
from predsurv.strategies.set_signals import signal_of
from predsurv.strategies.set_trades import best_trade, largest
from predsurv.strategies.tradable import is_tradable

_TERMS = TierTerms(leg_age_max=1 << 62)
"""A book that is known is as it is, however long nothing changed in it."""

_Name = tuple[VenueName, str]


class EpisodeWatch:
    """Feed it the events of one or several recordings in order, then ``finish``; ``ended`` are the episodes so far."""

    def __init__(self, cache: MarketCache, claims: ClaimGroups) -> None:
        self._cache, self._view = cache, MarketView(cache)
        self._groups = GroupWatch(cache, claims, self._view)
        self.ended: list[Episode] = []
        self._open: dict[_Name, Episode] = {}
        self._offers: dict[_Name, SetOffer] = {}
        self._watched: dict[_Name, WatchedGroup] = {}  # those with an open episode
        self._touched: dict[_Name, WatchedGroup | None] = {}
        self._known: set[InstrumentKey] = set()  # books that can be trusted now
        self._fresh: set[InstrumentKey] = set()  # those that can since the present time
        self._numbers = count()
        self._due: list[tuple[int, int, int, _Name, Episode]] = []  # (ns UTC, order, which of DELAYS, of what)

    def apply(self, event: MarketEvent) -> None:
        """Take in the next event."""
        if event.ts_recv > self._view.now:
            self._reach(event.ts_recv)
        self._cache.apply(event)
        if isinstance(event, BookDelta | BookSnapshot | Gap | Unwanted):
            self._book_changed(event)
        elif isinstance(event, MarketChange | MarketResolved):
            for each in self._groups.forget(event.venue, event.market_id):
                if each.name in self._open:
                    self._touched[each.name] = None
        elif isinstance(event, VenuePhase):
            self._touched.update(self._watched)

    def finish(self, ts: int) -> None:
        """End everything at ``ts`` (ns UTC), the end of the recording."""
        self._reach(ts)
        for name in list(self._open):
            self._end(name, "end")

    def _book_changed(self, event: BookDelta | BookSnapshot | Gap | Unwanted) -> None:
        if self._cache.trusted_book(event.key) is None:
            self._known.discard(event.key)
        elif event.key not in self._known:
            self._known.add(event.key)
            self._fresh.add(event.key)
        watched = self._groups.of(event.key.venue, event.key.market_id)
        index = None if watched is None else watched.places.get(event.key)
        if watched is None or index is None:
            return
        watched.look(index, self._view)
        if watched.name in self._open or watched.may_pay():
            self._touched[watched.name] = watched

    def _reach(self, ts: int) -> None:
        """Look at what the present time changed, and let time pass up to ``ts``."""
        for name, watched in self._touched.items():
            self._look(name, watched)
        self._touched.clear()
        self._fresh.clear()
        while self._due and self._due[0][0] < ts:
            _, _, index, name, episode = heappop(self._due)
            episode.left[index] = self._left(name, episode)
        self._view.now = ts

    def _look(self, name: _Name, watched: WatchedGroup | None) -> None:
        now = self._view.now
        if watched is None:  # its markets changed, and with them what is known to hold
            watched = self._formed_again(name)
        offer = self._offer(watched) if watched is not None and watched.may_pay() else None
        episode = self._open.get(name)
        if episode is not None:
            episode.add(self._offers[name], now)
        if offer is None:
            if episode is not None:
                self._end(name, "market" if watched is None else self._why(episode))
            return
        if watched is not None:
            self._watched[name] = watched
        self._offers[name] = offer
        if episode is None:
            self._begin(name, offer)
        elif offer.profit > episode.peak.profit:
            episode.peak = offer

    def _begin(self, name: _Name, offer: SetOffer) -> None:
        now = self._view.now
        seen = self._fresh.isdisjoint(self._cache.primary_of(key) for key in offer.legs)
        venue = "cross" if offer.signal == "cross" else str(name[0])
        episode = self._open[name] = Episode(
            venue=venue, name=name[1], start=now, end=now, opened=offer, peak=offer, seen_from_start=seen
        )
        for index, delay in enumerate(DELAYS):
            heappush(self._due, (now + delay, next(self._numbers), index, name, episode))

    def _end(self, name: _Name, why: EpisodeEnd) -> None:
        episode = self._open.pop(name)
        offer = self._offers.pop(name)
        if self._view.now > episode.end:
            episode.add(offer, self._view.now)
        self._watched.pop(name, None)
        episode.ended = why
        self.ended.append(episode)

    def _formed_again(self, name: _Name) -> WatchedGroup | None:
        leg = self._offers[name].legs[0]
        watched = self._groups.of(leg.venue, leg.market_id)
        return watched if watched is not None and watched.name == name else None

    def _offer(self, watched: WatchedGroup) -> SetOffer | None:
        group = watched.group
        claims = tuple(claim_tiers(claim, self._view, _TERMS) for claim in group.claims)
        trade = best_trade(group, self._view, SetSearch(claims, group.exhaustive, 0, 0))
        if trade is None or trade.certificate.gain <= 0:
            return None
        legs = tuple(order.key for order in trade.orders)
        proof = trade.certificate
        return SetOffer(signal_of(group, trade.orders), proof.gain, proof.cost, largest(trade.orders), legs)

    def _left(self, name: _Name, episode: Episode) -> int | None:
        """Return what the best set of the group pays now, 0 when none does, None while a leg is not known."""
        if name in self._open:
            return self._offers[name].profit
        return None if any(self._view.book(key) is None for key in episode.opened.legs) else 0

    def _why(self, episode: Episode) -> EpisodeEnd:
        legs = {*episode.opened.legs, *episode.peak.legs}
        for key in legs:
            market = self._view.market(key.venue, key.market_id)
            if market is None or not is_tradable(market, self._view):
                return "market"
        return "gap" if any(self._view.book(key) is None for key in legs) else "closed"
