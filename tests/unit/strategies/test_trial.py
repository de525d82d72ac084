"""A trial runs the engine behind a strategy: what it shows is what the strategy hears."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from predsurv.core.errors import StrategyError
from predsurv.core.events import (
    BookSnapshot,
    Event,
    Fill,
    Gap,
    MarketResolved,
    OrderAccepted,
    OrderCancelled,
    Tick,
    Trade,
)
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import Quotes
from predsurv.engine.interest import Interest
from predsurv.state.view import View
from predsurv.strategies.own import OwnStrategy
from predsurv.strategies.trial import StrategyTrial
from tests.kit.trading_samples import cents, shares


class Scripted(OwnStrategy):
    """Answers with what ``answer`` says, and records what it hears."""

    interest = Interest(coverage=True)

    def __init__(self, answer: Callable[[Any, View], Any] = lambda *_: ()) -> None:
        super().__init__()
        self.answer = answer
        self.heard: list[Event] = []

    def on_event(self, event: Event, view: View) -> Iterable[Any]:
        self.heard.append(event)
        return self.answer(event, view)  # type: ignore[no-any-return]


def test_everything_that_happens_is_heard() -> None:
    strategy = Scripted(lambda event, _: [strategy.buy(event.key, cents(40), shares(5), tif="gtc")]
                        if isinstance(event, BookSnapshot) else ())  # fmt: skip
    trial = StrategyTrial(strategy)
    (order,) = trial.book(bids=[("0.40", 10)], asks=[("0.45", 10.5)])
    trial.trade("0.45", 1)
    trial.accept(order)
    trial.fill(order, 2)
    assert trial.position() is not None
    trial.fill(order)
    trial.wait(2.5)
    trial.gap()
    (second,) = trial.book(bids=[("0.40", 10)])
    trial.end(second)
    trial.settle(trial.yes)
    assert [type(each) for each in strategy.heard] == [
        BookSnapshot, Trade, OrderAccepted, Fill, Fill, Tick, Gap, BookSnapshot, OrderCancelled, MarketResolved,
    ]  # fmt: skip
    assert trial.position() is None
    assert trial.position(trial.no) is None
    assert trial.orders == [order, second]


def test_a_void_pays_half() -> None:
    strategy = Scripted(lambda event, view: [strategy.buy(event.key, cents(50), shares(10))]
                        if isinstance(event, BookSnapshot) else ())  # fmt: skip
    trial = StrategyTrial(strategy, cash=Money(100 * MICROS))
    (order,) = trial.book(asks=[("0.50", 10)])
    trial.fill(order)
    trial.settle(None)
    assert trial._account.portfolio.cash(trial.market.venue) == 100 * MICROS


def test_quotes_become_orders_and_cancels() -> None:
    wanted = [(cents(40), shares(5)), None]
    strategy = Scripted(lambda event, _: [Quotes(strategy.name, event.key, wanted.pop(0))])
    trial = StrategyTrial(strategy)
    (order,) = trial.book(bids=[("0.40", 10)])
    assert trial.book(bids=[("0.41", 10)]) == []
    assert [each.client_order_id for each in trial.cancels] == [order.client_order_id]


def test_refusals_and_failures_are_seen() -> None:
    strategy = Scripted(lambda event, _: [strategy.sell(event.key, cents(40), shares(5))])
    trial = StrategyTrial(strategy)
    assert trial.book(bids=[("0.40", 10)]) == []
    assert [each.reason for each in trial.refused] == ["not_held"]
    with pytest.raises(StrategyError, match="ZeroDivisionError"):
        StrategyTrial(Scripted(lambda *_: 1 // 0)).book()
