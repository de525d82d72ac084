"""A sweep runs every combination in processes of their own, sorts by profit, and ends when it is told to."""

import signal
from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.config import load
from predsurv.core.errors import ConfigError, StrategyError
from predsurv.store.layout import NS_DAY
from predsurv.store.read.recording import ReplaySpan
from predsurv.trade import sweep as sweep_module
from predsurv.trade.parameter_flags import bracketed, combinations, parse_flags, queue_models
from predsurv.trade.strategy_loading import load_strategies
from predsurv.trade.sweep import SweepJob, SweepRow, processes, run_sweep
from tests.kit.backtests import MIDNIGHT, books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, S, market

OWN = """
import os
from msgspec import Struct
from predsurv.core.events import BookSnapshot
from predsurv.core.num import Size
from predsurv.strategies.own import OwnStrategy

class Params(Struct, frozen=True):
    size: Size = Size(10_000_000)

class Buyer(OwnStrategy):
    Params = Params
    def on_event(self, event, view):
        if self.params.size == 7_000_000:
            raise ValueError("seven")
        if self.params.size == 8_000_000:
            os._exit(9)
        if isinstance(event, BookSnapshot) and view.position(event.key) is None:
            yield self.buy(event.key, event.asks[0][0], self.params.size)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "buyer.py").write_text(OWN)
    listed_on(tmp_path / "data", 0, market())
    record(tmp_path / "data", hours(2), [*books(YES, hours(1)), covered(YES, hours(1), hours(1) + 60 * S)])
    return tmp_path


def job(folder: Path, *flags: str) -> SweepJob:
    config = load(None, flags={"data_dir": str(folder / "data")}, environ={}, root=folder).config
    specs = ("./buyer.py:Buyer",)
    swept = parse_flags(flags, load_strategies(specs))
    return SweepJob(config, "mock", ReplaySpan(MIDNIGHT, MIDNIGHT + NS_DAY), specs, combinations({}, swept))


def test_every_combination_is_run_and_the_best_is_first(folder: Path) -> None:
    done: list[SweepRow] = []
    rows = run_sweep(job(folder, "size=20,10,30"), 2, done.append, lambda: False)
    assert [row.label for row in rows] == [(("size", "10"),), (("size", "20"),), (("size", "30"),)]
    assert [row.summary.profit for row in rows] == sorted((row.summary.profit for row in rows), reverse=True)
    assert all(row.summary.fills == 1 for row in rows)
    assert sorted(done, key=str) == sorted(rows, key=str)


def test_a_failure_says_which_run_it_was(folder: Path) -> None:
    with pytest.raises(StrategyError, match=r"size=7: strategy buyer failed at .*buyer.py:\d+ on .*: seven"):
        run_sweep(job(folder, "size=7,9"), 1, lambda _: None, lambda: False)


def test_a_process_that_dies_is_noticed(folder: Path) -> None:
    with pytest.raises(StrategyError, match="ended by itself after 0 of 2 runs"):
        run_sweep(job(folder, "size=8,8.5"), 1, lambda _: None, lambda: False)


def test_it_ends_when_it_is_told_to(folder: Path) -> None:
    done: list[SweepRow] = []
    rows = run_sweep(job(folder, "size=10,11,12,13,14"), 1, done.append, lambda: bool(done))
    assert 1 <= len(rows) < 5


def test_the_processes_are_bounded_by_runs_and_cores() -> None:
    assert processes(None, 1) == 1
    assert processes(3, 10) == 3
    assert processes(8, 2) == 2
    assert processes(None, 10_000) >= 1


def test_an_error_of_the_recording_is_passed_on(folder: Path) -> None:
    other = job(folder, "size=10,11")
    empty = SweepJob(other.config, "mock", ReplaySpan(MIDNIGHT - NS_DAY, MIDNIGHT), other.specs, other.combinations)
    with pytest.raises(ConfigError, match="not recorded"):
        run_sweep(empty, 1, lambda _: None, lambda: False)


def test_a_bracket_is_every_combination_with_every_queue_model(folder: Path) -> None:
    models, flags = queue_models(["queue_model=pessimistic,proportional", "queue_model=optimistic", "size=10"])
    asked = job(folder, *flags)
    rows = run_sweep(
        replace(asked, combinations=bracketed(asked.combinations, models)), 1, lambda _: None, lambda: False
    )
    assert [row.label for row in rows] == [
        (("queue_model", model),) for model in ("pessimistic", "proportional", "optimistic")
    ]
    assert len({row.summary.profit for row in rows}) == 1, "it only takes"


def test_one_run_of_it_by_itself(folder: Path) -> None:
    asked = job(folder, "size=20,10,7")
    before = signal.getsignal(signal.SIGINT)
    try:
        sweep_module._leave_signals_alone()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert sweep_module._run(asked, 0).fills == 1
    with pytest.raises(StrategyError, match="size=7: strategy buyer failed"):
        sweep_module._run(asked, 2)


def test_what_is_no_queue_model_is_refused_with_those_there_are() -> None:
    assert queue_models(["size=10"]) == ((), ("size=10",))
    with pytest.raises(ConfigError, match="'lucky' is no queue model; there are pessimistic, proportional, optimistic"):
        queue_models(["queue_model=lucky"])
