"""Identifiers of venues, markets, instruments and orders; a type each, so that mixing them up is a type error."""

from typing import Literal, NewType

from msgspec import Struct

VenueName = NewType("VenueName", str)
MarketId = NewType("MarketId", str)
InstrumentId = NewType("InstrumentId", str)
EventId = NewType("EventId", str)
ClientOrderId = NewType("ClientOrderId", str)
OrderId = NewType("OrderId", str)
TradeId = NewType("TradeId", str)
StrategyName = NewType("StrategyName", str)

Side = Literal["bid", "ask"]
"""A side of the book."""

OrderSide = Literal["buy", "sell"]
"""The direction of an order, and of a trade's taker."""

ID_CHARS_MAX = 256
"""Longest id accepted from a venue; a longer one is a malformed message."""


class InstrumentKey(Struct, frozen=True, array_like=True, cache_hash=True, order=True, gc=False):
    """The key of an instrument across venues: of books, positions and coverage.

    Venue adapters intern one key per instrument and reuse it in every event: the hash is cached
    and no id string is copied on the hot path.
    """

    venue: VenueName
    market_id: MarketId
    instrument_id: InstrumentId

    def __str__(self) -> str:
        return f"{self.venue}:{self.instrument_id}"
