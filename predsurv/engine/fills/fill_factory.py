"""Fills as the venue would report them: their numbers and their fees."""

from typing import Final

from predsurv.core.events import Fill
from predsurv.core.fees import maker_fee, taker_fee
from predsurv.core.ids import ClientOrderId, TradeId
from predsurv.core.market import NO_FEE
from predsurv.core.num import Price, Size
from predsurv.core.orders import PlaceOrder
from predsurv.state.market_cache import MarketCache

KNOWN_IDS_MAX: Final = 100_000
"""Client order ids kept to recognise one that is sent twice; beyond it the oldest is dropped."""


class FillFactory:
    """Makes fills numbered by order, with the fee of the market's schedule; each fill is rounded for itself."""

    def __init__(self, cache: MarketCache) -> None:
        self._cache = cache
        self._fills: dict[ClientOrderId, int] = {}  # made so far, of every order that has arrived

    def register(self, client_order_id: ClientOrderId) -> bool:
        """Register an arriving order; return False when its id has arrived before."""
        if client_order_id in self._fills:
            return False
        self._fills[client_order_id] = 0
        if len(self._fills) > KNOWN_IDS_MAX:
            del self._fills[next(iter(self._fills))]
        return True

    def knows(self, client_order_id: ClientOrderId) -> bool:
        """Return whether this id has arrived before."""
        return client_order_id in self._fills

    def make(
        self, command: PlaceOrder, *, ts_recv: int, ts_venue: int | None, price: Price, size: Size, maker: bool
    ) -> Fill:
        """Return a fill of the order; its trade id depends on the order and its number of fills only."""
        number = self._fills[command.client_order_id] = self._fills.get(command.client_order_id, 0) + 1
        market = self._cache.market(command.key.venue, command.key.market_id)
        schedule = NO_FEE if market is None else market.fee
        fee = maker_fee if maker else taker_fee
        return Fill(
            command.key,
            ts_recv,
            ts_venue,
            command.client_order_id,
            TradeId(f"{command.client_order_id}.{number}"),
            command.side,
            price,
            size,
            fee(schedule, price, size, command.side),
            maker,
            market is None or "fee" in market.assumed,
        )
