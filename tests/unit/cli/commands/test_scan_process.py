"""What the process of a scan sends, and what becomes of it when it is silent, gone or not wanted any more."""

import logging
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest

from predsurv.cli.commands import scan_process
from predsurv.cli.commands.scan_process import ScanManner, ScanOutcome
from predsurv.config import Config, load
from predsurv.core.errors import TransientError
from predsurv.core.ids import VenueName
from predsurv.scan.job import ScanProgress
from predsurv.store.universe import read_universe

MOCK = VenueName("mock")


class Child:
    """Stands in for the process; ``ended`` is what was done with it."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def kill(self) -> None:
        self.ended.append("kill")

    def join(self) -> None:
        self.ended.append("join")

    def close(self) -> None:
        self.ended.append("close")


@pytest.fixture
def pipe() -> Iterator[tuple[Connection, Connection]]:
    receiver, sender = Pipe(duplex=False)
    with receiver, sender:
        yield receiver, sender


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the child's function run here: it neither lowers this process nor keeps its log handler."""
    monkeypatch.setattr(scan_process, "begin_worker", lambda _niceness: None)
    handlers = [*logging.getLogger().handlers]
    yield
    logging.getLogger().handlers[:] = handlers


def configured(data_dir: Path) -> Config:
    flags = {"data_dir": str(data_dir), "mock.enabled": True, "mock.markets": 20}
    return load(flags=flags, environ={}).config


def received(receiver: Connection) -> list[Any]:
    found = []
    while receiver.poll():
        found.append(receiver.recv())
    return found


@pytest.mark.usefixtures("at_work")
def test_a_scan_sends_its_progress_and_then_what_it_found(tmp_path: Path, pipe: tuple[Connection, Connection]) -> None:
    receiver, sender = pipe
    scan_process._work(configured(tmp_path), MOCK, ScanManner(), sender)
    *progress, outcome = received(receiver)
    assert progress
    assert all(isinstance(each, ScanProgress) for each in progress)
    assert isinstance(outcome, ScanOutcome)
    assert outcome.scan is not None
    assert outcome.scan.path is not None
    assert len(list(read_universe(outcome.scan.path))) >= 20


@pytest.mark.usefixtures("at_work")
def test_a_scan_that_fails_sends_why(
    tmp_path: Path, pipe: tuple[Connection, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **_more: object) -> None:
        raise TransientError("the venue is away")

    receiver, sender = pipe
    monkeypatch.setattr(scan_process, "open_venue", refused)
    scan_process._work(configured(tmp_path), MOCK, ScanManner(), sender)
    assert received(receiver) == [ScanOutcome(None, "the venue is away")]


@pytest.mark.usefixtures("at_work")
def test_a_scan_whose_recorder_has_gone_ends_quietly(tmp_path: Path) -> None:
    receiver, sender = Pipe(duplex=False)
    receiver.close()
    with sender:
        scan_process._work(configured(tmp_path), MOCK, ScanManner(), sender)


def outcome_of(receiver: Connection, stopping: Event) -> tuple[ScanOutcome, list[ScanProgress], list[str]]:
    child, told = Child(), list[ScanProgress]()
    outcome = scan_process._outcome_of(cast("Any", child), receiver, told.append, stopping)
    return outcome, told, child.ended


def test_progress_is_passed_on_until_there_is_an_outcome(pipe: tuple[Connection, Connection]) -> None:
    receiver, sender = pipe
    progress, outcome = ScanProgress(MOCK, 1, 1, "scanning"), ScanOutcome(None, "nothing is listed")
    for each in (progress, outcome):
        sender.send(each)
    assert outcome_of(receiver, Event()) == (outcome, [progress], ["kill", "join", "close"])


def test_a_process_that_ends_without_a_word_is_told(pipe: tuple[Connection, Connection]) -> None:
    receiver, sender = pipe
    sender.close()
    outcome, _, ended = outcome_of(receiver, Event())
    assert (outcome.failure, ended) == ("the scan ended without a word", ["kill", "join", "close"])


def test_a_scan_that_is_not_wanted_any_more_is_killed(pipe: tuple[Connection, Connection]) -> None:
    stopping = Event()
    stopping.set()
    outcome, _, ended = outcome_of(pipe[0], stopping)
    assert (outcome.failure, ended) == ("the recording stops", ["kill", "join", "close"])


async def test_a_process_that_cannot_be_started_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(**_: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(scan_process, "get_context", lambda _: type("Context", (), {"Pipe": none}))
    with pytest.raises(TransientError, match="cannot start a scan"):
        await scan_process.scan_in_process(configured(tmp_path), MOCK, ScanManner())
