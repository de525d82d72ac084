"""The order group of a run: made before anything is placed, in every order, and a halt when the exchange uses it."""

import json
import logging

import pytest
from msgspec.structs import replace

from predsurv.core.errors import TransientError, WireError
from predsurv.core.num import MICROS, Size
from predsurv.core.orders import Approved
from predsurv.venues.account_reports import AccountReport, OrderGroupReport, PositionReport
from predsurv.venues.execution.gateway import PreparedOrder
from predsurv.venues.kalshi.execution.account_reader import KalshiUserChannel
from predsurv.venues.kalshi.execution.exchange_limit import ExchangeLimit
from predsurv.venues.kalshi.execution.gateway import KalshiGateway
from predsurv.venues.requests import OrderRefusal
from tests.kit.live_orders import CONTRACT
from tests.kit.polymarket_orders import command
from tests.kit.scripted_accounts import KalshiAccount, kalshi_account
from tests.kit.scripted_http import NO_ROUTE, Answer

MADE = Answer(b'{"order_group_id":"g1","subaccount":0,"exchange_index":0}', 201)
ONE_SHARD = Answer(b'{"exchange_active":true,"trading_active":true}')
SHARDS = Answer(
    b'{"exchange_active":true,"trading_active":true,"exchange_index_statuses":['
    b'{"exchange_index":2,"exchange_active":true,"trading_active":true},'
    b'{"exchange_index":0,"exchange_active":true,"trading_active":true}]}'
)


def limit(account: KalshiAccount, contracts: int = 500) -> ExchangeLimit:
    return ExchangeLimit(account.session, contracts)


def report(change: str = "triggered", group: str = "g1") -> OrderGroupReport:
    return OrderGroupReport(1, None, group, change, None)


async def test_a_group_is_made_put_into_every_order_and_deleted_at_the_end() -> None:
    account = kalshi_account(ONE_SHARD, MADE, Answer())
    made = limit(account)
    gateway = KalshiGateway(account.session, account.reader, account.server.clock, made)
    await made.begin()
    assert json.loads(account.server.requests[1].content) == {"contracts_limit_fp": "500.00"}
    wanted = replace(command(size=10 * MICROS), key=CONTRACT.key(0))
    order = gateway.prepare(Approved(account.server.clock.now(), wanted), CONTRACT)
    assert isinstance(order, PreparedOrder)
    assert json.loads(order.request.body or b"")["order_group_id"] == "g1"
    await made.end()
    await made.end()
    assert [each.method for each in account.server.requests] == ["GET", "POST", "DELETE"]
    assert account.server.paths()[2].endswith("/portfolio/order_groups/g1")
    order = gateway.prepare(Approved(account.server.clock.now(), wanted), CONTRACT)
    assert isinstance(order, PreparedOrder)
    assert "order_group_id" not in json.loads(order.request.body or b"")


async def test_each_shard_has_a_group_and_an_order_is_in_that_of_its_market() -> None:
    second = Answer(b'{"order_group_id":"g2","exchange_index":2}', 201)
    account = kalshi_account(SHARDS, MADE, second, Answer())
    made = limit(account)
    gateway = KalshiGateway(account.session, account.reader, account.server.clock, made)
    await made.begin()
    bodies = [json.loads(each.content) for each in account.server.requests[1:]]
    assert bodies == [{"contracts_limit_fp": "500.00"}, {"contracts_limit_fp": "500.00", "exchange_index": 2}]
    wanted = Approved(account.server.clock.now(), replace(command(size=10 * MICROS), key=CONTRACT.key(0)))
    for shard, group in ((0, "g1"), (2, "g2")):
        order = gateway.prepare(wanted, replace(CONTRACT, shard=shard))
        assert isinstance(order, PreparedOrder)
        assert json.loads(order.request.body or b"")["order_group_id"] == group
    for unknown in (None, 1):
        refusal = gateway.prepare(wanted, replace(CONTRACT, shard=unknown))
        assert isinstance(refusal, OrderRefusal)
        assert refusal.reason == "exchange"
    assert made.stopped_by(report("triggered", "g2"))
    await made.end()
    assert [each.split("/")[-1] for each in account.server.paths()[3:]] == ["g1", "g2?exchange_index=2"]


async def test_a_group_that_cannot_be_made_takes_the_others_with_it() -> None:
    account = kalshi_account(SHARDS, MADE, Answer(b"{}", 500), Answer())
    with pytest.raises(TransientError, match="makes no order group on shard 2: HTTP 500"):
        await limit(account).begin()
    assert [each.method for each in account.server.requests] == ["GET", "POST", "POST", "DELETE"]


async def test_without_a_limit_nothing_is_made() -> None:
    account = kalshi_account(MADE)
    made = limit(account, 0)
    await made.begin()
    await made.end()
    assert not account.server.requests
    assert not made.is_wanted
    assert not made.stopped_by(report())


@pytest.mark.parametrize(
    ("answer", "words", "kind"),
    [
        (
            Answer(b'{"error":{"code":"invalid_parameters"}}', 400),
            "makes no order group on shard 0: HTTP 400",
            TransientError,
        ),
        (NO_ROUTE, "cannot connect", TransientError),
        (Answer(lost=True), "made no order group", TransientError),
        (Answer(b"{}", 201), "cannot be read", WireError),
        (Answer(b'{"order_group_id":""}', 201), "id", WireError),
    ],
)
async def test_without_the_group_that_is_wanted_no_run_begins(
    answer: Answer, words: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=words):
        await limit(kalshi_account(ONE_SHARD, answer)).begin()


async def test_a_limit_that_cannot_be_asked_for_begins_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = OrderRefusal("count", "not such a number")
    monkeypatch.setattr("predsurv.venues.kalshi.execution.exchange_limit.create_group", lambda *_: refusal)
    with pytest.raises(WireError, match="no order group of 500 contracts: not such a number"):
        await limit(kalshi_account(ONE_SHARD)).begin()


@pytest.mark.parametrize(
    ("answer", "words"),
    [(Answer(b"{}", 404), "is left behind: HTTP 404"), (NO_ROUTE, "may be left behind: cannot connect")],
)
async def test_a_group_that_is_left_behind_is_said(
    answer: Answer, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = limit(kalshi_account(ONE_SHARD, MADE, answer))
    await made.begin()
    with caplog.at_level(logging.INFO):
        await made.end()
    assert f"kalshi: order group g1 {words}" in caplog.text


async def test_only_the_trigger_of_our_own_group_stops() -> None:
    made = limit(kalshi_account(ONE_SHARD, MADE))
    assert not made.stopped_by(report())
    await made.begin()
    others: list[AccountReport] = [report("created"), report("triggered", "g2")]
    others.append(PositionReport(CONTRACT.key(0), 1, Size(1)))
    assert not any(map(made.stopped_by, others))
    assert made.stopped_by(report()).startswith("kalshi: 500 contracts were matched within 15 s, so it cancelled every")


def test_the_channel_of_groups_is_listened_to_where_there_is_one() -> None:
    account = kalshi_account()
    channel = KalshiUserChannel("ws://x", account.session, ("fill", "user_orders", "order_group_updates"))
    assert b"order_group_updates" in channel.greeting()[0]
    told = b'{"type":"subscribed","msg":{"channel":"x"}}'
    assert [channel.is_ready(told) for _ in range(3)] == [False, False, True]
