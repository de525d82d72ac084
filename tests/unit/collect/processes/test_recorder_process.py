"""A process of a recording is heard, stopped, started again after a while, and killed when it does not stop."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from predsurv.collect.processes import recorder_process
from predsurv.collect.processes.division import divide
from predsurv.collect.processes.messages import ListingWanted, LoggedThere, StderrText
from predsurv.collect.processes.recorder_process import RecorderProcess, Work
from predsurv.config import Config
from predsurv.core.errors import SafetyError, TransientError
from predsurv.core.ids import VenueName
from predsurv.net.clock import SystemClock
from tests.kit.patience import until
from tests.kit.recorder_parts import dies, dies_once, fails, hangs, until_stopped


class Started:
    """A process that does ``work``, and what it said."""

    def __init__(self, folder: Path, work: Work) -> None:
        self.said: list[Any] = []
        (part, _) = divide(Config(data_location=folder), 2)
        self.process = RecorderProcess(part, work, lambda _, message: self.said.append(message), SystemClock())


async def test_everything_it_says_is_heard_and_its_report_is_returned(tmp_path: Path) -> None:
    started = Started(tmp_path, until_stopped)
    running = asyncio.create_task(started.process.run(7))
    await until(lambda: len(started.said) == 3)
    log, line, wanted = started.said
    assert isinstance(log, LoggedThere)
    assert (log.record.getMessage(), getattr(log.record, "collector", None)) == ("1 of 2", "c0-1")
    assert line == StderrText("a line\n")
    assert wanted == ListingWanted(VenueName("mock"))
    pulse = started.process.pulse
    assert pulse is not None
    assert pulse.reading.rows <= 7, "what is left of the duration was passed on"
    assert started.process.runs
    started.process.stop()
    report = await running
    assert report is not None
    assert report.rows == {"deltas": 3}
    assert not started.process.runs
    started.process.say("nothing: it has ended")


async def test_one_that_is_told_to_stop_before_it_starts_stops(tmp_path: Path) -> None:
    started = Started(tmp_path, until_stopped)
    started.process.stop()
    report = await started.process.run(None)
    assert report is not None


async def test_what_it_fails_by_is_raised(tmp_path: Path) -> None:
    with pytest.raises(SafetyError, match="c0-1 must not record"):
        await Started(tmp_path, fails).process.run(None)


async def test_one_that_dies_early_is_not_started_again(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match=r"collector c0-1 ended without a word after \d+ s \(exit code 9\);"):
        await Started(tmp_path, dies).process.run(None)


async def test_one_that_dies_after_a_while_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_process, "LIFE_MIN", 0)
    report = await Started(tmp_path, dies_once).process.run(10**15)
    assert report is not None
    assert 0 < report.rows["deltas"] < 10**15, "for the rest of the time"


async def test_one_that_does_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_process, "STOP_SECONDS_MAX", 0.1)
    started = Started(tmp_path, hangs)
    running = asyncio.create_task(started.process.run(None))
    await until(lambda: started.process.runs)
    started.process.stop()
    with pytest.raises(TransientError, match="is sealed by its next start"):
        await running


async def test_a_machine_without_room_for_a_process_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(recorder_process, "get_context", lambda _: SimpleNamespace(Pipe=full))
    with pytest.raises(TransientError, match="record in fewer processes"):
        await Started(tmp_path, dies).process.run(None)
