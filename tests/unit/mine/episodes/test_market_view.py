"""What a rule sees of a recording alone: markets and books, nothing held, and money for any book."""

from predsurv.core.num import MICROS
from predsurv.mine.episodes.market_view import MarketView
from predsurv.state.market_cache import MarketCache
from tests.kit.trading_samples import ME, NO, YES, V, book, market


def view() -> MarketView:
    cache = MarketCache({V})
    cache.add(market())
    cache.apply(book(((40, 10),), ((60, 10),), YES))
    return MarketView(cache)


def test_nothing_is_held_ordered_or_covered_and_any_book_can_be_bought() -> None:
    seen = view()
    assert (seen.position(YES), seen.positions(), seen.open_orders(ME), seen.coverage(YES)) == (None, (), (), None)
    assert seen.cash(V) == seen.buying_room() == seen.buying_room(YES)
    assert seen.cash(V) >= 1_000_000 * MICROS


def test_markets_and_books_are_those_of_the_recording_and_their_complements() -> None:
    seen = view()
    yes, no = seen.book(YES), seen.book(NO)
    assert yes is not None
    assert no is not None
    assert yes.best_bid() == (400_000, 10_000_000)
    assert no.best_ask() == (600_000, 10_000_000)
    assert seen.market(V, market().market_id) == market()
    assert seen.siblings(V, market().event_id) == (market(),)
