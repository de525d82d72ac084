"""Fees that the venue announces: of series, of single events, and the ends of waivers; those that came, and to come."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from predsurv.core.errors import PredsurvError
from predsurv.core.events import MarketChange, MarketEvent
from predsurv.core.ids import MarketId
from predsurv.core.market import FeeSchedule
from predsurv.core.num import format_micros
from predsurv.core.text import sanitise
from predsurv.ports import Clock
from predsurv.venues.kalshi.market_parser import VENUE, event_of, parse_time
from predsurv.venues.kalshi.rest import KalshiRest
from predsurv.venues.kalshi.rest_wire import read_event_fee_changes, read_fee_changes
from predsurv.venues.kalshi.rows import read_event_fee_change, read_fee_change
from predsurv.venues.kalshi.series_terms import EventDirectory, fee_schedule, parse_multiplier, series_ticker
from predsurv.venues.kalshi.terms_lookup import TICKERS_MAX, TermsLookup
from predsurv.venues.kalshi.tolerant_reader import ROW_ERRORS
from predsurv.venues.paging import cursor_pages
from predsurv.venues.parsing import ISSUE_CHARS_MAX
from predsurv.venues.streaming.queue import EventSink

CALENDAR_INTERVAL: Final = 900_000_000_000
"""Time (ns) between two readings of the announced fees."""
TELL_INTERVAL: Final = 5_000_000_000
"""Time (ns) between two looks at which markets are watched."""
REPEATED: Final = 86_400_000_000_000
"""Time (ns) after which what is still to come is told again: a reader of recordings goes back a few days only."""
ROWS: Final = 1_000
PAGES_MAX: Final = 20
TOLD_MAX: Final = 1 << 17
PAST: Final = 30 * REPEATED
"""How long ago (ns) a change may have been that a list of before it, or a reading of this calendar, has missed."""
LOOK_UP_INTERVAL: Final = 60_000_000_000
"""Time (ns) until markets that could not be asked for are asked for again."""
_HISTORY: Final = [("show_historical", "true")]  # with those that came
_logger = logging.getLogger(__name__)


class ScheduledFee(Struct, frozen=True):
    """A fee from ``at`` (ns UTC) on, of a ``series`` or of an ``event``; None where an event has its series' again."""

    at: int
    fee: FeeSchedule | None
    series: str | None = None
    event: str | None = None


class _ToldFee(NamedTuple):
    fee: FeeSchedule | None
    ts: int  # when it was told last (ns UTC)


class FeeCalendar:
    """The announced fees, and to which of the watched markets each was told; without I/O."""

    def __init__(self, directory: EventDirectory) -> None:
        self._directory = directory
        self._of_series: dict[str, list[ScheduledFee]] = {}
        self._of_event: dict[str, list[ScheduledFee]] = {}
        self._told: dict[str, dict[int, _ToldFee]] = {}  # by ticker and the time from which it holds
        self._looked_up: dict[str, None] = {}

    def replace(self, scheduled: Iterable[ScheduledFee]) -> None:
        """Take the announcements as they are now."""
        self._of_series, self._of_event = {}, {}
        for each in scheduled:
            if each.event is not None:
                self._of_event.setdefault(each.event, []).append(each)
            elif each.series is not None:
                self._of_series.setdefault(each.series, []).append(each)

    def to_look_up(self, tickers: Iterable[str], now: int) -> list[str]:
        """Return those of ``tickers`` whose fee may have changed within ``PAST``, while their own terms are unknown."""
        return [each for each in sorted(tickers) if each not in self._looked_up and any(self._latest(each, now))]

    def note_looked_up(self, tickers: Iterable[str]) -> None:
        """Take note that the directory knows what there is to know of ``tickers``."""
        for each in tickers:
            while len(self._looked_up) >= TOLD_MAX:
                del self._looked_up[next(iter(self._looked_up))]
            self._looked_up[each] = None

    def changes(self, tickers: Iterable[str], ts_recv: int) -> Iterator[MarketEvent]:
        """Yield the changes of ``tickers`` to come that were not told within ``REPEATED``, and the last one that came.

        One that is withdrawn is told as no change. One that came is told once, where the market was looked up.
        """
        for ticker in sorted(tickers):
            came = self._came(ticker, ts_recv) if ticker in self._looked_up else None
            if came is not None:
                at, now_charged = came
                known = self._told.get(ticker, {}).get(at)
                if known is None or known.fee != now_charged:
                    self._note(ticker, at, _ToldFee(now_charged, ts_recv))
                    yield _change(ticker, at, now_charged, ts_recv)
            coming, told = self._coming(ticker, ts_recv), self._told.get(ticker, {})
            for at in told.keys() - coming.keys():
                if at > ts_recv:
                    coming[at] = self._directory.terms(event_of(ticker)).fee
            for at, fee in sorted(coming.items(), key=lambda each: each[0]):
                last = told.get(at)
                if last is None or last.fee != fee or ts_recv - last.ts >= REPEATED:
                    self._note(ticker, at, _ToldFee(fee, ts_recv))
                    yield _change(ticker, at, fee, ts_recv)

    def _coming(self, ticker: str, now: int) -> dict[int, FeeSchedule | None]:
        """Return the fees to come of a market by time; what an event has of its own goes before its series'."""
        event = event_of(ticker)
        own, coming = self._directory.terms(event).own_fee, dict[int, FeeSchedule | None]()
        of_event = [*self._of_event.get(event, ()), *self._of_event.get(ticker, ())]
        announced = [*self._of_series.get(series_ticker(ticker), ()), *of_event]
        for each in sorted(announced, key=lambda each: (each.at, each.event is not None)):
            if each.at <= now:
                continue
            if each.event is not None:
                own = each.fee is not None
                coming[each.at] = each.fee or self._directory.series_fee(event)
            elif not own:
                coming[each.at] = each.fee
        waived = self._directory.waivers.get(ticker)
        if waived is not None and waived > now:
            coming.setdefault(waived, self._directory.terms(event).fee)
        return coming

    def _latest(self, ticker: str, now: int) -> tuple[ScheduledFee | None, ScheduledFee | None]:
        """Return the last changes of a market's event and of its series that came within ``PAST``."""
        event = event_of(ticker)
        of_event = [*self._of_event.get(event, ()), *self._of_event.get(ticker, ())]
        return _last(of_event, now), _last(self._of_series.get(series_ticker(ticker), ()), now)

    def _came(self, ticker: str, now: int) -> tuple[int, FeeSchedule | None] | None:
        """Return when the fee of a market changed last, and to what; None where it did not, or is waived."""
        of_event, of_series = self._latest(ticker, now)
        if self._directory.waivers.get(ticker, 0) > now:
            return None
        event = event_of(ticker)
        own = self._directory.terms(event).own_fee if of_event is None else of_event.fee is not None
        if own:
            return None if of_event is None else (of_event.at, of_event.fee)
        if of_event is None:
            return None if of_series is None else (of_series.at, of_series.fee)
        if of_series is None:
            return of_event.at, self._directory.series_fee(event)
        return max(of_event.at, of_series.at), of_series.fee

    def _note(self, ticker: str, at: int, told: _ToldFee) -> None:
        while ticker not in self._told and len(self._told) >= TOLD_MAX:
            del self._told[next(iter(self._told))]
        self._told.setdefault(ticker, {})[at] = told


class FeeCalendarPoller:
    """Reads the announced fees from time to time and tells them of the markets that ``tickers`` returns.

    What changed before it was read is told as well, once ``terms`` has said whether a market follows its series.
    """

    def __init__(
        self,
        rest: KalshiRest,
        clock: Clock,
        directory: EventDirectory,
        tickers: Callable[[], Iterable[str]],
        terms: TermsLookup,
    ) -> None:
        self._rest = rest
        self._clock = clock
        self._directory = directory
        self._tickers = tickers
        self._calendar = FeeCalendar(directory)
        self._terms = terms
        self._due = self._look_up_due = clock.monotonic()

    async def run(self, events: EventSink) -> None:
        """Ask until cancelled; no error of REST ends it."""
        while True:
            await self.round(events)
            await self._clock.sleep(TELL_INTERVAL)

    async def round(self, events: EventSink) -> None:
        """Read the announcements if it is time, and tell what is new."""
        if self._clock.monotonic() >= self._due:
            self._due = self._clock.monotonic() + CALENDAR_INTERVAL
            try:
                self._calendar.replace([*await self._of_series(), *await self._of_events()])
            except (PredsurvError, *ROW_ERRORS) as error:
                # The announcements that were read before stand until others can be read.
                detail = sanitise(str(error), ISSUE_CHARS_MAX)
                _logger.debug("%s: announced fees are not known: %s", VENUE, detail)
        await self._look_up()
        events.put_events([*self._calendar.changes(self._tickers(), self._clock.now())])

    async def _look_up(self) -> None:
        """Ask for markets of which a change may have been missed, some at a time."""
        if self._clock.monotonic() < self._look_up_due:
            return
        wanted = self._calendar.to_look_up(self._tickers(), self._clock.now())[:TICKERS_MAX]
        if not wanted:
            return
        try:
            await self._terms.by_ticker(wanted)
        except (PredsurvError, *ROW_ERRORS) as error:
            self._look_up_due = self._clock.monotonic() + LOOK_UP_INTERVAL
            detail = sanitise(str(error), ISSUE_CHARS_MAX)
            _logger.debug("%s: the fees of %d markets are not known: %s", VENUE, len(wanted), detail)
        else:
            self._calendar.note_looked_up(wanted)

    async def _of_series(self) -> list[ScheduledFee]:
        found = []
        for raw in read_fee_changes(await self._rest.get("/series/fee_changes", _HISTORY)).series_fee_change_arr:
            try:
                row = read_fee_change(raw)
                at, times = parse_time(row.scheduled_ts), parse_multiplier(row.fee_multiplier)
            except ROW_ERRORS as error:
                _logger.debug("%s: an unreadable fee change: %s", VENUE, sanitise(str(error), ISSUE_CHARS_MAX))
                continue
            if at is not None:
                found.append(ScheduledFee(at, fee_schedule(row.fee_type, times, at), series=row.series_ticker))
        return found

    async def _of_events(self) -> list[ScheduledFee]:
        found = []
        pages = cursor_pages(
            lambda cursor: self._rest.get("/events/fee_changes", _page_params(cursor)),
            lambda body: read_event_fee_changes(body).cursor,
            pages_max=PAGES_MAX,
            circular=f"{VENUE}: the list of fee changes runs in circles; report this",
        )
        async for body in pages:
            for raw in read_event_fee_changes(body).event_fee_changes:
                scheduled = self._of_event(raw)
                if scheduled is not None:
                    found.append(scheduled)
        return found

    def _of_event(self, raw: Raw) -> ScheduledFee | None:
        try:
            row = read_event_fee_change(raw)
            at, times = parse_time(row.scheduled_ts), parse_multiplier(row.fee_multiplier_override)
        except ROW_ERRORS as error:
            _logger.debug("%s: an unreadable fee change: %s", VENUE, sanitise(str(error), ISSUE_CHARS_MAX))
            return None
        if at is None:
            return None
        own = row.fee_type_override is not None or times is not None
        fee = self._directory.event_fee(row.event_ticker, row.fee_type_override, times) if own else None
        return ScheduledFee(at, fee, event=row.event_ticker)


def _last(changes: Iterable[ScheduledFee], now: int) -> ScheduledFee | None:
    return max((each for each in changes if now - PAST < each.at <= now), key=lambda each: each.at, default=None)


def _page_params(cursor: str | None) -> list[tuple[str, str]]:
    return [("limit", str(ROWS)), *([("cursor", cursor)] if cursor else [])]


def _change(ticker: str, at: int, fee: FeeSchedule | None, ts_recv: int) -> MarketChange:
    rates = {} if fee is None else {"rate": format_micros(fee.rate), "maker_rate": format_micros(fee.maker_rate)}
    stated = None if fee is None else msgspec.structs.replace(fee, since=at)
    value = msgspec.json.encode({"scheduled": at > ts_recv, **rates}).decode()
    return MarketChange(VENUE, MarketId(ticker), None, ts_recv, None, "fee", value, fee=stated, effective=at)
