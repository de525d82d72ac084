"""Run a recording: record every venue, write to disk, stop in an orderly way.

Sessions, committer, sealer and uploader do the work; what is here is their order in time.
"""

import asyncio
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from predsurv.collect.clock import SteadyClock
from predsurv.collect.metrics import CollectMetrics
from predsurv.collect.output.committer import Committer
from predsurv.collect.output.feed_note_writer import FeedNoteWriter
from predsurv.collect.output.maintenance import Maintenance
from predsurv.collect.output.uploader import Uploader
from predsurv.collect.rates import CounterReading
from predsurv.collect.report import CollectReport, venue_report
from predsurv.collect.rescan import Rescanner, ScanVenue
from predsurv.collect.selection.interest import LiveWeights, MinedScore
from predsurv.collect.selection.planner import Candidate, Plan, RotationHistory, plan
from predsurv.collect.startup import PreparedRun, open_sessions, start
from predsurv.collect.status import CollectorStatus, LatencyHistogram
from predsurv.config import Config
from predsurv.config.value_types import Shard
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.level_changes import PackedEvent
from predsurv.ports import Clock, Venue
from predsurv.store.layout import Layout
from predsurv.store.locks import CollectorLock
from predsurv.store.remote.object_store import Bucket
from predsurv.telemetry.metrics import Metrics
from predsurv.telemetry.recording import RecordingMetrics

FLUSH_INTERVAL: Final = 40_000_000
"""How often (ns) records are committed; with the commit itself they are in the log 50 ms after they arrived."""

STATUS_INTERVAL: Final = 1_000_000_000
"""How often (ns) the status is renewed."""

STOP_SECONDS_MAX: Final = 4.5
"""A stop that takes longer has no time left for uploads."""

UPLOAD_SECONDS_MAX: Final = 3.0
"""What a stop takes at most to upload what was sealed last."""

_LOG: Final = logging.getLogger(__name__)


class CollectorDeps(Struct, frozen=True):
    """Optional dependencies: mined scores by venue, metrics, gauges, a bucket, a venue's scan.

    ``roll_up``: the name of what measures merged hours (``maintenance_worker``); without it nothing does.
    ``weights``: of what can be seen live in mined scores.
    ``process``: which part of the markets this process records, of those of the configured shard.
    Without ``scan``, or when ``scanner.refresh`` is 0, the venues' lists are not read again while recording.
    """

    mined: Callable[[VenueName], Mapping[InstrumentKey, MinedScore]] = lambda _: {}
    metrics: Metrics | None = None
    gauges: RecordingMetrics | None = None
    bucket: Bucket | None = None
    scan: ScanVenue | None = None
    weights: LiveWeights = LiveWeights()
    roll_up: str | None = None
    process: Shard = Shard()


class SelectionPreview(NamedTuple):
    """The first plan of a venue, and the candidates it was chosen from."""

    plan: Plan
    candidates: Sequence[Candidate]


class Collector:
    """One run of the collector over some venues. ``stop`` ends it in an orderly way, from the event loop's thread.

    ``status`` is renewed every second; it may be read from any thread. ``uploader`` is None without a bucket.
    ``recording`` is set once the log is open and the feeds are started.
    """

    def __init__(self, config: Config, venues: Sequence[Venue], clock: Clock, deps: CollectorDeps) -> None:
        """Read the universe of each venue; raises ConfigError when one has none."""
        self._config = config
        self._clock = clock
        self._mined = deps.mined
        self._metrics = CollectMetrics(clock, deps.metrics, deps.gauges)
        self._layout = Layout(config.data_dir)
        self._stopping = asyncio.Event()
        self.recording = asyncio.Event()
        self._steady_clock = SteadyClock(clock)
        self._committer: Committer | None = None  # set exactly while the log is open
        collector, bucket = config.collector.id, deps.bucket
        self._maintenance = Maintenance(
            self._layout, collector, clock, config.storage, bucket=bucket, roll_up=deps.roll_up
        )
        self.uploader = None if bucket is None else Uploader(self._layout, collector, clock, bucket)
        self._stop_began = 0
        self._status_due = 0
        self._latency = LatencyHistogram()
        self.sessions = open_sessions(
            config,
            venues,
            clock=clock,
            steady_clock=self._steady_clock,
            on_batch=self._observe_batch,
            weights=deps.weights,
            process=deps.process,
        )
        self._rescanner = (
            Rescanner(self.sessions, deps.scan, clock, interval=config.scanner.refresh, data_dir=config.data_dir)
            if deps.scan is not None and config.scanner.refresh
            else None
        )
        self.status = CollectorStatus(at=clock.monotonic(), now=clock.now())

    def preview(self) -> dict[VenueName, SelectionPreview]:
        """Return what would be recorded first, without connecting anywhere."""
        previews: dict[VenueName, SelectionPreview] = {}
        for session in self.sessions:
            request, learning = session.scheduler.selection_request(), session.scheduler.learning
            interest = learning.interests(request.candidates, self._mined(session.venue.name))
            made = plan(replace(request, scores=interest), RotationHistory())
            previews[session.venue.name] = SelectionPreview(made, request.candidates)
        return previews

    def stop(self) -> None:
        """Ask the run to end: everything is written, sealed and accounted for first."""
        self._stopping.set()

    def rescue(self) -> None:
        """Commit what was received and not committed yet, before the process dies.

        Any thread may call it while the event loop stands still.
        """
        if self._committer is not None:
            self._committer.rescue()

    def reading(self) -> CounterReading:
        """Return the running totals; latency is that since the last call."""
        latency = LatencyHistogram()
        for session in self.sessions:
            latency = latency.merge(session.recent_latency.take())
        if latency.total:
            self._latency = latency
        return CounterReading(
            status=self._current_status(),
            rows=self._metrics.rows.total(),
            bytes=self._metrics.bytes.total(),
            latency=latency,
        )

    async def run(self, duration: int | None = None) -> CollectReport:
        """Record until stopped, until ``duration`` (ns) has passed, or until every feed has ended.

        Raises SafetyError when another collector holds the lock or uses the same id in the bucket, IntegrityError
        when the disk cannot be trusted; what was committed until then is sealed by the next start.
        """
        began, collector = self._clock.monotonic(), self._config.collector.id
        with CollectorLock(self._layout.state, collector):
            if self.uploader is not None:
                await self.uploader.begin([session.venue.name for session in self.sessions])
            prepared = await asyncio.to_thread(start, self._config, self.sessions, self._clock)
            self._metrics.begin(self._config.storage.seal_interval, bucket=self.uploader is not None)
            try:
                await self._record(prepared, None if duration is None else began + duration)
            finally:
                self._committer = None
            if self.uploader is not None:
                left = STOP_SECONDS_MAX - (self._clock.monotonic() - self._stop_began) / 1e9
                await self.uploader.finish(min(left, UPLOAD_SECONDS_MAX))
        return CollectReport(
            venues=tuple(map(venue_report, self.sessions)),
            rows={**self._metrics.rows},
            bytes={**self._metrics.bytes},
            seals=self._metrics.seals,
            recovered=len(prepared.recovery.seals),
            damaged=(*prepared.recovery.damaged, *self._metrics.damaged),
            duration=self._clock.monotonic() - began,
            bucket=self.uploader.status if self.uploader is not None else None,
            rescans=self._rescanner.status if self._rescanner is not None else None,
        )

    async def _record(self, prepared: PreparedRun, deadline: int | None) -> None:
        committer = self._committer = Committer(
            self.sessions,
            writer=prepared.writer,
            index=prepared.index,
            damage=prepared.damage,
            metrics=self._metrics,
            on_sealed=self.uploader.add if self.uploader is not None else lambda _: None,
        )
        await committer.commit()
        if prepared.repair is not None and prepared.writer.paused is None:
            await asyncio.to_thread(prepared.repair.clear)
        try:
            await self._run_tasks(prepared, committer, deadline)
        finally:
            await committer.finish()

    async def _run_tasks(self, prepared: PreparedRun, committer: Committer, deadline: int | None) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                feeds = [
                    group.create_task(session.run(prepared.index, partial(self._mined, session.venue.name)))
                    for session in self.sessions
                ]
                others = [group.create_task(prepared.writer.sealer.run()), group.create_task(self._maintenance.run())]
                jobs = [job for job in (self.uploader, self._rescanner) if job is not None]
                others += [group.create_task(job.run()) for job in jobs]
                notes = FeedNoteWriter(self._layout, self._config.collector.id, self.sessions, self._clock)
                others.append(group.create_task(notes.run()))
                others.append(group.create_task(_look_at_clock(self._check_clock, self._clock)))
                self.status = self._current_status()
                self._steady_clock.stood_still()  # while it recovered
                self.recording.set()
                while not (self._stopping.is_set() or all(task.done() for task in feeds)):
                    await self._turn(committer)
                    if deadline is not None and self._clock.monotonic() >= deadline:
                        break
                    await self._clock.sleep(FLUSH_INTERVAL)
                self._stop_began = self._clock.monotonic()
                for task in (*feeds, *others):
                    task.cancel()
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _turn(self, committer: Committer) -> None:
        self._check_clock()
        await committer.process_sealed()
        for session in self.sessions:
            session.settle()
        await committer.commit()
        if committer.writer.seal_due:
            await committer.rotate()
        if self._clock.monotonic() >= self._status_due:
            self._status_due = self._clock.monotonic() + STATUS_INTERVAL
            self.status = self._current_status()
            self._metrics.set_status(self.status, sum(len(session.records) for session in self.sessions))

    def _observe_batch(self, venue: VenueName, batch: Sequence[PackedEvent]) -> None:
        self._check_clock()
        self._metrics.observe_batch(venue, batch)

    def _check_clock(self) -> None:
        jump, still = self._steady_clock.jumped(), self._steady_clock.stood_still()
        if still and not jump:
            _LOG.warning("the process stood still for %.1f s (stopped, or too busy); recorded as a gap", still / 1e9)
            for session in self.sessions:
                session.step_clock(self._steady_clock.time, "stall")
        if not jump:
            return
        now, ahead = self._steady_clock.time, self._steady_clock.ahead
        onwards = f"recorded time goes on, {ahead / 1e9:.3f} s ahead of it for now" if ahead else "recorded as a gap"
        _LOG.warning("the machine's clock jumped by %+.3f s; %s", jump / 1e9, onwards)
        for session in self.sessions:
            session.step_clock(now, "clock_step")

    def _current_status(self) -> CollectorStatus:
        writer = self._committer.writer if self._committer is not None else None
        free = shutil.disk_usage(self._layout.data_dir).free if self._layout.data_dir.is_dir() else 0
        return CollectorStatus(
            at=self._clock.monotonic(),
            now=self._steady_clock.now(),
            venues=tuple(session.status() for session in self.sessions),
            disk_free=free,
            unsealed=writer.unsealed if writer else 0,
            waiting=writer.sealer.waiting if writer else 0,
            paused=writer.paused if writer else None,
            lag_p50=self._latency.quantile(50),
            lag_p99=self._latency.quantile(99),
            bucket=self.uploader.status if self.uploader is not None else None,
            rescans=self._rescanner.status if self._rescanner is not None else None,
            clock_steps=self._steady_clock.steps,
        )


async def _look_at_clock(check: Callable[[], None], clock: Clock) -> None:
    """Look at the clock regularly: when feeds are silent and the disk is slow nobody else does, and all is well."""
    while True:
        await clock.sleep(STATUS_INTERVAL)
        check()
