"""The desk: checks, matches, changes and cancels orders in the exchange's own books, so that the market sees them."""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Final
from uuid import UUID

from predsurv.core.market import on_grid
from predsurv.core.num import Price
from predsurv.exchange.book import BookMatch, BookOrder, preview_matches
from predsurv.exchange.exchange import Exchange, begin_instant
from predsurv.simulate.kalshi.markets import KalshiMarkets
from predsurv.simulate.kalshi.trading.account import KalshiAccount, KalshiFill
from predsurv.simulate.kalshi.trading.groups import KalshiOrderGroup
from predsurv.simulate.kalshi.trading.orders import HUNDREDTH, KalshiOrder, OrderError, OrderRequest

_NS_PER_S: Final = 1_000_000_000

OrderListener = Callable[[KalshiOrder], None]
FillListener = Callable[[KalshiFill], None]
GroupListener = Callable[[KalshiOrderGroup, str], None]


class KalshiDesk:
    """Trades for ``account``; it owns the account's orders in the books.

    Listeners are told of every change of an order, of every fill, and of order groups.
    """

    def __init__(self, exchange: Exchange, markets: KalshiMarkets, account: KalshiAccount) -> None:
        self.account = account
        self.exchange = exchange
        self.groups: dict[str, KalshiOrderGroup] = {}
        self.on_order: OrderListener = lambda _: None
        self.on_fill: FillListener = lambda _: None
        self.on_group: GroupListener = lambda *_: None
        self._markets = markets
        self._resting: dict[int, KalshiOrder] = {}
        self._number = 0

    def place(self, request: OrderRequest) -> KalshiOrder | OrderError:
        """Match and rest an order, or return why it is not taken."""
        listing = self._markets.listed.get(request.ticker)
        key = self._markets.instruments.get(request.ticker)
        instrument = None if key is None else self.exchange.directory.listing(key)
        if listing is None or instrument is None:
            return OrderError(404, "not_found", "market not found")
        now = begin_instant(self.exchange)
        if instrument.market.status != "active" or listing.result:
            return OrderError(400, "MARKET_INACTIVE")
        order = KalshiOrder(self.new_id(), request, listing, instrument, now)
        refused = refusal(self, order)
        if refused is not None:
            return refused
        self.account.client_ids.add(request.client_order_id)
        book = instrument.book
        found = sum(
            size for _, size in preview_matches(book, request.side, request.price, request.contracts * HUNDREDTH)
        )
        if request.tif == "fill_or_kill" and found < request.contracts * HUNDREDTH:
            return OrderError(409, "fill_or_kill_insufficient_resting_volume")
        self.account.add(order)
        self.match(order)
        return order

    def match(self, order: KalshiOrder) -> None:
        """Match a live order that is in no book, and rest what is left of it where it may rest."""
        request, book, filled_before = order.request, order.instrument.book, order.filled
        limit = limit_without_own(order, self._resting.values())
        for match in book.take(request.side, limit, order.remaining * HUNDREDTH, self):
            self._filled(order, match, is_taker=True)
        crosses_own = limit != request.price
        if not order.remaining:
            self._end(order, "executed", "Trade")
        elif request.tif != "good_till_canceled" or crosses_own:
            self._end(order, "canceled", "SelfTradeCancel" if crosses_own else "")
        else:
            order.resting = book.place(request.side, request.price, order.remaining * HUNDREDTH, self)
            self._resting[id(order.resting)] = order
            if request.expiration:
                ends = max(request.expiration * _NS_PER_S, self.exchange.now + 1)
                self.exchange.schedule(ends, lambda now: self._expire(order, now))
        self.on_order(order)
        group = self._reached(order, order.filled - filled_before)
        if group is not None:
            trigger_group(self, group)

    def withdraw(self, order: KalshiOrder, reason: str) -> int:
        """Cancel what rests of an order; return by how many contracts (hundredths) that reduced it."""
        reduced = order.remaining
        self.leave_book(order)
        self._end(order, "canceled", reason)
        self.on_order(order)
        return reduced

    def leave_book(self, order: KalshiOrder) -> None:
        """Take an order out of the book without ending it."""
        if order.resting is not None and order.resting.remaining:
            order.instrument.book.cancel(order.resting)
        self._resting.pop(id(order.resting), None)
        order.resting = None

    def on_trade(self, order: BookOrder, match: BookMatch) -> None:
        """Book that a resting order was met by a taker of the exchange."""
        known = self._resting[id(order)]
        self._filled(known, match, is_taker=False)
        if not known.remaining:
            self._end(known, "executed", "Trade")
        self.on_order(known)
        group = self._reached(known, match.size // HUNDREDTH)
        if group is not None:  # the taker still goes through the book, which nobody may change meanwhile
            self.exchange.schedule(self.exchange.now + 1, lambda _: _trigger_due(self, group))

    def on_removed(self, order: BookOrder, reason: str) -> None:
        """End an order that the exchange took out of the book."""
        known = self._resting[id(order)]
        self._end(known, "canceled", "SelfTradeCancel" if reason == "self-trade" else "CloseCancel")
        self.on_order(known)

    def new_id(self) -> str:
        """Return a new id of an order or a group."""
        self._number += 1
        digest = sha256(f"kalshi {self.exchange.seed} {self._number}".encode()).digest()
        return str(UUID(bytes=digest[:16], version=4))

    def _filled(self, order: KalshiOrder, match: BookMatch, *, is_taker: bool) -> None:
        now, count = self.exchange.now, match.size // HUNDREDTH
        fill = self.account.fill(order, trade_id(match.trade), match.price, count, is_taker=is_taker, ts=now)
        order.reason = "Trade"
        self.on_fill(fill)

    def _reached(self, order: KalshiOrder, count: int) -> KalshiOrderGroup | None:
        """Count what of an order was matched in its group; return the group when that reaches its limit."""
        group = self.groups.get(order.request.group)
        return group if group is not None and count and group.match(count, self.exchange.now) else None

    def _expire(self, order: KalshiOrder, now: int) -> None:
        if order.is_live and order.request.expiration * _NS_PER_S <= now:
            self.withdraw(order, "ExpiryCancel")

    def _end(self, order: KalshiOrder, status: str, reason: str) -> None:
        self._resting.pop(id(order.resting), None)
        order.status, order.reason, order.updated = status, reason, self.exchange.now
        order.remaining = 0


def trigger_group(desk: KalshiDesk, group: KalshiOrderGroup) -> None:
    """Cancel the orders of a group, which takes none until it is reset."""
    group.is_triggered = True
    for order in desk.account.live():
        if order.request.group == group.group_id:
            desk.withdraw(order, "")
    desk.on_group(group, "triggered")


def _trigger_due(desk: KalshiDesk, group: KalshiOrderGroup) -> None:
    """Trigger a group that reached its limit, if it was not reset or deleted since."""
    if group.is_triggered and desk.groups.get(group.group_id) is group:
        trigger_group(desk, group)


def refusal(desk: KalshiDesk, order: KalshiOrder) -> OrderError | None:
    """Return why a new order is not taken, None when it is."""
    request = order.request
    if request.client_order_id and request.client_order_id in desk.account.client_ids:
        return OrderError(409, "order_already_exists")
    if not on_grid(order.instrument.market, request.price):
        return OrderError(400, "invalid_price", "not a price of this market")
    group = desk.groups.get(request.group)
    if group is not None and group.shard != order.listing.exchange_index:
        group = None  # it is on another shard (assumed: no document says what then happens)
    if request.group and (group is None or group.is_triggered):
        return OrderError(400, "invalid_order", "the order group takes no orders" if group else "no such order group")
    if request.post_only and order.instrument.book.crosses(request.side, request.price):
        return OrderError(400, "invalid_order", "post only cross")
    if request.expiration and request.expiration * _NS_PER_S <= desk.exchange.now:
        return OrderError(400, "invalid_parameters", "expiration_time is in the past")
    return None if desk.account.can_pay(request, request.contracts) else OrderError(400, "insufficient_balance")


def limit_without_own(order: KalshiOrder, resting: Iterable[KalshiOrder]) -> Price:
    """Return how far (micros) an order may take: one that is ended where it would meet its own account stops before.

    Orders of others at the price of the own one are not met either, which the venue may do.
    """
    request = order.request
    if request.prevention != "taker_at_cross":
        return request.price
    is_buy, tick = request.side == "bid", order.instrument.market.tick_size
    own = [
        each.request.price
        for each in resting
        if each.request.ticker == request.ticker
        and each.request.side != request.side
        and (each.request.price <= request.price if is_buy else each.request.price >= request.price)
    ]
    if not own:
        return request.price
    return Price(min(own) - tick if is_buy else max(own) + tick)


def trade_id(number: int) -> str:
    """Return the id of the exchange's trade ``number``, the same in public and in private messages."""
    return f"{number:08x}-0000-4000-8000-000000000000"
