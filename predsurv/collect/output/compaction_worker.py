"""Merge closed hours in a process of their own.

Kept apart from upkeep because of what it keeps from the recording: merging an hour takes hundreds of
megabytes for half a minute, which an allocator gives back late or never, and holds the interpreter now and then.
"""

import os
import signal
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Event
from typing import Final

from predsurv.core.errors import PredsurvError, TransientError
from predsurv.net.clock import SystemClock
from predsurv.store.layout import Layout
from predsurv.store.seal.compact import CompactOptions, CompactReport, compact_closed

LOOK_SECONDS: Final = 0.1
"""How often it is looked whether the recording stops."""

NICENESS: Final = 10
"""How much the recording goes before."""


def merge_apart(layout: Layout, collector: str, compression: int, stopping: Event) -> CompactReport:
    """Do as ``compact_closed`` and wait for it; when ``stopping`` is set it is killed, which it survives like a crash.

    Raises as ``compact_closed``, and TransientError when the process dies or cannot be had.
    """
    context = get_context("spawn")
    try:
        answers, telling = context.Pipe(duplex=False)
        with answers:
            child = context.Process(target=_work, args=(layout, collector, compression, telling), daemon=True)
            with telling:
                child.start()
            outcome = _heard(answers, child, stopping)
    except OSError as error:
        raise TransientError(f"cannot merge closed hours now ({error}): it is tried again in an hour") from error
    if isinstance(outcome, PredsurvError):
        raise outcome
    return outcome


def _heard(answers: Connection, child: BaseProcess, stopping: Event) -> CompactReport | PredsurvError:
    """Return what ``child`` says, or nothing done when it is time to stop; it is dead afterwards."""
    try:
        while not stopping.is_set():
            if answers.poll(LOOK_SECONDS):
                outcome: CompactReport | PredsurvError = answers.recv()
                return outcome
    except EOFError:
        return TransientError("merging closed hours ended without a word: it is tried again in an hour")
    finally:
        child.kill()
        child.join()
        child.close()
    return CompactReport()


def _work(layout: Layout, collector: str, compression: int, telling: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the recording decides
    os.nice(NICENESS)
    try:
        telling.send(compact_closed(layout, collector, SystemClock(), CompactOptions(compression=compression)))
    except PredsurvError as error:
        telling.send(error)
