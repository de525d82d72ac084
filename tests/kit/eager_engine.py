"""An engine at a made-up venue around strategies that emit given intents."""

from collections.abc import Iterable, Sequence

from predsurv.core.events import BookDelta, BookSnapshot, Event, Quote, Trade
from predsurv.core.ids import ClientOrderId, StrategyName
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import CancelIntent, Intent
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.engine.interest import EVERYTHING
from predsurv.state.market_cache import MarketCache
from predsurv.state.view import View
from tests.kit.trading_samples import LIMITS, NO, START, YES, V, market

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
