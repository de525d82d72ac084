"""A trader that is killed at any step of its orders' lives has the venue's account afterwards, to the micro-dollar."""

import pytest

from predsurv.core.num import MICROS
from predsurv.core.reconciliation import CashCorrected
from predsurv.exchange import schedule
from tests.kit.desk_polymarket import DeskTrader
from tests.kit.restart_worlds import FAILING, RestartWorld, change_fee, differences, end
from tests.kit.restarted_trader import RestartedTrader


@pytest.fixture(autouse=True)
def steady_fees(monkeypatch: pytest.MonkeyPatch) -> None:
    """No fee changes unless a test says so."""
    monkeypatch.setattr(schedule, "_FEE_CHANGE", 10**15)


@pytest.mark.parametrize("seed", range(20))
async def test_nothing_is_booked_twice_or_never_whenever_the_trader_is_killed(seed: int) -> None:
    world = RestartWorld(seed)
    assert await world.live() == [], world.steps


@pytest.mark.parametrize("seed", range(10))
async def test_trades_that_fail_leave_nothing_behind_whenever_the_trader_is_killed(seed: int) -> None:
    world = RestartWorld(seed, FAILING)
    assert await world.live() == [], world.steps


async def test_two_resting_orders_that_one_trade_met_are_both_filled() -> None:
    trader = RestartedTrader()
    await trader.start()
    row, price = _roomy(trader)
    key, sizes = trader.key(row), (20 * MICROS, 30 * MICROS)
    for size in sizes:
        await trader.submit(trader.decide(key, "buy", price, size, "gtc"))
    other = DeskTrader(trader.simulator, "0x" + "5e" * 32)
    # Whoever buys the other outcome meets both, in one trade.
    other.placed(trader.rows[row], 1, side="buy", price=MICROS - price, size=sum(sizes), tif="fok")
    await trader.deliver(100)
    assert [order.filled for order in trader.account.orders.finished.values()] == [*sizes]
    await end(trader)
    assert await differences(trader) == []
    assert not trader.corrections


async def test_a_fee_that_the_venue_changed_unannounced_is_put_right_by_the_comparison() -> None:
    trader = RestartedTrader()
    await trader.start()
    key = trader.key(0)
    change_fee(trader, key.market_id, 999_000)
    await trader.submit(trader.decide(key, "buy", 970_000, 50 * MICROS, "fok"))
    await end(trader)
    (correction,) = trader.corrections
    assert isinstance(correction, CashCorrected)
    assert await differences(trader) == []
    await trader.kill()
    await trader.start()
    assert await differences(trader) == []
    assert len(trader.corrections) == 1


def _roomy(trader: RestartedTrader) -> tuple[int, int]:
    """The number of a market with room inside its spread, and a price in there."""
    for number, row in enumerate(trader.rows):
        listing = trader.simulator.exchange.directory.listing(row.market.key(0))
        assert listing is not None
        bids, asks = listing.book.levels("bid"), listing.book.levels("ask")
        if bids and asks and asks[0][0] - bids[0][0] >= 20_000 and asks[0][0] < 800_000:
            return number, bids[0][0] + 10_000
    raise AssertionError("no market has room")
