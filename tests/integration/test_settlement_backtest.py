"""Backtests of a venue that settles later: fills fail as configured, rebates are paid, whichever way rows are read."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.config import Config, load
from predsurv.core.events import BookSnapshot
from predsurv.core.ids import StrategyName, VenueName
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS, Size
from predsurv.core.orders import Intent
from predsurv.engine.interest import EVERYTHING
from predsurv.store.layout import NS_DAY
from predsurv.store.read.recording import ReplaySpan
from predsurv.trade.backtesting import BacktestResult, run_backtest
from tests.kit.backtests import MIDNIGHT, RecordedVenue, Taker, books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import S, cents, market, trade

CHAIN = VenueName("polymarket")
MARKET = market("m", venue=CHAIN, category="Crypto", fee=FeeSchedule("polymarket", 40_000, rebate_rate=250_000))
KEY = MARKET.key(0)
SPAN = ReplaySpan(MIDNIGHT, MIDNIGHT + NS_DAY)
BOUGHT = 20


class Rester:
    """Rests a bid at the first book that it sees."""

    name, signals, interest = StrategyName("rester"), frozenset({"rest"}), EVERYTHING

    def __init__(self) -> None:
        self._asked = False

    def on_event(self, event: Any, view: Any) -> Any:
        if self._asked or not isinstance(event, BookSnapshot):
            return ()
        self._asked = True
        return (Intent(self.name, event.key, "buy", cents(40), Size(50 * MICROS), "gtc", "rest"),)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    listed_on(tmp_path, 0, MARKET)
    prints = [trade(39, 500, ts=hours(1) + 30 * S, key=KEY)]
    rows = [*books(KEY, hours(1), count=BOUGHT), *prints, covered(KEY, hours(1), hours(1) + 60 * S)]
    record(tmp_path, hours(2), rows)
    return load(None, flags={"data_dir": str(tmp_path)}, environ={}, root=tmp_path).config


def run(config: Config, strategy: Any = None, **trading: Any) -> BacktestResult:
    changed = replace(config, trading=replace(config.trading, **trading))
    return run_backtest(changed, RecordedVenue(CHAIN), SPAN, [strategy or Taker()])


def test_when_every_fill_fails_nothing_was_traded(config: Config) -> None:
    found = run(config, settlement_failures={"crypto": MICROS})
    assert len(found.fills) == len(found.failed) == BOUGHT
    total, settled = found.details.total, found.details.settlement
    assert (total.fills, total.fees, total.profit, found.details.positions) == (0, 0, 0, ())
    assert settled is not None
    assert (settled.failed, settled.open, settled.final) == (BOUGHT, 0, 0)
    assert settled.failed_notional == sum(each.price * each.size // MICROS for each in found.fills)


def test_some_fail_always_the_same_ones_by_seed_and_the_last_are_settled_at_the_end(config: Config) -> None:
    one, again = (run(config, settlement_failures={"other": 300_000}, settlement_seed=1) for _ in range(2))
    other = run(config, settlement_failures={"other": 300_000}, settlement_seed=2)
    assert one == again
    assert {each.trade_id for each in one.failed} != {each.trade_id for each in other.failed}
    settled = one.details.settlement
    assert settled is not None
    assert 0 < settled.failed < BOUGHT
    assert settled.failed + settled.final == BOUGHT
    assert settled.worst is not None
    assert settled.worst_all is not None
    assert settled.worst_all <= settled.worst <= one.summary.profit


def test_without_rates_a_run_is_what_it_always_was(config: Config) -> None:
    plain = run(config)
    assert not any(each.unconfirmed or each.rebate for each in plain.fills)
    assert plain.failed == ()
    assert len(plain.fills) == BOUGHT


def test_rebates_are_paid_for_the_day_that_the_recording_ends_in(config: Config) -> None:
    off, on = run(config, Rester()), run(config, Rester(), rebates=True)
    (fill,) = on.fills
    assert fill.maker
    assert fill.rebate == 120_000  # a quarter of 50 · 0.04 · 0.4 · 0.6
    assert (off.details.total.rebates, on.details.total.rebates) == (0, 120_000)
    assert on.details.total.trading == off.summary.profit
    assert on.summary.equity == off.summary.equity + 120_000
