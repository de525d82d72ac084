"""The account of the throw-away key: cash, positions in which YES and NO net, fills, settlements. Money in micros."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from predsurv.core.num import MICROS
from predsurv.simulate.kalshi.trading.orders import KalshiOrder, OrderRequest, contract_cost, fill_fee

FILLS_KEPT_MAX: Final = 100_000
ORDERS_KEPT_MAX: Final = 100_000


class NetPosition:
    """A market: ``count`` is above 0 for YES and below for NO (hundredths), ``cost`` what they cost without fees."""

    __slots__ = ("cost", "count", "fees", "realized", "traded", "updated")

    def __init__(self) -> None:
        self.count = 0
        self.cost = 0
        self.realized = 0
        self.fees = 0
        self.traded = 0
        self.updated = 0


class KalshiFill(NamedTuple):
    """One fill of an order; ``price`` of YES in micros, ``contracts`` in hundredths, ``position`` after it."""

    trade_id: str
    order: KalshiOrder
    price: int
    contracts: int
    fee: int
    is_taker: bool
    ts: int
    position: int


class SettledPosition(NamedTuple):
    """A position that was paid out: counts in hundredths, costs and revenue in micros."""

    ticker: str
    event: str
    result: str
    yes_count: int
    yes_cost: int
    no_count: int
    no_cost: int
    revenue: int
    payout: int
    fees: int
    ts: int


class KalshiAccount:
    """Cash, positions and orders."""

    def __init__(self, cash: int) -> None:
        self.cash = cash
        self.positions: dict[str, NetPosition] = {}
        self.orders: dict[str, KalshiOrder] = {}
        self.client_ids: set[str] = set()
        self.fills: list[KalshiFill] = []
        self.settlements: list[SettledPosition] = []

    def add(self, order: KalshiOrder) -> None:
        """Register an order; beyond ``ORDERS_KEPT_MAX`` the oldest finished one is forgotten."""
        self.orders[order.order_id] = order
        if len(self.orders) > ORDERS_KEPT_MAX:
            oldest = next((name for name, known in self.orders.items() if not known.is_live), None)
            if oldest is not None:
                del self.orders[oldest]

    def live(self) -> list[KalshiOrder]:
        """Return the orders that may still trade, oldest first."""
        return [order for order in self.orders.values() if order.is_live]

    def position(self, ticker: str) -> int:
        """Return the position in a market: above 0 YES, below NO (hundredths)."""
        known = self.positions.get(ticker)
        return 0 if known is None else known.count

    def can_pay(self, request: OrderRequest, count: int, without: KalshiOrder | None = None) -> bool:
        """Return whether ``count`` of an order can be paid at its limit, with everything that rests but ``without``."""
        others = [(order.request, order.remaining) for order in self.live() if order is not without]
        return self.cash >= self._collateral([*others, (request, count)])

    def fill(self, order: KalshiOrder, trade_id: str, price: int, count: int, *, is_taker: bool, ts: int) -> KalshiFill:
        """Book a fill: what closes a position is paid out, what opens one is paid."""
        request = order.request
        position = self.positions.setdefault(request.ticker, NetPosition())
        sign = 1 if request.side == "bid" else -1
        closing = min(count, abs(position.count)) if position.count * sign < 0 else 0
        fee = fill_fee(order.listing, request, price, count, maker=not is_taker)
        opened = contract_cost(request, price, count - closing)
        closed = MICROS * closing // 100 - contract_cost(request, price, closing)
        released = position.cost * closing // abs(position.count) if closing else 0
        self.cash += closed - opened - fee
        position.cost += opened - released
        position.count += sign * count
        position.realized += closed - released
        position.fees += fee
        position.traded += opened + closed
        position.updated = ts
        _book(order, contract_cost(request, price, count), fee, count, is_taker=is_taker)
        order.updated = ts
        made = KalshiFill(trade_id, order, price, count, fee, is_taker, ts, position.count)
        self.fills.append(made)
        del self.fills[:-FILLS_KEPT_MAX]
        return made

    def settle(self, ticker: str, event: str, result: str, payout: int, ts: int) -> SettledPosition | None:
        """Pay out a position at ``payout`` (micros) for a YES contract; None where nothing was traded."""
        position = self.positions.pop(ticker, None)
        if position is None:
            return None
        yes, no = max(position.count, 0), max(-position.count, 0)
        revenue = (yes * payout + no * (MICROS - payout)) // 100
        self.cash += revenue
        costs = (position.cost, 0) if yes else (0, position.cost)
        made = SettledPosition(ticker, event, result, yes, costs[0], no, costs[1], revenue, payout, position.fees, ts)
        self.settlements.append(made)
        return made

    def _collateral(self, wanted: Iterable[tuple[OrderRequest, int]]) -> int:
        """Return what orders need at their limits; what closes a position needs nothing."""
        closable = {ticker: position.count for ticker, position in self.positions.items()}
        needed = 0
        for request, count in wanted:
            sign = 1 if request.side == "bid" else -1
            held = closable.get(request.ticker, 0)
            closing = min(count, abs(held)) if held * sign < 0 else 0
            closable[request.ticker] = held + sign * closing
            needed += contract_cost(request, request.price, count - closing)
        return needed


def _book(order: KalshiOrder, cost: int, fee: int, count: int, *, is_taker: bool) -> None:
    order.filled += count
    order.remaining -= count
    if is_taker:
        order.taker_cost += cost
        order.taker_fees += fee
    else:
        order.maker_cost += cost
        order.maker_fees += fee
