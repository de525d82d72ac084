"""Matches the orders of accounts in the exchange's own books, so that the whole market sees them."""

from collections.abc import Callable
from typing import Final, NamedTuple

from predsurv.core.num import MICROS, Size, notional_up
from predsurv.exchange.book import BookMatch, preview_matches
from predsurv.exchange.exchange import Exchange
from predsurv.simulate.polymarket.trading.accounts import ClobAccount, ClobOrder
from predsurv.simulate.polymarket.trading.settlement import ChainSettlement, SettlingTrade, anonymous_part, order_part

EXPIRY_MARGIN_S: Final = 60
"""An order ends this long before the expiration that it was sent with."""
EVERYTHING: Final = 1 << 60
"""More shares than there can be (micros)."""
_NS_PER_S: Final = 1_000_000_000
_SHARE_UNIT: Final = 100

OrderListener = Callable[[ClobOrder, str], None]
"""Told of an order and what happened: ``PLACEMENT``, ``UPDATE`` or ``CANCELLATION``."""


class Placed(NamedTuple):
    """An order that was taken: its ``status`` as the venue answers, and the trades that it made at once."""

    order: ClobOrder
    status: str
    trades: tuple[SettlingTrade, ...] = ()


class Matching:
    """The accounts and their orders; each account starts with ``dollars`` (micros).

    ``listeners`` are told what happens to orders. ``trades_fail`` returns whether trades that are made now fail.
    """

    def __init__(self, exchange: Exchange, dollars: int, trades_fail: Callable[[], bool]) -> None:
        self.accounts: dict[bytes, ClobAccount] = {}
        self.listeners: list[OrderListener] = []
        self.settlement = ChainSettlement(exchange, self.account)
        self._exchange = exchange
        self._dollars = dollars
        self._trades_fail = trades_fail
        self._met: list[tuple[ClobOrder, BookMatch]] | None = None
        """Resting orders of accounts that the order which is matched now has met; None while none is."""
        self._trade_count = 0

    def of_address(self, address: bytes) -> ClobAccount:
        """Return the account of a key's address."""
        found = self.accounts.get(address)
        if found is None:
            found = self.accounts[address] = ClobAccount(address, self._dollars, self._on_fill, self._on_removal)
        return found

    def account(self, order: ClobOrder) -> ClobAccount:
        """Return the account of an order."""
        return self.of_address(order.entered.key.address)

    def execute(self, order: ClobOrder) -> Placed:
        """Match an order that is registered, and rest what may rest; for the instant that the exchange is in."""
        entered, account, now = order.entered, self.account(order), self._exchange.now
        size = taken_size(order) if entered.dollars else entered.size
        is_whole = entered.is_resting or is_covered(order)
        self._met = []
        matches = entered.listing.book.take(order.side, order.book_price, size, account)
        met, self._met = self._met, None
        trades = (self._trade(order, matches, met),) if matches else ()
        for maker, _ in met:
            self._after_fill(maker)
        if not entered.is_resting:
            self.end(order, "MATCHED" if is_whole else "CANCELED_FAK order was killed after a partial fill")
        elif not order.open_size:
            self.end(order, "MATCHED")
        else:
            account.rest(order, entered.listing.book.place(order.side, order.book_price, order.open_size, account))
            if entered.expiration:
                ends = (entered.expiration - EXPIRY_MARGIN_S) * _NS_PER_S
                self._exchange.schedule(max(ends, now + 1), lambda _: self._expire(order))
            self.tell(order, "PLACEMENT")
        for trade in trades:
            self.settlement.begin(trade)
        return Placed(order, "matched" if trades else "live", trades)

    def withdraw(self, order: ClobOrder, how: str) -> None:
        """Take a live order out of the book and end it; ``how`` is its status from then on."""
        if order.resting is not None and order.resting.remaining:
            order.entered.listing.book.cancel(order.resting)
        self.end(order, how)

    def end(self, order: ClobOrder, how: str) -> None:
        """End an order that is in no book."""
        self.account(order).end(order, how)
        self.tell(order, "UPDATE" if how == "MATCHED" else "CANCELLATION")

    def tell(self, order: ClobOrder, kind: str) -> None:
        """Tell the listeners what happened to an order."""
        for listener in self.listeners:
            listener(order, kind)

    def _trade(
        self, order: ClobOrder, matches: list[BookMatch], met: list[tuple[ClobOrder, BookMatch]]
    ) -> SettlingTrade:
        self._trade_count += 1
        entered, makers = order.entered, {match.trade: maker for maker, match in met}
        trade = SettlingTrade(
            self._trade_count,
            self._exchange.now,
            entered.token,
            order,
            is_buy=entered.is_buy,
            fails=self._trades_fail(),
        )
        for index, match in enumerate(matches):
            maker, price = makers.get(match.trade), order.in_book(match.price)
            part = anonymous_part(trade, index, price, match.size) if maker is None else order_part(maker, match.size)
            trade.parts.append(part)
            trade.size += match.size
            trade.price = price  # of the worst level
        order.matched += trade.size
        return trade

    def _on_fill(self, order: ClobOrder, match: BookMatch) -> None:
        """A resting order was met: by an order of an account, which is matched now, or by a taker of the exchange."""
        order.matched += match.size
        if self._met is not None:
            self._met.append((order, match))
            return
        self._trade_count += 1
        entered = order.entered
        trade = SettlingTrade(
            self._trade_count,
            self._exchange.now,
            entered.token,
            None,
            is_buy=not entered.is_buy,
            fails=self._trades_fail(),
        )
        trade.parts.append(order_part(order, match.size))
        trade.price, trade.size = entered.price, match.size
        self._after_fill(order)
        self.settlement.begin(trade)

    def _after_fill(self, order: ClobOrder) -> None:
        if order.open_size:
            self.tell(order, "UPDATE")
        else:
            self.end(order, "MATCHED")

    def _on_removal(self, order: ClobOrder, reason: str) -> None:
        self.end(order, f"CANCELED_{reason}")

    def _expire(self, order: ClobOrder) -> None:
        if not order.ended:
            self.withdraw(order, "CANCELED_order expired")


def is_covered(order: ClobOrder) -> bool:
    """Return whether the book holds now all that an order takes: its shares, or for a buy that only takes its dollars.

    The shares that dollars buy are no measure: of a book that is too small they are what it has.
    """
    entered = order.entered
    found = preview_matches(entered.listing.book, order.side, order.book_price, EVERYTHING)
    if entered.dollars:
        return sum(notional_up(order.in_book(price), size) for price, size in found) >= entered.dollars
    return sum(size for _, size in found) >= entered.size


def taken_size(order: ClobOrder) -> int:
    """Return the shares (micros) that a buy's dollars buy now, cut to four decimals."""
    entered, left, shares = order.entered, order.entered.dollars, 0
    for book_price, available in preview_matches(entered.listing.book, order.side, order.book_price, EVERYTHING):
        price = order.in_book(book_price)
        affordable = left * MICROS // price
        taken = min(affordable, available)
        shares += taken
        left -= notional_up(price, Size(taken))
        if affordable <= available or left <= 0:
            break
    return shares // _SHARE_UNIT * _SHARE_UNIT
