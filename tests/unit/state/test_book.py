"""A book takes snapshots, applies deltas, and is untrusted after a gap."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookDelta, BookSnapshot, Gap
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, Side
from predsurv.core.ids import VenueName as V
from predsurv.core.native import speedups
from predsurv.core.num import Price, Size
from predsurv.state.book import Book, BookCore, PythonBookCore
from predsurv.state.ladder import PythonLadder

KEY = InstrumentKey(V("mock"), MarketId("m"), InstrumentId("y"))


def snapshot(bids: dict[int, int], asks: dict[int, int], ts: int = 1) -> BookSnapshot:
    def levels(side: dict[int, int]) -> tuple[tuple[Price, Size], ...]:
        return tuple((Price(p), Size(s)) for p, s in side.items())

    return BookSnapshot(KEY, ts, ts - 1, 1, None, levels(bids), levels(asks))


def delta(side: Side, price: int, size: int, ts: int = 2) -> BookDelta:
    return BookDelta(KEY, ts, None, 1, None, side, Price(price), Size(size))


def test_a_book_uses_the_compiled_core_and_ladders_when_they_are_built() -> None:
    made, compiled = Book(KEY), speedups is not None
    assert [isinstance(side, PythonLadder) for side in (made.bids, made.asks)] == [not compiled, not compiled]
    assert any(base.__module__ == "predsurv._speedups" for base in type(made).__mro__) == compiled


def test_an_empty_side_is_none() -> None:
    book = Book(KEY)
    book.apply(snapshot({}, {60: 1}))
    assert book.best_bid() is None
    assert book.best_ask() == (60, 1)
    assert not book.crossed()


def test_a_snapshot_replaces_the_whole_book() -> None:
    book = Book(KEY)
    book.apply(snapshot({50: 1}, {60: 1}))
    book.apply(snapshot({40: 2}, {}))
    assert book.top(5) == (((40, 2),), ())


def test_nothing_is_trusted_before_the_first_snapshot() -> None:
    book = Book(KEY)
    book.apply(delta("bid", 50, 5))
    assert not book.trusted
    assert book.best_bid() is None


def test_a_gap_stops_deltas_until_a_snapshot() -> None:
    book = Book(KEY)
    book.apply(snapshot({50: 1}, {60: 1}))
    book.apply(Gap(KEY, 2, "seq_gap", 1))
    book.apply(delta("bid", 51, 7, ts=3))
    assert not book.trusted
    assert book.best_bid() == (50, 1)
    book.apply(snapshot({52: 1}, {60: 1}, ts=4))
    assert book.trusted
    assert book.best_bid() == (52, 1)


def test_crossed_means_bid_at_or_above_ask() -> None:
    book = Book(KEY)
    book.apply(snapshot({60: 1}, {60: 1}))
    assert book.crossed()
    book.apply(delta("bid", 60, 0))
    assert not book.crossed()


changes = st.lists(st.tuples(st.sampled_from(["bid", "ask"]), st.integers(1, 20), st.integers(0, 5)), max_size=40)


@given(changes)
def test_a_books_own_snapshot_rebuilds_it(moves: list[tuple[Side, int, int]]) -> None:
    book = Book(KEY)
    book.apply(snapshot({}, {}))
    for side, price, size in moves:
        book.apply(delta(side, price, size))
    copy = Book(KEY)
    copy.apply(book.as_snapshot(99))
    assert copy.top(100) == book.top(100)
    assert copy.ts_recv == 99
    assert copy.ts_venue == book.ts_venue


@given(st.lists(st.tuples(st.sampled_from(["bid", "ask"]), st.integers(1, 30), st.integers(0, 3), st.booleans())))
def test_both_book_cores_apply_deltas_alike(moves: list[tuple[Side, int, int, bool]]) -> None:
    cores = (PythonBookCore(KEY), BookCore(KEY))
    for ts, (side, price, size, trusted) in enumerate(moves):
        # A side's text may come from anywhere: equal is enough.
        event = delta(str(side.encode(), "ascii"), price, size, ts)  # type: ignore[arg-type]
        seen = []
        for core in cores:
            core.trusted = trusted
            stamps = (core.change(event), core._ts_recv, core._ts_venue, core._epoch, core._seq)
            prices = core.best_bid(), core.best_ask(), core.crossed(), core.known()
            seen.append((*stamps, *prices, core.key, core.bids.levels(), core.asks.levels()))
        assert seen[0] == seen[1]
