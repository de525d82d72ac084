"""The account at Polymarket: read whole or not at all."""

import json
from typing import Any

import pytest

from predsurv.core.errors import WireError
from tests.kit.polymarket_orders import MARKET, TOKEN, command
from tests.kit.scripted_accounts import CLOB_WS, clob_account
from tests.kit.scripted_http import Answer

ORDER = {
    "id": "0x1",
    "market": MARKET,
    "asset_id": TOKEN,
    "side": "BUY",
    "original_size": "10",
    "size_matched": "0",
    "price": "0.56",
    "status": "LIVE",
}
NO_ROWS = Answer(b'{"data":[],"next_cursor":"LTE="}')


def page(*rows: dict[str, Any], cursor: str = "LTE=") -> Answer:
    return Answer(json.dumps({"data": rows, "next_cursor": cursor}).encode())


async def test_every_page_is_read_before_anything_is_said() -> None:
    account = clob_account(
        page(ORDER, cursor="Mg=="),
        page(ORDER | {"id": "0x2"}),
        NO_ROWS,
        Answer(b'{"balance":"1000000","allowances":{}}'),
        Answer(b'{"balance":"5000000","allowances":{}}'),
    )
    state = await account.reader.account(3_500_000_000, [command().key])
    assert [each.order_id for each in state.orders] == ["0x1", "0x2"]
    assert (state.cash, [each.size for each in state.positions]) == (1_000_000, [5_000_000])
    paths = account.server.paths()
    assert paths[1:3] == ["/data/orders?next_cursor=Mg%3D%3D", "/data/trades?after=3"]
    assert paths[4] == f"/balance-allowance?asset_type=CONDITIONAL&signature_type=0&token_id={TOKEN}"


async def test_a_row_that_cannot_be_read_is_not_left_out() -> None:
    account = clob_account(page(ORDER, ORDER | {"side": "UP"}))
    with pytest.raises(WireError, match="a row of the account cannot be read: "):
        await account.reader.account(0, ())


def test_the_channel_is_ready_when_the_venue_answers() -> None:
    channel = clob_account(Answer()).reader.channel()
    assert [channel.is_ready(each) for each in (b"[]", b"PONG")] == [False, True]
    assert (channel.url, channel.headers(), channel.keepalive()) == (CLOB_WS, None, b"PING")
    (greeting,) = channel.greeting()
    assert json.loads(greeting)["type"] == "user"
    assert channel.decode(b"PONG", 0) == []
