"""The gateway for outside orders: it checks them by the venue's rules, one function each, and matches or rests them."""

from collections.abc import Callable
from typing import Final

from predsurv.core.fees import taker_fee
from predsurv.core.ids import InstrumentKey, OrderId
from predsurv.core.market import on_grid, size_allowed
from predsurv.core.num import MICROS, Price, Size, notional_up
from predsurv.core.orders import RESTING, CancelOrder, Command, PlaceOrder
from predsurv.exchange.accounts import ExchangeAccount, WorkingOrder
from predsurv.exchange.book import MatchingBook, preview_matches
from predsurv.exchange.directory import InstrumentListing
from predsurv.exchange.tape import Tape

_Check = Callable[[ExchangeAccount, WorkingOrder, InstrumentListing], str | None]


class OrderGateway:
    """Executes the commands of accounts. ``find_listing`` returns None for an unknown instrument."""

    def __init__(self, tape: Tape, find_listing: Callable[[InstrumentKey], InstrumentListing | None]) -> None:
        self._tape = tape
        self._find_listing = find_listing
        self._order_count = 0

    def execute(self, account: ExchangeAccount, command: Command) -> None:
        """Execute ``command`` now; the results are published as account events."""
        if isinstance(command, CancelOrder):
            self._cancel(account, command)
        elif command.client_order_id in account.orders:
            self._repeat_response(account, account.orders[command.client_order_id])
        else:
            self._place(account, command)

    def expire(self, account: ExchangeAccount, request: PlaceOrder) -> None:
        """End the time for which an order is good: cancel what of it still rests."""
        working = account.orders.get(request.client_order_id)
        if working is not None and working.resting is not None and working.resting.remaining:
            listing = self._find_listing(request.key)
            if listing is not None:
                listing.book.cancel(working.resting)
            account.cancel_remainder(working, "expired")

    def _place(self, account: ExchangeAccount, request: PlaceOrder) -> None:
        self._order_count += 1
        listing, order_id = self._find_listing(request.key), OrderId(f"o{self._order_count}")
        if listing is None:
            working = WorkingOrder(request, order_id, self._tape.now)
        else:
            fee, mirrored = listing.market.fee, listing.mirrored
            working = WorkingOrder(request, order_id, self._tape.now, fee, mirrored=mirrored)
        account.add_order(working)
        reason = "no such instrument" if listing is None else _rejection(account, working, listing)
        if listing is None or reason is not None:
            working.state = "rejected"
            account.publisher.order_rejected(request.key, request.client_order_id, reason or "")
            return
        working.state = "open"
        account.publisher.order_accepted(working)
        self._match(account, working, listing.book)

    def _match(self, account: ExchangeAccount, working: WorkingOrder, book: MatchingBook) -> None:
        request, side, limit = working.request, working.book_side, working.book_price
        if request.tif == "fok" and sum(n for _, n in preview_matches(book, side, limit, request.size)) < request.size:
            account.cancel_remainder(working, "fill-or-kill: not enough at this price")
            return
        account.add_taker_fills(working, book.take(side, limit, request.size, account))
        if not working.open_size:
            return
        if request.tif in RESTING:
            account.add_resting(working, book.place(side, limit, working.open_size, account))
        else:
            account.cancel_remainder(working, f"{request.tif}: nothing more at this price")

    def _repeat_response(self, account: ExchangeAccount, known: WorkingOrder) -> None:
        """Publish the response to the first order with this client id again: one id is one order."""
        if known.state == "rejected":
            request = known.request
            account.publisher.order_rejected(
                request.key, request.client_order_id, "client order id was rejected before"
            )
        else:
            account.publisher.order_accepted(known)

    def _cancel(self, account: ExchangeAccount, cancel: CancelOrder) -> None:
        working = account.orders.get(cancel.client_order_id)
        if working is None or working.state == "rejected":
            account.publisher.cancel_rejected(cancel.key, cancel.client_order_id, "no such order")
            return
        if working.resting is not None and working.resting.remaining:
            listing = self._find_listing(working.request.key)
            if listing is not None:
                listing.book.cancel(working.resting)
            account.cancel_remainder(working, "asked for")
        elif working.state == "cancelled":
            account.cancel_remainder(working, "already cancelled")
        # A filled order needs no response: its fills were published before.


def _rejection(account: ExchangeAccount, working: WorkingOrder, listing: InstrumentListing) -> str | None:
    return next((reason for check in _CHECKS if (reason := check(account, working, listing)) is not None), None)


def _is_open(account: ExchangeAccount, working: WorkingOrder, listing: InstrumentListing) -> str | None:  # noqa: ARG001
    return None if listing.market.status == "active" else f"market is {listing.market.status}"


def _on_grid(account: ExchangeAccount, working: WorkingOrder, listing: InstrumentListing) -> str | None:  # noqa: ARG001
    return None if on_grid(listing.market, working.request.price) else "price is not on the market's grid"


def _large_enough(account: ExchangeAccount, working: WorkingOrder, listing: InstrumentListing) -> str | None:  # noqa: ARG001
    request = working.request
    allowed = size_allowed(listing.market, request.price, request.size, side=request.side, rests=request.tif in RESTING)
    return None if allowed else "size is below the market's minimum"


def _passive(account: ExchangeAccount, working: WorkingOrder, listing: InstrumentListing) -> str | None:  # noqa: ARG001
    if working.request.post_only and listing.book.crosses(working.book_side, working.book_price):
        return "post-only order would trade at once"
    return None


def _funded(account: ExchangeAccount, working: WorkingOrder, listing: InstrumentListing) -> str | None:
    request = working.request
    if request.side == "sell":
        return None if account.free_shares(request.key) >= request.size else "not enough shares"
    return None if account.free_cash() >= _cost(working, listing.book) else "not enough cash"


def _cost(working: WorkingOrder, book: MatchingBook) -> int:
    """Return the most that a buy may cost, micros: its matches now and its remainder at the limit price, with fees."""
    request, cost, unmatched = working.request, 0, int(working.request.size)
    for price, size in preview_matches(book, working.book_side, working.book_price, request.size):
        own_price = Price(MICROS - price) if working.mirrored else price
        cost += notional_up(own_price, size) + taker_fee(working.fee, own_price, size)
        unmatched -= size
    remainder = Size(unmatched)
    # Costs and fees are rounded at every fill, and one level may be many fills.
    return cost + notional_up(request.price, remainder) + taker_fee(working.fee, request.price, remainder) + _ROUNDING


_ROUNDING: Final = 1_000


def _in_time(account: ExchangeAccount, working: WorkingOrder, listing: InstrumentListing) -> str | None:  # noqa: ARG001
    expires = working.request.expires
    return None if expires is None or expires > working.submitted else "expired before it arrived"


_CHECKS: Final[tuple[_Check, ...]] = (_is_open, _in_time, _on_grid, _large_enough, _passive, _funded)
