"""A recording in several processes is as healthy as all of them, and reads each list once for all."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from predsurv.cli.commands import collect_processes
from predsurv.cli.commands.collect_processes import FRESH_FOR, ProcessesRecording
from predsurv.cli.commands.recorder_worker import record_part
from predsurv.collect.processes.division import divide
from predsurv.collect.processes.messages import ListingFound, ListingWanted, Pulse
from predsurv.collect.processes.recorder_process import RecorderProcess
from predsurv.collect.rates import CounterReading
from predsurv.collect.rescan import ListedUniverse
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError, SafetyError, TransientError
from predsurv.core.ids import VenueName
from predsurv.net.clock import SystemClock
from tests.kit.collector_statuses import statuses
from tests.kit.given_clock import GivenClock
from tests.kit.patience import until
from tests.kit.recorder_parts import fails, until_stopped

MOCK = VenueName("mock")
FOUND = ListedUniverse(Path("universe.jsonl"), whole=True)


class Asking:
    """Stands for a process that asks, and keeps what it was answered."""

    def __init__(self) -> None:
        self.answers: list[Any] = []

    def say(self, message: object) -> None:
        self.answers.append(message)


class Lists:
    """Stands for the scans of a venue: each waits until ``go`` is set, and ends as ``outcome`` says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scans = 0
        self.go = asyncio.Event()
        self.outcome: ListedUniverse | Exception = FOUND
        monkeypatch.setattr(collect_processes, "rescan", self.scan)

    async def scan(self, *_: object) -> ListedUniverse:
        self.scans += 1
        await self.go.wait()
        if isinstance(self.outcome, ListedUniverse):
            return self.outcome
        raise self.outcome


def recording(folder: Path, clock: GivenClock | None = None) -> ProcessesRecording:
    config = Config(data_location=folder)
    return ProcessesRecording(config, ["mock"], divide(config, 2), clock or SystemClock())


async def test_processes_that_ask_at_about_the_same_time_get_the_same_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, lists, one, other = GivenClock(1, 1), Lists(monkeypatch), Asking(), Asking()
    job = recording(tmp_path, clock)
    job._hear(one, ListingWanted(MOCK))  # type: ignore[arg-type]
    job._hear(other, ListingWanted(MOCK))  # type: ignore[arg-type]
    lists.go.set()
    await until(lambda: one.answers and other.answers)
    job._hear(one, ListingWanted(MOCK))  # type: ignore[arg-type]
    await until(lambda: len(one.answers) == 2)
    assert lists.scans == 1
    assert one.answers == [ListingFound(MOCK, FOUND)] * 2
    monkeypatch.setattr(collect_processes, "FRESH_FOR", -1)
    job._hear(other, ListingWanted(MOCK))  # type: ignore[arg-type]
    await until(lambda: len(other.answers) == 2)
    assert lists.scans == 2, f"after {FRESH_FOR} ns it is read again"


@pytest.mark.parametrize("failure", [TransientError("no answer"), OSError(28, "No space left on device")])
async def test_a_list_that_cannot_be_read_is_told_to_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    lists, asking = Lists(monkeypatch), Asking()
    lists.outcome = failure
    lists.go.set()
    recording(tmp_path)._hear(asking, ListingWanted(MOCK))  # type: ignore[arg-type]
    await until(lambda: asking.answers)
    (answer,) = asking.answers
    assert isinstance(answer.found, TransientError)
    assert str(failure) in str(answer.found)


def test_it_is_healthy_when_every_process_runs_and_knows_its_books(tmp_path: Path) -> None:
    job = recording(tmp_path)
    first, second = job._processes
    assert job.reading() is None
    assert job.starting() == "starting: 0 of 2 processes record"
    assert list(job.health().causes) == [
        "the process of collector c0-1 does not run",
        "the process of collector c0-2 does not run",
    ]
    for process, state in ((first, "recording"), (second, "blind")):
        reading = CounterReading(status=statuses(state), rows=2)  # type: ignore[arg-type]
        process.pulse = Pulse(reading=reading, metrics=b"m", committed=0, recording=True, dropped=0)
    assert job.starting() == "starting: 2 of 2 processes record"
    first.runs = True
    health = job.health()
    assert health.causes == ("the process of collector c0-2 does not run",)
    assert [each.venue for each in health.venues] == ["v0"]
    assert health.stuck is not None, "nothing was committed since the clock began"
    reading_ = job.reading()
    assert reading_ is not None
    assert reading_.rows == 4
    assert job.metrics() == {"c0-1": b"m", "c0-2": b"m"}


async def test_one_process_that_fails_stops_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = recording(tmp_path)
    first, second = job._processes
    first._work, second._work = until_stopped, fails
    monkeypatch.setattr(first, "_hear", lambda *_: None)
    with pytest.raises(SafetyError, match="c0-2 must not record"):
        await job.run(None)
    assert not first.runs


async def test_all_of_them_make_one_report(tmp_path: Path) -> None:
    job = recording(tmp_path)
    for process in job._processes:
        process._work = until_stopped
        process._hear = lambda *_: None
    running = asyncio.create_task(job.run(5))
    await job.recording.wait()
    job.stop()
    report = await running
    assert report.rows == {"deltas": 6}


async def test_a_process_says_what_it_cannot_do_and_stops_before_it_records(tmp_path: Path) -> None:
    config = load(flags={"data_dir": str(tmp_path), "mock.enabled": True}, environ={}).config
    part = divide(config, 2)[0]
    process = RecorderProcess(part, partial(record_part, ["mock"]), lambda *_: None, SystemClock())
    with pytest.raises(ConfigError, match="no universe"):
        await process.run(None)
    stopped = RecorderProcess(part, partial(record_part, ["mock"]), lambda *_: None, SystemClock())
    stopped.stop()
    assert await stopped.run(None) is None
