"""Every market of Kalshi, page by page, completed with the terms of its event and series.

Only events and series are held in memory; markets pass through.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from typing import Final

from predsurv.core.errors import WireError
from predsurv.core.ids import EventId
from predsurv.core.market import Market
from predsurv.core.text import sanitise
from predsurv.net.http import StatusError
from predsurv.ports import UNREADABLE, Clock, MarketQuery, ScanIssue
from predsurv.venues.kalshi.market_parser import VENUE, event_of_row, parse_market, parse_time, remember_market
from predsurv.venues.kalshi.rest import KalshiRest
from predsurv.venues.kalshi.rest_wire import MarketsPage, SeriesRow, read_fee_changes, read_listing
from predsurv.venues.kalshi.rows import read_event, read_fee_change, read_market, read_series
from predsurv.venues.kalshi.series_terms import EventDirectory, is_known_fee, parse_multiplier
from predsurv.venues.kalshi.tolerant_reader import ROW_ERRORS, FieldProblem, read_field
from predsurv.venues.paging import MarketFilter, ScanIssues, cursor_pages
from predsurv.venues.parsing import ISSUE_CHARS_MAX, mended_json

MARKET_ROWS: Final = 1_000
EVENT_ROWS: Final = 200
PAGES_MAX: Final = 20_000

COMBINATION: Final = "combination of markets"
"""The reason in ``left_out`` of markets that are combinations of others."""

Query = Sequence[tuple[str, str]]


class KalshiCatalog:
    """One reading of the venue's lists; ``rest`` belongs to the venue."""

    incomplete_events: AbstractSet[EventId] = frozenset()
    """Always empty: no event of the venue is taken to list all of its outcomes."""

    def __init__(self, rest: KalshiRest, clock: Clock, known: EventDirectory | None = None) -> None:
        """``known`` takes over the terms of events and series, once they are read."""
        self._rest = rest
        self._clock = clock
        self._known = EventDirectory() if known is None else known
        self._issues = ScanIssues(VENUE)
        self._pages = 0

    @property
    def issues(self) -> Sequence[ScanIssue]:
        """What was unreadable so far, at most ``ISSUES_MAX``."""
        return self._issues.found

    @property
    def left_out(self) -> Mapping[str, int]:
        """Rows that are no markets of this listing so far, by reason."""
        return self._issues.left_out

    @property
    def pages(self) -> int:
        """Pages of series, events and markets read so far."""
        return self._pages

    async def markets(self, query: MarketQuery) -> AsyncIterator[Market]:
        """Yield each matching market once; combinations of other markets are left out.

        Raises TransientError, PermanentError, or WireError when a page as a whole is unreadable.
        The set of markets moves while it is read: repeated ones are left out.
        """
        directory = await self._directory()
        params = [("limit", str(MARKET_ROWS)), ("mve_filter", "exclude")]
        if not query.include_closed:
            params.append(("status", "open"))
        matching = MarketFilter(query, lambda market: market.market_id, self._issues.left_out)
        async with aclosing(self._listing("/markets", params)) as pages:
            async for page in pages:
                self._pages += 1
                for market in matching.select(self._read(page, directory)):
                    yield market
                if matching.full:
                    return

    async def aclose(self) -> None:
        """Do nothing: nothing is held open between pages."""

    async def _directory(self) -> EventDirectory:
        """Read every series and every open event."""
        directory = EventDirectory(await self._series(), await self._fee_dates())
        async with aclosing(self._listing("/events", [("limit", str(EVENT_ROWS)), ("status", "open")])) as pages:
            async for page in pages:
                self._pages += 1
                for number, raw in enumerate(page.events, start=1):
                    problems: list[FieldProblem] = []
                    try:
                        row = read_event(raw, problems)
                    except ROW_ERRORS as error:
                        self._issues.add(f"events, page {self._pages} row {number}", str(error))
                        continue
                    directory.add(row, problems)
                    _add_problems(self._issues, f"event {row.event_ticker}", problems)
        self._known.replace(directory)
        return directory

    async def _series(self) -> dict[str, SeriesRow]:
        """Return every series by its ticker."""
        page = await self._page("/series", [])
        self._pages += 1
        series: dict[str, SeriesRow] = {}
        for number, raw in enumerate(page.series, start=1):
            problems: list[FieldProblem] = []
            try:
                row = read_series(raw, problems)
            except ROW_ERRORS as error:
                self._issues.add(f"series, row {number}", str(error))
                continue
            series[row.ticker] = row
            if not is_known_fee(row.fee_type):
                detail = f"fee type {row.fee_type} is not known; makers are taken to pay too"
                problems.append(FieldProblem("fee_type", detail))
            read_field(parse_multiplier, row.fee_multiplier, "fee_multiplier", problems, None)
            _add_problems(self._issues, f"series {row.ticker}", problems)
        return series

    async def _fee_dates(self) -> dict[str, int]:
        """Return since when (ns UTC) each series has its fees, where they ever changed."""
        try:
            body = await self._rest.get("/series/fee_changes", [("show_historical", "true")])
            rows = read_fee_changes(body).series_fee_change_arr
        except (StatusError, *ROW_ERRORS) as error:
            self._issues.add("fee changes", str(error))
            return {}
        now, dates = self._clock.now(), []
        for number, raw in enumerate(rows, start=1):
            try:
                change = read_fee_change(raw)
            except ROW_ERRORS as error:
                self._issues.add(f"fee changes, row {number}", str(error))
                continue
            at = parse_time(change.scheduled_ts)
            if at is not None and at <= now:
                dates.append((change.series_ticker, at))
        return dict(sorted(dates))

    def _listing(self, path: str, params: Query) -> AsyncGenerator[MarketsPage, None]:
        return cursor_pages(
            lambda cursor: self._page(path, params if cursor is None else [*params, ("cursor", cursor)]),
            lambda page: page.cursor,
            pages_max=PAGES_MAX,
            circular=f"{VENUE}: the listing {path} runs in circles; report this",
        )

    async def _page(self, path: str, params: Query) -> MarketsPage:
        body = await self._rest.get(path, params)
        try:
            try:
                return read_listing(body)
            except ValueError:
                return read_listing(mended_json(body))
        except (ValueError, RecursionError) as error:
            detail = sanitise(str(error), ISSUE_CHARS_MAX)
            raise WireError(f"{VENUE}: page {self._pages + 1}, of {path}, is unreadable: {detail}") from None

    def _read(self, page: MarketsPage, directory: EventDirectory) -> list[Market]:
        """Return the markets of ``page``; its unreadable rows and fields become issues."""
        fetched_at = self._clock.now()
        markets = []
        for number, raw in enumerate(page.markets, start=1):
            problems: list[FieldProblem] = []
            try:
                row = read_market(raw, problems)
                terms = directory.terms(event_of_row(row))
                market = parse_market(row, terms, fetched_at, problems)
            except ROW_ERRORS as error:
                self._issues.add(f"markets, page {self._pages} row {number}", str(error))
                self._issues.left_out[UNREADABLE] += 1
                continue
            if market is None:
                self._issues.left_out[COMBINATION] += 1
                continue
            _add_problems(self._issues, row.ticker, problems)
            remember_market(self._known, row, fetched_at)
            markets.append(market)
        return markets


def _add_problems(issues: ScanIssues, where: str, problems: Sequence[FieldProblem]) -> None:
    for problem in problems:
        issues.add_field(problem.field, where, problem.detail)
