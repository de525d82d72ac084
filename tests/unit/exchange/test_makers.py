"""A maker quotes around its estimate, never crosses, and leaves its quotes alone while paused."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.num import Price
from predsurv.exchange.book import MatchingBook
from predsurv.exchange.makers import MakerParameters, MarketMaker
from predsurv.exchange.tape import Tape

CENT = 10_000


def make(fair: int, tick: int = CENT) -> tuple[MarketMaker, MatchingBook]:
    book = MatchingBook(0, tick, Tape(0))
    return MarketMaker(book, MakerParameters(6_000, 1, 5, 100, learning_rate=8), fair), book


def test_a_maker_quotes_both_sides_around_the_estimate() -> None:
    maker, book = make(500_000)
    maker.quote(500_000, 1)
    assert [price for price, _ in book.levels("bid")] == [490_000, 480_000, 470_000, 460_000, 450_000]
    assert [price for price, _ in book.levels("ask")] == [510_000, 520_000, 530_000, 540_000, 550_000]
    assert all(50_000_000 <= size <= 150_000_000 for _, size in (*book.levels("bid"), *book.levels("ask")))


def test_a_maker_replaces_only_the_quotes_that_have_to_move() -> None:
    maker, book = make(500_000)
    maker.quote(500_000, 1)
    before = book.seq
    maker.requote(510_000, 3)
    assert book.seq - before == 4
    assert book.best("bid") == 500_000


def test_a_maker_does_not_cross_another_order() -> None:
    maker, book = make(500_000)
    book.place("ask", Price(450_000), 1)
    maker.quote(500_000, 1)
    assert book.best("bid") == 440_000 or book.best("bid") is None
    assert not book.crosses("bid", 440_000)


def test_a_paused_maker_leaves_its_quotes() -> None:
    maker, book = make(500_000)
    maker.quote(500_000, 1)
    before = book.levels("ask")
    maker.paused = True
    maker.requote(800_000, 1)
    assert not maker.resize_level(2)
    assert book.levels("ask") == before


def test_resize_level_changes_one_level_and_gives_a_larger_order_the_last_place() -> None:
    maker, book = make(500_000)
    maker.quote(500_000, 1)
    resized = set()
    for draw in range(0, 1 << 14, 64):
        before, sizes = book.seq, dict(book.levels("bid") + book.levels("ask"))
        stands_behind = {order.price: order.number for order in (*maker.bids, *maker.asks)}
        assert maker.resize_level(draw)
        after = dict(book.levels("bid") + book.levels("ask"))
        [price] = [each for each in after if after[each] != sizes[each]]
        [order] = [each for each in (*maker.bids, *maker.asks) if each.price == price]
        larger = after[price] > sizes[price]
        assert book.seq == before + (2 if larger else 1)
        assert (order.number > max(stands_behind.values())) == larger
        resized.add(larger)
    assert resized == {True, False}


def test_a_maker_with_quotes_on_one_side_resizes_there() -> None:
    maker, book = make(4_000)
    maker.quote(4_000, 1)
    assert not maker.bids
    asks = book.levels("ask")
    for draw in (12_345, 12_344):
        assert maker.resize_level(draw)
        assert book.levels("ask") != asks
        asks = book.levels("ask")


@given(st.lists(st.tuples(st.integers(4_000, 996_000), st.integers(0, 2**30)), max_size=30))
def test_book_is_never_crossed_or_off_the_grid(moves: list[tuple[int, int]]) -> None:
    maker, book = make(500_000)
    for fair, draw in moves:
        maker.quote(fair, draw)
        bid, ask = book.best("bid"), book.best("ask")
        assert bid is None or ask is None or bid < ask
        prices = [price for price, _ in (*book.levels("bid"), *book.levels("ask"))]
        assert all(0 < price < 1_000_000 and price % CENT == 0 for price in prices)
