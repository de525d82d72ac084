"""``predsurv collect --processes N``: one recording in several processes, with one panel, one stop and one report."""

import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from predsurv.cli.commands.recorder_worker import record_part
from predsurv.cli.commands.rescan import rescan
from predsurv.collect.health import recording_health
from predsurv.collect.processes.division import CollectorPart
from predsurv.collect.processes.merging import merged_reading, merged_report, named_reading
from predsurv.collect.processes.messages import ListingFound, ListingWanted, LoggedThere, StderrText
from predsurv.collect.processes.recorder_process import RecorderProcess
from predsurv.collect.rates import CounterReading
from predsurv.collect.report import CollectReport
from predsurv.collect.rescan import ListedUniverse
from predsurv.config import Config
from predsurv.core.errors import PredsurvError, TransientError
from predsurv.core.ids import VenueName
from predsurv.ports import Clock
from predsurv.telemetry.health import RunHealth

FRESH_FOR: Final = 60_000_000_000
"""A list that was read less than this (ns) before serves a process that asks for it then."""

_LOG: Final = logging.getLogger("predsurv.collect")


class ProcessesRecording:
    """A recording in several processes. ``recording`` is set once the feeds of all are started."""

    def __init__(self, config: Config, names: Sequence[str], parts: Sequence[CollectorPart], clock: Clock) -> None:
        self.recording = asyncio.Event()
        self._config, self._clock = config, clock
        work = partial(record_part, names)
        self._processes = [RecorderProcess(part, work, self._hear, clock) for part in parts]
        self._listings: dict[VenueName, asyncio.Task[ListedUniverse]] = {}
        self._listed_at: dict[VenueName, int] = {}
        self._answers: set[asyncio.Task[None]] = set()

    async def run(self, duration: int | None) -> CollectReport:
        """Record until stopped, or for ``duration`` (ns); when one process fails the others stop in good order.

        Raises what the first one failed by, CancelledError when it was stopped before anything was recorded.
        """
        lives = [asyncio.create_task(process.run(duration)) for process in self._processes]
        waiting = asyncio.create_task(self._wait_for_all())
        try:
            await asyncio.wait(lives, return_when=asyncio.FIRST_EXCEPTION)
            self.stop()
            outcomes = await asyncio.gather(*lives, return_exceptions=True)
        finally:
            for task in (waiting, *self._answers, *self._listings.values()):
                task.cancel()
        if failed := [outcome for outcome in outcomes if isinstance(outcome, BaseException)]:
            raise failed[0]
        reports = [outcome for outcome in outcomes if isinstance(outcome, CollectReport)]
        if not reports:
            raise asyncio.CancelledError  # as a recording in one process that is stopped before it begins
        return merged_report(reports)

    def stop(self) -> None:
        """Ask every process to end in good order."""
        for process in self._processes:
            process.stop()

    def starting(self) -> str:
        """Return how many processes record already, for people who wait for all."""
        begun = sum(process.pulse is not None and process.pulse.recording for process in self._processes)
        return f"starting: {begun} of {len(self._processes)} processes record"

    def reading(self) -> CounterReading | None:
        """Return the running totals of all processes, None until each has told its own."""
        told = [(process.part.id, process.pulse) for process in self._processes]
        known = [named_reading(pulse.reading, name) for name, pulse in told if pulse is not None]
        return merged_reading(known) if len(known) == len(told) else None

    def health(self) -> RunHealth:
        """Return the health of the recording; any thread may call it."""
        reading, gone = self.reading(), [process.part.id for process in self._processes if not process.runs]
        causes = tuple(f"the process of collector {name} does not run" for name in gone)
        if reading is None:
            return RunHealth(causes=causes)
        committed = min(process.pulse.committed for process in self._processes if process.pulse is not None)
        health = recording_health(reading.status, max(0, self._clock.monotonic() - committed))
        return replace(health, causes=(*causes, *health.causes))

    def metrics(self) -> Mapping[str, bytes]:
        """Return the latest metrics of each process by its collector; any thread may call it."""
        told = {process.part.id: process.pulse for process in self._processes}
        return {name: pulse.metrics for name, pulse in told.items() if pulse is not None}

    async def _wait_for_all(self) -> None:
        while not all(process.pulse is not None and process.pulse.recording for process in self._processes):
            await self._clock.sleep(100_000_000)
        self.recording.set()

    def _hear(self, process: RecorderProcess, message: Any) -> None:
        if isinstance(message, StderrText):
            sys.stderr.write(message.text)
        elif isinstance(message, LoggedThere):
            logging.getLogger(message.record.name).handle(message.record)
        elif isinstance(message, ListingWanted):
            task = asyncio.create_task(self._answer(process, message.venue))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    async def _answer(self, process: RecorderProcess, venue: VenueName) -> None:
        try:
            found: ListedUniverse | PredsurvError = await self._listing(venue)
        except PredsurvError as error:
            found = error
        except OSError as error:
            found = TransientError(str(error))
        process.say(ListingFound(venue, found))

    async def _listing(self, venue: VenueName) -> ListedUniverse:
        """Read the list of a venue, once for all processes that ask within a minute."""
        reading, now = self._listings.get(venue), self._clock.monotonic()
        if reading is None or (reading.done() and now - self._listed_at[venue] > FRESH_FOR):
            reading = self._listings[venue] = asyncio.create_task(rescan(self._config, {}, venue))
            reading.add_done_callback(lambda _: self._listed_at.update({venue: self._clock.monotonic()}))
        return await asyncio.shield(reading)
