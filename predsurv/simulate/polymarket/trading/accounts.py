"""Orders and accounts of outside traders: money, shares, and what of both is spoken for. Amounts in micros."""

from collections.abc import Callable
from typing import Final, NamedTuple

from predsurv.core.ids import Side
from predsurv.core.num import MICROS, Price, Size, notional_up
from predsurv.exchange.book import BookMatch, BookOrder
from predsurv.simulate.polymarket.trading.order_entry import EnteredOrder

ORDERS_KEPT_MAX: Final = 100_000
"""Most orders of an account that are remembered."""


class ClobOrder:
    """An order that was taken. ``matched``: its shares so far; ``resting``: its rest in the book.

    ``failed``: shares of trades that failed on the chain: no longer matched, and not in the book again either.
    ``trades``: the ids of its trades. ``ended``: "" while it is live, then ``MATCHED`` or ``CANCELED`` with a reason.
    """

    __slots__ = ("created", "ended", "entered", "failed", "is_delayed", "matched", "resting", "trades")

    def __init__(self, entered: EnteredOrder, created: int) -> None:
        self.entered = entered
        self.created = created
        self.matched = self.failed = 0
        self.resting: BookOrder | None = None
        self.trades: list[str] = []
        self.ended = ""
        self.is_delayed = False

    @property
    def order_id(self) -> str:
        """The hash of the order."""
        return self.entered.order_id

    @property
    def side(self) -> Side:
        """The order's side in the book, which is the first token's."""
        return "bid" if self.entered.is_buy != bool(self.entered.token.outcome) else "ask"

    @property
    def book_price(self) -> Price:
        """The order's price in the book, which is the first token's."""
        return self.in_book(self.entered.price)

    @property
    def open_size(self) -> int:
        """The shares that may still trade."""
        return 0 if self.ended else max(self.entered.size - self.matched - self.failed, 0)

    def fail(self, size: int) -> None:
        """Take shares back whose trade failed."""
        self.matched -= size
        self.failed += size

    @property
    def asset(self) -> str:
        """The token that it trades."""
        return self.entered.token.row.tokens[self.entered.token.outcome]

    def in_book(self, price: int) -> Price:
        """Return a price of the order's token as the first token's, and the other way round."""
        return Price(MICROS - price if self.entered.token.outcome else price)

    def reserved_dollars(self) -> int:
        """Return what the rest of a buy may cost at most."""
        if not self.entered.is_buy or self.ended:
            return 0
        return self.entered.dollars or notional_up(self.entered.price, Size(self.open_size))

    def reserved_shares(self) -> int:
        """Return what the rest of a sale may take."""
        return 0 if self.entered.is_buy else self.open_size


class Delta(NamedTuple):
    """What a trade does to an account once it is confirmed: ``dollars`` and ``shares`` of ``asset``."""

    asset: str
    dollars: int
    shares: int


FillHandler = Callable[[ClobOrder, BookMatch], None]
RemovalHandler = Callable[[ClobOrder, str], None]


class ClobAccount:
    """What the key of one address trades with, whichever wallet its orders name; owns its orders in the books.

    ``dollars`` and ``shares`` are what is on the chain: a trade changes them when it is confirmed.
    """

    def __init__(self, address: bytes, dollars: int, on_fill: FillHandler, on_removal: RemovalHandler) -> None:
        self.address = address
        self.dollars = dollars
        self.shares: dict[str, int] = {}
        self.orders: dict[str, ClobOrder] = {}
        self.pending: dict[str, list[Delta]] = {}
        """What trades that are matched and not confirmed will change, by trade id."""
        self._live: dict[str, ClobOrder] = {}
        self._resting: dict[int, ClobOrder] = {}
        self._on_fill = on_fill
        self._on_removal = on_removal

    def add(self, order: ClobOrder) -> None:
        """Register an order; beyond ``ORDERS_KEPT_MAX`` the oldest finished one is forgotten."""
        self.orders[order.order_id] = self._live[order.order_id] = order
        if len(self.orders) > ORDERS_KEPT_MAX:
            oldest = next((name for name, known in self.orders.items() if known.ended), None)
            if oldest is not None:
                del self.orders[oldest]

    def rest(self, order: ClobOrder, resting: BookOrder) -> None:
        """Register what of an order rests in the book."""
        order.resting = resting
        self._resting[id(resting)] = order

    def end(self, order: ClobOrder, how: str) -> None:
        """End an order that is in no book any more."""
        order.ended = how
        self._live.pop(order.order_id, None)
        if order.resting is not None:
            self._resting.pop(id(order.resting), None)

    def open_orders(self) -> list[ClobOrder]:
        """Return the live orders, oldest first."""
        return [*self._live.values()]

    def free_dollars(self) -> int:
        """Return what no live order and no unconfirmed trade needs."""
        needed = sum(order.reserved_dollars() for order in self._live.values())
        return self.dollars - needed + self._pending(lambda delta: min(delta.dollars, 0))

    def free_shares(self, asset: str) -> int:
        """Return the shares of ``asset`` that no live order and no unconfirmed trade needs."""
        needed = sum(order.reserved_shares() for order in self._live.values() if order.asset == asset)
        return self.shares.get(asset, 0) - needed + self._pending(lambda d: min(d.shares, 0) if d.asset == asset else 0)

    def confirm(self, trade: str) -> None:
        """Let a trade change the balances."""
        for delta in self.pending.pop(trade, ()):
            self.dollars += delta.dollars
            self.shares[delta.asset] = self.shares.get(delta.asset, 0) + delta.shares

    def on_trade(self, order: BookOrder, match: BookMatch) -> None:
        """Pass on that a resting order was matched."""
        self._on_fill(self._resting[id(order)], match)

    def on_removed(self, order: BookOrder, reason: str) -> None:
        """Pass on that the exchange took a resting order out of the book."""
        self._on_removal(self._resting[id(order)], reason)

    def _pending(self, value: Callable[[Delta], int]) -> int:
        return sum(value(delta) for deltas in self.pending.values() for delta in deltas)
