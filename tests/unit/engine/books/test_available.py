"""The books that strategies see: trusted, complemented, less what we consumed."""

from predsurv.core.events import LevelConsumed, Unwanted
from predsurv.engine.books.available import AvailableBooks
from predsurv.state.book import BookView
from tests.kit.trading_samples import NO, START, YES, World, book, cents, delta, fill, gap, levels, market, shares


def seen(books: AvailableBooks, key: object = YES) -> BookView:
    found = books.book(YES if key == YES else NO)
    assert found is not None
    return found


def test_an_untrusted_book_is_shown_for_neither_outcome() -> None:
    world = World()
    assert world.books.book(YES) is None
    world.show(book())
    assert world.books.book(YES) is world.cache.book(YES)
    world.show(gap())
    assert world.books.book(YES) is world.books.book(NO) is None


def test_the_second_outcomes_book_is_the_complement_of_the_first() -> None:
    world = World().show(book(bids=((49, 100), (48, 7)), asks=((52, 5),)))
    complemented = seen(world.books, NO)
    assert complemented.top(5) == (levels((48, 5)), levels((51, 100), (52, 7)))
    assert seen(world.books, NO) is complemented
    world.show(delta("ask", 51, 1))
    assert seen(world.books, NO).best_bid() == (cents(49), shares(1))


def test_consumed_size_is_not_shown_until_the_level_is_removed() -> None:
    world = World().show(book())
    world.books.on_fill(fill(size=40))
    assert seen(world.books).best_ask() == (cents(51), shares(60))
    assert seen(world.books, NO).best_bid() == (cents(49), shares(60))
    world.books.on_fill(fill(size=60))
    assert seen(world.books).best_ask() is None
    for size, free in ((130, 30), (30, 0), (0, 0), (25, 25)):
        world.show(event := delta("ask", 51, size))
        world.books.on_book_event(event)
        assert seen(world.books).best_ask() == ((cents(51), shares(free)) if free else None)
    assert seen(world.books) is world.cache.book(YES)


def test_taking_the_second_outcome_consumes_the_first_ones_book() -> None:
    world = World().show(book())
    world.books.on_fill(fill(key=NO, side="buy", price=51, size=30))
    assert seen(world.books).best_bid() == (cents(49), shares(70))
    world.show(snapshot := book(bids=((49, 80),)))
    world.books.on_book_event(snapshot)
    assert seen(world.books).best_bid() == (cents(49), shares(50))


def test_maker_fills_and_fills_in_a_gap_consume_nothing() -> None:
    world = World().show(book())
    world.books.on_fill(fill(maker=True))
    assert seen(world.books) is world.cache.book(YES)
    world.show(gap())
    world.books.on_fill(fill())
    world.show(snapshot := book())
    world.books.on_book_event(snapshot)
    assert seen(world.books) is world.cache.book(YES)


def test_a_book_without_a_subscription_is_not_shown() -> None:
    world = World().show(book())
    world.books.on_fill(fill())
    world.show(Unwanted(YES, START, "rotated_out"))
    world.books.on_book_event(book())
    assert world.books.book(YES) is None


def test_what_is_taken_of_one_book_leaves_the_others_as_they_were_made() -> None:
    world = World((market(), market("n")))
    other = market("n").key(0)
    world.show(book(), book(key=other))
    world.books.on_fill(fill(size=40))
    world.books.on_fill(fill(size=40, key=other))
    made = seen(world.books)
    world.books.on_fill(fill(size=10, key=other))
    assert seen(world.books) is made
    world.books.on_fill(fill(size=10))
    assert seen(world.books).best_ask() == (cents(51), shares(50))
    world.books.on_consumed(LevelConsumed(YES, START, "ask", cents(51), shares(70)))
    assert seen(world.books).best_ask() == (cents(51), shares(30))


def test_a_book_is_looked_up_once_while_strategies_are_called_and_anew_after_it() -> None:
    world = World().show(book())
    world.books.on_fill(fill(size=40))
    world.books.asked = {}
    assert world.books.book(NO) is world.books.book(NO)
    assert seen(world.books).best_ask() == (cents(51), shares(60))
    world.books.asked = None
    world.show(gap())
    assert world.books.book(YES) is world.books.book(NO) is None
    world.books.asked = {}
    assert world.books.book(YES) is world.books.book(YES) is None
    world.books.asked = None
