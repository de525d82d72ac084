"""Books without a key: asked for again and again, and told as what changed between two answers.

Kept apart from the stream because it is another promise: what happened between two polls is not
known, so covered time is ``polled``, never ``live``.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from hashlib import blake2b
from typing import Final

from predsurv.core.errors import PredsurvError, TransientError, WireError
from predsurv.core.events import BookDelta, Connected, Disconnected, GapReason, Malformed, MarketEvent
from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.text import sanitise
from predsurv.net.http import StatusError
from predsurv.ports import Clock
from predsurv.venues.kalshi.books import BookSet, MarketBook, NumberCache, Sizes, snapshot
from predsurv.venues.kalshi.lifecycle import LifecycleReader
from predsurv.venues.kalshi.market_parser import VENUE
from predsurv.venues.kalshi.rest import KalshiRest
from predsurv.venues.kalshi.rest_wire import RestBook, read_books
from predsurv.venues.kalshi.settlement_lookup import ROUND, SettlementLookup

TICKERS_MAX: Final = 100
"""Most books one request may ask for."""
INTERVAL: Final = 1_000_000_000
"""The same book is not asked for more often than this (ns)."""
RETRY_INTERVAL: Final = 2_000_000_000
ANSWERS_WAITING_MAX: Final = 8
DETAIL_CHARS_MAX: Final = 120

Change = tuple[Side, Price, int]
"""(side, price, new size in micros) of one level."""

_FINAL_STATUSES: Final = frozenset({401, 403, 410})
_logger = logging.getLogger(__name__)


class PolledBooks:
    """The books as of the last polls, and what each answer says about them; synchronous.

    An epoch lasts from one failed poll to the next.
    """

    def __init__(self) -> None:
        self.shelf = BookSet()
        self.epoch = 0
        self._up = False
        self._numbers = NumberCache()

    def watch(self, want: AbstractSet[InstrumentKey]) -> None:
        """Set what is wanted."""
        have = {key for line in self.shelf.lines.values() for key in line.keys}
        self.shelf.drop(have - want)
        self.shelf.want(want - have)

    def chunks(self) -> list[list[str]]:
        """Return the tickers to ask for, a list a request."""
        tickers = sorted(self.shelf.lines)
        return [tickers[start : start + TICKERS_MAX] for start in range(0, len(tickers), TICKERS_MAX)]

    def answered(self, asked: Sequence[str], body: bytes, ts_recv: int) -> list[MarketEvent]:
        """Return what the answer to ``asked`` says; books that it leaves out are not known any more."""
        out: list[MarketEvent] = []
        if not self._up:
            self._up = True
            self.epoch += 1
            out.append(Connected(VENUE, ts_recv, self.epoch, 1))
        try:
            books = {book.ticker: book for book in read_books(body).orderbooks}
        except (ValueError, RecursionError) as error:
            out.append(_malformed(body, error, ts_recv))
            self._lose(asked, "decode_error", ts_recv, out)
            return out
        for ticker in asked:
            line = self.shelf.lines.get(ticker)
            if line is not None and ticker in books:
                self._book(line, books[ticker], ts_recv, out)
        self._lose([ticker for ticker in asked if ticker not in books], "stall", ts_recv, out)
        return out

    def failed(self, reason: str, ts_recv: int) -> list[MarketEvent]:
        """Return what a failed poll means: nothing is known of any book until the next answer."""
        out: list[MarketEvent] = []
        self._lose([*self.shelf.lines], "disconnect", ts_recv, out)
        if self._up:
            self._up = False
            out.append(Disconnected(VENUE, ts_recv, self.epoch, 0, sanitise(reason)))
        return out

    def refused(self, asked: Sequence[str], ts_recv: int) -> list[MarketEvent]:
        """Return what the refusal of one request means."""
        out: list[MarketEvent] = []
        self._lose(asked, "disconnect", ts_recv, out)
        return out

    def _book(self, line: MarketBook, book: RestBook, ts_recv: int, out: list[MarketEvent]) -> None:
        yes, no = book.orderbook_fp.yes_dollars or [], book.orderbook_fp.no_dollars or []
        try:
            bids, asks = self._numbers.book(yes, no)
        except (WireError, ValueError) as error:
            out.append(_malformed(line.ticker.encode(), error, ts_recv))
            self._lose([line.ticker], "decode_error", ts_recv, out)
            return
        live = dict(line.live)
        changes = [*_changes(line, bids, asks)]
        for key, mirrored in live.items():
            out += [_delta(key, ts_recv, self.epoch, _seen(change, mirrored=mirrored)) for change in changes]
        self.shelf.open(line, bids, asks)
        stamps = (ts_recv, self.epoch, None)
        out += [snapshot(key, (bids, asks, mirror), stamps) for key, mirror in line.live if key not in live]

    def _lose(self, tickers: Sequence[str], reason: GapReason, ts_recv: int, out: list[MarketEvent]) -> None:
        lines = [line for line in map(self.shelf.lines.get, tickers) if line is not None]
        self.shelf.lose(lines, (ts_recv, reason, self.epoch), out)
        self.shelf.lost.clear()


class PollingFeed:
    """A ``Feed`` that asks for every wanted book in turn, as fast as the request limit allows.

    In between it asks how the markets stand: nobody else tells of pauses and settlements. Must be
    made and used inside one running event loop. A slow reader slows the polls.
    """

    def __init__(self, rest: KalshiRest, clock: Clock) -> None:
        self._rest = rest
        self._clock = clock
        self._polls = PolledBooks()
        announcements = LifecycleReader()
        self._inquiry = SettlementLookup(
            rest, lambda: (*self._polls.shelf.lines, *announcements.owed), announcements.standing, clock
        )
        self._answers: deque[Callable[[], list[MarketEvent]]] = deque()
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def watch(self, want: AbstractSet[InstrumentKey]) -> None:
        """Set the whole desired set; what is no longer wanted stops at once."""
        if self._closed:
            return
        self._polls.watch(want)
        if want and self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"{VENUE} polling")
            self._task.add_done_callback(lambda _: self._filled.set())

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Yield what each answer said, read in the consumer's time.

        Raises PermanentError when the venue refuses for good, and whatever a defect raised in a poll.
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
            elif self._task is not None and self._task.done():
                self._task.result()
            else:
                self._filled.clear()

    def put_events(self, events: Sequence[MarketEvent]) -> None:
        """Take what was found out about markets."""
        self._put(lambda: [*events])

    async def aclose(self) -> None:
        """Stop polling and end ``batches``; safe to call twice."""
        self._closed = True
        self._filled.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        due = self._clock.monotonic()
        while True:
            began = self._clock.monotonic()
            for asked in self._polls.chunks():
                await self._poll(asked)
            if began >= due:
                due = began + ROUND
                await self._inquiry.round(self)
            await self._clock.sleep(INTERVAL - (self._clock.monotonic() - began))

    async def _poll(self, asked: Sequence[str]) -> None:
        while len(self._answers) >= ANSWERS_WAITING_MAX:
            self._room.clear()
            await self._room.wait()
        try:
            body = await self._rest.get("/markets/orderbooks", [("tickers", ticker) for ticker in asked])
        except (TransientError, WireError) as error:
            await self._fail(partial(self._polls.failed, str(error), self._clock.now()), error)
        except StatusError as error:
            if error.status in _FINAL_STATUSES:
                raise
            await self._fail(partial(self._polls.refused, asked, self._clock.now()), error)
        else:
            self._put(partial(self._polls.answered, asked, body, self._clock.now()))

    async def _fail(self, tell: Callable[[], list[MarketEvent]], error: PredsurvError) -> None:
        _logger.warning("%s: a poll failed: %s", VENUE, sanitise(str(error)))
        self._put(tell)
        await self._clock.sleep(RETRY_INTERVAL)

    def _put(self, tell: Callable[[], list[MarketEvent]]) -> None:
        self._answers.append(tell)
        self._filled.set()


def _changes(line: MarketBook, bids: Sizes, asks: Sizes) -> Iterator[Change]:
    """Yield (side, price, new size) of every level that is not as it was: what is gone first.

    Levels that go make room for those that come, so the book is never crossed in between.
    """
    sides: tuple[tuple[Side, Sizes, Sizes], ...] = (("bid", line.bids, bids), ("ask", line.asks, asks))
    for side, before, after in sides:
        yield from ((side, price, 0) for price in before if price not in after)
    for side, before, after in sides:
        yield from ((side, price, size) for price, size in after.items() if before.get(price) != size)


def _seen(change: Change, *, mirrored: bool) -> Change:
    """Return a change as an outcome sees it."""
    side, price, size = change
    return ("ask" if side == "bid" else "bid", Price(MICROS - price), size) if mirrored else change


def _delta(key: InstrumentKey, ts_recv: int, epoch: int, change: Change) -> BookDelta:
    side, price, size = change
    return BookDelta(key, ts_recv, None, epoch, None, side, price, Size(size))


def _malformed(payload: bytes, error: Exception, ts_recv: int) -> Malformed:
    digest = blake2b(payload, digest_size=16).hexdigest()
    return Malformed(VENUE, ts_recv, sanitise(str(error), DETAIL_CHARS_MAX), digest)
