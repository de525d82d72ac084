"""A damaged segment goes through its states, and repaired coverage has neither hole nor overlap."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.collect.resume.damage import DamageTracker, find_damage, fitted
from predsurv.core.events import CoverageReason
from predsurv.core.records import Coverage
from predsurv.store.layout import Layout, segment_name
from predsurv.store.seal.coverage_tail import SealedInterval
from predsurv.store.wal import quarantine
from tests.kit.recorder_samples import START, A, B


def covered(start: int, end: int) -> Coverage:
    return Coverage(A, start, end, "covered", "live", 1)


def opened(at: int, reason: CoverageReason = "crash") -> Coverage:
    return Coverage(A, at, at, "gap", reason, 0)


def spans(rows: list[Coverage]) -> list[tuple[int, int, str]]:
    return sorted((row.start, row.end, row.reason) for row in rows)


def test_sealed_coverage_that_joins_the_checkpoint_is_left_as_it_is() -> None:
    made = fitted([SealedInterval(A, 1, 5), SealedInterval(A, 5, 8)], [covered(8, 12)], [opened(12)], {})
    assert (spans(made.written), made.gaps) == ([(8, 12, "live")], [opened(12)])


def test_a_hole_in_sealed_coverage_becomes_a_crash() -> None:
    made = fitted([SealedInterval(A, 1, 5), SealedInterval(A, 7, 8)], [covered(10, 12)], [opened(12)], {})
    assert spans(made.written) == [(5, 7, "crash"), (8, 10, "crash"), (10, 12, "live")]
    assert made.gaps == [opened(12)]


def test_a_checkpoint_older_than_sealed_coverage_does_not_write_it_twice() -> None:
    made = fitted([SealedInterval(A, 1, 5), SealedInterval(A, 5, 20)], [covered(3, 12)], [opened(12)], {})
    assert (made.written, made.gaps) == ([], [opened(20)])
    made = fitted([SealedInterval(A, 1, 5)], [covered(3, 12)], [opened(12)], {})
    assert (spans(made.written), made.gaps) == ([(5, 12, "live")], [opened(12)])


def test_an_instrument_without_checkpoint_is_resumed_from_its_last_sealed_interval() -> None:
    assert fitted([SealedInterval(A, 1, 5)], [], [], {}).gaps == [opened(5)]
    assert fitted([SealedInterval(A, 1, 5)], [], [], {A: 5}).gaps == []
    assert spans(fitted([SealedInterval(A, 1, 5)], [], [], {A: 9}).written) == [(5, 9, "crash")]
    assert fitted([SealedInterval(A, 1, 5)], [], [], {A: 3}).gaps == [opened(5)]


def test_open_gaps_without_sealed_intervals_stay() -> None:
    assert fitted([], [], [opened(3, "rotated_out")], {B: 4}).gaps == [opened(3, "rotated_out")]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=6),
    st.none() | st.tuples(st.integers(0, 60), st.integers(1, 20)),
    st.none() | st.integers(0, 60),
)
def test_sealed_and_repaired_intervals_tile_time(
    steps: list[tuple[int, int]], open_: tuple[int, int] | None, ended: int | None
) -> None:
    now, sealed = 0, list[SealedInterval]()
    for pause, length in steps:
        now += pause
        sealed.append(SealedInterval(A, now, now + length))
        now += length
    written = [covered(open_[0], sum(open_))] if open_ else []
    gaps = [opened(sum(open_))] if open_ else []
    made = fitted(sealed, written, gaps, {} if ended is None else {A: ended})
    rows = sorted([(start, end) for _, start, end in sealed] + [(row.start, row.end) for row in made.written])
    assert all(before[1] == after[0] for before, after in pairwise(rows))
    assert all(start < end for start, end in rows)
    if rows and made.gaps:
        assert [gap.start for gap in made.gaps] == [rows[-1][1]]
    elif rows:
        assert rows[-1][1] == ended


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A folder whose segments 1 and 2 are in quarantine: ``lost``."""
    layout = Layout(tmp_path)
    layout.wal.mkdir(parents=True)
    for number in (1, 2):
        path = layout.wal / segment_name("c0", number)
        path.write_bytes(b"x")
        quarantine.move_segment(path, layout)
    return layout


async def test_a_damaged_segment_is_corrected_once_the_segment_with_its_correction_is_sealed(layout: Layout) -> None:
    tracker = DamageTracker(layout, "c0")
    assert tracker.to_correct() == frozenset()
    tracker.retracted(1, START)
    assert tracker.to_correct() == {1}
    tracker.correction_closed(4, tracker.to_correct())
    tracker.retracted(2, START)
    await tracker.segment_sealed(3)
    assert quarantine.damaged_segments(layout, "c0") == [1, 2]
    await tracker.segment_sealed(4)
    assert quarantine.damaged_segments(layout, "c0") == [2]
    assert tracker.to_correct() == {2}
    tracker.correction_closed(5, tracker.to_correct())
    await tracker.segment_sealed(5)
    assert quarantine.damaged_segments(layout, "c0") == [], "the marker stays until a start has compared everything"
    repair = find_damage(layout, "c0")
    assert repair is not None
    repair.clear()
    assert find_damage(layout, "c0") is None


async def test_a_marker_that_cannot_be_written_is_written_with_the_next_correction(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = DamageTracker(layout, "c0")
    tracker.retracted(1, START)
    tracker.correction_closed(4, tracker.to_correct())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(quarantine, "mark_retracted", full)
        await tracker.segment_sealed(4)
    assert quarantine.damaged_segments(layout, "c0") == [1, 2]
    assert tracker.to_correct() == {1}
    tracker.correction_closed(6, tracker.to_correct())
    await tracker.segment_sealed(6)
    assert quarantine.damaged_segments(layout, "c0") == [2]


def test_covered_time_is_sealed_as_a_crash_from_the_loss_until_the_recorder_retracted_it(layout: Layout) -> None:
    tracker = DamageTracker(layout, "c0")
    tracker.retraction.add({A.venue: 5})
    before = tracker.retraction.apply(covered(0, 10))
    assert spans(before) == [(0, 5, "live"), (5, 10, "crash")]
    tracker.retracted(1, 8)
    assert spans(tracker.retraction.apply(covered(0, 10))) == [(0, 5, "live"), (5, 8, "crash"), (8, 10, "live")]


def test_a_start_without_a_marker_has_nothing_to_repair(tmp_path: Path) -> None:
    assert find_damage(Layout(tmp_path), "c0") is None
