"""What a worker says to its recording, and how it begins and ends."""

import os
import signal
from threading import Event
from typing import Any

import pytest

from predsurv.collect import worker_process
from predsurv.collect.worker_process import NICENESS, Ask, begin_worker, run_in_worker
from predsurv.core.errors import SafetyError, TransientError
from tests.kit.threaded_workers import run_workers_as_threads


@pytest.fixture(autouse=True)
def begun(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return run_workers_as_threads(monkeypatch)


def doubled(terms: int, _: Ask) -> int:
    return 2 * terms


def asking(terms: list[int], ask: Ask) -> list[Any]:
    return [ask(each) for each in terms]


def refusing(_: object, __: Ask) -> None:
    raise SafetyError("another does it")


def test_a_worker_makes_way_and_says_what_its_job_returns(begun: list[int]) -> None:
    assert run_in_worker(doubled, 21, Event()) == 42
    assert begun == [NICENESS]


def test_questions_are_answered_in_turn_before_the_result() -> None:
    assert run_in_worker(asking, [1, 2, 3], Event(), lambda value: value * 10) == [10, 20, 30]


def test_an_error_of_the_job_is_raised_in_the_recording() -> None:
    with pytest.raises(SafetyError, match="another does it"):
        run_in_worker(refusing, None, Event())


def test_a_stop_that_was_asked_for_leaves_no_result() -> None:
    stopping = Event()
    stopping.set()
    assert run_in_worker(doubled, 21, stopping) is None


def test_a_stop_while_a_question_is_answered_leaves_no_result() -> None:
    stopping = Event()
    assert run_in_worker(asking, [1], stopping, lambda _: stopping.set()) is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_dies_is_tried_again_later() -> None:
    def die(_: object, __: Ask) -> None:
        raise RuntimeError("a crash")

    with pytest.raises(TransientError, match="ended without a word: it is tried again in an hour"):
        run_in_worker(die, None, Event())


def test_a_worker_leaves_interrupts_to_its_recorder_and_makes_way(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[tuple[object, ...]] = []
    monkeypatch.setattr(signal, "signal", lambda *to: steps.append(to))
    monkeypatch.setattr(os, "nice", lambda by: steps.append(("nice", by)))
    begin_worker(7)  # no worker of anybody's: nothing ends it
    assert steps == [(signal.SIGINT, signal.SIG_IGN), ("nice", 7)]


class Recorder:
    """The process of a recording, which has ended."""

    joined = False

    def join(self) -> None:
        self.joined = True


def test_a_worker_ends_once_its_recorder_has(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, codes = Recorder(), list[int]()
    monkeypatch.setattr(worker_process, "parent_process", lambda: recorder)
    monkeypatch.setattr(os, "_exit", codes.append)
    worker_process._end_with_recorder()
    assert recorder.joined
    assert codes == [1]
