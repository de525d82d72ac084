"""A checkpoint holds exactly what a restart needs: no second is lost, none is accounted for twice."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.collect.recording.recorder import Recorder
from predsurv.collect.resume.checkpoint import CheckpointWriter, OpenIntervals, entries_after, open_intervals
from predsurv.core.events import ChannelChange, CoverageReason, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS
from predsurv.core.records import Coverage, CoverageState, Record
from tests.kit.recorder_samples import KEYS, POLICY, START, VENUE, A, B, C, S, book, recording, streams

RESTART = START + 1_000_000 * S  # after anything that a stream can contain


def interval(key: InstrumentKey, start: int, state: CoverageState, reason: CoverageReason) -> Coverage:
    return Coverage(key, START + start * S, START + start * S, state, reason, 1, 250_000)


def test_what_was_open_counts_until_the_watermark_and_is_a_crash_from_there() -> None:
    writer = CheckpointWriter(VENUE)
    checkpoint = dict(
        writer.update(
            [
                (A, interval(A, 1, "covered", "live")),
                (B, interval(B, 2, "gap", "rotated_out")),
                (C, interval(C, 3, "gap", "shutdown")),
            ]
        )
    )
    checkpoint.update([writer.alive(START + 9 * S)])
    left = open_intervals(VENUE, checkpoint)
    assert left.watermark == START + 9 * S
    assert left.written == [Coverage(A, START + S, START + 9 * S, "covered", "live", 1, 250_000)]
    assert {gap.key: (gap.start - START, gap.reason) for gap in left.gaps} == {
        A: (9 * S, "crash"),
        B: (2 * S, "rotated_out"),
        C: (3 * S, "shutdown"),
    }


@pytest.mark.parametrize(("last_record", "expected"), [(0, 5), (START + 7 * S, 7)])
def test_a_record_later_than_the_checkpointed_watermark_moves_it(last_record: int, expected: int) -> None:
    writer = CheckpointWriter(VENUE)
    checkpoint = dict([*writer.update([(A, interval(A, 1, "covered", "live"))]), writer.alive(START + 5 * S)])
    left = open_intervals(VENUE, checkpoint, last_record)
    assert [row.end for row in left.written] == [gap.start for gap in left.gaps] == [START + expected * S]


def test_a_venue_left_out_of_a_run_keeps_its_open_gaps_and_writes_nothing_twice() -> None:
    writer = CheckpointWriter(VENUE)
    checkpoint = dict(
        writer.update([(A, interval(A, 1, "covered", "live")), (B, interval(B, 2, "gap", "rotated_out"))])
    )
    checkpoint |= dict([writer.alive(START + 9 * S)])
    left = open_intervals(VENUE, checkpoint)
    assert left.written
    again = open_intervals(VENUE, checkpoint | dict(entries_after(VENUE, left, checkpoint)))
    assert again == OpenIntervals([], left.gaps, left.watermark)
    gone = open_intervals(VENUE, checkpoint | dict(entries_after(VENUE, OpenIntervals([], [], 7), checkpoint)))
    assert gone == OpenIntervals([], [], 7)


def test_the_latest_entry_of_an_instrument_counts_and_other_venues_do_not() -> None:
    writer = CheckpointWriter(VENUE)
    checkpoint = dict(writer.update([(A, interval(A, 1, "covered", "live")), (B, interval(B, 1, "covered", "live"))]))
    checkpoint |= dict(writer.update([(A, None)]))
    assert [gap.key for gap in open_intervals(VENUE, checkpoint).gaps] == [B]
    assert open_intervals(KEYS[0].venue.__class__("elsewhere"), checkpoint) == OpenIntervals([], [], 0)


def test_a_change_rewrites_one_entry_only() -> None:
    writer = CheckpointWriter(VENUE)
    writer.update([(key, interval(key, 1, "covered", "live")) for key in KEYS])
    assert len(writer.update([(A, interval(A, 2, "gap", "stall"))])) == 1
    assert writer.update([]) == []


def test_a_crash_loses_nothing_of_what_is_known_of_the_channels() -> None:
    recorder, writer = recording(A), CheckpointWriter(VENUE)
    recorder.apply([book(A, START), ChannelChange(VENUE, START + 4 * S, "trades", "disconnect")])
    checkpoint = dict(writer.update(recorder.coverage.take_changes()))
    checkpoint |= dict([*writer.channels(recorder.coverage.channels.states), writer.alive(START + 9 * S)])
    assert writer.channels(recorder.coverage.channels.states) == [], "written when it changed only"
    rows = open_intervals(VENUE, checkpoint).written
    assert [((row.end - START) // S, row.trades, row.lifecycle) for row in rows] == [
        (4, "live", "live"),
        (9, "disconnect", "live"),
    ]
    del checkpoint[f"channels:{VENUE}"]
    rows = open_intervals(VENUE, checkpoint).written
    assert [(row.trades, row.lifecycle) for row in rows] == [(None, None)], "of a version that did not know"


@given(streams(), streams(RESTART), st.integers(0, 8), st.booleans())
def test_time_is_tiled_across_a_kill_or_stop_after_any_commit(
    before: list[list[MarketEvent]], after: list[list[MarketEvent]], death: int, stopped: bool
) -> None:
    kept: list[Record] = []
    checkpoint: dict[str, bytes] = {}

    def commit(recorder: Recorder, writer: CheckpointWriter, records: list[Record]) -> None:
        kept.extend(records)
        checkpoint.update(writer.update(recorder.coverage.take_changes()))
        checkpoint.update([writer.alive(recorder.watermark)])

    first, writer = recording(*KEYS), CheckpointWriter(VENUE)
    commit(first, writer, first.apply([book(A, START)]))
    for batch in before[:death]:
        commit(first, writer, first.apply(batch))
    if stopped:
        commit(first, writer, first.stop())

    second, writer = Recorder(POLICY), CheckpointWriter(VENUE)
    left = open_intervals(VENUE, checkpoint)
    second.coverage.resume(left.gaps)
    second.advance(RESTART)
    commit(second, writer, [*left.written, *second.want(dict.fromkeys(KEYS, MICROS), {})])
    for batch in after:
        commit(second, writer, second.apply(batch))
    second.advance(second.watermark + 9 * S)
    commit(second, writer, second.stop())

    for key in KEYS:
        intervals = [row for row in kept if isinstance(row, Coverage) and row.key == key]
        assert intervals[0].start == START
        assert all(left.end == right.start for left, right in pairwise(intervals))
        assert intervals[-1].end == second.watermark
        lost = [row for row in intervals if row.reason == ("shutdown" if stopped else "crash")]
        assert sum(row.end - row.start for row in lost) >= RESTART - first.watermark
