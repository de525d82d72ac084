"""Compaction of closed hours in a process of its own.

Merging an hour takes hundreds of megabytes for half a minute, which the allocator returns late or never, and
holds the interpreter lock now and then: neither may happen in the recording process.
"""

from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Event
from typing import Final

from predsurv.collect.worker_process import begin_worker
from predsurv.core.errors import PredsurvError, TransientError
from predsurv.net.clock import SystemClock
from predsurv.store.layout import Layout
from predsurv.store.seal.compact import CompactOptions, CompactReport, compact_closed

POLL_SECONDS: Final = 0.1
"""How often to check whether the recording stops."""

NICENESS: Final = 10
"""Increment of the process's nice value: recording has priority."""


def compact_in_process(layout: Layout, collector: str, compression_level: int, stopping: Event) -> CompactReport:
    """Run ``compact_closed`` in a process and wait for it; kill it, as a crash would, when ``stopping`` is set.

    Raises as ``compact_closed``, and TransientError when the process dies or cannot be started.
    """
    context = get_context("spawn")
    try:
        receiver, sender = context.Pipe(duplex=False)
        with receiver:
            child = context.Process(target=_work, args=(layout, collector, compression_level, sender), daemon=True)
            with sender:
                child.start()
            outcome = _result_of(child, receiver, stopping)
    except OSError as error:
        raise TransientError(f"cannot merge closed hours now ({error}): it is tried again in an hour") from error
    if isinstance(outcome, PredsurvError):
        raise outcome
    return outcome


def _result_of(child: BaseProcess, receiver: Connection, stopping: Event) -> CompactReport | PredsurvError:
    """Return the result that ``child`` sends, an empty report when ``stopping`` is set first; kill the child."""
    try:
        while not stopping.is_set():
            if receiver.poll(POLL_SECONDS):
                outcome: CompactReport | PredsurvError = receiver.recv()
                return outcome
    except EOFError:
        return TransientError("merging closed hours ended without a word: it is tried again in an hour")
    finally:
        child.kill()
        child.join()
        child.close()
    return CompactReport()


def _work(layout: Layout, collector: str, compression_level: int, sender: Connection) -> None:
    begin_worker(NICENESS)
    try:
        sender.send(
            compact_closed(layout, collector, SystemClock(), CompactOptions(compression_level=compression_level))
        )
    except PredsurvError as error:
        sender.send(error)
