"""Every market of Polymarket, page by page from Gamma.

A listing is one chain of cursors, so pages cannot be fetched side by side; the next one is fetched
while the last one is read. Splitting the chain by volume would fetch in parallel, but rows move
between parts while they are read and would be lost without a trace.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from typing import Final

from predsurv.core.errors import WireError
from predsurv.core.ids import EventId
from predsurv.core.market import Market
from predsurv.core.num import format_micros
from predsurv.core.text import sanitise
from predsurv.net.http import Http
from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import UNREADABLE, Clock, MarketQuery, ScanIssue
from predsurv.venues.paging import MarketFilter, ScanIssues, cursor_pages
from predsurv.venues.parsing import ISSUE_CHARS_MAX
from predsurv.venues.polymarket.gamma_page import PAGE_ROWS, ListingPage, UnreadableRow, read_listing
from predsurv.venues.polymarket.gamma_row import ReadRow, events_of
from predsurv.venues.polymarket.listed_markets import usual_markets
from predsurv.venues.polymarket.market_parser import VENUE, is_over, parse_market

PAGES_MAX: Final = 50_000


class PolymarketCatalog:
    """One reading of the listing at ``gamma_url``; ``http`` and ``limiter`` belong to the venue."""

    def __init__(self, gamma_url: str, http: Http, limiter: TokenBucket, clock: Clock) -> None:
        self._url = f"{gamma_url.rstrip('/')}/markets/keyset"
        self._http = http
        self._limiter = limiter
        self._clock = clock
        self._issues = ScanIssues(VENUE)
        self._incomplete_events: set[EventId] = set()
        self._pages = 0

    @property
    def issues(self) -> Sequence[ScanIssue]:
        """The unreadable rows so far, at most ``ISSUES_MAX``."""
        return self._issues.found

    @property
    def left_out(self) -> Mapping[str, int]:
        """Rows that are no markets of this listing so far, by reason."""
        return self._issues.left_out

    @property
    def incomplete_events(self) -> AbstractSet[EventId]:
        """Events with an unreadable row, or with an open market that has no tokens yet."""
        return self._incomplete_events

    @property
    def pages(self) -> int:
        """Pages read so far."""
        return self._pages

    async def markets(self, query: MarketQuery) -> AsyncIterator[Market]:
        """Yield each matching market once.

        Raises TransientError, PermanentError, or WireError when a page as a whole is unreadable.
        Rows move between pages while they are read: repeated ones are left out. So are markets
        without tokens yet and non-binary legacy ones.
        """
        matching = MarketFilter(query, _identity, self._issues.left_out)
        async with aclosing(self._listing(query)) as pages:
            async for page in pages:
                self._pages += 1
                for market in matching.select(self._read(page, query)):
                    yield market
                if matching.full:
                    return

    async def aclose(self) -> None:
        """Do nothing: nothing is held open between pages."""

    def _listing(self, query: MarketQuery) -> AsyncGenerator[ListingPage, None]:
        return cursor_pages(
            lambda cursor: self._page(query, cursor),
            lambda page: page.next_cursor,
            pages_max=PAGES_MAX,
            circular=f"{VENUE}: the market listing runs in circles; report this",
        )

    async def _page(self, query: MarketQuery, cursor: str | None) -> ListingPage:
        body = await self._http.get(self._url, params=_params(query, cursor), limiter=self._limiter)
        try:
            page = read_listing(body)
        except (ValueError, RecursionError) as error:
            detail = sanitise(str(error), ISSUE_CHARS_MAX)
            raise WireError(f"{VENUE}: page {self._pages + 1} of the listing is unreadable: {detail}") from None
        if page.mended:
            self._issues.add_field("text", f"page {self._pages + 1}", page.mended)
        return page

    def _read(self, page: ListingPage, query: MarketQuery) -> list[Market]:
        """Return the markets of ``page``; its unreadable rows and fields become issues."""
        fetched_at = self._clock.now()
        markets = usual_markets(page.rows, fetched_at)
        for number, read in enumerate(page.rows):
            if markets[number] is None:
                markets[number] = self._read_row(read, number + 1, fetched_at, query)
        return [market for market in markets if market is not None]

    def _read_row(
        self, read: ReadRow | UnreadableRow, number: int, fetched_at: int, query: MarketQuery
    ) -> Market | None:
        """Return the market of row ``number`` of the present page, None where it is none that is listed."""
        if isinstance(read, UnreadableRow):
            self._leave_out(number, read.detail, read.events)
            return None
        try:
            parsed = parse_market(read, fetched_at)
        except (WireError, ValueError, RecursionError) as error:
            self._leave_out(number, str(error), events_of(read.row))
            return None
        for name, detail in parsed.unreadable.items():
            self._issues.add_field(name, _place(self._pages, number), detail)
        if parsed.market is None and not is_over(read.row):
            self._incomplete_events |= events_of(read.row)
        if parsed.left_out and (query.include_closed or not is_over(read.row)):
            self._issues.left_out[parsed.left_out] += 1
        return parsed.market

    def _leave_out(self, number: int, detail: str, events: AbstractSet[EventId]) -> None:
        """Count row ``number`` of the present page, of ``events``, as unreadable."""
        self._issues.add(_place(self._pages, number), detail)
        self._issues.left_out[UNREADABLE] += 1
        self._incomplete_events |= events


def _place(page: int, row: int) -> str:
    return f"page {page} row {row}"


def _identity(market: Market) -> bytes:
    # 16 of a condition id's 32 bytes tell 200,000 markets apart at a third of the memory.
    return market.market_id.encode()[-32:]


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
