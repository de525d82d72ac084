"""A backtest run again over the same recording with the same strategies, and compared entry by entry.

Apart from ``trade.replay_run``, because a backtest records no inputs: the recording is what it read.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from predsurv.config import Config
from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.events import Event, MarketEvent
from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.engine.step import Step
from predsurv.engine.strategy import Strategy
from predsurv.net.clock import SystemClock
from predsurv.ports import Venue
from predsurv.store.read.recording import ReplaySpan
from predsurv.strategies.registry import STRATEGIES
from predsurv.trade.assembly import open_backtest
from predsurv.trade.journal import OrderJournal
from predsurv.trade.replay_run import ComparedJournal, ReplayReport, config_of
from predsurv.trade.runs.folder import RunFolder
from predsurv.trade.runs.info import JOURNAL_FILE, RunInfo
from predsurv.trade.runs.sources import digest_of
from predsurv.trade.session import Ending, TradingSession
from predsurv.trade.strategy_loading import build

OpenVenue = Callable[[str, Config], Venue]
"""Returns a venue of a configuration by its name."""


async def replay_backtest(data_dir: Path, folder: RunFolder, open_venue: OpenVenue) -> ReplayReport:
    """Run a backtest again, from the command line or from Python, and return how far its journal is the same.

    Leaves no run of its own behind. Raises ConfigError for a run that is still going on or whose strategies are not
    to be had as they were, and IntegrityError where its recording has changed since.
    """
    info = folder.info()
    if folder.state(info) == "running":
        raise ConfigError(f"{folder.run}: it is still running; replay it when it has ended")
    if info.requested_from is None or info.requested is None:
        raise ConfigError(f"{folder.run}: it does not say which time it went through")
    config = replace(config_of(folder, info), data_location=data_dir)
    span = ReplaySpan(info.requested_from, info.requested_from + info.requested)
    venue = open_venue(info.venues[0], config)
    session = open_backtest(config, venue, span, lambda _engine: _Unheard(), strategies_of(info, config))
    try:
        return await _compared(folder, info, session)
    finally:
        session.close()
        shutil.rmtree(session.keeper.folder.path, ignore_errors=True)


def strategies_of(info: RunInfo, config: Config) -> tuple[Strategy, ...]:
    """Return new strategies as a run had them; raises ConfigError where one is gone or its source has changed."""
    sources = {each.strategy: each for each in info.sources}
    specs = []
    for name in info.strategies:
        source = sources.get(name)
        if source is not None and digest_of(Path(source.path)) != source.sha256:
            raise ConfigError(f"{sanitise(source.path, 200)}: not the source that strategy {name} had in that run")
        if source is None and name not in STRATEGIES:
            raise ConfigError(f"strategy {sanitise(name, 40)} was in no file: there is nothing to run again")
        specs.append(str(name) if source is None else source.spec)
    return build(specs, config.strategies)


async def _compared(folder: RunFolder, info: RunInfo, session: TradingSession) -> ReplayReport:
    if session.keeper.info.data != info.data:
        raise IntegrityError(f"{folder.run}: its recording is not what it was: the fingerprint differs")
    await session.run(None, SystemClock(), Ending)
    recorded = OrderJournal(folder.file(JOURNAL_FILE), readonly=True)
    again = OrderJournal(session.keeper.folder.file(JOURNAL_FILE), readonly=True)
    try:
        compared = ComparedJournal(recorded.entries(), first=1)
        for entry in again.entries():
            compared.append(entry)
        compared.end(whole=info.complete)
    finally:
        recorded.close()
        again.close()
    events = session.stats.events
    return ReplayReport(events, events, compared.equal, info.complete, compared.difference)


class _Unheard:
    """A ``RunObserver`` that keeps nothing."""

    def on_turn(self) -> None:
        """Do nothing."""

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        """Do nothing."""

    def on_step(self, event: Event, step: Step) -> None:
        """Do nothing."""
