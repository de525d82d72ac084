"""Orders at the venue by market; what ends, clears and pauses them is tested in test_simulator__trading_hours."""

from predsurv.core.events import MarketChange
from predsurv.core.ids import MarketId, VenueName
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.engine.fills.queue_position import QueuePosition
from predsurv.engine.fills.resting_orders import RestingOrders
from predsurv.engine.fills.working_orders import WorkingOrders
from predsurv.state.market_cache import MarketCache
from tests.kit.trading_samples import START, S, cents, market, place, shares

KALSHI = VenueName("kalshi")
MARKET = market(venue=KALSHI, close_time=START + 10 * S)
KEY = MARKET.key(0)


def working_orders() -> WorkingOrders:
    cache = MarketCache({KALSHI})
    cache.add(MARKET)
    return WorkingOrders(cache, RestingOrders(ConsumedLiquidity()))


def resting(name: str = "o1") -> QueuePosition:
    return QueuePosition(
        command=place(name, key=KEY),
        key=KEY,
        side="bid",
        price=cents(50),
        remaining=shares(10),
        arrival=1,
        since=START,
    )


def test_only_markets_in_which_orders_work_are_looked_at() -> None:
    working = working_orders()
    never = working.timetable.next_at
    announced = MarketChange(KALSHI, MARKET.market_id, None, START, None, "fee", "{}", effective=START + S)
    assert list(working.on_fact(announced)) == []
    assert working.timetable.next_at == never
    working.resting.add(resting(), None)
    working.watch(KEY, START)
    assert working.timetable.next_at == START + 10 * S
    assert list(working.on_fact(announced)) == []
    assert working.timetable.next_at == START + S
    assert list(working.review_next()) == []
    assert working.timetable.next_at == START + 10 * S
    assert [each.reason for each in working.review_next()] == ["market_closed"]
    assert working.timetable.next_at == never


def test_statements_about_markets_without_orders_change_nothing() -> None:
    working = working_orders()
    working.resting.add(resting(), None)
    working.watch(KEY, START)
    for market_id in ("x", "m"):
        paused = MarketChange(KALSHI, MarketId(market_id), None, START, None, "rules", "{}")
        assert list(working.on_fact(paused)) == []
    assert len(working.resting.all()) == 1


def test_orders_in_markets_that_are_not_known_have_no_timetable() -> None:
    working = working_orders()
    never = working.timetable.next_at
    working.watch(market("x", venue=KALSHI).key(0), START)
    assert working.timetable.next_at == never
