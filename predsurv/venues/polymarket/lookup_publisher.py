"""What market lookups found out, as events: each state of a new market is told once."""

from typing import Final

import msgspec
from msgspec.structs import replace

from predsurv.core.events import MarketChange, MarketChangeKind, MarketResolved
from predsurv.core.market import Market
from predsurv.ports import Clock
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.open_questions import NewMarket
from predsurv.venues.polymarket.rest import ClobMarket
from predsurv.venues.polymarket.settlement import settlement
from predsurv.venues.polymarket.shared_state import PolymarketSharedState, announcement_id
from predsurv.venues.streaming.queue import EventSink

_S: Final = 1_000_000_000

PATIENCE: Final = 2 * _S
"""How long (ns) REST may say nothing of a market that was announced as active, before it is taken at its word."""


class LookupPublisher:
    """Puts what became known of the markets in ``shared`` into an event sink."""

    def __init__(self, shared: PolymarketSharedState, clock: Clock) -> None:
        self._shared = shared
        self._questions = shared.questions
        self._clock = clock

    def take_at_their_word(self, now: int, events: EventSink) -> None:
        """Tell that those trade which were announced as active and of which REST says nothing (``now``: monotonic)."""
        for each in self._questions.new.values():
            market = each.market
            if each.taken_up or market is None or not each.read.row.active or each.since is None:
                continue
            if now - each.since >= PATIENCE and each.read.row.accepting_orders is None:
                each.taken_up = True
                each.market = replace(market, status="active", tradable=True)
                self._tell("activated", each.market, "announcement", events)

    def state(self, new: NewMarket, market: Market, events: EventSink) -> None:
        """Tell that a market trades, once; or that it does not although its announcement was taken at its word."""
        if market.tradable:
            self._questions.new.pop(new.market_id, None)
            self._tell("listed" if new.taken_up else "activated", market, "rest", events)
        elif new.taken_up and "tradable" not in market.assumed:
            new.taken_up = False
            self._tell("paused", replace(market, status="paused"), "rest", events)
        new.market = market
        if "tradable" not in market.assumed:
            new.read = new.read._replace(row=replace(new.read.row, accepting_orders=market.tradable))

    def end(self, new: NewMarket, state: ClobMarket, events: EventSink) -> None:
        """Tell that a market is over before it was seen to trade."""
        self._questions.new.pop(new.market_id, None)
        now = self._clock.now()
        closed = MarketChange(VENUE, new.market_id, None, now, None, "closed", _value("rest"))
        self.once(closed, events)
        self.once(settlement(state, new.market_id, (), now), events)

    def once(self, event: MarketChange | MarketResolved | None, events: EventSink) -> None:
        """Tell an event that was not told before; None is nothing to tell."""
        if event is not None and self._shared.announcement_ids.add(announcement_id(event)):
            events.put_events([event])

    def _tell(self, kind: MarketChangeKind, market: Market, source: str, events: EventSink) -> None:
        now = self._clock.now()
        change = MarketChange(VENUE, market.market_id, None, now, None, kind, _value(source), market)
        events.put_events([change])


def _value(source: str) -> str:
    return msgspec.json.encode({"source": source}).decode()
