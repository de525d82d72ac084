"""Tests of predsurv.store.seal.tables."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core import native
from predsurv.core.events import BookDelta, BookSnapshot
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Coverage, Record, pack_levels
from predsurv.store.layout import NS_DAY, date_of
from predsurv.store.seal.tables import KINDS, SegmentContents, SegmentTables
from predsurv.store.wal.codec import BatchEncoder, decode


def key(number: int) -> InstrumentKey:
    return InstrumentKey(VenueName("mock"), MarketId(f"m{number}"), InstrumentId(f"i{number}"))


def delta(number: int) -> BookDelta:
    return BookDelta(key(number), number, None, 1, None, "ask", Price(1), Size(number))


@given(st.integers(0, 10 * NS_DAY), st.integers(0, 4 * NS_DAY))
def test_coverage_is_cut_at_midnights_and_loses_no_time(start: int, length: int) -> None:
    collected = SegmentTables(1)
    collected.add_records([Coverage(key(0), start, start + length, "covered", "live", 1)])
    table = collected.contents().tables["coverage"]
    pieces = list(zip(table["start"].to_pylist(), table["end"].to_pylist(), strict=True))
    assert sum(end - begin for begin, end in pieces) == length
    assert all(date_of(begin) == date_of(end - 1) for begin, end in pieces)
    assert [begin for begin, _ in pieces[1:]] == [end for _, end in pieces[:-1]]


def test_a_snapshot_is_a_clear_and_its_levels_best_first() -> None:
    collected = SegmentTables(1)
    levels = ((Price(5), Size(1)), (Price(4), Size(2)))
    collected.add_records([BookSnapshot(key(0), 9, 8, 1, 7, levels, ((Price(6), Size(3)),))])
    rows = collected.contents().tables["deltas"].to_pylist()
    assert [(KINDS[row["kind"]], row["side"], row["price"], row["size"]) for row in rows] == [
        ("clear", None, None, None),
        ("snapshot", 0, 5, 1),
        ("snapshot", 0, 4, 2),
        ("snapshot", 1, 6, 3),
    ]
    assert {(row["ts_recv"], row["ts_venue"], row["epoch"], row["seq"]) for row in rows} == {(9, 8, 1, 7)}


def test_a_top_has_its_levels_in_columns_and_no_more_than_wanted() -> None:
    collected = SegmentTables(2)
    levels = tuple((Price(price), Size(price * 10)) for price in (5, 4, 3))
    collected.add_records([BookTop(key(0), 9, None, pack_levels(levels), pack_levels(levels[:1]), trusted=False)])
    (row,) = collected.contents().tables["snapshots"].to_pylist()
    assert (row["bid_px_00"], row["bid_px_01"], row["bid_sz_01"]) == (5, 4, 40)
    assert (row["ask_px_00"], row["ask_px_01"], row["ask_sz_01"]) == (5, None, None)
    assert row["trusted"] is False


def without(lost: int) -> SegmentContents:
    encoder = BatchEncoder()
    collected = SegmentTables(1)
    for number, batch in enumerate([[delta(0)], [delta(0), delta(1)], [delta(0), delta(1)]]):
        body = encoder.encode(batch).body
        if number != lost:
            collected.add(decode(body))
    return collected.contents()


@pytest.mark.parametrize(
    ("lost", "rows", "unnamed"), [(0, [1, 1], 2), (1, [0, 0], 1), (2, [0, 0, 1], 0), (3, [0, 0, 1, 0, 1], 0)]
)
def test_changes_whose_key_is_in_a_lost_batch_are_counted_and_no_other_is_dropped(
    lost: int, rows: list[int], unnamed: int
) -> None:
    contents = without(lost)
    table = contents.tables["deltas"]
    assert table["size"].to_pylist() == rows
    assert [contents.keys[number] for number in table["key"].to_pylist()] == [key(row) for row in rows]
    assert contents.lost == unnamed


sides = st.lists(st.tuples(st.integers(-(2**62), 2**62), st.integers(0, 2**62)), max_size=5).map(tuple)


@pytest.mark.skipif(native.speedups is None, reason="there was no C compiler")
@given(st.lists(st.tuples(sides, sides), min_size=1, max_size=20), st.integers(1, 4))
def test_level_arrays_of_both_implementations_are_equal(books: list[tuple[Any, Any]], levels: int) -> None:
    tops: list[Record] = [
        BookTop(key(0), ts, None, pack_levels(bids), pack_levels(asks), trusted=True)
        for ts, (bids, asks) in enumerate(books)
    ]
    tables = []
    for speedups in (native.speedups, None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(native, "speedups", speedups)
            collected = SegmentTables(levels)
            collected.add_records(tops)
            tables.append(collected.contents().tables["snapshots"])
    tables[0].validate(full=True)
    assert tables[0].equals(tables[1])


@pytest.mark.skipif(native.speedups is None, reason="there was no C compiler")
@pytest.mark.parametrize(
    ("counts", "prices", "sizes"),
    [([1], 0, 0), ([0], 8, 8), ([2, -1], 8, 8), ([1], 12, 12), ([2**31 - 1], 8, 8), ([1], 8, 0), ([1], 8, 16)],
)
def test_counts_that_do_not_fit_the_levels_are_refused(counts: list[int], prices: int, sizes: int) -> None:
    assert native.speedups is not None
    with pytest.raises(ValueError, match="do not say"):
        native.speedups.level_arrays(struct.pack(f"{len(counts)}i", *counts), bytes(prices), bytes(sizes), 2)
