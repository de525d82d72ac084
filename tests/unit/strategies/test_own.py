"""The class that own strategies are made of names itself and its orders."""

from collections.abc import Iterable

import pytest
from msgspec import Struct

from predsurv.core.errors import ConfigError
from predsurv.core.events import BookSnapshot, Event, Tick
from predsurv.core.ids import StrategyName
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import CancelIntent, Decision, Intent, Quotes
from predsurv.engine.interest import EVERYTHING
from predsurv.state.view import View
from predsurv.strategies.own import NoParams, OwnStrategy
from predsurv.strategies.trial import StrategyTrial
from tests.kit.manual_view import ManualView
from tests.kit.trading_samples import YES, cents, shares


class Params(Struct, frozen=True):
    edge: Price = Price(10_000)


class FadeTheMove2(OwnStrategy):
    Params = Params

    def on_event(self, event: Event, view: View) -> Iterable[Decision]:
        if isinstance(event, BookSnapshot):
            yield self.buy(event.key, self.params.edge, Size(MICROS))


class Plain(OwnStrategy):
    name = StrategyName("quite-plain")


def test_it_is_named_after_its_class_unless_it_says_otherwise() -> None:
    assert FadeTheMove2.name == "fade_the_move2"
    assert Plain.name == "quite-plain"
    assert Plain.signals == frozenset()
    assert Plain.interest is EVERYTHING


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="a name has 1 to 32 characters"):
        type("É", (OwnStrategy,), {})


def test_it_takes_parameters_whole_in_units_or_as_text() -> None:
    assert FadeTheMove2().params == Params()
    assert FadeTheMove2(Params(Price(5))).params.edge == 5
    assert FadeTheMove2(edge=Price(7)).params.edge == 7
    assert FadeTheMove2(edge="0.02").params.edge == 20_000
    assert Plain().params == NoParams()
    with pytest.raises(ConfigError, match="strategy fade_the_move2: no parameter edg; did you mean edge"):
        FadeTheMove2(edg=1)


def test_a_helper_of_a_strategy_may_have_any_name_that_is_not_documented() -> None:
    taken = {name for name in vars(OwnStrategy) if not name.startswith("__")}
    assert taken == {"Params", "signals", "interest", "on_event", "buy", "sell", "cancel", "quotes"}


def test_its_decisions_carry_its_name() -> None:
    made, view = Plain(), ManualView()
    assert made.buy(YES, cents(40), shares(5)) == Intent(made.name, YES, "buy", cents(40), shares(5), "ioc", "buy")
    resting = made.sell(YES, cents(40), shares(5), "exit", tif="gtc", post_only=True)
    assert resting == Intent(made.name, YES, "sell", cents(40), shares(5), "gtc", "exit", post_only=True)
    assert made.cancel(view.rest("o", YES)) == CancelIntent(made.name, "o", "cancel")  # type: ignore[arg-type]
    assert made.quotes(YES, bid=(cents(40), shares(5))) == Quotes(made.name, YES, (cents(40), shares(5)))


def test_without_an_on_event_it_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Plain has no on_event"):
        Plain().on_event(Tick(1), ManualView())


def test_it_runs() -> None:
    (order,) = StrategyTrial(FadeTheMove2(edge="0.4")).book(bids=[("0.40", 10)], asks=[("0.45", 10)])
    assert (order.price, order.strategy) == (400_000, "fade_the_move2")
