"""Panel, health check and metrics read the right figures of connections and venues."""

import pytest
from msgspec.structs import replace

from predsurv.collect.status import (
    STARTING_MAX,
    ConnectionStatus,
    State,
    connections_of,
    missing_of,
    missing_text,
    state_of,
    total_gap_time,
)
from predsurv.core.events import Connected, Disconnected
from tests.kit.collector_statuses import statuses
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


def test_gap_time_of_all_venues_adds_up_most_first() -> None:
    one, other = statuses("blind", "blind").venues
    told = [replace(one, gap_ns={"stall": 3, "disconnect": 1}), replace(other, gap_ns={"disconnect": 4})]
    assert list(total_gap_time(told).items()) == [("disconnect", 5), ("stall", 3)]


def test_what_is_missing_is_told_by_the_reason_for_which_it_was_lost_first() -> None:
    recorder = recording(A, B, C)
    recorder.apply([book(A, START + S), book(B, START + S)])
    recorder.apply([gap(A, START + 2 * S, "stall"), gap(A, START + 3 * S, "disconnect"), gap(B, START + 3 * S)])
    counters = recorder.counters
    missing = missing_of(counters.lost.values(), len(recorder.instruments) - counters.trusted)
    assert missing == {"stall": 1, "disconnect": 1, "subscribing": 1}
    assert missing_text({"stall": 1_200, "subscribing": 1}) == "1,200 stall, 1 subscribing"
    recorder.apply([book(key, START + 4 * S) for key in (A, B, C)])
    assert missing_of(counters.lost.values(), len(recorder.instruments) - counters.trusted) == {}
    recorder.apply([gap(A, START + 5 * S)])
    recorder.drop([A])
    assert missing_of(counters.lost.values(), len(recorder.instruments) - counters.trusted) == {}
