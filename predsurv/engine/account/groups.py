"""Orders of one group seen as one trade: found, filled, settled, and what it made.

Kept apart from the portfolio because the same shares may belong to several baskets, and only
the group says which.
"""

from typing import Final

from msgspec import Struct

from predsurv.core.events import Fill, MarketResolved
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.num import ZERO_MONEY, ZERO_SIZE, Money, Price, Size, notional, notional_up
from predsurv.core.orders import PlaceOrder

BASKETS_KEPT_MAX: Final = 10_000
"""Baskets remembered; beyond it the oldest are forgotten."""


class OrderGroup(Struct):
    """One group of orders. ``cash`` is what it took in less what it paid and its fees (micros).

    ``legs`` is what it still holds; ``wanted`` the instruments it began with; ``sets`` the largest
    number of complete sets it ever held; ``settled`` that all it held was paid out or sold again.
    """

    group: str
    strategy: StrategyName
    opened: int
    wanted: dict[InstrumentKey, None]
    legs: dict[InstrumentKey, int]
    cash: Money = ZERO_MONEY
    sets: Size = ZERO_SIZE
    filled: bool = False
    settled: bool = False


class OrderGroups:
    """Every basket by group, in the order they were found."""

    def __init__(self) -> None:
        self._baskets: dict[str, OrderGroup] = {}
        self._open: dict[tuple[VenueName, MarketId], dict[str, None]] = {}
        self._paid: dict[tuple[VenueName, MarketId], dict[InstrumentId, Price]] = {}

    def place(self, command: PlaceOrder, ts: int) -> None:
        """Count an order into its group, if it has one."""
        if command.group is None:
            return
        basket = self._baskets.get(command.group)
        if basket is None:
            basket = OrderGroup(command.group, command.strategy, ts, {}, {})
            self._baskets[command.group] = basket
            if len(self._baskets) > BASKETS_KEPT_MAX:
                del self._baskets[next(iter(self._baskets))]
        if command.side == "buy" and not basket.filled:
            basket.wanted[command.key] = None
        self._open.setdefault((command.key.venue, command.key.market_id), {})[command.group] = None

    def fill(self, group: str, fill: Fill) -> None:
        """Book a trade of one of the group's orders."""
        basket = self._baskets.get(group)
        if basket is None:
            return
        bought = fill.side == "buy"
        amount = -notional_up(fill.price, fill.size) if bought else notional(fill.price, fill.size)
        basket.cash = Money(basket.cash + amount - fill.fee)
        basket.filled = True
        basket.settled = False
        _hold(basket, fill.key, fill.size if bought else -fill.size)
        sets = min((basket.legs.get(key, 0) for key in basket.wanted), default=0)
        basket.sets = Size(max(basket.sets, sets))
        market = (fill.key.venue, fill.key.market_id)
        if market in self._paid:  # announced after its market had resolved
            _pay(basket, market, self._paid[market])

    def settle(self, event: MarketResolved) -> None:
        """Pay out the legs in a resolved market; idempotent."""
        payouts = dict(event.payouts)
        market = (event.venue, event.market_id)
        if market in self._open:
            self._paid[market] = payouts
        for group in self._open.get(market, {}):
            basket = self._baskets.get(group)
            if basket is not None:
                _pay(basket, market, payouts)

    def forget_payouts(self) -> None:
        """Let resolved markets be traded again."""
        self._paid.clear()

    def all(self) -> tuple[OrderGroup, ...]:
        """Return every basket, oldest first."""
        return tuple(self._baskets.values())


def _pay(basket: OrderGroup, market: tuple[VenueName, MarketId], payouts: dict[InstrumentId, Price]) -> None:
    for key in [key for key in basket.legs if (key.venue, key.market_id) == market]:
        price = payouts.get(key.instrument_id)
        if price is not None:
            size = basket.legs[key]
            basket.cash = Money(basket.cash + notional(price, Size(size)))
            _hold(basket, key, -size)


def _hold(basket: OrderGroup, key: InstrumentKey, change: int) -> None:
    size = basket.legs.get(key, 0) + change
    if size:
        basket.legs[key] = size
    else:
        basket.legs.pop(key, None)
    basket.settled = basket.filled and not basket.legs
