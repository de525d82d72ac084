"""The recording of one venue: its feed, its recorder, its scheduler.

Sessions are independent: a venue that cannot be reached does not stop the others.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec.structs import replace

from predsurv.collect.clock import ClockOffset, SteadyClock
from predsurv.collect.recording.recorder import Recorder
from predsurv.collect.resume.checkpoint import CheckpointEntry, CheckpointWriter, OpenIntervals, digest_of
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.scheduler import MinedScores, RotationScheduler
from predsurv.collect.status import (
    CoverageTotals,
    LatencyHistogram,
    State,
    VenueStatus,
    connections_of,
    latency_of,
    missing_of,
    missing_text,
    phase_text,
    state_of,
)
from predsurv.core.errors import PermanentError, TransientError
from predsurv.core.events import ChannelChange, GapReason, MarketChange, VenuePhase
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.level_changes import PackedEvent, PackedRecord
from predsurv.core.records import Coverage, Record
from predsurv.ports import Clock, Feed, PackingFeed, Venue, Verifying
from predsurv.state.coverage import NOT_WANTED
from predsurv.store.retraction import retract

RETRY_INTERVAL: Final = 30_000_000_000
"""How long (ns) to wait before a feed that failed is opened anew."""

ALIVE_INTERVAL: Final = 1_000_000_000
"""How often (ns) the watermark of a silent feed is checkpointed: the precision of a crash gap's start."""

CLOSE_SECONDS_MAX: Final = 2.0

BatchObserver = Callable[[VenueName, Sequence[PackedEvent]], None]
"""Called with every batch of a venue before it is recorded."""

_LOG: Final = logging.getLogger(__name__)


class RecordingSession:
    """One venue's recording. Records gather in ``records`` until ``take``; ``totals`` sum up what was taken.

    ``coverage``: the recorder's open intervals. ``latency`` is of the whole run, ``recent_latency`` since
    it was taken last. ``failure``: the last fault of the feed, None when there was none.
    """

    def __init__(
        self,
        venue: Venue,
        recorder: Recorder,
        scheduler: RotationScheduler,
        *,
        clock: Clock,
        steady_clock: SteadyClock,
        on_batch: BatchObserver,
    ) -> None:
        self.venue = venue
        self.recorder = recorder
        self.coverage = recorder.coverage
        self.scheduler = scheduler
        self.records: list[PackedRecord] = []
        self.totals = CoverageTotals(since=clock.now())
        self.latency = LatencyHistogram()
        self.recent_latency = LatencyHistogram()
        self.failure: str | None = None
        self._on_batch = on_batch
        self._checkpoint = CheckpointWriter(venue.name)
        self._clock = clock
        self._steady_clock = steady_clock
        self._offset = ClockOffset()
        self._began = clock.monotonic()
        self._state: State = "idle"
        self._phase: VenuePhase | None = None  # as logged
        self._batches = 0
        self._checkpointed = 0
        self._quiet_since = (0, 0)  # batches so far, and when (ns UTC) that was so

    def resume(
        self, left: OpenIntervals, waiting: Mapping[InstrumentKey, int], exploited: AbstractSet[bytes] = frozenset()
    ) -> None:
        """Take over what an earlier run left open; ``waiting``: what the index has as waiting, since when (ns UTC).

        ``exploited``: digests of the instruments that it recorded for being interesting.
        """
        self._steady_clock.not_before(left.watermark)
        self.recorder.advance(left.watermark)  # the first checkpoint must not be behind the earlier run's last
        crashed = sum(gap.reason == "crash" for gap in left.gaps)
        if crashed:
            self.recorder.counters.gaps["crash"] += crashed
        self.coverage.resume(left.gaps)
        self.records += left.written
        since = {key: waiting[key] for key in self.coverage.untracked(waiting)}
        since |= {gap.key: gap.start for gap in left.gaps if gap.reason == "no_capacity"}
        recorded = [gap.key for gap in left.gaps if gap.key not in since]
        kept = [key for key in recorded if digest_of(key) in exploited]
        self.records += self.scheduler.resume(recorded, since, left.watermark, kept)

    def take(self) -> tuple[list[PackedRecord], list[CheckpointEntry]]:
        """Return the records since the last call and the checkpoint entries that belong into the same commit."""
        records, self.records = self.records, []
        self.scheduler.learning.count(records)
        for record in records:
            if type(record) is Coverage:
                self.totals.add(record)
        entries = self._checkpoint.update(self.coverage.take_changes())
        entries += self._checkpoint.channels(self.coverage.channels.states)
        if self.scheduler.plan is not None:
            entries += self._checkpoint.exploited(self.scheduler.plan.history.exploited)
            period = self.scheduler.settings.rotation_period
            entries += self._checkpoint.rotation(self.scheduler.rotations, period, self._clock.now())
        now = self._clock.monotonic()
        if entries or now - self._checkpointed >= ALIVE_INTERVAL:
            self._checkpointed = now
            entries.append(self._checkpoint.alive(self.recorder.watermark))
        return records, entries

    def pause(self, watermark: int) -> None:
        """Make all time after ``watermark`` (ns UTC), which the log did not take, a ``disk_full`` gap until ``unmute``.

        Covered time since then in records not yet taken, of instruments that left meanwhile, is retracted.
        """
        kept: list[PackedRecord] = []
        for record in self.records:
            kept += retract([record], watermark, "disk_full") if type(record) is Coverage else [record]
        self.records = [*kept, *self.recorder.interrupt("disk_full", watermark, mute=True)]

    def retract_since(self, since: int) -> None:
        """Make everything from ``since`` (ns UTC) on a ``crash`` gap until new snapshots: its records were lost."""
        self.records += self.recorder.interrupt("crash", since)
        self.scheduler.request_snapshots()

    def settle(self) -> None:
        """Advance the watermark while the feed is silent; call it regularly.

        When no batch came between two calls, everything received before the first of them has been
        recorded: the feed had its turn in between.
        """
        now = self._steady_clock.now()
        batches, since = self._quiet_since
        if batches == self._batches and since:
            self.records += self.recorder.advance(since)
        self._quiet_since = (self._batches, now)

    def step_clock(self, now: int, reason: GapReason) -> None:
        """Go on at ``now`` (ns UTC) after the wall clock jumped, or the process stood still."""
        self._offset.forget()
        self._quiet_since = (self._batches, 0)
        self.records += self.recorder.step_clock(now, reason)
        self._steady_clock.not_before(self.recorder.watermark)

    def status(self) -> VenueStatus:
        """Return the venue's status; logs a change of its state."""
        recorder, scheduler, now = self.recorder, self.scheduler, self._clock.monotonic()
        counters, made, wanted = recorder.counters, scheduler.plan, len(recorder.instruments)
        state = state_of(self._state, wanted, counters.trusted, now - self._began)
        missing = missing_of(counters.lost.values(), wanted - counters.trusted)
        if state not in ("idle", self._state):
            level = logging.WARNING if state in ("degraded", "blind") else logging.INFO
            known = f"{counters.trusted} of {wanted} wanted books are known"
            known += f" (missing: {missing_text(missing)})" if missing else ""
            _LOG.log(level, "%s: %s: %s", self.venue.name, state, known)
        self._state = state
        if counters.phase is not None and counters.phase != self._phase:
            if self._phase is not None or counters.phase.phase != "open":
                _LOG.warning("%s: %s", self.venue.name, phase_text(counters.phase))
            self._phase = counters.phase
        connections = connections_of(counters.connected_since, recorder.instruments.values())
        period = scheduler.settings.rotation_period
        return VenueStatus(
            venue=self.venue.name,
            state=state,
            wanted=wanted,
            trusted=counters.trusted,
            events=counters.events,
            connects=counters.connects,
            connections=connections,
            gaps=dict(counters.gaps),
            last_data=max((each.last_data for each in connections), default=0),
            next_rotation=None if made is None else max(0, scheduler.next_rotation - now),
            all_seen=None if made is None or not made.unseen else made.unseen_periods() * period,
            revisit=None if made is None or not made.revisit else made.revisit * period,
            failure=self.failure,
            phase=counters.phase,
            waiting=len(scheduler.admission.waiting),
            missing=missing,
            clock_offset=self._offset.reading(now),
            gap_ns={reason: ns for reason, ns in self.totals.gaps.items() if reason not in NOT_WANTED},
            proofs=self.venue.verification_counts() if isinstance(self.venue, Verifying) else {},
        )

    async def run(self, index: CoverageIndex, mined: MinedScores) -> None:
        """Record until cancelled or until the feed ends; a fault of the venue is kept in ``failure``."""
        self.recorder.advance(self._steady_clock.now())
        self.scheduler.admission.unaccounted.began = self.recorder.watermark
        while True:
            try:
                await self._run_feed(index, mined)
            except (TransientError, PermanentError) as error:
                final = isinstance(error, PermanentError)
                self.failure = str(error)
                self.records += self.recorder.interrupt("disconnect")
                self.recorder.counters.connected_since.clear()
                _LOG.warning(
                    "%s: %s; %s", self.venue.name, error, "the other venues go on" if final else "trying again"
                )
                if final:
                    return
            else:
                return
            await self._clock.sleep(RETRY_INTERVAL)

    async def _run_feed(self, index: CoverageIndex, mined: MinedScores) -> None:
        def keep(records: list[Record]) -> None:
            self.records += records

        async def read() -> None:
            async for batch in batches:
                self._on_batch(self.venue.name, batch)
                self._batches += 1
                self._take_in(batch)

        for channel in channels_at_start(self.venue, self.recorder.watermark):
            self.records += self.coverage.apply(channel)
        feed = self.venue.feed()
        batches = feed.packed_batches() if isinstance(feed, PackingFeed) else feed.batches()
        scheduling = asyncio.create_task(self.scheduler.run(feed, index, mined, keep))
        reading = asyncio.create_task(read())
        try:
            await asyncio.wait((scheduling, reading), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not await _end(feed, scheduling, reading):
                self.failure = f"{self.venue.name}: the feed did not close in {CLOSE_SECONDS_MAX:g} s"
        for task in (scheduling, reading):
            if not task.cancelled():
                task.result()

    def learn(self, listed: Iterable[MarketChange]) -> int:
        """Take in what a list says of markets while a feed runs; return the number of those with news."""
        at = self.recorder.watermark
        records = self.recorder.learn(replace(each, ts_recv=at) for each in listed)
        self.records += records
        self.records += self.scheduler.follow(self.recorder.take_lifecycle())
        return len(records)

    def _take_in(self, batch: Sequence[PackedEvent]) -> None:
        self._offset.observe(batch, self._clock.now(), self._clock.monotonic())
        latency = latency_of(batch)
        if latency is not None:
            self.latency.add(latency)
            self.recent_latency.add(latency)
        stamped = self._steady_clock.stamp(batch)
        self.records += self.recorder.apply(stamped, self._steady_clock.time)
        self.records += self.scheduler.follow(self.recorder.take_lifecycle())


def channels_at_start(venue: Venue, ts: int) -> list[ChannelChange]:
    """Return what says, at ``ts`` (ns UTC), how a new feed of ``venue`` observes the channels beside books."""
    traits = venue.traits
    return [
        ChannelChange(venue.name, ts, "trades", traits.trades),
        ChannelChange(venue.name, ts, "lifecycle", traits.lifecycle),
    ]


async def _end(feed: Feed, *tasks: asyncio.Task[None]) -> bool:
    """Stop the tasks and close the feed; return whether it closed in time."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    try:
        async with asyncio.timeout(CLOSE_SECONDS_MAX):
            await feed.aclose()
    except TimeoutError:
        return False
    return True
