"""What one of the processes of ``collect --processes`` does: record its part, and say how it goes."""

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from typing import Final, TextIO, cast

from predsurv.cli.commands.collector_deps import collector_deps, open_venues
from predsurv.cli.commands.rescan import rescan
from predsurv.cli.runtime import cancel_this, request_levels
from predsurv.cli.signals import StopSignals
from predsurv.collect.collector import Collector
from predsurv.collect.processes.division import CollectorPart
from predsurv.collect.processes.messages import Ended, Pulse
from predsurv.collect.processes.parent_link import LinkLogHandler, LinkStderr, ParentLink
from predsurv.collect.report import CollectReport
from predsurv.net.clock import SystemClock
from predsurv.ports import Clock
from predsurv.store import allocator
from predsurv.telemetry.logs import send_to
from predsurv.telemetry.monitor import Monitor
from predsurv.telemetry.process_metrics import exposition

PULSE_INTERVAL: Final = 1_000_000_000
"""How often (ns) a process says how it goes."""


def record_part(names: Sequence[str], part: CollectorPart, duration: int | None, pipe: Connection) -> None:
    """Record ``part`` of the venues ``names`` in this process until told to stop, or for ``duration`` (ns)."""
    link = ParentLink(pipe)
    sys.stderr = cast(TextIO, LinkStderr(link))
    send_to(LinkLogHandler(link, part.id))
    allocator.limit_heaps()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the command hears it, and knows what it means
    with StopSignals().heard() as signals:
        link.end(_outcome(names, part, duration, link, signals))


def _outcome(
    names: Sequence[str], part: CollectorPart, duration: int | None, link: ParentLink, signals: StopSignals
) -> Ended:
    try:
        return Ended(asyncio.run(_record(names, part, duration, link, signals)))
    except asyncio.CancelledError:
        return Ended(None)  # stopped before anything was recorded
    except Exception as error:  # the outermost handler of this process: the command says it
        return Ended(None, error)


async def _record(
    names: Sequence[str], part: CollectorPart, duration: int | None, link: ParentLink, signals: StopSignals
) -> CollectReport:
    config, clock = part.config, SystemClock()
    async with open_venues(config, names, clock, share=part.shard.count) as opened:
        monitor = Monitor([venue.name for venue in opened])
        monitor.metrics.request_levels = lambda: request_levels((venue.name, venue) for venue in opened)
        monitor.metrics.lines_dropped = lambda: link.dropped
        own = partial(rescan, config, {venue.name: venue for venue in opened})
        scan = own if config.mock.enabled else link.listing  # each process has a made-up venue of its own
        cancel = _once(cancel_this())  # a signal and the command may both ask for it
        with signals.stopping_with(cancel, None), link.stopping_with(cancel):
            deps = collector_deps(config, opened, monitor, scan, part.shard)
            job = await asyncio.to_thread(Collector, config, opened, clock, deps)
        with signals.stopping_with(job.stop, None, job.rescue), link.stopping_with(job.stop):
            pulses = asyncio.create_task(_pulses(job, monitor, link, clock))
            try:
                return await job.run(duration)
            finally:
                pulses.cancel()


def _once(do: Callable[[], object]) -> Callable[[], None]:
    """Return what calls ``do``, the first time it is called."""
    left = [do]

    def call() -> None:
        if left:
            left.pop()()

    return call


async def _pulses(job: Collector, monitor: Monitor, link: ParentLink, clock: Clock) -> None:
    while True:
        link.tell(
            Pulse(
                reading=job.reading(),
                metrics=exposition(monitor),
                committed=job.status.at,
                recording=job.recording.is_set(),
                dropped=link.dropped,
            )
        )
        await clock.sleep(PULSE_INTERVAL)
