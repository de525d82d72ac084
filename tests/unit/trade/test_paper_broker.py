"""The paper broker checks funds and keeps its account like a venue."""

from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import (
    AccountEvent,
    Fill,
    FillFailed,
    LevelConsumed,
    MarketChange,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    RebatePaid,
)
from predsurv.core.fees import taker_fee
from predsurv.core.ids import StrategyName, VenueName
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import PlaceOrder, order_of
from predsurv.engine.account.portfolio import Portfolio
from predsurv.engine.books.consumed import ConsumptionBooked, SimulatedEvent
from predsurv.engine.fills.latencies import Latencies
from predsurv.engine.fills.settlement import SettlementTerms
from predsurv.state.market_cache import MarketCache
from predsurv.trade.paper_broker import PaperBroker, PaperSettings, uncovered
from predsurv.trade.pipeline import SimulatedBroker
from tests.kit.trading_samples import (
    ME,
    MS,
    NO,
    START,
    YES,
    S,
    V,
    World,
    approved,
    book,
    cents,
    delta,
    market,
    place,
    resolved,
    shares,
    trade,
)

AT_ONCE = Latencies(send=MS)


class PaperTrading:
    """A paper broker and the market it watches."""

    def __init__(
        self,
        cash: int = 1_000 * MICROS,
        latencies: Latencies = AT_ONCE,
        consumed: Sequence[LevelConsumed] = (),
        **rules: Any,
    ) -> None:
        self.world = World((market(**rules),)).show(book())
        self.portfolio = Portfolio({V: Money(cash)})
        self.broker = PaperBroker(PaperSettings(V, latencies), self.world.cache, self.portfolio, consumed)

    async def send(self, command: PlaceOrder) -> list[AccountEvent]:
        await self.broker.submit(approved(command))
        return told(self.broker.due(START + MS))


def told(answers: Iterable[SimulatedEvent]) -> list[AccountEvent]:
    return [answer for answer in answers if not isinstance(answer, LevelConsumed | ConsumptionBooked | RebatePaid)]


def reasons(answers: list[AccountEvent]) -> list[str]:
    return [answer.reason for answer in answers if isinstance(answer, OrderRejected)]


async def test_the_paper_broker_is_driven_by_events_and_keeps_its_account() -> None:
    paper = PaperTrading()
    assert isinstance(paper.broker, SimulatedBroker)
    answers = await paper.send(place("a", size=10))
    (fill,) = [answer for answer in answers if isinstance(answer, Fill)]
    snapshot = await paper.broker.snapshot()
    assert snapshot.cash == 1_000 * MICROS - 5_100_000 - fill.fee
    assert [(position.key, position.size) for position in snapshot.positions] == [(YES, shares(10))]
    assert snapshot.ts == START + MS


async def test_resting_orders_are_in_the_snapshot_and_their_cash_is_reserved() -> None:
    paper = PaperTrading(cash=6 * MICROS)
    await paper.send(place("a", price=50, size=10))
    (order,) = (await paper.broker.snapshot()).open_orders
    assert (order.client_order_id, order.remaining) == ("a", shares(10))
    assert reasons(await paper.send(place("b", price=50, size=10))) == ["insufficient_cash"]


async def test_what_the_venue_holds_back_is_open_and_reserved_too() -> None:
    paper = PaperTrading(cash=6 * MICROS, taker_delay=3 * S)
    await paper.send(place("a", price=51, size=10))
    (order,) = (await paper.broker.snapshot()).open_orders
    assert (order.client_order_id, order.remaining) == ("a", shares(10))
    assert reasons(await paper.send(place("b", price=50, size=10))) == ["insufficient_cash"]
    assert [type(each) for each in told(paper.broker.due(START + 4 * S))] == [Fill], "its own funds are not in its way"


async def test_only_shares_held_and_not_being_sold_can_be_sold() -> None:
    paper = PaperTrading()
    assert reasons(await paper.send(place("n", side="sell"))) == ["insufficient_position"]
    await paper.send(place("a", size=10))
    await paper.send(place("b", side="sell", price=60, size=6))
    assert reasons(await paper.send(place("c", side="sell", price=60, size=5))) == ["insufficient_position"]
    assert reasons(await paper.send(place("d", side="sell", price=60, size=5, strategy=StrategyName("x")))) == [
        "insufficient_position"
    ]
    assert reasons(await paper.send(place("e", side="sell", price=60, size=5, key=NO))) == ["insufficient_position"]


async def test_market_events_fill_orders_and_settle_the_account() -> None:
    paper = PaperTrading()
    await paper.send(place("a", price=49, size=10))
    (fill,) = told(paper.broker.observe(trade(48, 4)))
    assert isinstance(fill, Fill)
    event = resolved()
    paper.world.show(event)
    list(paper.broker.observe(event))
    assert (await paper.broker.snapshot()).cash == 1_000 * MICROS - 4 * 490_000 + 4 * MICROS


async def test_a_changed_fee_is_charged() -> None:
    paper, dearer = PaperTrading(), FeeSchedule("kalshi", 140_000)
    paper.world.show(MarketChange(V, YES.market_id, None, START, None, "fee", "{}", fee=dearer))
    (fill,) = [answer for answer in await paper.send(place("a", size=10)) if isinstance(answer, Fill)]
    assert fill.fee == taker_fee(dearer, fill.price, fill.size)


async def test_events_are_yielded_until_closed() -> None:
    paper = PaperTrading()
    answers = await paper.send(place("a"))
    await paper.broker.aclose()
    await paper.broker.aclose()
    assert [event async for event in paper.broker.events()] == answers


async def test_each_answer_takes_its_own_time() -> None:
    paper = PaperTrading(latencies=Latencies(send=MS, ack=4 * MS, fill=2 * MS, echo=3 * MS))
    await paper.broker.submit(approved(place("a", size=150)))
    (booked,) = paper.broker.due(START + MS)
    assert booked == ConsumptionBooked(LevelConsumed(YES, START + MS, "ask", cents(51), shares(100)))
    assert paper.broker.under_way == 3
    assert (await paper.broker.snapshot()).positions, "at the venue it has happened"
    answers = paper.broker.due(START + S)
    assert [(type(each), each.ts_recv - START) for each in answers if not isinstance(each, ConsumptionBooked)] == [
        (Fill, 3 * MS),
        (LevelConsumed, 4 * MS),
        (OrderAccepted, 5 * MS),
    ]
    assert paper.broker.under_way == 0


async def test_the_same_shares_are_not_taken_again_after_a_restart() -> None:
    paper = PaperTrading()
    await paper.broker.submit(approved(place("a", size=100, tif="ioc")))
    booked = [each.level for each in paper.broker.due(START + MS) if isinstance(each, ConsumptionBooked)]
    again = PaperTrading(consumed=booked)
    assert [each for each in await again.send(place("b", size=100, tif="ioc")) if isinstance(each, Fill)] == []
    again.world.show(event := delta("ask", 51, 0))
    gone, heard = again.broker.observe(event)
    assert gone == ConsumptionBooked(LevelConsumed(YES, event.ts_recv, "ask", cents(51), shares(0)))
    assert isinstance(heard, LevelConsumed)
    again.world.show(event := delta("ask", 51, 30))
    assert list(again.broker.observe(event)) == []
    (fill,) = [each for each in await again.send(place("c", size=100, tif="ioc")) if isinstance(each, Fill)]
    assert fill.size == shares(30)


@given(latencies=st.tuples(*[st.integers(0, 5)] * 3), sizes=st.lists(st.integers(5, 60), min_size=1, max_size=4))
async def test_what_a_fill_took_is_booked_before_word_of_the_fill(
    latencies: tuple[int, int, int], sizes: list[int]
) -> None:
    ack, fill, echo = (each * MS for each in latencies)
    paper = PaperTrading(latencies=Latencies(send=MS, ack=ack, fill=fill, echo=echo))
    for number, size in enumerate(sizes):
        await paper.broker.submit(approved(place(str(number), size=size, tif="ioc")))
    taken = booked = 0
    for each in paper.broker.due(START + S):
        if isinstance(each, ConsumptionBooked):
            booked = each.level.size
        elif isinstance(each, Fill):
            taken += each.size
            assert booked >= taken, "a run killed between the two would take the same shares again"
    assert taken == min(sum(sizes), 100) * MICROS


CHAIN = VenueName("polymarket")
SETTLED = SettlementTerms(delay=5 * S, failure_rates={"other": MICROS})


class ChainTrading:
    """A paper broker of a venue that settles later, where every fill fails 5 s after it was matched."""

    def __init__(self, terms: SettlementTerms = SETTLED) -> None:
        listed = market(venue=CHAIN, fee=FeeSchedule("polymarket", 40_000, rebate_rate=250_000))
        self.key, self.portfolio = listed.key(0), Portfolio({CHAIN: Money(1_000 * MICROS)})
        cache = MarketCache({CHAIN})
        cache.add(listed)
        cache.apply(book(key=self.key))
        self.broker = PaperBroker(PaperSettings(CHAIN, AT_ONCE, settlement=terms), cache, self.portfolio)

    async def send(self, name: str, ts: int = START, **order: Any) -> list[AccountEvent]:
        await self.broker.submit(approved(place(name, key=self.key, **order), ts=ts))
        return told(self.broker.due(ts + MS))


async def test_a_fill_that_fails_is_told_after_its_delay_and_taken_back() -> None:
    paper = ChainTrading()
    (fill,) = [each for each in await paper.send("a", size=10) if isinstance(each, Fill)]
    assert fill.unconfirmed
    assert paper.broker.next_at == START + MS + 5 * S
    (failed,) = told(paper.broker.due(START + 6 * S))
    assert isinstance(failed, FillFailed)
    assert (failed.trade_id, failed.ts_recv) == (fill.trade_id, START + MS + 5 * S)
    assert (await paper.broker.snapshot()).cash == 1_000 * MICROS
    assert (await paper.broker.snapshot()).positions == ()


async def test_what_rests_and_is_not_covered_any_more_is_taken_out_by_the_venue() -> None:
    paper = ChainTrading()
    await paper.send("a", size=10)
    (accepted,) = await paper.send("b", ts=START + S, side="sell", price=60, size=10, tif="gtc")
    assert isinstance(accepted, OrderAccepted)
    cancelled, failed = told(paper.broker.due(START + 6 * S))
    assert isinstance(failed, FillFailed)
    assert isinstance(cancelled, OrderCancelled)
    assert (cancelled.client_order_id, cancelled.reason) == ("b", "insufficient_position")
    assert (await paper.broker.snapshot()).open_orders == ()


def test_orders_are_covered_from_the_first_on() -> None:
    portfolio = Portfolio({V: Money(10 * MICROS)})
    portfolio.positions.put(ME, YES, shares(10), Money(0))
    orders = [
        order_of(place(name, side=side, price=50, size=size), "open")
        for name, side, size in (
            ("a", "sell", 8),
            ("b", "sell", 5),
            ("c", "sell", 2),
            ("d", "buy", 15),
            ("e", "buy", 6),
        )
    ]
    assert [(each.order.client_order_id, each.reason) for each in uncovered(orders, portfolio)] == [
        ("e", "insufficient_cash"),
        ("b", "insufficient_position"),
    ]


async def test_at_the_end_of_a_recording_the_books_are_closed() -> None:
    paper = ChainTrading(SettlementTerms(delay=5 * S, failure_rates={"other": 1}, rebates=True))
    await paper.send("a", size=10)
    await paper.send("b", ts=START + S, price=50, size=10, tif="gtc")
    list(paper.broker.observe(trade(50, 200, ts=START + 2 * S, key=paper.key)))
    ends = [type(each).__name__ for each in paper.broker.close_books()]
    assert ends == ["FillConfirmed", "FillConfirmed", "RebatePaid"]
    assert list(paper.broker.close_books()) == []
