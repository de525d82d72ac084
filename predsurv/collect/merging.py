"""Merge closed hours in a process of their own.

Kept apart from upkeep because of what it keeps from the recording: merging an hour takes hundreds of
megabytes for half a minute, which an allocator gives back late or never, and holds the interpreter now and then.
"""

import os
import signal
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Event
from typing import Final

from predsurv.core.errors import PredsurvError, TransientError
from predsurv.net.clock import SystemClock
from predsurv.store.compact import CompactOptions, CompactReport, compact_closed
from predsurv.store.paths import Layout

LOOK_SECONDS: Final = 0.1
"""How often it is looked whether the recording stops."""

NICENESS: Final = 10
"""How much the recording goes before."""


def merge_apart(layout: Layout, collector: str, compression: int, stopping: Event) -> CompactReport:
    """Do as ``compact_closed`` and wait for it; when ``stopping`` is set it is killed, which it survives like a crash.

    Raises as ``compact_closed``, and TransientError when the process dies.
    """
    context = get_context("spawn")
    answers, telling = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(layout, collector, compression, telling), daemon=True)
    child.start()
    telling.close()
    outcome: CompactReport | PredsurvError = CompactReport()
    try:
        while not stopping.is_set():
            if answers.poll(LOOK_SECONDS):
                outcome = answers.recv()
                break
    except EOFError:
        outcome = TransientError("merging closed hours ended without a word: it is tried again in an hour")
    finally:
        child.kill()
        child.join()
        child.close()
        answers.close()
    if isinstance(outcome, PredsurvError):
        raise outcome
    return outcome


def _work(layout: Layout, collector: str, compression: int, telling: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the recording decides
    os.nice(NICENESS)
    try:
        telling.send(compact_closed(layout, collector, SystemClock(), CompactOptions(compression=compression)))
    except PredsurvError as error:
        telling.send(error)
