"""A view that tests fill by hand."""

from collections.abc import Sequence
from typing import Any

from predsurv.core.events import BookSnapshot, TradingPhase
from predsurv.core.ids import ClientOrderId, EventId, InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Money, Size
from predsurv.core.orders import Order, Position
from predsurv.state.book import Book
from predsurv.state.market_cache import InstrumentState, MarketCache
from predsurv.state.view import BookCoverage
from tests.kit.trading_samples import START, cents, levels, market, shares

EVENT = EventId("race")
ABC = tuple(
    market(name, event_id=EVENT, mutually_exclusive=True, exhaustive=True, neg_risk=True) for name in ("a", "b", "c")
)


class ManualView:
    """``state.view.View`` over a cache, with holdings and orders set by the test."""

    def __init__(self, markets: Sequence[Market] = ABC) -> None:
        self.cache = MarketCache()
        for each in markets:
            self.cache.add(each)
        self.time = START
        self.money = Money(10_000 * MICROS)
        self.room = Money(1_000_000 * MICROS)
        self.held: dict[InstrumentKey, Position] = {}
        self.orders: list[Order] = []

    @property
    def now(self) -> int:
        return self.time

    def show(self, key: InstrumentKey, bids: Any = (), asks: Any = ()) -> BookSnapshot:
        """Give an instrument its book from (cents, shares); returns the event."""
        event = BookSnapshot(key, self.time, None, 1, None, levels(*bids), levels(*asks))
        self.cache.apply(event)
        return event

    def hold(self, key: InstrumentKey, size: float, price: int = 50) -> None:
        """Hold shares that cost ``price`` cents each; none when ``size`` is 0."""
        if size:
            self.held[key] = Position(key, shares(size), Money(round(size * price * 10_000)))
        else:
            self.held.pop(key, None)

    def rest(self, name: str, key: InstrumentKey, side: Any = "buy", price: int = 50) -> Order:
        """Have an order open."""
        order = Order(
            ClientOrderId(name),
            StrategyName("s"),
            key,
            side,
            cents(price),
            shares(10),
            "gtc",
            "open",
            Size(0),
            self.time,
        )
        self.orders.append(order)
        return order

    def book(self, key: InstrumentKey) -> Book | None:
        return self.cache.trusted_book(key)

    def coverage(self, key: InstrumentKey) -> BookCoverage | None:
        return None

    def state(self, key: InstrumentKey) -> InstrumentState | None:
        return self.cache.state(key)

    def market(self, venue: VenueName, market_id: MarketId) -> Market | None:
        return self.cache.market(venue, market_id)

    def siblings(self, venue: VenueName, event_id: EventId) -> tuple[Market, ...]:
        return self.cache.siblings(venue, event_id)

    def phase(self, venue: VenueName) -> TradingPhase:
        return self.cache.phase(venue)

    def position(self, key: InstrumentKey) -> Position | None:
        return self.held.get(key)

    def positions(self) -> tuple[Position, ...]:
        return tuple(self.held.values())

    def cash(self, venue: VenueName) -> Money:
        return self.money

    def buying_room(self, key: InstrumentKey | None = None) -> Money:
        return self.room

    def open_orders(self, strategy: StrategyName) -> tuple[Order, ...]:
        return tuple(self.orders)


def yes(index: int) -> InstrumentKey:
    """YES of market number ``index`` of the event."""
    return ABC[index].key(0)


def no(index: int) -> InstrumentKey:
    """NO of market number ``index`` of the event."""
    return ABC[index].key(1)
