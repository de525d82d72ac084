"""Orders at Kalshi over scripted answers: what cannot be made, what is renewed, and what is not taken for absent."""

import json
import logging

import pytest
from msgspec.structs import replace

from predsurv.core.errors import WireError
from predsurv.core.ids import ClientOrderId, OrderId
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import Approved, CancelOrder, Order, PlaceOrder, order_of
from predsurv.net.http import StatusError
from predsurv.venues.execution.gateway import FoundOrder, PreparedOrder
from predsurv.venues.kalshi.execution.gateway import LIFE, RENEW_BELOW
from predsurv.venues.requests import OrderRefusal
from tests.kit.live_orders import CONTRACT, TICKER
from tests.kit.polymarket_orders import command
from tests.kit.scripted_accounts import KalshiAccount, kalshi_account
from tests.kit.scripted_http import NO_ROUTE, Answer

S = 1_000_000_000
NOW = 1_800_000_000 * S
CHANGED = Answer(b'{"order_id":"k1"}')
ROW = (
    '{"order_id":"k1","client_order_id":"c1","ticker":"%s","status":"%s","book_side":"bid",'
    '"yes_price_dollars":"0.5600","fill_count_fp":"0.00","remaining_count_fp":"10.00","initial_count_fp":"10.00"}'
)


def wanted(**changes: object) -> PlaceOrder:
    return replace(command(size=10 * MICROS), key=CONTRACT.key(0), **changes)


def resting(order_id: str | None = "k1") -> Order:
    made = order_of(wanted(), "open", submitted=NOW)
    return made if order_id is None else replace(made, order_id=OrderId(order_id))


def prepared(account: KalshiAccount, **changes: object) -> PreparedOrder:
    made = account.gateway.prepare(Approved(NOW, wanted(**changes)), CONTRACT)
    assert isinstance(made, PreparedOrder)
    return made


def amended(account: KalshiAccount) -> list[int]:
    return [json.loads(each.content)["expiration_time"] for each in account.server.requests]


@pytest.mark.parametrize(
    ("approved", "reason"),
    [
        (CancelOrder(ClientOrderId("c1"), CONTRACT.key(0)), "not_ours"),
        (command(), "not_ours"),
        (wanted(price=Price(555_555)), "off_grid"),
        (wanted(tif="gtd", expires=NOW - S), "expiration"),
    ],
)
def test_what_cannot_be_made_is_refused(approved: PlaceOrder | CancelOrder, reason: str) -> None:
    made = kalshi_account(Answer()).gateway.prepare(Approved(NOW, approved), CONTRACT)
    assert isinstance(made, OrderRefusal)
    assert made.reason == reason


def test_what_may_rest_ends_soon_and_what_takes_has_no_end() -> None:
    account = kalshi_account(Answer())
    assert prepared(account).expires == NOW + LIFE
    assert prepared(account, tif="gtd", expires=NOW + 5 * S).expires == NOW + 5 * S
    assert prepared(account, tif="ioc").expires is None


async def test_an_end_is_renewed_when_it_is_near_and_never_past_the_one_that_was_meant() -> None:
    account = kalshi_account(CHANGED)
    prepared(account, tif="gtd", expires=NOW + 30 * S)
    await account.gateway.stay_alive([resting()])
    assert not account.server.requests, "it has long to go"
    await account.server.clock.sleep(LIFE - RENEW_BELOW + S)
    await account.gateway.stay_alive([resting(None)])
    assert not account.server.requests, "nothing can be changed without its id"
    await account.gateway.stay_alive([resting()])
    await account.server.clock.sleep(15 * S)
    await account.gateway.stay_alive([resting()])
    assert amended(account) == [NOW // S + 29, NOW // S + 30]
    await account.server.clock.sleep(S)
    await account.gateway.stay_alive([resting()])
    assert len(account.server.requests) == 2, "its end is the one that was meant"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(b'{"error":{"code":"not_found"}}', 404), "order c1 is not renewed: 404: not_found"),
        (NO_ROUTE, "order c1 may not be renewed: cannot connect to"),
    ],
)
async def test_an_order_that_is_not_renewed_is_said_and_tried_again(
    answer: Answer, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    account = kalshi_account(answer, CHANGED)
    prepared(account)
    await account.server.clock.sleep(LIFE - S)
    with caplog.at_level(logging.INFO):
        await account.gateway.stay_alive([resting()])
    assert words in caplog.text
    await account.gateway.stay_alive([resting()])
    await account.gateway.stay_alive([resting()])
    assert len(account.server.requests) == 2, "renewed once it is taken"


async def test_an_order_of_another_grid_is_not_renewed(caplog: pytest.LogCaptureFixture) -> None:
    account = kalshi_account(CHANGED)
    market = replace(CONTRACT)
    made = account.gateway.prepare(Approved(NOW, wanted()), market)
    assert isinstance(made, PreparedOrder)
    kept = account.gateway._renewed[ClientOrderId("c1")]
    kept.market = replace(market, tick_size=Price(50_000))
    await account.server.clock.sleep(LIFE - S)
    await account.gateway.stay_alive([resting()])
    assert "kalshi: order c1 is not renewed: 0.56 is no price of YES in this market" in caplog.text
    assert not account.server.requests


async def test_what_is_over_is_forgotten_after_its_end() -> None:
    account = kalshi_account(CHANGED)
    prepared(account)
    await account.server.clock.sleep(LIFE - S)
    await account.gateway.stay_alive([])
    await account.gateway.stay_alive([resting()])
    assert len(account.server.requests) == 1, "it was not over: only its acceptance came late"
    await account.server.clock.sleep(LIFE + S)
    await account.gateway.stay_alive([])
    await account.gateway.stay_alive([resting()])
    assert len(account.server.requests) == 1


async def test_a_cancelled_order_is_not_renewed() -> None:
    account = kalshi_account(Answer(b'{"order_id":"k1","reduced_by":"10.00"}'))
    prepared(account)
    assert (await account.gateway.cancel(resting())).fate == "accepted"
    await account.server.clock.sleep(LIFE - S)
    await account.gateway.stay_alive([resting()])
    assert [each.method for each in account.server.requests] == ["DELETE"]


async def test_only_a_404_says_that_an_order_is_not_there() -> None:
    assert await kalshi_account(Answer(status=404)).gateway.find(resting()) == FoundOrder(None)
    with pytest.raises(StatusError):
        await kalshi_account(Answer(status=400)).gateway.find(resting())


@pytest.mark.parametrize("body", ['{"order":%s}' % (ROW % (TICKER, "paused")), '{"order":{}}'])
async def test_an_order_that_cannot_be_read_is_not_taken_for_absent(body: str) -> None:
    with pytest.raises(WireError, match="a row of the account cannot be read: "):
        await kalshi_account(Answer(body.encode())).gateway.find(resting())


async def test_an_order_without_an_id_is_found_by_ours() -> None:
    page = '{"orders":[%s],"cursor":""}' % (ROW % (TICKER, "resting"))
    account = kalshi_account(Answer(page.encode()), Answer(b'{"fills":[],"cursor":""}'))
    found = await account.gateway.find(resting(None))
    assert found.report is not None
    assert (found.report.order_id, found.report.size) == ("k1", Size(10 * MICROS))
    assert account.server.paths()[1].endswith("/portfolio/fills?order_id=k1&limit=1000")
    absent = await kalshi_account(Answer(b'{"orders":[],"cursor":""}')).gateway.find(resting(None))
    assert absent == FoundOrder(None)


async def test_orders_go_together_as_far_as_the_write_budget_pays() -> None:
    account = kalshi_account(
        Answer(b'{"orders":[{"order_id":"k1","client_order_id":"c1","fill_count":"0.00","remaining_count":"10.00"},'
               b'{"client_order_id":"c2","error":{"code":"insufficient_balance","message":"no"}}]}', 201)
    )  # fmt: skip
    assert account.gateway.batching("place") == (20, 10, 1), "100 tokens, ten for each"
    assert account.gateway.batching("cancel") == (20, 50, 5), "two for each"
    orders = [prepared(account, client_order_id=ClientOrderId(name)) for name in ("c1", "c2")]
    verdicts = await account.gateway.place_together(orders)
    assert [each.fate for each in verdicts] == ["accepted", "rejected"]
    assert account.gateway.batching("place").room == 8
    (request,) = account.server.requests
    assert (request.method, request.url.path) == ("POST", "/trade-api/v2/portfolio/events/orders/batched")
    assert [each["client_order_id"] for each in json.loads(request.content)["orders"]] == ["c1", "c2"]


async def test_orders_that_are_cancelled_together_are_not_renewed() -> None:
    account = kalshi_account(
        Answer(b'{"orders":[{"order_id":"k2","reduced_by":"10.00"},{"order_id":"k1","error":{"code":"not_found"}}]}')
    )
    prepared(account)
    second = replace(resting("k2"), client_order_id=ClientOrderId("c2"))
    verdicts = await account.gateway.cancel_together([resting(), second])
    assert [each.fate for each in verdicts] == ["rejected", "accepted"], "told by their ids, in whatever order"
    (request,) = account.server.requests
    assert (request.method, request.url.path) == ("DELETE", "/trade-api/v2/portfolio/events/orders/batched")
    assert json.loads(request.content)["orders"] == [
        {"order_id": "k1", "market_ticker": TICKER},
        {"order_id": "k2", "market_ticker": TICKER},
    ]
    assert account.gateway.batching("cancel").room == 48
    await account.server.clock.sleep(LIFE - S)
    await account.gateway.stay_alive([resting()])
    assert len(account.server.requests) == 1
