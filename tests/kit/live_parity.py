"""A live run on a simulated venue, in processes of their own, and what paper trading makes of the same feed."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from predsurv.core.events import Fill, OrderCancelled, OrderRejected
from predsurv.core.ids import ClientOrderId
from predsurv.core.orders import CancelOrder, Command
from predsurv.trade.engine_parts import cache_of, configured_strategies, open_engine
from predsurv.trade.journal import AccountUpdated, CommandSent, Entry, OrderJournal, RestoredState, RunStarted
from predsurv.trade.pipeline import EventPipeline, RunComponents
from predsurv.trade.replay import EventClock
from predsurv.trade.replay_run import config_of
from predsurv.trade.runs.folder import RunFolder, all_runs
from predsurv.trade.runs.frames import read_frames
from predsurv.trade.runs.info import EVENTS_FILE, JOURNAL_FILE, MARKETS_FILE
from predsurv.trade.runs.inputs import BrokerAnswer, ControlChange, KnownBefore, RunInput
from predsurv.trade.stats import RunStats

_CONFIG: Final = """
data_dir = "data"
[trading]
mode = "live"
latency = "0ms"
[risk]
max_order_notional = "1000000"
max_position_notional = "1000000"
max_total_exposure = "1000000"
max_daily_loss = "1000000"
max_open_orders = 10000
max_orders_per_minute = 10000
max_data_age = "60s"
[metrics]
port = 0
"""
_TRADE: Final = """
import sys
import predsurv.venues.kalshi.execution.session as kalshi, predsurv.venues.polymarket.execution.login as polymarket
kalshi.SKEW_MAX = polymarket.SKEW_MAX = 3_600 * 10**9
from predsurv.cli.app import main
sys.exit(main())
"""
"""On a busy machine the time of a simulated venue falls behind that of the machine."""


@contextmanager
def simulated(venue: str, folder: Path, *arguments: str) -> Iterator[Mapping[str, str]]:
    """Simulate a venue; yield the environment that points predsurv to it."""
    command = [sys.executable, "-m", "predsurv", "simulate", venue, *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        found: dict[str, str] = {}
        while not any("PRIVATE_KEY" in name for name in found):  # the last line
            match = re.fullmatch(r"export (\w+)=(\S+)\n", process.stdout.readline())
            assert match is not None
            found[match[1]] = match[2]
        try:
            yield found
        finally:
            process.terminate()


def trade_live(venue: str, folder: Path, strategy: str, duration: str, *simulator: str) -> RunFolder:
    """Trade ``strategy`` on a simulated venue with real orders; return the run."""
    config = folder / "live.toml"
    config.write_text(_CONFIG)
    with simulated(venue, folder, *simulator) as pointed:
        environ = os.environ | pointed | {"PREDSURV_LIVE_CONFIRM": venue}
        for words in (
            ("scan", venue),
            ("trade", "--live", "--venue", venue, "--strategy", strategy, "--duration", duration),
        ):
            done = subprocess.run(
                [sys.executable, "-c", _TRADE, *words, "--config", str(config)],
                cwd=folder,
                env=environ,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, done.stderr
    (run,) = all_runs(folder / "data")
    return run


class Traded(NamedTuple):
    """The commands of a run's strategies, in their order, how many fills it heard of, and which orders it heard end."""

    commands: tuple[Command, ...]
    fills: int
    ended: frozenset[ClientOrderId]


class Compared(NamedTuple):
    """The commands of two runs, less cancels of orders that had ended by themselves in the other one."""

    live: tuple[Command, ...]
    paper: tuple[Command, ...]
    left_out: int


def compared(live: Traded, paper: Traded) -> Compared:
    """Return what has to be the same of a live run and of paper trading on its feed.

    An order that the venue ended (its market was paused, the price fell that far) is cancelled no more there. Which
    ones it ends depends on when they reach it; each such cancel has to be of an order that the other run heard end.
    """
    in_live, on_paper = _cancelled(live), _cancelled(paper)
    excused = ((on_paper - in_live) & live.ended) | ((in_live - on_paper) & paper.ended)

    def rest(run: Traded) -> tuple[Command, ...]:
        return tuple(
            each for each in run.commands if not (isinstance(each, CancelOrder) and each.client_order_id in excused)
        )

    return Compared(rest(live), rest(paper), len(excused))


def _cancelled(run: Traded) -> frozenset[ClientOrderId]:
    return frozenset(each.client_order_id for each in run.commands if isinstance(each, CancelOrder))


def traded_live(run: RunFolder) -> Traded:
    """What a live run sent."""
    return _traded(_entries(run))


async def traded_on_paper(run: RunFolder) -> Traded:
    """What paper trading sends, from the same account, of the feed that a live run recorded, and of its timers."""
    info, journal = run.info(), _Kept()
    (started,) = (each for each in _entries(run) if isinstance(each, RunStarted))
    cache = cache_of(read_frames(run.file(MARKETS_FILE), KnownBefore), frozenset(info.mirrored))
    config = config_of(run, info)
    strategies = configured_strategies(config, info.mappings)
    parts = open_engine(config, cache, strategies, RestoredState(), started)
    components = RunComponents(
        engine=parts.engine,
        journal=journal,
        stats=RunStats(),
        brokers=parts.brokers,
        clock=EventClock(),
        halt=None,
        realtime=False,
    )
    pipeline = EventPipeline(components, lambda _event, _step: None)
    for given in _inputs(run):
        if isinstance(given, ControlChange):
            break
        if not isinstance(given, BrokerAnswer):
            await pipeline.take(given)
    return _traded(journal.entries)


class _Kept:
    """Keeps the entries of a run in memory."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def append(self, entry: Entry) -> None:
        self.entries.append(entry)

    def flush(self) -> None:
        pass

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass


def _inputs(run: RunFolder) -> Iterator[RunInput]:
    return read_frames(run.file(EVENTS_FILE), RunInput)


def _entries(run: RunFolder) -> list[Entry]:
    journal = OrderJournal(run.file(JOURNAL_FILE), readonly=True)
    try:
        return list(journal.entries())
    finally:
        journal.close()


def _traded(entries: list[Entry]) -> Traded:
    """Return what was sent, without the times of approval: those are of the last event, which may be an answer.

    What the engine cancels by itself, at the end of a run, is no decision of a strategy.
    """
    sent = [each.decision for each in entries if isinstance(each, CommandSent)]
    told = [each.event for each in entries if isinstance(each, AccountUpdated)]
    ended = frozenset(each.client_order_id for each in told if isinstance(each, Fill | OrderCancelled | OrderRejected))
    commands = tuple(each.approved.command for each in sent if each.intent is not None)
    return Traded(commands, sum(isinstance(each, Fill) for each in told), ended)
