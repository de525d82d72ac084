"""Looks up the markets that the stream announces: an announcement has neither fees nor the rest of a record."""

import logging
from typing import Final

from msgspec import Struct

from predsurv.core.errors import PredsurvError, TransientError
from predsurv.core.text import sanitise
from predsurv.ports import Clock
from predsurv.venues.kalshi.lifecycle import LifecycleReader
from predsurv.venues.kalshi.market_parser import VENUE
from predsurv.venues.kalshi.terms_lookup import TICKERS_MAX, TermsLookup
from predsurv.venues.kalshi.tolerant_reader import ROW_ERRORS
from predsurv.venues.parsing import ISSUE_CHARS_MAX
from predsurv.venues.streaming.queue import EventSink

LOOKUP_INTERVAL: Final = 1_000_000_000
"""Time (ns) between two requests."""
RETRY_INTERVAL: Final = 2_000_000_000
"""Time (ns) until a market that is not listed yet is asked for again: some are announced before they are listed."""
ATTEMPTS_MAX: Final = 30

_logger = logging.getLogger(__name__)


class _Attempts(Struct):
    count: int
    due: int  # monotonic ns


class MarketLookup:
    """Asks for the markets in ``reader.unlisted`` and publishes their whole records."""

    def __init__(self, terms: TermsLookup, clock: Clock, reader: LifecycleReader) -> None:
        self._terms = terms
        self._clock = clock
        self._reader = reader
        self._attempts: dict[str, _Attempts] = {}

    async def run(self, events: EventSink) -> None:
        """Ask until cancelled; no error of REST ends it."""
        while True:
            await self.round(events)
            await self._clock.sleep(LOOKUP_INTERVAL)

    async def round(self, events: EventSink) -> None:
        """Ask about at most ``TICKERS_MAX`` markets, those asked for least often first."""
        now, unlisted = self._clock.monotonic(), self._reader.unlisted
        self._attempts = {name: each for name, each in self._attempts.items() if name in unlisted}
        never = _Attempts(0, now)
        ready = [name for name in unlisted if self._attempts.get(name, never).due <= now]
        ready.sort(key=lambda name: self._attempts.get(name, never).count)
        tickers, reached = ready[:TICKERS_MAX], True
        if not tickers:
            return
        try:
            found = await self._terms.by_ticker(tickers)
        except (PredsurvError, *ROW_ERRORS) as error:
            detail = sanitise(str(error), ISSUE_CHARS_MAX)
            _logger.debug("%s: %d new markets could not be looked up: %s", VENUE, len(tickers), detail)
            found, reached = [], not isinstance(error, TransientError)
        ts_recv = self._clock.now()
        events.put_events([event for each in found for event in self._reader.listed(each.market, ts_recv)])
        for ticker in tickers:
            if ticker in unlisted:
                self._postpone(ticker, now, reached=reached)

    def _postpone(self, ticker: str, now: int, *, reached: bool) -> None:
        attempts = self._attempts.setdefault(ticker, _Attempts(0, now))
        attempts.count += 1
        attempts.due = now + RETRY_INTERVAL
        if attempts.count >= ATTEMPTS_MAX and reached:
            _logger.warning("%s: %s was announced and is never listed", VENUE, sanitise(ticker, 64))
            del self._attempts[ticker], self._reader.unlisted[ticker]
