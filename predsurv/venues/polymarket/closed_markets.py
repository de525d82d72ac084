"""What became of markets while no connection was open, from Gamma's list.

The stream does not repeat what it announced, and tells a settlement on subscribed tokens only. So what is over is read
once a minute, the last closed first, and the newest markets. When a connection opens that is done at once, and every
wanted market is asked for as well. A market that was born and is over meanwhile is told with its record, when it opened
and closed, and what it paid.

That the list can be ordered by the time of closing is documented nowhere. The order is checked; without it, what was to
end about now is read instead.
"""

import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, Protocol

import msgspec
from msgspec import Raw

from predsurv.core.errors import PredsurvError, WireError
from predsurv.core.events import MarketChange, MarketEvent
from predsurv.core.ids import MarketId
from predsurv.core.text import sanitise
from predsurv.net.http import StatusError
from predsurv.ports import Clock
from predsurv.venues.parsing import ISSUE_CHARS_MAX
from predsurv.venues.polymarket.closed_row import ClosedMarket, closed_at, created_at, opened_at, read_closed
from predsurv.venues.polymarket.gamma_page import GammaPage
from predsurv.venues.polymarket.gamma_row import read_row
from predsurv.venues.polymarket.market_parser import VENUE, is_over, parse_market
from predsurv.venues.polymarket.open_questions import NewMarket, Unsettled
from predsurv.venues.polymarket.rest import MARKET_ID
from predsurv.venues.polymarket.shared_state import PolymarketSharedState, announcement_id
from predsurv.venues.streaming.queue import EventSink

_S: Final = 1_000_000_000

INTERVAL: Final = 60 * _S
"""Time (ns) between two readings."""
LEAST_INTERVAL: Final = 10 * _S
"""Shortest time (ns) between two readings: after a connection opened, and after a reading that failed."""
SECOND_LOOK: Final = 15 * _S
"""Time (ns) after a connection opened until the next reading: lists lag behind."""
UNORDERED_INTERVAL: Final = 300 * _S
"""Time (ns) between two readings while the order is not honoured: they are longer."""
EVERY_INTERVAL: Final = 300 * _S
"""Shortest time (ns) between two askings for every wanted market: connections are renewed all the time."""
CHECK_INTERVAL: Final = _S
LOOKBACK: Final = 600 * _S
"""Time (ns) before the start that the first reading covers."""
REPEATED: Final = 120 * _S
"""Time (ns) that each reading repeats, from the latest time in the list on: lists lag behind, and the machine's clock,
which may be wrong, must not decide what is new."""
PAGES_MAX: Final = 60
"""Pages of a reading, of 100 markets each."""
ENDED_BEFORE: Final = 6 * 3_600 * _S
ENDS_AFTER: Final = 3_600 * _S
"""How long (ns) before the last reading, and from now, markets were to end that are read without an order."""
NAMED_MAX: Final = 50
"""Markets asked for by name in a request: 100 are answered, but URLs have a maximum length."""

_CLOSED: Final = ("closed", "true")
_BY_CLOSING: Final = (_CLOSED, ("order", "closedTime"), ("ascending", "false"))
_NEWEST: Final = (("closed", "false"), ("order", "id"), ("ascending", "false"))
_LISTED: Final = msgspec.json.encode({"source": "list"}).decode()
_UNREADABLE: Final = (WireError, ValueError, RecursionError)
_logger = logging.getLogger(__name__)

Params = Sequence[tuple[str, str]]


class ListRequests(Protocol):
    """The requests of this job; ``predsurv.venues.polymarket.gamma_rest.GammaRest`` makes them."""

    async def page(self, params: Params) -> GammaPage:
        """Return a page of markets, chosen and ordered by ``params``; raises PredsurvError."""
        ...


class _OrderNotHonouredError(Exception):
    """The rows of a page are not in the order that was asked for."""


class ClosedMarkets:
    """Publishes what is over and was not told by the feed that has ``shared``.

    Of markets whose ``volume`` is below ``min_volume`` (micros) a scan knows nothing, so it is not told when they were
    open.
    """

    def __init__(self, rest: ListRequests, shared: PolymarketSharedState, clock: Clock, *, min_volume: int = 0) -> None:
        self._rest = rest
        self._shared = shared
        self._questions = shared.questions
        self._clock = clock
        self._min_volume = min_volume
        self._closed_since = self._made_since = clock.now() - LOOKBACK
        self._connections = 0  # at the last reading
        self._asked: int | None = None  # when every wanted market was asked for last (monotonic ns)
        self._is_ordered = True

    async def run(self, events: EventSink) -> None:
        """Read the list until cancelled, first when a connection has opened; no error of REST ends it."""
        while not self._questions.connections:
            await self._clock.sleep(CHECK_INTERVAL)
        while True:
            began, before = self._clock.monotonic(), self._connections
            answered = await self.round(events)
            interval = INTERVAL if self._is_ordered else UNORDERED_INTERVAL
            if not answered:
                interval = LEAST_INTERVAL
            elif before != self._connections:
                interval = SECOND_LOOK
            await self._clock.sleep(began + LEAST_INTERVAL - self._clock.monotonic())
            while self._clock.monotonic() < began + interval and self._connections == self._questions.connections:
                await self._clock.sleep(CHECK_INTERVAL)

    async def round(self, events: EventSink) -> bool:
        """Read what closed or was made since the last reading, and ask for wanted markets.

        For all of these after a connection opened, at most every ``EVERY_INTERVAL``; else for those without a book, as
        those of a new connection are. Return whether all was answered.
        """
        now, began, connections = self._clock.now(), self._clock.monotonic(), self._questions.connections
        every = connections != self._connections and (self._asked is None or began - self._asked >= EVERY_INTERVAL)
        try:
            await self._ask_for_wanted(events, every=every)
            self._asked = began if every else self._asked
            closed = made = None
            async for rows in self._rows(now):
                self._publish(rows, events, self._closed_since)
                closed = _latest(closed, map(closed_at, rows))
            async for rows in self._newest():
                events.put_events([event for raw in rows for event in self._new_market(raw)])
                made = _latest(made, map(created_at, rows))
        except PredsurvError as error:
            detail = sanitise(str(error), ISSUE_CHARS_MAX)
            _logger.debug("%s: what closed is not known: %s", VENUE, detail)
            return False
        self._closed_since, self._made_since = (min(now, each or now) - REPEATED for each in (closed, made))
        self._connections = connections
        return True

    async def _ask_for_wanted(self, events: EventSink, *, every: bool) -> None:
        """Ask for the wanted markets by name, ``every`` or those that have no book."""
        wanted = set[MarketId]()
        for codec in self._shared.codecs:
            keys = codec.subscribed.values() if every else codec.awaiting()
            wanted.update(key.market_id for key in keys)
        names = sorted(name for name in wanted if MARKET_ID.match(name))
        for start in range(0, len(names), NAMED_MAX):
            params = [_CLOSED, *(("condition_ids", name) for name in names[start : start + NAMED_MAX])]
            try:
                self._publish((await self._rest.page(params)).markets, events)
            except (StatusError, WireError) as error:  # asking again would not help, and the others can be asked for
                _logger.debug("%s: what became of some is not known: %s", VENUE, sanitise(str(error), ISSUE_CHARS_MAX))

    async def _newest(self) -> AsyncIterator[Sequence[Raw]]:
        """Yield pages with the markets that were made since the last reading, among others."""
        try:
            async for rows in self._pages(_NEWEST):
                yield rows
                if not any((created_at(raw) or 0) >= self._made_since for raw in rows):
                    return
        except StatusError as error:
            _logger.debug("%s: the newest markets are not listed: %s", VENUE, sanitise(str(error), ISSUE_CHARS_MAX))

    def _new_market(self, raw: Raw) -> list[MarketEvent]:
        """Return the opening of a market that is news, or its creation, which leaves open when it opens."""
        now, made = self._clock.now(), created_at(raw)
        if made is None or made < self._made_since:
            return []
        try:
            read = read_row(raw)
            market = parse_market(read, now).market
        except _UNREADABLE as error:
            _logger.debug("%s: an unreadable market: %s", VENUE, sanitise(str(error), ISSUE_CHARS_MAX))
            return []
        if market is None or is_over(read.row):
            return []
        change = MarketChange(VENUE, market.market_id, None, now, made, "created", _LISTED, market)
        if not self._shared.announcement_ids.add(announcement_id(change)):
            return []
        if market.tradable:
            return [msgspec.structs.replace(change, ts_venue=None, kind="listed", opened=opened_at(raw))]
        self._questions.ask_whether_open(NewMarket(read, market.market_id, market))
        return [change]

    async def _rows(self, now: int) -> AsyncIterator[Sequence[Raw]]:
        """Yield pages with the markets that closed since the last reading, among others."""
        if self._is_ordered:
            try:
                async for rows in self._pages(_BY_CLOSING):
                    yield rows
                    if _is_before(rows, self._closed_since):
                        return
            except (_OrderNotHonouredError, StatusError) as error:
                if isinstance(error, StatusError) and not 400 <= error.status < 500:
                    raise
                _logger.info("%s: the list of closed markets cannot be ordered by their closing", VENUE)
                self._is_ordered = False
            else:
                return
        bounds = [
            _CLOSED,
            ("end_date_min", _iso(self._closed_since - ENDED_BEFORE)),
            ("end_date_max", _iso(now + ENDS_AFTER)),
        ]
        async for rows in self._pages([*bounds, ("order", "endDate"), ("ascending", "true")]):
            yield rows

    async def _pages(self, params: Params) -> AsyncIterator[Sequence[Raw]]:
        """Yield page after page; raises PredsurvError, and _OrderNotHonouredError where that was asked for."""
        cursor, last = None, None
        for _ in range(PAGES_MAX):
            page = await self._rest.page(params if cursor is None else [*params, ("after_cursor", cursor)])
            if params is _BY_CLOSING:
                last = _checked_order(page.markets, last)
            yield page.markets
            if not page.next_cursor or page.next_cursor == cursor:
                return
            cursor = page.next_cursor
        _logger.warning("%s: more markets closed since the last reading than are read; some may be missing", VENUE)

    def _publish(self, rows: Iterable[Raw], events: EventSink, since: int = 0) -> None:
        """Publish the markets of ``rows`` that closed after ``since`` (ns UTC) and were not told."""
        now, out = self._clock.now(), list[MarketEvent]()
        for raw in rows:
            try:
                if since and (closed_at(raw) or 0) < since:
                    continue
                found = read_closed(raw, now)
            except _UNREADABLE as error:
                _logger.debug("%s: an unreadable market: %s", VENUE, sanitise(str(error), ISSUE_CHARS_MAX))
                continue
            if found is not None:
                out += self._events_of(found, now)
        events.put_events(out)

    def _events_of(self, found: ClosedMarket, now: int) -> list[MarketEvent]:
        """Return the end of a market and its settlement; that is looked up where the row does not have it."""
        market_id, told, out = found.market.market_id, self._shared.announcement_ids, list[MarketEvent]()
        if told.add(f"life {market_id}"):
            is_listed = found.market.volume is None or found.market.volume >= self._min_volume
            change = MarketChange(VENUE, market_id, None, now, found.closed, "closed", _LISTED, found.market)
            opened = found.opened if is_listed else None
            out.append(msgspec.structs.replace(change, opened=opened, closed=found.closed))
            told.add(announcement_id(change))
            if found.resolved is None and told.add(f"asked {market_id}"):
                tokens = tuple(each.instrument_id for each in found.market.outcomes)
                self._questions.ask_payouts(Unsettled(market_id, tokens, ended=found.closed))
        if found.resolved is not None:
            self._shared.forget_settled(market_id)
            if told.add(announcement_id(found.resolved)):
                out.append(found.resolved)
        return out


def _checked_order(rows: Iterable[Raw], last: int | None) -> int | None:
    """Return when the last market of a page closed, ``last`` that of the page before (ns UTC).

    Raises _OrderNotHonouredError when one closed after the one before it, or none states it.
    """
    times = [each for each in map(closed_at, rows) if each is not None]
    ordered = times if last is None else [last, *times]
    if (not times and rows) or any(one < after for one, after in pairwise(ordered)):
        raise _OrderNotHonouredError
    return times[-1] if times else last


def _latest(known: int | None, times: Iterable[int | None]) -> int | None:
    return max((each for each in (known, *times) if each is not None), default=None)


def _is_before(rows: Sequence[Raw], since: int) -> bool:
    """Return whether a page reaches back beyond ``since`` (ns UTC)."""
    return any(each is not None and each < since for each in map(closed_at, rows))


def _iso(ts: int) -> str:
    return datetime.fromtimestamp(ts // _S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
