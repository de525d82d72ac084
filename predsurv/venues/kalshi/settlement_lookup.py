"""Ask REST what became of markets: what was announced while nobody listened is not announced again.

Kept apart from ``lifecycle`` (what the answers mean, each told once) because this is the part that waits.
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
from predsurv.venues.kalshi.rest_wire import MarketRow, read_listing, read_market
from predsurv.venues.streaming.queue import EventSink

ROUND: Final = 60_000_000_000
"""How often (ns) is asked."""
TICKERS_MAX: Final = 100
"""Markets of one request; 300 were answered, and addresses have their limits too."""
MARKETS_MAX: Final = 500
"""Markets of one round; with more, each has its turn."""

_UNREADABLE: Final = (PredsurvError, ValueError, RecursionError)
_logger = logging.getLogger(__name__)


Meaning = Callable[[MarketRow, int], Sequence[MarketEvent]]
"""What a row seen at a time (ns UTC) says that is new; raises WireError or ValueError."""


class SettlementLookup:
    """Asks about the ``doubtful`` tickers and tells what the answers mean."""

    def __init__(self, rest: KalshiRest, doubtful: Callable[[], Iterable[str]], meaning: Meaning, clock: Clock) -> None:
        self._rest = rest
        self._doubtful = doubtful
        self._meaning = meaning
        self._clock = clock
        self._waiting: deque[str] = deque()

    async def run(self, events: EventSink, patience: int) -> None:
        """Ask until cancelled, first after ``patience`` (ns); nothing that REST does ends it."""
        await self._clock.sleep(patience)
        while True:
            await self.round(events)
            await self._clock.sleep(ROUND)

    async def round(self, events: EventSink) -> None:
        """Ask about as many as a round has."""
        due = self._next(set(self._doubtful()))
        for start in range(0, len(due), TICKERS_MAX):
            some = due[start : start + TICKERS_MAX]
            try:
                params = [("tickers", ",".join(some)), ("limit", str(TICKERS_MAX))]
                rows = read_listing(await self._rest.get("/markets", params)).markets
            except _UNREADABLE as error:
                _logger.debug("%s: what became of %d markets is not known: %s", VENUE, len(some), _safe(error))
                continue
            events.put_events([event for row in rows for event in self._read(bytes(row))])

    def _read(self, row: bytes) -> Sequence[MarketEvent]:
        try:
            return self._meaning(read_market(row), self._clock.now())
        except _UNREADABLE as error:
            _logger.debug("%s: an unreadable market: %s", VENUE, _safe(error))
            return ()

    def _next(self, doubtful: set[str]) -> list[str]:
        """Return whose turn it is."""
        if not self._waiting:
            self._waiting.extend(sorted(doubtful))
        turn: list[str] = []
        while self._waiting and len(turn) < MARKETS_MAX:
            ticker = self._waiting.popleft()
            if ticker in doubtful:
                turn.append(ticker)
        return turn


def _safe(error: Exception) -> str:
    return sanitise(str(error), 200)
