"""What was taken stays taken until the level changes."""

from predsurv.core.events import BookSnapshot
from predsurv.engine.liquidity import Liquidity
from predsurv.state.book import Book
from tests.unit.engine.desks import YES, book, cents, delta, levels, shares


def shown(event: BookSnapshot | None = None) -> Book:
    made = Book(YES)
    made.apply(event or book(asks=((51, 100), (52, 50))))
    return made


def test_taken_size_is_missing_and_used_up_levels_are_skipped() -> None:
    liquidity, source = Liquidity(), shown()
    assert not liquidity.touches(YES)
    liquidity.take(source, "ask", cents(51), shares(60))
    assert tuple(liquidity.left(source, "ask")) == levels((51, 40), (52, 50))
    liquidity.take(source, "ask", cents(51), shares(40))
    assert tuple(liquidity.left(source, "ask")) == levels((52, 50))
    assert tuple(liquidity.left(source, "bid")) == levels((49, 100))


def test_a_changed_level_is_fresh_and_an_unchanged_one_is_not() -> None:
    liquidity, source = Liquidity(), shown()
    liquidity.take(source, "ask", cents(51), shares(60))
    liquidity.changed(delta("ask", 52, 10))
    liquidity.changed(delta("ask", 51, 100))
    assert liquidity.touches(YES)
    liquidity.changed(delta("ask", 51, 99))
    assert not liquidity.touches(YES)
    liquidity.changed(delta("ask", 51, 98))


def test_levels_are_remembered_one_by_one() -> None:
    liquidity, source = Liquidity(), shown()
    liquidity.take(source, "ask", cents(51), shares(60))
    liquidity.take(source, "ask", cents(52), shares(10))
    liquidity.changed(delta("ask", 51, 1))
    assert liquidity.touches(YES)


def test_a_snapshot_frees_only_levels_of_another_size() -> None:
    liquidity, source = Liquidity(), shown()
    liquidity.take(source, "ask", cents(51), shares(60))
    liquidity.take(source, "ask", cents(52), shares(50))
    source.apply(book(asks=((51, 100), (52, 70))))
    liquidity.reset(source)
    assert tuple(liquidity.left(source, "ask")) == levels((51, 40), (52, 70))
    source.apply(book(asks=((51, 1),)))
    liquidity.reset(source)
    assert not liquidity.touches(YES)
    liquidity.reset(source)
