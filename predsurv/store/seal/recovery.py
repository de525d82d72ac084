"""Recovery at start: seal the segments that an earlier run left, and report how that run ended."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec
import pyarrow.compute as pc
from msgspec import Struct

from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Coverage, Record
from predsurv.ports import Clock
from predsurv.store.files import clear_dir
from predsurv.store.layout import Layout, parse_segment, segments_of
from predsurv.store.retraction import CoverageRetraction
from predsurv.store.seal.coverage_tail import last_sealed_times
from predsurv.store.seal.seal import DEFAULTS, SealOptions, SealReport, seal_segment
from predsurv.store.seal.tables import SegmentContents
from predsurv.store.wal import quarantine
from predsurv.store.wal.segment import SegmentInfo


class ResumeState(Struct, frozen=True):
    """State of an earlier run at its end, from its newest segment. Times in ns UTC.

    ``clean``: the segment was closed. ``last_ts``: time of its latest record, 0 when it has none.
    ``last_seen``: the latest book, change or trade of each instrument. ``last_coverage``: the last
    coverage record of each instrument. ``metadata``: the payloads appended with the log's records, by kind.
    """

    clean: bool
    last_ts: int
    last_seen: Mapping[InstrumentKey, int]
    last_coverage: Mapping[InstrumentKey, Coverage]
    metadata: Mapping[str, bytes]


class RecoveryReport(Struct, frozen=True):
    """Result of recovery: a report per segment, and the state of the earlier run.

    ``last`` is None on a first start, after a clean stop that sealed everything, and when the newest
    segment was too damaged to read (see ``damaged`` of its report).
    """

    seals: tuple[SealReport, ...]
    last: ResumeState | None

    @property
    def damaged(self) -> tuple[str, ...]:
        """Names of everything that could not be read, over all segments."""
        return tuple(f"{seal.segment}: {what}" for seal in self.seals for what in seal.damaged)


Epilogue = Callable[[ResumeState], Sequence[Record]]


def recover(
    layout: Layout, collector: str, clock: Clock, options: SealOptions = DEFAULTS, epilogue: Epilogue | None = None
) -> RecoveryReport:
    """Seal the segments that ``collector`` left, oldest first; call with its CollectorLock held.

    ``epilogue`` returns records to add to the newest segment, such as the coverage that ends in a
    ``crash`` gap: they are sealed in the same step, so a crash during recovery neither loses nor doubles
    them. Coverage in intact segments of time whose records were in a damaged one before them is sealed
    as ``crash`` gaps. Raises as ``seal_segment``.
    """
    clear_dir(layout.staging(collector))
    _remove_orphans(layout, collector)
    found: list[ResumeState] = []

    def ending(segment: SegmentInfo, contents: SegmentContents) -> Sequence[Record]:
        found.append(_state_of(segment, contents))
        return epilogue(found[-1]) if epilogue is not None else ()

    paths = list(segments_of(layout.wal, collector))
    losses, seals = CoverageRetraction(), list[SealReport]()
    for number in quarantine.damaged_segments(layout, collector) or ():  # by an earlier call that was interrupted
        losses.add(last_sealed_times(layout, collector, number))
    options = msgspec.structs.replace(options, rewrite_coverage=losses.apply)
    closing = msgspec.structs.replace(options, epilogue=ending)
    for path in paths:
        seals.append(seal_segment(path, layout, clock, closing if path == paths[-1] else options))
        if seals[-1].damaged:
            # Later segments hold changes of books whose snapshots are lost.
            losses.add(last_sealed_times(layout, collector, parse_segment(path)[1]))
    return RecoveryReport(tuple(seals), found[-1] if found else None)


def _remove_orphans(layout: Layout, collector: str) -> None:
    """Delete SQLite's companion files of segments that are gone, left by a crash between the two deletions."""
    for suffix in ("-wal", "-shm", "-journal"):
        for path in layout.wal.glob(f"{collector}-*.db{suffix}"):
            segment = path.with_name(path.name.removesuffix(suffix))
            with suppress(ValueError):  # no segment's
                if parse_segment(segment)[0] == collector and not segment.exists():
                    path.unlink()


def _state_of(segment: SegmentInfo, contents: SegmentContents) -> ResumeState:
    seen: dict[InstrumentKey, int] = {}
    for dataset in ("deltas", "trades", "snapshots"):
        grouped = contents.tables[dataset].group_by("key").aggregate([("ts_recv", "max")])
        for number, ts in zip(grouped["key"].to_pylist(), grouped["ts_recv_max"].to_pylist(), strict=True):
            key = contents.keys[number]
            seen[key] = max(ts, seen.get(key, ts))
    ends = [coverage.end for coverage in contents.last_coverage.values()]
    changed = pc.max(contents.tables["lifecycle"]["ts_recv"]).as_py() or 0
    last_ts = max([changed, *seen.values(), *ends])
    return ResumeState(segment.complete, last_ts, seen, contents.last_coverage, segment.metadata)
