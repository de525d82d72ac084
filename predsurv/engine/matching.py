"""How an order of ours would have fared at the venue: the fill model of paper and backtest.

Kept apart from the paper broker because it is pure: commands and market events in, account
events out, in the time of the events.

An order reaches the venue ``latency`` after it was sent and trades against the book as received
by then, less what we took before. Resting orders fill when the volume ahead of them has traded,
when a trade goes through their price, or when the opposite side comes to them. Where data is
missing nothing fills: an immediate order that arrives in a gap is cancelled, a resting one
rejoins the queue at its end with the next snapshot.
"""

from collections.abc import Callable, Iterator
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
from predsurv.core.ids import ClientOrderId, InstrumentKey, OrderId, Side, TradeId
from predsurv.core.market import NO_FEE, on_grid
from predsurv.core.num import Price, Size, complement
from predsurv.core.orders import Approved, CancelOrder, Command, PlaceOrder
from predsurv.engine.liquidity import Liquidity
from predsurv.engine.mirror import Mirror
from predsurv.engine.passive import Hit, Passive
from predsurv.engine.resting import Resting
from predsurv.state.book import Book
from predsurv.state.market_cache import MarketCache

KNOWN_IDS_MAX: Final = 100_000
"""Client order ids remembered so that one sent twice is one order."""

Admit = Callable[[PlaceOrder], str | None]
"""Says why an account cannot afford an order, None when it can."""


class _Taker(Struct):
    """An arriving order as the book of ``key`` sees it: ``side`` and ``price`` are that book's."""

    command: PlaceOrder
    ts: int
    key: InstrumentKey
    side: Side
    price: Price
    remaining: Size


class _Print(Struct, frozen=True):
    """One trade of ours as the venue would print it."""

    ts_recv: int
    ts_venue: int | None
    price: Price
    size: Size
    maker: bool


class Matching:
    """One venue's matching as seen from outside; prices and sizes in micros, times ns UTC."""

    def __init__(self, cache: MarketCache, mirror: Mirror, latency: int, admit: Admit) -> None:
        self._cache, self._mirror, self._latency, self._admit = cache, mirror, latency, admit
        self._coming: list[tuple[int, int, Command]] = []
        self._sent = 0
        self._trades: dict[ClientOrderId, int] = {}  # how often each known order traded
        self._liquidity = Liquidity()
        self._passive = Passive(self._liquidity)

    def submit(self, approved: Approved) -> None:
        """Take a command that will reach the venue ``latency`` after its approval."""
        self._sent += 1
        heappush(self._coming, (approved.ts + self._latency, self._sent, approved.command))

    def due(self, ts: int) -> Iterator[AccountEvent]:
        """Yield what happens as commands arrive up to ``ts``; more may be submitted meanwhile."""
        while self._coming and self._coming[0][0] <= ts:
            arrival, _, command = heappop(self._coming)
            if isinstance(command, PlaceOrder):
                yield from self._place(command, arrival)
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

    def resting(self) -> tuple[Resting, ...]:
        """Return every order of ours in a book."""
        return self._passive.all()

    def _on_instrument(self, event: BookDelta | BookSnapshot | Trade) -> Iterator[AccountEvent]:
        if isinstance(event, BookDelta):
            self._liquidity.changed(event)
        elif isinstance(event, Trade) and not self._passive.watches(event.key):
            return
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
            yield self._maker_fill(hit, event)

    def _place(self, command: PlaceOrder, ts: int) -> Iterator[AccountEvent]:
        if command.client_order_id in self._trades:
            return
        self._trades[command.client_order_id] = 0
        if len(self._trades) > KNOWN_IDS_MAX:
            del self._trades[next(iter(self._trades))]
        key = self._mirror.primary(command.key)
        taker = _as_taker(command, ts, key)
        book = self._cache.trusted_book(key)
        reason = self._refusal(command) or self._unfit(taker, book)
        if reason is not None:
            yield OrderRejected(command.key, ts, command.client_order_id, reason)
            return
        yield OrderAccepted(command.key, ts, command.client_order_id, OrderId(f"paper-{command.client_order_id}"))
        if book is not None and not (command.tif == "fok" and self._reach(taker, book) < command.size):
            yield from self._take(taker, book)
        yield from self._rest(taker, book)

    def _refusal(self, command: PlaceOrder) -> str | None:
        market = self._cache.market(command.key.venue, command.key.market_id)
        if market is None or market.status != "active":
            return "market_closed"
        if not on_grid(market, command.price):
            return "off_grid"
        if command.size < max(market.min_order_size, 1):
            return "below_minimum"
        return self._admit(command)

    def _unfit(self, taker: _Taker, book: Book | None) -> str | None:
        """Return why a post-only order cannot rest: it would trade at once."""
        if not taker.command.post_only or book is None:
            return None
        best = book.best_ask() if taker.side == "bid" else book.best_bid()
        return "would_cross" if best is not None and _reaches(taker, best[0]) else None

    def _reach(self, taker: _Taker, book: Book) -> int:
        levels = self._liquidity.left(book, _opposite(taker.side))
        return sum(size for price, size in levels if _reaches(taker, price))

    def _take(self, taker: _Taker, book: Book) -> Iterator[AccountEvent]:
        side = _opposite(taker.side)
        for price, size in tuple(self._liquidity.left(book, side)):
            if not taker.remaining or not _reaches(taker, price):
                return
            traded = min(size, taker.remaining)
            self._liquidity.take(book, side, price, traded)
            taker.remaining = Size(taker.remaining - traded)
            yield self._taker_fill(taker, price, traded)

    def _rest(self, taker: _Taker, book: Book | None) -> Iterator[AccountEvent]:
        command = taker.command
        if not taker.remaining:
            return
        if command.tif != "gtc":
            reason = "untrusted" if book is None else command.tif
            yield _cancelled(command, taker.ts, reason)
            return
        order = Resting(
            command=command,
            key=taker.key,
            side=taker.side,
            price=taker.price,
            remaining=taker.remaining,
            arrival=self._sent,
        )
        self._passive.add(order, book)

    def _cancel(self, command: CancelOrder, ts: int) -> Iterator[AccountEvent]:
        order = self._passive.remove(command.client_order_id)
        if order is not None:
            yield _cancelled(order.command, ts, "requested")

    def _taker_fill(self, taker: _Taker, price: Price, size: int) -> Fill:
        command = taker.command
        own = price if taker.key == command.key else complement(price)
        return self._fill(command, _Print(taker.ts, None, own, Size(size), maker=False))

    def _maker_fill(self, hit: Hit, event: BookDelta | BookSnapshot | Trade) -> Fill:
        command = hit.order.command
        return self._fill(command, _Print(event.ts_recv, event.ts_venue, command.price, hit.size, maker=True))

    def _fill(self, command: PlaceOrder, printed: _Print) -> Fill:
        number = self._trades[command.client_order_id] = self._trades.get(command.client_order_id, 0) + 1
        market = self._cache.market(command.key.venue, command.key.market_id)
        schedule = NO_FEE if market is None else market.fee
        charge = maker_fee if printed.maker else taker_fee
        return Fill(
            command.key,
            printed.ts_recv,
            printed.ts_venue,
            command.client_order_id,
            TradeId(f"{command.client_order_id}.{number}"),
            command.side,
            printed.price,
            printed.size,
            charge(schedule, printed.price, printed.size),
            printed.maker,
        )


def _as_taker(command: PlaceOrder, ts: int, key: InstrumentKey) -> _Taker:
    """Return the order as the book of ``key`` sees it: buying one outcome is selling the other."""
    mirrored = key != command.key
    side: Side = "bid" if (command.side == "buy") != mirrored else "ask"
    price = complement(command.price) if mirrored else command.price
    return _Taker(command, ts, key, side, price, command.size)


def _opposite(side: Side) -> Side:
    return "ask" if side == "bid" else "bid"


def _reaches(taker: _Taker, price: Price) -> bool:
    return price <= taker.price if taker.side == "bid" else price >= taker.price


def _cancelled(command: PlaceOrder, ts: int, reason: str) -> OrderCancelled:
    return OrderCancelled(command.key, ts, command.client_order_id, reason)
