"""Orders at Polymarket over scripted answers: what is not signed, signs of life, and what is not taken for absent."""

import json

import pytest
from msgspec.structs import replace

from predsurv.core.errors import TransientError, WireError
from predsurv.core.ids import ClientOrderId, OrderId
from predsurv.core.market import Market
from predsurv.core.orders import Approved, CancelOrder, Order, PlaceOrder, order_of
from predsurv.net.http import StatusError
from predsurv.venues.execution.gateway import FoundOrder, PreparedOrder
from predsurv.venues.requests import OrderRefusal
from tests.kit.live_orders import TRADED
from tests.kit.polymarket_orders import NOW, command
from tests.kit.scripted_accounts import clob_account
from tests.kit.scripted_http import Answer

NO_ROWS = Answer(b'{"data":[],"next_cursor":"LTE="}')


def resting(order_id: str | None = "0x1") -> Order:
    made = order_of(command(), "open", submitted=NOW)
    return made if order_id is None else replace(made, order_id=OrderId(order_id))


@pytest.mark.parametrize(
    ("approved", "market", "refusal"),
    [
        (CancelOrder(ClientOrderId("c1"), command().key), TRADED, OrderRefusal("not_ours", "no order")),
        (
            command(),
            replace(TRADED, version=""),
            OrderRefusal("exchange", "its list did not say on which contracts it trades; scan again"),
        ),
        (
            command(),
            replace(TRADED, assumed=("tick_size", "fee", "neg_risk")),
            OrderRefusal("exchange", "nobody has stated its neg_risk and tick_size yet"),
        ),
    ],
)
def test_nothing_is_signed_on_assumptions(
    approved: PlaceOrder | CancelOrder, market: Market, refusal: OrderRefusal
) -> None:
    assert clob_account(Answer()).gateway.prepare(Approved(NOW, approved), market) == refusal


def test_an_assumed_fee_stops_no_order() -> None:
    market = replace(TRADED, assumed=("fee",))
    assert isinstance(clob_account(Answer()).gateway.prepare(Approved(NOW, command()), market), PreparedOrder)


async def test_a_sign_of_life_follows_the_one_that_the_venue_expects() -> None:
    account = clob_account(
        Answer(b'{"error_msg":"Invalid Heartbeat ID","heartbeat_id":"b7"}', 400),
        Answer(b'{"heartbeat_id":"b8"}'),
        Answer(b"no json"),
        Answer(b"{}"),
    )
    for _ in range(3):
        await account.gateway.stay_alive([])
    sent = [json.loads(each.content)["heartbeat_id"] for each in account.server.requests]
    assert sent == ["", "b7", "b8", "b8"]


@pytest.mark.parametrize("status", [400, 401, 503])
async def test_a_sign_of_life_that_is_not_taken_is_an_error(status: int) -> None:
    account = clob_account(Answer(b"<title>Down</title>", status))
    with pytest.raises(TransientError, match=f"polymarket takes no heartbeat: HTTP {status}, Down"):
        await account.gateway.stay_alive([])
    assert len(account.server.requests) == (2 if status == 400 else 1)


@pytest.mark.parametrize("answer", [Answer(status=404), Answer(b" null\n"), Answer(b"")])
async def test_an_order_that_is_not_there_is_told_with_its_trades(answer: Answer) -> None:
    account = clob_account(answer, NO_ROWS)
    assert await account.gateway.find(resting()) == FoundOrder(None)
    assert [each.split("?")[0] for each in account.server.paths()] == ["/data/order/0x1", "/data/trades"]


async def test_an_order_that_was_never_signed_is_not_asked_for() -> None:
    account = clob_account(Answer())
    assert await account.gateway.find(resting(None)) == FoundOrder(None)
    assert not account.server.requests


async def test_only_a_404_says_that_an_order_is_not_there() -> None:
    with pytest.raises(StatusError):
        await clob_account(Answer(status=400)).gateway.find(resting())


@pytest.mark.parametrize("body", [b"{}", b"<html>", b'{"id":"0x1","side":"UP"}'])
async def test_an_order_that_cannot_be_read_is_not_taken_for_absent(body: bytes) -> None:
    with pytest.raises(WireError, match="what polymarket says of an order cannot be read"):
        await clob_account(Answer(body)).gateway.find(resting())


async def test_orders_go_together_as_far_as_the_signers_limits_let_them() -> None:
    account = clob_account(Answer())
    assert account.gateway.batching("place") == (15, 60, 1)
    assert account.gateway.batching("cancel") == (1_000, 120, 8)
    made = [account.gateway.prepare(Approved(NOW, command(size=size * 1_000_000)), TRADED) for size in (10, 20)]
    orders = [each for each in made if isinstance(each, PreparedOrder)]
    rows = [
        {"success": True, "errorMsg": "", "orderID": orders[0].order_id, "status": "live"},
        {"success": True, "errorMsg": "not enough balance / allowance", "orderID": "", "status": ""},
    ]
    account.server.answers = [Answer(json.dumps(rows).encode())]
    assert [each.fate for each in await account.gateway.place_together(orders)] == ["accepted", "rejected"]
    (request,) = account.server.requests
    assert (request.method, request.url.path) == ("POST", "/orders")
    assert json.loads(request.content) == [json.loads(each.request.body or b"") for each in orders]
    assert account.gateway.batching("place").room == 58


async def test_cancels_go_together() -> None:
    account = clob_account(Answer(b'{"canceled":["0x2"],"not_canceled":{"0x1":"already canceled or matched"}}'))
    verdicts = await account.gateway.cancel_together([resting("0x1"), resting("0x2")])
    assert [each.fate for each in verdicts] == ["rejected", "accepted"]
    (request,) = account.server.requests
    assert (request.method, request.url.path, request.content) == ("DELETE", "/orders", b'["0x1","0x2"]')
    assert account.gateway.batching("cancel").room == 118
