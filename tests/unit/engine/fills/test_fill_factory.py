"""Fills have numbers and the fee of their market, liquidity and side."""

from typing import Any

import pytest

from predsurv.core.events import Fill
from predsurv.core.fees import maker_fee, taker_fee
from predsurv.core.ids import ClientOrderId
from predsurv.core.market import FeeSchedule
from predsurv.core.num import Price
from predsurv.engine.fills import fill_factory as module
from predsurv.engine.fills.fill_factory import FillFactory
from predsurv.state.market_cache import MarketCache
from tests.kit.trading_samples import FEE, START, cents, market, place, shares


def fill_factory(**changes: Any) -> FillFactory:
    cache = MarketCache()
    cache.add(market(**changes))
    return FillFactory(cache)


def test_takers_pay_a_fee_makers_do_not_and_fills_are_numbered_by_order() -> None:
    factory = fill_factory()
    taken = factory.make(place(), ts_recv=START, ts_venue=None, price=cents(51), size=shares(10), maker=False)
    made = factory.make(place(), ts_recv=START, ts_venue=5, price=cents(51), size=shares(10), maker=True)
    assert taken.fee == taker_fee(FEE, cents(51), shares(10)) > 0
    assert (made.fee, made.ts_venue, made.maker) == (0, 5, True)
    assert [taken.trade_id, made.trade_id] == ["o1.1", "o1.2"]


@pytest.mark.parametrize("maker", [False, True])
def test_a_fill_is_charged_the_fee_of_its_side(maker: bool) -> None:
    schedule = FeeSchedule("kalshi", 70_000, maker_rate=17_500)
    fee_of = maker_fee if maker else taker_fee
    for side in ("buy", "sell"):
        filled = fill_factory(fee=schedule).make(
            place(side=side), ts_recv=START, ts_venue=None, price=Price(1_000), size=shares(227.27), maker=maker
        )
        assert filled.fee == fee_of(schedule, Price(1_000), shares(227.27), filled.side)


def test_an_assumed_fee_is_charged_and_marked() -> None:
    def taken(factory: FillFactory) -> Fill:
        return factory.make(place(), ts_recv=START, ts_venue=None, price=cents(51), size=shares(10), maker=False)

    stated, assumed = taken(fill_factory()), taken(fill_factory(assumed=("fee", "tick_size")))
    assert stated.fee == assumed.fee > 0
    assert (stated.fee_assumed, assumed.fee_assumed) == (False, True)
    assert not taken(fill_factory(assumed=("tick_size",))).fee_assumed
    assert taken(FillFactory(MarketCache())).fee_assumed, "nothing is known of the market at all"


def test_an_order_id_is_new_once_within_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOWN_IDS_MAX", 1)
    factory = fill_factory()
    assert factory.register(ClientOrderId("a"))
    assert not factory.register(ClientOrderId("a"))
    assert factory.knows(ClientOrderId("a"))
    assert factory.register(ClientOrderId("b"))
    assert not factory.knows(ClientOrderId("a"))
    assert factory.register(ClientOrderId("a"))
