"""Every market of Polymarket, page by page from Gamma.

Kept apart from ``listing`` (what a row means) because this is the part that waits, pages and
counts. A listing is one chain of cursors, so pages cannot be fetched side by side; the next one
is on its way while the last one is read. Splitting the chain by volume would fetch in parallel,
but rows move between parts while they are read and would be lost without a trace.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from typing import Final

import msgspec
from msgspec import Raw, Struct

from predsurv.core.errors import PermanentError, WireError
from predsurv.core.ids import EventId
from predsurv.core.market import Market
from predsurv.core.num import format_micros
from predsurv.core.text import sanitise
from predsurv.net.http import Http
from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import Clock, MarketQuery, ScanIssue
from predsurv.venues.polymarket.market_parser import VENUE, events_of, market_of, read_row

PAGE_ROWS: Final = 100  # asking for more is answered with 100, without a word
PAGES_MAX: Final = 50_000
ISSUES_MAX: Final = 10_000
DETAIL_CHARS_MAX: Final = 200

_OVER: Final = frozenset({"closed", "resolved", "void"})


class GammaPage(Struct):
    """``{"markets":[{…},…],"next_cursor":"…"}``; the last page has no cursor."""

    markets: list[Raw]
    next_cursor: str | None = None


read_page = msgspec.json.Decoder(GammaPage).decode


class PolymarketCatalog:
    """One reading of the listing at ``gamma_url``; ``http`` and ``limiter`` belong to the venue."""

    def __init__(self, gamma_url: str, http: Http, limiter: TokenBucket, clock: Clock) -> None:
        self._url = f"{gamma_url.rstrip('/')}/markets/keyset"
        self._http = http
        self._limiter = limiter
        self._clock = clock
        self._issues: list[ScanIssue] = []
        self._incomplete_events: set[EventId] = set()
        self._pages = 0

    @property
    def issues(self) -> Sequence[ScanIssue]:
        """The unreadable rows so far, at most ``ISSUES_MAX``."""
        return self._issues

    @property
    def incomplete_events(self) -> AbstractSet[EventId]:
        """Events with a row that cannot be read, or with an open market that has no tokens yet."""
        return self._incomplete_events

    @property
    def pages(self) -> int:
        """Pages read so far."""
        return self._pages

    async def markets(self, query: MarketQuery) -> AsyncIterator[Market]:
        """Yield each matching market once.

        Raises TransientError, PermanentError, or WireError when a page as a whole makes no sense.
        Rows move between pages while they are read: repeated ones are left out. Markets without
        tokens yet and non-binary legacy ones are no markets to us.
        """
        seen: set[bytes] = set()
        given = 0
        async with aclosing(self._listing(query)) as pages:
            async for page in pages:
                for market in self._read(page):
                    # 16 of a condition id's 32 bytes are plenty; 200,000 whole ones are not small.
                    mark = market.market_id.encode()[-32:]
                    if mark in seen or not _matches(market, query):
                        continue
                    seen.add(mark)
                    yield market
                    given += 1
                    if given == query.limit:
                        return

    async def aclose(self) -> None:
        """Nothing is held open between pages."""

    async def _listing(self, query: MarketQuery) -> AsyncGenerator[GammaPage, None]:
        cursors: set[str] = set()
        coming = asyncio.create_task(self._page(query, None))
        try:
            while True:
                page = await coming
                self._pages += 1
                cursor = page.next_cursor
                if cursor:
                    if cursor in cursors or len(cursors) >= PAGES_MAX:
                        raise PermanentError(f"{VENUE}: the market listing runs in circles; report this")
                    cursors.add(cursor)
                    coming = asyncio.create_task(self._page(query, cursor))
                yield page
                if not cursor:
                    return
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    async def _page(self, query: MarketQuery, cursor: str | None) -> GammaPage:
        body = await self._http.get(self._url, params=_params(query, cursor), limiter=self._limiter)
        try:
            return read_page(body)
        except (ValueError, RecursionError) as error:
            detail = sanitise(str(error), DETAIL_CHARS_MAX)
            raise WireError(f"{VENUE}: page {self._pages + 1} of the listing is unreadable: {detail}") from None

    def _read(self, page: GammaPage) -> list[Market]:
        fetched_at = self._clock.now()
        markets = []
        for number, row in enumerate(page.markets, start=1):
            try:
                read = read_row(row)
                market = market_of(read, fetched_at)
            except (WireError, ValueError) as error:
                self._blame(f"page {self._pages} row {number}", str(error))
                self._incomplete_events |= events_of(row)
                continue
            if market is not None:
                markets.append(market)
            elif not (read.closed or read.archived):
                self._incomplete_events |= events_of(row)
        return markets

    def _blame(self, where: str, detail: str) -> None:
        if len(self._issues) < ISSUES_MAX:
            self._issues.append(ScanIssue(VENUE, where, sanitise(detail, DETAIL_CHARS_MAX)))


def _params(query: MarketQuery, cursor: str | None) -> list[tuple[str, str]]:
    params = [("limit", str(PAGE_ROWS)), ("include_tag", "true")]
    if not query.include_closed:
        params.append(("closed", "false"))
    if query.min_volume:
        params.append(("volume_num_min", format_micros(query.min_volume)))
    if query.min_liquidity:
        params.append(("liquidity_num_min", format_micros(query.min_liquidity)))
    if cursor is not None:
        params.append(("after_cursor", cursor))  # "cursor" would be ignored: the first page for ever
    return params


def _matches(market: Market, query: MarketQuery) -> bool:
    if market.status in _OVER and not query.include_closed:
        return False
    return (market.volume or 0) >= query.min_volume and (market.liquidity or 0) >= query.min_liquidity
