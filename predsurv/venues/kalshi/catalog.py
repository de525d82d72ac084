"""Every market of Kalshi, page by page, with what its event and series say of it.

Kept apart from ``listing`` (what a row means) because this is the part that waits, pages and
counts. Only events and series are held in memory; markets pass through.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from typing import Final

from predsurv.core.errors import PermanentError, WireError
from predsurv.core.ids import EventId
from predsurv.core.market import Market
from predsurv.core.text import sanitise
from predsurv.net.http import StatusError
from predsurv.ports import Clock, MarketQuery, ScanIssue
from predsurv.venues.kalshi.market_parser import (
    VENUE,
    SeriesTerms,
    is_known_fee,
    market_of,
    series_of,
    terms_of,
    time_of,
)
from predsurv.venues.kalshi.rest import KalshiRest
from predsurv.venues.kalshi.rest_wire import (
    EventRow,
    MarketsPage,
    SeriesRow,
    read_event,
    read_fee_changes,
    read_listing,
    read_market,
    read_series,
)

MARKET_ROWS: Final = 1_000
EVENT_ROWS: Final = 200
PAGES_MAX: Final = 20_000
ISSUES_MAX: Final = 10_000
DETAIL_CHARS_MAX: Final = 200

_OVER: Final = frozenset({"closed", "resolved", "void"})
_UNREADABLE: Final = (WireError, ValueError, RecursionError)

Query = Sequence[tuple[str, str]]


class EventDirectory:
    """What markets share with others: their events' terms, and their series' where an event is not listed."""

    def __init__(self, series: Mapping[str, SeriesRow], since: Mapping[str, int]) -> None:
        self._series = series
        self._since = since
        self._terms: dict[str, SeriesTerms] = {}

    def add(self, row: EventRow) -> None:
        """Take an event in; raises WireError."""
        self._terms[row.event_ticker] = self._of(row)

    def terms(self, event_ticker: str) -> SeriesTerms:
        """Return what is known of an event's markets; raises WireError."""
        known = self._terms.get(event_ticker)
        return self._of(EventRow(event_ticker)) if known is None else known

    def _of(self, row: EventRow) -> SeriesTerms:
        name = row.series_ticker or series_of(row.event_ticker)
        return terms_of(row, self._series.get(name), self._since.get(name))


class KalshiCatalog:
    """One reading of the venue's lists; ``rest`` belongs to the venue."""

    incomplete_events: AbstractSet[EventId] = frozenset()
    """None: the venue vouches for no event in the first place."""

    def __init__(self, rest: KalshiRest, clock: Clock) -> None:
        self._rest = rest
        self._clock = clock
        self._issues: list[ScanIssue] = []
        self._pages = 0

    @property
    def issues(self) -> Sequence[ScanIssue]:
        """What could not be read so far, at most ``ISSUES_MAX``."""
        return self._issues

    @property
    def pages(self) -> int:
        """Pages of series, events and markets read so far."""
        return self._pages

    async def markets(self, query: MarketQuery) -> AsyncIterator[Market]:
        """Yield each matching market once; combinations of other markets are left out.

        Raises TransientError, PermanentError, or WireError when a page as a whole makes no sense.
        The set of markets moves while it is read: repeated ones are left out.
        """
        directory = await self._directory()
        params = [("limit", str(MARKET_ROWS)), ("mve_filter", "exclude")]
        if not query.include_closed:
            params.append(("status", "open"))
        seen: set[str] = set()
        given = 0
        async with aclosing(self._listing("/markets", params)) as pages:
            async for page in pages:
                for market in self._read(page, directory):
                    if market.market_id in seen or not _matches(market, query):
                        continue
                    seen.add(market.market_id)
                    yield market
                    given += 1
                    if given == query.limit:
                        return

    async def aclose(self) -> None:
        """Nothing is held open between pages."""

    async def _directory(self) -> EventDirectory:
        """Read every series and every open event."""
        directory = EventDirectory(await self._series(), await self._fee_dates())
        async with aclosing(self._listing("/events", [("limit", str(EVENT_ROWS)), ("status", "open")])) as pages:
            async for page in pages:
                for number, raw in enumerate(page.events, start=1):
                    try:
                        directory.add(read_event(raw))
                    except _UNREADABLE as error:
                        self._blame(f"events, page {self._pages} row {number}", str(error))
        return directory

    async def _series(self) -> dict[str, SeriesRow]:
        """Return every series by its ticker."""
        page = await self._page("/series", [])
        self._pages += 1
        series: dict[str, SeriesRow] = {}
        for number, raw in enumerate(page.series, start=1):
            try:
                row = read_series(raw)
            except _UNREADABLE as error:
                self._blame(f"series, row {number}", str(error))
                continue
            series[row.ticker] = row
            if not is_known_fee(row.fee_type):
                self._blame(
                    f"series {row.ticker}", f"fee type {row.fee_type} is not known; makers are taken to pay too"
                )
        return series

    async def _fee_dates(self) -> dict[str, int]:
        """Return since when (ns UTC) each series has its fees, where they ever changed."""
        try:
            body = await self._rest.get("/series/fee_changes", [("show_historical", "true")])
            changes = read_fee_changes(body).series_fee_change_arr
        except (StatusError, *_UNREADABLE) as error:
            self._blame("fee changes", str(error))
            return {}
        now = self._clock.now()
        dates = [(change.series_ticker, time_of(change.scheduled_ts)) for change in changes]
        return dict(sorted((name, at) for name, at in dates if at is not None and at <= now))

    async def _listing(self, path: str, params: Query) -> AsyncGenerator[MarketsPage, None]:
        cursors: set[str] = set()
        coming = asyncio.create_task(self._page(path, params))
        try:
            while True:
                page = await coming
                self._pages += 1
                cursor = page.cursor
                if cursor:
                    if cursor in cursors or len(cursors) >= PAGES_MAX:
                        raise PermanentError(f"{VENUE}: the listing {path} runs in circles; report this")
                    cursors.add(cursor)
                    coming = asyncio.create_task(self._page(path, [*params, ("cursor", cursor)]))
                yield page
                if not cursor:
                    return
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    async def _page(self, path: str, params: Query) -> MarketsPage:
        body = await self._rest.get(path, params)
        try:
            return read_listing(body)
        except (ValueError, RecursionError) as error:
            detail = sanitise(str(error), DETAIL_CHARS_MAX)
            raise WireError(f"{VENUE}: page {self._pages + 1}, of {path}, is unreadable: {detail}") from None

    def _read(self, page: MarketsPage, directory: EventDirectory) -> list[Market]:
        fetched_at = self._clock.now()
        markets = []
        for number, raw in enumerate(page.markets, start=1):
            try:
                row = read_market(raw)
                market = market_of(row, directory.terms(row.event_ticker), fetched_at)
            except _UNREADABLE as error:
                self._blame(f"markets, page {self._pages} row {number}", str(error))
                continue
            if market is not None:
                markets.append(market)
        return markets

    def _blame(self, where: str, detail: str) -> None:
        if len(self._issues) < ISSUES_MAX:
            self._issues.append(ScanIssue(VENUE, sanitise(where, DETAIL_CHARS_MAX), sanitise(detail, DETAIL_CHARS_MAX)))


def _matches(market: Market, query: MarketQuery) -> bool:
    if market.status in _OVER and not query.include_closed:
        return False
    return (market.volume or 0) >= query.min_volume and (market.liquidity or 0) >= query.min_liquidity
