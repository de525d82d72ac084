"""The bracket of a backtest: what it earns by each queue model is kept in its own result."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.config import Config, load
from predsurv.core.num import Money
from predsurv.store.layout import NS_DAY
from predsurv.store.read.recording import ReplaySpan
from predsurv.trade.backtesting import BacktestSummary, run_backtest
from predsurv.trade.bracket import MODELS, other_models, with_bracket
from predsurv.trade.session import EndedRun, Ending
from predsurv.trade.sweep import SweepRow
from tests.kit.backtests import MIDNIGHT, RecordedVenue, Taker, books, covered, hours, listed_on
from tests.kit.backtests import run_backtest as recorded_backtest
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, S, market

SPAN = ReplaySpan(MIDNIGHT, MIDNIGHT + NS_DAY)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    listed_on(tmp_path, 0, market())
    record(tmp_path, hours(2), [*books(YES, hours(1)), covered(YES, hours(1), hours(1) + 60 * S)])
    return load(None, flags={"data_dir": str(tmp_path)}, environ={}, root=tmp_path).config


def ended(config: Config) -> EndedRun:
    session = recorded_backtest(config.data_dir, SPAN, RecordedVenue(), Taker(), every_event=False).session
    result = session.keeper.folder.results()
    assert result is not None
    return EndedRun(session, result, Ending())


def summary(config: Config) -> BacktestSummary:
    return run_backtest(config, RecordedVenue(), SPAN, [Taker()]).summary


def rows(of: BacktestSummary, *models: str) -> list[SweepRow]:
    return [SweepRow((("queue_model", model),), of) for model in models]


def test_the_others_are_those_that_the_run_itself_is_not(config: Config) -> None:
    own = replace(config, trading=replace(config.trading, queue_model="optimistic"))
    job = other_models(own, "mock", SPAN)
    models = [each.configured(job.config).trading.queue_model for each in job.combinations]
    assert models == ["pessimistic", "proportional"]
    assert job.specs == own.trading.strategies


def test_the_bracket_is_in_the_result_of_the_run_and_in_its_folder(config: Config) -> None:
    run = ended(config)
    same = summary(config)
    lower = replace(same, equity=Money(same.equity - 7), fees=Money(3))
    others = [*rows(same, "optimistic"), *rows(lower, "pessimistic")]
    made = with_bracket(run, "proportional", others)
    assert [each.queue_model for each in made.result.bracket] == list(MODELS)
    first, own, last = made.result.bracket
    assert (first.profit, first.fees) == (last.profit - 7, 3)
    assert [each.own for each in made.result.bracket] == [False, True, False]
    assert replace(last, queue_model="proportional", own=True) == own, "who only takes is never in a queue"
    assert run.session.keeper.folder.results() == made.result


def test_a_bracket_that_is_not_whole_is_none(config: Config) -> None:
    run = ended(config)
    assert with_bracket(run, "proportional", rows(summary(config), "optimistic")) is run
