"""What risk looks at: the moment, the books, our orders and holdings, and what is being planned.

Kept apart from the checks so that each check is one comparison and the sums behind them are in
one place: orders in flight and unknown ones count at their worst.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from predsurv.core.fees import taker_fee
from predsurv.core.ids import InstrumentKey, StrategyName, VenueName
from predsurv.core.market import NO_FEE, Market
from predsurv.core.num import Money, Size, notional_up
from predsurv.core.orders import Intent, Order
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.account.valuation import Valuation
from predsurv.engine.books.visible import VisibleBooks
from predsurv.state.book import Book
from predsurv.state.market_cache import MarketCache

MINUTE: Final = 60 * 1_000_000_000
ROUNDING_RESERVE: Final = 2_000
"""Micros set aside per buy order: each of its fills may round its cost and fee up."""


class RiskState:
    """The state that risk checks read; ``planned`` are intents of this step already let through."""

    def __init__(self, cache: MarketCache, ledger: TradingAccount, sight: VisibleBooks) -> None:
        self.now = 0
        self.halted = False
        self.retired = False  # the run is ending: as halted, but for good
        self.planned: list[Intent] = []
        self.sent: deque[int] = deque()
        self.seen: dict[VenueName, int] = {}
        self.worth = Valuation(ledger, sight)
        self._cache, self._ledger, self._sight = cache, ledger, sight

    @property
    def closed(self) -> bool:
        """Return whether nothing new may be sent."""
        return self.halted or self.retired

    def book(self, key: InstrumentKey) -> Book | None:
        """Return the trusted book of ``key``, its own or mirrored, else None."""
        return self._sight.book(key)

    def market(self, key: InstrumentKey) -> Market | None:
        """Return the market that ``key`` belongs to."""
        return self._cache.market(key.venue, key.market_id)

    def cash(self, venue: VenueName) -> Money:
        """Return the cash at ``venue`` that nothing in flight or planned may still claim."""
        claimed = sum(self.worst_cost(order) for order in self.working("buy") if order.key.venue == venue)
        return Money(self._ledger.portfolio.cash(venue) - claimed)

    def worst_cost(self, order: Order | Intent) -> Money:
        """Return the most that what is left of a buy can cost: at its limit, fee and rounding up."""
        market = self.market(order.key)
        size = _left(order)
        fee = taker_fee(NO_FEE if market is None else market.fee, order.price, size)
        return Money(notional_up(order.price, size) + fee + ROUNDING_RESERVE)

    def free(self, strategy: StrategyName, key: InstrumentKey) -> Size:
        """Return the shares the strategy holds that no sale in flight or planned may take."""
        held = self._ledger.portfolio.lots.held(strategy, key)
        selling = sum(_left(order) for order in self.working("sell") if order.key == key and order.strategy == strategy)
        return Size((0 if held is None else held.size) - selling)

    def exposure(self, key: InstrumentKey | None = None) -> Money:
        """Return cost of holdings plus buys in flight and planned: of one instrument, or of everything."""
        positions = self._ledger.portfolio.lots.positions()
        held = sum(position.cost for position in positions if key is None or position.key == key)
        flying = (order for order in self.working("buy") if key is None or order.key == key)
        return Money(held + sum(notional_up(order.price, _left(order)) for order in flying))

    def open_count(self) -> int:
        """Return how many orders may still trade, planned ones included."""
        return self._ledger.blotter.live_count() + len(self.planned)

    def sent_last_minute(self) -> int:
        """Return how many orders were let through in the last 60 s."""
        while self.sent and self.sent[0] <= self.now - MINUTE:
            self.sent.popleft()
        return len(self.sent)

    def working(self, side: str) -> Iterator[Order | Intent]:
        """Yield live orders and planned intents of one side: what may still trade."""
        for order in self._ledger.blotter.live():
            if order.side == side:
                yield order
        for intent in self.planned:
            if intent.side == side:
                yield intent


def _left(order: Order | Intent) -> Size:
    return order.remaining if isinstance(order, Order) else order.size
