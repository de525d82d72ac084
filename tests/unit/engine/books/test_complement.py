"""The complement of a book is exact at every moment."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookDelta
from predsurv.core.num import complement
from predsurv.engine.books.complement import ComplementBook
from predsurv.state.book import Book
from tests.kit.trading_samples import NO, START, YES, book, cents, delta, gap, levels, shares


def pair() -> tuple[Book, ComplementBook]:
    source = Book(YES)
    source.apply(book(bids=((49, 100), (48, 7)), asks=((52, 5),)))
    return source, ComplementBook(NO, source)


def test_the_complements_bids_are_the_sources_asks() -> None:
    source, complemented = pair()
    assert complemented.best_bid() == (cents(48), shares(5))
    assert complemented.best_ask() == (cents(51), shares(100))
    assert complemented.top(5) == (levels((48, 5)), levels((51, 100), (52, 7)))
    assert complemented.asks.size_at(cents(52)) == shares(7)
    assert complemented.asks.depth_until(cents(52)) == shares(107)
    assert (len(complemented.bids.levels()), len(complemented.asks.levels())) == (1, 2)
    assert not complemented.crossed()
    assert complemented.source is source


def test_the_complement_follows_its_source_and_keeps_its_top_while_unchanged() -> None:
    source, complemented = pair()
    top = complemented.asks.top(2)
    assert complemented.asks.top(2) is top
    source.apply(delta("bid", 49, 0, START + 1))
    assert complemented.asks.top(2) == levels((52, 7))
    source.apply(delta("ask", 52, 0, START + 2))
    assert complemented.best_bid() is None


def test_the_complements_times_and_trust_are_the_sources() -> None:
    source, complemented = pair()
    assert (complemented.key, complemented.ts_recv, complemented.ts_venue) == (NO, START, None)
    assert source.trusted is complemented.trusted is True
    source.apply(gap(START + 5))
    assert source.trusted is complemented.trusted is False
    assert complemented.ts_recv == START + 5


changes = st.builds(delta, st.sampled_from(["bid", "ask"]), st.integers(1, 99), st.integers(0, 9))


@given(st.lists(changes, max_size=30), st.integers(1, 5))
def test_the_complement_is_exact_after_any_changes(events: list[BookDelta], count: int) -> None:
    source, complemented = pair()
    for event in events:
        source.apply(event)
        for side, other in ((complemented.bids, source.asks), (complemented.asks, source.bids)):
            expected = tuple((complement(price), size) for price, size in other.levels())
            assert side.levels() == expected
            assert side.top(count) == expected[:count]
            assert side.best() == (expected[0] if expected else None)
