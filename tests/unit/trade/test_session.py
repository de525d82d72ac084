"""A run that fails says so in its folder, as far as the disk takes it."""

import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest

from predsurv.config import load
from predsurv.core.errors import TransientError
from predsurv.net.clock import SystemClock
from predsurv.store.layout import NS_DAY
from predsurv.store.read.recording import ReplaySpan
from predsurv.trade.assembly import open_backtest
from predsurv.trade.journal import OrderJournal
from predsurv.trade.runs.folder import RunFolder, read_run
from predsurv.trade.runs.info import INFO_FILE, RESULTS_FILE
from predsurv.trade.session import Ending, TradingSession
from tests.kit.backtests import MIDNIGHT, RecordedVenue, Seen, Taker, books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, market


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TradingSession:
    listed_on(tmp_path, 0, market(fetched_at=hours(0)))
    record(tmp_path, MIDNIGHT, [*books(YES, hours(1), count=3), covered(YES, hours(1), hours(2))])
    config = load(None, flags={"data_dir": str(tmp_path)}, environ={}, root=tmp_path).config
    monkeypatch.setattr("predsurv.trade.engine_parts.build", lambda *_: (Taker(),))
    return open_backtest(config, RecordedVenue(), ReplaySpan(MIDNIGHT, MIDNIGHT + NS_DAY), lambda _: Seen())


def ended(session: TradingSession) -> tuple[str, int | None]:
    """Run it, which fails, and return its state and exit code."""
    with pytest.raises((OSError, TransientError)):
        asyncio.run(session.run(None, SystemClock(), Ending))
    found = read_run(session.keeper.folder)
    assert found.info is not None
    return found.state, found.info.exit_code


def full(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let the disk have no room for these files of a run."""
    write = RunFolder.write

    def refusing(folder: RunFolder, name: str, content: Any) -> None:
        if name in names:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder.file(name)))
        write(folder, name, content)

    monkeypatch.setattr(RunFolder, "write", refusing)


def test_results_that_the_disk_refuses_are_a_failure_of_the_run(
    session: TradingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(monkeypatch, RESULTS_FILE)
    assert ended(session) == ("failed", 1)


def test_a_journal_that_the_disk_refuses_is_a_failure_of_the_run(
    session: TradingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: OrderJournal) -> None:
        raise TransientError("full")

    monkeypatch.setattr(OrderJournal, "flush", refuse)
    assert ended(session) == ("failed", 3)


def test_a_run_of_whose_end_nothing_could_be_written_was_not_killed(
    session: TradingSession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    full(monkeypatch, RESULTS_FILE, INFO_FILE)
    assert ended(session) == ("ended without results", None)
    assert "how the run ended could not be written: No space left" in caplog.text
