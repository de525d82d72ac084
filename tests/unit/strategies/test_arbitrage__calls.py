"""``arbitrage`` decides the same whether it is called with what its filter lets pass or with everything."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.events import BookSnapshot, Event, MarketChange, MarketResolved
from predsurv.core.ids import InstrumentKey
from predsurv.core.market import NO_FEE
from predsurv.core.num import MICROS, Money, Price
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.engine.interest import EVERYTHING
from predsurv.state.market_cache import MarketCache
from predsurv.strategies.arbitrage import Arbitrage
from tests.kit.manual_view import ABC
from tests.kit.trading_samples import LIMITS, MS, START, V, book, cents, delta, gap, market, shares

FOUR = tuple(
    replace(each, fee=NO_FEE)
    for each in (
        *ABC,
        replace(ABC[0], **{name: getattr(market("d"), name) for name in ("market_id", "question", "outcomes")}),
    )
)


class Sent(Struct, frozen=True):
    """One order, or one refusal, as it can be compared."""

    at: int
    what: object


def decisions(events: Sequence[Event], *, filtered: bool, exhaustive: bool = True, count: int = 4) -> list[Sent]:
    """What is ordered and refused at each event, none of which fills."""
    cache = MarketCache({V})
    for each in FOUR[:count]:
        cache.add(replace(each, exhaustive=exhaustive))
    strategy = Arbitrage()
    if not filtered:
        strategy.interest = EVERYTHING
    account = TradingAccount({V: Money(1_000 * MICROS)})
    engine = Engine(run="run", limits=LIMITS, strategies=[strategy], cache=cache, account=account)
    engine.valuation.begin_day(START, Money(1_000 * MICROS))
    sent = []
    for number, event in enumerate(events):
        step = engine.step(event)
        sent += [Sent(number, each.command) for each in step.commands]
        sent += [Sent(number, (each.reason, each.detail)) for each in step.refusals]
    return sent


def ended(at: int, ts: int, payout: int, *, void: bool = False) -> MarketResolved:
    first, second = FOUR[at].key(0).instrument_id, FOUR[at].key(1).instrument_id
    return MarketResolved(
        V, FOUR[at].market_id, ts, None, ((first, Price(payout)), (second, Price(MICROS - payout))), void=void
    )


def top(key: InstrumentKey, bid: int, ask: int, ts: int) -> BookSnapshot:
    return book(((bid, 50),) if bid else (), ((ask, 50),) if ask else (), key, ts)


@pytest.mark.parametrize("lost", [False, True])
def test_what_is_left_of_an_event_is_bought_once_one_of_its_markets_has_lost(lost: bool) -> None:
    tops = ((36, 43), (36, 46), (2, 60))
    events: list[Event] = [top(FOUR[at].key(0), bid, ask, START + at) for at, (bid, ask) in enumerate(tops)]
    events += [ended(2, START + 3, 0), *([gap(START + 3, FOUR[2].key(0))] if lost else [])]
    events.append(delta("ask", 42, 50, START + 4, FOUR[0].key(0)))
    sent = decisions(events, filtered=True, count=3)
    assert [(each.what.key, each.what.price, each.what.size) for each in sent] == [  # type: ignore[attr-defined]
        (FOUR[0].key(0), cents(42), shares(50)),
        (FOUR[1].key(0), cents(46), shares(50)),
    ]
    assert sent == decisions(events, filtered=False, count=3)


@st.composite
def happenings(draw: st.DrawFn) -> list[Event]:
    """Books of an event whose markets settle, or close, one after another."""
    ts = START
    tops = st.tuples(st.integers(0, 20), st.integers(24, 40))
    events: list[Event] = [top(each.key(0), *draw(tops), ts) for each in FOUR]
    for _ in range(draw(st.integers(8, 30))):
        ts += draw(st.sampled_from([1, 300 * MS, 3_000 * MS]))
        at = draw(st.integers(0, 3))
        key = FOUR[at].key(0)
        kind = draw(st.sampled_from(["book"] * 6 + ["delta"] * 6 + ["gap", "lost", "lost", "won", "void", "closed"]))
        if kind == "book":
            events.append(top(key, *draw(tops), ts))
        elif kind == "delta":
            side = draw(st.sampled_from(["bid", "ask"]))
            price = draw(st.integers(24, 40) if side == "ask" else st.integers(5, 60))
            events.append(delta(side, price, draw(st.sampled_from([0, 20, 80])), ts, key))
        elif kind == "gap":
            events.append(gap(ts, key))
        elif kind == "closed":
            events.append(MarketChange(V, FOUR[at].market_id, None, ts, None, "closed", "{}"))
        else:
            payout = {"lost": 0, "won": MICROS, "void": MICROS // 2}[kind]
            events.append(ended(at, ts, payout, void=kind == "void"))
    return events


@settings(max_examples=150, deadline=None)
@given(happenings(), st.booleans())
def test_the_filter_holds_back_nothing_that_decides(events: list[Event], exhaustive: bool) -> None:
    every = decisions(events, filtered=False, exhaustive=exhaustive)
    assert decisions(events, filtered=True, exhaustive=exhaustive) == every
