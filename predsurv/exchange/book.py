"""A price-time-priority order book with real orders in it.

Kept apart because it is where matching is right or wrong: it knows orders and prices, and neither
who quotes nor why.
"""

from bisect import bisect_left, insort
from typing import NamedTuple, Protocol

from predsurv.core.events import Level
from predsurv.core.ids import OrderSide, Side
from predsurv.core.num import MICROS, Price, Size
from predsurv.exchange.tape import LevelChange, Tape, TapeTrade


class OrderOwner(Protocol):
    """Somebody outside the simulation who wants to hear of their resting orders."""

    def traded(self, order: "BookOrder", price: int, size: int, trade: int) -> None:
        """``size`` of ``order`` traded at ``price`` in trade number ``trade``."""
        ...

    def removed(self, order: "BookOrder", reason: str) -> None:
        """``order`` was taken out of the book by the exchange."""
        ...


class BookOrder:
    """An order in a queue; ``remaining`` is 0 once it is gone."""

    __slots__ = ("number", "owner", "price", "remaining", "side")

    def __init__(self, number: int, side: Side, price: Price, size: int) -> None:
        self.number = number
        self.side: Side = side
        self.price = price
        self.remaining = size
        self.owner: OrderOwner | None = None


class BookMatch(NamedTuple):
    """One price-time match: what the taker got from one resting order."""

    price: int
    size: int
    trade: int


class _BookSide:
    """One side: keys ascend to the best (``sign`` makes an ask's key minus its price)."""

    __slots__ = ("keys", "queues", "sign", "taker", "totals")

    def __init__(self, sign: int, taker: OrderSide) -> None:
        self.sign = sign
        self.taker: OrderSide = taker
        """The direction of who trades against this side."""
        self.keys: list[int] = []
        self.queues: dict[int, dict[int, BookOrder]] = {}
        self.totals: dict[int, int] = {}


class MatchingBook:
    """The orders of one tradable outcome; a binary market has one, its second outcome mirrors it.

    Every change of a level is reported on the tape once. Prices and sizes in micros. ``side`` is
    always the side an order belongs to: a buyer is on the ``bid`` side, resting or not.
    """

    __slots__ = ("_asks", "_bids", "_numbers", "index", "seq", "tape", "tick", "traded")

    def __init__(self, index: int, tick: int, tape: Tape) -> None:
        self.index = index
        self.tick = tick
        self.tape = tape
        self.seq = 0
        self.traded = 0
        """Money traded so far, in micros."""
        self._numbers = 0
        self._bids = _BookSide(1, "sell")
        self._asks = _BookSide(-1, "buy")

    def best(self, side: Side) -> int | None:
        """Return the best price of a side, None when it is empty."""
        half = self._bids if side == "bid" else self._asks
        return half.keys[-1] * half.sign if half.keys else None

    def crosses(self, side: Side, price: int) -> bool:
        """Return whether an order of ``side`` at ``price`` would trade at once."""
        against = self._asks if side == "bid" else self._bids
        return bool(against.keys) and against.keys[-1] >= price * against.sign

    def levels(self, side: Side) -> tuple[Level, ...]:
        """Return a side's levels, best first."""
        half = self._bids if side == "bid" else self._asks
        return tuple((Price(abs(key)), Size(half.totals[key])) for key in reversed(half.keys))

    def place(self, side: Side, price: Price, size: int) -> BookOrder:
        """Rest an order that does not cross at the back of its level's queue."""
        half = self._bids if side == "bid" else self._asks
        key = price * half.sign
        self._numbers += 1
        order = BookOrder(self._numbers, side, price, size)
        queue = half.queues.get(key)
        if queue is None:
            insort(half.keys, key)
            half.queues[key] = {order.number: order}
            half.totals[key] = total = size
        else:
            queue[order.number] = order
            half.totals[key] = total = half.totals[key] + size
        self._report(side, price, total)
        return order

    def cancel(self, order: BookOrder) -> None:
        """Take an order that is still in the book out of it."""
        half = self._bids if order.side == "bid" else self._asks
        key = order.price * half.sign
        total = half.totals[key] - order.remaining
        order.remaining = 0
        del half.queues[key][order.number]
        _set_total(half, key, total)
        self._report(order.side, order.price, total)

    def resize(self, order: BookOrder, size: int) -> None:
        """Change what an order still wants; growing sends it to the back of its queue."""
        half = self._bids if order.side == "bid" else self._asks
        key = order.price * half.sign
        if size > order.remaining:
            queue = half.queues[key]
            del queue[order.number]
            queue[order.number] = order
        half.totals[key] = total = half.totals[key] + size - order.remaining
        order.remaining = size
        self._report(order.side, order.price, total)

    def take(self, side: Side, limit: int, size: int, taker: OrderOwner | None = None) -> list[BookMatch]:
        """Match a taker against the other side down to ``limit``; what is left is the caller's.

        A taker never meets its own resting orders: they are removed instead.
        """
        half = self._asks if side == "bid" else self._bids
        worst = limit * half.sign
        matches: list[BookMatch] = []
        while size and half.keys and half.keys[-1] >= worst:
            size -= self._take_level(half, size, taker, matches)
        return matches

    def clear(self, reason: str) -> None:
        """Empty the book, telling the owners ``reason``."""
        for half in (self._bids, self._asks):
            for key in tuple(half.keys):
                for order in half.queues[key].values():
                    _remove(order, reason)
                _set_total(half, key, 0)
                self._report("bid" if half is self._bids else "ask", Price(abs(key)), 0)

    def _take_level(self, half: _BookSide, wanted: int, taker: OrderOwner | None, matches: list[BookMatch]) -> int:
        key = half.keys[-1]
        queue, left, total = half.queues[key], wanted, half.totals[key]
        for order in tuple(queue.values()):
            if not left:
                break
            size = min(left, order.remaining)
            if taker is not None and order.owner is taker:
                total -= order.remaining
                _remove(order, "self-trade")
            else:
                matches.append(self._execute(half, order, size))
                left -= size
                total -= size
            if not order.remaining:
                del queue[order.number]
        _set_total(half, key, total)
        self._report("bid" if half is self._bids else "ask", Price(abs(key)), total)
        return wanted - left

    def _execute(self, half: _BookSide, order: BookOrder, size: int) -> BookMatch:
        tape, price = self.tape, order.price
        order.remaining -= size
        tape.seq += 1
        trade = tape.seq
        tape.events.append(TapeTrade(trade, tape.now, self.index, price, Size(size), half.taker))
        self.traded += price * size // MICROS
        if order.owner is not None:
            order.owner.traded(order, price, size, trade)
        return BookMatch(price, size, trade)

    def _report(self, side: Side, price: Price, total: int) -> None:
        tape = self.tape
        tape.seq += 1
        tape.changes += 1
        self.seq += 1
        tape.events.append(LevelChange(tape.seq, tape.now, self.index, self.seq, side, price, Size(total)))


def preview(book: MatchingBook, side: Side, limit: int, size: int) -> list[Level]:
    """Return what a taker would get now: (price, size) a level, best first."""
    found: list[Level] = []
    for price, there in book.levels("ask" if side == "bid" else "bid"):
        if not size or (price > limit if side == "bid" else price < limit):
            break
        take = min(size, there)
        found.append((price, Size(take)))
        size -= take
    return found


def _remove(order: BookOrder, reason: str) -> None:
    order.remaining = 0
    if order.owner is not None:
        order.owner.removed(order, reason)


def _set_total(half: _BookSide, key: int, total: int) -> None:
    if total:
        half.totals[key] = total
        return
    del half.totals[key], half.queues[key]
    del half.keys[bisect_left(half.keys, key)]
