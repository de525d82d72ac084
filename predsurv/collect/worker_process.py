"""A worker process of a recording: it makes way for the recording, answers by a pipe, and never outlives it."""

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Event, Thread
from typing import Any, Final, TypeVar

from msgspec import Struct

from predsurv.core.errors import PredsurvError, TransientError

POLL_SECONDS: Final = 0.1
"""How often to check whether the recording stops."""

NICENESS: Final = 10
"""Increment of the process's nice value: recording has priority."""

_Result = TypeVar("_Result")

Ask = Callable[[Any], Any]
"""Returns the recording's answer to a question of its worker; raises what answering raises."""


class _Question(Struct, frozen=True):
    """What a worker asks instead of saying that it is done."""

    value: Any


def begin_worker(niceness: int) -> None:
    """Leave Ctrl-C to the recorder, add ``niceness`` to the nice value, and end, as a kill would, when it has gone.

    A recorder that leaves at once, or is killed, ends nobody itself: its next run would share the venue's request limit
    with a scan that nobody waits for, and whoever reads its stderr would wait for the end of that.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the whole process group
    os.nice(niceness)
    Thread(target=_end_with_recorder, name="recorder", daemon=True).start()


def run_in_worker(
    job: Callable[[Any, Ask], _Result], terms: Any, stopping: Event, answer: Ask | None = None
) -> _Result | None:
    """Return what ``job(terms, ask)`` returns in a process of its own; once ``stopping`` is set kill it, return None.

    ``answer`` says here, in the calling thread, what the job asks by ``ask``. Raises the PredsurvError that the job or
    ``answer`` raises, TransientError when the process dies or cannot be started.
    """
    context = get_context("spawn")
    try:
        here, there = context.Pipe()
        with here:
            child = context.Process(target=_work, args=(job, terms, there), daemon=True)
            with there:
                child.start()
            outcome = _outcome_of(child, here, stopping, answer)
    except OSError as error:
        raise TransientError(f"no worker process can run now ({error}): it is tried again in an hour") from error
    if isinstance(outcome, PredsurvError):
        raise outcome
    return outcome  # type: ignore[no-any-return]


def _outcome_of(child: BaseProcess, pipe: Connection, stopping: Event, answer: Ask | None) -> Any:
    """Answer ``child`` until it is done or ``stopping`` is set; kill it."""
    try:
        while not stopping.is_set():
            if not pipe.poll(POLL_SECONDS):
                continue
            said = pipe.recv()
            if not isinstance(said, _Question) or answer is None:
                return said
            pipe.send(answer(said.value))
    except EOFError:
        return TransientError("a worker process ended without a word: it is tried again in an hour")
    finally:
        child.kill()
        child.join()
        child.close()
    return None


def _work(job: Callable[[Any, Ask], Any], terms: Any, pipe: Connection) -> None:
    begin_worker(NICENESS)

    def ask(value: Any) -> Any:
        pipe.send(_Question(value))
        return pipe.recv()

    try:
        pipe.send(job(terms, ask))
    except PredsurvError as error:
        pipe.send(error)


def _end_with_recorder() -> None:
    recorder = parent_process()
    if recorder is not None:
        recorder.join()
        os._exit(1)
