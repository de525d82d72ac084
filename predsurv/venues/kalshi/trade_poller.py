"""Public trades without an API key: polled over REST, complete from answer to answer.

The venue lists trades newest first. Each round reads pages back to the time of the trades known already, so that none
between two rounds is missed, and repeats a little of that time, because equal times and late entries exist.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.errors import PredsurvError, WireError
from predsurv.core.events import ChannelChange, CoverageReason, MarketEvent
from predsurv.core.text import sanitise
from predsurv.net.http import StatusError
from predsurv.ports import Clock
from predsurv.venues.kalshi.books import MarketBook, NumberCache
from predsurv.venues.kalshi.market_parser import VENUE, parse_time
from predsurv.venues.kalshi.public_trades import trade_events
from predsurv.venues.kalshi.rest import KalshiRest
from predsurv.venues.kalshi.rest_wire import TradeRow, read_trade, read_trades
from predsurv.venues.parsing import ISSUE_CHARS_MAX, malformed
from predsurv.venues.streaming.queue import EventSink

TRADES_INTERVAL: Final = 2_000_000_000
"""Shortest time (ns) between two rounds."""
ROWS: Final = 1_000
"""Trades of a page; the venue gives no more."""
ROUND_PAGES_MAX: Final = 5
"""Pages of one round; a longer backlog is declared, and read on in the rounds after it."""
BACKLOG_PAGES_MAX: Final = 200
"""Pages of a backlog; what is older than those is not fetched, and stays declared as not observed."""
REPEATED: Final = 3_000_000_000
"""Time (ns) before the newest known trade that each round asks for again."""
IDS_MAX: Final = 1 << 17

_REFUSED: Final = frozenset({401, 403, 404, 410})
_UNREADABLE: Final = (WireError, ValueError, RecursionError)
_S: Final = 1_000_000_000
_logger = logging.getLogger(__name__)


class PublicTrade(Struct, gc=False):
    """A row and its time, ns UTC."""

    row: TradeRow
    created: int


class TradeBacklog:
    """What is read of the trades since the last complete round; without I/O.

    The first complete round only says where to begin: ``is_begun`` is False before it.
    """

    def __init__(self) -> None:
        self.is_begun = False
        self.cursor: str | None = None
        self.pages = 0
        self._known: dict[str, int] = {}  # time (ns UTC) by trade id
        self._newest = 0
        self._waiting: list[PublicTrade] = []  # newest first

    def params(self) -> list[tuple[str, str]]:
        """Return the query of the next page."""
        params = [("limit", str(ROWS))]
        if self.is_begun:
            params.append(("min_ts", str(max(self._newest - REPEATED, 0) // _S)))
        if self.cursor:
            params.append(("cursor", self.cursor))
        return params

    def add(self, rows: list[PublicTrade], cursor: str | None, wanted: Mapping[str, object]) -> bool:
        """Take a page, newest first, and the cursor of the next one; return whether nothing is missing any more.

        Of a market that is not ``wanted`` no more is kept than that the trade is known.
        """
        self.pages += 1
        for each in rows:
            trade_id = each.row.trade_id or ""
            if trade_id not in self._known:
                self._known[trade_id] = each.created
                if self.is_begun and each.row.ticker in wanted:
                    self._waiting.append(each)
        since = self._newest - REPEATED
        reached = not rows or not self.is_begun or min(each.created for each in rows) < since // _S * _S
        repeated = cursor is not None and cursor == self.cursor
        self.cursor = cursor or None
        return reached or repeated or self.cursor is None

    def complete(self) -> list[PublicTrade]:
        """End the round: return its new trades, oldest first."""
        new, self._waiting = self._waiting, []
        self._newest = max(self._newest, max(self._known.values(), default=0))
        oldest = self._newest - 2 * REPEATED
        self._known = {name: created for name, created in self._known.items() if created >= oldest}
        while len(self._known) > IDS_MAX:
            del self._known[next(iter(self._known))]
        self.is_begun, self.cursor, self.pages = True, None, 0
        new.reverse()
        new.sort(key=lambda each: each.created)
        return new


class TradePoller:
    """Asks for the trades of all markets and publishes those of ``books``; says when they cannot be had.

    What was missed while they could not is fetched once they can, as far as ``BACKLOG_PAGES_MAX`` goes.
    """

    def __init__(self, rest: KalshiRest, clock: Clock, books: Callable[[], Mapping[str, MarketBook]]) -> None:
        self._rest = rest
        self._clock = clock
        self._books = books
        self._numbers = NumberCache()
        self._backlog = TradeBacklog()
        self._told: CoverageReason = "polled"
        self._notices: deque[MarketEvent] = deque(maxlen=ROWS)

    async def run(self, events: EventSink) -> None:
        """Ask until cancelled, or until the venue refuses for good."""
        while await self.round(events):
            await self._clock.sleep(TRADES_INTERVAL)

    async def round(self, events: EventSink) -> bool:
        """Read on until nothing is missing, at most ``ROUND_PAGES_MAX`` pages; return whether to ask again."""
        for _ in range(ROUND_PAGES_MAX):
            try:
                body = await self._rest.get("/markets/trades", self._backlog.params())
                is_complete = self._take(body)
            except StatusError as error:
                if error.status in _REFUSED:
                    self._tell("not_offered", events, error)
                    return False
                self._fail(events, error)
                return True
            except (PredsurvError, *_UNREADABLE) as error:
                self._fail(events, error)
                return True
            if is_complete:
                self._publish(events)
                return True
        if self._backlog.pages >= BACKLOG_PAGES_MAX:
            _logger.warning("%s: trades older than %d pages are not fetched", VENUE, BACKLOG_PAGES_MAX)
            self._publish(events)
        else:
            self._tell("overflow", events, None)
        return True

    def _take(self, body: bytes) -> bool:
        """Take a page; return whether the round is complete. Raises WireError, ValueError or RecursionError."""
        page = read_trades(body)
        rows = []
        for raw in page.trades:
            try:
                row = read_trade(raw)
                created = parse_time(row.created_time)
                if created is None:
                    raise WireError("a trade without its time")
            except _UNREADABLE as error:
                self._notices.append(malformed(VENUE, bytes(raw), error, self._clock.now()))
                continue
            rows.append(PublicTrade(row, created))
        return self._backlog.add(rows, page.cursor, self._books())

    def _publish(self, events: EventSink) -> None:
        now, books, trades = self._clock.now(), self._books(), list[MarketEvent]()
        for each in self._backlog.complete():
            try:
                trades += trade_events(each.row, books.get(each.row.ticker), self._numbers, now, each.created)
            except _UNREADABLE as error:
                self._notices.append(malformed(VENUE, msgspec.json.encode(each.row), error, now))
        events.put_events([*self._notices, *trades])
        self._notices.clear()
        self._tell("polled", events, None)

    def _fail(self, events: EventSink, error: Exception) -> None:
        # What was read so far is read again: the list moves while it cannot be asked for.
        self._backlog.cursor = None
        self._tell("decode_error" if isinstance(error, (*_UNREADABLE,)) else "disconnect", events, error)

    def _tell(self, reason: CoverageReason, events: EventSink, error: Exception | None) -> None:
        """Publish how trades are observed from now on, where that is news."""
        if reason == self._told or (self._told != "polled" and reason not in ("polled", "not_offered")):
            return
        self._told = reason
        detail = "" if error is None else f" ({sanitise(str(error), ISSUE_CHARS_MAX)})"
        _logger.log(
            logging.INFO if reason == "polled" else logging.WARNING,
            "%s: public trades: %s%s",
            VENUE,
            "polled again, those missed included" if reason == "polled" else f"not observed, {reason}",
            detail,
        )
        events.put_events([ChannelChange(VENUE, self._clock.now(), "trades", reason)])
