"""What a venue refuses or holds back when an order arrives, as far as its markets say.

Kept apart from matching, which begins where an order was let in.
"""

from collections.abc import Callable

from predsurv.core.market import buys_enough, on_grid
from predsurv.core.orders import PlaceOrder
from predsurv.engine.fills.taker import Taker, crosses
from predsurv.state.book import Book
from predsurv.state.market_cache import MarketCache

Admit = Callable[[PlaceOrder], str | None]
"""Says why an account cannot afford an order, None when it can."""


class AdmissionRules:
    """The rules of the markets in ``cache``, and of the account that ``admit`` speaks for."""

    def __init__(self, cache: MarketCache, admit: Admit) -> None:
        self._cache, self._admit = cache, admit

    def refusal(self, command: PlaceOrder) -> str | None:
        """Return why the order is refused whatever it would meet."""
        market = self._cache.market(command.key.venue, command.key.market_id)
        if market is None or market.status != "active":
            return "market_closed"
        if not on_grid(market, command.price):
            return "off_grid"
        if command.size < max(market.min_order_size, 1):
            return "below_minimum"
        return self._admit(command)

    def refusal_at_once(self, taker: Taker, book: Book | None) -> str | None:
        """Return why it is refused for what it would meet; ``book`` is None where that is not known."""
        command, crossing = taker.command, book is not None and crosses(taker, book)
        if command.post_only:
            return "would_cross" if crossing else None
        if command.side == "sell" or not (crossing or command.tif != "gtc"):
            return None
        market = self._cache.market(command.key.venue, command.key.market_id)
        if market is None or buys_enough(market, command.price, command.size):
            return None
        return "below_taker_minimum"

    def delay(self, taker: Taker, book: Book | None) -> int:
        """Return how long (ns) it is held before it may trade: only what would trade on arrival is."""
        market = self._cache.market(taker.command.key.venue, taker.command.key.market_id)
        return market.taker_delay if market is not None and book is not None and crosses(taker, book) else 0
