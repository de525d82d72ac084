"""Comparisons of one account: how long a venue is asked for lost orders, and what differs too fast to be corrected."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.core.errors import TransientError
from predsurv.core.events import OrderAccepted
from predsurv.core.ids import OrderId
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import Order, PlaceOrder
from predsurv.core.reconciliation import CashCorrected
from predsurv.engine.account.account import TradingAccount
from predsurv.net.clock import SystemClock
from predsurv.simulate.server import ServerRequest, ServerResponse
from predsurv.trade.live import reconciler
from predsurv.trade.live.reconciler import Reconciler
from predsurv.venues.account_reports import TradeReport
from predsurv.venues.execution.tracked_orders import TrackedOrder
from tests.kit.fake_clob import FakeClob
from tests.kit.live_orders import BrokerUnderTest, live_broker, placed, traded_at
from tests.kit.patience import until


@asynccontextmanager
async def compared(
    folder: Path, fake: FakeClob, patch: pytest.MonkeyPatch, ours: TradingAccount
) -> AsyncIterator[tuple[Reconciler, BrokerUnderTest]]:
    patch.setattr(reconciler, "CONFIRM_AFTER", 20_000_000)
    patch.setattr(reconciler, "RESOLVE_EVERY", 20_000_000)
    async with live_broker(folder, fake, patch) as under_test:
        yield Reconciler(under_test.broker, ours, SystemClock()), under_test


def account() -> TradingAccount:
    return TradingAccount({traded_at(FakeClob()).venue: Money(1_000 * MICROS)})


def with_lost_order() -> TradingAccount:
    """An account with an order of an earlier run, of which nobody knows what became."""
    made, order = account(), placed(FakeClob()).command
    assert isinstance(order, PlaceOrder)
    made.place(order, 1)
    return made


def named(ours: TradingAccount) -> list[Order]:
    """Its orders, with the ids that they were signed with."""
    return [replace(each, order_id=OrderId("0x" + "c3" * 32)) for each in ours.orders.live()]


async def test_a_run_does_not_begin_while_an_order_of_an_earlier_one_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "RESOLVE_TRIES", 2)
    fake, ours = FakeClob(), with_lost_order()
    async with compared(tmp_path, fake, monkeypatch, ours) as (made, under_test):
        monkeypatch.setattr(fake, "_is_proved", lambda _: False)
        under_test.broker.following.adopt(named(ours))
        with pytest.raises(TransientError, match="does not say what became of 1 orders of an earlier run; nothing was"):
            await made.resolve()


async def test_a_venue_that_says_it_never_came_resolves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = with_lost_order()
    async with compared(tmp_path, FakeClob(), monkeypatch, ours) as (made, under_test):
        under_test.broker.following.adopt(named(ours))
        await made.resolve()
        await under_test.broker.settled()
        assert under_test.kinds() == ["OrderRejected"]


async def test_a_difference_that_is_another_at_every_reading_is_not_corrected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Busy(FakeClob):
        """Its cash changes whenever it is read."""

        def _balance(self, request: ServerRequest) -> ServerResponse:
            self.cash -= MICROS
            return super()._balance(request)

    async with compared(tmp_path, Busy(), monkeypatch, account()) as (made, under_test):
        with pytest.raises(TransientError, match="polymarket: the account changes faster than it can be compared"):
            await made.compare()
        assert not made.compared
        assert not under_test.count(CashCorrected)


async def test_what_is_read_of_our_orders_is_taken_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeClob()
    async with compared(tmp_path, fake, monkeypatch, account()) as (made, under_test):
        fake.silent = True  # the private channel tells nothing
        await under_test.place(placed(fake))
        await until(fake.open)
        fake.fill_first(4 * MICROS)
        await made.compare()
        assert "Fill" in under_test.kinds()
        assert made.compared


async def test_cash_that_stays_wrong_beside_resting_orders_is_made_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "LASTING", 0)
    fake, ours = FakeClob(), account()
    async with compared(tmp_path, fake, monkeypatch, ours) as (made, under_test):
        order = placed(fake).command
        assert isinstance(order, PlaceOrder)
        ours.place(order, 1)
        await under_test.place(placed(fake))
        await until(fake.open)
        ours.apply(OrderAccepted(order.key, 1, order.client_order_id, OrderId("0x1")))
        fake.cash -= 3 * MICROS
        await made.compare()
        assert not under_test.count(CashCorrected)  # a balance may lag behind for a moment
        fake.cash -= MICROS
        await made.compare()
        assert not under_test.count(CashCorrected)  # that is another difference
        await made.compare()
        assert under_test.count(CashCorrected) == 1


async def test_orders_that_were_given_up_are_asked_for_with_the_trades_that_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, asked = FakeClob(), list[tuple[TradeReport, ...]]()

    async def ask_denied(trades: Iterable[TradeReport]) -> None:
        asked.append(tuple(trades))

    async with compared(tmp_path, fake, monkeypatch, account()) as (made, under_test):
        monkeypatch.setattr(under_test.broker.requests.questions, "ask_denied", ask_denied)
        fake.silent = True
        await under_test.place(placed(fake))
        await until(fake.open)
        fake.fill_first(4 * MICROS)
        await made.compare()
    assert len(asked[0]) == 1


async def resting(under_test: BrokerUnderTest, fake: FakeClob) -> TrackedOrder:
    """Place an order and return it once it is known to rest."""
    await under_test.place(placed(fake))
    await until(fake.open)
    await until(lambda: under_test.count(OrderAccepted))
    (tracked,) = under_test.broker.following.orders.live()
    return tracked


async def test_an_order_that_is_over_here_and_open_there_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A venue that did not know it for a moment, or an end of it that was wrong: it may trade, and nobody counts it."""
    fake = FakeClob()
    async with compared(tmp_path, fake, monkeypatch, account()) as (made, under_test):
        following, tracked = under_test.broker.following, await resting(under_test, fake)
        following.absent(tracked, SystemClock().monotonic())
        assert tracked.is_over
        await made.compare()
        await until(lambda: not fake.open())


async def test_an_order_that_an_earlier_run_took_for_cancelled_is_cancelled_where_it_rests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeClob()
    async with compared(tmp_path, fake, monkeypatch, account()) as (made, under_test):
        following, tracked = under_test.broker.following, await resting(under_test, fake)
        following.orders.finish(tracked)
        following.adopt([replace(tracked.order, state="cancelled")])
        await made.compare()
        await until(lambda: not fake.open())
