"""Cancelling all costs the signer one token and one for each order; where it has not as many, nothing is sent."""

from predsurv.core.ids import OrderId
from predsurv.venues.polymarket.execution.cancel_all import cancel_all
from predsurv.venues.polymarket.execution.signer_limits import STANDARD
from tests.kit.scripted_accounts import clob_account
from tests.kit.scripted_http import Answer

MOST = STANDARD.cancels_burst - 1


def ids(count: int) -> list[OrderId]:
    return [OrderId(f"0x{number:02x}") for number in range(count)]


async def test_it_costs_one_more_than_there_are_orders() -> None:
    account = clob_account(Answer(b'{"canceled":["0x00"],"not_canceled":{"0x01":"already canceled or matched"}}'))
    verdicts = await cancel_all(account.session, ids(2))
    assert verdicts is not None
    assert {order_id: verdict.fate for order_id, verdict in verdicts.items()} == {
        "0x00": "accepted",
        "0x01": "rejected",
    }
    assert account.session.request_levels()["cancels"].available == STANDARD.cancels_burst - 3


async def test_as_many_as_the_signer_may_ever_cancel_at_once() -> None:
    account = clob_account(Answer(b'{"canceled":[],"not_canceled":{}}'))
    assert await cancel_all(account.session, ids(MOST)) is not None
    assert account.session.request_levels()["cancels"].available == 0


async def test_nothing_is_sent_for_more_than_that() -> None:
    account = clob_account()
    assert await cancel_all(account.session, ids(MOST + 1)) is None
    assert account.session.request_levels()["cancels"].available == STANDARD.cancels_burst
