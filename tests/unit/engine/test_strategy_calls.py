"""What a strategy may return, how its errors are told, and what it sees of gaps."""

import re
from collections.abc import Callable, Iterable
from typing import Any, cast

import pytest
from msgspec.structs import replace

from predsurv.core.errors import StrategyError
from predsurv.core.events import CancelRejected, Event, OrderAccepted
from predsurv.core.ids import OrderId, StrategyName
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import CancelOrder, PlaceOrder, Quotes
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.engine.interest import EVERYTHING, Interest
from predsurv.engine.quoting import CANCEL_PATIENCE
from predsurv.engine.step import Step
from predsurv.engine.strategy import Strategy
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
    shares,
)


class Asked:
    """Answers with what ``answer`` makes of the view."""

    signals = frozenset({"quote", "test"})

    def __init__(self, answer: Callable[[View], Any], interest: Interest = EVERYTHING) -> None:
        self.name = ME
        self.interest = interest
        self.answer = answer

    def on_event(self, event: Event, view: View) -> Iterable[Any]:
        return self.answer(view)  # type: ignore[no-any-return]


def engine(answer: Callable[[View], Any], interest: Interest = EVERYTHING) -> Engine:
    cache = MarketCache({V})
    cache.add(market())
    account = TradingAccount({V: Money(1_000 * MICROS)})
    made = Engine(run="run", limits=LIMITS, strategies=[Asked(answer, interest)], cache=cache, account=account)
    made.valuation.begin_day(START, Money(1_000 * MICROS))
    return made


def test_wanted_quotes_become_orders_once() -> None:
    made = engine(lambda _: [Quotes(ME, YES, bid=(cents(48), shares(10)))])
    (command,) = made.step(book()).commands
    assert isinstance(command.command, PlaceOrder)
    assert (command.command.price, command.command.post_only) == (cents(48), True)
    assert made.step(book()).commands == ()


def test_changed_quotes_cancel_first() -> None:
    prices = iter((48, 47))
    made = engine(lambda _: [Quotes(ME, YES, bid=(cents(next(prices)), shares(10)))])
    made.step(book())
    assert [type(each.command) for each in made.step(book()).commands] == [CancelOrder]


def test_nothing_and_generators_are_fine() -> None:
    assert engine(lambda _: None).step(book()).commands == ()
    assert len(engine(lambda _: (intent(price=price) for price in (50, 51))).step(book()).commands) == 2


def test_an_exception_is_one_line_with_the_line_of_the_strategys_own_code() -> None:
    def answer(_: View) -> Any:
        return int("not\na number")

    failed = engine(answer).step(book()).failed
    assert failed is not None
    line = str(failed)
    where = f"{__file__}:{answer.__code__.co_firstlineno + 1}"
    assert line.startswith(f"strategy me failed at {where} on a BookSnapshot: ValueError")
    assert "\n" not in line
    assert failed.exit_code == 1
    assert isinstance(failed.__cause__, ValueError)


def failure(answer: Callable[[View], Any]) -> str:
    """The line of a strategy that fails at its first event."""
    return str(engine(answer).step(book()).failed)


def test_an_exception_of_a_generator_is_told_as_well() -> None:
    line = failure(lambda _: (1 // zero for zero in [0]))
    assert re.search(r"test_strategy_calls\.py:[0-9]+ on a BookSnapshot: ZeroDivisionError", line)


def test_an_error_deep_in_a_library_is_told_at_the_strategys_line() -> None:
    line = failure(lambda _: [Quotes(ME, YES, bid=(cents(0), shares(1)))])
    assert re.search(r"test_strategy_calls\.py:[0-9]+ on a BookSnapshot: ValueError: mock:m-yes", line)


@pytest.mark.parametrize(
    "wrong", [7, intent(), ["buy"], [intent(strategy=StrategyName("other"))], [Quotes(StrategyName("other"), YES)]]
)
def test_what_is_no_decision_of_its_own_is_refused(wrong: Any) -> None:
    assert re.search(r"strategy me.*test_strategy_calls\.py", failure(lambda _: wrong))


def test_a_field_of_another_type_is_the_strategys_fault_and_says_which() -> None:
    line = failure(lambda _: [replace(intent(), size=cast(Any, 5.5))])
    assert re.search(
        r"strategy me.*test_strategy_calls\.py:[0-9]+\) returned an order whose size is 5\.5 \(float\)", line
    )


def test_a_strategy_without_code_of_its_own_is_named_by_its_module() -> None:
    class Borrowed(Asked):
        on_event = len  # type: ignore[assignment]

    cache = MarketCache({V})
    cache.add(market())
    account = TradingAccount({V: Money(MICROS)})
    made = Engine(
        run="run", limits=LIMITS, strategies=[cast("Strategy", Borrowed(lambda _: 0))], cache=cache, account=account
    )
    assert "TypeError" in str(made.step(book()).failed)


def test_coverage_is_seen_by_who_asks_for_it() -> None:
    seen: list[tuple[bool, Any]] = []
    made = engine(lambda view: seen.append((view.book(NO) is not None, view.coverage(NO))), Interest(coverage=True))
    for event in (
        book(ts=START),
        gap(ts=START + 5 * MS),
        gap(ts=START + 6 * MS),
        book(ts=START + 9 * MS),
        book(ts=START + 10 * MS),
    ):
        made.step(event)
    assert [(trusted, each.state, each.since - START, each.gaps, each.observed) for trusted, each in seen] == [
        (True, "covered", 0, 0, 0),
        (False, "gap", 5 * MS, 1, 5 * MS),
        (False, "gap", 5 * MS, 1, 5 * MS),
        (True, "covered", 9 * MS, 1, 5 * MS),
        (True, "covered", 9 * MS, 1, 5 * MS),
    ]
    assert [each.reason for _, each in seen] == [None, "disconnect", "disconnect", None, None]


def test_a_book_that_begins_with_a_gap_was_never_observed() -> None:
    seen: list[Any] = []
    made = engine(lambda view: seen.append(view.coverage(YES)), Interest(coverage=True))
    made.step(gap())
    assert (seen[0].gaps, seen[0].observed, seen[0].since) == (1, 0, START)


def test_coverage_is_nothing_to_who_does_not_ask() -> None:
    seen: list[Any] = []
    made = engine(lambda view: seen.append((view.book(YES) is not None, view.coverage(YES))))
    made.step(gap())
    made.step(book())
    made.step(delta("bid", 52, 1))
    made.step(delta("bid", 52, 0))
    assert seen == [(True, None), (True, None)]


def test_a_halt_holds_back_gaps_too() -> None:
    seen: list[Any] = []
    made = engine(lambda _: seen.append(1), Interest(coverage=True))
    made.control.halt(START, "by hand")
    made.step(gap())
    assert seen == []


def test_a_strategy_sees_everything_it_holds() -> None:
    seen: list[Any] = []
    made = engine(lambda view: seen.append(view.positions()))
    made.account.portfolio.positions.put(ME, NO, shares(3), Money(MICROS))
    made.account.portfolio.positions.put(StrategyName("other"), YES, shares(3), Money(MICROS))
    made.step(book())
    assert [(each.key, each.size) for each in seen[0]] == [(NO, shares(3))]


def test_what_failed_on_a_fill_is_booked_before_it_is_raised() -> None:
    answers = iter([[intent()], 7])
    made = engine(lambda _: next(answers))
    made.step(book())
    step = made.step(fill("run-00000001"))
    assert step.booked
    assert isinstance(step.failed, StrategyError)
    assert made.account.portfolio.positions.get(ME, YES) is not None


def ordered(step: Step) -> list[tuple[Any, ...]]:
    """Instrument and price of each order that is sent."""
    return [(each.command.key, each.command.price) for each in step.commands if isinstance(each.command, PlaceOrder)]


def test_of_two_quotes_for_one_instrument_in_one_answer_the_last_holds() -> None:
    for first in (48, 47):
        quotes = [Quotes(ME, YES, bid=(cents(price), shares(10))) for price in (first, 47)]
        made = engine(lambda _, quotes=quotes: quotes)  # type: ignore[misc]
        assert ordered(made.step(book())) == [(YES, cents(47))]
        assert made.step(book()).commands == ()


def test_quotes_of_one_step_do_not_trade_with_each_other() -> None:
    made = engine(lambda _: [Quotes(ME, YES, bid=(cents(49), shares(10))), Quotes(ME, NO, bid=(cents(52), shares(10)))])
    for _ in range(3):
        assert [key for key, _ in ordered(made.step(book()))] in ([YES], [])
    assert [order.key for order in made.account.orders.live()] == [YES]


def test_quotes_of_two_strategies_at_one_event_do_not_trade_with_each_other() -> None:
    other = Asked(lambda _: [Quotes(StrategyName("other"), NO, bid=(cents(52), shares(10)))])
    other.name = StrategyName("other")
    first = Asked(lambda _: [Quotes(ME, YES, bid=(cents(49), shares(10)))])
    cache = MarketCache({V})
    cache.add(market())
    account = TradingAccount({V: Money(1_000 * MICROS)})
    made = Engine(run="run", limits=LIMITS, strategies=[first, other], cache=cache, account=account)
    assert ordered(made.step(book())) == [(YES, cents(49))]
    assert made.step(book()).commands == ()


def test_refused_quotes_are_refused_once_a_second_and_none_while_reducing() -> None:
    made = engine(lambda _: [Quotes(ME, YES, bid=(cents(48), shares(10_000)))])
    refusals = [len(made.step(book(ts=START + number * 100 * MS)).refusals) for number in range(21)]
    assert [number for number, count in enumerate(refusals) if count] == [0, 10, 20]
    made = engine(lambda _: [Quotes(ME, YES, bid=(cents(48), shares(10)))])
    made.control.reduce(START, "test")
    assert not any(made.step(book()).refusals for _ in range(5))
    made.control.resume(START)
    assert ordered(made.step(book())) == [(YES, cents(48))]


def test_quotes_never_rest_twice_when_a_cancel_is_rejected() -> None:
    wanted = [48]
    made = engine(lambda _: [Quotes(ME, YES, bid=(cents(wanted[0]), shares(10)))])
    (order,) = made.step(book()).commands
    name, wanted[0] = order.command.client_order_id, 47
    assert [type(each.command) for each in made.step(book()).commands] == [CancelOrder]
    step = made.step(CancelRejected(YES, START, name, "unknown_order"))
    assert (step.booked, step.commands) == (True, ()), "the order may just be on its way"
    made.step(OrderAccepted(YES, START, name, OrderId("v")))
    assert [(each.price, each.state) for each in made.account.orders.live()] == [(cents(48), "open")]
    later = made.step(book(ts=START + CANCEL_PATIENCE))
    assert [type(each.command) for each in later.commands] == [CancelOrder]


def test_a_rejected_cancel_is_not_repeated_at_once_while_halted() -> None:
    made = engine(lambda _: [Quotes(ME, YES, bid=(cents(48), shares(10)))])
    (order,) = made.step(book()).commands
    name = order.command.client_order_id
    made.control.halt(START, "test")
    assert made.step(CancelRejected(YES, START, name, "unknown_order")).commands == ()
    accepted = made.step(OrderAccepted(YES, START, name, OrderId("v")))
    assert [type(each.command) for each in accepted.commands] == [CancelOrder]
    assert made.step(CancelRejected(YES, START, name, "venue_paused")).commands == ()
