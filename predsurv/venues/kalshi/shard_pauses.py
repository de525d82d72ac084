"""Markets whose shard of the exchange pauses while the exchange as a whole trades: each is paused for itself."""

import logging
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from predsurv.core.errors import PredsurvError
from predsurv.core.events import MarketChange, MarketChangeKind, MarketEvent
from predsurv.core.ids import MarketId
from predsurv.core.text import sanitise
from predsurv.ports import Clock
from predsurv.venues.kalshi.market_parser import VENUE
from predsurv.venues.kalshi.terms_lookup import TICKERS_MAX, TermsLookup
from predsurv.venues.kalshi.tolerant_reader import ROW_ERRORS
from predsurv.venues.parsing import ISSUE_CHARS_MAX
from predsurv.venues.streaming.queue import EventSink

REQUESTS_MAX: Final = 3
"""Requests of one turn; what is left over has its turn next."""
SHARDS_MAX: Final = 1 << 16
"""Markets whose shard is remembered."""
_logger = logging.getLogger(__name__)


class ShardPauses:
    """Pauses the watched markets of paused shards, and lets those trade again that are active when theirs resumes.

    Which shard a market is on is asked for when one pauses. A market without a shard is taken to trade.
    """

    def __init__(self, terms: TermsLookup, clock: Clock, tickers: Callable[[], Iterable[str]]) -> None:
        self._terms = terms
        self._clock = clock
        self._tickers = tickers
        self._shards: dict[str, int | None] = {}
        self._paused: dict[str, int] = {}  # shard by ticker

    async def apply(self, shards: AbstractSet[int], events: EventSink) -> None:
        """Publish what the pause of exactly ``shards`` changes."""
        if not shards and not self._paused:
            return
        watched = set(self._tickers())
        if shards:
            await self._look_up([ticker for ticker in sorted(watched) if ticker not in self._shards])
        resuming = [ticker for ticker, shard in self._paused.items() if shard not in shards]
        active = await self._look_up(resuming)
        out: list[MarketEvent] = []
        for ticker in sorted(watched - self._paused.keys()):
            shard = self._shards.get(ticker)
            if shard is not None and shard in shards:
                self._paused[ticker] = shard
                out.append(self._change(ticker, "paused", shard))
        for ticker in resuming:
            if ticker in active:
                shard = self._paused.pop(ticker)
                if active[ticker]:
                    out.append(self._change(ticker, "activated", shard))
        events.put_events(out)

    async def _look_up(self, tickers: list[str]) -> dict[str, bool]:
        """Learn the shards of ``tickers``; return for each that could be asked for whether its market is active."""
        active: dict[str, bool] = {}
        for start in range(0, min(len(tickers), REQUESTS_MAX * TICKERS_MAX), TICKERS_MAX):
            chunk = tickers[start : start + TICKERS_MAX]
            try:
                found = await self._terms.by_ticker(chunk)
            except (PredsurvError, *ROW_ERRORS) as error:
                detail = sanitise(str(error), ISSUE_CHARS_MAX)
                _logger.debug("%s: the shards of %d markets are not known: %s", VENUE, len(chunk), detail)
                break
            while len(self._shards) > SHARDS_MAX:
                del self._shards[next(iter(self._shards))]
            listed = {each.row.ticker: each for each in found}
            for ticker in chunk:
                each = listed.get(ticker)
                active[ticker] = each is not None and each.market.status == "active"
                trades = each is not None and (active[ticker] or ticker in self._paused)
                self._shards[ticker] = each.row.exchange_index if each is not None and trades else None
        return active

    def _change(self, ticker: str, kind: MarketChangeKind, shard: int) -> MarketChange:
        value = msgspec.json.encode({"exchange_index": shard, "trading_active": kind == "activated"}).decode()
        return MarketChange(VENUE, MarketId(ticker), None, self._clock.now(), None, kind, value)
