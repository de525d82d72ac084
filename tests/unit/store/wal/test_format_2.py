"""Tests of predsurv.store.wal.format_2: what a version before wrote is read as what was told to it."""

import struct
from array import array
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookDelta, BookSnapshot, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Record, pack_levels
from predsurv.store.seal.tables import SegmentTables
from predsurv.store.wal import format_2
from predsurv.store.wal.codec import BatchEncoder, EncodedBatch, LogBatch, decode
from predsurv.store.wal.packed_runs import ABSENT
from predsurv.store.wal.segment import SegmentHeader, SegmentReader, SegmentWriter

KEYS = [InstrumentKey(VenueName("mock"), MarketId(f"m{number}"), InstrumentId(f"i{number}")) for number in range(3)]


def run(values: list[int | None]) -> bytes:
    """Return values as that version did: one for all where all are equal."""
    stored = [ABSENT if value is None else value for value in values]
    return struct.pack(f"{len(stored)}q", *stored) if len(set(stored)) > 1 else struct.pack("q", stored[0])


def body(records: list[Record]) -> bytes:
    """Return the body of a batch as format 2 had it."""
    deltas = [each for each in records if isinstance(each, BookDelta)]
    books = [(at, each) for at, each in enumerate(records) if isinstance(each, BookSnapshot)]
    tops = [(at, each) for at, each in enumerate(records) if isinstance(each, BookTop)]
    columns = [
        array("i", [KEYS.index(each.key) for each in deltas]).tobytes(),
        *(run([getattr(each, name) for each in deltas]) for name in ("ts_venue", "epoch", "seq") if deltas),
        array("q", [each.price for each in deltas]).tobytes(),
        array("q", [each.size if each.side == "bid" else ~each.size for each in deltas]).tobytes(),
    ]
    return msgspec.msgpack.encode(
        [
            0,
            KEYS,
            array("q", [each.ts_recv for each in records]).tobytes(),  # type: ignore[union-attr]
            columns if deltas else None,
            _whole(books, [each.epoch for _, each in books], [each.seq for _, each in books]),
            _whole(tops, [int(each.trusted) for _, each in tops], [None]),
            [(at, each) for at, each in enumerate(records) if isinstance(each, Trade)],
        ]
    )


def _whole(
    books: list[tuple[int, BookSnapshot]] | list[tuple[int, BookTop]], mark: list[int], seq: list[int | None]
) -> list[bytes] | None:
    if not books:
        return None
    sides = [
        [side if isinstance(side, bytes) else pack_levels(side) for side in sides]
        for sides in ([each.bids for _, each in books], [each.asks for _, each in books])
    ]
    return [
        array("i", [at for at, _ in books]).tobytes(),
        array("i", [KEYS.index(each.key) for _, each in books]).tobytes(),
        run([each.ts_venue for _, each in books]),
        run([*mark]),
        run(seq),
        *(array("i", [len(side) // 16 for side in each]).tobytes() for each in sides),
        *(b"".join(each) for each in sides),
    ]


keys, times = st.sampled_from(KEYS), st.none() | st.integers(5, 2**61)
numbers, epochs = st.integers(0, 2**50), st.integers(0, 2**40)
levels = st.lists(st.tuples(numbers, numbers), max_size=3).map(tuple)
packed = levels.map(pack_levels)  # type: ignore[arg-type]
records = st.lists(
    st.one_of(
        st.builds(BookDelta, keys, numbers, times, epochs, times, st.sampled_from(["bid", "ask"]), numbers, numbers),
        st.builds(BookSnapshot, keys, numbers, times, epochs, times, levels, levels),
        st.builds(BookTop, keys, numbers, times, packed, packed, st.booleans()),
        st.builds(Trade, keys, numbers, times, numbers, numbers, st.sampled_from(["buy", None]), st.none()),
    ),
    min_size=1,
    max_size=12,
)


def rows(batch: LogBatch) -> dict[str, list[dict[str, object]]]:
    tables = SegmentTables(2)
    tables.add(batch)
    contents = tables.contents()
    named = {name: table.to_pylist() for name, table in contents.tables.items()}
    return {name: [row | {"key": contents.keys[row["key"]]} for row in table] for name, table in named.items()}


@given(records)
def test_a_batch_of_format_2_holds_the_rows_of_one_of_today(listed: list[Record]) -> None:
    assert rows(format_2.decode(body(listed))) == rows(decode(BatchEncoder().encode(listed).body))


def test_a_segment_that_a_version_before_left_is_read(tmp_path: Path) -> None:
    listed: list[Record] = [BookDelta(KEYS[1], 9, 8, 3, None, side, Price(500), Size(0)) for side in ("bid", "ask")]
    path = tmp_path / "c0-000000000001.db"
    writer = SegmentWriter(path, SegmentHeader(2, "c0", 1, 5))
    writer.commit([EncodedBatch(2, body(listed))], {})
    writer.close()
    with closing(SegmentReader(path)) as reader:
        (batch,) = reader.batches()
        assert (rows(batch), reader.damaged) == (rows(decode(BatchEncoder().encode(listed).body)), [])


@pytest.mark.parametrize("cut", [1, 4, 12])
def test_a_malformed_batch_of_format_2_is_refused(cut: int) -> None:
    fields = msgspec.msgpack.decode(body([BookDelta(KEYS[0], 1, 2, 3, 4, "ask", Price(1), Size(2))]))
    fields[3][5] = fields[3][5][:-cut]
    with pytest.raises(ValueError):  # noqa: PT011 as `SegmentReader` takes any for damage
        rows(format_2.decode(msgspec.msgpack.encode(fields)))
