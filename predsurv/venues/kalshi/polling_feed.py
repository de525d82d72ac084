"""A feed without an API key: books polled over REST, their changes between two answers as deltas.

What happened to a book between two polls is not known, so time covered by this feed is ``polled``, never ``live``.
Trades, changes of markets, settlements and the exchange's status are polled beside the books, within one request limit.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, Final, NamedTuple

from predsurv.core.errors import PredsurvError, TransientError, WireError
from predsurv.core.events import BookDelta, Connected, Disconnected, GapReason, MarketEvent, Trade
from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import Price, Size, complement
from predsurv.core.text import sanitise
from predsurv.net.http import StatusError
from predsurv.ports import NO_MIRRORS, Clock, Mirrors
from predsurv.venues.kalshi.background import BackgroundJob, run_together
from predsurv.venues.kalshi.books import BookSet, MarketBook, NumberCache, Sizes, snapshot
from predsurv.venues.kalshi.exchange_status import ExchangeMonitor
from predsurv.venues.kalshi.fee_calendar import FeeCalendarPoller
from predsurv.venues.kalshi.lifecycle import LifecycleReader
from predsurv.venues.kalshi.market_parser import VENUE
from predsurv.venues.kalshi.market_updates import MarketUpdates
from predsurv.venues.kalshi.rest import KalshiRest
from predsurv.venues.kalshi.rest_wire import RestBook, read_books
from predsurv.venues.kalshi.series_terms import EventDirectory
from predsurv.venues.kalshi.settlement_lookup import ROUND_INTERVAL, SettlementLookup
from predsurv.venues.kalshi.shard_pauses import ShardPauses
from predsurv.venues.kalshi.terms_lookup import TermsLookup
from predsurv.venues.kalshi.trade_poller import TradePoller
from predsurv.venues.parsing import Stamp, malformed

TICKERS_MAX: Final = 100
"""Most books one request may ask for."""
POLL_INTERVAL: Final = 1_000_000_000
"""Shortest time (ns) between two requests for the same book."""
RETRY_INTERVAL: Final = 2_000_000_000
ANSWERS_WAITING_MAX: Final = 8


class PolledLevel(NamedTuple):
    """A new size in micros at a price, 0 for a level that is gone."""

    side: Side
    price: Price
    size: int


_FINAL_STATUSES: Final = frozenset({401, 403, 410})
_logger = logging.getLogger(__name__)


class PolledBooks:
    """The books as of the last polls, and the events of each answer; without I/O.

    ``epoch`` counts the times that polling recovered from a failure.
    """

    def __init__(self) -> None:
        self.book_set = BookSet()
        self.epoch = 0
        self._up = False
        self._numbers = NumberCache()

    def watch(self, want: AbstractSet[InstrumentKey]) -> None:
        """Set the wanted instruments."""
        have = {key for book in self.book_set.by_ticker.values() for key in book.keys}
        self.book_set.drop(have - want)
        self.book_set.want(want - have)

    def ticker_chunks(self) -> list[list[str]]:
        """Return the tickers to poll, a list for each request."""
        tickers = sorted(self.book_set.by_ticker)
        return [tickers[start : start + TICKERS_MAX] for start in range(0, len(tickers), TICKERS_MAX)]

    def apply_answer(self, requested: Sequence[str], body: bytes, ts_recv: int) -> list[MarketEvent]:
        """Return the events of the answer to ``requested``; books that it leaves out become invalid."""
        out: list[MarketEvent] = []
        if not self._up:
            self._up = True
            self.epoch += 1
            out.append(Connected(VENUE, ts_recv, self.epoch, 1))
        try:
            answered = {book.ticker: book for book in read_books(body).orderbooks}
        except (ValueError, RecursionError) as error:
            out.append(malformed(VENUE, body, error, ts_recv))
            self._invalidate(requested, "decode_error", ts_recv, out)
            return out
        for ticker in requested:
            book = self.book_set.by_ticker.get(ticker)
            if book is not None and ticker in answered:
                self._apply_book(book, answered[ticker], ts_recv, out)
        self._invalidate([ticker for ticker in requested if ticker not in answered], "stall", ts_recv, out)
        return out

    def still_wanted(self, events: Sequence[MarketEvent]) -> list[MarketEvent]:
        """Return ``events`` without the trades of instruments that are not wanted any more."""
        by_ticker = self.book_set.by_ticker
        return [
            event
            for event in events
            if not isinstance(event, Trade)
            or ((book := by_ticker.get(event.key.market_id)) is not None and event.key in book.keys)
        ]

    def apply_failure(self, reason: str, ts_recv: int) -> list[MarketEvent]:
        """Return the events of a failed poll: every book is invalid until the next answer."""
        out: list[MarketEvent] = []
        self._invalidate([*self.book_set.by_ticker], "disconnect", ts_recv, out)
        if self._up:
            self._up = False
            out.append(Disconnected(VENUE, ts_recv, self.epoch, 0, sanitise(reason)))
        return out

    def apply_refusal(self, requested: Sequence[str], ts_recv: int) -> list[MarketEvent]:
        """Return the events of one refused request: its books become invalid."""
        out: list[MarketEvent] = []
        self._invalidate(requested, "disconnect", ts_recv, out)
        return out

    def _apply_book(self, book: MarketBook, answer: RestBook, ts_recv: int, out: list[MarketEvent]) -> None:
        yes, no = answer.orderbook_fp.yes_dollars or [], answer.orderbook_fp.no_dollars or []
        try:
            bids, asks = self._numbers.book(yes, no)
        except (WireError, ValueError) as error:
            out.append(malformed(VENUE, book.ticker.encode(), error, ts_recv))
            self._invalidate([book.ticker], "decode_error", ts_recv, out)
            return
        live = dict(book.live)
        changes = [*_changes(book, bids, asks)]
        for key, mirrored in live.items():
            out += [_delta(key, ts_recv, self.epoch, change, mirrored=mirrored) for change in changes]
        self.book_set.replace(book, bids, asks)
        stamp = Stamp(ts_recv, self.epoch)
        out += [snapshot(key, book, stamp, mirrored=mirrored) for key, mirrored in book.live if key not in live]

    def _invalidate(self, tickers: Sequence[str], reason: GapReason, ts_recv: int, out: list[MarketEvent]) -> None:
        books = [book for book in map(self.book_set.by_ticker.get, tickers) if book is not None]
        self.book_set.invalidate(books, reason, Stamp(ts_recv, self.epoch), out)
        self.book_set.lost.clear()


class PollingFeed:
    """A ``Feed`` that polls every wanted book in turn, as fast as the request limit allows.

    In between it asks for the status of the markets, which tells of pauses and settlements. ``directory``: what is
    known of the terms of series and events; ``aside``: for everything but books, by default ``rest``. Must be made and
    used inside one running event loop. A slow consumer slows the polls of books.
    """

    def __init__(
        self,
        rest: KalshiRest,
        clock: Clock,
        directory: EventDirectory | None = None,
        aside: KalshiRest | None = None,
    ) -> None:
        self._rest = rest
        aside = aside or rest
        self._clock = clock
        self._books = PolledBooks()
        directory = directory or EventDirectory()
        lifecycle, tickers = LifecycleReader(directory), self._books.book_set.by_ticker
        self._trades = TradePoller(aside, clock, lambda: tickers)
        terms = TermsLookup(aside, clock, directory)
        updates = MarketUpdates(aside, terms, clock, lifecycle)
        monitor = ExchangeMonitor(aside, clock, ShardPauses(terms, clock, lambda: tickers))
        fees = FeeCalendarPoller(aside, clock, directory, lambda: tickers, terms)
        self._jobs: list[BackgroundJob] = [monitor.run, updates.run, fees.run]
        self._settlements = SettlementLookup(
            rest,
            lambda: (*self._books.book_set.by_ticker, *lifecycle.awaiting_payout),
            lifecycle.status_changes,
            clock,
        )
        self._answers: deque[Callable[[], list[MarketEvent]]] = deque()
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    async def watch(self, want: AbstractSet[InstrumentKey], mirrors: Mirrors = NO_MIRRORS) -> None:  # noqa: ARG002
        """Set the whole desired set; events of what is no longer wanted stop at once.

        A trade is told once for its market, not for one of its outcomes, so there is nothing to add for ``mirrors``.
        """
        if self._closed:
            return
        self._books.watch(want)
        if want and not self._tasks:
            self._start(self._run(), "polling")
            self._start(run_together(self._jobs, self), "polling beside books")

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Yield the events of each answer, parsed when the consumer asks for them.

        Raises PermanentError when the venue refuses for good, and any programming error of a poll.
        """
        while True:
            await self._filled.wait()
            if self._closed:
                return
            if self._answers:
                batch = self._answers.popleft()()
                self._room.set()
                if batch:
                    yield batch
            else:
                for task in self._tasks:
                    if task.done():
                        task.result()
                self._filled.clear()

    def put_events(self, events: Sequence[MarketEvent]) -> None:
        """Queue events about markets."""
        if events:
            self._put(partial(self._books.still_wanted, events))

    async def aclose(self) -> None:
        """Stop polling and end ``batches``; safe to call twice."""
        self._closed = True
        self._filled.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, job: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(job, name=f"{VENUE} {name}")
        task.add_done_callback(lambda _: self._filled.set())
        self._tasks.append(task)

    async def _run(self) -> None:
        # Trades come first: their first answer says where they begin, and from the first book on they are complete.
        if await self._trades.round(self):
            self._start(self._trades.run(self), "polling trades")
        due = self._clock.monotonic()
        while True:
            began = self._clock.monotonic()
            for tickers in self._books.ticker_chunks():
                await self._poll(tickers)
            if began >= due:
                due = began + ROUND_INTERVAL
                await self._settlements.round(self)
            await self._clock.sleep(POLL_INTERVAL - (self._clock.monotonic() - began))

    async def _poll(self, tickers: Sequence[str]) -> None:
        while len(self._answers) >= ANSWERS_WAITING_MAX:
            self._room.clear()
            await self._room.wait()
        try:
            body = await self._rest.get("/markets/orderbooks", [("tickers", ticker) for ticker in tickers])
        except (TransientError, WireError) as error:
            await self._fail(partial(self._books.apply_failure, str(error), self._clock.now()), error)
        except StatusError as error:
            if error.status in _FINAL_STATUSES:
                raise
            await self._fail(partial(self._books.apply_refusal, tickers, self._clock.now()), error)
        else:
            self._put(partial(self._books.apply_answer, tickers, body, self._clock.now()))

    async def _fail(self, events: Callable[[], list[MarketEvent]], error: PredsurvError) -> None:
        _logger.warning("%s: a poll failed: %s", VENUE, sanitise(str(error)))
        self._put(events)
        await self._clock.sleep(RETRY_INTERVAL)

    def _put(self, events: Callable[[], list[MarketEvent]]) -> None:
        self._answers.append(events)
        self._filled.set()


def _changes(book: MarketBook, bids: Sizes, asks: Sizes) -> Iterator[PolledLevel]:
    """Yield the change of every level of ``book`` whose size is not that in ``bids`` and ``asks``.

    Removed levels come first, so that the book is never crossed in between.
    """
    held = dict(book.bids.levels()), dict(book.asks.levels())
    sides: tuple[tuple[Side, Sizes, Sizes], ...] = (("bid", held[0], bids), ("ask", held[1], asks))
    for side, before, after in sides:
        yield from (PolledLevel(side, price, 0) for price in before if price not in after)
    for side, before, after in sides:
        yield from (PolledLevel(side, price, size) for price, size in after.items() if before.get(price) != size)


def _delta(key: InstrumentKey, ts_recv: int, epoch: int, change: PolledLevel, *, mirrored: bool) -> BookDelta:
    """Return a change as ``key`` sees it; ``mirrored`` for the NO outcome."""
    side, price, size = change
    if mirrored:
        side, price = ("ask" if side == "bid" else "bid"), complement(price)
    return BookDelta(key, ts_recv, None, epoch, None, side, price, Size(size))
