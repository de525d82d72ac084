"""A venue's rules for arriving orders: what it rejects and what it delays, by the market's record."""

from collections.abc import Callable

from predsurv.core.market import buys_enough, on_grid
from predsurv.core.orders import PlaceOrder
from predsurv.engine.fills.taker import Taker, crosses
from predsurv.state.book import BookView
from predsurv.state.market_cache import MarketCache

FundsCheck = Callable[[PlaceOrder], str | None]
"""Returns why the account cannot afford an order, None when it can."""


class AdmissionRules:
    """The rules of the markets in ``cache``, and of the account behind ``check_funds``."""

    def __init__(self, cache: MarketCache, check_funds: FundsCheck) -> None:
        self._cache, self._check_funds = cache, check_funds

    def rejection(self, command: PlaceOrder) -> str | None:
        """Return why the order is rejected whatever the book is, None when it is not."""
        market = self._cache.market(command.key.venue, command.key.market_id)
        if market is None or market.status != "active":
            return "market_closed"
        if not on_grid(market, command.price):
            return "off_grid"
        if command.size < max(market.min_order_size, 1):
            return "below_minimum"
        return self._check_funds(command)

    def rejection_by_book(self, taker: Taker, book: BookView | None) -> str | None:
        """Return why the order is rejected given ``book`` (None while untrusted), None when it is not."""
        command, crossing = taker.command, book is not None and crosses(taker, book)
        if command.post_only:
            return "would_cross" if crossing else None
        if command.side == "sell" or not (crossing or command.tif != "gtc"):
            return None
        market = self._cache.market(command.key.venue, command.key.market_id)
        if market is None or buys_enough(market, command.price, command.size):
            return None
        return "below_taker_minimum"

    def delay(self, taker: Taker, book: BookView | None) -> int:
        """Return how long (ns) the venue delays the order: 0 unless it would trade on arrival."""
        market = self._cache.market(taker.command.key.venue, taker.command.key.market_id)
        return market.taker_delay if market is not None and book is not None and crosses(taker, book) else 0
