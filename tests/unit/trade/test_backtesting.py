"""A backtest as a function: what it did, in order of time, and nothing left behind."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.config import Config, load
from predsurv.core.errors import ConfigError, StrategyError
from predsurv.core.num import MICROS, Money
from predsurv.store.layout import NS_DAY
from predsurv.store.read.recording import ReplaySpan
from predsurv.strategies.own import OwnStrategy
from predsurv.trade import backtesting
from predsurv.trade.backtesting import run_backtest
from tests.kit.backtests import MIDNIGHT, RecordedVenue, Taker, books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, S, market

SPAN = ReplaySpan(MIDNIGHT, MIDNIGHT + NS_DAY)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    listed_on(tmp_path, 0, market())
    rows = [*books(YES, hours(1), count=3), covered(YES, hours(1), hours(1) + 60 * S)]
    record(tmp_path, hours(2), rows)
    return load(None, flags={"data_dir": str(tmp_path)}, environ={}, root=tmp_path).config


def test_everything_that_was_done_is_in_the_result(config: Config) -> None:
    result = run_backtest(config, RecordedVenue(), SPAN, [Taker()])
    assert [each.order.side for each in result.orders] == ["buy"] * 3
    assert [each.ts for each in result.orders] == sorted(each.ts for each in result.orders)
    assert [each.size for each in result.fills] == [10 * MICROS] * 3
    summary = result.summary
    assert (summary.orders, summary.fills, summary.refused, summary.venue) == (3, 3, 0, "mock")
    assert summary.traded == sum(each.price * each.size // MICROS for each in result.fills)
    assert summary.profit == summary.equity - summary.equity_start < 0
    assert summary.drawdown == -summary.profit
    assert result.equity[0].equity == config.trading.starting_cash
    assert result.equity[-1].equity == summary.equity
    assert summary.strategies == ("taker",)


def test_two_backtests_are_the_same(config: Config) -> None:
    first, second = (run_backtest(config, RecordedVenue(), SPAN, [Taker()]) for _ in range(2))
    assert first == second
    assert not (config.data_dir / "state" / "trading").exists()


def test_what_is_kept_has_a_bound(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtesting, "KEPT_MAX", 1)
    result = run_backtest(config, RecordedVenue(), SPAN, [Taker()])
    assert (len(result.orders), len(result.fills), result.summary.orders) == (1, 1, 3)


def test_refusals_are_in_the_result(config: Config) -> None:

    poor = replace(config, trading=replace(config.trading, starting_cash=Money(MICROS)))
    result = run_backtest(poor, RecordedVenue(), SPAN, [Taker()])
    assert {each.reason for each in result.refused} == {"cash"}
    assert result.summary.refused == len(result.refused) == 3


def test_days_that_were_not_recorded_are_an_error(config: Config) -> None:
    with pytest.raises(ConfigError, match="not recorded"):
        run_backtest(config, RecordedVenue(), ReplaySpan(MIDNIGHT - NS_DAY, MIDNIGHT), [Taker()])


def test_a_strategy_that_fails_ends_it(config: Config) -> None:
    class Broken(OwnStrategy):
        def on_event(self, event: object, view: object) -> None:
            raise KeyError("k")

    with pytest.raises(StrategyError, match=r"strategy broken failed at .*test_backtesting.py:\d+ on a .*: KeyError"):
        run_backtest(config, RecordedVenue(), SPAN, [Broken()])
