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


async def test_changes_of_the_phase_are_published_once() -> None:
    halted = {"exchange_active": False, "trading_active": False}
    assert await Told(OPEN, OPEN, PAUSED, PAUSED, halted, OPEN).phases() == ["cancel_only", "closed", "open"]


async def test_a_pause_is_published_at_the_start() -> None:
    assert await Told(PAUSED, PAUSED).phases() == ["cancel_only"]


async def test_a_resume_time_that_moves_is_news() -> None:
    later = {**PAUSED, "exchange_estimated_resume_time": "2026-12-03T11:00:00Z"}
    assert await Told(PAUSED, later, OPEN).phases() == ["cancel_only", "cancel_only", "open"]


async def test_a_shard_that_pauses_alone_is_told_and_does_not_pause_the_venue() -> None:
    one = {**OPEN, "exchange_index_statuses": shards(True, True, False)}
    told = Told(OPEN, one, OPEN)
    assert await told.phases() == ["open", "open"]
    values = [event.value for event in told.events if isinstance(event, VenuePhase)]
    assert ["paused_shards" in value for value in values] == [True, False]


async def test_a_status_that_cannot_be_had_is_no_pause() -> None:
    lost = httpx.Response(404)
    assert await Told(lost, OPEN, lost, b"<html>", OPEN).phases() == []
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
