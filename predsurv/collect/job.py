"""Run a recording: start up by recovering, record every venue, stop in good order.

Kept apart from the sessions, the recorder and the writer because all that is left here is their
order in time.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from msgspec import Struct

from predsurv.collect.carryover import find_notes, keep_notes
from predsurv.collect.meter import Meter
from predsurv.collect.notebook import left_open
from predsurv.collect.panel import Lags, Reading
from predsurv.collect.recorder import Policy, Recorder
from predsurv.collect.report import CollectReport, VenueReport
from predsurv.collect.roster import Roster, Scope
from predsurv.collect.rotation import History, Plan, allot, plan
from predsurv.collect.session import Session
from predsurv.collect.steering import Places, Steering
from predsurv.collect.timekeeping import StepWatch
from predsurv.collect.writer import Timing, Writer
from predsurv.config import Config
from predsurv.core.errors import ConfigError
from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.ports import Clock, Venue
from predsurv.store.intake import LogFact, LogPaused, LogResumed
from predsurv.store.lock import DataLock
from predsurv.store.paths import Layout
from predsurv.store.recovery import RecoveryReport, recover
from predsurv.store.seal import SealOptions
from predsurv.store.universe import latest_universe, read_universe
from predsurv.telemetry.metrics import Metrics

FLUSH_INTERVAL: Final = 40_000_000
"""How often (ns) records are committed; with the commit itself they are in the log 50 ms after they arrived."""

_LOG: Final = logging.getLogger(__name__)


class Aids(Struct, frozen=True):
    """What a recording can use and can do without: measured interestingness (micros) by venue, and metrics."""

    scores: Callable[[VenueName], Mapping[InstrumentKey, int]] = lambda _: {}
    metrics: Metrics | None = None


class Job:
    """One run of the collector over some venues. ``stop`` ends it in good order, from anywhere in the loop's thread."""

    def __init__(self, config: Config, venues: Sequence[Venue], clock: Clock, aids: Aids) -> None:
        """Read the universe of each venue; raises ConfigError when one has none."""
        self._config = config
        self._clock = clock
        self._scores = aids.scores
        self._meter = Meter(aids.metrics)
        self._layout = Layout(config.data_dir)
        self._stopping = asyncio.Event()
        self._steps = StepWatch(clock)
        self._writer: Writer | None = None
        self._recovery = RecoveryReport((), None)
        rosters = {venue.name: _load(config, venue) for venue in venues}
        sizes = {name: sum(each.tradable for each in roster.candidates()) for name, roster in rosters.items()}
        places = allot(config.collector.max_instruments, sizes)
        self.sessions: list[Session] = []
        for venue in venues:
            recorder, roster = Recorder(_policy(config, venue)), rosters[venue.name]
            steering = Steering(recorder, roster, _places(config, roster, places[venue.name]), clock)
            session = Session(venue, recorder, steering, clock)
            session.on_batch = partial(self._on_batch, venue.name)
            self.sessions.append(session)

    def preview(self) -> dict[VenueName, Plan]:
        """Return what would be recorded first, without connecting anywhere."""
        return {
            session.venue.name: plan(session.steering.demand(self._scores(session.venue.name)), History())
            for session in self.sessions
        }

    def stop(self) -> None:
        """Ask the run to end: everything is written, sealed and accounted for first."""
        self._stopping.set()

    def reading(self) -> Reading:
        """Return the running totals; delays are those since the last call."""
        lags, now = Lags(), self._clock.monotonic()
        for session in self.sessions:
            lags, session.recent_lags = lags.merge(session.recent_lags), Lags()
        tallies = [session.recorder.tally for session in self.sessions]
        rotations = [each.steering.next_rotation - now for each in self.sessions if each.steering.plan is not None]
        writer = self._writer
        return Reading(
            at=now,
            events=sum(tally.events for tally in tallies),
            wanted=sum(len(session.recorder.fold.lines) for session in self.sessions),
            trusted=sum(tally.trusted for tally in tallies),
            connections=sum(tally.connections for tally in tallies),
            gaps=sum(tally.gaps.total() for tally in tallies),
            rows=self._meter.rows.total(),
            bytes=self._meter.bytes.total() + (writer.unsealed if writer else 0),
            next_rotation=min(rotations, default=None),
            lags=lags,
        )

    async def run(self, duration: int | None = None) -> CollectReport:
        """Record until stopped, until ``duration`` (ns) has passed, or until every feed is over.

        Raises SafetyError when another collector holds the lock, IntegrityError when the disk
        cannot be trusted; what was committed until then is sealed by the next start.
        """
        began = self._clock.monotonic()
        with DataLock(self._layout.state, self._config.collector.id):
            writer = await asyncio.to_thread(self._start)
            await self._commit(writer)
            try:
                await self._record(writer, None if duration is None else began + duration)
            finally:
                for session in self.sessions:
                    session.records += session.recorder.stop()
                await self._commit(writer)
                await asyncio.to_thread(writer.finish)
                self._meter.sealed(writer.reports())
        return CollectReport(
            venues=tuple(map(_venue_report, self.sessions)),
            rows={**self._meter.rows},
            bytes={**self._meter.bytes},
            seals=self._meter.seals,
            recovered=len(self._recovery.seals),
            damaged=(*self._recovery.damaged, *self._meter.damaged),
            duration=self._clock.monotonic() - began,
        )

    def _start(self) -> Writer:
        """Recover: seal what is in the log, take up what it left open, and open the next segment."""
        collector, storage = self._config.collector.id, self._config.storage
        notes = find_notes(self._layout, collector)
        keep_notes(self._layout, collector, notes)
        options = SealOptions(levels=storage.top_levels, compression=storage.compression_level)
        self._recovery = recover(self._layout, collector, self._clock, options)
        last = self._recovery.last
        for session in self.sessions:
            name = session.venue.name
            seen = (ts for key, ts in last.last_seen.items() if key.venue == name) if last else ()
            written, gaps = left_open(name, notes, max(seen, default=0))
            session.resume(written, gaps)
            self._meter.gaps(name, "crash", sum(gap.reason == "crash" for gap in gaps))
        for damage in self._recovery.damaged:
            _LOG.warning("%s; kept in %s", damage, self._layout.quarantine)
        timing = Timing(
            fsync_interval=storage.fsync_interval, seal_interval=storage.seal_interval, seal_bytes=storage.seal_bytes
        )
        self._writer = Writer(self._layout, collector, self._clock, timing, options)
        return self._writer

    async def _record(self, writer: Writer, deadline: int | None) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                feeds = [
                    group.create_task(session.run(partial(self._scores, session.venue.name)))
                    for session in self.sessions
                ]
                sealing = group.create_task(writer.seal_waiting())
                while not (self._stopping.is_set() or all(task.done() for task in feeds)):
                    await self._turn(writer)
                    if deadline is not None and self._clock.monotonic() >= deadline:
                        break
                    await self._clock.sleep(FLUSH_INTERVAL)
                for task in (*feeds, sealing):
                    task.cancel()
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _turn(self, writer: Writer) -> None:
        self._watch_clock()
        wanted = [(session.venue.name, len(session.recorder.fold.lines)) for session in self.sessions]
        self._meter.levels(wanted, sum(len(session.records) for session in self.sessions), writer.waiting)
        self._meter.sealed(writer.reports())
        for session in self.sessions:
            session.settle()
        await self._commit(writer)
        if writer.seal_due:
            for session in self.sessions:
                session.records += session.recorder.cut()
            await self._commit(writer)
            await writer.rotate()

    async def _commit(self, writer: Writer) -> None:
        taken = [session.take() for session in self.sessions]
        marks = [session.recorder.mark for session in self.sessions]
        records = [record for kept, _ in taken for record in kept]
        facts = await writer.write(records, [note for _, notes in taken for note in notes])
        for fact in facts:
            self._react(fact, marks)

    def _react(self, fact: LogFact, marks: Sequence[int]) -> None:
        if isinstance(fact, LogPaused):
            _LOG.warning("nothing can be written (%s): a gap until the disk has room again", fact.reason)
            for session, mark in zip(self.sessions, marks, strict=True):
                session.records += session.recorder.interrupt("disk_full", mark)
                self._meter.gaps(session.venue.name, "disk_full", len(session.recorder.fold.lines))
        elif isinstance(fact, LogResumed):
            _LOG.warning("the disk has room again; %d records were let go", fact.refused)
            for session in self.sessions:
                session.steering.refresh()

    def _on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        self._watch_clock()
        self._meter.batch(venue, batch)

    def _watch_clock(self) -> None:
        now = self._steps.jumped()
        if now is None:
            return
        _LOG.warning("the wall clock jumped; recorded as a gap")
        for session in self.sessions:
            session.step_clock(now)
            self._meter.gaps(session.venue.name, "clock_step", len(session.recorder.fold.lines))


def _venue_report(session: Session) -> VenueReport:
    tally = session.recorder.tally
    return VenueReport(
        venue=session.venue.name,
        instruments=len(session.steering.recorded),
        events=tally.events,
        orphans=tally.orphans,
        malformed=tally.malformed,
        unknown=tally.unknown,
        dropped=tally.dropped,
        gaps=dict(tally.gaps),
        covered_ns=session.balance.covered,
        gap_ns=dict(session.balance.gaps),
        lag_p50=session.lags.quantile(50),
        lag_p99=session.lags.quantile(99),
        lag_peak=session.lags.peak,
        failure=session.failure,
    )


def _load(config: Config, venue: Venue) -> Roster:
    path = latest_universe(config.data_dir, venue.name)
    if path is None:
        raise ConfigError(
            f"{venue.name}: no universe in {config.data_dir}; run 'predsurv scan' with the same options first"
        )
    collector = config.collector
    mirrored = venue.traits.complementary_outcomes and not collector.both_outcomes
    roster = Roster(Scope(mirrored=mirrored, shard=collector.shard.index, shards=collector.shard.count))
    for market in read_universe(path):
        roster.add(market)
    return roster


def _places(config: Config, roster: Roster, capacity: int) -> Places:
    collector = config.collector
    return Places(
        capacity=capacity,
        explore_share=collector.explore_share,
        period=collector.rotation_period,
        pinned=roster.named(collector.pinned),
    )


def _policy(config: Config, venue: Venue) -> Policy:
    storage = config.storage
    return Policy(
        top_levels=storage.top_levels,
        snapshot_interval=storage.snapshot_interval,
        heartbeat_interval=storage.heartbeat_interval,
        covered="polled" if venue.traits.polled else "live",
    )
