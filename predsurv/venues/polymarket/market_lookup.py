"""Finds out over REST what announcements leave open: when a new market trades, and what a market without a winner pays.

An announcement says neither whether orders are accepted nor all of a market's terms, and for minutes REST may not know
the market at all. So every new market is asked for at once and then ever more rarely, and once in ``BOOKS_INTERVAL``
the books of all that wait are asked for together: one that has a book is asked for at once. A market that was announced
as active and of which REST says nothing for ``PATIENCE`` is taken at its word; what nobody stated stays assumed.
"""

import asyncio
import logging
from collections.abc import Collection, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol

from msgspec import structs

from predsurv.core.errors import PredsurvError
from predsurv.ports import Clock
from predsurv.venues.polymarket.lookup_publisher import LookupPublisher
from predsurv.venues.polymarket.market_parser import parse_market
from predsurv.venues.polymarket.open_questions import NewMarket, OpenQuestions, Unsettled
from predsurv.venues.polymarket.rest import MARKET_ID, ClobMarket, ClobTerms
from predsurv.venues.polymarket.rest_comparison import BookSummary
from predsurv.venues.polymarket.rest_rows import with_state, with_terms
from predsurv.venues.polymarket.settlement import settlement
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from predsurv.venues.streaming.queue import EventSink

_S: Final = 1_000_000_000

ROUND_INTERVAL: Final = _S
CONCURRENCY: Final = 8
"""Markets asked for at a time."""
INTERVAL_MAX: Final = 60 * _S
"""Longest time (ns) between two requests for a market; they begin a second apart."""
BOOKS_INTERVAL: Final = 5 * _S
BOOKS_TOKENS_MAX: Final = 100
"""Books of one request."""
GIVE_UP: Final = 24 * 3_600 * _S
"""How long (ns) it stays a question whether a market trades."""
PAYOUTS_INTERVAL_MAX: Final = 600 * _S
PAYOUTS_GIVE_UP: Final = 7 * GIVE_UP
"""The same for payouts, which may be disputed for days."""

_logger = logging.getLogger(__name__)


class LookupRequests(Protocol):
    """The requests of a lookup; ``predsurv.venues.polymarket.rest.ClobRest`` makes them. They raise PredsurvError."""

    async def new_market(self, market_id: str) -> ClobMarket | None:
        """Return the state of a market, None while it is not known."""
        ...

    async def terms(self, market_id: str) -> ClobTerms | None:
        """Return the terms of a market, None while it is not known."""
        ...

    async def books(self, tokens: Sequence[str]) -> Mapping[str, BookSummary]:
        """Return the books of ``tokens`` by token, where there are any."""
        ...


class AnnouncedMarketLookup:
    """Answers the open questions of the feed that has ``shared``."""

    def __init__(self, rest: LookupRequests, shared: PolymarketSharedState, clock: Clock) -> None:
        self._rest = rest
        self._shared = shared
        self._questions: OpenQuestions = shared.questions
        self._clock = clock
        self._publisher = LookupPublisher(shared, clock)
        self._asking: set[asyncio.Task[None]] = set()
        self._asked: set[str] = set()
        self._books_due = 0

    async def run(self, events: EventSink) -> None:
        """Answer until cancelled; no error of REST ends it."""
        try:
            while True:
                self.begin_round(events)
                await self._clock.sleep(ROUND_INTERVAL)
        finally:
            for task in self._asking:
                task.cancel()
            await asyncio.gather(*self._asking, return_exceptions=True)

    def begin_round(self, events: EventSink) -> None:
        """Ask for what is due, as far as there are slots, and take at its word what REST says nothing of."""
        now = self._clock.monotonic()
        self._publisher.take_at_their_word(now, events)
        waiting = self._waiting(now)
        for question in waiting[: CONCURRENCY - len(self._asking)]:
            self._start(question, events)
        if now >= self._books_due and len(self._asking) < CONCURRENCY:
            self._books_due = now + BOOKS_INTERVAL
            tokens: dict[str, NewMarket] = {
                each.market.outcomes[0].instrument_id: each
                for each in self._questions.new.values()
                if each.attempts and not each.taken_up and not each.has_book and each.market is not None
            }
            if tokens:
                self._spawn(self._find_books(tokens))

    async def finished(self) -> None:
        """Return when everything that was begun has been answered."""
        while self._asking:
            await asyncio.wait(self._asking)

    def _waiting(self, now: int) -> list[NewMarket | Unsettled]:
        """Return what is due, what was asked for least often first; gives up what is too old."""
        open_now: list[NewMarket | Unsettled] = [*self._questions.new.values(), *self._questions.unsettled.values()]
        due = []
        for question in open_now:
            if question.since is None:
                question.since = now
            limit = GIVE_UP if isinstance(question, NewMarket) else PAYOUTS_GIVE_UP
            if now - question.since > limit or not MARKET_ID.match(question.market_id):
                self._questions.close(question.market_id)
                self._questions.counts.lookups_given_up += 1
            elif question.due <= now and question.market_id not in self._asked:
                due.append(question)
        return sorted(due, key=lambda each: (each.attempts, each.due))

    def _start(self, question: NewMarket | Unsettled, events: EventSink) -> None:
        question.attempts += 1
        longest = INTERVAL_MAX if isinstance(question, NewMarket) else PAYOUTS_INTERVAL_MAX
        question.due = self._clock.monotonic() + min(_S << min(question.attempts - 1, 10), longest)
        self._asked.add(question.market_id)
        self._spawn(self._answer(question, events))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _answer(self, question: NewMarket | Unsettled, events: EventSink) -> None:
        try:
            if isinstance(question, NewMarket):
                await self._look_whether_open(question, events)
            else:
                await self._look_for_payouts(question, events)
        except PredsurvError as error:
            self._questions.counts.lookups_unanswered += 1
            _logger.debug("market %s is still not known: %s", question.market_id, error)
        finally:
            self._asked.discard(question.market_id)

    async def _look_whether_open(self, new: NewMarket, events: EventSink) -> None:
        terms = await self._rest.terms(new.market_id)
        read = new.read if terms is None else with_terms(new.read, terms)
        if not read.row.accepting_orders:
            state = await self._rest.new_market(new.market_id)
            if state is not None:
                read = with_state(read, state)
                if state.closed or state.archived:
                    self._publisher.end(new, state, events)
                    return
        if read is new.read or new.market_id not in self._questions.new:
            return
        market = parse_market(read, self._clock.now(), partial=True).market
        if market is not None:
            self._publisher.state(new, market, events)

    async def _look_for_payouts(self, unsettled: Unsettled, events: EventSink) -> None:
        state = await self._rest.new_market(unsettled.market_id)
        if state is None:
            return
        resolved = settlement(state, unsettled.market_id, unsettled.tokens, self._clock.now(), announced=True)
        if resolved is not None:
            self._shared.forget_settled(unsettled.market_id)
            self._publisher.once(structs.replace(resolved, ts_venue=unsettled.ended), events)

    async def _find_books(self, waiting: Mapping[str, NewMarket]) -> None:
        """Make due at once what has a book by now."""
        for tokens in _chunks(waiting):
            try:
                books = await self._rest.books(tokens)
            except PredsurvError as error:
                self._questions.counts.lookups_unanswered += 1
                _logger.debug("whether %d markets have books is not known: %s", len(tokens), error)
                return
            for token in books.keys() & waiting.keys():
                waiting[token].has_book, waiting[token].due = True, 0


def _chunks(tokens: Collection[str]) -> list[list[str]]:
    names = list(tokens)
    return [names[start : start + BOOKS_TOKENS_MAX] for start in range(0, len(names), BOOKS_TOKENS_MAX)]
