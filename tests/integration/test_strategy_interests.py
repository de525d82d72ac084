"""What a strategy asks not to hear would have changed nothing: the same decisions with and without its interest."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.durations import Duration
from predsurv.core.events import Event, Fill, MarketChange, OrderAccepted, OrderCancelled, OrderRejected, Tick
from predsurv.core.ids import OrderId, TradeId
from predsurv.core.market import NO_FEE
from predsurv.core.num import MICROS, Money, Ratio, Size
from predsurv.core.orders import PlaceOrder
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.engine.interest import EVERYTHING
from predsurv.engine.step import Step
from predsurv.state.market_cache import MarketCache
from predsurv.strategies.arbitrage import Arbitrage
from predsurv.strategies.arbitrage_params import ArbitrageParams
from predsurv.strategies.simple import Simple, SimpleParams
from tests.kit.manual_view import ABC, yes
from tests.kit.trading_samples import LIMITS, MS, START, V, book, delta, gap, trade

MARKETS = tuple(replace(each, fee=NO_FEE, min_order_size=Size(MICROS)) for each in ABC)
SIMPLE = SimpleParams(order_life=Duration(700 * MS), clip=Money(5 * MICROS), imbalance_min=Ratio(100_000))
ARBITRAGE = ArbitrageParams(cooldown=Duration(900 * MS), edge_max=Money(900_000))

_INDEX = st.integers(0, 2)
_EVENTS: st.SearchStrategy[Any] = st.one_of(
    st.builds(lambda i, side, p, n: delta(side, p, n, key=yes(i)), _INDEX, st.sampled_from(["bid", "ask"]),
              st.integers(22, 42), st.integers(0, 30)),
    st.builds(lambda i, bid, ask, n: book(((bid, n), (bid - 2, 40)), ((ask, 15), (ask + 1, 40)), yes(i)), _INDEX,
              st.integers(20, 38), st.integers(26, 44), st.integers(1, 60)),
    st.builds(lambda i: gap(key=yes(i)), _INDEX),
    st.builds(lambda i, p: trade(p, 5, key=yes(i)), _INDEX, st.integers(25, 40)),
    st.builds(lambda i: MarketChange(V, yes(i).market_id, None, START, None, "listed", "", MARKETS[i]), _INDEX),
    st.just(Tick(START)),
)  # fmt: skip


class Broker:
    """Answers each order at once by what ``answers`` says: rests, fills some, fills all, or rejects."""

    def __init__(self, answers: list[int]) -> None:
        self.answers = answers
        self.trades = 0

    def outcome(self, command: Any, now: int, engine: Engine) -> list[Event]:
        name, key = command.client_order_id, command.key
        if not isinstance(command, PlaceOrder):
            return [OrderCancelled(key, now, name, "asked")]
        self.trades += 1
        answer = self.answers[self.trades % len(self.answers)]
        if answer == 0:
            return [OrderRejected(key, now, name, "no")]
        events: list[Event] = [OrderAccepted(key, now, name, OrderId(str(name)))]
        size = {1: 0, 2: command.size // 2, 3: command.size}[answer]
        if size:
            maker = command.tif == "gtc"
            trade_id = TradeId(str(self.trades))
            events.append(
                Fill(key, now, None, name, trade_id, command.side, command.price, Size(size), Money(0), maker)
            )
        if command.tif != "gtc" and answer != 3:
            events.append(OrderCancelled(key, now, name, "ioc"))
        return events


def decisions(strategies: Any, stream: Sequence[Event], pauses: list[int], answers: list[int]) -> list[Step]:
    """Every step that decided anything, in a world that answers the same decisions in the same way."""
    cache = MarketCache({V})
    for each in MARKETS:
        cache.add(each)
    account = TradingAccount({V: Money(10_000 * MICROS)})
    engine = Engine(run="run", limits=LIMITS, strategies=strategies, cache=cache, account=account)
    engine.valuation.begin_day(START, Money(10_000 * MICROS))
    broker, now, decided = Broker(answers), START, []
    for number, event in enumerate(stream):
        now += pauses[number % len(pauses)] * MS
        waiting = [replace(event, ts_recv=now)]
        while waiting:
            step = engine.step(waiting.pop(0))
            if step.decisions or step.refusals:
                decided.append(step)
            for command in step.commands:
                waiting += broker.outcome(command.command, now, engine)
    return decided


@settings(max_examples=300)
@given(
    st.lists(_EVENTS, min_size=10, max_size=80),
    st.lists(st.integers(0, 500), min_size=1, max_size=5),
    st.lists(st.integers(0, 3), min_size=1, max_size=5),
)
def test_the_same_decisions_with_and_without_the_interest(
    stream: list[Event], pauses: list[int], answers: list[int]
) -> None:
    for make in (lambda: Simple(SIMPLE), lambda: Arbitrage(ARBITRAGE)):
        deaf, hearing = make(), make()
        hearing.interest = EVERYTHING
        assert decisions([deaf], stream, pauses, answers) == decisions([hearing], stream, pauses, answers)


def test_these_worlds_make_both_of_them_trade() -> None:
    cheap = [book(((28, 90),), ((30, 50),), yes(index)) for index in range(3)]
    assert len(decisions([Arbitrage(ARBITRAGE)], cheap, [1], [3])) == 1
    leaning = [book(((28, 90),), ((34, 10),), yes(0))]
    assert len(decisions([Simple(SIMPLE)], leaning, [1], [1])) == 1
