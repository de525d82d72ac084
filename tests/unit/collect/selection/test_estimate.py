"""Estimates follow from the plan and an earlier day, or from guesses that grow with volume."""

import pytest

from predsurv.collect.selection.estimate import DAY_S, GUESSED_BUSY, RecordedDay, WriteSettings, forecast, guessed_rate
from predsurv.collect.selection.planner import EXPLORING, Candidate, RotationHistory, SelectionRequest, plan
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.core.num import MICROS
from tests.kit.recorder_samples import VENUE, S

UNIVERSE = [
    Candidate(InstrumentKey(VENUE, MarketId(f"m{n}"), InstrumentId(f"i{n}")), True, n * 1_000 * MICROS)
    for n in range(100)
]
PACE = WriteSettings(
    rotation_period=300 * S,
    seal_interval=60 * S,
    snapshot_interval=S,
    heartbeat_interval=60 * S,
    instruments_per_connection=15,
    compact=True,
)
MADE = plan(SelectionRequest(candidates=UNIVERSE, capacity=40, explore_share=500_000), RotationHistory())


def test_an_earlier_day_is_scaled_to_the_instruments_of_the_plan() -> None:
    day = RecordedDay("2026-01-01", seconds=20 * DAY_S, messages=20 * DAY_S * 3, bytes=20 * 7_000_000)
    expected = forecast(MADE, UNIVERSE, PACE, day)
    assert (expected.instruments, expected.connections, expected.guessed) == (40, 3, False)
    assert expected.messages_per_s == pytest.approx(120)
    assert expected.bytes_per_day == 40 * 7_000_000
    assert expected.revisit == MADE.revisit * 300 * S


def test_without_an_earlier_day_resources_are_guessed_from_the_volume() -> None:
    expected = forecast(MADE, UNIVERSE, PACE, None)
    assert expected.guessed
    assert expected.messages_per_s == pytest.approx(
        sum(guessed_rate(each.volume_24h) for each in UNIVERSE if each.key in MADE.want)
    )
    assert expected.bytes_per_day > expected.messages_per_s * DAY_S
    assert forecast(MADE, UNIVERSE, PACE, RecordedDay("2026-01-01", 0, 5, 5)).guessed


def test_a_guess_grows_with_volume_up_to_a_bound() -> None:
    assert 0 < guessed_rate(0) < guessed_rate(10**6 * MICROS) < guessed_rate(10**12 * MICROS) == GUESSED_BUSY


@pytest.mark.parametrize(("compact", "hourly"), [(True, 24), (False, 1_440)])
def test_files_are_counted_as_they_are_after_compaction(compact: bool, hourly: int) -> None:
    pace = WriteSettings(
        rotation_period=S,
        seal_interval=60 * S,
        snapshot_interval=S,
        heartbeat_interval=S,
        instruments_per_connection=1,
        compact=compact,
    )
    assert forecast(MADE, UNIVERSE, pace, None).files_per_day == 3 * hourly + 3 * (1 if compact else 1_440)


def test_an_empty_plan_takes_no_resources() -> None:
    empty = plan(SelectionRequest(candidates=[], capacity=40, explore_share=0), RotationHistory())
    expected = forecast(empty, [], PACE, None)
    assert (expected.connections, expected.instruments, expected.files_per_day) == (0, 0, 0)


def test_books_that_are_opened_are_expected_as_often_as_they_will_be() -> None:
    day = RecordedDay("2026-01-01", seconds=100, messages=200, bytes=1_000, openings=50, opening_bytes=5_000)
    steady = RecordedDay("2026-01-01", seconds=100, messages=200, bytes=1_000)
    expected, without = (forecast(MADE, UNIVERSE, PACE, each) for each in (day, steady))
    swept = MADE.count(*EXPLORING)
    assert swept
    assert expected.bytes_per_day - without.bytes_per_day == 100 * (40 * 24 + swept * DAY_S // 300)
    assert expected.messages_per_s == without.messages_per_s == pytest.approx(80)
