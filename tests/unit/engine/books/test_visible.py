"""What strategies see: trusted, mirrored, less what we have just taken."""

from predsurv.core.events import Unwanted
from predsurv.engine.books.visible import VisibleBooks
from predsurv.state.book import Book
from tests.kit.trading_samples import NO, START, YES, World, book, cents, delta, fill, gap, levels, shares


def seen(sight: VisibleBooks, key: object = YES) -> Book:
    found = sight.book(YES if key == YES else NO)
    assert found is not None
    return found


def test_an_untrusted_book_is_not_seen_from_either_side() -> None:
    world = World()
    assert world.sight.book(YES) is None
    world.show(book())
    assert world.sight.book(YES) is world.cache.book(YES)
    world.show(gap())
    assert world.sight.book(YES) is world.sight.book(NO) is None


def test_the_second_outcome_is_the_first_turned_around() -> None:
    world = World().show(book(bids=((49, 100), (48, 7)), asks=((52, 5),)))
    mirrored = seen(world.sight, NO)
    assert mirrored.top(5) == (levels((48, 5)), levels((51, 100), (52, 7)))
    assert seen(world.sight, NO) is mirrored
    world.show(delta("ask", 51, 1))
    assert seen(world.sight, NO).best_bid() == (cents(49), shares(1))


def test_what_we_took_is_not_shown_until_the_level_is_gone() -> None:
    world = World().show(book())
    world.sight.took(fill(size=40))
    assert seen(world.sight).best_ask() == (cents(51), shares(60))
    assert seen(world.sight, NO).best_bid() == (cents(49), shares(60))
    world.sight.took(fill(size=60))
    assert seen(world.sight).best_ask() is None
    for size, free in ((130, 30), (30, 0), (0, 0), (25, 25)):
        world.show(event := delta("ask", 51, size))
        world.sight.changed(event)
        assert seen(world.sight).best_ask() == ((cents(51), shares(free)) if free else None)
    assert seen(world.sight) is world.cache.book(YES)


def test_taking_the_second_outcome_takes_from_the_first() -> None:
    world = World().show(book())
    world.sight.took(fill(key=NO, side="buy", price=51, size=30))
    assert seen(world.sight).best_bid() == (cents(49), shares(70))
    world.show(snapshot := book(bids=((49, 80),)))
    world.sight.changed(snapshot)
    assert seen(world.sight).best_bid() == (cents(49), shares(50))


def test_resting_fills_and_fills_in_a_gap_take_nothing_on_show() -> None:
    world = World().show(book())
    world.sight.took(fill(maker=True))
    assert seen(world.sight) is world.cache.book(YES)
    world.show(gap())
    world.sight.took(fill())
    world.show(snapshot := book())
    world.sight.changed(snapshot)
    assert seen(world.sight) is world.cache.book(YES)


def test_a_book_that_is_no_longer_fed_is_gone_from_sight() -> None:
    world = World().show(book())
    world.sight.took(fill())
    world.show(Unwanted(YES, START, "rotated_out"))
    world.sight.changed(book())
    assert world.sight.book(YES) is None
