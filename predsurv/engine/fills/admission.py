"""A venue's rules for arriving orders: what it rejects and what it delays, by the market's record."""

from collections.abc import Callable

from predsurv.core.events import NO_ORDERS
from predsurv.core.market import buys_enough, on_grid, size_allowed
from predsurv.core.orders import RESTING, CancelOrder, PlaceOrder
from predsurv.engine.fills.taker import Taker, crosses
from predsurv.state.book import BookView
from predsurv.state.market_cache import MarketCache

FundsCheck = Callable[[PlaceOrder], str | None]
"""Returns why the account cannot afford an order, None when it can."""


class AdmissionRules:
    """The rules of the markets in ``cache``, and of the account behind ``check_funds``."""

    def __init__(self, cache: MarketCache, check_funds: FundsCheck) -> None:
        self._cache, self._check_funds = cache, check_funds

    def rejection(self, command: PlaceOrder, ts: int) -> str | None:
        """Return why the order is rejected at ``ts`` (ns UTC) whatever the book is, None when it is not."""
        market = self._cache.market(command.key.venue, command.key.market_id)
        if market is None or not market.open_at(ts):
            return "market_closed"
        if self._cache.phase(command.key.venue) in NO_ORDERS:
            return "venue_paused"
        if command.expires is not None and command.expires <= ts:
            return "expired"
        if not on_grid(market, command.price):
            return "off_grid"
        if not size_allowed(market, command.price, command.size, side=command.side, rests=command.tif in RESTING):
            return "below_minimum"
        return self._check_funds(command)

    def cancel_rejection(self, command: CancelOrder) -> str | None:
        """Return why a cancel is rejected, None when it is not."""
        return "venue_paused" if self._cache.phase(command.key.venue) == "closed" else None

    def rejection_by_book(self, taker: Taker, book: BookView | None) -> str | None:
        """Return why the order is rejected given ``book`` (None while untrusted), None when it is not."""
        command, crossing = taker.command, book is not None and crosses(taker, book)
        if command.post_only:
            return "would_cross" if crossing else None
        if not (crossing or command.tif not in RESTING):
            return None
        if self._cache.phase(command.key.venue) == "post_only":
            return "venue_post_only"
        if command.side == "sell":
            return None
        market = self._cache.market(command.key.venue, command.key.market_id)
        if market is None or buys_enough(market, command.price, command.size):
            return None
        return "below_taker_minimum"

    def delay(self, taker: Taker, book: BookView | None) -> int:
        """Return how long (ns) the venue delays the order: 0 unless it would trade on arrival."""
        market = self._cache.market(taker.command.key.venue, taker.command.key.market_id)
        return market.taker_delay if market is not None and book is not None and crosses(taker, book) else 0
