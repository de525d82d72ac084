"""Limits make orders smaller instead of turning a strategy off, and never keep anybody from getting out."""

import pytest
from msgspec.structs import replace

from predsurv.core.events import BookSnapshot, Fill
from predsurv.core.ids import EventId, InstrumentKey, TradeId
from predsurv.core.market import NO_FEE, Market
from predsurv.core.num import MICROS, Money, Size, notional
from predsurv.core.orders import PlaceOrder
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.engine.strategy import Strategy
from predsurv.state.market_cache import MarketCache
from predsurv.strategies.arbitrage import Arbitrage
from predsurv.strategies.simple import Simple
from tests.kit.trading_samples import LIMITS, START, S, V, book, cents, market

EXCLUSIVE = tuple(
    market(name, event_id=EventId("e"), mutually_exclusive=True, fee=NO_FEE) for name in ("one", "two", "three")
)


def engine(strategy: Strategy, markets: tuple[Market, ...], largest: int) -> Engine:
    cache = MarketCache({V})
    for each in markets:
        cache.add(each)
    limits = replace(LIMITS, max_order_notional=Money(largest * MICROS))
    account = TradingAccount({V: Money(10_000 * MICROS)})
    return Engine(run="r", limits=limits, strategies=[strategy], cache=cache, account=account)


def quoted(key: InstrumentKey, ts: int, bid: tuple[int, int], ask: tuple[int, int]) -> BookSnapshot:
    return book(bids=(bid,), asks=(ask,), key=key, ts=ts)


@pytest.mark.parametrize("largest", [50, 20])
def test_a_basket_is_as_large_as_an_order_may_be(largest: int) -> None:
    made = engine(Arbitrage(), EXCLUSIVE, largest)
    steps = [made.step(quoted(each.key(0), START + n, (37, 500), (40, 100))) for n, each in enumerate(EXCLUSIVE)]
    orders = [each.command for step in steps for each in step.commands if isinstance(each.command, PlaceOrder)]
    assert [step.refusals for step in steps] == [()] * 3
    assert len({order.size for order in orders}) == 1
    assert len(orders) == 3
    worth = max(notional(order.price, order.size) for order in orders)
    assert largest * MICROS * 95 // 100 < worth <= largest * MICROS


def test_what_was_bought_can_be_sold_for_more_than_an_order_may_be_worth() -> None:
    sample = market("m", fee=NO_FEE)
    made = engine(Simple(), (sample,), 20)
    (bought,) = made.step(quoted(sample.key(0), START + S, (40, 900), (43, 100))).commands
    order = bought.command
    assert isinstance(order, PlaceOrder)
    done = Fill(
        order.key, START + S + 1, None, order.client_order_id, TradeId("t"), "buy", order.price, order.size, Money(0),
        maker=True,
    )  # fmt: skip
    (sold,) = made.step(done).commands
    assert isinstance(sold.command, PlaceOrder)
    assert (sold.command.side, sold.command.price, sold.command.size) == ("sell", cents(43), Size(50 * MICROS))
