"""What runs now: collectors with their rotation, what waits in their logs, traders, halts."""

import os
from pathlib import Path

from predsurv.cli.commands.status_running import log_table, running_table, trading_table
from predsurv.collect.resume.checkpoint import RotationNote
from predsurv.collect.running import RunningCollector, RunningVenue
from predsurv.core.ids import StrategyName, VenueName
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout
from predsurv.store.locks import LockHolder
from predsurv.store.wal.log import WriteAheadLog
from predsurv.trade.halt_flag import halt_flag
from predsurv.trade.runs.folder import create_run
from predsurv.trade.runs.info import INFO_FILE, RunInfo
from tests.kit.trading_samples import book

KALSHI, MOCK = VenueName("kalshi"), VenueName("mock")
START = 1_800_000_000_000_000_000


def test_what_runs_has_a_row_per_venue_and_one_while_it_starts() -> None:
    venues = (
        RunningVenue(KALSHI, 90, {"live": 1_200, "stall": 3}, 50, RotationNote(600, 20)),
        RunningVenue(MOCK, 91, {"stall": 1}, None),
    )
    running = [RunningCollector(LockHolder("c0", "7", 10), venues), RunningCollector(LockHolder("c1", "8", 11))]
    table = running_table(running, {(KALSHI, "c0"): 70, (MOCK, "c0"): 40, (MOCK, "c1"): 5})
    assert list(table.rows) == [
        ("c0", "7", 10, KALSHI, 600, 20, 90, "1,200 live, 3 stall", 50),
        ("c0", "7", 10, MOCK, None, None, 91, "1 stall", 40),
        ("c1", "8", 11, None, None, None, None, "starting", None),
    ]
    assert running_table([], {}).empty == "no collector runs"


def test_nothing_is_counted_beyond_what_is_sealed() -> None:
    venue = RunningVenue(MOCK, 90, {"live": 1}, 50)
    running = [RunningCollector(LockHolder("c0", "7", 10), (venue,))]
    assert [row[-1] for row in running_table(running, {(MOCK, "c0"): 30}).rows] == [30]
    assert [row[-1] for row in running_table(running, {(MOCK, "c1"): 30}).rows] == [None]


def test_records_that_are_not_sealed_are_counted(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    log = WriteAheadLog(layout.state, "c0", ManualClock(START))
    log.append([book(ts=START + number) for number in range(3)])
    log.flush()
    (layout.state / "c0.lock").touch()
    assert [(row[0], row[1], row[2]) for row in log_table(layout).rows] == [("c0", 1, 3)]
    log.append([book(ts=START + 9)])
    path = log.close()
    assert path is not None
    assert [row[2] for row in log_table(layout).rows] == [4]
    path.write_bytes(b"no database" * 1_000)
    assert [row[2] for row in log_table(layout).rows] == [None], "unknown, not 0"


def test_runs_that_go_on_are_shown_and_no_others(tmp_path: Path) -> None:
    assert (list(trading_table(tmp_path).rows), trading_table(tmp_path).empty) == ([], "no trader runs")
    kept, over = (create_run(tmp_path, "mock", START + number * 1_000_000) for number in range(2))
    for run in (kept, over):
        info = RunInfo(
            run=run.run,
            mode="mock",
            venues=(MOCK,),
            strategies=(StrategyName("simple"), StrategyName("arbitrage")),
            started=START,
            config={},
            versions={},
            requested=5,
        )
        run.write(INFO_FILE, info)
        run.hold()
    over.release()
    (row,) = trading_table(tmp_path).rows
    assert row == (kept.run, "mock", "mock", "simple, arbitrage", START, START + 5)
    os.truncate(kept.file(INFO_FILE), 3)
    assert list(trading_table(tmp_path).rows) == [], "what cannot be read is left to 'runs list'"
    kept.release()


def test_a_halt_is_said_whether_or_not_anything_trades(tmp_path: Path) -> None:
    halt_flag(tmp_path).set(START, "too \x1b[2Jwild", reducing=True)
    assert trading_table(tmp_path).empty == (
        "no trader runs; trading is reducing since 2027-01-15T08:00:00Z: too \N{REPLACEMENT CHARACTER}[2Jwild"
    )
