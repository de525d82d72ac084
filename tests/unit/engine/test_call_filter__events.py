"""Sums over an event leave out what has settled."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from predsurv.core.events import Event, MarketChange, MarketResolved
from predsurv.core.ids import EventId
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Money, Price
from predsurv.core.orders import Intent
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.engine.interest import EventFilter, Interest
from predsurv.state.market_cache import MarketCache
from predsurv.state.view import View
from tests.kit.trading_samples import LIMITS, ME, START, V, book, cents, delta, gap, market

THREE = tuple(market(name, event_id=EventId("race"), mutually_exclusive=True) for name in "abc")


class SilentListener:
    """Records what it is called with, and orders nothing."""

    name = ME
    signals = frozenset({"test"})

    def __init__(self, interest: Interest) -> None:
        self.interest = interest
        self.heard: list[Event] = []

    def on_event(self, event: Event, view: View) -> Iterable[Intent]:
        self.heard.append(event)
        return ()


def told(interest: Interest, *events: Event, markets: Iterable[Market] = THREE) -> list[Event]:
    cache, listener = MarketCache({V}), SilentListener(interest)
    for each in markets:
        cache.add(each)
    account = TradingAccount({V: Money(1_000 * MICROS)})
    engine = Engine(run="run", limits=LIMITS, strategies=[listener], cache=cache, account=account)
    engine.valuation.begin_day(START, Money(1_000 * MICROS))
    for event in events:
        engine.step(event)
    return listener.heard


def ended(at: int, *, void: bool = False, payout: int = 0) -> MarketResolved:
    payouts = ((THREE[at].key(0).instrument_id, Price(payout)),)
    return MarketResolved(V, THREE[at].market_id, START, None, payouts, void=void)


@pytest.mark.parametrize("end", [ended(2), ended(2, payout=MICROS), ended(2, void=True, payout=MICROS // 2)])
@pytest.mark.parametrize("lost", [False, True])
def test_a_market_that_has_settled_is_in_no_sum(end: MarketResolved, lost: bool) -> None:
    books = [book(((60, 9),), ((ask, 9),), each.key(0)) for each, ask in zip(THREE, (65, 66, 90), strict=True)]
    change = delta("ask", 64, 9, key=THREE[0].key(0))
    after: list[Event] = [end, *([gap(key=THREE[2].key(0))] if lost else []), change]
    cheap = Interest(where_event=EventFilter(ask_sum_max=cents(130)))
    dear = Interest(where_event=EventFilter(bid_sum_min=cents(121)))
    assert told(cheap, *books, change) == []
    assert told(cheap, *books, *after)[1:] == [change]
    assert told(dear, *books, change) == [books[2], change]
    assert told(dear, *books, *after)[1:] == [end]


def test_a_market_that_is_closed_only_may_still_pay_and_counts() -> None:
    books = [book(((60, 9),), ((ask, 9),), each.key(0)) for each, ask in zip(THREE, (65, 66, 90), strict=True)]
    change = delta("ask", 64, 9, key=THREE[0].key(0))
    closed = MarketChange(V, THREE[2].market_id, None, START, None, "closed", "{}")
    cheap = Interest(where_event=EventFilter(ask_sum_max=cents(130)))
    assert told(cheap, *books, closed, change) == [closed]


def test_an_event_in_which_all_have_settled_has_no_sums() -> None:
    change = delta("ask", 50, 9, key=THREE[0].key(0))
    ends = [ended(at) for at in range(3)]
    bounds = EventFilter(ask_sum_max=Price(3 * MICROS), bid_sum_min=Price(0))
    opening = book(key=THREE[0].key(0))
    assert told(Interest(where_event=bounds), opening, *ends, change) == [opening, *ends]


def test_exclusive_leaves_out_what_does_not_exclude_the_others_and_asks_that_are_not_all() -> None:
    books = [book(((60, 9),), ((ask, 9),), each.key(0)) for each, ask in zip(THREE, (65, 66, 90), strict=True)]
    change = delta("ask", 64, 9, key=THREE[0].key(0))
    for whole, loose in ((True, False), (False, False), (True, True)):
        markets = [replace(each, exhaustive=whole) for each in THREE]
        markets[2] = replace(markets[2], mutually_exclusive=not loose)
        for bounds, every in (
            (EventFilter(ask_sum_max=cents(230)), whole and not loose),
            (EventFilter(bid_sum_min=cents(180)), not loose),
            (EventFilter(bid_sum_min=cents(120)), True),
        ):
            interest = Interest(where_event=replace(bounds, exclusive=True))
            assert (change in told(interest, *books, change, markets=markets)) is every
