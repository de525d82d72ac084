"""An order book with price-time priority that holds individual orders; it knows nothing of accounts or makers."""

from bisect import bisect_left, insort
from typing import NamedTuple, Protocol

from predsurv.core.events import Level
from predsurv.core.ids import OrderSide, Side
from predsurv.core.num import MICROS, Price, Size
from predsurv.exchange.tape import LevelChange, Tape, TapeTrade


class OrderOwner(Protocol):
    """Receives what happens to resting orders that are not a maker's."""

    def on_trade(self, order: "BookOrder", match: "BookMatch") -> None:
        """Handle a match of ``order``, whose ``remaining`` is already reduced."""
        ...

    def on_removed(self, order: "BookOrder", reason: str) -> None:
        """Handle that the exchange took ``order`` out of the book."""
        ...


class BookOrder:
    """A resting order; ``remaining`` is 0 once it has left the book. ``owner``: None for a maker's."""

    __slots__ = ("number", "owner", "price", "remaining", "side")

    def __init__(self, number: int, side: Side, price: Price, size: int, owner: OrderOwner | None = None) -> None:
        self.number = number
        self.side: Side = side
        self.price = price
        self.remaining = size
        self.owner = owner


class BookMatch(NamedTuple):
    """One match of a taker with one resting order; ``trade`` is the trade's number on the tape."""

    price: int
    size: int
    trade: int


class _BookSide:
    """One side; ``keys`` ascend to the best price: a bid's key is its price, an ask's is minus its price."""

    __slots__ = ("keys", "queues", "sign", "taker_side", "totals")

    def __init__(self, sign: int, taker_side: OrderSide) -> None:
        self.sign = sign
        self.taker_side: OrderSide = taker_side
        """The direction of a taker that trades against this side."""
        self.keys: list[int] = []
        self.queues: dict[int, dict[int, BookOrder]] = {}
        self.totals: dict[int, int] = {}


class MatchingBook:
    """The orders of one tradable outcome; a binary market has one book, its second outcome is the mirror.

    Every change of a level is reported on the tape once. Prices and sizes in micros. ``side`` is
    always the side an order belongs to: a buyer is on the ``bid`` side, resting or not.
    """

    __slots__ = ("_asks", "_bids", "_order_number", "index", "seq", "tape", "tick", "traded_volume")

    def __init__(self, index: int, tick: int, tape: Tape) -> None:
        self.index = index
        self.tick = tick
        self.tape = tape
        self.seq = 0
        self.traded_volume = 0
        """Money traded so far, in micros."""
        self._order_number = 0
        self._bids = _BookSide(1, "sell")
        self._asks = _BookSide(-1, "buy")

    def best(self, side: Side) -> int | None:
        """Return the best price of a side, None when it is empty."""
        book_side = self._bids if side == "bid" else self._asks
        return book_side.keys[-1] * book_side.sign if book_side.keys else None

    def crosses(self, side: Side, price: int) -> bool:
        """Return whether an order of ``side`` at ``price`` would trade at once."""
        opposite = self._asks if side == "bid" else self._bids
        return bool(opposite.keys) and opposite.keys[-1] >= price * opposite.sign

    def levels(self, side: Side) -> tuple[Level, ...]:
        """Return a side's levels, best first."""
        book_side = self._bids if side == "bid" else self._asks
        return tuple((Price(abs(key)), Size(book_side.totals[key])) for key in reversed(book_side.keys))

    def place(self, side: Side, price: Price, size: int, owner: OrderOwner | None = None) -> BookOrder:
        """Add an order that does not cross to the back of its level's queue; ``owner`` is told of its fills."""
        book_side = self._bids if side == "bid" else self._asks
        key = price * book_side.sign
        self._order_number += 1
        order = BookOrder(self._order_number, side, price, size, owner)
        queue = book_side.queues.get(key)
        if queue is None:
            insort(book_side.keys, key)
            book_side.queues[key] = {order.number: order}
            book_side.totals[key] = total = size
        else:
            queue[order.number] = order
            book_side.totals[key] = total = book_side.totals[key] + size
        self._report(side, price, total)
        return order

    def cancel(self, order: BookOrder) -> None:
        """Remove an order that still rests in the book."""
        book_side = self._bids if order.side == "bid" else self._asks
        key = order.price * book_side.sign
        total = book_side.totals[key] - order.remaining
        order.remaining = 0
        del book_side.queues[key][order.number]
        _set_total(book_side, key, total)
        self._report(order.side, order.price, total)

    def reduce(self, order: BookOrder, size: int) -> None:
        """Reduce a resting order to ``size``, at least 1, in its place in the queue.

        No order is enlarged in place: one venue has no such command, and by the other's it loses its place.
        """
        book_side = self._bids if order.side == "bid" else self._asks
        key = order.price * book_side.sign
        book_side.totals[key] = total = book_side.totals[key] + size - order.remaining
        order.remaining = size
        self._report(order.side, order.price, total)

    def take(self, side: Side, limit: int, size: int, taker: OrderOwner | None = None) -> list[BookMatch]:
        """Match a taker of ``side`` up to its ``limit`` price and return the matches; the rest does not enter the book.

        Self-trade prevention: the taker's own resting orders are removed instead of matched.
        """
        book_side = self._asks if side == "bid" else self._bids
        worst = limit * book_side.sign
        matches: list[BookMatch] = []
        while size and book_side.keys and book_side.keys[-1] >= worst:
            size -= self._take_level(book_side, size, taker, matches)
        return matches

    def clear(self, reason: str) -> None:
        """Remove every order; owners get ``reason``."""
        for book_side in (self._bids, self._asks):
            for key in tuple(book_side.keys):
                for order in book_side.queues[key].values():
                    _remove(order, reason)
                _set_total(book_side, key, 0)
                self._report("bid" if book_side is self._bids else "ask", Price(abs(key)), 0)

    def _take_level(self, book_side: _BookSide, size: int, taker: OrderOwner | None, matches: list[BookMatch]) -> int:
        key = book_side.keys[-1]
        queue, unmatched, total = book_side.queues[key], size, book_side.totals[key]
        for order in tuple(queue.values()):
            if not unmatched:
                break
            matched = min(unmatched, order.remaining)
            if taker is not None and order.owner is taker:
                total -= order.remaining
                _remove(order, "self-trade")
            else:
                matches.append(self._execute(book_side, order, matched))
                unmatched -= matched
                total -= matched
            if not order.remaining:
                del queue[order.number]
        _set_total(book_side, key, total)
        self._report("bid" if book_side is self._bids else "ask", Price(abs(key)), total)
        return size - unmatched

    def _execute(self, book_side: _BookSide, order: BookOrder, size: int) -> BookMatch:
        tape, price = self.tape, order.price
        order.remaining -= size
        tape.seq += 1
        trade = tape.seq
        tape.events.append(TapeTrade(trade, tape.now, self.index, price, Size(size), book_side.taker_side))
        self.traded_volume += price * size // MICROS
        match = BookMatch(price, size, trade)
        if order.owner is not None:
            order.owner.on_trade(order, match)
        return match

    def _report(self, side: Side, price: Price, total: int) -> None:
        tape = self.tape
        tape.seq += 1
        tape.level_changes += 1
        self.seq += 1
        tape.events.append(LevelChange(tape.seq, tape.now, self.index, self.seq, side, price, Size(total)))


def preview_matches(book: MatchingBook, side: Side, limit: int, size: int) -> list[Level]:
    """Return what a taker would match now: (price, size) by level, best first."""
    matches: list[Level] = []
    for price, available in book.levels("ask" if side == "bid" else "bid"):
        if not size or (price > limit if side == "bid" else price < limit):
            break
        matched = min(size, available)
        matches.append((price, Size(matched)))
        size -= matched
    return matches


def queue_ahead(book: MatchingBook, order: BookOrder) -> int:
    """Return the size (micros) that trades before a resting order at its price."""
    book_side = book._bids if order.side == "bid" else book._asks
    queue = book_side.queues[order.price * book_side.sign]
    return sum(each.remaining for number, each in queue.items() if number < order.number)


def _remove(order: BookOrder, reason: str) -> None:
    order.remaining = 0
    if order.owner is not None:
        order.owner.on_removed(order, reason)


def _set_total(book_side: _BookSide, key: int, total: int) -> None:
    if total:
        book_side.totals[key] = total
        return
    del book_side.totals[key], book_side.queues[key]
    del book_side.keys[bisect_left(book_side.keys, key)]
