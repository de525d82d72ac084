"""Looks up markets by ticker, with the terms of events and series that no scan has read."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import Raw

from predsurv.core.errors import PredsurvError
from predsurv.core.market import Market
from predsurv.core.text import sanitise
from predsurv.ports import Clock
from predsurv.venues.kalshi.market_parser import VENUE, event_of_row, parse_market, remember_market
from predsurv.venues.kalshi.rest import KalshiRest
from predsurv.venues.kalshi.rest_wire import MarketRow, read_listing, read_series_answer
from predsurv.venues.kalshi.rows import read_event, read_market, read_series
from predsurv.venues.kalshi.series_terms import EventDirectory, series_ticker
from predsurv.venues.kalshi.tolerant_reader import ROW_ERRORS, FieldProblem
from predsurv.venues.parsing import ISSUE_CHARS_MAX

TICKERS_MAX: Final = 100
"""Markets or events of one request; 300 were answered, but URLs have a maximum length."""
SERIES_MAX: Final = 5
"""Series asked for at a time: each is a request."""
ASKED_MAX: Final = 1 << 14
"""Events and series that are remembered as asked for without success."""
ASK_AGAIN: Final = 300_000_000_000
"""Time (ns) until an event or a series that the venue did not have is asked for again."""

_logger = logging.getLogger(__name__)


class ListedMarket(NamedTuple):
    """A row of the list and the market it describes."""

    row: MarketRow
    market: Market


class TermsLookup:
    """Reads rows of markets with the terms in ``directory``, which it completes first; no error of REST is fatal."""

    def __init__(self, rest: KalshiRest, clock: Clock, directory: EventDirectory) -> None:
        self._rest = rest
        self._clock = clock
        self._directory = directory
        self._asked: dict[str, int] = {}  # when last (monotonic ns), by ticker of an event or a series

    async def by_ticker(self, tickers: Sequence[str]) -> list[ListedMarket]:
        """Return those of at most ``TICKERS_MAX`` markets that the venue lists.

        Raises PredsurvError, ValueError or RecursionError when it cannot be asked.
        """
        params = [("tickers", ",".join(tickers)), ("limit", str(TICKERS_MAX))]
        return await self.read(read_listing(await self._rest.get("/markets", params)).markets)

    async def read(self, raws: Iterable[Raw]) -> list[ListedMarket]:
        """Return the markets in rows; those that are combinations or have no identity are left out."""
        rows: list[tuple[MarketRow, list[FieldProblem]]] = []
        for raw in raws:
            problems: list[FieldProblem] = []
            try:
                rows.append((read_market(raw, problems), problems))
            except ROW_ERRORS as error:
                _logger.debug("%s: an unreadable market: %s", VENUE, _summary(error))
        await self._complete({event_of_row(row) for row, _ in rows})
        return [each for row, problems in rows for each in self._listed(row, problems)]

    def _listed(self, row: MarketRow, problems: list[FieldProblem]) -> Iterator[ListedMarket]:
        now, terms = self._clock.now(), self._directory.terms(event_of_row(row))
        try:
            market = parse_market(row, terms, now, problems)
        except ROW_ERRORS as error:
            _logger.debug("%s: an unreadable market: %s", VENUE, _summary(error))
            return
        if market is not None:
            remember_market(self._directory, row, now)
            yield ListedMarket(row, market)

    async def _complete(self, events: set[str]) -> None:
        """Ask for the series, then the events, of which nothing is known."""
        for name in self._unknown({series_ticker(event) for event in events}, SERIES_MAX, series=True):
            try:
                raw = read_series_answer(await self._rest.get(f"/series/{name}")).series
                self._directory.add_series(read_series(raw))
            except (PredsurvError, *ROW_ERRORS) as error:
                _logger.debug("%s: the series %s is not known: %s", VENUE, sanitise(name, 64), _summary(error))
        missing = self._unknown(events, TICKERS_MAX, series=False)
        if not missing:
            return
        try:
            params = [("tickers", ",".join(missing)), ("limit", str(TICKERS_MAX))]
            raws = read_listing(await self._rest.get("/events", params)).events
        except (PredsurvError, *ROW_ERRORS) as error:
            _logger.debug("%s: %d events are not known: %s", VENUE, len(missing), _summary(error))
            return
        for raw in raws:
            try:
                self._directory.add(read_event(raw))
            except ROW_ERRORS as error:
                _logger.debug("%s: an unreadable event: %s", VENUE, _summary(error))

    def _unknown(self, names: set[str], limit: int, *, series: bool) -> list[str]:
        """Return up to ``limit`` of ``names`` to ask for now."""
        is_known = self._directory.has_series if series else self._directory.has_event
        now, due = self._clock.monotonic(), list[str]()
        for name in sorted(names):
            entry = f"series {name}" if series else name
            if is_known(name) or now < self._asked.get(entry, now) or len(due) == limit:
                continue
            while len(self._asked) >= ASKED_MAX:
                del self._asked[next(iter(self._asked))]
            self._asked[entry] = now + ASK_AGAIN
            due.append(name)
        return due


def _summary(error: Exception) -> str:
    return sanitise(str(error), ISSUE_CHARS_MAX)
