"""Panel, health check and metrics read the right figures of connections and venues."""

import pytest

from predsurv.collect.status import (
    STARTING_MAX,
    CollectorStatus,
    ConnectionStatus,
    State,
    VenueStatus,
    connections_of,
    health_of,
    state_of,
    total_gaps,
)
from predsurv.core.events import Connected, Disconnected
from tests.kit.recorder_samples import START, VENUE, A, B, C, S, book, delta, gap, recording


def test_every_connection_lists_its_books_the_one_without_data_for_longest_first() -> None:
    recorder = recording(A, B, C)
    recorder.apply([Connected(VENUE, START, 1, 1), Connected(VENUE, START + S, 2, 2)])
    recorder.apply([book(A, START + S), book(B, START + 2 * S, epoch=2), book(C, START + 2 * S, epoch=2)])
    recorder.apply([delta(B, START + 5 * S, 41, 1, epoch=2), gap(C, START + 6 * S, epoch=2)])
    assert connections_of(recorder.counters.connected_since, recorder.instruments.values()) == (
        ConnectionStatus(1, START, 1, 1, START + S),
        ConnectionStatus(2, START + S, 2, 1, START + 5 * S),
    )
    recorder.apply([Disconnected(VENUE, START + 7 * S, 1, 1, "reset")])
    assert [
        link.epoch for link in connections_of(recorder.counters.connected_since, recorder.instruments.values())
    ] == [2]


@pytest.mark.parametrize(
    ("before", "wanted", "trusted", "age", "expected"),
    [
        ("idle", 0, 0, 0, "idle"),
        ("idle", 5, 0, 0, "starting"),
        ("starting", 5, 0, STARTING_MAX - 1, "starting"),
        ("starting", 5, 0, STARTING_MAX, "blind"),
        ("starting", 5, 2, 0, "degraded"),
        ("degraded", 5, 3, 0, "recording"),
        ("recording", 5, 0, 0, "blind"),
        ("blind", 5, 0, 0, "blind"),
    ],
)
def test_the_state_of_a_venue_follows_its_trusted_books(
    before: State, wanted: int, trusted: int, age: int, expected: State
) -> None:
    assert state_of(before, wanted, trusted, age) == expected


def status(*states: State, paused: str | None = None) -> CollectorStatus:
    venues = tuple(
        VenueStatus(
            venue=VENUE.__class__(f"v{number}"),
            state=state,
            wanted=0 if state == "idle" else 4,
            trusted=0,
            events=0,
            connects=0,
            connections=(),
            gaps={"stall": number + 1},
            last_data=START,
        )
        for number, state in enumerate(states)
    )
    return CollectorStatus(at=0, now=START + 2 * S, venues=venues, paused=paused)


@pytest.mark.parametrize(
    ("given", "ok"),
    [
        (status(), True),
        (status("idle"), True),
        (status("recording"), True),
        (status("degraded"), True),
        (status("blind", "recording"), True),
        (status("blind", "idle"), False),
        (status("starting"), False),
        (status("recording", paused="disk full"), False),
    ],
)
def test_a_recording_is_healthy_while_it_writes_and_has_trusted_books(given: CollectorStatus, ok: bool) -> None:
    health = health_of(given)
    assert health["ok"] is ok


def test_health_says_how_old_the_data_is() -> None:
    venues = health_of(status("recording"))["venues"]
    assert venues["v0"]["last_data_age_s"] == 2.0  # type: ignore[index]
    assert venues["v0"]["gaps"] == {"stall": 1}  # type: ignore[index]


def test_gaps_of_all_venues_add_up_most_frequent_first() -> None:
    assert total_gaps(status("blind", "blind").venues) == {"stall": 3}
