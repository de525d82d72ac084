"""Prepare one run: who could be recorded, how it is done, and what an earlier run left behind.

Kept apart from the job, which begins where everything is ready.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.collect.clock import SteadyClock
from predsurv.collect.output.log_writer import CommitTiming, LogWriter
from predsurv.collect.recording.checkpoint import OpenIntervals, left_open, noted
from predsurv.collect.recording.recorder import Recorder, RecordingPolicy
from predsurv.collect.resume.checkpoint_file import find_notes, keep_notes
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.resume.repair import mend
from predsurv.collect.scheduler import RotationScheduler, SelectionSettings
from predsurv.collect.selection.candidates import CandidateSet, ShardFilter
from predsurv.collect.selection.planner import allot
from predsurv.collect.session import RecordingSession
from predsurv.config import Config
from predsurv.core.errors import ConfigError, TransientError
from predsurv.core.ids import VenueName
from predsurv.ports import Clock, Venue
from predsurv.store.disk_reserve import RESERVE_BYTES
from predsurv.store.layout import NS_DAY, Layout
from predsurv.store.retraction import retract
from predsurv.store.seal.coverage_tail import SealedInterval, last_sealed_times, sealed_coverage_ends, sealed_intervals
from predsurv.store.seal.recovery import RecoveryReport, recover
from predsurv.store.seal.seal import SealOptions
from predsurv.store.universe import latest_universe, read_universe
from predsurv.store.wal import quarantine

CONNECTIONS_MAX: Final = 1_000
"""Connections of one venue; what they cannot carry is not planned."""

_LOG: Final = logging.getLogger(__name__)


class PreparedRun(Struct, frozen=True):
    """What a run begins with: the open log, the ledger, what recovery did, and whether damage has to be mended."""

    writer: LogWriter
    ledger: CoverageIndex
    recovery: RecoveryReport
    mended: bool


def open_sessions(config: Config, venues: Sequence[Venue], clock: Clock, steady: SteadyClock) -> list[RecordingSession]:
    """Return a session for each venue; raises ConfigError when one has no universe or the shard no name of its own."""
    collector = config.collector
    if collector.shard.count > 1 and collector.id == Config().collector.id:
        raise ConfigError(
            f"collector.shard is {collector.shard} and collector.id is still {collector.id!r}: "
            "give each shard its own collector.id, their files go into one folder"
        )
    rosters = {venue.name: _load(config, venue) for venue in venues}
    sizes = {name: sum(each.tradable for each in roster.candidates()) for name, roster in rosters.items()}
    places = allot(collector.max_instruments, sizes)
    sessions = []
    for venue in venues:
        recorder, roster = Recorder(_policy(config, venue)), rosters[venue.name]
        steering = RotationScheduler(recorder, roster, _places(config, roster, places[venue.name], clock.now()), clock)
        sessions.append(RecordingSession(venue, recorder, steering, clock, steady))
    return sessions


def start(config: Config, sessions: Sequence[RecordingSession], clock: Clock) -> PreparedRun:
    """Recover: seal what is in the log, take up what it left open, and open the next segment; the lock is held."""
    layout, collector, storage = Layout(config.data_dir), config.collector.id, config.storage
    options = SealOptions(levels=storage.top_levels, compression=storage.compression_level, reserve_bytes=RESERVE_BYTES)
    try:
        notes = find_notes(layout, collector)
        keep_notes(layout, collector, notes)
        recovery = recover(layout, collector, clock, options)
    except OSError as error:
        raise TransientError(f"cannot read or write {layout.state} ({error}): check the disk, start again") from error
    for damage in recovery.damaged:
        _LOG.warning("%s; kept in %s", damage, layout.quarantine)
    lost = quarantine.damaged_segments(layout, collector)
    known = last_sealed_times(layout, collector, min(lost)) if lost else {}
    ledger = CoverageIndex(layout.state, collector)

    def owed_to(name: VenueName) -> OpenIntervals:
        owed = _owed(name, notes, recovery)
        if lost is None:
            return owed
        since = known.get(name, 0) if lost else owed.mark
        return _mended(name, replace(owed, written=retract(owed.written, since)), layout, ledger, collector)

    for session in sessions:
        session.resume(owed_to(session.venue.name))
        session.steering.past = ledger
    timing = CommitTiming(
        fsync_interval=storage.fsync_interval, seal_interval=storage.seal_interval, seal_bytes=storage.seal_bytes
    )
    writer = LogWriter(layout, collector, clock, timing, options)
    for name in sorted(_venues_of(notes) - {session.venue.name for session in sessions}):
        owed = owed_to(name)
        writer.take(owed.written, noted(name, owed, notes))
    return PreparedRun(writer, ledger, recovery, lost is not None)


def _venues_of(notes: Mapping[str, bytes]) -> set[VenueName]:
    return {VenueName(kind.split(":")[1]) for kind in notes}


def _owed(name: VenueName, notes: Mapping[str, bytes], recovery: RecoveryReport) -> OpenIntervals:
    last = recovery.last
    seen = (ts for key, ts in last.last_seen.items() if key.venue == name) if last else ()
    return left_open(name, notes, max(seen, default=0))


def _mended(
    name: VenueName, owed: OpenIntervals, layout: Layout, ledger: CoverageIndex, collector: str
) -> OpenIntervals:
    """Return what is owed when part of the log was lost: fitted to what is sealed.

    Whoever had a turn in the last day may have had the one before long ago, and what was lost reach back to that.
    """
    since = max(0, owed.mark - NS_DAY)
    tiles = list(sealed_intervals(layout, collector, name, since))
    concerned = {key for key, _, _ in tiles} | {each.key for each in (*owed.written, *owed.gaps)}
    concerned |= {key for key, ended in ledger.every(name).items() if ended >= since}
    earlier = sealed_coverage_ends(layout, collector, name, since)
    tiles += [SealedInterval(key, end, end) for key, end in earlier.items() if key in concerned]
    made = mend(tiles, owed.written, owed.gaps, ledger.ends(concerned))
    latest = max((end for _, _, end in tiles), default=0)
    return OpenIntervals(made.written, made.gaps, max(owed.mark, latest))


def _load(config: Config, venue: Venue) -> CandidateSet:
    path = latest_universe(config.data_dir, venue.name)
    if path is None:
        raise ConfigError(
            f"{venue.name}: no universe in {config.data_dir}; run 'predsurv scan' with the same options first"
        )
    collector = config.collector
    mirrored = venue.traits.complementary_outcomes and not collector.both_outcomes
    roster = CandidateSet(ShardFilter(mirrored=mirrored, shard=collector.shard.index, shards=collector.shard.count))
    for market in read_universe(path):
        roster.add(market)
    return roster


def _places(config: Config, roster: CandidateSet, capacity: int, seed: int) -> SelectionSettings:
    collector = config.collector
    return SelectionSettings(
        capacity=min(capacity, CONNECTIONS_MAX * collector.instruments_per_connection),
        explore_share=collector.explore_share,
        period=collector.rotation_period,
        pinned=roster.named(collector.pinned),
        seed=seed,
    )


def _policy(config: Config, venue: Venue) -> RecordingPolicy:
    storage = config.storage
    return RecordingPolicy(
        top_levels=storage.top_levels,
        snapshot_interval=storage.snapshot_interval,
        heartbeat_interval=storage.heartbeat_interval,
        covered="polled" if venue.traits.polled else "live",
    )
