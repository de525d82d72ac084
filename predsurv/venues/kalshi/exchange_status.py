"""What the exchange as a whole accepts: its status as a phase of trading, and its timetable of pauses.

Asked for over REST, with a key and without: no message of the stream tells that the whole venue pauses.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from predsurv.core.errors import PredsurvError, WireError
from predsurv.core.events import TradingPhase, VenuePhase
from predsurv.core.text import sanitise
from predsurv.ports import Clock, PlannedPause
from predsurv.venues.kalshi.market_parser import VENUE, parse_time
from predsurv.venues.kalshi.rest import KalshiRest
from predsurv.venues.kalshi.rest_wire import (
    ExchangeStatus,
    ExchangeTimetable,
    Session,
    ShardStatus,
    WeekHours,
    read_schedule,
    read_status,
)
from predsurv.venues.kalshi.shard_pauses import ShardPauses
from predsurv.venues.parsing import ISSUE_CHARS_MAX
from predsurv.venues.streaming.queue import EventSink

STATUS_INTERVAL: Final = 5_000_000_000
"""Time (ns) between two requests; the venue's cache holds an answer for a second."""
DAYS_AHEAD: Final = 8
"""Days of the timetable that are searched for the next pause: a week and the day it began on."""
WINDOWS_MAX: Final = 1_000

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_STRICTNESS: Final[dict[TradingPhase, int]] = {"open": 0, "cancel_only": 1, "closed": 2}
_logger = logging.getLogger(__name__)


def read_phase(body: bytes, ts_recv: int) -> VenuePhase:
    """Return the phase in an answer to ``/exchange/status``; raises WireError.

    Shards pause one by one: the venue pauses when it says so or when every shard does, and in any case ``value``
    names the shards that do.
    """
    try:
        status = read_status(body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"{VENUE}: the exchange's status is unreadable: {error}") from None
    shards = (status.exchange_index_statuses or [])[:WINDOWS_MAX]
    phase = _phase(status)
    if shards:
        phase = max(phase, min(map(_phase, shards), key=_STRICTNESS.__getitem__), key=_STRICTNESS.__getitem__)
    value = {
        "exchange_active": status.exchange_active,
        "trading_active": status.trading_active,
        "exchange_estimated_resume_time": status.exchange_estimated_resume_time,
        "paused_shards": sorted(each.exchange_index for each in shards if _phase(each) != "open"),
    }
    text = msgspec.json.encode({name: each for name, each in value.items() if each not in (None, [])}).decode()
    resumes = None if phase == "open" else parse_time(status.exchange_estimated_resume_time)
    return VenuePhase(VENUE, ts_recv, None, phase, text, resumes)


class ExchangeMonitor:
    """Asks for the exchange's status and publishes the first one and each change.

    The first one even when the exchange is open: a recording that ended in a pause does not tell when the pause did.
    A status that cannot be had is no pause: the last one stands. ``shards`` pauses the markets of a shard that pauses
    alone.
    """

    def __init__(self, rest: KalshiRest, clock: Clock, shards: ShardPauses | None = None) -> None:
        self._shards = shards
        self._rest = rest
        self._clock = clock
        self._told: tuple[TradingPhase, int | None, str] | None = None
        self._failing = False

    async def current(self) -> VenuePhase:
        """Return the phase now; raises TransientError, PermanentError or WireError."""
        body = await self._rest.get("/exchange/status")
        return read_phase(body, self._clock.now())

    async def next_pause(self) -> PlannedPause | None:
        """Return the pause in progress or the next one of the timetable; raises as ``current``."""
        body = await self._rest.get("/exchange/schedule")
        try:
            timetable = read_schedule(body).schedule
        except (ValueError, RecursionError) as error:
            raise WireError(f"{VENUE}: the exchange's schedule is unreadable: {error}") from None
        return next_pause(timetable, self._clock.now())

    async def run(self, events: EventSink) -> None:
        """Ask until cancelled; no error of REST ends it."""
        while True:
            await self.round(events)
            await self._clock.sleep(STATUS_INTERVAL)

    async def round(self, events: EventSink) -> None:
        """Ask once and publish the phase if it is news."""
        try:
            phase = await self.current()
        except PredsurvError as error:
            if not self._failing:
                _logger.warning("%s: the exchange's status is not known: %s", VENUE, _summary(error))
            self._failing = True
            return
        self._failing = False
        before, self._told = self._told, (phase.phase, phase.resumes, phase.value)
        if self._told != before:
            level = logging.DEBUG if before is None and _plainly_open(phase) else logging.INFO
            text = sanitise(phase.value, ISSUE_CHARS_MAX)
            _logger.log(level, "%s: the exchange is %s now: %s", VENUE, phase.phase, text)
            events.put_events([phase])
        if self._shards is not None:
            await self._shards.apply(_paused_shards(phase), events)


def next_pause(timetable: ExchangeTimetable, now: int) -> PlannedPause | None:
    """Return the first pause of ``timetable`` that ends after ``now`` (ns UTC), None when there is none in a week.

    Trading pauses between the sessions of the week, and in windows of maintenance.
    """
    pauses = [*_between(_sessions(timetable.standard_hours, now)), *_maintenance(timetable)]
    return min((each for each in pauses if each.end > now), key=lambda each: each.start, default=None)


def _phase(status: ExchangeStatus | ShardStatus) -> TradingPhase:
    if not status.exchange_active:
        return "closed"
    return "open" if status.trading_active else "cancel_only"


def _paused_shards(phase: VenuePhase) -> frozenset[int]:
    """Return the shards that pause while the venue as a whole does not."""
    return frozenset(msgspec.json.decode(phase.value).get("paused_shards", ()) if phase.phase == "open" else ())


def _plainly_open(phase: VenuePhase) -> bool:
    return phase.phase == "open" and "paused_shards" not in phase.value


def _maintenance(timetable: ExchangeTimetable) -> Iterator[PlannedPause]:
    for window in timetable.maintenance_windows[:WINDOWS_MAX]:
        start, end = parse_time(window.start_datetime), parse_time(window.end_datetime)
        if start is not None and end is not None and start < end:
            yield PlannedPause(start, end)


def _between(sessions: Sequence[PlannedPause]) -> Iterator[PlannedPause]:
    """Yield the time between sessions that follow one another."""
    latest = None
    for session in sessions:
        if latest is not None and session.start > latest:
            yield PlannedPause(latest, session.start)
        latest = session.end if latest is None else max(latest, session.end)


def _sessions(weeks: Sequence[WeekHours], now: int) -> list[PlannedPause]:
    """Return the sessions around ``now`` and in the week after it, the earliest first."""
    try:
        zone = ZoneInfo("America/New_York")
    except ZoneInfoNotFoundError:
        return []  # a machine without time zones
    today = datetime.fromtimestamp(now // 10**9, zone).date()
    days = [today + timedelta(days=offset) for offset in range(-1, DAYS_AHEAD + 1)]
    return sorted((each for day in days for each in _of_day(weeks, day, zone)), key=lambda each: each.start)


def _of_day(weeks: Sequence[WeekHours], day: date, zone: ZoneInfo) -> Iterator[PlannedPause]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    noon = int(midnight.timestamp() + 43_200) * 10**9
    for week in weeks[:WINDOWS_MAX]:
        if not (parse_time(week.start_time) or 0) <= noon < (parse_time(week.end_time) or 1 << 63):
            continue
        sessions: list[Session] = getattr(week, _DAYS[day.weekday()])
        for session in sessions[:WINDOWS_MAX]:
            start, end = _minutes(session.open_time), _minutes(session.close_time)
            if start is not None and end is not None:
                end += 1_440 if end <= start else 0
                yield PlannedPause(_at(midnight, start), _at(midnight, end))


def _at(midnight: datetime, minutes: int) -> int:
    """Return the instant (ns UTC) at which clocks show ``minutes`` after ``midnight``."""
    moment = midnight + timedelta(minutes=minutes)  # wall time: an hour longer or shorter where clocks change
    return int(moment.astimezone(UTC).timestamp()) * 10**9


def _minutes(text: str) -> int | None:
    """Return a time of day (``05:00``, ``05:00:00``) in minutes; None when unreadable."""
    hours, colon, rest = text.partition(":")
    minutes = rest.partition(":")[0]
    if not colon or not (hours.isascii() and hours.isdigit() and minutes.isascii() and minutes.isdigit()):
        return None
    count = int(hours) * 60 + int(minutes)
    return count if 0 <= count <= 1_440 else None


def _summary(error: Exception) -> str:
    return sanitise(str(error), ISSUE_CHARS_MAX)
