"""Asks REST whether markets settled: a settlement announced during a disconnect is not announced again.

Does the waiting; ``lifecycle`` turns the rows into events.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from predsurv.core.errors import PredsurvError
from predsurv.core.events import MarketEvent
from predsurv.core.text import sanitise
from predsurv.ports import Clock
from predsurv.venues.kalshi.market_parser import VENUE
from predsurv.venues.kalshi.rest import KalshiRest
from predsurv.venues.kalshi.rest_wire import MarketRow, read_listing
from predsurv.venues.kalshi.rows import read_market
from predsurv.venues.parsing import ISSUE_CHARS_MAX
from predsurv.venues.streaming.queue import EventSink

ROUND_INTERVAL: Final = 60_000_000_000
"""Time (ns) between two rounds of requests."""
TICKERS_MAX: Final = 100
"""Markets of one request; 300 were answered, but URLs have a maximum length."""
MARKETS_MAX: Final = 500
"""Markets of one round; with more, they take turns."""

_UNREADABLE: Final = (PredsurvError, ValueError, RecursionError)
_logger = logging.getLogger(__name__)


RowReader = Callable[[MarketRow, int], Sequence[MarketEvent]]
"""Returns the events of a row received at a time (ns UTC); raises WireError or ValueError."""


class SettlementLookup:
    """Asks about the ``unsettled`` tickers and publishes the events of the answers."""

    def __init__(
        self, rest: KalshiRest, unsettled: Callable[[], Iterable[str]], events_of: RowReader, clock: Clock
    ) -> None:
        self._rest = rest
        self._unsettled = unsettled
        self._events_of = events_of
        self._clock = clock
        self._waiting: deque[str] = deque()

    async def run(self, events: EventSink, patience: int) -> None:
        """Ask until cancelled, first after ``patience`` (ns); no error of REST ends it."""
        await self._clock.sleep(patience)
        while True:
            await self.round(events)
            await self._clock.sleep(ROUND_INTERVAL)

    async def round(self, events: EventSink) -> None:
        """Ask about at most ``MARKETS_MAX`` tickers."""
        tickers = self._next_tickers(set(self._unsettled()))
        for start in range(0, len(tickers), TICKERS_MAX):
            chunk = tickers[start : start + TICKERS_MAX]
            try:
                params = [("tickers", ",".join(chunk)), ("limit", str(TICKERS_MAX))]
                rows = read_listing(await self._rest.get("/markets", params)).markets
            except _UNREADABLE as error:
                _logger.debug("%s: what became of %d markets is not known: %s", VENUE, len(chunk), _summary(error))
                continue
            events.put_events([event for row in rows for event in self._read(bytes(row))])

    def _read(self, row: bytes) -> Sequence[MarketEvent]:
        try:
            return self._events_of(read_market(row), self._clock.now())
        except _UNREADABLE as error:
            _logger.debug("%s: an unreadable market: %s", VENUE, _summary(error))
            return ()

    def _next_tickers(self, unsettled: set[str]) -> list[str]:
        """Return the next tickers to ask about; each has its turn."""
        if not self._waiting:
            self._waiting.extend(sorted(unsettled))
        selected: list[str] = []
        while self._waiting and len(selected) < MARKETS_MAX:
            ticker = self._waiting.popleft()
            if ticker in unsettled:
                selected.append(ticker)
        return selected


def _summary(error: Exception) -> str:
    return sanitise(str(error), ISSUE_CHARS_MAX)
