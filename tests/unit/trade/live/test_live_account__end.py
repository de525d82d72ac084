"""One account in a live run when its venue fails: what stops the run, what only holds it, and how it ends."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from predsurv.core.errors import SafetyError, TransientError
from predsurv.core.events import Fill
from predsurv.core.ids import TradeId
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.core.orders import PlaceOrder
from predsurv.engine.account.account import TradingAccount
from predsurv.net.clock import SystemClock, system_random
from predsurv.trade.live.live_account import LiveAccount
from predsurv.trade.live.reconciler import Reconciler
from tests.kit.fake_clob import FakeClob
from tests.kit.live_orders import BrokerUnderTest, Fake, live_broker, placed, traded_at
from tests.kit.patience import until

LIVE = "predsurv.trade.live.live_account"


class Watched:
    """A live account, its broker, and what of ours it looks after."""

    def __init__(self, broker: BrokerUnderTest, account: TradingAccount) -> None:
        self.under_test, self.ours = broker, account
        self.live = LiveAccount(broker.broker, account, SystemClock(), system_random)

    @property
    def hold(self) -> str:
        return self.under_test.broker.holds.reason


@asynccontextmanager
async def watched(folder: Path, fake: Fake, patch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    patch.setattr("predsurv.trade.live.reconciler.CONFIRM_AFTER", 20_000_000)
    patch.setattr("predsurv.trade.live.reconciler.RESOLVE_EVERY", 20_000_000)
    patch.setattr(f"{LIVE}.PULSE", 20_000_000)
    async with live_broker(folder, fake, patch) as broker:
        made = Watched(broker, TradingAccount({traded_at(fake).venue: Money(1_000 * MICROS)}))
        try:
            yield made
        finally:
            await made.live.aclose()


@pytest.fixture
def clob() -> FakeClob:
    return FakeClob()


async def test_a_run_does_not_begin_where_no_sign_of_life_is_taken(
    clob: FakeClob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path, clob, monkeypatch) as account:
        monkeypatch.setattr(clob, "_is_proved", lambda _: False)
        with pytest.raises(TransientError, match="polymarket takes no heartbeat: HTTP 401"):
            await account.live.start()
        assert account.live.task is None
        assert account.hold


async def test_a_run_does_not_begin_without_its_private_channel(
    clob: FakeClob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LIVE}.OPEN_WITHIN", 200_000_000)
    clob.silent = True  # subscribed, and not a word
    async with watched(tmp_path, clob, monkeypatch) as account:
        with pytest.raises(TransientError, match="the private channel does not open; check the key, or try later"):
            await account.live.start()
        assert account.hold


async def test_what_ends_the_channel_for_good_ends_the_start(
    clob: FakeClob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object) -> None:
        raise SafetyError("the key is refused")

    async with watched(tmp_path, clob, monkeypatch) as account:
        monkeypatch.setattr("predsurv.venues.execution.user_channel.PrivateChannel.run", refused)
        with pytest.raises(SafetyError, match="the key is refused"):
            await account.live.start()


async def test_a_foreign_order_that_comes_later_holds_and_its_end_lifts(
    clob: FakeClob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LIVE}.COMPARE_EVERY", 50_000_000)
    async with watched(tmp_path, clob, monkeypatch) as account:
        await account.live.start()
        await until(lambda: not account.hold)
        clob.add_foreign()
        await until(lambda: "orders cancel --venue polymarket --all" in account.hold)
        del clob.orders["0xf0"]
        await until(lambda: not account.hold)


async def test_an_account_that_cannot_be_read_holds_until_it_can(
    clob: FakeClob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(f"{LIVE}.COMPARE_EVERY", 50_000_000)
    monkeypatch.setattr(f"{LIVE}.ALIVE_EVERY", 50_000_000)
    async with watched(tmp_path, clob, monkeypatch) as account:
        await account.live.start()
        await until(lambda: not account.hold)

        async def fails(_: Reconciler) -> None:
            raise TransientError("no route to the venue")

        with monkeypatch.context() as broken:
            broken.setattr(Reconciler, "compare", fails)
            await until(lambda: "the account cannot be compared" in account.hold)
        await until(lambda: not account.hold)
    assert "polymarket: the account cannot be compared: no route to the venue" in caplog.text


async def test_a_process_that_stood_still_is_compared_again(
    clob: FakeClob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path, clob, monkeypatch) as account:
        await account.live.start()
        await until(lambda: not account.hold)
        monkeypatch.setattr(f"{LIVE}.STOOD_STILL", 0)  # every pulse is too long
        await until(lambda: "stood still" in account.hold)
        monkeypatch.setattr(f"{LIVE}.STOOD_STILL", 3_600 * 10**9)
        await until(lambda: not account.hold)


async def test_what_is_told_of_an_order_that_is_not_ours_makes_it_be_compared(
    clob: FakeClob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path, clob, monkeypatch) as account:
        await account.live.start()
        await until(lambda: not account.hold)
        compared = account.live.reconciler.compared
        clob.add_foreign()
        clob.cancel(clob.orders["0xf0"])
        await until(lambda: account.live.reconciler.compared > compared)


async def test_a_gap_during_a_comparison_is_not_covered_by_it(
    clob: FakeClob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare, count = Reconciler.compare, 0

    async def interrupted(self: Reconciler) -> None:
        nonlocal count
        count += 1
        if count == 1:
            (old,) = clob.users
            clob.disconnect()
            await until(lambda: clob.users and clob.users[0] is not old)
            await until(lambda: not account.under_test.broker.holds.has("channel"))
        await compare(self)

    monkeypatch.setattr(Reconciler, "compare", interrupted)
    async with watched(tmp_path, clob, monkeypatch) as account:
        await account.live.start()
        assert "the private channel was down: the account is compared" in account.hold
        await until(lambda: not account.hold)
        assert count == 2


def bought(account: Watched, fake: Fake) -> None:
    """Let an order of ours rest, and a part of it trade: a trade that may still fail."""
    order = placed(fake).command
    assert isinstance(order, PlaceOrder)
    account.ours.place(order, 1)
    key, name = order.key, order.client_order_id
    size, price = Size(5 * MICROS), Price(560_000)
    account.ours.apply(Fill(key, 1, None, name, TradeId("t1"), "buy", price, size, Money(0), True, unconfirmed=True))


async def test_the_end_waits_for_trades_and_tells_of_what_may_be_open(
    clob: FakeClob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(f"{LIVE}.SETTLE_WITHIN", 60_000_000)
    async with watched(tmp_path, clob, monkeypatch) as account:
        await account.live.start()
        bought(account, clob)
        caplog.set_level(logging.WARNING)
        await account.live.finish()
    assert caplog.text.count("polymarket: waiting for trades in 1 instruments to settle") == 1
    assert "polymarket: trades in 1 instruments are not settled yet" in caplog.text
    assert "polymarket: 1 orders may still be open; 'predsurv orders --venue polymarket' asks for them" in caplog.text


async def test_an_end_that_cannot_compare_says_so(
    clob: FakeClob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched(tmp_path, clob, monkeypatch) as account:
        await account.live.start()
        clob.add_foreign()
        await account.live.finish()
    assert "polymarket: not compared at the end: polymarket has 1 open orders" in caplog.text
    assert "may still be open" not in caplog.text
