"""Samples for trading tests: a binary market, its events, orders and fills, and an engine's parts around it."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from predsurv.core.events import BookDelta, BookSnapshot, Fill, Gap, MarketResolved, Trade
from predsurv.core.ids import (
    ClientOrderId,
    EventId,
    InstrumentId,
    InstrumentKey,
    MarketId,
    StrategyName,
    TradeId,
    VenueName,
)
from predsurv.core.market import FeeSchedule, Market, Outcome
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.core.orders import Approved, CancelOrder, Intent, PlaceOrder
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.books.available import AvailableBooks
from predsurv.engine.risk.checks import RiskLimits
from predsurv.engine.risk.state import RiskState
from predsurv.state.market_cache import MarketCache

V = VenueName("mock")
ME = StrategyName("me")
START = 1_800_000_000_000_000_000
MS = 1_000_000
S = 1_000 * MS
FEE = FeeSchedule(model="polymarket", rate=40_000)

LIMITS = RiskLimits(
    max_order_notional=Money(250 * MICROS),
    max_position_notional=Money(1_000 * MICROS),
    max_total_exposure=Money(5_000 * MICROS),
    max_open_orders=50,
    max_orders_per_minute=60,
    max_daily_loss=Money(500 * MICROS),
    price_collar=Price(100_000),
    max_data_age=5 * S,
)


def market(name: str = "m", **changes: Any) -> Market:
    """A binary market called ``name`` with outcomes ``name-yes`` and ``name-no``."""
    made = Market(
        venue=V,
        market_id=MarketId(name),
        event_id=EventId(f"e-{name}"),
        question=f"Will {name}?",
        outcomes=(Outcome(InstrumentId(f"{name}-yes"), "Yes"), Outcome(InstrumentId(f"{name}-no"), "No")),
        status="active",
        tick_size=Price(10_000),
        min_order_size=Size(5 * MICROS),
        fetched_at=START,
        fee=FEE,
        tradable=True,
    )
    return replace(made, **changes)


YES, NO = market().keys()


def cents(price: int) -> Price:
    """A price in micros from whole cents."""
    return Price(price * 10_000)


def shares(count: float) -> Size:
    """A size in micros from shares."""
    return Size(round(count * MICROS))


def levels(*pairs: tuple[int, float]) -> tuple[tuple[Price, Size], ...]:
    """Levels from (cents, shares)."""
    return tuple((cents(price), shares(size)) for price, size in pairs)


def book(
    bids: Iterable[tuple[int, float]] = ((49, 100),),
    asks: Iterable[tuple[int, float]] = ((51, 100),),
    key: InstrumentKey = YES,
    ts: int = START,
) -> BookSnapshot:
    """A whole book from (cents, shares)."""
    return BookSnapshot(key, ts, None, 1, None, levels(*bids), levels(*asks))


def delta(side: Any, price: int, size: float, ts: int = START, key: InstrumentKey = YES) -> BookDelta:
    """One level changed."""
    return BookDelta(key, ts, None, 1, None, side, cents(price), shares(size))


def trade(price: int, size: float, taker: Any = "sell", ts: int = START, key: InstrumentKey = YES) -> Trade:
    """A public trade."""
    return Trade(key, ts, None, cents(price), shares(size), taker, None)


def gap(ts: int = START, key: InstrumentKey = YES) -> Gap:
    """A gap."""
    return Gap(key, ts, "disconnect", 1)


def resolved(winner: InstrumentKey = YES, ts: int = START) -> MarketResolved:
    """The end of ``winner``'s market: it pays 1, its sibling nothing."""
    other = NO if winner == YES else YES
    payouts = ((winner.instrument_id, Price(MICROS)), (other.instrument_id, Price(0)))
    return MarketResolved(V, winner.market_id, ts, None, payouts)


def intent(side: Any = "buy", price: int = 51, size: float = 10, **changes: Any) -> Intent:
    """An intent of ``ME`` for YES."""
    return replace(Intent(ME, YES, side, cents(price), shares(size), "ioc", "test"), **changes)


def place(name: str = "o1", side: Any = "buy", price: int = 51, size: float = 10, **changes: Any) -> PlaceOrder:
    """An order of ``ME`` for YES, good till cancelled."""
    made = PlaceOrder(ClientOrderId(name), ME, YES, side, cents(price), shares(size), "gtc")
    return replace(made, **changes)


def approved(command: PlaceOrder | CancelOrder, ts: int = START) -> Approved:
    """The command as the gate approves it."""
    return Approved(ts, command)


def cancel(name: str = "o1", key: InstrumentKey = YES) -> CancelOrder:
    """The cancellation of an order."""
    return CancelOrder(ClientOrderId(name), key)


def fill(name: str = "o1", size: float = 10, price: int = 51, **changes: Any) -> Fill:
    """A trade of order ``name``."""
    made = Fill(
        YES, START, None, ClientOrderId(name), TradeId(f"{name}.1"), "buy", cents(price), shares(size), Money(0), False
    )
    return replace(made, **changes)


class World:
    """Cache, account, books and risk state with the market in it; mirrored like Polymarket."""

    def __init__(self, markets: Sequence[Market] = (market(),), cash: int = 10_000 * MICROS) -> None:
        self.cache = MarketCache({V})
        for each in markets:
            self.cache.add(each)
        self.account = TradingAccount({V: Money(cash)})
        self.books = AvailableBooks(self.cache)
        self.risk = RiskState(self.cache, self.account, self.books)
        self.risk.now = START
        self.risk.last_recv[V] = START

    def show(self, *events: Any) -> "World":
        """Put market events into the cache."""
        for event in events:
            self.cache.apply(event)
        return self

    def hold(self, size: float, price: int = 50, key: InstrumentKey = YES) -> "World":
        """Own shares bought at ``price``."""
        name = f"held{self.account.placed}"
        self.account.place(place(name, price=price, size=size, key=key), START)
        self.account.apply(fill(name, size, price, key=key))
        return self
