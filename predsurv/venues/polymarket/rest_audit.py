"""Ask REST what it thinks of our books, all the time and a few at a time.

Kept apart from ``trials`` (what the answers mean) because this is the part that waits. Every book
is asked about once in ``CYCLE``, the liveliest more often, and all of a connection that fell
silent: when they agree, the silence is no reason for doubt. Tokens without a book get the prices
that REST knows; those that REST does not know any more are asked about as markets.
"""

import asyncio
import logging
import re
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol

from predsurv.core.errors import PredsurvError
from predsurv.core.events import Quote
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import parse_price
from predsurv.ports import Clock
from predsurv.venues.polymarket.hash_verifier import HashVerifier
from predsurv.venues.polymarket.rest import ClobMarket, settlement
from predsurv.venues.polymarket.rest_comparison import BookSummary, RestComparisons
from predsurv.venues.polymarket.shared_state import PolymarketSharedState, announcement
from predsurv.venues.streaming.queue import EventSink

_MS: Final = 1_000_000
_S: Final = 1_000 * _MS

ROUND: Final = 5 * _S
LEAD: Final = _S
"""How long (ns) states are remembered before REST is asked: it may be behind the stream."""
CYCLE: Final = 60 * _S
SILENCE: Final = 8 * _S
LIVELIEST: Final = 5
TOKENS_MAX: Final = 100
"""Tokens of one question; ten questions are on their way at most."""
AT_ONCE: Final = 10
ROUND_MAX: Final = 2_000
"""Tokens of one round; with more, a cycle takes longer."""
MISSING_ROUNDS: Final = 2
"""Rounds in which REST has no book of a token before its market is asked about."""
MARKETS_MAX: Final = 5
"""Markets asked about in a round."""

_MARKET = re.compile(r"0x[0-9a-fA-F]{1,128}\Z")
_logger = logging.getLogger(__name__)


class AuditRequests(Protocol):
    """What is asked; ``predsurv.venues.polymarket.rest.Rest`` does it."""

    async def books(self, tokens: Sequence[str]) -> Mapping[str, BookSummary]:
        """Return the books there are of ``tokens``; raises PredsurvError."""
        ...

    async def market(self, market_id: str) -> ClobMarket:
        """Return the state of a market; raises PredsurvError."""
        ...


class RestAudit:
    """Probes every connection whose codec shares ``memory``. ``rand`` gives numbers in [0, 1)."""

    def __init__(
        self, rest: AuditRequests, memory: PolymarketSharedState, clock: Clock, rand: Callable[[], float]
    ) -> None:
        self._rest = rest
        self._memory = memory
        self._clock = clock
        self._rand = rand
        self._trials = RestComparisons(memory.checks)
        self._waiting: deque[str] = deque()
        self._missing: Counter[str] = Counter()

    async def run(self, events: EventSink) -> None:
        """Ask until cancelled; nothing that REST does ends it."""
        while not self._memory.codecs:
            await self._clock.sleep(_S // 10)
        while True:
            await self.round(events)
            rest = ROUND - LEAD
            while rest > 0:
                await self._clock.sleep(_S)
                rest -= _S
                self._trials.settle(self._clock.monotonic())

    async def round(self, events: EventSink) -> None:
        """Ask about some books, and about everything that has none."""
        carried = {token: key for codec in self._memory.codecs for token, key in codec.carried.items()}
        followed = {token: codec.witness for codec in self._memory.codecs for token in codec.witness.lines}
        silent = [codec.witness for codec in self._memory.codecs if self._is_silent(codec.witness)]
        chosen = self._choose(followed, silent)
        started = [token for token in chosen if self._trials.begin(followed[token], token)]
        if started:
            await self._clock.sleep(LEAD)
        asked_at = self._clock.monotonic()
        without = [token for token in carried if token not in followed][: ROUND_MAX - len(started)]
        summaries = await self._books([*started, *without])
        agreed = self._trials.answer(summaries, asked_at)
        self._trials.abandon()
        for witness in silent:
            if witness.lines and witness.lines.keys() <= agreed:
                witness.vouch(asked_at)
        self._tell_prices([carried[token] for token in without], summaries, events)
        await self._ask_about_markets([carried[token] for token in without if token not in summaries], events)
        self._missing = Counter({token: count for token, count in self._missing.items() if token in carried})

    def _is_silent(self, witness: HashVerifier) -> bool:
        return bool(witness.lines) and witness.silent_for(self._clock.monotonic()) >= SILENCE

    def _choose(self, followed: Mapping[str, HashVerifier], silent: Iterable[HashVerifier]) -> list[str]:
        """Return all of the silent ones, the liveliest, and the next of the cycle."""
        chosen = dict.fromkeys(token for witness in silent for token in witness.lines)
        lively = sorted(followed, key=lambda token: followed[token].lines[token].stamp, reverse=True)
        chosen |= dict.fromkeys(lively[:LIVELIEST])
        share = -(-len(followed) * ROUND // CYCLE)
        while share > 0 and followed:
            if not self._waiting:
                self._waiting.extend(sorted(followed, key=lambda _: self._rand()))
            token = self._waiting.popleft()
            if token in followed:
                chosen[token] = None
            share -= 1
        return list(chosen)[:ROUND_MAX]

    async def _books(self, tokens: Sequence[str]) -> dict[str, BookSummary]:
        """Return what REST says of ``tokens``, asking for many at a time."""
        places = asyncio.Semaphore(AT_ONCE)

        async def ask(some: Sequence[str]) -> Mapping[str, BookSummary]:
            async with places:
                try:
                    return await self._rest.books(some)
                except PredsurvError as error:
                    self._memory.checks.unanswered += 1
                    _logger.debug("books were not compared: %s", error)
                    return {}

        parts = [tokens[start : start + TOKENS_MAX] for start in range(0, len(tokens), TOKENS_MAX)]
        found: dict[str, BookSummary] = {}
        for answer in await asyncio.gather(*map(ask, parts)):
            found |= answer
        return found

    def _tell_prices(
        self, keys: Iterable[InstrumentKey], summaries: Mapping[str, BookSummary], events: EventSink
    ) -> None:
        """Tell the best prices of what has no book yet: better than nothing, and never recorded as a book."""
        now = self._clock.now()
        quotes = [_quote(key, summaries[key.instrument_id], now) for key in keys if key.instrument_id in summaries]
        events.put_events([quote for quote in quotes if quote is not None])

    async def _ask_about_markets(self, keys: Collection[InstrumentKey], events: EventSink) -> None:
        """Tell what settled: the stream does not always say so."""
        self._missing.update(key.instrument_id for key in keys)
        due = [key for key in keys if self._missing[key.instrument_id] % 12 == MISSING_ROUNDS]
        for key in [key for key in due if _MARKET.match(key.market_id)][:MARKETS_MAX]:
            try:
                resolved = settlement(await self._rest.market(key.market_id), key, self._clock.now())
            except PredsurvError as error:
                _logger.debug("whether %s settled is not known: %s", key, error)
                continue
            if resolved is not None and self._memory.announced.add(announcement(resolved)):
                events.put_events([resolved])


def _quote(key: InstrumentKey, summary: BookSummary, now: int) -> Quote | None:
    try:
        bids = [parse_price(step.price) for step in summary.bids]
        asks = [parse_price(step.price) for step in summary.asks]
    except ValueError:
        return None
    stamp = summary.timestamp * _MS if 0 < summary.timestamp < now // _MS + 1_000_000 else None
    return Quote(key, now, stamp, max(bids, default=None), min(asks, default=None))
