"""What a strategy hears is what it asked for: each rule by itself, and none where it has something at stake."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.events import (
    BookEvent,
    Event,
    Gap,
    MarketChange,
    OrderCancelled,
    Quote,
    Tick,
    Unwanted,
    VenuePhase,
)
from predsurv.core.ids import ClientOrderId, EventId, InstrumentId, MarketId, StrategyName, VenueName
from predsurv.core.market import Market, Outcome
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.core.orders import CancelIntent, Intent
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.call_filter import meets, selects
from predsurv.engine.engine import Engine
from predsurv.engine.interest import EVERYTHING, BookFilter, EngagedCalls, EventFilter, Interest, MarketChoice
from predsurv.state.book import Book
from predsurv.state.market_cache import MarketCache
from predsurv.state.view import View
from tests.kit.trading_samples import (
    LIMITS,
    ME,
    MS,
    NO,
    START,
    YES,
    V,
    book,
    cents,
    delta,
    fill,
    gap,
    intent,
    market,
    resolved,
    trade,
)

FIRST = ClientOrderId("run-00000001")
RACE = EventId("race")
THREE = tuple(market(name, event_id=RACE, mutually_exclusive=True) for name in "abc")


class Listener:
    """Records what it is called with, and asks once for each of ``intents`` at whatever it hears first."""

    signals = frozenset({"test"})

    def __init__(self, interest: Interest, intents: Sequence[Intent] = ()) -> None:
        self.name = ME
        self.interest = interest
        self.intents = list(intents)
        self.heard: list[Event] = []

    def on_event(self, event: Event, view: View) -> Iterable[Intent | CancelIntent]:
        self.heard.append(event)
        return [self.intents.pop(0)] if self.intents else []


def engine(listener: Listener, markets: Sequence[Market] = (market(),), *, mirrored: bool = True) -> Engine:
    cache = MarketCache({V} if mirrored else frozenset())
    for each in markets:
        cache.add(each)
    account = TradingAccount({V: Money(1_000 * MICROS)})
    made = Engine(run="run", limits=LIMITS, strategies=[listener], cache=cache, account=account)
    made.valuation.begin_day(START, Money(1_000 * MICROS))
    return made


def heard(interest: Interest, *events: Event, markets: Sequence[Market] = (market(),)) -> list[Event]:
    """What a strategy without orders hears of ``events``."""
    listener = Listener(interest)
    made = engine(listener, markets)
    for event in events:
        made.step(event)
    return listener.heard


def engaged(interest: Interest, *, filled: bool) -> tuple[Listener, Engine]:
    """A strategy with an order in YES, or with the shares that it bought without consuming anything."""
    listener = Listener(EVERYTHING, [replace(intent(price=50), tif="gtc", post_only=True)])
    made = engine(listener)
    made.step(book())
    listener.interest = interest
    later = Listener(interest)
    other = Engine(run="run", limits=LIMITS, strategies=[later], cache=made.cache, account=made.account)
    if filled:
        other.step(fill(FIRST, price=50, maker=True))
    later.heard.clear()
    return later, other


def test_never_tells_no_book_and_no_quote() -> None:
    events = (book(), delta("bid", 50, 1), Quote(YES, START, None, None, None), trade(50, 1), Tick(START))
    assert heard(Interest(books="never"), *events) == [events[3], events[4]]
    assert heard(Interest(trades=False, ticks=False), *events) == list(events[:3])


def test_best_tells_snapshots_and_levels_without_a_better_one() -> None:
    told: list[Event] = [book(), delta("bid", 50, 1), delta("bid", 50, 0), delta("ask", 51, 4), delta("ask", 51, 0)]
    silent = [delta("bid", 48, 5), delta("ask", 60, 5), delta("ask", 60, 0)]
    assert heard(Interest(books="best"), told[0], *silent, *told[1:]) == told
    assert heard(Interest(books="best"), book(asks=()), delta("ask", 60, 0)) == [book(asks=()), delta("ask", 60, 0)]
    assert heard(Interest(books="best"), book(bids=()), delta("bid", 60, 0)) == [book(bids=()), delta("bid", 60, 0)]


def test_best_prices_alone_are_told_when_they_differ() -> None:
    prices = Interest(books="best", best_sizes=False)
    moved: list[Event] = [book(), delta("bid", 50, 1), delta("bid", 50, 0)]
    same: list[Event] = [delta("bid", 50, 7), book(bids=((50, 3),))]
    assert heard(prices, moved[0], moved[1], *same, moved[2]) == moved
    assert heard(prices, book(), gap(), book()) == [book(), book()], "after a gap the book is new"


def test_an_interval_leaves_out_what_comes_too_soon() -> None:
    events = [delta("bid", 48, n + 1, START + n * MS) for n in range(10)]
    told = heard(Interest(interval=4 * MS), book(), *events)
    assert told == [book(), events[4], events[8]]


def test_an_interval_counts_for_each_book() -> None:
    other = THREE[0].key(0)
    events = [book(), book(key=other)]
    assert heard(Interest(interval=4 * MS), *events, markets=(market(), THREE[0])) == events


def test_bounds_on_the_book_hold_back_what_does_not_meet_them() -> None:
    wide = Interest(where=BookFilter(spread_min=Price(20_000)))
    narrow, again = delta("bid", 50, 5), delta("bid", 50, 0)
    assert heard(wide, book(), narrow, again) == [book(), again]


@pytest.mark.parametrize(
    ("bounds", "met"),
    [
        (BookFilter(), True),
        (BookFilter(spread_min=cents(2), spread_max=cents(2)), True),
        (BookFilter(spread_min=cents(3)), False),
        (BookFilter(spread_max=cents(1)), False),
        (BookFilter(bid_min=cents(49), bid_max=cents(49)), True),
        (BookFilter(bid_min=cents(50)), False),
        (BookFilter(bid_max=cents(48)), False),
        (BookFilter(ask_min=cents(51), ask_max=cents(51)), True),
        (BookFilter(ask_min=cents(52)), False),
        (BookFilter(ask_max=cents(50)), False),
        (BookFilter(imbalance_min=-333_334, imbalance_max=-333_334), True),
        (BookFilter(imbalance_min=-333_333), False),
        (BookFilter(imbalance_max=-333_335), False),
        (BookFilter(imbalance_min=-500_000, imbalance_max=-500_000, imbalance_levels=1), True),
    ],
)
def test_bounds_are_inclusive(bounds: BookFilter, met: bool) -> None:
    shown = Book(YES)
    shown.apply(book(bids=((49, 1), (48, 1)), asks=((51, 3), (52, 1))))
    assert meets(bounds, shown) is met


def test_what_a_book_does_not_have_meets_no_bound() -> None:
    shown = Book(YES)
    shown.apply(book(bids=(), asks=()))
    assert meets(BookFilter(), shown)
    for bounds in (
        BookFilter(spread_max=Price(MICROS)),
        BookFilter(bid_min=Price(0)),
        BookFilter(ask_max=Price(MICROS)),
        BookFilter(imbalance_max=MICROS),
    ):
        assert not meets(bounds, shown)


def sums(interest: Interest, *tops: tuple[int | None, int | None]) -> bool:
    """Whether the last of the event's books is told, each with its best bid and ask in cents."""
    events = [
        book(() if bid is None else ((bid, 9),), () if ask is None else ((ask, 9),), each.key(0))
        for each, (bid, ask) in zip(THREE, tops, strict=True)
    ]
    return events[-1] in heard(interest, *events, markets=THREE)


def test_the_asks_of_an_event_are_summed_when_all_are_there() -> None:
    cheap = Interest(where_event=EventFilter(ask_sum_max=cents(99)))
    assert sums(cheap, (1, 33), (1, 33), (1, 33))
    assert not sums(cheap, (1, 33), (1, 33), (1, 34))
    assert not sums(cheap, (1, 33), (1, None), (1, 33))


def test_the_bids_of_an_event_are_summed_with_nothing_for_a_missing_one() -> None:
    dear = Interest(where_event=EventFilter(bid_sum_min=cents(101)))
    assert sums(dear, (50, 60), (51, None), (None, None))
    assert not sums(dear, (50, 60), (50, None), (None, None))
    either = Interest(where_event=EventFilter(bid_sum_min=cents(101), ask_sum_max=cents(99)))
    assert sums(either, (1, 33), (1, 33), (1, 33))
    assert sums(either, (50, 60), (51, None), (None, None))
    assert not sums(either, (1, 33), (1, 33), (1, 34))


def test_a_book_that_cannot_be_trusted_has_no_prices() -> None:
    cheap = Interest(where_event=EventFilter(ask_sum_max=cents(99)))
    books = [book(((1, 9),), ((33, 9),), each.key(0)) for each in THREE]
    assert heard(cheap, *books[:2], gap(key=THREE[0].key(0)), books[2], markets=THREE) == []
    assert heard(cheap, *books, markets=()) == [], "nothing is known of the market"


def test_a_market_of_three_outcomes_is_summed_by_itself_too() -> None:
    names = tuple(Outcome(InstrumentId(name), name) for name in "xyz")
    three = market("t", outcomes=names, event_id=RACE)
    cheap = Interest(where_event=EventFilter(ask_sum_max=cents(99)))
    books = [book((), ((33, 9),), three.key(index)) for index in range(3)]
    other = book((), ((80, 9),), THREE[0].key(0))
    assert heard(cheap, other, *books, markets=(three, THREE[0])) == [books[2]]


SILENT = Interest(books="best", where=BookFilter(spread_min=cents(50)), interval=1_000_000 * MS)


@pytest.mark.parametrize("filled", [False, True])
def test_nothing_is_held_back_of_a_book_in_which_it_has_an_order_or_a_position(filled: bool) -> None:
    listener, made = engaged(SILENT, filled=filled)
    events = [delta("bid", 40, n) for n in range(1, 4)]
    for event in events:
        made.step(event)
    assert listener.heard == events
    listener, made = engaged(replace(SILENT, filter_engaged=True), filled=filled)
    for event in events:
        made.step(event)
    assert listener.heard == []


def test_never_is_never_though_it_holds_something() -> None:
    listener, made = engaged(Interest(books="never"), filled=True)
    made.step(delta("bid", 50, 1))
    assert listener.heard == []


def test_it_is_engaged_through_the_other_outcome_of_the_same_book() -> None:
    listener = Listener(SILENT)
    made = engine(listener)
    made.step(book())
    assert listener.heard == []
    made.account.portfolio.positions.put(ME, NO, intent().size, Money(MICROS))
    made.step(delta("bid", 40, 1))
    assert listener.heard == [delta("bid", 40, 1)]
    made.account.portfolio.positions.put(ME, NO, Size(0), Money(0))
    made.account.portfolio.positions.put(StrategyName("other"), YES, intent().size, Money(MICROS))
    made.step(delta("bid", 40, 2))
    assert len(listener.heard) == 1, "what another strategy holds is not its own"


def test_once_its_order_is_gone_it_is_filtered_again() -> None:
    listener, made = engaged(SILENT, filled=False)
    made.step(OrderCancelled(YES, START, FIRST, "x"))
    made.step(delta("bid", 40, 1))
    assert [type(event).__name__ for event in listener.heard] == ["OrderCancelled"]


def test_best_and_where_look_at_a_book_less_what_was_consumed_of_it() -> None:
    listener = Listener(Interest(), [intent(size=100)])
    made = engine(listener)
    made.step(book())
    made.step(fill(FIRST, size=100))
    made.account.portfolio.positions.put(ME, YES, Size(0), Money(0))
    late = Listener(Interest(books="best", where=BookFilter(spread_max=cents(10))))
    filtered = Engine(run="run", limits=LIMITS, strategies=[late], cache=made.cache, account=made.account)
    filtered.books._consumed = made.books._consumed
    events = [delta("ask", 60, 1), delta("ask", 58, 1), delta("ask", 59, 1), delta("ask", 51, 9)]
    for event in events:
        filtered.step(event)
    assert late.heard == [events[1], events[3]], "nothing is left for it at 51, so that the spread is 11, then 9 cents"


@pytest.mark.parametrize("calls", ["change", "best", "price"])
def test_while_engaged_it_is_told_what_it_asks_for(calls: EngagedCalls) -> None:
    listener, made = engaged(replace(SILENT, engaged=calls), filled=True)
    deep, size, better, same = delta("bid", 30, 1), delta("bid", 49, 7), delta("bid", 50, 1), delta("bid", 50, 2)
    for event in (deep, size, better, same):
        made.step(event)
    told = {"change": [deep, size, better, same], "best": [size, better, same], "price": [better]}
    assert listener.heard == told[calls]


def test_by_price_it_is_told_what_makes_a_book_known_though_prices_are_as_before() -> None:
    listener, made = engaged(replace(SILENT, engaged="price"), filled=True)
    for event in (book(), gap(), book()):
        made.step(event)
    assert listener.heard == [book()]


def test_gaps_and_what_ends_them_are_told_on_request() -> None:
    away = Unwanted(YES, START, "rotated_out")
    events: list[Event] = [book(), gap(), delta("bid", 40, 1), book(), away, book()]
    assert heard(Interest(), *events) == [book(), book(), book()]
    assert heard(Interest(books="never", coverage=True), *events) == [book(), gap(), book(), away, book()]
    narrow = Interest(where=BookFilter(spread_min=cents(50)), coverage=True)
    assert heard(narrow, book(), book(), gap(), gap(), book()) == [book(), gap(), gap(), book()]


def test_a_crossed_snapshot_after_a_gap_is_not_told() -> None:
    crossed = book(bids=((52, 1),))
    assert heard(Interest(coverage=True), gap(), crossed) == [gap()]


def test_whole_markets_are_selected() -> None:
    mine, other = THREE[0], market("z")
    only = Interest(markets=MarketChoice(ids=frozenset({"a"})), coverage=True)
    of_mine: list[Event] = [
        book(key=mine.key(0)),
        trade(50, 1, key=mine.key(1)),
        MarketChange(V, mine.market_id, None, START, None, "paused", "{}"),
        Gap(mine.key(0), START, "stall", 1),
        resolved(mine.key(0)),
    ]
    of_other: list[Event] = [
        book(key=other.key(0)),
        trade(50, 1, key=other.key(0)),
        MarketChange(V, other.market_id, None, START, None, "paused", "{}"),
        Gap(other.key(0), START, "stall", 1),
        Quote(other.key(0), START, None, None, None),
        resolved(other.key(0)),
    ]
    assert heard(only, *of_other, *of_mine, Tick(START), markets=(mine, other)) == [*of_mine, Tick(START)]


def test_a_phase_is_told_of_the_selected_venues() -> None:
    phase = VenuePhase(V, START, None, "closed", "{}")
    assert heard(Interest(markets=MarketChoice(venues=frozenset({V}))), phase) == [phase]
    assert heard(Interest(markets=MarketChoice(venues=frozenset({"other"}))), phase) == []


def test_a_market_is_selected_by_what_is_known_of_it_now() -> None:
    sports = Interest(markets=MarketChoice(categories=frozenset({"Sports"})))
    listed = MarketChange(V, YES.market_id, None, START, None, "listed", "", replace(market(), category="SPORTS"))
    assert heard(sports, book(), listed, book()) == [listed, book()]


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        (MarketChoice(), True),
        (MarketChoice(venues=frozenset({"mock"})), True),
        (MarketChoice(venues=frozenset({"kalshi"})), False),
        (MarketChoice(ids=frozenset({"a"})), True),
        (MarketChoice(ids=frozenset({"a-no"})), True),
        (MarketChoice(ids=frozenset({"b"})), False),
        (MarketChoice(events=frozenset({"race"})), True),
        (MarketChoice(events=frozenset({"e-a"})), False),
        (MarketChoice(categories=frozenset({"sports"})), True),
        (MarketChoice(categories=frozenset({"politics"})), False),
        (MarketChoice(globs=("z*", "a-?o")), True),
        (MarketChoice(globs=("A*",)), False),
        (MarketChoice(ids=frozenset({"a"}), events=frozenset({"other"})), False),
    ],
)
def test_every_stated_part_of_a_choice_has_to_hold(choice: MarketChoice, chosen: bool) -> None:
    known = replace(THREE[0], category="Sports")
    assert selects(choice, V, known.market_id, known) is chosen


def test_of_an_unknown_market_ids_and_venue_are_known() -> None:
    name = MarketId("a")
    assert selects(MarketChoice(globs=("a",)), V, name, None)
    for choice in (MarketChoice(events=frozenset({"race"})), MarketChoice(categories=frozenset({"sports"}))):
        assert not selects(choice, V, name, None)
    assert not selects(MarketChoice(ids=frozenset({"a-no"})), VenueName("mock"), name, None)


def _bounds(low: int, high: int) -> st.SearchStrategy[Any]:
    return st.none() | st.integers(low, high)


@given(
    st.lists(st.tuples(st.sampled_from(["bid", "ask"]), st.integers(1, 99), st.integers(0, 5)), max_size=30),
    st.builds(
        BookFilter, spread_min=_bounds(0, MICROS), bid_min=_bounds(0, MICROS), imbalance_min=_bounds(-MICROS, MICROS)
    ),
)
def test_what_is_told_is_what_meets_the_bounds(changes: list[tuple[Any, int, int]], bounds: BookFilter) -> None:
    events: list[BookEvent] = [book(), *(delta(side, price, size) for side, price, size in changes)]
    everything = heard(EVERYTHING, *events)
    mirror = Book(YES)
    expected = []
    for event in events:
        mirror.apply(event)
        if event in everything and not mirror.crossed() and meets(bounds, mirror):
            expected.append(event)
    assert heard(Interest(where=bounds), *events) == expected
