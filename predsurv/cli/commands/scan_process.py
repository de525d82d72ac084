"""The scan of one venue in a process of its own.

Reading a list of 200,000 markets and merging it into the universe of the day takes minutes of parsing and hundreds of
megabytes: neither may happen in a process that records for months.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Event
from typing import Final, NamedTuple

from predsurv.cli.commands.bucket_upload import upload_universes
from predsurv.cli.commands.scan import NO_LIMITS, scan_job
from predsurv.collect.worker_process import begin_worker
from predsurv.config import Config
from predsurv.core.errors import PredsurvError, TransientError
from predsurv.core.ids import VenueName
from predsurv.net.clock import SystemClock
from predsurv.scan.job import ScanProgress, VenueScan, scan_venues
from predsurv.venues.registry import open_venue

POLL_SECONDS: Final = 0.1
"""How often to check whether the scan is still wanted."""

PROGRESS_INTERVAL: Final = 250_000_000
"""Progress is sent at most once in this time (ns)."""

OnProgress = Callable[[ScanProgress], None]


class ScanManner(NamedTuple):
    """How to scan: with one part in ``share`` of the venue's request limit, and what to add to the nice value."""

    share: int = 1
    niceness: int = 0


class ScanOutcome(NamedTuple):
    """What the process sends back: the result, or why there is none."""

    scan: VenueScan | None
    failure: str


async def scan_in_process(
    config: Config, name: VenueName, manner: ScanManner, on_progress: OnProgress = lambda _: None
) -> ScanOutcome:
    """Scan the venue ``name`` and write its universe file. Cancelling it ends the process.

    ``on_progress`` is called in a thread. Raises TransientError when no process can be started.
    """
    stopping = Event()
    try:
        return await asyncio.to_thread(_in_process, config, name, manner, on_progress, stopping)
    finally:
        stopping.set()


def _in_process(
    config: Config, name: VenueName, manner: ScanManner, on_progress: OnProgress, stopping: Event
) -> ScanOutcome:
    context = get_context("spawn")
    try:
        receiver, sender = context.Pipe(duplex=False)
        with receiver:
            child = context.Process(target=_work, args=(config, name, manner, sender), daemon=True)
            with sender:
                child.start()
            return _outcome_of(child, receiver, on_progress, stopping)
    except OSError as error:
        raise TransientError(f"cannot start a scan ({error})") from error


def _outcome_of(child: BaseProcess, receiver: Connection, on_progress: OnProgress, stopping: Event) -> ScanOutcome:
    """Return what ``child`` sends; kill it when ``stopping`` is set first."""
    try:
        while not stopping.is_set():
            if receiver.poll(POLL_SECONDS):
                told: ScanOutcome | ScanProgress = receiver.recv()
                if isinstance(told, ScanOutcome):
                    return told
                on_progress(told)
    except EOFError:
        return ScanOutcome(None, "the scan ended without a word")
    finally:
        child.kill()
        child.join()
        child.close()
    return ScanOutcome(None, "the recording stops")


def _work(config: Config, name: VenueName, manner: ScanManner, sender: Connection) -> None:
    begin_worker(manner.niceness)
    logging.getLogger().addHandler(logging.NullHandler())  # the recorder logs how it ended
    try:
        result = asyncio.run(_scan(config, name, manner, sender))
        if result.path is not None:
            upload_universes(config, [result.path])
        outcome = ScanOutcome(result, result.failure or "")
    except (PredsurvError, OSError) as error:
        outcome = ScanOutcome(None, str(error))
    with suppress(OSError):  # the recorder has gone
        sender.send(outcome)


async def _scan(config: Config, name: VenueName, manner: ScanManner, sender: Connection) -> VenueScan:
    clock = SystemClock()
    due = 0

    def tell(progress: ScanProgress) -> None:
        nonlocal due
        if clock.monotonic() >= due:
            due = clock.monotonic() + PROGRESS_INTERVAL
            with suppress(OSError):  # the recorder has gone, and this process goes too
                sender.send(progress)

    venue = open_venue(name, config, clock, share=manner.share)
    try:
        job = scan_job(config, [name], NO_LIMITS, clock)._replace(progress=tell)
        (result,) = await scan_venues([venue], job)
    finally:
        await venue.aclose()
    return result
