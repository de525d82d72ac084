"""What several processes counted is shown and reported as of one recording."""

import pytest
from msgspec.structs import replace

from predsurv.collect.processes.merging import merged_reading, merged_report, merged_status, named_reading
from predsurv.collect.rates import CounterReading
from predsurv.collect.report import VenueReport
from predsurv.collect.status import (
    ConnectionStatus,
    LatencyHistogram,
    RescanStatus,
    State,
    UploadStatus,
    VenueStatus,
)
from predsurv.core.events import VenuePhase
from predsurv.core.ids import VenueName
from tests.kit.collector_statuses import statuses
from tests.kit.recorder_parts import report_of

MOCK = VenueName("v0")


def venue(**fields: object) -> VenueStatus:
    (plain,) = statuses("recording").venues
    return replace(plain, **fields)


def merged_venue(*venues: VenueStatus) -> VenueStatus:
    (found,) = merged_status([replace(statuses(), venues=(each,)) for each in venues]).venues
    return found


def test_counts_of_a_venue_are_added_and_its_connections_are_listed_together() -> None:
    one = venue(wanted=3, trusted=2, events=10, connects=1, gap_ns={"stall": 5}, missing={"stall": 1}, waiting=1)
    other = venue(wanted=4, trusted=4, events=7, connects=2, gap_ns={"stall": 1, "crash": 2}, proofs={"ok": 3})
    late, early = ConnectionStatus(1, 0, 2, 2, 90), ConnectionStatus(1, 0, 2, 2, 30)
    found = merged_venue(replace(one, connections=(late,)), replace(other, connections=(early,)))
    assert (found.wanted, found.trusted, found.events, found.connects, found.waiting) == (7, 6, 17, 3, 1)
    assert (found.gap_ns, found.missing, found.proofs) == ({"stall": 6, "crash": 2}, {"stall": 1}, {"ok": 3})
    assert found.gaps == {"stall": 2}
    assert found.connections == (early, late)


def test_times_are_those_that_hold_for_the_whole_recording() -> None:
    phase = VenuePhase(venue=MOCK, phase="closed", value="", ts_recv=1, ts_venue=None)
    one = venue(next_rotation=50, all_seen=10, revisit=70, last_data=5, clock_offset=9, failure=None, phase=None)
    other = venue(next_rotation=30, all_seen=20, revisit=None, last_data=8, clock_offset=4, failure="gone", phase=phase)
    found = merged_venue(one, other)
    assert (found.next_rotation, found.all_seen, found.revisit, found.last_data) == (30, 20, 70, 8)
    assert (found.clock_offset, found.failure, found.phase) == (4, "gone", phase)
    assert merged_venue(venue(), venue()).next_rotation is None


@pytest.mark.parametrize(
    ("parts", "state"),
    [
        ([("idle", 0, 0), ("idle", 0, 0)], "idle"),
        ([("idle", 0, 0), ("recording", 4, 4)], "recording"),
        ([("starting", 4, 0), ("starting", 4, 0)], "starting"),
        ([("blind", 4, 0), ("starting", 4, 0)], "blind"),
        ([("blind", 4, 0), ("recording", 3, 3)], "degraded"),
        ([("blind", 4, 0), ("recording", 4, 4)], "recording"),
    ],
)
def test_the_state_follows_from_the_books_of_all(parts: list[tuple[State, int, int]], state: State) -> None:
    found = merged_venue(*(venue(state=each, wanted=wanted, trusted=trusted) for each, wanted, trusted in parts))
    assert found.state == state


def test_venues_of_any_process_are_there_once() -> None:
    found = merged_status([statuses("recording"), statuses("recording", "blind")])
    assert [each.venue for each in found.venues] == ["v0", "v1"]


def test_the_log_is_added_and_the_disk_is_the_same_for_all() -> None:
    early = replace(statuses(disk_free=9), at=1, unsealed=10, waiting=1, lag_p50=4, clock_steps=1)
    late = replace(statuses(disk_free=8, paused="disk is full"), at=2, unsealed=5, waiting=2, lag_p99=7)
    found = merged_status([early, late])
    assert (found.at, found.disk_free, found.unsealed, found.waiting, found.paused) == (2, 8, 15, 3, "disk is full")
    assert (found.lag_p50, found.lag_p99, found.clock_steps) == (4, 7, 1)
    assert found.bucket is None
    assert found.rescans is None
    assert merged_status([early, early]).paused is None


def test_uploads_and_readings_of_lists_are_those_of_all() -> None:
    calm = replace(statuses(), bucket=UploadStatus("s3://b", 1, 10), rescans=RescanStatus(completed=2, news=1, due=9))
    troubled = replace(
        statuses(),
        bucket=UploadStatus("s3://b", 2, 5, failures=1, trouble="no route", remote_lost=1),
        rescans=RescanStatus(completed=1, failed=1, news=4, due=7, running=True, trouble="v0: no answer"),
    )
    found = merged_status([calm, troubled])
    assert found.bucket == UploadStatus("s3://b", 3, 15, failures=1, trouble="no route", remote_lost=1)
    assert found.rescans == RescanStatus(
        completed=1, failed=1, news=5, last=0, due=7, running=True, trouble="v0: no answer"
    )


def test_a_connection_says_whose_it_is() -> None:
    link = ConnectionStatus(1, 0, 2, 2, 90)
    reading = CounterReading(status=replace(statuses(), venues=(venue(connections=(link,)),)), rows=7)
    merged = merged_reading([named_reading(reading, "c0-1"), named_reading(reading, "c0-2")])
    (found,) = merged.status.venues
    assert found.connections == (replace(link, collector="c0-1"), replace(link, collector="c0-2"))
    assert merged.rows == 14
    assert named_reading(reading, "").status == reading.status


def test_readings_add_rows_and_latencies() -> None:
    fast, slow = LatencyHistogram(), LatencyHistogram()
    fast.add(1_000)
    slow.add(9_000_000)
    found = merged_reading(
        [
            CounterReading(status=statuses("recording"), rows=3, bytes=30, latency=fast),
            CounterReading(status=statuses("recording"), rows=4, bytes=40, latency=slow),
        ]
    )
    assert (found.rows, found.bytes, found.latency.total, found.latency.peak) == (7, 70, 2, 9_000_000)


def test_the_report_adds_what_the_processes_wrote() -> None:
    own = VenueReport(
        venue=MOCK,
        instruments=2,
        events=5,
        orphans=0,
        malformed=1,
        unknown=0,
        dropped=0,
        gaps={"stall": 1},
        covered_ns=10,
        gap_ns={"stall": 3},
        lag_p50=None,
        lag_p99=4,
        lag_peak=6,
        failure=None,
    )
    one = replace(report_of({"deltas": 2, "trades": 1}), venues=(own,), damaged=("a",), recovered=1)
    other = replace(report_of({"deltas": 5}), venues=(replace(own, lag_p99=9, failure="gone"),), duration=8)
    found = merged_report([one, other])
    assert (found.rows, found.seals, found.recovered) == ({"deltas": 7, "trades": 1}, 2, 1)
    assert (found.damaged, found.duration) == (("a",), 8)
    (venue_,) = found.venues
    assert (venue_.instruments, venue_.events, venue_.malformed, venue_.covered_ns) == (4, 10, 2, 20)
    assert (venue_.gaps, venue_.gap_ns, venue_.failure) == ({"stall": 2}, {"stall": 6}, "gone")
    assert (venue_.lag_p50, venue_.lag_p99, venue_.lag_peak) == (None, 9, 6)
