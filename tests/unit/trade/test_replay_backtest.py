"""A backtest, from the command line or from Python, is run again from its recording and gives the same journal."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.config import Config, load
from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.store.layout import NS_DAY
from predsurv.store.read.recording import ReplaySpan
from predsurv.trade.backtesting import run_backtest
from predsurv.trade.replay_backtest import replay_backtest
from predsurv.trade.runs.folder import RunFolder, all_runs
from predsurv.trade.runs.info import INFO_FILE, DataFingerprint
from predsurv.trade.strategy_loading import build
from tests.kit.backtests import MIDNIGHT, RecordedVenue, Taker, books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, S, market

SPAN = ReplaySpan(MIDNIGHT, MIDNIGHT + NS_DAY)
OWN = """
import predsurv


class Eager(predsurv.Strategy):
    \"\"\"Buys whenever a book is told.\"\"\"

    def on_event(self, event, view):
        book = view.book(event.key) if hasattr(event, "bids") else None
        ask = None if book is None else book.best_ask()
        if ask is not None:
            yield self.buy(event.key, ask[0], 10_000_000)
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    listed_on(tmp_path, 0, market())
    record(tmp_path, hours(2), [*books(YES, hours(1), count=3), covered(YES, hours(1), hours(1) + 60 * S)])
    return load(None, flags={"data_dir": str(tmp_path)}, environ={}, root=tmp_path).config


def opened(_name: str, _config: Config) -> Any:
    return RecordedVenue()


def run_of(config: Config, *strategies: Any) -> RunFolder:
    run_backtest(config, RecordedVenue(), SPAN, strategies)
    (folder,) = all_runs(config.data_dir)
    return folder


async def test_an_own_strategy_given_as_an_object_is_found_again(config: Config, tmp_path: Path) -> None:
    source = tmp_path / "eager.py"
    source.write_text(OWN)
    folder = run_in_thread(config, *build([f"{source}:Eager"]))
    (known,) = folder.info().sources
    assert (known.strategy, known.path, known.attribute, len(known.sha256)) == ("eager", str(source), "Eager", 64)
    report = await replay_backtest(config.data_dir, folder, opened)
    assert report.difference is None
    assert report.whole
    assert report.equal > 3
    assert len(list(all_runs(config.data_dir))) == 1  # it leaves no run behind
    source.write_text(OWN + "\n# changed\n")
    with pytest.raises(ConfigError, match="not the source that strategy eager had"):
        await replay_backtest(config.data_dir, folder, opened)


async def test_another_decision_is_found(config: Config) -> None:
    folder = run_in_thread(config, Taker())
    assert (await replay_backtest(config.data_dir, folder, opened)).difference is None
    info = folder.info()
    folder.write(INFO_FILE, replace(info, config={**info.config, "trading.latency": "7s"}))
    report = await replay_backtest(config.data_dir, folder, opened)
    assert report.difference is not None


async def test_what_cannot_be_run_again_says_why(config: Config) -> None:
    folder = run_in_thread(config, Taker())
    info = folder.info()
    folder.write(INFO_FILE, replace(info, sources=()))
    with pytest.raises(ConfigError, match="strategy taker was in no file"):
        await replay_backtest(config.data_dir, folder, opened)
    folder.write(INFO_FILE, replace(info, data=DataFingerprint("other", 1)))
    with pytest.raises(IntegrityError, match="its recording is not what it was"):
        await replay_backtest(config.data_dir, folder, opened)
    folder.write(INFO_FILE, replace(info, requested=None))
    with pytest.raises(ConfigError, match="which time it went through"):
        await replay_backtest(config.data_dir, folder, opened)
    assert len(list(all_runs(config.data_dir))) == 1


def run_in_thread(config: Config, *strategies: Any) -> RunFolder:
    """``run_backtest`` has an event loop of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run_of, config, *strategies).result()
