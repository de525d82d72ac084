"""Tests of predsurv.store.wal.codec."""

from array import array
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core import native
from predsurv.core.events import BookDelta, BookSnapshot, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.level_changes import LevelChanges, PackedRecord, each_record
from predsurv.core.num import Price, Size
from predsurv.core.packed_book import PackedBook
from predsurv.core.records import BookTop, Coverage, Record, pack_levels
from predsurv.store.wal import columns_codec
from predsurv.store.wal.codec import KEY_BATCHES_MAX, BatchEncoder, decode
from predsurv.store.wal.columns_codec import INT64_MAX
from predsurv.store.wal.packed_runs import ABSENT, unpack

needs_compiled = pytest.mark.skipif(native.speedups is None, reason="there was no C compiler")


@pytest.fixture(scope="module", params=["Python", pytest.param("compiled", marks=needs_compiled)], autouse=True)
def _packer(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "Python":
            patch.setattr(columns_codec, "columns_of", columns_codec.python_columns)
        yield


def key(number: int) -> InstrumentKey:
    return InstrumentKey(VenueName("mock"), MarketId(f"m{number}"), InstrumentId(f"i{number}"))


def delta(ts: int, number: int = 0, ts_venue: int | None = None, seq: int | None = None) -> BookDelta:
    return BookDelta(key(number), ts, ts_venue, 1, seq, "ask", Price(1), Size(2))


def ints(run: bytes) -> list[int]:
    return array("q", unpack([run], 8)).tolist()


def test_each_key_is_written_once_until_the_table_starts_anew() -> None:
    encoder = BatchEncoder()
    batches = [
        decode(encoder.encode([delta(ts, number) for number in (3, 4)]).body) for ts in range(KEY_BATCHES_MAX + 1)
    ]
    assert [batch.keys for batch in batches] == [[key(3), key(4)], *[[]] * (KEY_BATCHES_MAX - 1), [key(3), key(4)]]
    assert [batch.first_key for batch in batches] == [0, *[2] * (KEY_BATCHES_MAX - 1), 0]


def test_after_a_failed_write_the_key_table_starts_anew() -> None:
    encoder = BatchEncoder()
    encoder.encode([delta(1)])
    encoder.restart()
    batch = decode(encoder.encode([delta(2)]).body)
    assert (batch.first_key, batch.keys) == (0, [key(0)])


def test_every_record_has_its_time_in_order_of_arrival() -> None:
    coverage = Coverage(key(0), 7, 8, "covered", "live", 1)
    encoded = BatchEncoder().encode([delta(5), coverage, delta(3)])
    batch = decode(encoded.body)
    assert (encoded.records, ints(batch.times), batch.others) == (3, [5, 7, 3], [(1, coverage)])


@pytest.mark.parametrize("value", [None, 2**63, 2**70, -(2**63)])
def test_a_time_or_sequence_number_beyond_64_bits_is_absent(value: int | None) -> None:
    trade = Trade(key(0), 1, value, Price(1), Size(1), None, None)
    batch = decode(BatchEncoder().encode([delta(1, 0, value, value), delta(1, 0, INT64_MAX, 7), trade]).body)
    assert batch.deltas is not None
    assert ints(batch.deltas.ts_venue) == [ABSENT, INT64_MAX]
    assert ints(batch.deltas.seq) == [ABSENT, 7]
    assert batch.others == [(2, Trade(key(0), 1, None, Price(1), Size(1), None, None))]


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_in_one_way(body: bytes) -> None:
    try:
        decode(body)
    except msgspec.MsgspecError:
        return


times = st.integers(-(2**70), 2**70) | st.none() | st.integers(5, 6)
numbers = st.integers(0, 2**63 - 1)
either = st.sampled_from(["bid", "ask"])
sides = st.lists(st.tuples(numbers, numbers), max_size=3).map(tuple)
packed = sides.map(pack_levels)  # type: ignore[arg-type]
keys = st.integers(0, 3).map(key)
records = st.lists(
    st.one_of(
        st.builds(
            BookDelta, keys, numbers, times, st.just(3), times, st.sampled_from(["bid", "ask"]), numbers, numbers
        ),
        st.builds(BookSnapshot, keys, numbers, times, st.just(3), times, sides, sides),
        st.builds(BookTop, keys, numbers, times, packed, packed, st.booleans()),
        st.builds(Trade, keys, numbers, times, numbers, numbers, st.none(), st.none()),
        st.builds(Coverage, keys, numbers, numbers, st.just("gap"), st.just("crash"), numbers),
    ),
    min_size=1,
    max_size=12,
)


depths = st.dictionaries(st.integers(1, 999_999), st.integers(1, 2**62), max_size=5)
packed_books = st.builds(
    lambda key, ts_venue, seq, bids, asks: PackedBook(
        BookSnapshot(
            key,
            5,
            ts_venue,
            3,
            seq,
            tuple((Price(each), Size(bids[each])) for each in sorted(bids, reverse=True)),
            tuple((Price(each), Size(asks[each])) for each in sorted(asks)),
        )
    ),
    keys,
    st.none() | st.integers(0, 2**62),
    st.none() | st.integers(0, 2**62),
    depths,
    depths,
)
runs_between = st.lists(
    st.one_of(
        packed_books,
        st.builds(Trade, keys, numbers, times, numbers, numbers, st.none(), st.none()),
        st.lists(st.tuples(keys, numbers, either), min_size=1, max_size=4).map(
            lambda drawn: LevelChanges(
                [
                    BookDelta(key, 5, None, 3, None, side, Price(number), Size(number))  # type: ignore[arg-type]
                    for key, number, side in drawn
                ]
            )
        ),
    ),
    min_size=1,
    max_size=8,
)


def named(columns: columns_codec.Columns, table: dict[InstrumentKey, int]) -> tuple[object, ...]:
    """Return ``columns`` with their keys instead of numbers, which differ with the order of numbering."""
    by_number = list(table)
    count, times, deltas, books, tops, others = columns
    out: list[object] = [count, times, others]
    for runs, at in ((deltas, 0), (books, 1), (tops, 1)):
        if runs is None:
            out.append(None)
            continue
        out.append(([by_number[number] for number in ints(runs[at])], [*runs[:at], *runs[at + 1 :]]))
    return tuple(out)


@needs_compiled
@given(records)
def test_both_implementations_make_the_same_columns(listed: list[Record]) -> None:
    assert native.speedups is not None
    known = {key(3): 0, key(9): 1}
    tables = (dict(known), dict(known))
    made = (columns_codec.python_columns([*listed], tables[0]), native.speedups.columns_of([*listed], tables[1]))
    assert named(made[0], tables[0]) == named(made[1], tables[1])
    assert sorted(tables[0].values()) == list(range(len(tables[0])))
    assert sorted(tables[1].items()) == sorted((k, n) for n, k in enumerate(tables[1]))


@given(runs_between)
def test_packed_changes_and_books_are_written_as_if_they_were_not(listed: list[PackedRecord]) -> None:
    together, apart = BatchEncoder(), BatchEncoder()
    assert together.encode(listed) == apart.encode(each_record(listed))


@needs_compiled
@pytest.mark.parametrize(
    "record",
    [
        delta(2**64),
        delta(-(2**63) - 1),
        BookDelta(key(0), 1, None, 1, None, "ask", Price(2**64), Size(1)),
        BookDelta(key(0), 1, None, 1, None, "ask", Price(1), Size(2**64)),
        BookSnapshot(key(0), 1, None, 1, None, ((Price(1), Size(2**64)),), ()),
        BookSnapshot(key(0), 1, None, 1, None, [(1, 2)], ()),  # type: ignore[arg-type]
        BookSnapshot(key(0), 1, None, 1, None, ((1,),), ()),  # type: ignore[arg-type]
        BookDelta(key(0), 1, "x", 1, None, "ask", Price(1), Size(1)),  # type: ignore[arg-type]
        BookDelta([], 1, None, 1, None, "ask", Price(1), Size(1)),  # type: ignore[arg-type]
        BookTop(key(0), 1, None, b"12345678", b"", trusted=True),
        BookTop(key(0), 1, None, b"", (), trusted=True),  # type: ignore[arg-type]
        "no record",
    ],
)
def test_the_compiled_codec_refuses_values_beyond_64_bits(record: Record) -> None:
    assert native.speedups is not None
    with pytest.raises((OverflowError, TypeError, AttributeError)):
        native.speedups.columns_of([delta(1), record], {})


def test_coverage_logged_by_a_version_that_did_not_tell_channels_apart_is_read() -> None:
    """What the log of that version holds: the same batch, its coverage record without the last two fields."""
    row = Coverage(key(1), 10, 20, "covered", "live", 7, 250_000)
    body = msgspec.msgpack.decode(BatchEncoder().encode([row]).body)
    ((position, fields),) = body[-1]
    assert fields[-2:] == [None, None]
    body[-1] = [[position, fields[:-2]]]
    assert decode(msgspec.msgpack.encode(body)).others == [(0, row)]
