"""What a shadow run begins with: free cash, what the contracts may take, and the shares of the live account."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.core.ids import OrderId, OrderSide, VenueName
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.core.reconciliation import PositionCorrected
from predsurv.net.clock import SystemClock, system_random
from predsurv.trade.journal import AccountCorrected, OrderJournal
from predsurv.trade.live.shadow_opening import free_cash, read_shadow_start
from predsurv.venues.account_reports import OrderReport
from predsurv.venues.execution.gateway import AccountState
from predsurv.venues.registry import open_account
from tests.kit.fake_clob import FakeClob
from tests.kit.fake_kalshi import FakeKalshi
from tests.kit.live_orders import TRADED, Fake, configured, secrets_of, traded_at
from tests.kit.trading_samples import ME

KEY = TRADED.key(0)


def resting(size: int, filled: int = 0, side: OrderSide = "buy") -> OrderReport:
    whole, done = Size(size * MICROS), Size(filled * MICROS)
    return OrderReport(KEY, 1, None, OrderId("o"), "open", side, Price(500_000), whole, done)


def state(*orders: OrderReport, is_cash_free: bool = False) -> AccountState:
    return AccountState(1, Money(100 * MICROS), orders, (), (), is_cash_free)


def test_what_rests_is_not_free() -> None:
    assert free_cash(state(resting(10, 4), resting(100, 0, "sell"))) == 97 * MICROS
    assert free_cash(state(resting(10), is_cash_free=True)) == 100 * MICROS
    assert free_cash(state(resting(1_000))) == 0


@pytest.mark.parametrize("make", [FakeClob, FakeKalshi])
async def test_an_account_is_only_read_and_its_shares_are_those_of_the_live_journal(
    make: type[Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, journal = make(), tmp_path / "live-x.db"
    key = traded_at(fake).key(0)
    written = OrderJournal(journal)
    written.append(AccountCorrected(PositionCorrected(key, 1, ME, Size(7 * MICROS), Money(3 * MICROS), "x")))
    elsewhere = replace(key, venue=VenueName("elsewhere"))
    written.append(AccountCorrected(PositionCorrected(elsewhere, 1, ME, Size(7 * MICROS), Money(1), "x")))
    written.close()
    await fake.server.start()
    for name, value in secrets_of(fake).items():
        monkeypatch.setenv(name, value)
    account = await open_account(key.venue, configured(tmp_path, **fake.flags), SystemClock(), system_random)
    try:
        start = await read_shadow_start(account, [journal], SystemClock())
        assert start.cash == 1_000 * MICROS
        (held,) = start.held
        assert (held.key, held.strategy, held.size, held.cost) == (key, ME, 7 * MICROS, 3 * MICROS)
        assert not (await read_shadow_start(account, [], SystemClock())).held
    finally:
        await account.aclose()
        await fake.server.aclose()
    assert {method for method, _ in fake.requests} == {"GET"}
