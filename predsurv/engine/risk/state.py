"""The state that risk checks compare with limits: orders in flight, unknown and staged ones count at their worst."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

from predsurv.core.events import TradingPhase
from predsurv.core.ids import InstrumentKey, OrderSide, StrategyName, VenueName
from predsurv.core.market import Market
from predsurv.core.num import Money, Size, notional_up
from predsurv.core.orders import Intent, Order
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.account.valuation import Valuation
from predsurv.engine.books.available import AvailableBooks
from predsurv.engine.risk.execution_rules import ExecutionRules
from predsurv.engine.risk.reserves import Reserves, max_cost, rest_of
from predsurv.engine.risk.self_trade import SelfTrades
from predsurv.state.market_cache import MarketCache

_UNLIMITED: Final = Money(1 << 62)
MINUTE: Final = 60 * 1_000_000_000
TradingState = Literal["active", "reducing", "halted"]
"""What may be sent: everything; only what reduces a position, and cancels; only cancels."""


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
        self._reserves = Reserves(cache, account.orders.working)

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
        staged = sum(map(self.max_cost, _staged_buys(self.staged, venue))) if self.staged else 0
        return Money(self._account.portfolio.cash(venue) - self._reserves.at(venue) - staged)

    def max_cost(self, order: Order | Intent) -> Money:
        """Return the most that the rest of a buy can cost: at its limit, with taker fee, rounded up."""
        return max_cost(order, self.market(order.key))

    def sellable(self, strategy: StrategyName, key: InstrumentKey) -> Size:
        """Return the strategy's shares less those that live and staged sales may still take."""
        position = self._account.portfolio.positions.get(strategy, key)
        sales = (order for order in self.working("sell", key) if order.strategy == strategy)
        return Size((0 if position is None else position.size) - sum(map(rest_of, sales)))

    def exposure(self, key: InstrumentKey | None = None) -> Money:
        """Return the cost of positions plus live and staged buys: of one instrument, or of all."""
        positions, live = self._account.portfolio.positions, self._account.orders.working
        if key is None:
            staged = sum(notional_up(each.price, each.size) for each in self.staged if each.side == "buy")
            return Money(positions.cost + live.buying + staged)
        buys = self.working("buy", key)
        return Money(positions.cost_of(key) + sum(notional_up(each.price, rest_of(each)) for each in buys))

    def open_order_count(self) -> int:
        """Return the number of orders that may still trade, staged ones included."""
        return self._account.orders.live_count() + len(self.staged)

    def sent_last_minute(self) -> int:
        """Return the number of orders approved in the last 60 s."""
        while self.sent and self.sent[0] <= self.now - MINUTE:
            self.sent.popleft()
        return len(self.sent)

    def working(self, side: OrderSide, key: InstrumentKey) -> Sequence[Order | Intent]:
        """Return the live orders and staged intents of one side of an instrument: what may still trade."""
        live = self._account.orders.working.of(key)
        if not live and not self.staged:
            return ()
        orders = (order for order in live if order.side == side)
        return (*orders, *(intent for intent in self.staged if intent.side == side and intent.key == key))


def _staged_buys(staged: list[Intent], venue: VenueName) -> Iterator[Intent]:
    return (each for each in staged if each.side == "buy" and each.key.venue == venue)
