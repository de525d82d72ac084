"""The exchange's status becomes phases of the venue; its timetable tells the next pause."""

import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from predsurv.core.errors import WireError
from predsurv.core.events import MarketEvent, VenuePhase
from predsurv.ports import PlannedPause
from predsurv.venues.kalshi.exchange_status import ExchangeMonitor, next_pause, read_phase
from predsurv.venues.kalshi.rest_wire import ExchangeTimetable, read_schedule
from predsurv.venues.kalshi.series_terms import EventDirectory
from predsurv.venues.kalshi.shard_pauses import ShardPauses
from predsurv.venues.kalshi.terms_lookup import TermsLookup
from tests.kit.event_list import EventList
from tests.kit.kalshi_frames import NOW, wire
from tests.kit.scripted_kalshi_rest import Pages

PAUSED = {
    "exchange_active": True,
    "trading_active": False,
    "exchange_estimated_resume_time": "2026-12-03T10:00:00Z",
}
OPEN = {"exchange_active": True, "trading_active": True}
RESUMES = 1_796_292_000_000_000_000


def shards(*trading: bool) -> list[dict[str, Any]]:
    return [
        {"exchange_index": index, "exchange_active": True, "trading_active": each} for index, each in enumerate(trading)
    ]


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        (OPEN, "open"),
        (PAUSED, "cancel_only"),
        ({"exchange_active": False, "trading_active": False}, "closed"),
        ({"exchange_active": False, "trading_active": True}, "closed"),
        ({**OPEN, "exchange_index_statuses": shards(True, False)}, "open"),
        ({**OPEN, "exchange_index_statuses": shards(False, False)}, "cancel_only"),
        ({**OPEN, "exchange_index_statuses": None, "something_new": {}}, "open"),
    ],
)
def test_the_status_is_a_phase(status: dict[str, Any], phase: str) -> None:
    found = read_phase(wire(status), NOW)
    assert (found.venue, found.phase, found.ts_recv) == ("kalshi", phase, NOW)


def test_a_pause_says_when_trading_resumes_and_which_shards_pause() -> None:
    found = read_phase(wire({**PAUSED, "exchange_index_statuses": shards(True, False)}), NOW)
    assert found.resumes == RESUMES
    assert json.loads(found.value)["paused_shards"] == [1]


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"exchange_active":"yes"}', b"[" * 200_000])
def test_an_unreadable_status_is_no_phase(body: bytes) -> None:
    with pytest.raises(WireError):
        read_phase(body, NOW)


class Told:
    """The phases published over rounds of a monitor, one for each of the answers."""

    def __init__(self, *answers: Any) -> None:
        pages = Pages(exchange__status=[*answers])
        self.monitor = ExchangeMonitor(pages.rest(), pages.clock)
        self.events: list[MarketEvent] = []
        self.rounds = len(answers)

    def put_events(self, events: Sequence[MarketEvent]) -> None:
        self.events += events

    async def phases(self) -> list[str]:
        for _ in range(self.rounds):
            await self.monitor.round(self)
        return [event.phase for event in self.events if isinstance(event, VenuePhase)]


async def test_the_first_phase_and_each_change_are_published_once() -> None:
    halted = {"exchange_active": False, "trading_active": False}
    assert await Told(OPEN, OPEN, PAUSED, PAUSED, halted, OPEN).phases() == ["open", "cancel_only", "closed", "open"]


async def test_a_pause_is_published_at_the_start() -> None:
    assert await Told(PAUSED, PAUSED).phases() == ["cancel_only"]


async def test_a_resume_time_that_moves_is_news() -> None:
    later = {**PAUSED, "exchange_estimated_resume_time": "2026-12-03T11:00:00Z"}
    assert await Told(PAUSED, later, OPEN).phases() == ["cancel_only", "cancel_only", "open"]


async def test_a_shard_that_pauses_alone_is_told_and_does_not_pause_the_venue() -> None:
    one = {**OPEN, "exchange_index_statuses": shards(True, True, False)}
    told = Told(OPEN, one, OPEN)
    assert await told.phases() == ["open", "open", "open"]
    values = [event.value for event in told.events if isinstance(event, VenuePhase)]
    assert ["paused_shards" in value for value in values] == [False, True, False]


async def test_a_status_that_cannot_be_had_is_no_pause() -> None:
    lost = httpx.Response(404)
    assert await Told(lost, OPEN, lost, b"<html>", OPEN).phases() == ["open"]
    assert await Told(PAUSED, lost, PAUSED).phases() == ["cancel_only"]


def week(**days: Any) -> ExchangeTimetable:
    whole = [{"open_time": "00:00", "close_time": "00:00"}]
    names = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    hours = {name: days.get(name, whole) for name in names}
    times = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2027-01-01T00:00:00Z"}
    windows = days.get("windows", [])
    schedule = {"standard_hours": [{**times, **hours}], "maintenance_windows": windows}
    return read_schedule(wire({"schedule": schedule})).schedule


NIGHT = [{"open_time": "00:00", "close_time": "03:00"}, {"open_time": "05:00", "close_time": "24:00"}]
HOUR = 3_600_000_000_000


@pytest.mark.parametrize(
    ("now", "start"),
    [
        (
            1_796_000_000_000_000_000,
            1_796_284_800_000_000_000,
        ),  # Sunday evening; 03:00 in New York is 08:00 UTC
        (1_796_288_400_000_000_000, 1_796_284_800_000_000_000),  # an hour into it
        (1_796_292_000_000_000_000, 1_796_889_600_000_000_000),  # as it ends, the next week's
        (1_783_000_000_000_000_000, 1_783_580_400_000_000_000),  # in summer 07:00 UTC
    ],
)
def test_the_weekly_pause_is_read_from_the_timetable(now: int, start: int) -> None:
    assert next_pause(week(thursday=NIGHT), now) == PlannedPause(start, start + 2 * HOUR)


def test_maintenance_is_a_pause_too() -> None:
    window = {"start_datetime": "2026-11-30T08:00:00Z", "end_datetime": "2026-11-30T09:00:00Z"}
    pause = next_pause(week(thursday=NIGHT, windows=[window]), 1_796_000_000_000_000_000)
    assert pause == PlannedPause(1_796_025_600_000_000_000, 1_796_029_200_000_000_000)


def test_a_venue_that_is_always_open_has_no_pause() -> None:
    assert next_pause(week(), 1_796_000_000_000_000_000) is None
    assert next_pause(ExchangeTimetable(), 1_796_000_000_000_000_000) is None


def test_unreadable_sessions_are_left_out() -> None:
    odd = [{"open_time": "noon", "close_time": "03:00"}, {"open_time": "05:00", "close_time": "99:99"}]
    assert next_pause(week(thursday=[*odd, *NIGHT]), 1_796_000_000_000_000_000) is not None


class Shards:
    """A venue with markets on shards, and a monitor that pauses those of ``tickers``."""

    def __init__(self, **shards: int) -> None:
        self.status = dict.fromkeys(shards, "active")
        self.shards = shards
        self.pages = Pages(markets=[self.rows])
        clock, rest = self.pages.clock, self.pages.rest()
        self.tickers = [f"KX{name}-26-X" for name in shards]
        pauses = ShardPauses(TermsLookup(rest, clock, EventDirectory()), clock, lambda: self.tickers)
        self.monitor = ExchangeMonitor(rest, clock, pauses)
        self.sink = EventList()

    def rows(self, request: httpx.Request) -> httpx.Response:
        names = [name for name in self.shards if f"KX{name}-26-X" in request.url.params["tickers"].split(",")]
        found = [
            {
                "ticker": f"KX{name}-26-X",
                "event_ticker": f"KX{name}-26",
                "status": self.status[name],
                "exchange_index": self.shards[name],
            }
            for name in names
        ]
        return httpx.Response(200, content=json.dumps({"markets": found}).encode())

    async def round(self, *trading: bool) -> list[tuple[str, str]]:
        """Ask while shards trade or do not; return the changes of markets."""
        self.pages.set(exchange__status=[{**OPEN, "exchange_index_statuses": shards(*trading)}])
        await self.monitor.round(self.sink)
        return self.sink.changes()


async def test_the_markets_of_a_shard_that_pauses_alone_are_paused() -> None:
    venue = Shards(A=0, B=2, C=2)
    assert await venue.round(True, True, True) == []
    assert "/markets" not in venue.pages.paths(), "nobody asks while all trade"
    assert await venue.round(True, True, False) == [("paused", "KXB-26-X"), ("paused", "KXC-26-X")]
    assert await venue.round(True, True, False) == []
    venue.status["C"] = "closed"
    assert await venue.round(True, True, True) == [("activated", "KXB-26-X")], "what closed meanwhile stays closed"
    assert await venue.round(True, True, True) == []


async def test_a_market_that_is_watched_while_its_shard_pauses_is_paused_too() -> None:
    venue = Shards(A=1, B=1)
    late = venue.tickers.pop()
    assert await venue.round(True, False) == [("paused", "KXA-26-X")]
    venue.tickers.append(late)
    assert await venue.round(True, False) == [("paused", "KXB-26-X")]


async def test_a_shard_that_cannot_be_asked_for_is_asked_for_again() -> None:
    venue = Shards(A=1)
    venue.pages.set(markets=[httpx.Response(400), venue.rows])
    assert await venue.round(True, False) == []
    assert await venue.round(True, False) == [("paused", "KXA-26-X")]


async def test_a_whole_venue_that_pauses_needs_no_pause_of_each_market() -> None:
    venue = Shards(A=0, B=1)
    assert await venue.round(False, False) == []
    assert "/markets" not in venue.pages.paths()
