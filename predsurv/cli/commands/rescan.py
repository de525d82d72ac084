"""The scan of a venue while ``collect`` records it, in a process of its own.

Reading a list of 200,000 markets and merging it into the universe of the day takes minutes of parsing and hundreds of
megabytes: neither may happen in the recording process. The mock venue's list is that of the running venue.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Event
from typing import Final, NamedTuple

from predsurv.cli.commands.bucket import upload_universes
from predsurv.cli.commands.scan import NO_LIMITS, scan_job
from predsurv.collect.rescan import ListedUniverse
from predsurv.config import Config
from predsurv.core.errors import PredsurvError, TransientError
from predsurv.core.ids import VenueName
from predsurv.net.clock import SystemClock
from predsurv.ports import MarketQuery, Venue
from predsurv.scan.job import VenueScan, scan_venues
from predsurv.venues.registry import open_venue

POLL_SECONDS: Final = 0.1
"""How often to check whether the recording stops."""

NICENESS: Final = 10
"""Increment of the process's nice value: recording has priority."""

SHARE: Final = 2
"""A scan beside a recording takes one part in this many of the venue's request limit."""


class ScanOutcome(NamedTuple):
    """What the process sends back: the result, or why there is none."""

    scan: VenueScan | None
    failure: str


async def rescan(config: Config, venues: Mapping[VenueName, Venue], name: VenueName) -> ListedUniverse:
    """Scan the venue ``name`` and write its universe file; raises TransientError. Cancelling it ends the process."""
    if config.mock.enabled:
        clock = SystemClock()
        (result,) = await scan_venues([venues[name]], scan_job(config, [name], NO_LIMITS, clock))
        return _listed(config, ScanOutcome(result, result.failure or ""))
    stopping = Event()
    try:
        outcome = await asyncio.to_thread(_in_process, config, name, stopping)
    finally:
        stopping.set()
    return _listed(config, outcome)


def _listed(config: Config, outcome: ScanOutcome) -> ListedUniverse:
    if outcome.scan is None or outcome.scan.path is None:
        raise TransientError(outcome.failure or "no market is within the configured limits")
    query: MarketQuery = scan_job(config, [outcome.scan.venue], NO_LIMITS, SystemClock()).queries[outcome.scan.venue]
    return ListedUniverse(outcome.scan.path, whole=not query.limit)


def _in_process(config: Config, name: VenueName, stopping: Event) -> ScanOutcome:
    context = get_context("spawn")
    try:
        receiver, sender = context.Pipe(duplex=False)
        with receiver:
            child = context.Process(target=_work, args=(config, name, sender), daemon=True)
            with sender:
                child.start()
            return _outcome_of(child, receiver, stopping)
    except OSError as error:
        raise TransientError(f"cannot start a scan ({error})") from error


def _outcome_of(child: BaseProcess, receiver: Connection, stopping: Event) -> ScanOutcome:
    """Return what ``child`` sends; kill it when ``stopping`` is set first."""
    try:
        while not stopping.is_set():
            if receiver.poll(POLL_SECONDS):
                outcome: ScanOutcome = receiver.recv()
                return outcome
    except EOFError:
        return ScanOutcome(None, "the scan ended without a word")
    finally:
        child.kill()
        child.join()
        child.close()
    return ScanOutcome(None, "the recording stops")


def _work(config: Config, name: VenueName, sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group: the recorder decides
    os.nice(NICENESS)
    logging.getLogger().addHandler(logging.NullHandler())  # the recorder logs how it ended
    try:
        result = asyncio.run(_scan(config, name))
        if result.path is not None:
            upload_universes(config, [result.path])
        outcome = ScanOutcome(result, result.failure or "")
    except (PredsurvError, OSError) as error:
        outcome = ScanOutcome(None, str(error))
    with suppress(OSError):  # the recorder has gone
        sender.send(outcome)


async def _scan(config: Config, name: VenueName) -> VenueScan:
    clock = SystemClock()
    venue = open_venue(name, config, clock, share=SHARE)
    try:
        (result,) = await scan_venues([venue], scan_job(config, [name], NO_LIMITS, clock))
    finally:
        await venue.aclose()
    return result
