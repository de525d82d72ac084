"""Backtests from Python: the settings of the data, unless the call says otherwise, wherever it is called from."""

import asyncio
import json
from pathlib import Path

import pytest
from msgspec import Struct

import predsurv
from predsurv.core.errors import ConfigError
from predsurv.core.events import Event
from predsurv.core.num import MICROS, Money, Size
from tests.kit.backtests import Taker, books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import MS, YES, S, V, market

DAY = "2027-01-15"


class Params(Struct, frozen=True):
    size: Size = Size(10 * MICROS)


class Sized(predsurv.Strategy):
    """Does nothing."""

    Params = Params

    def on_event(self, event: Event, view: predsurv.View) -> None:
        """Decide nothing."""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> predsurv.Data:
    monkeypatch.chdir(tmp_path)
    listed_on(tmp_path / "data", 0, market())
    record(tmp_path / "data", hours(2), [*books(YES, hours(1), count=3), covered(YES, hours(1), hours(1) + 60 * S)])
    return predsurv.open("data")


def test_one_strategy_or_several(data: predsurv.Data) -> None:
    one = predsurv.backtest(data, Taker(), V, DAY, DAY)
    several = predsurv.backtest(data, [Taker()], V, DAY, DAY)
    assert one == several
    assert isinstance(one, predsurv.Result)
    assert len(one.fills) == 3


def test_cash_and_latency_are_those_of_the_call(data: predsurv.Data) -> None:
    poor = predsurv.backtest(data, Taker(), V, DAY, DAY, cash=Money(10 * MICROS))
    assert poor.summary.equity_start == 10 * MICROS
    assert len(poor.fills) < 3
    slow = predsurv.backtest(data, Taker(), V, DAY, DAY, latency=500 * MS)
    fast = predsurv.backtest(data, Taker(), V, DAY, DAY, latency=0)
    assert slow.fills[0].ts_recv > fast.fills[0].ts_recv


def test_it_may_be_called_while_an_event_loop_runs(data: predsurv.Data) -> None:
    async def in_a_notebook() -> predsurv.Result:
        return predsurv.backtest(data, Taker(), V, DAY, DAY)

    assert len(asyncio.run(in_a_notebook()).fills) == 3


def test_what_was_not_recorded_is_told(data: predsurv.Data) -> None:
    with pytest.raises(ConfigError, match="not recorded"):
        predsurv.backtest(data, Taker(), V, "2020-01-01", "2020-01-01")
    with pytest.raises(ConfigError, match="no venue is called"):
        predsurv.backtest(data, Taker(), "nowhere", DAY, DAY)


def test_what_a_run_keeps_of_its_settings_says_the_parameters(data: predsurv.Data) -> None:
    predsurv.backtest(data, Sized(size="3"), V, DAY, DAY)
    (info,) = [json.loads(path.read_text()) for path in (data.config.data_dir / "runs").glob("*/run.json")]
    assert info["config"]["strategies"] == {"sized": {"size": "3"}}
    assert info["config"]["trading.strategies"] == ["sized"]
