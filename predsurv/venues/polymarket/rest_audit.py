"""Compares the books with REST's, all the time and a few at a time.

Every book is requested once in ``CYCLE``, the most active ones in every round, and all of a
connection that fell silent: when they agree, the silence is no sign of a fault. Tokens without a
book get the best prices that REST has.

The stream tells the settlement of a market only on connections with the additional messages, and not
always. What it does tell is that every level goes. So the market of a book that is empty, or that REST
does not have, is asked whether it is over.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol

from predsurv.core.errors import PredsurvError
from predsurv.core.events import MarketChange, MarketResolved, Quote
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import parse_price
from predsurv.ports import Clock
from predsurv.venues.polymarket.hash_verifier import HashVerifier
from predsurv.venues.polymarket.market_facts import read_rest_book
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.open_questions import Unsettled
from predsurv.venues.polymarket.rest import MARKET_ID, ClobMarket
from predsurv.venues.polymarket.rest_comparison import BookSummary, RestComparisons
from predsurv.venues.polymarket.settlement import settlement
from predsurv.venues.polymarket.shared_state import PolymarketSharedState, announcement_id
from predsurv.venues.streaming.queue import EventSink

_MS: Final = 1_000_000
_S: Final = 1_000 * _MS

ROUND_INTERVAL: Final = 5 * _S
LEAD: Final = _S
"""How long (ns) states are recorded before REST is asked: it may be behind the stream."""
CYCLE: Final = 60 * _S
SILENCE: Final = 8 * _S
MOST_ACTIVE: Final = 5
TOKENS_MAX: Final = 100
"""Tokens of one request."""
CONCURRENCY: Final = 10
"""Requests in flight at most."""
ROUND_MAX: Final = 2_000
"""Tokens of one round; with more, a cycle takes longer."""
MISSING_ROUNDS: Final = 2
"""Rounds in which a token has no book, or an empty one, before its market is asked for."""
MISSING_PERIOD: Final = 12
"""Rounds until it is asked for again."""
MARKETS_MAX: Final = 20
"""Markets asked for in a round, those that lost their books last first."""

_logger = logging.getLogger(__name__)


class AuditRequests(Protocol):
    """The requests of an audit; ``predsurv.venues.polymarket.rest.ClobRest`` makes them."""

    async def books(self, tokens: Sequence[str]) -> Mapping[str, BookSummary]:
        """Return the books of ``tokens`` by token, where there are any; raises PredsurvError."""
        ...

    async def market(self, market_id: str) -> ClobMarket:
        """Return the state of a market; raises PredsurvError."""
        ...


class RestAudit:
    """Audits every connection whose codec shares ``shared``; ``rand`` gives numbers in [0, 1)."""

    def __init__(
        self, rest: AuditRequests, shared: PolymarketSharedState, clock: Clock, rand: Callable[[], float]
    ) -> None:
        self._rest = rest
        self._shared = shared
        self._clock = clock
        self._rand = rand
        self._comparisons = RestComparisons(shared.counts, shared.last_trade_texts)
        self._cycle: deque[str] = deque()
        self._missing: Counter[str] = Counter()

    async def run(self, events: EventSink) -> None:
        """Audit until cancelled; no error of REST ends it."""
        while not self._shared.codecs:
            await self._clock.sleep(_S // 10)
        while True:
            await self.round(events)
            remaining = ROUND_INTERVAL - LEAD
            while remaining > 0:
                await self._clock.sleep(_S)
                remaining -= _S
                self._comparisons.decide(self._clock.monotonic())

    async def round(self, events: EventSink) -> None:
        """Request some of the books, and everything without a book."""
        subscribed = {token: key for codec in self._shared.codecs for token, key in codec.subscribed.items()}
        followed = {token: codec.verifier for codec in self._shared.codecs for token in codec.verifier.books}
        silent = [codec.verifier for codec in self._shared.codecs if self._is_silent(codec.verifier)]
        chosen = self._choose(followed, silent)
        started = [token for token in chosen if self._comparisons.begin(followed[token], token)]
        if started:
            await self._clock.sleep(LEAD)
        requested_at = self._clock.monotonic()
        bookless = [token for token in subscribed if token not in followed][: ROUND_MAX - len(started)]
        summaries = await self._books([*started, *bookless])
        agreed = self._comparisons.answer(summaries, requested_at)
        self._comparisons.close_unanswered()
        for verifier in silent:
            if verifier.books and verifier.books.keys() <= agreed:
                verifier.confirm(requested_at)
        self._publish_facts(subscribed, summaries, events)
        self._publish_quotes([subscribed[token] for token in bookless], summaries, events)
        without = [token for token in (*started, *bookless) if token not in summaries] if summaries else bookless
        ended = dict.fromkeys([*without, *(token for token, each in followed.items() if _is_empty(each, token))])
        alive = summaries.keys() - ended.keys()
        counted = self._missing.items()
        self._missing = Counter(
            {token: count for token, count in counted if token in subscribed and token not in alive}
        )
        await self._publish_settlements([subscribed[token] for token in ended if token in subscribed], events)

    def _is_silent(self, verifier: HashVerifier) -> bool:
        return bool(verifier.books) and verifier.silent_for(self._clock.monotonic()) >= SILENCE

    def _choose(self, followed: Mapping[str, HashVerifier], silent: Iterable[HashVerifier]) -> list[str]:
        """Return all tokens of the ``silent`` verifiers, the most active ones, and the next ones of the cycle."""
        chosen = dict.fromkeys(token for verifier in silent for token in verifier.books)
        by_activity = sorted(followed, key=lambda token: followed[token].books[token].timestamp, reverse=True)
        chosen |= dict.fromkeys(by_activity[:MOST_ACTIVE])
        share = -(-len(followed) * ROUND_INTERVAL // CYCLE)
        while share > 0 and followed:
            if not self._cycle:
                self._cycle.extend(sorted(followed, key=lambda _: self._rand()))
            token = self._cycle.popleft()
            if token in followed:
                chosen[token] = None
            share -= 1
        return list(chosen)[:ROUND_MAX]

    async def _books(self, tokens: Sequence[str]) -> dict[str, BookSummary]:
        """Return REST's books of ``tokens``, ``TOKENS_MAX`` to a request; a failed request is counted."""
        slots = asyncio.Semaphore(CONCURRENCY)

        async def request(chunk: Sequence[str]) -> Mapping[str, BookSummary]:
            async with slots:
                try:
                    return await self._rest.books(chunk)
                except PredsurvError as error:
                    self._shared.counts.unanswered += 1
                    _logger.debug("books were not compared: %s", error)
                    return {}

        chunks = [tokens[start : start + TOKENS_MAX] for start in range(0, len(tokens), TOKENS_MAX)]
        found: dict[str, BookSummary] = {}
        for answer in await asyncio.gather(*map(request, chunks)):
            found |= answer
        return found

    def _publish_facts(
        self, subscribed: Mapping[str, InstrumentKey], summaries: Mapping[str, BookSummary], events: EventSink
    ) -> None:
        """Publish tick sizes and smallest orders in REST's books where they are news."""
        now = self._clock.now()
        for token in summaries.keys() & subscribed.keys():
            try:
                change = read_rest_book(subscribed[token], summaries[token], now, self._shared)
            except ValueError as error:
                _logger.debug("the terms of %s in REST's book are not known: %s", subscribed[token], error)
                continue
            if change is not None:
                events.put_events([change])

    def _publish_quotes(
        self, keys: Iterable[InstrumentKey], summaries: Mapping[str, BookSummary], events: EventSink
    ) -> None:
        """Publish the best prices of instruments without a book; they are never recorded as books."""
        now = self._clock.now()
        quotes = [_quote(key, summaries[key.instrument_id], now) for key in keys if key.instrument_id in summaries]
        events.put_events([quote for quote in quotes if quote is not None])

    async def _publish_settlements(self, keys: Collection[InstrumentKey], events: EventSink) -> None:
        """Publish the ends of those markets that are over: the stream does not always have them."""
        self._missing.update(key.instrument_id for key in keys)
        due = [key for key in keys if self._missing[key.instrument_id] % MISSING_PERIOD == MISSING_ROUNDS]
        due.sort(key=lambda key: self._missing[key.instrument_id])
        for key in [key for key in due if MARKET_ID.match(key.market_id)][:MARKETS_MAX]:
            try:
                market = await self._rest.market(key.market_id)
            except PredsurvError as error:
                _logger.debug("whether %s settled is not known: %s", key, error)
                continue
            now = self._clock.now()
            ended: MarketChange | MarketResolved | None
            ended = settlement(market, key.market_id, [key.instrument_id], now)
            if ended is not None:
                self._shared.forget_settled(key.market_id)
            elif market.closed:
                self._shared.questions.ask_payouts(Unsettled(key.market_id, (key.instrument_id,)))
                ended = MarketChange(VENUE, key.market_id, None, now, None, "closed", '{"source":"rest"}')
            if ended is not None and self._shared.announcement_ids.add(announcement_id(ended)):
                events.put_events([ended])


def _is_empty(verifier: HashVerifier, token: str) -> bool:
    book = verifier.books.get(token)  # may be gone since REST was asked
    return book is not None and not book.bids.levels and not book.asks.levels


def _quote(key: InstrumentKey, summary: BookSummary, now: int) -> Quote | None:
    """Return the best prices of ``summary``, None when it is unreadable."""
    try:
        bids = [parse_price(level.price) for level in summary.bids]
        asks = [parse_price(level.price) for level in summary.asks]
    except ValueError:
        return None
    ts_venue = summary.timestamp * _MS if 0 < summary.timestamp < now // _MS + 1_000_000 else None
    return Quote(key, now, ts_venue, max(bids, default=None), min(asks, default=None))
