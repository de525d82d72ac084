"""What was taken stays taken until the level is gone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookSnapshot
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.state.book import Book
from tests.kit.trading_samples import NO, YES, book, cents, delta, levels, shares


def shown(event: BookSnapshot | None = None) -> Book:
    made = Book(YES)
    made.apply(event or book(asks=((51, 100), (52, 50))))
    return made


def test_taken_size_is_missing_and_used_up_levels_are_skipped() -> None:
    liquidity, source = ConsumedLiquidity(), shown()
    assert not liquidity.affects(YES)
    liquidity.consume(source, "ask", cents(51), shares(60))
    assert tuple(liquidity.remaining(source, "ask")) == levels((51, 40), (52, 50))
    liquidity.consume(source, "ask", cents(51), shares(40))
    assert tuple(liquidity.remaining(source, "ask")) == levels((52, 50))
    assert tuple(liquidity.remaining(source, "bid")) == levels((49, 100))


def test_a_level_that_grows_gives_only_what_came() -> None:
    liquidity, source = ConsumedLiquidity(), shown(book(asks=((45, 100),)))
    taken = 0
    for size in (100, 101, 100, 101, 100):
        source.apply(change := delta("ask", 45, size))
        liquidity.on_delta(change)
        for price, free in tuple(liquidity.remaining(source, "ask")):
            liquidity.consume(source, "ask", price, free)
            taken += free
    assert taken == shares(102)  # not 500: a share comes, goes, and another comes


def test_a_level_that_shrinks_has_no_more_taken_than_it_shows() -> None:
    liquidity, source = ConsumedLiquidity(), shown()
    liquidity.consume(source, "ask", cents(51), shares(60))
    for size, free in ((80, 20), (50, 0), (70, 20)):
        source.apply(change := delta("ask", 51, size))
        liquidity.on_delta(change)
        assert tuple(liquidity.remaining(source, "ask")) == levels(*([(51, free)] if free else []), (52, 50))


def test_only_a_level_that_is_gone_is_fresh_when_it_comes_back() -> None:
    liquidity, source = ConsumedLiquidity(), shown()
    liquidity.consume(source, "ask", cents(51), shares(60))
    liquidity.on_delta(delta("ask", 52, 0))
    liquidity.on_delta(delta("bid", 51, 0))
    liquidity.on_delta(delta("ask", 51, 99))
    assert liquidity.affects(YES)
    liquidity.on_delta(delta("ask", 51, 0))
    assert not liquidity.affects(YES)
    liquidity.on_delta(delta("ask", 51, 98))
    assert not liquidity.affects(YES)


def test_levels_are_remembered_one_by_one() -> None:
    liquidity, source = ConsumedLiquidity(), shown()
    liquidity.consume(source, "ask", cents(51), shares(60))
    liquidity.consume(source, "ask", cents(52), shares(10))
    liquidity.on_delta(delta("ask", 51, 0))
    assert liquidity.affects(YES)


def test_a_snapshot_is_compared_level_by_level() -> None:
    liquidity, source = ConsumedLiquidity(), shown()
    liquidity.consume(source, "ask", cents(51), shares(60))
    liquidity.consume(source, "ask", cents(52), shares(50))
    source.apply(book(asks=((51, 100), (52, 70))))
    liquidity.on_snapshot(source)
    assert tuple(liquidity.remaining(source, "ask")) == levels((51, 40), (52, 20))
    source.apply(book(asks=((51, 1),)))
    liquidity.on_snapshot(source)
    assert tuple(liquidity.remaining(source, "ask")) == ()
    source.apply(book(asks=((50, 9), (52, 50))))
    liquidity.on_snapshot(source)
    assert not liquidity.affects(YES)
    liquidity.on_snapshot(source)


def test_nothing_is_taken_of_a_level_that_is_not_there() -> None:
    liquidity, source = ConsumedLiquidity(), shown()
    liquidity.consume(source, "ask", cents(50), shares(60))
    assert not liquidity.affects(YES)
    liquidity.consume(source, "ask", cents(51), shares(160))
    source.apply(change := delta("ask", 51, 130))
    liquidity.on_delta(change)
    assert tuple(liquidity.remaining(source, "ask")) == levels((51, 30), (52, 50))


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predsurv.engine.books.consumed.INSTRUMENTS_MAX", 1)
    liquidity, other = ConsumedLiquidity(), Book(NO)
    other.apply(book(key=NO))
    liquidity.consume(shown(), "ask", cents(51), shares(60))
    liquidity.consume(other, "ask", cents(51), shares(60))
    assert (liquidity.affects(YES), liquidity.affects(NO)) == (False, True)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans()), max_size=40))
def test_a_level_never_gives_more_than_ever_came_to_it(steps: list[tuple[int, int, bool]]) -> None:
    liquidity, source = ConsumedLiquidity(), shown(book(asks=()))
    before = came = got = 0
    for size, wanted, whole in steps:
        source.apply(change := book(asks=((51, size),) if size else ()) if whole else delta("ask", 51, size))
        if isinstance(change, BookSnapshot):
            liquidity.on_snapshot(source)
        else:
            liquidity.on_delta(change)
        came, before = came + max(size - before, 0), size
        for price, free in tuple(liquidity.remaining(source, "ask")):
            assert free <= shares(size)
            taken = min(free, shares(wanted))
            liquidity.consume(source, "ask", price, taken)
            got += taken
    assert got <= shares(came)
