"""The fill simulator of paper trading and backtests: commands and market events in, account events out.

An order reaches the venue ``latency`` after it was sent and trades against the book as received by then, less what we
consumed before; where the venue delays orders, when the delay ends. Resting orders fill when the volume ahead of them
has traded, when a trade goes through their price, or when an opposite level crosses them. Nothing fills while the book
is untrusted: an immediate order that arrives in a gap is cancelled, a resting one rejoins its queue at the end with the
next snapshot. Nothing trades outside the venue's hours either: when trading ends by its timetable orders are cancelled
at that instant and later ones rejected, whatever quotes are still shown; in a pause orders rest and new ones are
rejected. It is pure: time is that of commands and events.
"""

from collections.abc import Iterator

from predsurv.core.events import (
    AccountEvent,
    BookDelta,
    BookSnapshot,
    Fill,
    Gap,
    MarketChange,
    MarketEvent,
    MarketResolved,
    Trade,
    VenuePhase,
)
from predsurv.core.ids import ClientOrderId, InstrumentKey
from predsurv.core.num import ONE, Price, Size
from predsurv.core.orders import Approved, Order, order_of
from predsurv.engine.books.consumed import ConsumedLiquidity, HeededBook, HeededPlace
from predsurv.engine.fills.admission import AdmissionRules, FundsCheck
from predsurv.engine.fills.fill_factory import FillFactory
from predsurv.engine.fills.order_entry import OrderEntry
from predsurv.engine.fills.primary_trades import PrimaryTrades
from predsurv.engine.fills.queue_position import QueueModel, QueuePosition, heeded_by
from predsurv.engine.fills.resting_orders import MakerFill, RestingOrders
from predsurv.engine.fills.working_orders import WorkingOrders, cancelled
from predsurv.state.book import Book
from predsurv.state.market_cache import MarketCache


class FillSimulator:
    """One venue's order handling, simulated from its public data; prices and sizes in micros, times ns UTC.

    ``consumed``: what our orders have taken of each level. ``primary_trades``: takes note of the public trades that are
    not observed, which is those of books in which no order of ours rests.
    """

    def __init__(
        self, cache: MarketCache, latency: int, check_funds: FundsCheck, queue: QueueModel = "proportional"
    ) -> None:
        self._cache, self._latency = cache, latency
        self.consumed = ConsumedLiquidity()
        self._resting = RestingOrders(self.consumed, queue)
        self._working = WorkingOrders(cache, self._resting)
        self.primary_trades = PrimaryTrades(cache)
        self._fills = FillFactory(cache)
        self._entry = OrderEntry(cache, AdmissionRules(cache, check_funds), self._working, self.consumed, self._fills)

    def submit(self, approved: Approved, latency: int | None = None) -> None:
        """Send a command; it arrives ``latency`` (ns) after its approval, the usual one where None."""
        self._entry.send(approved.command, approved.ts + (self._latency if latency is None else latency))

    @property
    def next_at(self) -> int:
        """When something happens by itself next (ns UTC): a command arrives, a timetable comes to something."""
        return min(self._entry.next_at, self._working.timetable.next_at)

    def due(self, ts: int) -> Iterator[AccountEvent]:
        """Yield what happens up to ``ts``: commands arrive, and the venue's timetable ends or clears markets.

        More may be submitted meanwhile.
        """
        entry, timetable = self._entry, self._working.timetable
        while min(entry.next_at, timetable.next_at) <= ts:
            if timetable.next_at <= entry.next_at:
                yield from self._working.review_next()
            else:
                yield from entry.execute_next()

    def observe(self, event: MarketEvent) -> Iterator[AccountEvent]:
        """Yield what ``event``, which is already in the cache, does to our orders."""
        while event.ts_recv >= self._working.timetable.next_at:
            yield from self._working.review_next()
        if isinstance(event, BookDelta | BookSnapshot):
            yield from self._on_book(event)
        elif isinstance(event, Trade):
            yield from self._on_trade(event)
        elif isinstance(event, Gap):
            self._resting.rejoin(event.key, None)
            self._resting.impact.doubts.on_gap(event.key, event.ts_recv)
        elif isinstance(event, MarketResolved | MarketChange):
            yield from self._working.on_fact(event)
        elif isinstance(event, VenuePhase):
            self._working.on_phase(event)

    def heeded(self, key: InstrumentKey) -> Iterator[HeededBook]:
        """Yield what may matter to our orders of the events of a book; all others of its may be passed over.

        More than these may be observed, and of what is yielded all holds. It is the same until the book is ``touched``.
        """
        impact, consumed = self._resting.impact, self.consumed.places().get(key)
        if consumed:
            places = tuple(HeededPlace(side, price) for side, price in consumed)
            yield HeededBook(key, places, trades=impact.follows_takers)
        if key in self._resting.departed.instruments():
            yield HeededBook(key, (), trades=True)
        if impact.follows_takers:
            if key in self.consumed.released.instruments():
                yield HeededBook(key, (), trades=True)
            if key in impact.displaced.unmet:  # they are looked at with the next change, whichever that is
                yield HeededBook(
                    key, (HeededPlace("bid", Price(0), through=True), HeededPlace("ask", ONE, through=True))
                )
            for side, price in impact.displaced.best(key):
                yield HeededBook(key, (HeededPlace("ask" if side == "bid" else "bid", price, through=True),))
        yield from map(heeded_by, self._resting.queued.of(key))

    @property
    def touched(self) -> tuple[dict[InstrumentKey, None], ...]:
        """The books of which something else may be ``heeded`` than before, for who follows them to clear."""
        return self._resting.queued.touched, self._resting.impact.displaced.touched, self.consumed.touched

    @property
    def displaced_version(self) -> int:
        """A number that grows whenever a place is heeded that was not, and no answer told of what made it so."""
        return self._resting.impact.displaced.version

    def revoke(self, client_order_id: ClientOrderId, ts: int, reason: str) -> Iterator[AccountEvent]:
        """Yield the cancel of an order that rests and that the venue itself takes out at ``ts`` (ns UTC)."""
        order = self._resting.remove(client_order_id, ts)
        if order is not None:
            yield cancelled(order.command, ts, reason)

    def resting(self) -> tuple[QueuePosition, ...]:
        """Return every resting order of ours."""
        return self._resting.all()

    def open_orders(self) -> tuple[Order, ...]:
        """Return every order of ours that may still trade: those that rest, and those that are delayed."""
        resting = (
            order_of(each.command, "open", filled=Size(each.command.size - each.remaining))
            for each in self._resting.all()
        )
        return (*resting, *(order_of(each, "open") for each in self._working.delayed.all()))

    def _on_book(self, event: BookDelta | BookSnapshot) -> Iterator[AccountEvent]:
        if isinstance(event, BookDelta):
            self.consumed.on_delta(event)
        book = self._cache.trusted_book(event.key)
        if book is None:
            return
        if isinstance(event, BookSnapshot):
            self.consumed.on_snapshot(book)
        if self._resting.holds(event.key):
            yield from self._on_held_book(event, book)
        self._resting.impact.on_book(book)

    def _on_held_book(self, event: BookDelta | BookSnapshot, book: Book) -> Iterator[AccountEvent]:
        trading = self._cache.is_trading(event.key, event.ts_recv)
        if isinstance(event, BookSnapshot):
            fills = self._resting.on_snapshot(book, trading=trading)
        else:
            fills = self._resting.on_delta(event, book, trading=trading)
        for fill in fills:
            yield self._maker_fill(fill, event)

    def _on_trade(self, event: Trade) -> Iterator[AccountEvent]:
        trade = self.primary_trades.once(event)
        book = None if trade is None else self._cache.trusted_book(trade.key)
        if trade is None or book is None:
            return
        self._resting.impact.on_taker(trade, book)
        may_meet = self._resting.holds(trade.key) or trade.key in self._resting.departed.instruments()
        if may_meet and self._cache.is_trading(trade.key, trade.ts_recv):
            for fill in self._resting.on_trade(trade):
                yield self._maker_fill(fill, trade)

    def _maker_fill(self, fill: MakerFill, event: BookDelta | BookSnapshot | Trade) -> Fill:
        command = fill.order.command
        return self._fills.make(
            command, ts_recv=event.ts_recv, ts_venue=event.ts_venue, price=command.price, size=fill.size, maker=True
        )
