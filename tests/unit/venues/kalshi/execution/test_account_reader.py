"""The account at Kalshi: read whole or not at all."""

import json
from typing import Any

import pytest

from predsurv.core.errors import WireError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS
from predsurv.venues.kalshi.execution import account_reader
from tests.kit.scripted_accounts import KALSHI_WS, kalshi_account
from tests.kit.scripted_http import Answer

ORDER = {
    "order_id": "k1",
    "ticker": "KX-A",
    "status": "resting",
    "book_side": "bid",
    "yes_price_dollars": "0.3500",
    "fill_count_fp": "0.00",
    "remaining_count_fp": "10.00",
    "initial_count_fp": "10.00",
}


def key(ticker: str) -> InstrumentKey:
    return InstrumentKey(VenueName("kalshi"), MarketId(ticker), InstrumentId(ticker))


def orders(*rows: dict[str, Any], cursor: str = "") -> Answer:
    return Answer(json.dumps({"orders": rows, "cursor": cursor}).encode())


async def test_an_account_has_a_position_of_everything_that_was_asked_for() -> None:
    held = {"market_positions": [{"ticker": "KX-A", "position_fp": "5.00"}, {"ticker": "KX-B", "position_fp": "0.00"}]}
    account = kalshi_account(
        orders(ORDER),
        Answer(b'{"fills":[],"cursor":""}'),
        Answer(json.dumps(held | {"cursor": ""}).encode()),
        Answer(b'{"settlements":[{"ticker":"KX-A","market_result":"no"}],"cursor":""}'),
        Answer(b'{"balance":1250,"balance_dollars":"12.50"}'),
    )
    state = await account.reader.account(3_500_000_000, [key("KX-Z"), key("KX-A")])
    assert [(each.key.market_id, each.size) for each in state.positions] == [("KX-A", 5 * MICROS), ("KX-Z", 0)]
    assert (state.cash, len(state.orders), state.trades) == (12_500_000, 1, ())
    assert [(each.market_id, each.payouts[0][1]) for each in state.settlements] == [("KX-A", 0)]
    assert "min_ts=3&" in account.server.paths()[1]
    assert "/portfolio/settlements?min_ts=3&" in account.server.paths()[3]


async def test_every_page_of_settlements_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    page = '{"settlements":[{"ticker":"%s","market_result":"yes"}],"cursor":"%s"}'
    account = kalshi_account(Answer((page % ("KX-A", "next")).encode()), Answer((page % ("KX-B", "")).encode()))
    assert [each.market_id for each in await account.reader.settlements(0)] == ["KX-A", "KX-B"]
    assert account.server.paths()[1].endswith("cursor=next")
    monkeypatch.setattr(account_reader, "PAGES_MAX", 2)
    with pytest.raises(WireError, match="/portfolio/settlements has more than 2 pages"):
        await kalshi_account(Answer((page % ("KX-A", "next")).encode())).reader.settlements(0)


async def test_every_page_is_read() -> None:
    account = kalshi_account(orders(ORDER, cursor="next"), orders(ORDER | {"order_id": "k2"}))
    found = await account.reader.orders((("ticker", "KX-A"),))
    assert [each.order_id for each in found] == ["k1", "k2"]
    assert account.server.paths()[1].endswith("?ticker=KX-A&limit=1000&cursor=next")


async def test_a_list_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_reader, "PAGES_MAX", 3)
    account = kalshi_account(orders(ORDER, cursor="next"))
    with pytest.raises(WireError, match="/portfolio/orders has more than 3 pages"):
        await account.reader.orders(())
    assert len(account.server.requests) == 3


@pytest.mark.parametrize(
    ("row", "words"),
    [({"book_side": "up"}, "book_side"), ({"status": "paused"}, "order paused")],
)
async def test_a_row_that_cannot_be_read_is_not_left_out(row: dict[str, str], words: str) -> None:
    account = kalshi_account(orders(ORDER, ORDER | row))
    with pytest.raises(WireError, match=f"a row of the account cannot be read: .*{words}"):
        await account.reader.orders(())


def test_the_channel_is_ready_when_both_channels_are_subscribed() -> None:
    channel = kalshi_account(Answer()).reader.channel()
    subscribed = b'{"id":1,"type":"subscribed","msg":{"channel":"fill","sid":1}}'
    frames = [b"\xff", b"no json", b'{"type":"fill"}', subscribed, subscribed]
    assert [channel.is_ready(each) for each in frames] == [False, False, False, False, True]
    assert channel.url == KALSHI_WS
    assert channel.keepalive() is None
    assert set(channel.headers() or ()) >= {"KALSHI-ACCESS-KEY", "KALSHI-ACCESS-SIGNATURE"}
    (greeting,) = channel.greeting()
    assert json.loads(greeting)["params"] == {"channels": ["fill", "user_orders"]}
