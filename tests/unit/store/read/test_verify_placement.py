"""Tests of predsurv.store.read.verify_placement: rows in gaps, and rows outside of all coverage."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookDelta, BookSnapshot, GapReason, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, TradeId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Coverage, Record, pack_levels
from predsurv.net.clock import ManualClock
from predsurv.state.coverage import COVERED_DELAY, NOTHING_RECEIVED
from predsurv.store.layout import NS_HOUR, NS_SECOND, Layout, data_files, segments_of
from predsurv.store.locks import CollectorLock
from predsurv.store.read.verify import check_files, verify_recording
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog
from tests.kit.recordings import record

NOON = 1_800_014_400_000_000_000  # 2027-01-15T12:00:00Z
S = NS_SECOND
VENUE = VenueName("mock")
A, B = (InstrumentKey(VENUE, MarketId("m"), InstrumentId(name)) for name in "ab")
LEVELS = ((Price(500_000), Size(7)),)


def covered(key: InstrumentKey, start: int, end: int) -> Coverage:
    return Coverage(key, start, end, "covered", "live", 1)


def lost(key: InstrumentKey, start: int, end: int, reason: GapReason) -> Coverage:
    return Coverage(key, start, end, "gap", reason, 0)


def book(key: InstrumentKey, ts: int) -> BookSnapshot:
    return BookSnapshot(key, ts, None, 1, None, LEVELS, ())


def change(key: InstrumentKey, ts: int) -> BookDelta:
    return BookDelta(key, ts, None, 1, None, "bid", *LEVELS[0])


def top(key: InstrumentKey, ts: int, *, trusted: bool = True) -> BookTop:
    return BookTop(key, ts, None, pack_levels(LEVELS), b"", trusted)


def trade(key: InstrumentKey, ts: int) -> Trade:
    return Trade(key, ts, None, *LEVELS[0], "buy", TradeId("t"))


def found(data_dir: Path, *records: Record, copied: bool = False) -> list[tuple[str, str]]:
    """Record ``records`` and return the findings, in a copy of them if wanted: which check, and what."""
    record(data_dir, NOON, records)
    if not copied:
        with CollectorLock(data_dir / "state", "c0"):
            pass
    for path in segments_of(Layout(data_dir).wal, "c0"):
        path.unlink()  # a recorder that stopped leaves none
    return [(each.check, each.what) for each in check_files(Layout(data_dir))]


def one_gap(reason: GapReason) -> list[Record]:
    return [
        covered(A, NOON, NOON + 5 * S),
        lost(A, NOON + 5 * S, NOON + 9 * S, reason),
        covered(A, NOON + 9 * S, NOON + 60 * S),
    ]


@pytest.mark.parametrize("reason", sorted(NOTHING_RECEIVED))
@pytest.mark.parametrize("row", [change, top])
def test_a_row_of_a_book_in_a_gap_that_nothing_is_received_in_is_found(
    tmp_path: Path, reason: GapReason, row: Callable[[InstrumentKey, int], Record]
) -> None:
    rows: list[Record] = [book(A, NOON), row(A, NOON + 5 * S + 1), row(A, NOON + 9 * S - 1)]
    ((check, what),) = found(tmp_path, *one_gap(reason), *rows)
    assert check == "gap"
    assert what == (
        f"2 rows in gaps, where nothing was received; the first of a at 2027-01-15 12:00:05+00:00 in {reason} "
        "from 2027-01-15 12:00:05+00:00 to 2027-01-15 12:00:09+00:00"
    )


def test_rows_at_the_bounds_of_a_gap_are_those_that_made_them(tmp_path: Path) -> None:
    rows: list[Record] = [book(A, NOON), change(A, NOON + 5 * S), book(A, NOON + 9 * S), change(A, NOON + 60 * S)]
    assert found(tmp_path, *one_gap("clock_step"), *rows) == []


def test_what_was_recorded_until_a_stall_was_noticed_is_no_finding(tmp_path: Path) -> None:
    assert found(tmp_path, *one_gap("stall"), book(A, NOON), change(A, NOON + 7 * S), top(A, NOON + 8 * S)) == []


def test_a_row_that_says_that_the_book_is_unknown_and_a_trade_may_lie_in_a_gap(tmp_path: Path) -> None:
    rows: list[Record] = [book(A, NOON), top(A, NOON + 6 * S, trusted=False), trade(A, NOON + 7 * S)]
    assert found(tmp_path, *one_gap("clock_step"), *rows) == []


def test_the_gap_of_one_instrument_is_not_that_of_another(tmp_path: Path) -> None:
    rows: list[Record] = [covered(B, NOON, NOON + 60 * S), book(B, NOON), change(B, NOON + 7 * S)]
    assert found(tmp_path, *one_gap("rotated_out"), *rows) == []


def test_a_gap_over_hours_is_one_in_each_of_them(tmp_path: Path) -> None:
    end = NOON + 3 * NS_HOUR
    tiles = [covered(A, NOON, NOON + S), lost(A, NOON + S, end, "shutdown"), covered(A, end, end + S)]
    rows: list[Record] = [book(A, NOON), change(A, NOON + NS_HOUR), change(A, NOON + 2 * NS_HOUR + 5), book(A, end)]
    assert [check for check, _ in found(tmp_path, *tiles, *rows)] == ["gap", "gap"]


def test_rows_outside_of_all_coverage_are_found(tmp_path: Path) -> None:
    rows: list[Record] = [
        book(A, NOON),
        change(A, NOON + 61 * S),
        trade(A, NOON + 62 * S),
        book(B, NOON + S),
        trade(B, NOON + S),
    ]
    outside = found(tmp_path, *one_gap("clock_step"), *rows)
    assert sorted(what[: what.index(" at ")] for check, what in outside if check == "coverage") == [
        "1 rows outside of all coverage; the first of m",  # a trade of B's market is one of A's, which is covered
        "3 rows outside of all coverage; the first of a",
    ]


def test_beside_a_recorder_rows_may_be_sealed_before_their_coverage(tmp_path: Path) -> None:
    layout, clock = Layout(tmp_path), ManualClock(NOON)
    log = WriteAheadLog(layout.state, "c0", clock)
    log.append([covered(A, NOON, NOON + S), book(A, NOON), change(A, NOON + 2 * S), *one_gap("clock_step")[1:]])
    log.append([change(A, NOON + 6 * S)])
    log.flush()
    path = log.rotate()
    assert path is not None
    seal_segment(path, layout, clock)
    assert [each.check for each in check_files(layout)] == ["gap"]
    log.close()


def test_in_a_copy_of_a_running_recording_the_last_rows_may_be_without_their_coverage(tmp_path: Path) -> None:
    end = NOON + 1_000 * S
    rows: list[Record] = [covered(A, NOON, end - COVERED_DELAY), lost(B, NOON, end - 1, "subscribing")]
    rows += [book(A, NOON), change(A, end - S), book(B, end - 1), trade(A, end)]
    assert found(tmp_path / "copy", *rows, copied=True) == []
    assert [check for check, _ in found(tmp_path / "own", *rows)] == ["coverage", "coverage"]
    early = found(tmp_path / "early", *rows, change(A, NOON - S), copied=True)
    assert [check for check, _ in early] == ["coverage"]


def test_a_recording_without_coverage_is_not_compared(tmp_path: Path) -> None:
    assert found(tmp_path, book(A, NOON), change(A, NOON + S)) == []


def test_beside_damaged_coverage_only_what_is_known_counts(tmp_path: Path) -> None:
    first: list[Record] = [*one_gap("clock_step")[:2], book(A, NOON)]
    record(tmp_path, NOON, first, [covered(A, NOON + 9 * S, NOON + 60 * S), change(A, NOON + 20 * S)])
    damaged = data_files(Layout(tmp_path), "coverage")[-1]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert {each.check for each in verify_recording(Layout(tmp_path)).findings} == {"digest"}


@given(st.sets(st.integers(0, 40), min_size=2, max_size=12), st.lists(st.integers(-5, 45), max_size=20))
def test_a_row_is_found_exactly_when_it_lies_in_a_gap_or_outside(
    tmp_path_factory: pytest.TempPathFactory, bounds: set[int], rows: list[int]
) -> None:
    edges = [NOON + 1_800 * S + each * S for each in sorted(bounds)]
    tiles = [
        (lost(A, one, two, "clock_step") if number % 2 else covered(A, one, two))
        for number, (one, two) in enumerate(pairwise(edges))
    ]
    times = sorted(NOON + 1_800 * S + each * S for each in rows)
    data_dir = tmp_path_factory.mktemp("placed")
    counts = {check: int(what.split()[0]) for check, what in found(data_dir, *tiles, *(change(A, ts) for ts in times))}
    inside = sum(tile.start < ts < tile.end for ts in times for tile in tiles if tile.state == "gap")
    outside = sum(not edges[0] <= ts <= edges[-1] for ts in times)
    assert counts == {name: count for name, count in (("gap", inside), ("coverage", outside)) if count}
