"""What became of markets according to the venue's list of changes, polled from time to time.

Without an API key it stands in for the announcements of the stream: new markets, those that open or pause, a close time
that is moved, settlements. With one it finds the announcements that were missed while no connection was open, above all
those of markets that were made, or settled, meanwhile: it is asked at once when a connection begins to receive
announcements.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from heapq import heappop, heappush
from typing import Final

from msgspec import Raw

from predsurv.core.errors import PermanentError, PredsurvError
from predsurv.core.events import ChannelChange, MarketEvent
from predsurv.core.text import sanitise
from predsurv.net.http import StatusError
from predsurv.ports import Clock
from predsurv.venues.kalshi.lifecycle import LifecycleReader
from predsurv.venues.kalshi.market_parser import VENUE, parse_time
from predsurv.venues.kalshi.rest import KalshiRest
from predsurv.venues.kalshi.rest_wire import read_listing
from predsurv.venues.kalshi.terms_lookup import TICKERS_MAX, ListedMarket, TermsLookup
from predsurv.venues.kalshi.tolerant_reader import ROW_ERRORS
from predsurv.venues.paging import cursor_pages
from predsurv.venues.parsing import ISSUE_CHARS_MAX
from predsurv.venues.streaming.queue import EventSink

UPDATES_INTERVAL: Final = 10_000_000_000
"""Shortest time (ns) between two requests."""
OPENING_INTERVAL: Final = 2_000_000_000
"""Time (ns) until a market that should be open and is not is asked for again."""
MISSED_INTERVAL: Final = 60_000_000_000
"""The same where the stream announces changes, which is asked for what it missed."""
LOOKBACK: Final = 600_000_000_000
"""Time (ns) before the start that the first request covers: what changed since the scan."""
REPEATED: Final = 30_000_000_000
"""Time (ns) that each request repeats, from the latest change on: the venue's cache is up to 15 s old. By the venue's
clock, as far as the machine's is ahead of it by less than LOOKBACK."""
ROWS: Final = 1_000
PAGES_MAX: Final = 200
"""Pages of one answer: the changes of more than two days. Beyond, what changed before is given up."""
CHECK_INTERVAL: Final = 1_000_000_000
"""How often (ns) it is looked whether it is time for the next request."""
OPENINGS_MAX: Final = 1 << 16
"""Markets that are waited for to open."""

_S: Final = 1_000_000_000
_BAD_REQUEST: Final = 400
_logger = logging.getLogger(__name__)


def _changed(found: ListedMarket) -> int | None:
    return parse_time(found.row.updated_time)


class MarketUpdates:
    """Asks which markets changed and publishes what is new; says while that cannot be had.

    ``announced``: a stream tells changes through ``reader``, so only what it missed since now is news, and this is not
    how the feed observes them.
    """

    def __init__(
        self, rest: KalshiRest, terms: TermsLookup, clock: Clock, reader: LifecycleReader, *, announced: bool = False
    ) -> None:
        self._announced = announced
        self._rest = rest
        self._terms = terms
        self._clock = clock
        self._reader = reader
        self._since = clock.now() - LOOKBACK
        self._began = clock.now() if announced else self._since
        self._filter = "min_updated_ts"
        self._openings: list[tuple[int, str]] = []  # heap of (open time in ns UTC, ticker)
        self._awaited: set[str] = set()
        self._up = True

    async def run(self, events: EventSink) -> None:
        """Ask until cancelled; no error of REST ends it."""
        while self._announced and not self._reader.connections:
            await self._clock.sleep(CHECK_INTERVAL)
        while True:
            began, connections = self._clock.monotonic(), self._reader.connections
            answered = await self.round(events)
            interval = MISSED_INTERVAL if self._announced and answered else UPDATES_INTERVAL
            await self._clock.sleep(began + UPDATES_INTERVAL - self._clock.monotonic())
            while self._clock.monotonic() < began + interval and self._reader.connections == connections:
                await self._clock.sleep(CHECK_INTERVAL)

    async def round(self, events: EventSink) -> bool:
        """Ask once for what changed since the last answer, and for the markets that should be open by now.

        Return whether all of it was answered.
        """
        now = self._clock.now()
        try:
            latest = None
            async for raws in self._changed_rows():
                found = await self._terms.read(raws)
                self._publish(found, events)
                latest = max([each for each in (latest, *map(_changed, found)) if each is not None], default=None)
            self._since = max(min(now, latest or now), now - LOOKBACK) - REPEATED
            await self._look_at_openings(now, events)
        except StatusError as error:
            if error.status == _BAD_REQUEST and self._filter == "min_updated_ts":
                self._filter = "min_created_ts"  # new markets at least
            self._tell(events, error)
        except (PredsurvError, *ROW_ERRORS) as error:
            self._tell(events, error)
        else:
            self._tell(events, None)
            return True
        return False

    async def _changed_rows(self) -> AsyncIterator[list[Raw]]:
        """Yield the rows of every page."""
        params = [("limit", str(ROWS)), ("mve_filter", "exclude"), (self._filter, str(max(self._since, 0) // _S))]

        async def page(cursor: str | None) -> bytes:
            return await self._rest.get("/markets", params if cursor is None else [*params, ("cursor", cursor)])

        pages = cursor_pages(
            page,
            lambda body: read_listing(body).cursor,
            pages_max=PAGES_MAX + 1,
            circular=f"{VENUE}: the list of changed markets runs in circles; report this",
        )
        count = 0
        async with aclosing(pages):
            async for body in pages:
                yield read_listing(body).markets
                count += 1
                if count == PAGES_MAX:
                    _logger.warning("%s: too many markets changed since the last answer; some may be missing", VENUE)
                    return

    async def _look_at_openings(self, now: int, events: EventSink) -> None:
        """Ask for the markets whose open time has passed: the venue may not list that as a change."""
        due: list[str] = []
        while self._openings and self._openings[0][0] <= now and len(due) < TICKERS_MAX:
            due.append(heappop(self._openings)[1])
        self._awaited.difference_update(due)
        if due:
            try:
                self._publish(await self._terms.by_ticker(due), events)
            except (PredsurvError, *ROW_ERRORS):
                for ticker in due:
                    self._await_opening(now, ticker)
                raise

    def _publish(self, found: list[ListedMarket], events: EventSink) -> None:
        ts_recv, out = self._clock.now(), list[MarketEvent]()
        for row, market in found:
            try:
                out += self._reader.updated(row, market, ts_recv, self._began)
            except ROW_ERRORS as error:
                _logger.debug("%s: an unreadable market: %s", VENUE, sanitise(str(error), ISSUE_CHARS_MAX))
            opens = parse_time(row.open_time)
            if market.status == "created" and opens is not None:
                self._await_opening(max(opens, ts_recv + OPENING_INTERVAL), market.market_id)
        events.put_events(out)

    def _await_opening(self, at: int, ticker: str) -> None:
        if ticker not in self._awaited and len(self._openings) < OPENINGS_MAX:
            self._awaited.add(ticker)
            heappush(self._openings, (at, ticker))

    def _tell(self, events: EventSink, error: Exception | None) -> None:
        """Publish whether changes of markets are observed, where that is news."""
        if self._announced or self._up == (error is None):
            return
        self._up = error is None
        detail = "observed again" if error is None else f"not observed: {sanitise(str(error), ISSUE_CHARS_MAX)}"
        _logger.log(logging.INFO if error is None else logging.WARNING, "%s: changes of markets: %s", VENUE, detail)
        refused = isinstance(error, PermanentError)
        reason = "polled" if error is None else "not_offered" if refused else "disconnect"
        events.put_events([ChannelChange(VENUE, self._clock.now(), "lifecycle", reason)])  # type: ignore[arg-type]
