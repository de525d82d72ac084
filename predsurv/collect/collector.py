"""Run a recording: record every venue, bring it to disk, stop in good order.

Kept apart from the sessions, the recorder and the writer because all that is left here is their
order in time.
"""

import asyncio
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from msgspec import Struct

from predsurv.collect.clock import SteadyClock
from predsurv.collect.latency import LatencyHistogram
from predsurv.collect.metrics import CollectMetrics
from predsurv.collect.output.committer import Committer
from predsurv.collect.output.maintenance import Maintenance
from predsurv.collect.output.uploader import Uploader
from predsurv.collect.rates import CounterReading
from predsurv.collect.report import CollectReport, venue_report
from predsurv.collect.selection.planner import Plan, RotationHistory, plan
from predsurv.collect.startup import open_sessions, start
from predsurv.collect.status import CollectorStatus
from predsurv.config import Config
from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.ports import Clock, Venue
from predsurv.store.layout import Layout
from predsurv.store.locks import CollectorLock
from predsurv.store.remote.object_store import Bucket
from predsurv.store.seal.recovery import RecoveryReport
from predsurv.store.wal import quarantine
from predsurv.telemetry.metrics import Metrics
from predsurv.telemetry.recording import RecordingMetrics

FLUSH_INTERVAL: Final = 40_000_000
"""How often (ns) records are committed; with the commit itself they are in the log 50 ms after they arrived."""

PULSE_INTERVAL: Final = 1_000_000_000
"""How often (ns) the vitals are taken."""

STOP_SECONDS_MAX: Final = 4.5
"""A stop that takes longer has no time left for uploads."""

UPLOAD_SECONDS_MAX: Final = 3.0
"""What a stop takes at most to upload what was sealed last."""

_LOG: Final = logging.getLogger(__name__)


class CollectorDeps(Struct, frozen=True):
    """What a recording can use and can do without: measured interestingness (micros) by venue, metrics, a bucket."""

    scores: Callable[[VenueName], Mapping[InstrumentKey, int]] = lambda _: {}
    metrics: Metrics | None = None
    gauges: RecordingMetrics | None = None
    bucket: Bucket | None = None


class Collector:
    """One run of the collector over some venues. ``stop`` ends it in good order, from anywhere in the loop's thread.

    ``vitals`` is how it is doing, renewed every second; read it from any thread.
    """

    def __init__(self, config: Config, venues: Sequence[Venue], clock: Clock, aids: CollectorDeps) -> None:
        """Read the universe of each venue; raises ConfigError when one has none."""
        self._config = config
        self._clock = clock
        self._scores = aids.scores
        self._meter = CollectMetrics(aids.metrics, aids.gauges)
        self._layout = Layout(config.data_dir)
        self._stopping = asyncio.Event()
        self._steady = SteadyClock(clock)
        self._keeper: Committer | None = None
        collector, bucket = config.collector.id, aids.bucket
        self._upkeep = Maintenance(self._layout, collector, clock, config.storage, bucket=bucket is not None)
        self.uploads = None if bucket is None else Uploader(self._layout, collector, clock, bucket)
        self._asked_to_stop = 0
        self._pulse_due = 0
        self._lags = LatencyHistogram()
        self.sessions = open_sessions(config, venues, clock, self._steady)
        for session in self.sessions:
            session.on_batch = partial(self._on_batch, session.venue.name)
        self.vitals = CollectorStatus(at=clock.monotonic(), now=clock.now())

    def preview(self) -> dict[VenueName, Plan]:
        """Return what would be recorded first, without connecting anywhere."""
        return {
            session.venue.name: plan(session.steering.demand(self._scores(session.venue.name)), RotationHistory())
            for session in self.sessions
        }

    def stop(self) -> None:
        """Ask the run to end: everything is written, sealed and accounted for first."""
        self._stopping.set()

    def rescue(self) -> None:
        """Bring to the log what was received and not committed yet, for a process that is about to die.

        Any thread may call it while the event loop stands still.
        """
        if self._keeper is not None:
            self._keeper.rescue()

    def reading(self) -> CounterReading:
        """Return the running totals; delays are those since the last call."""
        lags = LatencyHistogram()
        for session in self.sessions:
            lags, session.recent_lags = lags.merge(session.recent_lags), LatencyHistogram()
        if lags.total:
            self._lags = lags
        return CounterReading(
            vitals=self._take_vitals(), rows=self._meter.rows.total(), bytes=self._meter.bytes.total(), lags=lags
        )

    async def run(self, duration: int | None = None) -> CollectReport:
        """Record until stopped, until ``duration`` (ns) has passed, or until every feed is over.

        Raises SafetyError when another collector holds the lock or has its name in the bucket, IntegrityError
        when the disk cannot be trusted; what was committed until then is sealed by the next start.
        """
        began, collector = self._clock.monotonic(), self._config.collector.id
        with CollectorLock(self._layout.state, collector):
            if self.uploads is not None:
                await self.uploads.begin([session.venue.name for session in self.sessions])
            started = await asyncio.to_thread(start, self._config, self.sessions, self._clock)
            keeper = self._keeper = Committer(self.sessions, started.writer, started.ledger, self._meter)
            if self.uploads is not None:
                keeper.on_sealed = self.uploads.add
            for session in self.sessions:
                self._meter.gaps(session.venue.name, "crash", session.crashed)
            await keeper.commit()
            if started.mended and started.writer.paused is None:
                await asyncio.to_thread(quarantine.clear_marker, self._layout, collector)
            try:
                await self._record(keeper, None if duration is None else began + duration)
            finally:
                await keeper.finish()
            if self.uploads is not None:
                left = STOP_SECONDS_MAX - (self._clock.monotonic() - self._asked_to_stop) / 1e9
                await self.uploads.finish(min(left, UPLOAD_SECONDS_MAX))
        return self._report(started.recovery, self._clock.monotonic() - began)

    async def _record(self, keeper: Committer, deadline: int | None) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                feeds = [
                    group.create_task(session.run(partial(self._scores, session.venue.name)))
                    for session in self.sessions
                ]
                others = [group.create_task(keeper.writer.sealing.run()), group.create_task(self._upkeep.run())]
                if self.uploads is not None:
                    others.append(group.create_task(self.uploads.run()))
                while not (self._stopping.is_set() or all(task.done() for task in feeds)):
                    await self._turn(keeper)
                    if deadline is not None and self._clock.monotonic() >= deadline:
                        break
                    await self._clock.sleep(FLUSH_INTERVAL)
                self._asked_to_stop = self._clock.monotonic()
                for task in (*feeds, *others):
                    task.cancel()
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _turn(self, keeper: Committer) -> None:
        self._watch_clock()
        await keeper.sealed()
        for session in self.sessions:
            session.settle()
        await keeper.commit()
        if keeper.writer.seal_due:
            await keeper.rotate()
        if self._clock.monotonic() >= self._pulse_due:
            self._pulse_due = self._clock.monotonic() + PULSE_INTERVAL
            self.vitals = self._take_vitals()
            self._meter.levels(self.vitals, sum(len(session.records) for session in self.sessions))

    def _on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        self._watch_clock()
        self._meter.batch(venue, batch)

    def _watch_clock(self) -> None:
        if not self._steady.jumped():
            return
        now, ahead = self._steady.now(), self._steady.ahead
        if ahead:
            _LOG.warning("the wall clock stepped back; recorded time goes on, %.3f s ahead of it for now", ahead / 1e9)
        else:
            _LOG.warning("the wall clock jumped ahead; recorded as a gap")
        for session in self.sessions:
            session.step_clock(now)
            self._meter.gaps(session.venue.name, "clock_step", len(session.recorder.fold.lines))

    def _take_vitals(self) -> CollectorStatus:
        writer = self._keeper.writer if self._keeper is not None else None
        free = shutil.disk_usage(self._layout.data_dir).free if self._layout.data_dir.is_dir() else 0
        return CollectorStatus(
            at=self._clock.monotonic(),
            now=self._steady.now(),
            venues=tuple(session.vitals() for session in self.sessions),
            disk_free=free,
            unsealed=writer.unsealed if writer else 0,
            waiting=writer.sealing.waiting if writer else 0,
            paused=writer.paused if writer else None,
            lag_p50=self._lags.quantile(50),
            lag_p99=self._lags.quantile(99),
            bucket=self.uploads.vitals if self.uploads is not None else None,
        )

    def _report(self, recovery: RecoveryReport, duration: int) -> CollectReport:
        return CollectReport(
            venues=tuple(map(venue_report, self.sessions)),
            rows={**self._meter.rows},
            bytes={**self._meter.bytes},
            seals=self._meter.seals,
            recovered=len(recovery.seals),
            damaged=(*recovery.damaged, *self._meter.damaged),
            duration=duration,
            bucket=self.uploads.vitals if self.uploads is not None else None,
        )
