"""What processes of a recording do in tests, instead of recording; functions of a module, as processes need them."""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection

from predsurv.collect.processes.division import CollectorPart
from predsurv.collect.processes.messages import STOP, Ended, ListingWanted, Pulse
from predsurv.collect.processes.parent_link import LinkLogHandler, LinkStderr, ParentLink
from predsurv.collect.rates import CounterReading
from predsurv.collect.report import CollectReport
from predsurv.collect.status import CollectorStatus
from predsurv.core.errors import SafetyError
from predsurv.core.ids import VenueName
from predsurv.store.layout import Dataset


def report_of(rows: Mapping[Dataset, int]) -> CollectReport:
    """Return the report of a recording that wrote ``rows`` and nothing else."""
    return CollectReport(venues=(), rows=rows, bytes={}, seals=1, recovered=0, damaged=(), duration=5)


def until_stopped(part: CollectorPart, duration: int | None, pipe: Connection) -> None:
    """Pulse once, say something in every way, and end with a report when told to stop."""
    link = ParentLink(pipe)
    reading = CounterReading(status=CollectorStatus(at=1, now=2), rows=duration or 0)
    link.tell(Pulse(reading=reading, metrics=b"", committed=1, recording=True, dropped=0))
    log = logging.getLogger("predsurv.part")
    log.addHandler(LinkLogHandler(link, part.id))
    log.warning("%d of %d", 1, 2)
    LinkStderr(link).write("a line\n")
    link.tell(ListingWanted(VenueName("mock")))
    told_to_stop(link)
    link.end(Ended(report_of({"deltas": 3})))


def told_to_stop(link: ParentLink) -> None:
    """Wait until the link was told to stop, or the pipe has ended."""

    async def wait() -> None:
        stopped = asyncio.Event()
        with link.stopping_with(stopped.set):
            await stopped.wait()

    asyncio.run(wait())


def fails(part: CollectorPart, duration: int | None, pipe: Connection) -> None:
    """End with an error."""
    del duration
    ParentLink(pipe).end(Ended(None, SafetyError(f"{part.id} must not record")))


def dies(part: CollectorPart, duration: int | None, pipe: Connection) -> None:
    """End without a word."""
    del part, duration, pipe
    os._exit(9)


def dies_once(part: CollectorPart, duration: int | None, pipe: Connection) -> None:
    """End without a word the first time, as a file in the data folder remembers; then end at once with a report."""
    seen = part.config.data_dir / "died"
    if not seen.exists():
        seen.touch()
        dies(part, duration, pipe)
    ParentLink(pipe).end(Ended(report_of({"deltas": duration or 0})))


def hangs(part: CollectorPart, duration: int | None, pipe: Connection) -> None:
    """Hear that it has to stop, and go on until killed."""
    del part, duration
    assert pipe.recv() == STOP
    with suppress(EOFError):
        pipe.recv()
    sys.exit(1)
