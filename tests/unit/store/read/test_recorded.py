"""Tests of predsurv.store.read.recorded."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from predsurv.core.errors import IntegrityError
from predsurv.core.events import CoverageReason
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.records import Coverage
from predsurv.store.layout import NS_DAY, Layout, data_files, date_of
from predsurv.store.read.recorded import recorded_time
from tests.kit.recordings import record

MOCK = VenueName("mock")
DAY = 1_800_014_400_000_000_000 // NS_DAY * NS_DAY
DATES = [date_of(DAY), date_of(DAY + NS_DAY)]
KEYS = [InstrumentKey(MOCK, MarketId(f"m{n}"), InstrumentId(f"i{n}")) for n in range(3)]


def covered(n: int, start: int, end: int) -> Coverage:
    return Coverage(KEYS[n], DAY + start, DAY + end, "covered", "live", 1)


def gap(n: int, start: int, end: int) -> Coverage:
    return Coverage(KEYS[n], DAY + start, DAY + end, "gap", "rotated_out", 1)


def test_an_instrument_was_recorded_from_its_first_covered_moment_to_its_last(tmp_path: Path) -> None:
    rows = [gap(0, 0, 5), covered(0, 5, 9), gap(0, 9, 20), covered(0, 20, 30), gap(1, 0, 30)]
    record(tmp_path, DAY, rows, [covered(0, 30, 40), covered(2, 3, NS_DAY), covered(2, NS_DAY, NS_DAY + 1)])
    found = recorded_time(tmp_path, MOCK, DAY, DAY + 2 * NS_DAY)
    assert [(each.key, each.first - DAY, each.last - DAY) for each in found.spans] == [
        (KEYS[0], 5, 40),
        (KEYS[2], 3, NS_DAY + 1),
    ]
    assert found.keys() == {KEYS[0], KEYS[2]}
    assert found.dates == set(DATES)


def test_collectors_are_told_apart(tmp_path: Path) -> None:
    record(tmp_path, DAY, [covered(0, 1, 2)], collector="a")
    record(tmp_path, DAY, [covered(0, 1, 9)], collector="b")
    assert [
        (each.collector, each.last - DAY) for each in recorded_time(tmp_path, MOCK, DAY, DAY + 2 * NS_DAY).spans
    ] == [
        ("a", 2),
        ("b", 9),
    ]


def test_days_without_coverage_rows_are_not_among_the_recorded(tmp_path: Path) -> None:
    assert recorded_time(tmp_path, MOCK, DAY, DAY + 2 * NS_DAY).dates == frozenset()
    record(tmp_path, DAY, [gap(0, NS_DAY, NS_DAY + 1)])
    found = recorded_time(tmp_path, MOCK, DAY, DAY + 2 * NS_DAY)
    assert not found.spans
    assert found.dates == {DATES[1]}


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    record(tmp_path, DAY, [covered(0, 1, 2)])
    [path] = data_files(Layout(tmp_path), "coverage")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(IntegrityError, match=path.name):
        recorded_time(tmp_path, MOCK, DAY, DAY + 2 * NS_DAY)


def test_time_outside_does_not_count(tmp_path: Path) -> None:
    record(tmp_path, DAY, [covered(0, -5, 3), covered(1, -9, -5), gap(2, -9, 9), covered(2, NS_DAY - 1, NS_DAY + 5)])
    found = recorded_time(tmp_path, MOCK, DAY, DAY + NS_DAY)
    assert [(each.key, each.first - DAY, each.last - DAY) for each in found.spans] == [
        (KEYS[0], 0, 3),
        (KEYS[2], NS_DAY - 1, NS_DAY),
    ]
    assert found.dates == {DATES[0]}
    assert recorded_time(tmp_path, MOCK, DAY - 2 * NS_DAY, DAY - NS_DAY).dates == frozenset()


def test_whether_trades_were_observed_is_told_where_it_was_recorded(tmp_path: Path) -> None:
    def heard(n: int, start: int, trades: CoverageReason | None) -> Coverage:
        return replace(covered(n, start, start + 5), trades=trades)

    rows = [heard(0, 0, "not_offered"), heard(0, 5, "polled"), heard(1, 0, "not_offered"), heard(2, 0, None)]
    record(tmp_path, DAY, rows, [heard(1, 5, "not_offered")])
    found = recorded_time(tmp_path, MOCK, DAY, DAY + NS_DAY)
    assert {each.key: each.trades for each in found.spans} == {KEYS[0]: True, KEYS[1]: False, KEYS[2]: None}
    assert found.without_trades() == {KEYS[1]}


def test_whether_a_book_was_polled_is_told(tmp_path: Path) -> None:
    rows = [covered(0, 0, 5), replace(covered(0, 5, 9), reason="polled"), covered(1, 0, 9)]
    record(tmp_path, DAY, rows, [gap(2, 0, 9)])
    assert recorded_time(tmp_path, MOCK, DAY, DAY + NS_DAY).polled() == {KEYS[0]}


def test_files_without_the_column_do_not_tell(tmp_path: Path) -> None:
    record(tmp_path, DAY, [replace(covered(0, 0, 5), trades="live")])
    [path] = data_files(Layout(tmp_path), "coverage")
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["trades", "lifecycle"]), path)
    (tmp_path / "state" / "manifest").rename(tmp_path / "elsewhere")
    [span] = recorded_time(tmp_path, MOCK, DAY, DAY + NS_DAY).spans
    assert (span.key, span.trades) == (KEYS[0], None)
