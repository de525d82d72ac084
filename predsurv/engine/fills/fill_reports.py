"""Trades of ours as the venue would print them: numbered by order, with the exact fee of the day.

Kept apart from matching so that what a trade costs is in one place for takers and makers.
"""

from typing import Final

from msgspec import Struct

from predsurv.core.events import Fill
from predsurv.core.fees import maker_fee, taker_fee
from predsurv.core.ids import ClientOrderId, TradeId
from predsurv.core.market import NO_FEE
from predsurv.core.num import Price, Size
from predsurv.core.orders import PlaceOrder
from predsurv.state.market_cache import MarketCache

KNOWN_IDS_MAX: Final = 100_000
"""Client order ids remembered so that one sent twice is one order."""


class FillReport(Struct, frozen=True):
    """When, at what price and how much of an order traded, and whether it had been resting."""

    ts_recv: int
    ts_venue: int | None
    price: Price
    size: Size
    maker: bool


class FillReports:
    """Knows which orders have arrived and how often each traded."""

    def __init__(self, cache: MarketCache) -> None:
        self._cache = cache
        self._trades: dict[ClientOrderId, int] = {}

    def is_new(self, client_order_id: ClientOrderId) -> bool:
        """Return whether this id has never arrived before, and remember it."""
        if client_order_id in self._trades:
            return False
        self._trades[client_order_id] = 0
        if len(self._trades) > KNOWN_IDS_MAX:
            del self._trades[next(iter(self._trades))]
        return True

    def knows(self, client_order_id: ClientOrderId) -> bool:
        """Return whether this id has arrived before."""
        return client_order_id in self._trades

    def fill(self, command: PlaceOrder, printed: FillReport) -> Fill:
        """Return the fill, with a trade id that depends on nothing but the order and its count."""
        number = self._trades[command.client_order_id] = self._trades.get(command.client_order_id, 0) + 1
        market = self._cache.market(command.key.venue, command.key.market_id)
        schedule = NO_FEE if market is None else market.fee
        charge = maker_fee if printed.maker else taker_fee
        return Fill(
            command.key,
            printed.ts_recv,
            printed.ts_venue,
            command.client_order_id,
            TradeId(f"{command.client_order_id}.{number}"),
            command.side,
            printed.price,
            printed.size,
            charge(schedule, printed.price, printed.size),
            printed.maker,
        )
