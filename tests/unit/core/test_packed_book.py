"""A packed book says what the snapshot says, in Python and compiled."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.events import BookSnapshot, Level
from predsurv.core.level_changes import PackedEvent, count_of, each_event, each_record
from predsurv.core.native import speedups
from predsurv.core.num import Price, Size
from predsurv.core.packed_book import PackedBook, PythonPackedBook
from predsurv.state.book import Book
from tests.kit.recorder_samples import KEYS, START, A, book, trade

Made = Callable[[BookSnapshot], PythonPackedBook]
needs_compiled = pytest.mark.skipif(speedups is None, reason="there was no C compiler")
both = pytest.mark.parametrize("made", [PythonPackedBook, pytest.param(PackedBook, marks=needs_compiled)])

times = st.none() | st.integers(-(2**63) + 1, 2**63 - 1)
sizes = st.integers(1, 2**63 - 1)


def side(prices: dict[int, int], *, descending: bool) -> tuple[Level, ...]:
    return tuple((Price(price), Size(prices[price])) for price in sorted(prices, reverse=descending))


sides = st.dictionaries(st.integers(-5, 1_000_005), sizes, max_size=9)
books = st.builds(
    lambda key, ts_venue, seq, bids, asks: BookSnapshot(
        key, START, ts_venue, 7, seq, side(bids, descending=True), side(asks, descending=False)
    ),
    st.sampled_from(KEYS),
    times,
    times,
    sides,
    sides,
)


@both
@given(said=books)
def test_a_packed_book_is_the_snapshot(made: Made, said: BookSnapshot) -> None:
    packed = made(said)
    assert list(packed) == list(packed) == [said]
    facts = (len(packed), packed.key, packed.ts_recv, packed.ts_venue, packed.epoch)
    assert facts == (1, said.key, START, said.ts_venue, 7)


@given(books, books)
def test_a_book_takes_it_as_it_takes_the_snapshot(before: BookSnapshot, said: BookSnapshot) -> None:
    plain, other = Book(A), Book(A)
    for each in (before, said):
        plain.apply(each)
        assert other.bids.packed(3) == other.bids.packed(3)
        other.apply(PackedBook(each))
    assert other.trusted
    assert plain.as_snapshot(5) == other.as_snapshot(5)
    assert plain.top(4) == other.top(4)
    assert (plain.bids.packed(2), plain.asks.packed(2)) == (other.bids.packed(2), other.asks.packed(2))


@both
@pytest.mark.parametrize(
    "bids",
    [((Price(4), Size(1)), (Price(5), Size(1))), ((Price(4), Size(1)), (Price(4), Size(2))), ((Price(4), Size(0)),)],
)
def test_levels_are_in_order_and_none_is_empty(made: Made, bids: tuple[Level, ...]) -> None:
    with pytest.raises(ValueError, match="best first, and none is empty"):
        made(replace(book(A, START), bids=bids))
    with pytest.raises(ValueError, match="best first, and none is empty"):
        made(replace(book(A, START), asks=bids[::-1]))


@needs_compiled
@pytest.mark.parametrize(
    "given",
    [
        replace(book(A, START), ts_recv=2**63),
        replace(book(A, START), epoch=2**63),
        replace(book(A, START), ts_venue=2**63),
        replace(book(A, START), seq=-(2**70)),
        replace(book(A, START), bids=((Price(2**63), Size(1)),)),
        replace(book(A, START), asks=((Price(1), Size(2**63)),)),
    ],
)
def test_the_compiled_one_holds_64_bits(given: BookSnapshot) -> None:
    with pytest.raises(OverflowError):
        PackedBook(given)


@needs_compiled
def test_the_compiled_one_refuses_what_is_no_book() -> None:
    kind: Any = PackedBook
    plain = book(A, START)
    for wrong in (
        trade(A, START),
        None,
        replace(plain, bids=[]),
        replace(plain, asks=((1,),)),
        replace(plain, seq="x"),
    ):
        with pytest.raises(TypeError):
            kind(wrong)
    with pytest.raises(TypeError):
        kind(plain, snapshot=plain)
    for wrong in (plain, None):
        with pytest.raises(TypeError):
            Book(A).load(wrong)  # type: ignore[arg-type]


def test_it_counts_as_one_and_is_taken_apart() -> None:
    said, sale = book(A, START), trade(A, START)
    items: list[PackedEvent] = [sale, PackedBook(said)]
    assert count_of(items) == 2
    assert each_event(items) == each_record([sale, PackedBook(said)]) == [sale, said]
