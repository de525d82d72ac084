"""The other outcome's book is the same book turned around, at every moment."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookDelta
from predsurv.core.num import complement
from predsurv.core.records import unpack_levels
from predsurv.engine.books.complement import ComplementBook
from predsurv.state.book import Book
from tests.kit.trading_samples import NO, START, YES, book, cents, delta, levels, shares


def pair() -> tuple[Book, ComplementBook]:
    source = Book(YES)
    source.apply(book(bids=((49, 100), (48, 7)), asks=((52, 5),)))
    return source, ComplementBook(NO, source)


def test_bids_are_the_others_asks() -> None:
    source, mirrored = pair()
    assert mirrored.best_bid() == (cents(48), shares(5))
    assert mirrored.best_ask() == (cents(51), shares(100))
    assert mirrored.top(5) == (levels((48, 5)), levels((51, 100), (52, 7)))
    assert mirrored.asks.size_at(cents(52)) == shares(7)
    assert mirrored.asks.depth_until(cents(52)) == shares(107)
    assert (len(mirrored.bids), len(mirrored.asks)) == (1, 2)
    assert not mirrored.crossed()
    assert mirrored.source is source


def test_it_follows_and_keeps_its_top_while_nothing_changes() -> None:
    source, mirrored = pair()
    top = mirrored.asks.top(2)
    assert mirrored.asks.top(2) is top
    source.apply(delta("bid", 49, 0, START + 1))
    assert mirrored.asks.top(2) == levels((52, 7))
    source.apply(delta("ask", 52, 0, START + 2))
    assert mirrored.best_bid() is None


def test_its_stamps_are_the_sources() -> None:
    source, mirrored = pair()
    assert (mirrored.ts_recv, mirrored.ts_venue, mirrored.epoch, mirrored.seq) == (START, None, 1, None)
    turned = mirrored.as_snapshot(START + 5)
    assert (turned.key, turned.bids, turned.asks) == (NO, levels((48, 5)), levels((51, 100), (52, 7)))
    assert source.trusted is mirrored.trusted is True


changes = st.builds(delta, st.sampled_from(["bid", "ask"]), st.integers(1, 99), st.integers(0, 9))


@given(st.lists(changes, max_size=30), st.integers(1, 5))
def test_it_is_always_exactly_the_other_side(events: list[BookDelta], count: int) -> None:
    source, mirrored = pair()
    for event in events:
        source.apply(event)
        for side, other in ((mirrored.bids, source.asks), (mirrored.asks, source.bids)):
            turned = tuple((complement(price), size) for price, size in other.levels())
            assert side.levels() == turned
            assert side.top(count) == turned[:count]
            assert unpack_levels(side.packed(count)) == turned[:count]
            assert side.best() == (turned[0] if turned else None)
