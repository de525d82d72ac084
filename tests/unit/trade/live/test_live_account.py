"""One account in a live run: nothing is placed before it agrees, and what comes between makes it be compared again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from predsurv.core.errors import SafetyError
from predsurv.core.events import MarketResolved, OrderCancelled
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import PlaceOrder
from predsurv.core.reconciliation import CashCorrected, TradingHeld
from predsurv.engine.account.account import TradingAccount
from predsurv.net.clock import SystemClock, system_random
from predsurv.trade.live.live_account import LiveAccount
from tests.kit.fake_clob import FakeClob
from tests.kit.fake_kalshi import FakeKalshi
from tests.kit.live_orders import TICKER, BrokerUnderTest, Fake, live_broker, placed, traded_at
from tests.kit.patience import until

VENUES = pytest.mark.parametrize("make", [FakeClob, FakeKalshi])


@asynccontextmanager
async def looked_after(
    folder: Path, fake: Fake, patch: pytest.MonkeyPatch, cash: int = 1_000
) -> AsyncIterator[tuple[LiveAccount, BrokerUnderTest]]:
    patch.setattr("predsurv.trade.live.reconciler.CONFIRM_AFTER", 50_000_000)
    patch.setattr("predsurv.trade.live.reconciler.RESOLVE_EVERY", 50_000_000)
    async with live_broker(folder, fake, patch) as under_test:
        account = TradingAccount({traded_at(fake).venue: Money(cash * MICROS)})
        made = LiveAccount(under_test.broker, account, SystemClock(), system_random)
        try:
            yield made, under_test
        finally:
            await made.aclose()


def holds(under_test: BrokerUnderTest) -> list[str]:
    return [each.reason for each in under_test.told if isinstance(each, TradingHeld)]


@VENUES
async def test_the_hold_is_lifted_once_the_account_agrees(
    make: type[Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with looked_after(tmp_path, make(), monkeypatch) as (account, under_test):
        assert under_test.broker.holds.reason
        await account.start()
        await until(lambda: bool(holds(under_test)) and not holds(under_test)[-1])
        assert not under_test.count(CashCorrected)


@VENUES
async def test_cash_that_differs_is_corrected_before_anything_is_placed(
    make: type[Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with looked_after(tmp_path, make(), monkeypatch, cash=900) as (account, under_test):
        monkeypatch.setattr("predsurv.trade.live.reconciler.READINGS_MAX", 2)
        await account.start()
        await until(lambda: not holds(under_test)[-1])
        kinds = [type(each) for each in under_test.told if isinstance(each, CashCorrected | TradingHeld)]
        assert kinds.index(CashCorrected) < len(kinds) - 1
        assert kinds[-1] is TradingHeld


@VENUES
async def test_an_order_that_is_not_in_the_journal_stops_everything(
    make: type[Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = make()
    async with looked_after(tmp_path, fake, monkeypatch) as (account, under_test):
        fake.add_foreign()
        with pytest.raises(SafetyError, match="orders cancel"):
            await account.start()
        assert under_test.broker.holds.reason


@VENUES
async def test_a_gap_of_the_channel_holds_until_the_account_was_compared_again(
    make: type[Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = make()
    async with looked_after(tmp_path, fake, monkeypatch) as (account, under_test):
        await account.start()
        await until(lambda: bool(holds(under_test)) and not holds(under_test)[-1])
        before = len(holds(under_test))
        for each in tuple(fake.users):
            each.abort()
        await until(lambda: len(holds(under_test)) >= before + 2 and not holds(under_test)[-1])
        assert "channel" in holds(under_test)[before]


async def test_fills_that_only_the_channel_tells_reach_the_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeClob()
    async with looked_after(tmp_path, fake, monkeypatch) as (account, under_test):
        await account.start()
        await until(lambda: not under_test.broker.holds.reason)
        await under_test.place(placed(fake))
        await until(lambda: "OrderAccepted" in under_test.kinds())
        fake.fill_first(10 * MICROS)
        await until(lambda: "FillConfirmed" in under_test.kinds())
        assert under_test.kinds()[:2] == ["OrderAccepted", "Fill"]


async def test_a_venue_that_takes_no_sign_of_life_gets_no_orders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeClob()
    monkeypatch.setattr("predsurv.trade.live.live_account.ALIVE_EVERY", 50_000_000)
    monkeypatch.setattr("predsurv.trade.live.live_account.ALIVE_WITHIN", 100_000_000)
    async with looked_after(tmp_path, fake, monkeypatch) as (account, under_test):
        await account.start()
        await until(lambda: not under_test.broker.holds.reason)
        monkeypatch.setattr(fake, "_is_proved", lambda _: False)
        await until(lambda: "sign of life" in under_test.broker.holds.reason)


async def test_a_key_that_is_about_to_expire_trades_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeKalshi()
    fake.keys = {"api_keys": [], "api_key_region_expiration_ts": SystemClock().now() // 10**9 + 60}
    async with looked_after(tmp_path, fake, monkeypatch) as (account, under_test):
        with pytest.raises(SafetyError, match="the key stops to trade in 0 minutes"):
            await account.start()
        assert under_test.broker.holds.reason


async def test_what_the_venue_paid_out_is_a_settlement_and_no_correction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeKalshi()
    async with looked_after(tmp_path, fake, monkeypatch) as (account, under_test):
        order = placed(fake)
        assert isinstance(order.command, PlaceOrder)
        account._account.place(order.command, order.ts)  # it is followed from then on
        account._account.apply(OrderCancelled(order.command.key, order.ts, order.command.client_order_id, "gone"))
        fake.settlements = [
            {"ticker": TICKER, "market_result": "yes", "value": 100, "settled_time": "2026-11-20T15:00:00Z"},
            {"ticker": "KXOTHER-1", "market_result": "no"},
        ]
        await account.start()
        await until(lambda: under_test.count(MarketResolved) > 0)
        (told,) = (each for each in under_test.told if isinstance(each, MarketResolved))
        assert (told.market_id, dict(told.payouts)) == (TICKER, {TICKER: 1_000_000, f"{TICKER}:no": 0})
        assert not under_test.count(CashCorrected)
