"""Consumed size stays consumed until the level is removed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookSnapshot, LevelConsumed
from predsurv.engine.books.consumed import TOLD_AFTER_MAX, ConsumedLiquidity, consume_at_least, consume_behind
from predsurv.state.book import Book
from tests.kit.trading_samples import NO, START, YES, book, cents, delta, levels, shares


def shown(event: BookSnapshot | None = None) -> Book:
    made = Book(YES)
    made.apply(event or book(asks=((51, 100), (52, 50))))
    return made


def test_consumed_size_is_subtracted_and_used_up_levels_are_skipped() -> None:
    consumed, source = ConsumedLiquidity(), shown()
    assert not consumed.affects(YES)
    consumed.consume(source, "ask", cents(51), shares(60))
    assert tuple(consumed.remaining(source, "ask")) == levels((51, 40), (52, 50))
    consumed.consume(source, "ask", cents(51), shares(40))
    assert tuple(consumed.remaining(source, "ask")) == levels((52, 50))
    assert tuple(consumed.remaining(source, "bid")) == levels((49, 100))


def test_a_level_that_grows_has_only_the_growth_left() -> None:
    consumed, source = ConsumedLiquidity(), shown(book(asks=((45, 100),)))
    taken = 0
    for size in (100, 101, 100, 101, 100):
        source.apply(change := delta("ask", 45, size))
        consumed.on_delta(change)
        for price, free in tuple(consumed.remaining(source, "ask")):
            consumed.consume(source, "ask", price, free)
            taken += free
    assert taken == shares(102)  # not 500: a share comes, goes, and another comes


def test_the_consumption_of_a_level_never_exceeds_its_size() -> None:
    consumed, source = ConsumedLiquidity(), shown()
    consumed.consume(source, "ask", cents(51), shares(60))
    for size, free in ((80, 20), (50, 0), (70, 20)):
        source.apply(change := delta("ask", 51, size))
        consumed.on_delta(change)
        assert tuple(consumed.remaining(source, "ask")) == levels(*([(51, free)] if free else []), (52, 50))


def test_only_a_level_that_was_removed_is_fresh_when_it_comes_back() -> None:
    consumed, source = ConsumedLiquidity(), shown()
    consumed.consume(source, "ask", cents(51), shares(60))
    consumed.on_delta(delta("ask", 52, 0))
    consumed.on_delta(delta("bid", 51, 0))
    consumed.on_delta(delta("ask", 51, 99))
    assert consumed.affects(YES)
    consumed.on_delta(delta("ask", 51, 0))
    assert not consumed.affects(YES)
    consumed.on_delta(delta("ask", 51, 98))
    assert not consumed.affects(YES)


def test_consumption_is_recorded_level_by_level() -> None:
    consumed, source = ConsumedLiquidity(), shown()
    consumed.consume(source, "ask", cents(51), shares(60))
    consumed.consume(source, "ask", cents(52), shares(10))
    consumed.on_delta(delta("ask", 51, 0))
    assert consumed.affects(YES)


def test_a_snapshot_limits_consumption_level_by_level() -> None:
    consumed, source = ConsumedLiquidity(), shown()
    consumed.consume(source, "ask", cents(51), shares(60))
    consumed.consume(source, "ask", cents(52), shares(50))
    source.apply(book(asks=((51, 100), (52, 70))))
    consumed.on_snapshot(source)
    assert tuple(consumed.remaining(source, "ask")) == levels((51, 40), (52, 20))
    source.apply(book(asks=((51, 1),)))
    consumed.on_snapshot(source)
    assert tuple(consumed.remaining(source, "ask")) == ()
    source.apply(book(asks=((50, 9), (52, 50))))
    consumed.on_snapshot(source)
    assert not consumed.affects(YES)
    consumed.on_snapshot(source)


def test_a_missing_level_cannot_be_consumed() -> None:
    consumed, source = ConsumedLiquidity(), shown()
    consumed.consume(source, "ask", cents(50), shares(60))
    assert not consumed.affects(YES)
    consumed.consume(source, "ask", cents(51), shares(160))
    source.apply(change := delta("ask", 51, 130))
    consumed.on_delta(change)
    assert tuple(consumed.remaining(source, "ask")) == levels((51, 30), (52, 50))


def test_the_number_of_recorded_instruments_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predsurv.engine.books.consumed.INSTRUMENTS_MAX", 1)
    consumed, other = ConsumedLiquidity(), Book(NO)
    other.apply(book(key=NO))
    consumed.consume(shown(), "ask", cents(51), shares(60))
    consumed.consume(other, "ask", cents(51), shares(60))
    assert (consumed.affects(YES), consumed.affects(NO)) == (False, True)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans()), max_size=40))
def test_a_level_never_gives_more_than_was_ever_added_to_it(steps: list[tuple[int, int, bool]]) -> None:
    consumed, source = ConsumedLiquidity(), shown(book(asks=()))
    before = came = got = 0
    for size, wanted, whole in steps:
        source.apply(change := book(asks=((51, size),) if size else ()) if whole else delta("ask", 51, size))
        if isinstance(change, BookSnapshot):
            consumed.on_snapshot(source)
        else:
            consumed.on_delta(change)
        came, before = came + max(size - before, 0), size
        for price, free in tuple(consumed.remaining(source, "ask")):
            assert free <= shares(size)
            taken = min(free, shares(wanted))
            consumed.consume(source, "ask", price, taken)
            got += taken
    assert got <= shares(came)


def test_what_has_changed_is_told_once_as_what_is_consumed_by_now() -> None:
    consumed, source = ConsumedLiquidity(), shown()
    assert consumed.take_changes(START) == ()
    consumed.consume(source, "ask", cents(51), shares(60))
    consumed.consume(source, "ask", cents(51), shares(10))
    (told,) = consumed.take_changes(START)
    assert told == LevelConsumed(YES, START, "ask", cents(51), shares(70))
    other = ConsumedLiquidity()
    other.set(told)
    assert tuple(other.remaining(source, "ask")) == levels((51, 30), (52, 50))
    source.apply(change := delta("ask", 51, 20))
    consumed.on_delta(change)
    assert [each.size for each in consumed.take_changes(START)] == [shares(20)]
    source.apply(change := delta("ask", 51, 0))
    consumed.on_delta(change)
    (gone,) = consumed.take_changes(START)
    other.set(gone)
    assert (gone.size, other.affects(YES)) == (0, False)


def test_a_trade_of_others_may_have_met_what_we_had_consumed() -> None:
    consumed, source = ConsumedLiquidity(), shown()
    consumed.consume(source, "ask", cents(51), shares(60))
    assert consumed.met_by(YES, "ask", cents(51), shares(20), START) == shares(20)
    assert consumed.met_by(YES, "bid", cents(51), shares(20), START) == 0
    source.apply(change := delta("ask", 51, 10))
    consumed.on_delta(change)
    assert (consumed.released.of(YES, "ask", START), consumed.released.of(YES, "bid", START)) == (shares(50), 0)
    assert consumed.met_by(YES, "ask", cents(51), shares(15), START) == shares(15)
    assert consumed.released.of(YES, "ask", START) == shares(35)
    assert consumed.released.of(YES, "ask", START + TOLD_AFTER_MAX + 1) == 0
    assert consumed.met_by(YES, "ask", cents(51), shares(15), START + TOLD_AFTER_MAX + 1) == shares(10)
    assert consumed.met_by(NO, "ask", cents(51), shares(15), START) == 0


def test_the_levels_behind_one_can_be_consumed_best_first() -> None:
    consumed, source = ConsumedLiquidity(), shown(book(bids=((49, 5), (48, 5), (47, 5)), asks=((51, 5), (52, 5))))
    consume_behind(consumed, source, "bid", cents(49), shares(7))
    consume_behind(consumed, source, "ask", cents(52), shares(7))
    assert tuple(consumed.remaining(source, "bid")) == levels((49, 5), (47, 3))
    assert tuple(consumed.remaining(source, "ask")) == levels((51, 5), (52, 5))


def test_of_a_level_that_shrinks_bit_by_bit_all_that_was_consumed_may_have_been_traded_away() -> None:
    consumed, source = ConsumedLiquidity(), shown()
    consumed.consume(source, "ask", cents(51), shares(60))
    for size, ts in ((40, START), (10, START + 1)):
        source.apply(change := delta("ask", 51, size, ts))
        consumed.on_delta(change)
    assert consumed.released.of(YES, "ask", START + 1) == shares(50)
    source.apply(change := delta("ask", 51, 0, START + TOLD_AFTER_MAX + 2))
    consumed.on_delta(change)
    assert consumed.released.of(YES, "ask", START + TOLD_AFTER_MAX + 2) == shares(10), "the others are long ago"


def test_a_level_can_be_consumed_up_to_a_size() -> None:
    consumed, source = ConsumedLiquidity(), shown()
    assert [consume_at_least(consumed, source, "ask", cents(51), shares(each)) for each in (20, 15, 30)] == [
        shares(20),
        0,
        shares(10),
    ]
    assert consumed.places() == {YES: {("ask", cents(51)): shares(30)}}


def test_what_is_told_and_what_is_dropped_is_touched() -> None:
    consumed = ConsumedLiquidity()
    for size in (60, 0):
        consumed.set(LevelConsumed(YES, START, "ask", cents(51), shares(size)))
        assert consumed.touched == {YES: None}
        consumed.touched.clear()
    consumed.on_delta(delta("ask", 51, 10))
    assert consumed.touched == {}, "nothing is recorded of it"
