"""Tests of predsurv.store.seal.partitions."""

from collections.abc import Sequence

import pyarrow as pa

from predsurv.core.events import BookDelta, BookSnapshot, MarketChange, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import Record
from predsurv.store.layout import NS_HOUR, NS_SECOND, Partition
from predsurv.store.seal.partitions import FileTable, file_tables
from predsurv.store.seal.tables import SegmentTables
from predsurv.store.wal.codec import BatchEncoder, decode

NOON = 1_800_014_400 * NS_SECOND


def key(name: str, venue: str = "mock") -> InstrumentKey:
    return InstrumentKey(VenueName(venue), MarketId("m" + name), InstrumentId(name))


def delta(name: str, ts: int, size: int = 0, venue: str = "mock") -> BookDelta:
    return BookDelta(key(name, venue), ts, ts - 1, 1, 2, "ask", Price(250_000), Size(size))


def tables(records: Sequence[Record]) -> list[FileTable]:
    collected = SegmentTables(2)
    collected.add(decode(BatchEncoder().encode(records).body))
    return list(file_tables(collected.contents(), 2, 7))


def test_empty_contents_make_no_file() -> None:
    assert list(file_tables(SegmentTables(2).contents(), 2, 7)) == []


def test_rows_are_partitioned_by_receive_time_and_venue() -> None:
    last = NOON + NS_HOUR - 1
    found = tables([delta("a", NOON), delta("a", last), delta("a", last + 1), delta("a", NOON, 0, "kalshi")])
    assert [(each.partition, each.table.num_rows, each.lo, each.hi) for each in found] == [
        (Partition("deltas", VenueName("kalshi"), "2027-01-15", 12), 1, NOON, NOON),
        (Partition("deltas", VenueName("mock"), "2027-01-15", 12), 2, NOON, last),
        (Partition("deltas", VenueName("mock"), "2027-01-15", 13), 1, last + 1, last + 1),
    ]


def test_rows_are_sorted_by_instrument_and_time_and_keep_the_order_of_arrival() -> None:
    book = BookSnapshot(key("a"), NOON, None, 1, None, ((Price(2), Size(8)), (Price(1), Size(9))), ())
    (found,) = tables(
        [delta("b", NOON, 1), delta("a", NOON, 2), book, delta("a", NOON, 3), delta("a", NOON - 5 + 5, 4)]
    )
    assert found.table["instrument_id"].to_pylist() == ["a"] * 6 + ["b"]
    assert [size and round(size * 1_000_000) for size in found.table["size"].to_pylist()] == [2, None, 8, 9, 3, 4, 1]
    assert found.table["arrival"].to_pylist() == [1, 2, 2, 2, 3, 4, 0]


def test_units_and_words_are_those_of_the_documentation() -> None:
    (found,) = tables([delta("a", NOON, 1_500_000)])
    row = found.table.drop_columns(["ts_recv", "ts_venue"]).to_pylist()[0]
    assert row == {
        "market_id": "ma", "instrument_id": "a", "kind": "change", "side": "ask", "price": 0.25, "size": 1.5,
        "epoch": 1, "seq": 2, "segment": 7, "arrival": 0,
    }  # fmt: skip
    assert found.table["ts_recv"].cast(pa.int64()).to_pylist() == [NOON]
    assert str(found.table["ts_recv"].type) == "timestamp[ns, tz=UTC]"


def test_a_row_about_a_whole_market_has_no_instrument() -> None:
    records: list[Record] = [
        MarketChange(VenueName("mock"), MarketId("m"), None, NOON, None, "paused", "{}"),
        MarketChange(VenueName("mock"), MarketId("m"), InstrumentId("y"), NOON, None, "paused", "{}"),
        Trade(key("y"), NOON, None, Price(1), Size(1), None, None),
    ]
    found = {each.partition.dataset: each.table for each in tables(records)}
    assert found["lifecycle"]["instrument_id"].to_pylist() == [None, "y"]
    assert found["trades"]["instrument_id"].to_pylist() == ["y"]
    assert found["trades"]["taker_side"].to_pylist() == [None]
