"""A recording is well while it writes and knows books of every venue; what is wrong is named, ages go on."""

import pytest
from msgspec.structs import replace

from predsurv.collect.health import DISK_LOW, STUCK_AFTER, recording_health
from predsurv.collect.output.sealer import SEGMENTS_WAITING_MAX
from predsurv.collect.status import CollectorStatus, RescanStatus, UploadStatus
from predsurv.core.events import VenuePhase
from predsurv.net.clock import ManualClock
from predsurv.telemetry.health import Health, health_of_run
from predsurv.telemetry.vitals import FROZEN_AFTER, Vitals
from tests.kit.collector_statuses import S, statuses


def health(status: CollectorStatus, elapsed: int = 0) -> Health:
    vitals = Vitals(ManualClock())
    vitals.phase = "running"
    return health_of_run(vitals, recording_health(status, elapsed))


@pytest.mark.parametrize(
    ("given", "causes"),
    [
        (statuses(), []),
        (statuses("idle"), []),
        (statuses("recording"), []),
        (statuses("degraded"), []),
        (statuses("blind", "recording"), ["v0: blind: none of 4 wanted books is known"]),
        (statuses("recording", "starting"), ["v1: none of 4 wanted books is known yet"]),
        (statuses("recording", paused="disk full"), ["nothing can be written: disk full"]),
    ],
)
def test_what_is_wrong_is_named(given: CollectorStatus, causes: list[str]) -> None:
    found = health(given)
    assert (list(found.causes), found.ok, found.alive) == (causes, not causes, True)


def test_a_blind_venue_has_its_reasons() -> None:
    (venue,) = statuses("blind").venues
    phase = VenuePhase(venue.venue, 1, None, "closed", "{}")
    told = replace(venue, missing={"stall": 3, "subscribing": 1}, failure="refused", phase=phase)
    (cause,) = health(replace(statuses("blind"), venues=(told,))).causes
    assert cause.endswith("is known (3 stall, 1 subscribing; trading paused (closed); refused)")


def test_each_venue_has_its_own_entry() -> None:
    venues = health(statuses("blind", "recording")).body()["venues"]
    assert [(name, entry["ok"]) for name, entry in venues.items()] == [("v0", False), ("v1", True)]  # type: ignore[attr-defined]


def test_ages_go_on_while_the_status_is_not_renewed() -> None:
    body = health(statuses("recording"), 3 * S).body()
    assert body["status_age_s"] == 3.0
    assert body["venues"]["v0"]["last_data_age_s"] == 5.0  # type: ignore[index]


def test_a_disk_that_hangs_is_no_progress() -> None:
    assert health(statuses("recording"), STUCK_AFTER).alive
    found = health(statuses("recording"), STUCK_AFTER + S)
    assert (found.ok, found.alive) == (False, False)
    assert "nothing has been committed for 6.0 s" in found.summary


def test_warnings_leave_the_recording_well() -> None:
    status = replace(
        statuses("degraded", disk_free=DISK_LOW - 1),
        waiting=SEGMENTS_WAITING_MAX,
        rescans=RescanStatus(trouble="429"),
        bucket=UploadStatus("s3://x", trouble="403", remote_lost=2),
    )
    found = health(status)
    assert found.ok
    assert len(found.run.warnings) == 6
    assert health(replace(status, waiting=SEGMENTS_WAITING_MAX - 1)).run.warnings == (
        *found.run.warnings[:2],
        *found.run.warnings[3:],
    )


async def test_an_event_loop_that_stands_still_is_not_alive() -> None:
    clock = ManualClock()
    vitals = Vitals(clock)
    vitals.phase = "running"
    await clock.advance(FROZEN_AFTER)
    assert health_of_run(vitals, recording_health(statuses("recording"), 0)).ok
    await clock.advance(1)
    found = health_of_run(vitals, recording_health(statuses("recording"), 0))
    assert (found.ok, found.alive) == (False, False)
    assert found.summary == "NOT OK: the event loop has stood still for 4.0 s"
    vitals.beat()
    assert health_of_run(vitals, recording_health(statuses("recording"), 0)).ok


@pytest.mark.parametrize("phase", ["starting", "stopping"])
def test_a_run_that_starts_or_stops_is_alive_and_not_ready(phase: str) -> None:
    vitals = Vitals(ManualClock())
    vitals.phase, vitals.doing = phase, "reading the lists"  # type: ignore[assignment]
    for elapsed in (0, 10 * STUCK_AFTER):  # the last status is of before
        found = health_of_run(vitals, recording_health(statuses("recording"), elapsed))
        assert (found.ok, found.alive, list(found.causes)) == (False, True, ["reading the lists"])
