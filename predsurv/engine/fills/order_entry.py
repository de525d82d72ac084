"""The venue's side of a command: its transit, admission, delay and execution; what remains rests or is cancelled."""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Final

from msgspec import Struct

from predsurv.core.events import AccountEvent, CancelRejected, OrderAccepted, OrderRejected
from predsurv.core.ids import ClientOrderId, OrderId
from predsurv.core.orders import RESTING, CancelOrder, Command, PlaceOrder
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.engine.fills.admission import AdmissionRules
from predsurv.engine.fills.delayed_orders import DelayedOrder
from predsurv.engine.fills.fill_factory import FillFactory
from predsurv.engine.fills.queue_position import QueuePosition
from predsurv.engine.fills.taker import Taker, arriving, execute, fillable
from predsurv.engine.fills.working_orders import WorkingOrders, cancelled
from predsurv.state.book import Book
from predsurv.state.market_cache import MarketCache

_NEVER: Final = 1 << 63


class _Release(Struct, frozen=True):
    """The end of the venue's delay of an order."""

    command: PlaceOrder


class _Expiry(Struct, frozen=True):
    """The end of the time for which an order is good."""

    command: PlaceOrder


class OrderEntry:
    """Commands in transit, and their execution on arrival; ``next_at`` is when the next arrives (ns UTC)."""

    def __init__(
        self,
        cache: MarketCache,
        admission: AdmissionRules,
        working: WorkingOrders,
        consumed: ConsumedLiquidity,
        fills: FillFactory,
    ) -> None:
        self.next_at = _NEVER
        self._cache, self._admission, self._working = cache, admission, working
        self._consumed, self._fills = consumed, fills
        self._in_transit: list[tuple[int, int, Command | _Release | _Expiry]] = []  # heap of (arrival, sequence, what)
        self._sequence = 0
        self._arrivals: dict[ClientOrderId, int] = {}  # of orders in transit (ns UTC)

    def send(self, command: Command | _Release | _Expiry, arrival: int) -> None:
        """Send something that arrives at ``arrival`` (ns UTC), a cancel not before its order."""
        if isinstance(command, PlaceOrder):
            self._arrivals[command.client_order_id] = arrival
        elif isinstance(command, CancelOrder):
            arrival = max(arrival, self._arrivals.get(command.client_order_id, arrival))
        self._sequence += 1
        heappush(self._in_transit, (arrival, self._sequence, command))
        self.next_at = self._in_transit[0][0]

    def execute_next(self) -> Iterator[AccountEvent]:
        """Yield the outcome of what arrives next."""
        arrival, _, command = heappop(self._in_transit)
        self.next_at = self._in_transit[0][0] if self._in_transit else _NEVER
        self._cache.advance(arrival)
        if isinstance(command, PlaceOrder):
            self._arrivals.pop(command.client_order_id, None)
            yield from self._place(command, arrival)
        elif isinstance(command, _Release):
            yield from self._release(command.command, arrival)
        elif isinstance(command, _Expiry):
            yield from self._expire(command.command, arrival)
        else:
            yield from self._cancel(command, arrival)

    def _place(self, command: PlaceOrder, ts: int) -> Iterator[AccountEvent]:
        if not self._fills.register(command.client_order_id):
            return
        taker = arriving(command, ts, self._cache.primary_of(command.key))
        book = self._cache.trusted_book(taker.key)
        reason = self._admission.rejection(command, ts) or self._admission.rejection_by_book(taker, book)
        if reason is not None:
            yield OrderRejected(command.key, ts, command.client_order_id, reason)
            return
        yield OrderAccepted(command.key, ts, command.client_order_id, OrderId(f"paper-{command.client_order_id}"))
        delay = self._admission.delay(taker, book)
        if delay:
            self._working.delayed.add(DelayedOrder(command, ts + delay))
            self._working.watch(command.key, ts)
            self.send(_Release(command), ts + delay)
        else:
            yield from self._trade(taker, book)

    def _release(self, command: PlaceOrder, ts: int) -> Iterator[AccountEvent]:
        """Let a delayed order trade, unless it was cancelled meanwhile or would be rejected by now."""
        if not self._working.delayed.end(command.client_order_id):
            return
        taker = arriving(command, ts, self._cache.primary_of(command.key))
        book = self._cache.trusted_book(taker.key)
        reason = self._admission.rejection(command, ts) or self._admission.rejection_by_book(taker, book)
        if reason is not None:
            yield cancelled(command, ts, reason)
            return
        yield from self._trade(taker, book)

    def _trade(self, taker: Taker, book: Book | None) -> Iterator[AccountEvent]:
        command = taker.command
        if book is not None:
            doubts = self._working.resting.impact.doubts
            unsure = doubts.unsure(book, taker.opposite, taker.ts)
            enough = fillable(taker, book, self._consumed)
            at_most = doubts.fillable_at_most(taker, book, enough)
            if command.tif == "fok" and enough - unsure < command.size <= at_most:
                tuple(execute(taker, book, self._consumed, enough))  # killed in doubt: what it may have taken is gone
            elif command.tif != "fok" or enough >= command.size:
                for price, size in execute(taker, book, self._consumed, unsure):
                    yield self._fills.make(
                        command, ts_recv=taker.ts, ts_venue=None, price=taker.own_price(price), size=size, maker=False
                    )
        yield from self._rest(taker, book)

    def _rest(self, taker: Taker, book: Book | None) -> Iterator[AccountEvent]:
        command = taker.command
        if not taker.remaining:
            return
        if command.tif not in RESTING:
            yield cancelled(command, taker.ts, "untrusted" if book is None else command.tif)
            return
        order = QueuePosition(
            command=command,
            key=taker.key,
            side=taker.side,
            price=taker.price,
            remaining=taker.remaining,
            arrival=self._sequence,
            since=taker.ts,
        )
        self._working.resting.add(order, book)
        self._working.watch(order.key, order.since)
        if command.expires is not None:
            self.send(_Expiry(command), command.expires)

    def _expire(self, command: PlaceOrder, ts: int) -> Iterator[AccountEvent]:
        if self._working.resting.remove(command.client_order_id, ts) is not None:
            yield cancelled(command, ts, "expired")

    def _cancel(self, command: CancelOrder, ts: int) -> Iterator[AccountEvent]:
        delayed_until = self._working.delayed.until(command.client_order_id)
        if delayed_until is not None:
            self.send(command, delayed_until)  # a delayed order cannot be cancelled, only what rests of it then
            return
        reason = self._admission.cancel_rejection(command)
        if reason is None:
            order = self._working.resting.remove(command.client_order_id, ts)
            if order is not None:
                yield cancelled(order.command, ts, "requested")
                return
            reason = None if self._fills.knows(command.client_order_id) else "unknown_order"
        if reason is not None:
            yield CancelRejected(command.key, ts, command.client_order_id, reason)
