"""Prepare one run: sessions from the universe and configuration, and what an earlier run left behind."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from predsurv.collect.clock import SteadyClock
from predsurv.collect.output.log_writer import CommitTiming, LogWriter
from predsurv.collect.output.sealer import Sealer
from predsurv.collect.pins import PinnedNames, malformed_pins
from predsurv.collect.recording.recorder import Recorder, RecordingPolicy
from predsurv.collect.resume.checkpoint import (
    OpenIntervals,
    entries_after,
    exploited_in,
    find_checkpoint,
    open_intervals,
    store_checkpoint,
    venues_in,
)
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.resume.damage import DamageTracker, StartupRepair, find_damage
from predsurv.collect.scheduler import RotationScheduler, SelectionSettings
from predsurv.collect.selection.candidates import CandidateSet, ShardFilter
from predsurv.collect.selection.interest import LiveWeights
from predsurv.collect.selection.planner import allot
from predsurv.collect.session import BatchObserver, RecordingSession
from predsurv.config import CollectorConfig, Config
from predsurv.config.value_types import Shard
from predsurv.core.errors import ConfigError, TransientError
from predsurv.core.ids import VenueName
from predsurv.ports import Clock, Venue
from predsurv.store.disk_reserve import RESERVE_BYTES
from predsurv.store.layout import Layout
from predsurv.store.manifest import last_times
from predsurv.store.seal.recovery import RecoveryReport, recover
from predsurv.store.seal.seal import SealOptions
from predsurv.store.universe import latest_universe, read_universe

CONNECTIONS_MAX: Final = 1_000
"""Connections of one venue; instruments beyond what they can carry are not planned."""

GROWTH_PART: Final = 4
GROWTH_LEAST: Final = 100
"""Places that a venue gets beyond its markets at the start: one in GROWTH_PART of these, at least GROWTH_LEAST."""

_LOG: Final = logging.getLogger(__name__)


class PreparedRun(Struct, frozen=True):
    """What a run begins with: the open log, the coverage index, what recovery did, and the repair of damage.

    ``repair`` is None when nothing was damaged; it is to be cleared after the first commit.
    """

    writer: LogWriter
    index: CoverageIndex
    damage: DamageTracker
    recovery: RecoveryReport
    repair: StartupRepair | None


def open_sessions(
    config: Config,
    venues: Sequence[Venue],
    *,
    clock: Clock,
    steady_clock: SteadyClock,
    on_batch: BatchObserver,
    weights: LiveWeights,
    process: Shard,
) -> list[RecordingSession]:
    """Return a session for each venue. ``weights``: of what can be seen live in mined scores; ``process``: which one.

    Raises ConfigError when a venue has no universe, or a shard has no collector.id of its own.
    """
    collector = config.collector
    check_shard(collector)
    if malformed := malformed_pins(collector.pinned):
        raise ConfigError("; ".join(malformed))
    candidates = {venue.name: _candidates(config, venue, process) for venue in venues}
    capacities = _capacities(collector.max_instruments, candidates)
    sessions = []
    for venue in venues:
        recorder, found = Recorder(_policy(config, venue), candidates[venue.name].fold), candidates[venue.name]
        settings = _settings(config, capacities[venue.name], clock.now(), weights)
        scheduler = RotationScheduler(recorder, found, settings, clock)
        sessions.append(
            RecordingSession(venue, recorder, scheduler, clock=clock, steady_clock=steady_clock, on_batch=on_batch)
        )
    return sessions


def check_shard(collector: CollectorConfig) -> None:
    """Raise ConfigError when one of several shards has the name that every recorder has by default."""
    if collector.shard.count > 1 and collector.id == CollectorConfig().id:
        raise ConfigError(
            f"collector.shard is {collector.shard} and collector.id is still {collector.id!r}: "
            "give each shard its own collector.id, their files go into one folder"
        )


def start(config: Config, sessions: Sequence[RecordingSession], clock: Clock) -> PreparedRun:
    """Recover: seal what is in the log, resume what it left open, and open the next segment; the lock is held.

    Raises TransientError when the disk refuses, IntegrityError when the checkpoint cannot be decoded.
    """
    layout, collector, storage = Layout(config.data_dir), config.collector.id, config.storage
    options = SealOptions(
        top_levels=storage.top_levels, compression_level=storage.compression_level, reserve_bytes=RESERVE_BYTES
    )
    try:
        checkpoint = find_checkpoint(layout, collector)
        store_checkpoint(layout, collector, checkpoint)
        recovery = recover(layout, collector, clock, options)
    except OSError as error:
        raise TransientError(f"cannot read or write {layout.state} ({error}): check the disk, start again") from error
    for damage in recovery.damaged:
        _LOG.warning("%s; kept in %s", damage, layout.quarantine)
    repair = find_damage(layout, collector)
    index = CoverageIndex(layout.state, collector)
    sealed = last_times(layout.manifest, collector)  # also by a recovery that was killed, whose log is gone

    def left_open(venue: VenueName) -> OpenIntervals:
        left = open_intervals(venue, checkpoint, max(_last_record(venue, recovery), sealed.get(venue, 0)))
        return left if repair is None else repair.repaired(venue, left, index)

    for session in sessions:
        name = session.venue.name
        session.resume(left_open(name), index.waiting(name), exploited_in(name, checkpoint))
    timing = CommitTiming(
        fsync_interval=storage.fsync_interval, seal_interval=storage.seal_interval, seal_bytes=storage.seal_bytes
    )
    tracker = DamageTracker(layout, collector)
    writer = LogWriter(layout, collector, clock, timing, Sealer(layout, clock, options, tracker.retraction))
    for venue in sorted(venues_in(checkpoint) - {session.venue.name for session in sessions}):
        left = left_open(venue)
        writer.buffer(left.written, entries_after(venue, left, checkpoint))
    return PreparedRun(writer, index, tracker, recovery, repair)


def _last_record(venue: VenueName, recovery: RecoveryReport) -> int:
    """Return the time (ns UTC) of the latest record of ``venue`` in the newest segment, 0 when there is none."""
    if recovery.last is None:
        return 0
    return max((ts for key, ts in recovery.last.last_seen.items() if key.venue == venue), default=0)


def _candidates(config: Config, venue: Venue, process: Shard) -> CandidateSet:
    path = latest_universe(config.data_dir, venue.name)
    if path is None:
        raise ConfigError(
            f"{venue.name}: no universe in {config.data_dir}; run 'predsurv scan' with the same options first"
        )
    collector = config.collector
    complementary = venue.traits.complementary_outcomes
    shard_filter = ShardFilter(
        mirrored=complementary and not collector.both_outcomes,
        shard=collector.shard.index,
        shards=collector.shard.count,
        complementary=complementary,
        process=process.index,
        processes=process.count,
    )
    candidates, names = CandidateSet(shard_filter, collector.pinned), PinnedNames(collector.pinned, venue.name)
    for market in read_universe(path):
        candidates.add(market)
        names.see(market)
    if unknown := list(names.complaints(path)):
        raise ConfigError("; ".join(unknown))
    return candidates


def _capacities(capacity: int, candidates: Mapping[VenueName, CandidateSet]) -> dict[VenueName, int]:
    """Divide the places among venues, with room for the markets that each will list while recording."""
    tradable = {name: sum(each.tradable for each in found.candidates()) for name, found in candidates.items()}
    needed = {name: size + max(size // GROWTH_PART, GROWTH_LEAST) for name, size in tradable.items()}
    places = allot(capacity, needed)
    spare = (capacity - sum(places.values())) // max(len(places), 1)
    return {name: number + spare for name, number in places.items()}


def _settings(config: Config, capacity: int, seed: int, weights: LiveWeights) -> SelectionSettings:
    collector = config.collector
    return SelectionSettings(
        capacity=min(capacity, CONNECTIONS_MAX * collector.instruments_per_connection),
        explore_share=collector.explore_share,
        rotation_period=collector.rotation_period,
        seed=seed,
        weights=weights,
    )


def _policy(config: Config, venue: Venue) -> RecordingPolicy:
    storage = config.storage
    return RecordingPolicy(
        top_levels=storage.top_levels,
        snapshot_interval=storage.snapshot_interval,
        heartbeat_interval=storage.heartbeat_interval,
        covered="polled" if venue.traits.polled else "live",
    )
