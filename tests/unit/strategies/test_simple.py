"""Quote where the book leans, leave at the offer, stop out, never hold too many."""

from msgspec.structs import replace

from predsurv.core.durations import Duration
from predsurv.core.events import Event, Tick, Trade, VenuePhase
from predsurv.core.market import PriceBand
from predsurv.core.num import MICROS, Money, Price
from predsurv.core.orders import CancelIntent, Intent
from predsurv.engine.interest import Attention, BookFilter
from predsurv.strategies.simple import Simple, SimpleParams
from tests.kit.manual_view import ManualView
from tests.kit.trading_samples import START, YES, S, V, cents, market, shares, trade


def intents(strategy: Simple, event: Event, view: ManualView) -> list[Intent | CancelIntent]:
    return list(strategy.on_event(event, view))


def bid_heavy(view: ManualView, bid: int = 40, ask: int = 45, sizes: tuple[int, int] = (100, 10)) -> Event:
    return view.show(YES, bids=((bid, sizes[0]),), asks=((ask, sizes[1]),))


def world() -> ManualView:
    return ManualView((market(),))


def test_it_bids_where_the_book_leans_to_the_bids() -> None:
    view = world()
    (intent,) = intents(Simple(), bid_heavy(view), view)
    assert isinstance(intent, Intent)
    assert (intent.signal, intent.side, intent.price, intent.size) == ("enter", "buy", cents(40), shares(50))
    assert intent.post_only


def test_it_stays_out_of_narrow_even_extreme_empty_and_closed_books() -> None:
    view = world()
    assert intents(Simple(), bid_heavy(view, 44, 45), view) == []
    assert intents(Simple(), bid_heavy(view, sizes=(10, 10)), view) == []
    assert intents(Simple(), bid_heavy(view, 5, 9), view) == []
    assert intents(Simple(), view.show(YES, bids=((40, 5),)), view) == []
    view.cache.add(replace(market(), status="paused"))
    assert intents(Simple(), bid_heavy(view), view) == []
    assert intents(Simple(SimpleParams(clip=Money(MICROS))), bid_heavy(world()), world()) == []


def test_too_small_a_clip_is_no_order() -> None:
    view = world()
    assert intents(Simple(SimpleParams(clip=Money(MICROS))), bid_heavy(view), view) == []


def test_one_order_per_instrument_and_a_cap_on_instruments() -> None:
    view, strategy = world(), Simple(SimpleParams(instruments_max=1))
    assert intents(strategy, bid_heavy(view), view)
    assert intents(strategy, bid_heavy(view), view) == []
    other = market("n")
    view.cache.add(other)
    assert intents(strategy, view.show(other.key(0), bids=((40, 100),), asks=((45, 1),)), view) == []


def test_a_held_position_is_offered_above_its_cost() -> None:
    view = world()
    view.hold(YES, 50, 40)
    (intent,) = intents(Simple(), bid_heavy(view), view)
    assert isinstance(intent, Intent)
    assert (intent.signal, intent.side, intent.price, intent.size) == ("exit", "sell", cents(45), shares(50))
    (intent,) = intents(Simple(), bid_heavy(view, 38, 39), view)
    assert isinstance(intent, Intent)
    assert intent.price == cents(41)
    view.rest("o", YES, "sell", 45)
    assert intents(Simple(), bid_heavy(view), view) == []


def test_what_was_held_before_a_restart_is_offered_though_all_places_are_taken() -> None:
    view, strategy, other = world(), Simple(SimpleParams(instruments_max=1)), market("n")
    view.cache.add(other)
    assert intents(strategy, view.show(other.key(0), bids=((40, 100),), asks=((45, 1),)), view)
    view.hold(YES, 50, 40)
    (intent,) = intents(strategy, bid_heavy(view), view)
    assert isinstance(intent, Intent)
    assert intent.signal == "exit"


def test_an_exit_is_on_a_tapered_grid() -> None:
    steps = ((0, 100_000, 1_000), (100_000, 900_000, 10_000), (900_000, 1_000_000, 1_000))
    bands = tuple(PriceBand(Price(start), Price(end), Price(step)) for start, end, step in steps)
    tapered = market(tick_size=Price(1_000), bands=bands)
    view = ManualView((tapered,))
    view.hold(YES, 50, 40)
    (intent,) = intents(Simple(), bid_heavy(view, 38, 39), view)
    assert isinstance(intent, Intent)
    assert intent.price == cents(41)
    view.hold(YES, 50, 92)
    (intent,) = intents(Simple(), bid_heavy(view, 91, 92), view)
    assert isinstance(intent, Intent)
    assert intent.price == Price(921_000)


def test_nothing_is_offered_above_one_or_without_an_offer() -> None:
    view = world()
    view.hold(YES, 50, 99)
    assert intents(Simple(), view.show(YES, bids=((98, 100),), asks=((99, 5),)), view) == []
    assert intents(Simple(), view.show(YES, bids=((98, 100),)), view) == []


def test_the_stop_first_takes_orders_back_and_then_sells() -> None:
    view = world()
    view.hold(YES, 50, 40)
    view.rest("o", YES, "sell", 45)
    (intent,) = intents(Simple(), bid_heavy(view, 36, 38), view)
    assert isinstance(intent, CancelIntent)
    assert intent.signal == "stop"
    view.orders.clear()
    (sale,) = intents(Simple(), bid_heavy(view, 36, 38), view)
    assert isinstance(sale, Intent)
    assert (sale.signal, sale.price, sale.tif) == ("stop", cents(36), "ioc")


def test_what_rests_too_long_is_taken_back_and_its_place_freed() -> None:
    view, strategy = world(), Simple(SimpleParams(instruments_max=1, order_life=Duration(10 * S)))
    intents(strategy, bid_heavy(view), view)
    order = view.rest("o", YES)
    assert intents(strategy, Tick(START), view) == []
    view.time += 10 * S
    (intent,) = intents(strategy, Tick(view.time), view)
    assert intent == CancelIntent(strategy.name, order.client_order_id, "cancel")
    view.orders.clear()
    intents(strategy, Tick(view.time), view)
    assert intents(strategy, bid_heavy(view), view)


def test_other_events_and_books_out_of_sight_mean_nothing() -> None:
    view = world()
    event = trade(40, 5)
    assert isinstance(event, Trade)
    assert intents(Simple(), event, view) == []
    shown = bid_heavy(view)
    assert intents(Simple(), shown, world()) == []


def test_it_waits_while_the_venue_pauses() -> None:
    view, strategy = world(), Simple()
    view.cache.apply(VenuePhase(V, START, None, "closed", "{}"))
    assert intents(strategy, bid_heavy(view), view) == []
    view.hold(YES, 10, 50)
    assert intents(strategy, bid_heavy(view, 30, 35), view) == [], "no stop either"
    view.rest("old", YES)
    view.time += 60 * S
    assert intents(strategy, Tick(view.time), view) == []
    view.cache.apply(VenuePhase(V, START, None, "cancel_only", "{}"))
    assert [each.signal for each in intents(strategy, Tick(view.time), view)] == ["cancel"]


def test_what_is_too_small_to_rest_is_not_offered() -> None:
    view = world()
    view.hold(YES, 4, 40)
    assert intents(Simple(), bid_heavy(view), view) == []
    assert intents(Simple(), bid_heavy(view, 30, 45), view) == [], "a stop of so little would be refused"
    view.cache.add(market(min_taker_buy=Money(MICROS)))
    (sale,) = intents(Simple(), bid_heavy(view, 30, 45), view)
    assert isinstance(sale, Intent)
    assert (sale.signal, sale.tif, sale.size) == ("stop", "ioc", shares(4))


def test_what_is_held_without_an_order_is_offered_with_the_next_tick() -> None:
    view, strategy = world(), Simple()
    bid_heavy(view)
    view.hold(YES, 50, 40)
    intents(strategy, bid_heavy(view), view)
    (offer,) = intents(strategy, Tick(view.time), view)
    assert isinstance(offer, Intent)
    assert offer.signal == "exit"


def test_it_asks_for_ticks_when_an_order_has_rested_long_enough_and_after_what_it_sent() -> None:
    view, strategy = world(), Simple()
    assert intents(strategy, bid_heavy(view), view)
    assert strategy.wake_at == view.time
    intents(strategy, Tick(view.time), view)
    assert strategy.wake_at > view.time + 365 * 86_400 * S
    view.rest("resting", YES)
    intents(strategy, VenuePhase(V, view.time, None, "open", "{}"), view)
    assert strategy.wake_at == view.time
    intents(strategy, Tick(view.time), view)
    assert strategy.wake_at == view.time + 15 * S


def test_it_waits_for_no_entry_while_all_places_are_taken_and_of_what_it_offers_for_the_stop_alone() -> None:
    view, strategy = world(), Simple(SimpleParams(instruments_max=1))
    assert strategy.attention == Attention()
    assert intents(strategy, bid_heavy(view), view)
    assert strategy.attention == Attention(books={YES: None}, others=False)
    view.hold(YES, 50, 40)
    intents(strategy, Tick(view.time), view)
    assert strategy.attention == Attention(books={YES: BookFilter()}, others=False), "it is offered at any book"
    view.rest("exit", YES, "sell", 45)
    intents(strategy, Tick(view.time), view)
    waits = strategy.attention
    assert waits == Attention(books={YES: BookFilter(bid_max=cents(36))}, others=False)
    assert intents(strategy, bid_heavy(view, 37, 39), view) == []
    assert strategy.attention is waits, "the same says that nothing changed"
    assert intents(strategy, bid_heavy(view, 36, 39), view)
