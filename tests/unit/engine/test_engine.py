"""One event in, commands out: on trusted books only, with lasting halts, the same in every run."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import (
    Connected,
    Event,
    LevelConsumed,
    MarketChange,
    OrderAccepted,
    OrderCancelled,
    OrderUnknown,
    Quote,
    Tick,
    VenuePhase,
)
from predsurv.core.ids import ClientOrderId, OrderId
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS
from predsurv.core.orders import CancelOrder
from predsurv.engine.account.valuation import DAY
from predsurv.engine.step import EMPTY_STEP
from tests.kit.eager_engine import FIRST, Eager, engine
from tests.kit.trading_samples import (
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
    shares,
    trade,
)


def test_an_intent_becomes_a_command_and_a_pending_order() -> None:
    made = engine(Eager(intents=[intent()]))
    step = made.step(book())
    assert [command.command.client_order_id for command in step.commands] == [FIRST]
    assert made.account.orders.live_count() == 1
    assert made.step(delta("ask", 60, 1)) is EMPTY_STEP


def test_no_strategy_is_called_for_an_untrusted_instrument() -> None:
    eager = Eager()
    made = engine(eager)
    for event in (delta("bid", 40, 1), trade(40, 1), Quote(YES, START, None, None, None), book(), gap()):
        made.step(event)
    assert eager.received == [book()]
    for event in (delta("bid", 40, 1), trade(40, 1), book(bids=((52, 1),)), book()):
        made.step(event)
    assert eager.received == [book(), book()]


def test_a_step_holds_the_refused_intents() -> None:
    (refused,) = engine(Eager(intents=[intent(size=1)])).step(book()).refusals
    assert (refused.reason, refused.ts) == ("below_minimum", START)


def test_account_events_go_to_the_strategy_of_the_order() -> None:
    mine, other = Eager(intents=[intent()]), Eager("other")
    made = engine(mine, other)
    made.step(book())
    step = made.step(fill(FIRST, size=4))
    assert step.booked
    assert isinstance(mine.received[-1], type(fill()))
    assert other.received == [book()]
    assert made.account.portfolio.positions.get(ME, YES) is not None


def test_consumed_liquidity_is_not_shown_to_strategies() -> None:
    made = engine(Eager(intents=[intent(size=100)]))
    made.step(book())
    made.step(fill(FIRST, size=100))
    shown = made.books.book(YES)
    assert shown is not None
    assert shown.best_ask() is None
    made.step(delta("ask", 51, 3))
    shown = made.books.book(YES)
    assert shown is not None
    assert shown.best_ask() is None
    made.step(delta("ask", 51, 0))
    assert made.books.book(YES) is made.cache.book(YES)


def test_what_a_simulated_venue_says_we_consumed_counts_instead_of_our_fills() -> None:
    made = engine(Eager(intents=[intent(size=100)]))
    made.step(book())
    assert made.step(LevelConsumed(YES, START, "ask", cents(51), shares(60))) is EMPTY_STEP
    made.step(fill(FIRST, size=60))
    shown = made.books.book(YES)
    assert shown is not None
    assert shown.best_ask() == (cents(51), shares(40))
    made.step(LevelConsumed(YES, START, "ask", cents(51), shares(0)))
    assert made.books.book(YES) is made.cache.book(YES)


def test_duplicate_late_and_foreign_account_events_are_noted_and_change_nothing() -> None:
    made = engine(Eager(intents=[intent()]))
    made.step(book())
    made.step(fill(FIRST))
    for event, kind in (
        (fill(FIRST), "duplicate"),
        (OrderCancelled(YES, START, FIRST, "x"), "stale"),
        (OrderCancelled(YES, START, ClientOrderId("who"), "x"), "foreign"),
    ):
        step = made.step(event)
        assert [note.kind for note in step.notes] == [kind]
        assert not step.booked


def test_an_overfill_and_a_foreign_fill_halt() -> None:
    for impossible in (fill(FIRST, size=99), fill("who")):
        made = engine(Eager(intents=[intent(), intent()]))
        made.step(book())
        step = made.step(impossible)
        assert [note.kind for note in step.notes] == ["halted"]
        assert [type(command.command) for command in step.commands] == [CancelOrder]
        assert made.step(book()) is EMPTY_STEP
        assert made.account.portfolio.positions.totals() == ()


def test_a_halt_cancels_orders_and_calls_no_strategy_until_resumed() -> None:
    eager = Eager(intents=[intent(), intent()])
    made = engine(eager)
    made.step(book())
    made.step(OrderUnknown(YES, START, FIRST, "time-out"))
    step = made.control.halt(START, "by hand")
    assert [note.detail for note in step.notes] == ["by hand"]
    assert len(step.commands) == 1
    assert made.control.halt(START, "again").notes == ()
    assert made.step(book()) is EMPTY_STEP
    found = made.step(OrderAccepted(YES, START, FIRST, OrderId("v")))
    assert [type(command.command) for command in found.commands] == [CancelOrder]
    assert [note.kind for note in made.control.resume(START).notes] == ["resumed"]
    assert made.control.resume(START) is EMPTY_STEP
    assert len(made.step(book()).commands) == 1


def test_a_shutdown_cancels_orders_without_a_note() -> None:
    made = engine(Eager(intents=[intent()]))
    made.step(book())
    step = made.control.shut_down(START + MS)
    assert (len(step.commands), step.notes) == (1, ())
    assert made._risk.now == START + MS
    assert made.control.trading == "active"
    assert made.control.shut_down(START + MS) is EMPTY_STEP


def test_a_shutdown_cannot_be_undone() -> None:
    eager = Eager(intents=[intent(), intent(), intent()])
    made = engine(eager)
    made.step(book())
    made.step(OrderUnknown(YES, START, FIRST, "time-out"))
    made.control.shut_down(START)
    assert made.control.resume(START) is EMPTY_STEP
    assert made.step(book()) is EMPTY_STEP
    found = made.step(OrderAccepted(YES, START, FIRST, OrderId("v")))
    assert [type(command.command) for command in found.commands] == [CancelOrder]
    assert [note.kind for note in made.control.halt(START, "by hand").notes] == ["halted"]
    assert made.control.resume(START) is EMPTY_STEP
    assert made.step(book()) is EMPTY_STEP
    assert len(eager.received) == 2


def test_a_halt_during_shutdown_is_noted() -> None:
    made = engine(Eager(intents=[intent()]))
    made.step(book())
    made.control.shut_down(START)
    assert [note.kind for note in made.step(fill("who")).notes] == ["halted"]


def test_settlement_is_booked_once_something_was_traded() -> None:
    made = engine(Eager(intents=[intent()]))
    assert not made.step(resolved(ts=START - 1)).booked
    made = engine(Eager(intents=[intent()]))
    made.step(book())
    assert made.step(resolved()).booked, "its order may have traded"
    made = engine(Eager(intents=[intent()]))
    made.step(book())
    made.step(fill(FIRST, price=50))
    step = made.step(resolved())
    assert step.booked
    assert [done.paid for done in step.settlements] == [10 * MICROS]
    assert made.account.portfolio.cash(V) == 1_005 * MICROS


def test_every_strategy_receives_market_changes_and_ticks() -> None:
    eager = Eager()
    made = engine(eager)
    change = MarketChange(V, YES.market_id, None, START, None, "paused", "{}")
    for event in (change, Tick(START + 1), Connected(V, START, 1, 1)):
        made.step(event)
    assert eager.received == [change, Tick(START + 1)]
    assert made._risk.last_recv[V] == START


def test_a_new_day_is_noted_with_its_equity() -> None:
    made = engine()
    (note,) = made.step(Tick(START + DAY)).notes
    assert (note.kind, note.equity) == ("day", 1_000 * MICROS)
    assert made.step(Tick(START + DAY + 1)) is EMPTY_STEP
    assert made.step(Tick(START)) is EMPTY_STEP
    assert made._risk.now == START + DAY + 1


events: st.SearchStrategy[Any] = st.one_of(
    st.builds(delta, st.sampled_from(["bid", "ask"]), st.integers(45, 55), st.integers(0, 9)),
    st.just(book()),
    st.just(gap()),
    st.builds(lambda p: trade(p, 5), st.integers(45, 55)),
    st.just(Tick(START)),
)


@given(st.lists(events, max_size=40), st.lists(st.integers(40, 60), max_size=10))
def test_no_untrusted_book_is_ever_shown_and_runs_repeat(stream: list[Event], prices: list[int]) -> None:
    runs = []
    for _ in range(2):
        made = engine(Eager(intents=[intent(price=price) for price in prices]))
        runs.append([made.step(event) for event in stream])
    assert runs[0] == runs[1]


def test_trades_told_on_the_mirrored_outcome_reach_the_strategies() -> None:
    eager = Eager()
    made = engine(eager)
    told = trade(55, 3, "buy", START, NO)
    made.step(told)
    assert eager.received == [], "nothing is known of the book"
    made.step(book())
    made.step(told)
    assert eager.received[-1] == told
    made.step(gap())
    made.step(told)
    assert len(eager.received) == 2


def test_a_pause_of_the_venue_reaches_the_strategies_and_stops_orders() -> None:
    eager = Eager(intents=[intent(), intent()])
    made = engine(eager)
    paused = VenuePhase(V, START, None, "cancel_only", "{}")
    made.step(paused)
    step = made.step(book())
    assert eager.received[0] == paused
    assert [refused.reason for refused in step.refusals] == ["venue_paused"]
    made.step(VenuePhase(V, START, None, "open", "{}"))
    assert made.step(book()).commands


def test_a_change_announced_ahead_holds_with_the_passing_of_time_alone() -> None:
    made = engine()
    dearer = FeeSchedule("polymarket", 70_000)
    change = MarketChange(V, YES.market_id, None, START, None, "fee", "{}", fee=dearer, effective=START + 10 * MS)
    made.step(change)
    made.step(Tick(START + 9 * MS))
    assert made.cache.market(V, YES.market_id) == market()
    made.step(Tick(START + 10 * MS))
    known = made.cache.market(V, YES.market_id)
    assert known is not None
    assert known.fee == dearer


def test_a_phase_is_told_once_to_people_and_strategies() -> None:
    eager = Eager()
    made = engine(eager)
    (note,) = made.step(VenuePhase(V, START, None, "closed", "{}")).notes
    assert (note.kind, note.detail) == ("phase", "mock is closed")
    assert made.step(VenuePhase(V, START + MS, None, "closed", "{}")) is EMPTY_STEP
    assert len(eager.received) == 1


def test_what_could_not_be_cancelled_while_the_venue_was_closed_is_cancelled_afterwards() -> None:
    made = engine(Eager(intents=[intent()]))
    made.step(book())
    made.step(VenuePhase(V, START, None, "closed", "{}"))
    made.control.halt(START, "by hand")
    step = made.step(VenuePhase(V, START, None, "cancel_only", "{}"))
    assert [command.command for command in step.commands] == [CancelOrder(FIRST, YES)]
    assert made.step(VenuePhase(V, START, None, "open", "{}")).commands == ()
