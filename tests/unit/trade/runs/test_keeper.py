"""What is kept of a run while it goes on: also when the disk refuses."""

from pathlib import Path
from typing import Any, cast

import pytest

from predsurv.core.num import MICROS, Money
from predsurv.engine.engine import Engine
from predsurv.trade.journal import OrderJournal
from predsurv.trade.results.ledger import opening_of
from predsurv.trade.results.measures import RunMeasures
from predsurv.trade.results.valuing import mark_of
from predsurv.trade.runs.folder import create_run
from predsurv.trade.runs.info import EVENTS_FILE, JOURNAL_FILE, RunInfo
from predsurv.trade.runs.inputs import TimePassed
from predsurv.trade.runs.keeper import RunInputs, RunKeeper
from predsurv.trade.stats import RunStats
from tests.kit.run_entries import filled, sent, started
from tests.kit.trading_samples import FEE, LIMITS, START, YES, S, World, book, shares


def kept(tmp_path: Path, world: World) -> RunKeeper:
    folder = create_run(tmp_path, "paper", START)
    engine = Engine(run="run", limits=LIMITS, strategies=[], cache=world.cache, account=world.account)
    info = RunInfo(run=folder.run, mode="paper", venues=(), strategies=(), started=START, config={}, versions={})
    opening = opening_of(world.account)
    marks = {YES: mark_of(cast(Any, world.cache.book(YES)), shares(10), FEE)} if world.cache.book(YES) else {}
    journal = OrderJournal(folder.file(JOURNAL_FILE), durable=False, fresh=True)
    return RunKeeper(folder, info, RunMeasures(engine, opening, marks), journal, RunInputs(folder, ()))


async def test_a_checkpoint_leaves_results_and_everything_taken_so_far(tmp_path: Path) -> None:
    keeper = kept(tmp_path, World())
    for entry in (started(), sent("a"), filled("a")):
        keeper.keep(entry)
    keeper.take(TimePassed(START))
    keeper.on_tick(START)
    keeper.on_tick(START)
    await keeper.checkpoint(RunStats())
    result = keeper.folder.results()
    assert result is not None
    assert (result.total.fills, result.unmarked, len(result.curve.times)) == (1, 1, 1)
    assert keeper.folder.info().ended is None
    ended = keeper.finish(RunStats(), START + S, complete=True, exit_code=0)
    info = keeper.folder.info()
    assert (info.ended, info.complete, info.data is not None) == (START + S, True, True)
    assert ended == keeper.folder.results()
    keeper.close()


async def test_a_disk_that_refuses_is_told_of_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = kept(tmp_path, World())

    def full(name: str, content: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(keeper.folder, "write", full)
        await keeper.checkpoint(RunStats())
    assert "No space left on device" in caplog.text
    keeper.close()


def test_inputs_that_were_lost_are_said_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predsurv.trade.runs.frames.WAITING_CHUNKS_MAX", 0)
    keeper = kept(tmp_path, World())
    keeper.take(TimePassed(START))
    keeper.finish(RunStats(), START, complete=False, exit_code=1)
    info = keeper.folder.info()
    assert (info.not_recorded, info.data, info.exit_code) == ("the disk did not keep up", None, 1)
    assert keeper.folder.file(EVENTS_FILE).exists()


def test_shares_not_heard_of_yet_keep_the_mark_of_the_run_before(tmp_path: Path) -> None:
    before = World().hold(10, price=50).show(book(((40, 100),)))
    keeper = kept(tmp_path, before)
    silent = World().hold(10, price=50)
    engine = Engine(run="run", limits=LIMITS, strategies=[], cache=silent.cache, account=silent.account)
    mark = mark_of(cast(Any, before.cache.book(YES)), shares(10), FEE)
    measures = RunMeasures(engine, opening_of(silent.account), {YES: mark})
    result = measures.result(None, 0)
    assert (result.marks, result.unmarked, result.total.profit) == ((mark,), 0, 0)
    assert result.equity == 10_000 * MICROS - 5 * MICROS + 4 * MICROS == result.equity_start
    assert Money(result.at_mid) > result.equity
    keeper.close()
