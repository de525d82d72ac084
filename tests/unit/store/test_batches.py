"""Tests of predsurv.store.batches."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookDelta, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import Coverage
from predsurv.store.batches import ABSENT, INT64_MAX, KEY_BATCHES_MAX, Encoder, decode


def key(number: int) -> InstrumentKey:
    return InstrumentKey(VenueName("mock"), MarketId(f"m{number}"), InstrumentId(f"i{number}"))


def delta(ts: int, number: int = 0, ts_venue: int | None = None, seq: int | None = None) -> BookDelta:
    return BookDelta(key(number), ts, ts_venue, 1, seq, "ask", Price(1), Size(2))


def ints(run: bytes, width: int = 8) -> list[int]:
    return [int.from_bytes(run[i : i + width], "little", signed=True) for i in range(0, len(run), width)]


def test_each_key_is_written_once_until_the_table_starts_anew() -> None:
    encoder = Encoder()
    batches = [
        decode(encoder.encode([delta(ts, number) for number in (3, 4)]).body) for ts in range(KEY_BATCHES_MAX + 1)
    ]
    assert [batch.keys for batch in batches] == [[key(3), key(4)], *[[]] * (KEY_BATCHES_MAX - 1), [key(3), key(4)]]
    assert [batch.first_key for batch in batches] == [0, *[2] * (KEY_BATCHES_MAX - 1), 0]


def test_a_batch_that_was_not_written_costs_no_keys() -> None:
    encoder = Encoder()
    encoder.encode([delta(1)])
    encoder.restart()
    batch = decode(encoder.encode([delta(2)]).body)
    assert (batch.first_key, batch.keys) == (0, [key(0)])


def test_every_record_has_its_time_in_order_of_arrival() -> None:
    coverage = Coverage(key(0), 7, 8, "covered", "live", 1)
    encoded = Encoder().encode([delta(5), coverage, delta(3)])
    batch = decode(encoded.body)
    assert (encoded.records, ints(batch.times), batch.others) == (3, [5, 7, 3], [(1, coverage)])


@pytest.mark.parametrize("value", [None, 2**63, 2**70, -(2**63)])
def test_what_cannot_be_a_time_or_a_number_is_absent(value: int | None) -> None:
    trade = Trade(key(0), 1, value, Price(1), Size(1), None, None)
    batch = decode(Encoder().encode([delta(1, 0, value, value), delta(1, 0, INT64_MAX, 7), trade]).body)
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
