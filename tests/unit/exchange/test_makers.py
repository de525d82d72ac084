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


def test_resize_level_changes_exactly_one_level() -> None:
    maker, book = make(500_000)
    maker.quote(500_000, 1)
    before = book.seq
    assert maker.resize_level(12_345)
    assert book.seq == before + 1


def test_a_maker_with_quotes_on_one_side_resizes_there() -> None:
    maker, book = make(4_000)
    maker.quote(4_000, 1)
    assert not maker.bids
    before = book.seq
    assert maker.resize_level(12_345)
    assert maker.resize_level(12_344)
    assert book.seq == before + 2


@given(st.lists(st.tuples(st.integers(4_000, 996_000), st.integers(0, 2**30)), max_size=30))
def test_book_is_never_crossed_or_off_the_grid(moves: list[tuple[int, int]]) -> None:
    maker, book = make(500_000)
    for fair, draw in moves:
        maker.quote(fair, draw)
        bid, ask = book.best("bid"), book.best("ask")
        assert bid is None or ask is None or bid < ask
        prices = [price for price, _ in (*book.levels("bid"), *book.levels("ask"))]
        assert all(0 < price < 1_000_000 and price % CENT == 0 for price in prices)
