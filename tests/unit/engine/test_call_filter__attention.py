"""A strategy may say which book events it waits for, and change its mind at any time."""

from collections.abc import Iterable

import pytest

from predsurv.core.events import Event
from predsurv.core.orders import Intent
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.engine.interest import EVERYTHING, Attention, BookFilter, Interest
from predsurv.state.market_cache import MarketCache
from predsurv.state.view import View
from tests.kit.trading_samples import LIMITS, ME, NO, YES, book, cents, delta, market


class Waiting:
    """Records what it is called with."""

    name = ME
    signals = frozenset({"test"})

    def __init__(self, interest: Interest) -> None:
        self.interest, self.attention = interest, Attention(others=False)
        self.heard: list[Event] = []

    def on_event(self, event: Event, view: View) -> Iterable[Intent]:
        self.heard.append(event)
        return ()


@pytest.mark.parametrize("interest", [EVERYTHING, Interest(trades=False), Interest(engaged="price")])
def test_a_strategy_that_says_what_it_waits_for_is_told_nothing_else_of_books(interest: Interest) -> None:
    listener, cache = Waiting(interest), MarketCache()
    cache.add(market())
    engine = Engine(run="run", limits=LIMITS, strategies=[listener], cache=cache, account=TradingAccount({}))
    engine.step(book())
    assert listener.heard == []
    listener.attention = Attention(books={YES: BookFilter(bid_max=cents(40))}, others=False)
    engine.step(delta("bid", 41, 5))
    assert listener.heard == []
    listener.attention = Attention(books={YES: None})
    engine.step(delta("bid", 42, 5))
    assert listener.heard == []
    listener.attention = Attention(books={YES: BookFilter(bid_max=cents(60))}, others=False)
    heard = delta("bid", 43, 5)
    engine.step(heard)
    assert listener.heard == [heard]
    listener.attention = Attention(books={NO: None})
    engine.step(heard)
    assert listener.heard == [heard, heard]
