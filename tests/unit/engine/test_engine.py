"""One event in, commands out: on trusted books only, with lasting halts, the same in every run."""

from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Connected,
    Event,
    MarketChange,
    OrderAccepted,
    OrderCancelled,
    OrderUnknown,
    Quote,
    Tick,
    Trade,
    VenuePhase,
)
from predsurv.core.ids import ClientOrderId, OrderId, StrategyName
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import CancelIntent, CancelOrder, Intent
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.account.valuation import DAY
from predsurv.engine.engine import LOSS_STANDS, Engine
from predsurv.engine.interest import EVERYTHING
from predsurv.engine.step import EMPTY_STEP
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
    delta,
    fill,
    gap,
    intent,
    market,
    resolved,
    trade,
)

FIRST = ClientOrderId("run-00000001")


class Eager:
    """Emits its intents at snapshots; records the events it receives and asserts that every book it sees is trusted."""

    signals = frozenset({"test"})
    interest = EVERYTHING

    def __init__(self, name: str = "me", intents: Sequence[Intent] = ()) -> None:
        self.name = StrategyName(name)
        self.intents = list(intents)
        self.received: list[Event] = []

    def on_event(self, event: Event, view: View) -> Iterable[Intent | CancelIntent]:
        self.received.append(event)
        for key in (YES, NO):
            shown = view.book(key)
            assert shown is None or (shown.trusted and not shown.crossed())
        if isinstance(event, BookSnapshot | BookDelta | Trade | Quote):
            assert view.book(event.key) is not None
        return [self.intents.pop(0)] if self.intents and isinstance(event, BookSnapshot) else []


def engine(*strategies: Eager) -> Engine:
    cache = MarketCache({V})
    cache.add(market())
    account = TradingAccount({V: Money(1_000 * MICROS)})
    made = Engine(run="run", limits=LIMITS, strategies=strategies, cache=cache, account=account)
    made.valuation.begin_day(START, Money(1_000 * MICROS))
    return made


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


def test_duplicate_late_and_foreign_account_events_are_noted_and_change_nothing() -> None:
    made = engine(Eager(intents=[intent()]))
    made.step(book())
    made.step(fill(FIRST))
    for event, kind in (
        (fill(FIRST), "duplicate"),
        (OrderAccepted(YES, START, FIRST, OrderId("v")), "stale"),
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
    step = made.halt(START, "by hand")
    assert [note.detail for note in step.notes] == ["by hand"]
    assert len(step.commands) == 1
    assert made.halt(START, "again").notes == ()
    assert made.step(book()) is EMPTY_STEP
    found = made.step(OrderAccepted(YES, START, FIRST, OrderId("v")))
    assert [type(command.command) for command in found.commands] == [CancelOrder]
    assert [note.kind for note in made.resume(START).notes] == ["resumed"]
    assert made.resume(START) is EMPTY_STEP
    assert len(made.step(book()).commands) == 1


def resting(made: Engine) -> list[str]:
    return [order.side for order in made.account.orders.live()]


def test_reducing_cancels_bids_and_sends_sales_only_until_resumed() -> None:
    sales = [intent("sell", price, 5, tif="gtc") for price in (60, 61)]
    eager = Eager(intents=[intent(size=20), sales[0], intent(), sales[1], intent()])
    made = engine(eager)
    made.step(book())
    made.step(fill(FIRST, size=10))
    made.step(book())
    step = made.reduce(START, "by hand")
    assert [note.kind for note in step.notes] == ["reducing"]
    assert [command.command.client_order_id for command in step.commands] == [FIRST]
    assert made.reduce(START, "again").notes == ()
    assert [refused.reason for refused in made.step(book()).refusals] == ["reducing"]
    assert len(made.step(book()).commands) == 1
    assert (made.trading, resting(made)) == ("reducing", ["buy", "sell", "sell"])
    assert [note.kind for note in made.resume(START).notes] == ["resumed"]
    assert len(made.step(book()).commands) == 1


def test_a_bid_that_was_unknown_when_bids_were_cancelled_is_cancelled_and_its_fill_is_told() -> None:
    eager = Eager(intents=[intent()])
    made = engine(eager)
    made.step(book())
    made.step(OrderUnknown(YES, START, FIRST, "time-out"))
    made.reduce(START, "by hand")
    found = made.step(fill(FIRST, size=4))
    assert [type(command.command) for command in found.commands] == [CancelOrder]
    assert isinstance(eager.received[-1], type(fill()))


def lossy(*intents: Intent, equity: int = 1_500) -> Engine:
    made = engine(Eager(intents=list(intents)))
    made.continue_day(START, Money(equity * MICROS), lost_too_much=False)
    return made


def test_a_loss_at_its_limit_that_stands_leaves_sales_only_until_the_day_ends() -> None:
    made = lossy(intent(), equity=1_400)
    made.step(book())
    made.continue_day(START, Money(1_500 * MICROS), lost_too_much=False)
    assert made.step(Tick(START)).notes == ()
    assert made.step(Tick(START + LOSS_STANDS - 1)).notes == ()
    step = made.step(Tick(START + LOSS_STANDS))
    assert [note.kind for note in step.notes] == ["loss_limit"]
    assert [command.command.client_order_id for command in step.commands] == [FIRST]
    assert made.step(Tick(START + LOSS_STANDS)) is EMPTY_STEP
    assert (made.trading, made.requested) == ("reducing", "active")
    tomorrow = made.step(Tick((START // DAY + 1) * DAY))
    assert [note.kind for note in tomorrow.notes] == ["day", "resumed"]
    assert made.trading == "active"


def test_a_loss_that_passes_limits_nothing_for_the_day() -> None:
    made = lossy()
    made.step(Tick(START))
    made.continue_day(START, Money(1_000 * MICROS), lost_too_much=False)
    made.step(Tick(START + LOSS_STANDS))
    made.continue_day(START, Money(1_500 * MICROS), lost_too_much=False)
    assert made.step(Tick(START + 2 * LOSS_STANDS)) is EMPTY_STEP
    assert made.trading == "active"


def test_what_a_person_ordered_and_the_loss_limit_are_lifted_apart() -> None:
    made = lossy()
    made.continue_day(START, Money(1_000 * MICROS), lost_too_much=True)
    made.halt(START, "by hand")
    assert [note.kind for note in made.resume(START).notes] == ["reducing"]
    made.reduce(START, "by hand")
    tomorrow = made.step(Tick((START // DAY + 1) * DAY))
    assert [(note.kind, note.detail) for note in tomorrow.notes][1:] == [("reducing", "a new UTC day; still in force")]


def test_a_loss_limit_reached_while_halted_cancels_nothing_twice() -> None:
    made = lossy(intent())
    made.continue_day(START, Money(1_000 * MICROS), lost_too_much=False)
    made.step(book())
    made.halt(START, "by hand")
    made.continue_day(START, Money(1_500 * MICROS), lost_too_much=False)
    made.step(Tick(START))
    step = made.step(Tick(START + LOSS_STANDS))
    assert ([note.kind for note in step.notes], step.commands) == (["loss_limit"], ())


def test_a_shutdown_cancels_orders_without_a_note() -> None:
    made = engine(Eager(intents=[intent()]))
    made.step(book())
    step = made.shut_down(START + MS)
    assert (len(step.commands), step.notes) == (1, ())
    assert made._risk.now == START + MS
    assert made.trading == "active"
    assert made.shut_down(START + MS) is EMPTY_STEP


def test_a_shutdown_cannot_be_undone() -> None:
    eager = Eager(intents=[intent(), intent(), intent()])
    made = engine(eager)
    made.step(book())
    made.step(OrderUnknown(YES, START, FIRST, "time-out"))
    made.shut_down(START)
    assert made.resume(START) is EMPTY_STEP
    assert made.step(book()) is EMPTY_STEP
    found = made.step(OrderAccepted(YES, START, FIRST, OrderId("v")))
    assert [type(command.command) for command in found.commands] == [CancelOrder]
    assert [note.kind for note in made.halt(START, "by hand").notes] == ["halted"]
    assert made.resume(START) is EMPTY_STEP
    assert made.step(book()) is EMPTY_STEP
    assert len(eager.received) == 2


def test_a_halt_during_shutdown_is_noted() -> None:
    made = engine(Eager(intents=[intent()]))
    made.step(book())
    made.shut_down(START)
    assert [note.kind for note in made.step(fill("who")).notes] == ["halted"]


def test_settlement_is_booked_once_something_was_traded() -> None:
    made = engine(Eager(intents=[intent()]))
    assert not made.step(resolved(ts=START - 1)).booked
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
    made.halt(START, "by hand")
    step = made.step(VenuePhase(V, START, None, "cancel_only", "{}"))
    assert [command.command for command in step.commands] == [CancelOrder(FIRST, YES)]
    assert made.step(VenuePhase(V, START, None, "open", "{}")).commands == ()
