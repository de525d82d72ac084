"""The fill simulator of paper trading and backtests: commands and market events in, account events out.

An order reaches the venue ``latency`` after it was sent and trades against the book as received by then, less what we
consumed before; where the venue delays orders, when the delay ends. Resting orders fill when the volume ahead of them
has traded, when a trade goes through their price, or when an opposite level crosses them. Nothing fills while the book
is untrusted: an immediate order that arrives in a gap is cancelled, a resting one rejoins its queue at the end with the
next snapshot. It is pure: time is that of commands and events.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Final

from msgspec import Struct

from predsurv.core.events import (
    AccountEvent,
    BookDelta,
    BookSnapshot,
    Fill,
    Gap,
    MarketChange,
    MarketEvent,
    MarketResolved,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    Trade,
)
from predsurv.core.fees import maker_fee, taker_fee
from predsurv.core.ids import ClientOrderId, OrderId, TradeId
from predsurv.core.market import NO_FEE
from predsurv.core.num import Price, Size
from predsurv.core.orders import Approved, CancelOrder, Command, PlaceOrder
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.engine.fills.admission import AdmissionRules, FundsCheck
from predsurv.engine.fills.queue_position import QueuePosition
from predsurv.engine.fills.resting_orders import RestingOrders
from predsurv.engine.fills.taker import Taker, arriving, execute, fillable
from predsurv.state.book import Book
from predsurv.state.market_cache import MarketCache

KNOWN_IDS_MAX: Final = 100_000
"""Client order ids kept to recognise one that is sent twice; beyond it the oldest is dropped."""


class _Release(Struct, frozen=True):
    """The end of the venue's delay of an order."""

    command: PlaceOrder


class FillFactory:
    """Makes fills as the venue would report them: numbered by order, with the fee of the market's schedule."""

    def __init__(self, cache: MarketCache) -> None:
        self._cache = cache
        self._fills: dict[ClientOrderId, int] = {}  # made so far, of every order that has arrived

    def register(self, client_order_id: ClientOrderId) -> bool:
        """Register an arriving order; return False when its id has arrived before."""
        if client_order_id in self._fills:
            return False
        self._fills[client_order_id] = 0
        if len(self._fills) > KNOWN_IDS_MAX:
            del self._fills[next(iter(self._fills))]
        return True

    def knows(self, client_order_id: ClientOrderId) -> bool:
        """Return whether this id has arrived before."""
        return client_order_id in self._fills

    def make(
        self, command: PlaceOrder, *, ts_recv: int, ts_venue: int | None, price: Price, size: Size, maker: bool
    ) -> Fill:
        """Return a fill of the order; its trade id depends on the order and its number of fills only."""
        number = self._fills[command.client_order_id] = self._fills.get(command.client_order_id, 0) + 1
        market = self._cache.market(command.key.venue, command.key.market_id)
        schedule = NO_FEE if market is None else market.fee
        fee = maker_fee if maker else taker_fee
        return Fill(
            command.key,
            ts_recv,
            ts_venue,
            command.client_order_id,
            TradeId(f"{command.client_order_id}.{number}"),
            command.side,
            price,
            size,
            fee(schedule, price, size, command.side),
            maker,
        )


class FillSimulator:
    """One venue's order handling, simulated from its public data; prices and sizes in micros, times ns UTC."""

    def __init__(self, cache: MarketCache, latency: int, check_funds: FundsCheck) -> None:
        self._cache, self._latency = cache, latency
        self._admission = AdmissionRules(cache, check_funds)
        self._in_transit: list[tuple[int, int, Command | _Release]] = []  # heap of (arrival, sequence, what)
        self._sequence = 0
        self._delayed_until: dict[ClientOrderId, int] = {}
        self._consumed = ConsumedLiquidity()
        self._resting = RestingOrders(self._consumed)
        self._fills = FillFactory(cache)

    def submit(self, approved: Approved) -> None:
        """Send a command; it arrives ``latency`` after its approval."""
        self._push(approved.ts + self._latency, approved.command)

    def due(self, ts: int) -> Iterator[AccountEvent]:
        """Yield the outcome of commands that arrive up to ``ts``; more may be submitted meanwhile."""
        while self._in_transit and self._in_transit[0][0] <= ts:
            arrival, _, command = heappop(self._in_transit)
            if isinstance(command, PlaceOrder):
                yield from self._place(command, arrival)
            elif isinstance(command, _Release):
                yield from self._release(command.command, arrival)
            else:
                yield from self._cancel(command, arrival)

    def observe(self, event: MarketEvent) -> Iterator[AccountEvent]:
        """Yield what ``event``, which is already in the cache, does to our resting orders."""
        if isinstance(event, BookDelta | BookSnapshot | Trade):
            yield from self._on_instrument(event)
        elif isinstance(event, Gap):
            self._resting.on_gap(event)
        elif isinstance(event, MarketResolved) or (isinstance(event, MarketChange) and event.kind == "closed"):
            for order in self._resting.remove_market(event.venue, event.market_id):
                yield _cancelled(order.command, event.ts_recv, "market_closed")

    def resting(self) -> tuple[QueuePosition, ...]:
        """Return every resting order of ours."""
        return self._resting.all()

    def _on_instrument(self, event: BookDelta | BookSnapshot | Trade) -> Iterator[AccountEvent]:
        if isinstance(event, BookDelta):
            self._consumed.on_delta(event)
        book = self._cache.trusted_book(event.key)
        if book is None:
            return
        if isinstance(event, BookSnapshot):
            self._consumed.on_snapshot(book)
            fills = self._resting.on_snapshot(book)
        elif isinstance(event, BookDelta):
            fills = self._resting.on_delta(event, book)
        else:
            fills = self._resting.on_trade(event)
        for fill in fills:
            command = fill.order.command
            yield self._fills.make(
                command,
                ts_recv=event.ts_recv,
                ts_venue=event.ts_venue,
                price=command.price,
                size=fill.size,
                maker=True,
            )

    def _place(self, command: PlaceOrder, ts: int) -> Iterator[AccountEvent]:
        if not self._fills.register(command.client_order_id):
            return
        taker = arriving(command, ts, self._cache.primary_of(command.key))
        book = self._cache.trusted_book(taker.key)
        reason = self._admission.rejection(command) or self._admission.rejection_by_book(taker, book)
        if reason is not None:
            yield OrderRejected(command.key, ts, command.client_order_id, reason)
            return
        yield OrderAccepted(command.key, ts, command.client_order_id, OrderId(f"paper-{command.client_order_id}"))
        delay = self._admission.delay(taker, book)
        if delay:
            self._delayed_until[command.client_order_id] = ts + delay
            self._push(ts + delay, _Release(command))
        else:
            yield from self._trade(taker, book)

    def _release(self, command: PlaceOrder, ts: int) -> Iterator[AccountEvent]:
        """Let a delayed order trade, unless it would be rejected by now."""
        del self._delayed_until[command.client_order_id]
        reason = self._admission.rejection(command)
        if reason is not None:
            yield _cancelled(command, ts, reason)
            return
        taker = arriving(command, ts, self._cache.primary_of(command.key))
        yield from self._trade(taker, self._cache.trusted_book(taker.key))

    def _trade(self, taker: Taker, book: Book | None) -> Iterator[AccountEvent]:
        command = taker.command
        if book is not None and (command.tif != "fok" or fillable(taker, book, self._consumed) >= command.size):
            for price, size in execute(taker, book, self._consumed):
                yield self._fills.make(
                    command, ts_recv=taker.ts, ts_venue=None, price=taker.own_price(price), size=size, maker=False
                )
        yield from self._rest(taker, book)

    def _rest(self, taker: Taker, book: Book | None) -> Iterator[AccountEvent]:
        command = taker.command
        if not taker.remaining:
            return
        if command.tif != "gtc":
            yield _cancelled(command, taker.ts, "untrusted" if book is None else command.tif)
            return
        order = QueuePosition(
            command=command,
            key=taker.key,
            side=taker.side,
            price=taker.price,
            remaining=taker.remaining,
            arrival=self._sequence,
        )
        self._resting.add(order, book)

    def _push(self, ts: int, command: Command | _Release) -> None:
        self._sequence += 1
        heappush(self._in_transit, (ts, self._sequence, command))

    def _cancel(self, command: CancelOrder, ts: int) -> Iterator[AccountEvent]:
        delayed_until = self._delayed_until.get(command.client_order_id)
        if delayed_until is not None:
            self._push(delayed_until, command)  # a delayed order cannot be cancelled, only what rests of it then
            return
        order = self._resting.remove(command.client_order_id)
        if order is not None:
            yield _cancelled(order.command, ts, "requested")
        elif not self._fills.knows(command.client_order_id):
            yield OrderRejected(command.key, ts, command.client_order_id, "unknown_order")


def _cancelled(command: PlaceOrder, ts: int, reason: str) -> OrderCancelled:
    return OrderCancelled(command.key, ts, command.client_order_id, reason)
