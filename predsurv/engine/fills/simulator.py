"""How an order of ours would have fared at the venue: the fill model of paper and backtest.

Kept apart from the paper broker because it is pure: commands and market events in, account
events out, in the time of the events.

An order reaches the venue ``latency`` after it was sent and trades against the book as received
by then, less what we took before; where the venue holds such orders back, when it lets them go.
Resting orders fill when the volume ahead of them has traded, when a trade goes through their
price, or when the opposite side comes to them. Where data is missing nothing fills: an immediate
order that arrives in a gap is cancelled, a resting one rejoins the queue at its end with the next
snapshot.
"""

from collections.abc import Iterator
from heapq import heappop, heappush

from msgspec import Struct

from predsurv.core.events import (
    AccountEvent,
    BookDelta,
    BookSnapshot,
    Gap,
    MarketChange,
    MarketEvent,
    MarketResolved,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    Trade,
)
from predsurv.core.ids import ClientOrderId, OrderId
from predsurv.core.orders import Approved, CancelOrder, Command, PlaceOrder
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.engine.books.primary import PrimaryBooks
from predsurv.engine.fills.admission import AdmissionRules, Admit
from predsurv.engine.fills.fill_reports import FillReport, FillReports
from predsurv.engine.fills.queue_position import QueuePosition
from predsurv.engine.fills.resting_orders import RestingOrders
from predsurv.engine.fills.taker import Taker, arrive, reach, take
from predsurv.state.book import Book
from predsurv.state.market_cache import MarketCache


class _Release(Struct, frozen=True):
    """An order that was held may trade."""

    command: PlaceOrder


class FillSimulator:
    """One venue's matching as seen from outside; prices and sizes in micros, times ns UTC."""

    def __init__(self, cache: MarketCache, mirror: PrimaryBooks, latency: int, admit: Admit) -> None:
        self._cache, self._mirror, self._latency = cache, mirror, latency
        self._rules = AdmissionRules(cache, admit)
        self._coming: list[tuple[int, int, Command | _Release]] = []
        self._held: dict[ClientOrderId, int] = {}
        self._sent = 0
        self._liquidity = ConsumedLiquidity()
        self._passive = RestingOrders(self._liquidity)
        self._prints = FillReports(cache)

    def submit(self, approved: Approved) -> None:
        """Take a command that will reach the venue ``latency`` after its approval."""
        self._push(approved.ts + self._latency, approved.command)

    def due(self, ts: int) -> Iterator[AccountEvent]:
        """Yield what happens as commands arrive up to ``ts``; more may be submitted meanwhile."""
        while self._coming and self._coming[0][0] <= ts:
            arrival, _, command = heappop(self._coming)
            if isinstance(command, PlaceOrder):
                yield from self._place(command, arrival)
            elif isinstance(command, _Release):
                yield from self._release(command.command, arrival)
            else:
                yield from self._cancel(command, arrival)

    def observe(self, event: MarketEvent) -> Iterator[AccountEvent]:
        """Yield what ``event``, already in the cache, does to our resting orders."""
        if isinstance(event, BookDelta | BookSnapshot | Trade):
            yield from self._on_instrument(event)
        elif isinstance(event, Gap):
            self._passive.on_gap(event)
        elif isinstance(event, MarketResolved) or (isinstance(event, MarketChange) and event.kind == "closed"):
            for order in self._passive.remove_market(event.venue, event.market_id):
                yield _cancelled(order.command, event.ts_recv, "market_closed")

    def resting(self) -> tuple[QueuePosition, ...]:
        """Return every order of ours in a book."""
        return self._passive.all()

    def _on_instrument(self, event: BookDelta | BookSnapshot | Trade) -> Iterator[AccountEvent]:
        if isinstance(event, BookDelta):
            self._liquidity.changed(event)
        book = self._cache.trusted_book(event.key)
        if book is None:
            return
        if isinstance(event, BookSnapshot):
            self._liquidity.reset(book)
            hits = self._passive.on_book(book)
        elif isinstance(event, BookDelta):
            hits = self._passive.on_delta(event, book)
        else:
            hits = self._passive.on_trade(event)
        for hit in hits:
            command = hit.order.command
            yield self._prints.fill(
                command, FillReport(event.ts_recv, event.ts_venue, command.price, hit.size, maker=True)
            )

    def _place(self, command: PlaceOrder, ts: int) -> Iterator[AccountEvent]:
        if not self._prints.is_new(command.client_order_id):
            return
        taker = arrive(command, ts, self._mirror.primary(command.key))
        book = self._cache.trusted_book(taker.key)
        reason = self._rules.refusal(command) or self._rules.refusal_at_once(taker, book)
        if reason is not None:
            yield OrderRejected(command.key, ts, command.client_order_id, reason)
            return
        yield OrderAccepted(command.key, ts, command.client_order_id, OrderId(f"paper-{command.client_order_id}"))
        delay = self._rules.delay(taker, book)
        if delay:
            self._held[command.client_order_id] = ts + delay
            self._push(ts + delay, _Release(command))
        else:
            yield from self._trade(taker, book)

    def _release(self, command: PlaceOrder, ts: int) -> Iterator[AccountEvent]:
        """Let an order trade that was held, if it still may."""
        del self._held[command.client_order_id]
        reason = self._rules.refusal(command)
        if reason is not None:
            yield _cancelled(command, ts, reason)
            return
        taker = arrive(command, ts, self._mirror.primary(command.key))
        yield from self._trade(taker, self._cache.trusted_book(taker.key))

    def _trade(self, taker: Taker, book: Book | None) -> Iterator[AccountEvent]:
        command = taker.command
        if book is not None and (command.tif != "fok" or reach(taker, book, self._liquidity) >= command.size):
            for price, size in take(taker, book, self._liquidity):
                yield self._prints.fill(command, FillReport(taker.ts, None, taker.own_price(price), size, maker=False))
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
            arrival=self._sent,
        )
        self._passive.add(order, book)

    def _push(self, ts: int, command: Command | _Release) -> None:
        self._sent += 1
        heappush(self._coming, (ts, self._sent, command))

    def _cancel(self, command: CancelOrder, ts: int) -> Iterator[AccountEvent]:
        held_until = self._held.get(command.client_order_id)
        if held_until is not None:
            self._push(held_until, command)  # what is held cannot be cancelled: only what is left of it then
            return
        order = self._passive.remove(command.client_order_id)
        if order is not None:
            yield _cancelled(order.command, ts, "requested")
        elif not self._prints.knows(command.client_order_id):
            yield OrderRejected(command.key, ts, command.client_order_id, "unknown_order")


def _cancelled(command: PlaceOrder, ts: int, reason: str) -> OrderCancelled:
    return OrderCancelled(command.key, ts, command.client_order_id, reason)
