"""A paper run is run again from its own folder: every decision the same, or the first that is not."""

import asyncio
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.net.clock import ManualClock
from predsurv.trade.halt_flag import halt_flag
from predsurv.trade.journal import CommandSent, OrderJournal
from predsurv.trade.journal_path import journal_path
from predsurv.trade.replay_run import replay_run
from predsurv.trade.runs.folder import RunFolder, all_runs
from predsurv.trade.runs.frames import FrameWriter, read_frames
from predsurv.trade.runs.info import EVENTS_FILE, INFO_FILE, JOURNAL_FILE
from predsurv.trade.runs.inputs import MarketBatch, RunInput
from tests.kit.paper_runs import STEP, Recorder, S, configured, opened, run, scanned


async def until(clock: ManualClock, elapsed: int) -> None:
    """Let virtual time pass up to ``elapsed`` ns."""
    while clock.monotonic() < elapsed:
        await clock.advance(STEP)


async def two_runs(folder: Path, **flags: object) -> list[RunFolder]:
    """Two paper runs after each other, the first of which is halted for a while."""
    clock, config = ManualClock(), configured(folder, **flags)
    await scanned(config, clock)
    session = opened(config, clock, Recorder())
    task = asyncio.create_task(session.runner.run(14 * S))
    await until(clock, 4 * S)
    halt_flag(folder).set(clock.now(), "a test")
    await until(clock, 6 * S)
    halt_flag(folder).clear()
    while not task.done():
        await clock.advance(STEP)
    await task
    session.finish(clock.now(), complete=True)
    session.close()
    await run(opened(config, clock, Recorder()), clock, 8 * S)
    return list(all_runs(folder))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    asyncio.run(two_runs(folder, **{"mock.faults": ["drop@3s", "gap@7s", "freeze@9s:2s"]}))
    return folder


@pytest.fixture
def copy(recorded: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(recorded, tmp_path / "data"))


async def test_every_decision_is_the_same_also_of_a_run_that_goes_on_with_an_account(recorded: Path) -> None:
    folders = list(all_runs(recorded))
    assert len(folders) == 2
    reports = [await replay_run(recorded, folder) for folder in folders]
    for report in reports:
        assert report.difference is None
        assert report.whole
        assert report.equal > 0
        assert report.events > 100
    assert sum(report.equal for report in reports) > 20
    journal = OrderJournal(folders[0].file(JOURNAL_FILE), readonly=True)
    kinds = {getattr(getattr(each, "note", None), "kind", None) for each in journal.entries()}
    journal.close()
    assert {"halted", "resumed"} <= kinds


async def test_the_first_decision_that_differs_is_named(copy: Path) -> None:
    folder = next(all_runs(copy))
    path = folder.file(JOURNAL_FILE)
    journal = OrderJournal(path, readonly=True)
    entries = list(journal.entries())
    journal.close()
    number = next(number for number, each in enumerate(entries) if isinstance(each, CommandSent))
    sent = entries[number]
    assert isinstance(sent, CommandSent)
    approved = sent.decision.approved
    entries[number] = CommandSent(replace(sent.decision, approved=replace(approved, ts=approved.ts + 1)))
    path.unlink()
    changed = OrderJournal(path, durable=False)
    for each in entries:
        changed.append(each)
    changed.close()
    report = await replay_run(copy, folder)
    assert report.difference is not None
    assert (report.difference.number, report.equal) == (number + 1, number - 1)
    assert f"entry {number + 1} differs" in str(report.difference)


async def test_an_event_that_is_missing_is_noticed(copy: Path) -> None:
    folder = next(all_runs(copy))
    given = list(read_frames(folder.file(EVENTS_FILE), RunInput))
    writer = FrameWriter(folder.file(EVENTS_FILE))
    for each in given[: len(given) // 2]:
        writer.append(each)
    writer.close()
    report = await replay_run(copy, folder)
    assert report.difference is not None
    folder.write(INFO_FILE, replace(folder.info(), ended=None))  # as of a run that was killed
    report = await replay_run(copy, folder)
    assert (report.difference, report.whole) == (None, False)
    assert any(isinstance(each, MarketBatch) for each in given)


async def test_what_cannot_be_replayed_says_why(copy: Path) -> None:
    folder, other = all_runs(copy)
    info = folder.info()
    folder.write(INFO_FILE, replace(info, not_recorded="the disk did not keep up"))
    with pytest.raises(IntegrityError, match="not everything was recorded: the disk did not keep up"):
        await replay_run(copy, folder)
    folder.write(INFO_FILE, replace(info, mode="shadow-polymarket"))
    with pytest.raises(ConfigError, match="is a shadow run: what its account at the venue could pay is not recorded"):
        await replay_run(copy, folder)
    folder.write(INFO_FILE, replace(info, account=None))
    with pytest.raises(ConfigError, match="of which nothing is kept to run it again from"):
        await replay_run(copy, folder)
    folder.write(INFO_FILE, info)
    folder.file(JOURNAL_FILE).unlink()
    OrderJournal(folder.file(JOURNAL_FILE), durable=False).close()
    with pytest.raises(IntegrityError, match="nothing to replay"):
        await replay_run(copy, folder)
    account = other.info().account
    assert account is not None
    other.write(INFO_FILE, replace(other.info(), account=replace(account, checksum=account.checksum + 1)))
    with pytest.raises(IntegrityError, match="checksum differs"):
        await replay_run(copy, other)
    journal_path(copy, "mock").unlink()
    with pytest.raises(IntegrityError, match="is gone"):
        await replay_run(copy, other)


async def test_a_run_that_is_killed_can_be_replayed_as_far_as_it_was_written(tmp_path: Path) -> None:
    clock, config = ManualClock(), configured(tmp_path)
    await scanned(config, clock)
    session = opened(config, clock, Recorder())
    task = asyncio.create_task(session.runner.run())
    await until(clock, 16 * S)  # past a checkpoint
    (folder,) = all_runs(tmp_path)
    async with asyncio.timeout(30):
        while folder.results() is None:
            await clock.advance(STEP)
    assert folder.state(folder.info()) == "running"
    with pytest.raises(ConfigError, match="it is still running; replay it when it has ended"):
        await replay_run(tmp_path, folder)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    session.close()
    info = folder.info()
    assert (folder.state(info), info.complete, info.ended) == ("killed", False, None)
    assert folder.results() is not None
    report = await replay_run(tmp_path, folder)
    assert report.difference is None
    assert report.equal > 5
