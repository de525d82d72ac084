"""Where orders from outside come in: checked, matched, rested or refused.

Kept apart from accounts and books because it is the venue's rulebook, one rule a function.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from predsurv.core.fees import taker_fee
from predsurv.core.ids import InstrumentKey, OrderId
from predsurv.core.market import Market, on_grid
from predsurv.core.num import MICROS, Price, Size, notional_up
from predsurv.core.orders import CancelOrder, Command, PlaceOrder
from predsurv.exchange.accounts import ExchangeAccount, WorkingOrder
from predsurv.exchange.book import MatchingBook, preview
from predsurv.exchange.tape import Tape


class BookLocation(NamedTuple):
    """Where an instrument trades; ``mirrored`` when it is the complement of the book's own."""

    market: Market
    book: MatchingBook
    mirrored: bool


_Check = Callable[[ExchangeAccount, WorkingOrder, BookLocation], str | None]


class OrderEntry:
    """Takes commands of accounts. ``find`` tells where an instrument trades, None if nowhere."""

    def __init__(self, tape: Tape, find: Callable[[InstrumentKey], BookLocation | None]) -> None:
        self._tape = tape
        self._find = find
        self._orders = 0

    def execute(self, account: ExchangeAccount, command: Command) -> None:
        """Carry ``command`` out now; all answers go to the account."""
        if isinstance(command, CancelOrder):
            self._cancel(account, command)
        elif command.client_order_id in account.orders:
            self._repeat(account, account.orders[command.client_order_id])
        else:
            self._place(account, command)

    def _place(self, account: ExchangeAccount, place: PlaceOrder) -> None:
        self._orders += 1
        working = WorkingOrder(place, OrderId(f"o{self._orders}"), self._tape.now)
        account.remember(working)
        where = self._find(place.key)
        reason = "no such instrument" if where is None else _refusal(account, working, where)
        if where is None or reason is not None:
            working.state = "rejected"
            account.answers.rejected(place.key, place.client_order_id, reason or "")
            return
        working.state = "open"
        account.answers.accepted(working)
        self._match(account, working, where.book)

    def _match(self, account: ExchangeAccount, working: WorkingOrder, book: MatchingBook) -> None:
        place, side, limit = working.place, working.book_side, working.book_price
        if place.tif == "fok" and sum(size for _, size in preview(book, side, limit, place.size)) < place.size:
            account.finish(working, "fill-or-kill: not enough at this price")
            return
        account.taken(working, book.take(side, limit, place.size, account))
        if not working.open_size:
            return
        if place.tif == "gtc":
            account.rest(working, book.place(side, limit, working.open_size))
        else:
            account.finish(working, f"{place.tif}: nothing more at this price")

    def _repeat(self, account: ExchangeAccount, known: WorkingOrder) -> None:
        """Answer a client id seen before as the first time: one id is one order."""
        if known.state == "rejected":
            place = known.place
            account.answers.rejected(place.key, place.client_order_id, "client order id was rejected before")
        else:
            account.answers.accepted(known)

    def _cancel(self, account: ExchangeAccount, cancel: CancelOrder) -> None:
        working = account.orders.get(cancel.client_order_id)
        if working is None or working.state == "rejected":
            account.answers.rejected(cancel.key, cancel.client_order_id, "no such order")
            return
        if working.resting is not None and working.resting.remaining:
            where = self._find(working.place.key)
            if where is not None:
                where.book.cancel(working.resting)
            account.finish(working, "asked for")
        elif working.state == "cancelled":
            account.finish(working, "already cancelled")
        # A filled order needs no answer: its fills, which came first, are the answer.


def _refusal(account: ExchangeAccount, working: WorkingOrder, where: BookLocation) -> str | None:
    working.mirrored = where.mirrored
    working.fee = where.market.fee
    return next((reason for check in _CHECKS if (reason := check(account, working, where)) is not None), None)


def _is_open(account: ExchangeAccount, working: WorkingOrder, where: BookLocation) -> str | None:  # noqa: ARG001
    return None if where.market.status == "active" else f"market is {where.market.status}"


def _on_grid(account: ExchangeAccount, working: WorkingOrder, where: BookLocation) -> str | None:  # noqa: ARG001
    return None if on_grid(where.market, working.place.price) else "price is not on the market's grid"


def _large_enough(account: ExchangeAccount, working: WorkingOrder, where: BookLocation) -> str | None:  # noqa: ARG001
    return None if working.place.size >= where.market.min_order_size else "size is below the market's minimum"


def _passive(account: ExchangeAccount, working: WorkingOrder, where: BookLocation) -> str | None:  # noqa: ARG001
    if working.place.post_only and where.book.crosses(working.book_side, working.book_price):
        return "post-only order would trade at once"
    return None


def _funded(account: ExchangeAccount, working: WorkingOrder, where: BookLocation) -> str | None:
    place = working.place
    if place.side == "sell":
        return None if account.free_shares(place.key) >= place.size else "not enough shares"
    return None if account.free_cash() >= _cost(working, where.book) else "not enough cash"


def _cost(working: WorkingOrder, book: MatchingBook) -> int:
    """Return the most that a buy may cost: what it takes now plus what it would rest for, with fees."""
    place, cost, left = working.place, 0, int(working.place.size)
    for price, size in preview(book, working.book_side, working.book_price, place.size):
        own = Price(MICROS - price) if working.mirrored else price
        cost += notional_up(own, size) + taker_fee(working.fee, own, size)
        left -= size
    rest = Size(left)
    # Fees and prices are rounded once a fill, and one level may be many fills.
    return cost + notional_up(place.price, rest) + taker_fee(working.fee, place.price, rest) + _SLACK


_SLACK: Final = 1_000
_CHECKS: Final[tuple[_Check, ...]] = (_is_open, _on_grid, _large_enough, _passive, _funded)
