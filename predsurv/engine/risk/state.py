"""The state that risk checks compare with limits: orders in flight, unknown and staged ones count at their worst."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Literal, NamedTuple

from predsurv.core.events import TradingPhase
from predsurv.core.fees import taker_fee
from predsurv.core.ids import ClientOrderId, InstrumentKey, OrderSide, StrategyName, VenueName
from predsurv.core.market import NO_FEE, FeeSchedule, Market
from predsurv.core.num import Money, Size, notional_up
from predsurv.core.orders import Intent, Order
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.account.valuation import Valuation
from predsurv.engine.books.available import AvailableBooks
from predsurv.engine.risk.execution_rules import ExecutionRules
from predsurv.engine.risk.self_trade import SelfTrades
from predsurv.state.market_cache import MarketCache

RESERVES_KEPT_MAX: Final = 1_000
"""Reserves remembered; with that many all are computed again."""
_UNLIMITED: Final = Money(1 << 62)
MINUTE: Final = 60 * 1_000_000_000
TradingState = Literal["active", "reducing", "halted"]
"""What may be sent: everything; only what reduces a position, and cancels; only cancels."""
ROUNDING_RESERVE: Final = 10_000
"""Micros reserved per buy order: each of its fills rounds up what is paid, by less than $0.0001 where that is most."""


class _Reserve(NamedTuple):
    """What the rest of a live buy can cost at most, and what that follows from."""

    order: Order
    fee: FeeSchedule
    cost: Money


class _Reserves:
    """What live buys can cost at most, remembered as long as neither order nor fee changes: each intent asks for it."""

    def __init__(self) -> None:
        self._known: dict[ClientOrderId, _Reserve] = {}

    def of(self, order: Order | Intent, fee: FeeSchedule, max_cost: Callable[[Order | Intent], Money]) -> Money:
        """Return what an order with a ``fee`` can cost at most."""
        if isinstance(order, Intent):
            return max_cost(order)
        known = self._known.get(order.client_order_id)
        if known is None or known.order is not order or known.fee is not fee:
            if len(self._known) >= RESERVES_KEPT_MAX:
                self._known.clear()
            known = self._known[order.client_order_id] = _Reserve(order, fee, max_cost(order))
        return known.cost


class BuyingRoom:
    """What limits leave for further buys: one order, one instrument, everything; money in micros."""

    def __init__(self, exposure: Callable[[InstrumentKey | None], Money]) -> None:
        self._exposure = exposure
        self._order = self._position = self._total = _UNLIMITED

    def limit(self, *, order: Money, position: Money, total: Money) -> None:
        """Set the limits; without, there are none."""
        self._order, self._position, self._total = order, position, total

    def left(self, key: InstrumentKey | None = None) -> Money:
        """Return the most that one more buy of an instrument may be worth at its limit price, or all more buys."""
        left = self._total - self._exposure(None)
        if key is not None:
            left = min(self._order, self._position - self._exposure(key), left)
        return Money(max(left, 0))


class RiskState:
    """What risk checks read; shared by the engine and its gate and by nothing outside them.

    The engine writes ``now`` (time of the latest event, ns UTC), ``last_recv`` (when each venue last
    sent anything, ns UTC), ``requested`` (the state that was asked for), ``lost_too_much`` (the day's loss has
    reached its limit) and ``shutting_down`` (halted for good: the run is ending). ``execution``: what
    holds where orders are really executed.
    The gate writes ``staged`` (intents of the group under check that passed so far), ``sent``
    (times of approved orders, ns UTC) and what is being cancelled, to ``self_trades``.
    """

    def __init__(self, cache: MarketCache, account: TradingAccount, books: AvailableBooks) -> None:
        self.now = 0
        self.last_recv: dict[VenueName, int] = {}
        self.requested: TradingState = "active"
        self.lost_too_much = False
        self.shutting_down = False
        self.staged: list[Intent] = []
        self.execution = ExecutionRules(account)
        self.sent: deque[int] = deque()
        self.self_trades = SelfTrades(cache, account)
        self.books = books
        self.valuation = Valuation(account, books)
        self.room = BuyingRoom(self.exposure)
        self._cache, self._account = cache, account
        self._reserves = _Reserves()

    @property
    def trading(self) -> TradingState:
        """What may be sent now, but for ``shutting_down``."""
        return "reducing" if self.requested == "active" and self.lost_too_much else self.requested

    @property
    def blocked(self) -> bool:
        """Return whether no new order may be sent."""
        return self.requested == "halted" or self.shutting_down

    def market(self, key: InstrumentKey) -> Market | None:
        """Return the market that ``key`` belongs to, None when it is not known."""
        return self._cache.market(key.venue, key.market_id)

    def phase(self, venue: VenueName) -> TradingPhase:
        """Return what the whole venue accepts now."""
        return self._cache.phase(venue)

    def free_cash(self, venue: VenueName) -> Money:
        """Return the cash at ``venue`` less the maximum cost of its live and staged buys."""
        buys = (order for order in self.working("buy") if order.key.venue == venue)
        reserved = sum(self._reserves.of(each, _fee_of(self.market(each.key)), self.max_cost) for each in buys)
        return Money(self._account.portfolio.cash(venue) - reserved)

    def max_cost(self, order: Order | Intent) -> Money:
        """Return the most that the rest of a buy can cost: at its limit, with taker fee, rounded up."""
        size = _remaining(order)
        fee = taker_fee(_fee_of(self.market(order.key)), order.price, size)
        return Money(notional_up(order.price, size) + fee + ROUNDING_RESERVE)

    def sellable(self, strategy: StrategyName, key: InstrumentKey) -> Size:
        """Return the strategy's shares less those that live and staged sales may still take."""
        position = self._account.portfolio.positions.get(strategy, key)
        sales = (order for order in self.working("sell", key) if order.strategy == strategy)
        return Size((0 if position is None else position.size) - sum(map(_remaining, sales)))

    def exposure(self, key: InstrumentKey | None = None) -> Money:
        """Return the cost of positions plus live and staged buys: of one instrument, or of all."""
        positions, live = self._account.portfolio.positions, self._account.orders.working
        if key is None:
            staged = sum(notional_up(each.price, each.size) for each in self.staged if each.side == "buy")
            return Money(positions.cost + live.buying + staged)
        buys = self.working("buy", key)
        return Money(positions.cost_of(key) + sum(notional_up(each.price, _remaining(each)) for each in buys))

    def open_order_count(self) -> int:
        """Return the number of orders that may still trade, staged ones included."""
        return self._account.orders.live_count() + len(self.staged)

    def sent_last_minute(self) -> int:
        """Return the number of orders approved in the last 60 s."""
        while self.sent and self.sent[0] <= self.now - MINUTE:
            self.sent.popleft()
        return len(self.sent)

    def working(self, side: OrderSide, key: InstrumentKey | None = None) -> Iterator[Order | Intent]:
        """Yield the live orders and staged intents of one side, of one instrument or all: what may still trade."""
        live = self._account.orders.working
        orders = live.all.values() if key is None else live.of(key)
        yield from (order for order in orders if order.side == side)
        yield from (intent for intent in self.staged if intent.side == side and key in (None, intent.key))


def _fee_of(market: Market | None) -> FeeSchedule:
    return NO_FEE if market is None else market.fee


def _remaining(order: Order | Intent) -> Size:
    return order.remaining if isinstance(order, Order) else order.size
