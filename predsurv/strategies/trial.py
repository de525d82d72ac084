"""A strategy on a bench: show it books by hand and see what it orders, for tests of strategies.

The engine that trades runs behind it, with its risk checks; only the market is made up.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from predsurv.core.events import BookSnapshot, Event, Fill, Gap, Level, MarketResolved, OrderAccepted, Tick, Trade
from predsurv.core.events import OrderCancelled as Cancelled
from predsurv.core.ids import EventId, InstrumentId, InstrumentKey, MarketId, OrderId, OrderSide, TradeId, VenueName
from predsurv.core.market import Market, Outcome
from predsurv.core.num import MICROS, Money, Price, Size, parse_micros
from predsurv.core.orders import CancelOrder, Order, PlaceOrder, Position, Refused
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.engine.risk.checks import RiskLimits
from predsurv.engine.strategy import Strategy
from predsurv.state.market_cache import MarketCache

VENUE: Final = VenueName("mock")
BEGIN: Final = 1_800_000_000_000_000_000
"""When a trial begins, ns UTC."""

MARKET: Final = Market(
    venue=VENUE,
    market_id=MarketId("trial"),
    event_id=EventId("trial"),
    question="Will it?",
    outcomes=(Outcome(InstrumentId("trial-yes"), "Yes"), Outcome(InstrumentId("trial-no"), "No")),
    status="active",
    tick_size=Price(10_000),
    min_order_size=Size(MICROS),
    fetched_at=BEGIN,
    tradable=True,
)

_DOLLARS: Final = Money(1_000_000 * MICROS)
_LIMITS: Final = RiskLimits(
    max_order_notional=_DOLLARS,
    max_position_notional=_DOLLARS,
    max_total_exposure=_DOLLARS,
    max_open_orders=1_000,
    max_orders_per_minute=10_000,
    max_daily_loss=_DOLLARS,
    price_collar=Price(MICROS),
    max_data_age=3_600_000_000_000,
)

Levels = Iterable[tuple[str, float]]
"""Levels as (price in dollars as text, size in shares)."""


class StrategyTrial:
    """One strategy, one market with the outcomes ``yes`` and ``no``, and a broker that fills only what it is told to.

    ``orders``: what was placed since the last look, ``cancels`` and ``refused`` alike; each call of a method adds to
    them. Raises StrategyError as the strategy's code does.
    """

    def __init__(self, strategy: Strategy, cash: Money = _DOLLARS, market: Market = MARKET) -> None:
        cache = MarketCache(frozenset({market.venue}))
        cache.add(market)
        self.market = market
        self.yes, self.no = market.key(0), market.key(1)
        self.orders: list[PlaceOrder] = []
        self.cancels: list[CancelOrder] = []
        self.refused: list[Refused] = []
        self.now = BEGIN
        self._name = strategy.name
        self._account = TradingAccount({market.venue: cash})
        self._engine = Engine(run="trial", limits=_LIMITS, strategies=[strategy], cache=cache, account=self._account)
        self._engine.valuation.begin_day(BEGIN, cash)
        self._trades = 0

    def book(self, bids: Levels = (), asks: Levels = ()) -> Sequence[PlaceOrder]:
        """Show a whole book of ``yes``; return what is ordered on it."""
        return self._step(BookSnapshot(self.yes, self.now, None, 1, None, _levels(bids), _levels(asks)))

    def trade(self, price: str, size: float, taker: OrderSide = "buy") -> Sequence[PlaceOrder]:
        """Show a public trade of ``yes``; return what is ordered on it."""
        return self._step(Trade(self.yes, self.now, None, _price(price), _size(size), taker, None))

    def gap(self) -> Sequence[PlaceOrder]:
        """Let the book of ``yes`` be unknown until the next; return what is ordered on that."""
        return self._step(Gap(self.yes, self.now, "disconnect", 1))

    def wait(self, seconds: float) -> Sequence[PlaceOrder]:
        """Let time pass, and tick once; return what is ordered on it."""
        self.now += round(seconds * 1_000_000_000)
        return self._step(Tick(self.now))

    def fill(self, order: PlaceOrder | Order, size: float | None = None) -> Sequence[PlaceOrder]:
        """Fill an order at its price, by default all of it; return what is ordered on that."""
        known = self._account.orders.get(order.client_order_id)
        shares = (order.size if known is None else known.remaining) if size is None else _size(size)
        self._trades += 1
        name, trade = order.client_order_id, TradeId(str(self._trades))
        maker = order.tif == "gtc"
        return self._step(
            Fill(order.key, self.now, None, name, trade, order.side, order.price, shares, Money(0), maker)
        )

    def accept(self, order: PlaceOrder) -> Sequence[PlaceOrder]:
        """Let the venue confirm an order."""
        return self._step(
            OrderAccepted(order.key, self.now, order.client_order_id, OrderId(str(order.client_order_id)))
        )

    def end(self, order: PlaceOrder | CancelOrder) -> Sequence[PlaceOrder]:
        """Let the venue confirm a cancel, or cancel an order by itself."""
        return self._step(Cancelled(order.key, self.now, order.client_order_id, "trial"))

    def settle(self, winner: InstrumentKey | None) -> Sequence[PlaceOrder]:
        """Settle the market for ``winner``, None: void, at half a dollar each."""
        half = Price(MICROS // 2)
        pays = {key: half if winner is None else Price(MICROS * (key == winner)) for key in (self.yes, self.no)}
        payouts = tuple((key.instrument_id, price) for key, price in pays.items())
        return self._step(
            MarketResolved(self.market.venue, self.market.market_id, self.now, None, payouts, void=winner is None)
        )

    def position(self, key: InstrumentKey | None = None) -> Position | None:
        """Return what the strategy holds of an instrument (``yes``), None when nothing."""
        return self._account.portfolio.positions.get(self._name, key or self.yes)

    def _step(self, event: Event) -> Sequence[PlaceOrder]:
        step = self._engine.step(event)
        if step.failed is not None:
            raise step.failed
        commands = [approved.command for approved in step.commands]
        placed = [each for each in commands if isinstance(each, PlaceOrder)]
        self.orders += placed
        self.cancels += [each for each in commands if isinstance(each, CancelOrder)]
        self.refused += step.refusals
        return placed


def _levels(pairs: Levels) -> tuple[Level, ...]:
    return tuple((_price(price), _size(size)) for price, size in pairs)


def _price(text: str) -> Price:
    return Price(parse_micros(text))


def _size(shares: float) -> Size:
    return Size(round(shares * MICROS))
