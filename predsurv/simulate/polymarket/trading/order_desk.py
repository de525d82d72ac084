"""The desk: takes orders and cancels from outside, decides with the book whether they are allowed, and times them."""

from collections.abc import Callable
from typing import Final, NamedTuple

from predsurv.core.num import Price
from predsurv.exchange.book import preview_matches
from predsurv.exchange.exchange import Exchange, begin_instant
from predsurv.simulate.polymarket.trading.accounts import ClobAccount, ClobOrder
from predsurv.simulate.polymarket.trading.matching import Matching, Placed, is_covered, taken_size
from predsurv.simulate.polymarket.trading.order_entry import EnteredOrder, OrderRejection, fee_of, rejection

DELAY: Final = 250_000_000
"""How long a delayed order is held (ns)."""
_FOK_KILLED: Final = "order couldn't be fully filled. FOK orders are fully filled or killed."
_FAK_KILLED: Final = (
    "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
)
_DELAYED: Final = "cannot cancel because the order is in pending/delayed status"
_GONE: Final = "already canceled or matched"


class DeskSwitches(NamedTuple):
    """What faults ask of the desk now: trades that fail on the chain, orders that are delayed."""

    trades_fail: Callable[[], bool]
    delays: Callable[[], bool]


class OrderDesk:
    """Serves every account; each starts with ``dollars`` (micros)."""

    def __init__(self, exchange: Exchange, dollars: int, switches: DeskSwitches) -> None:
        self.matching = Matching(exchange, dollars, switches.trades_fail)
        self._exchange = exchange
        self._delays = switches.delays

    def account(self, address: bytes) -> ClobAccount:
        """Return the account of a key's address."""
        return self.matching.of_address(address)

    def place(self, entered: EnteredOrder) -> Placed | OrderRejection:
        """Match or rest an order that is well signed, or return why it is not taken."""
        account = self.account(entered.key.address)
        if entered.order_id in account.orders:
            text = f"order {entered.order_id} is invalid. Duplicated."
            return OrderRejection(text, order_id=entered.order_id)
        now = begin_instant(self._exchange)
        order = ClobOrder(entered, now)
        is_marketable = entered.listing.book.crosses(order.side, order.book_price)
        refused = rejection(entered, now)
        if refused is None and entered.post_only and is_marketable:
            refused = OrderRejection("invalid post-only order: order crosses book")
        refused = refused or _unfunded(account, order) or _killed(order)
        if refused is not None:
            return refused
        account.add(order)
        if not is_marketable or not self._delays():
            return self.matching.execute(order)
        order.is_delayed = True
        self._exchange.schedule(now + DELAY, lambda at: self._resume(order, at))
        self.matching.tell(order, "PLACEMENT")
        return Placed(order, "delayed")

    def cancel(self, account: ClobAccount, order_id: str) -> str | None:
        """Cancel an order; return why it cannot be, None when it is cancelled."""
        order = account.orders.get(order_id)
        if order is None or order.ended:
            return _GONE
        if order.is_delayed:
            return _DELAYED
        begin_instant(self._exchange)
        if order.ended:  # the market went on for an instant
            return _GONE
        self.matching.withdraw(order, "CANCELED")
        return None

    def cancel_of(self, owner: str) -> None:
        """Cancel the orders of an API key, as the exchange's own action."""
        for account in self.matching.accounts.values():
            for order in account.open_orders():
                if order.entered.key.key == owner and not order.is_delayed:
                    self.matching.withdraw(order, "CANCELED")

    def _resume(self, order: ClobOrder, now: int) -> None:
        """Match an order whose delay is over."""
        order.is_delayed = False
        listing = self._exchange.directory.listing(order.entered.token.row.key) or order.entered.listing
        refused = rejection(order.entered._replace(listing=listing), now) or _killed(order)
        if refused is not None:
            self.matching.end(order, f"CANCELED_{refused.text}")
        else:
            self.matching.execute(order)


def _killed(order: ClobOrder) -> OrderRejection | None:
    """Return that an order which only takes finds nothing, or not enough."""
    entered = order.entered
    if entered.is_resting:
        return None
    if entered.order_type == "FAK":
        is_met = entered.listing.book.crosses(order.side, order.book_price)
        return None if is_met else OrderRejection(_FAK_KILLED, order_id=order.order_id)
    return None if is_covered(order) else OrderRejection(_FOK_KILLED, order_id=order.order_id)


def _unfunded(account: ClobAccount, order: ClobOrder) -> OrderRejection | None:
    entered = order.entered
    if entered.is_buy:
        needed, free = order.reserved_dollars() + _fees(order), account.free_dollars()
    else:
        needed, free = int(entered.size), account.free_shares(order.asset)
    if needed <= free:
        return None
    return OrderRejection(
        f"not enough balance / allowance: the balance is not enough -> balance: {max(free, 0)}, order amount: {needed}"
    )


def _fees(order: ClobOrder) -> int:
    """Return the fees for what a buy trades now, which come on top of its amount."""
    entered = order.entered
    size = taken_size(order) if entered.dollars else entered.size
    found = preview_matches(entered.listing.book, order.side, order.book_price, size)
    return sum(fee_of(entered, Price(order.in_book(price)), matched) for price, matched in found)
