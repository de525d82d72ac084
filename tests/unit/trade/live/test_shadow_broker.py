"""A shadow broker makes and signs as for the venue, rejects what would be refused there, and sends nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import OrderAccepted, OrderRejected
from predsurv.core.ids import ClientOrderId, VenueName
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.core.orders import Approved, CancelOrder
from predsurv.engine.account.portfolio import Portfolio
from predsurv.engine.fills.latencies import Latencies
from predsurv.state.market_cache import MarketCache
from predsurv.trade.live.shadow_broker import ShadowBroker
from predsurv.trade.paper_broker import PaperBroker, PaperSettings
from predsurv.venues.requests import OrderRefusal
from tests.kit.live_orders import TRADED
from tests.kit.polymarket_orders import command
from tests.kit.scripted_accounts import ClobAccount, clob_account

NOW = 1_800_000_000 * 10**9


def shadow(
    refusal: OrderRefusal | None = None, market: Callable[[object], Market | None] = lambda _: TRADED
) -> tuple[ShadowBroker, ClobAccount]:
    account, cache = clob_account(), MarketCache(frozenset())
    cache.add(TRADED)
    venue = VenueName("polymarket")
    paper = PaperBroker(PaperSettings(venue, Latencies()), cache, Portfolio({venue: Money(1_000 * MICROS)}))
    return ShadowBroker(account.gateway, lambda *_: refusal, paper, market), account


def order(name: str = "c1", **changes: object) -> Approved:
    made = replace(command(size=10 * MICROS), client_order_id=ClientOrderId(name), key=TRADED.key(0))
    return Approved(NOW, replace(made, **changes))


async def test_an_order_is_signed_counted_and_simulated_and_nothing_leaves() -> None:
    broker, account = shadow()
    order_id = broker.prepare(order())
    assert order_id is not None
    assert order_id.startswith("0x")
    await broker.submit(order())
    assert (broker.signed, broker.refused) == (1, {})
    told = list(broker.due(NOW + 10**9))
    assert [type(each) for each in told] == [OrderAccepted]
    assert [each.client_order_id for each in (await broker.snapshot()).open_orders] == ["c1"]
    assert not account.server.requests


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"price": Price(555_555)}, "off_grid"), ({"size": Size(1)}, "too_small")],
)
async def test_what_the_venue_would_not_take_is_rejected_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    broker, _ = shadow()
    await broker.submit(order(**changes))
    assert broker.under_way == 1
    (told,) = broker.due(NOW + 5)
    assert isinstance(told, OrderRejected)
    assert told.reason.startswith(f"would not be sent: {reason}: ")
    assert told.ts_recv == NOW + 5
    assert (broker.signed, broker.refused) == (0, {reason: 1})
    assert not broker.under_way


async def test_an_order_that_the_account_cannot_pay_for_or_of_an_unknown_market_is_rejected() -> None:
    for broker, _ in (shadow(OrderRefusal("allowance", "too little")), shadow(market=lambda _: None)):
        assert broker.prepare(order()) is None
        await broker.submit(order())
        assert isinstance(next(broker.due(NOW)), OrderRejected)


async def test_what_follows_from_a_rejection_is_told_with_the_next_event() -> None:
    broker, _ = shadow(OrderRefusal("allowance", "too little"))
    await broker.submit(order())
    told = []
    for each in broker.due(NOW):
        told.append(each)
        await broker.submit(order(f"c{len(told) + 1}"))  # a strategy that tries again at once
    assert len(told) == 1
    assert broker.under_way == 1


async def test_a_cancel_is_simulated_and_needs_no_signature() -> None:
    broker, account = shadow()
    await broker.submit(order())
    list(broker.due(NOW))
    gone = Approved(NOW, CancelOrder(ClientOrderId("c1"), TRADED.key(0)))
    assert broker.prepare(gone) is None
    await broker.submit(gone)
    assert [type(each).__name__ for each in broker.due(NOW + 1)] == ["OrderCancelled"]
    assert not list(broker.close_books())
    await broker.aclose()
    assert [type(each).__name__ async for each in broker.events()] == ["OrderAccepted", "OrderCancelled"]
    assert not account.server.requests


async def test_a_client_that_may_only_read_sends_nothing_else() -> None:
    account = clob_account()
    account.server.http.forbid_writes()
    with pytest.raises(BrokenInvariant, match=r"POST .* was not sent: only reading is allowed"):
        await account.gateway.stay_alive([])
    assert not account.server.requests
