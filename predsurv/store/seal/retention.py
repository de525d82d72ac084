"""Retention: delete the oldest hours by age or total size; the only place that deletes recorded data.

Everything before one cutoff is deleted, of all venues and datasets, so the rest is one contiguous
period and coverage never describes hours that are gone. The cutoff is recorded before anything is
deleted, and everything before it counts as removed from then on.
"""

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from predsurv.core.errors import disk_refused
from predsurv.ports import Clock
from predsurv.store import manifest
from predsurv.store.files import PRIVATE_DIR, make_dirs, replace, sync_dir
from predsurv.store.layout import (
    DAY_ROLLUPS,
    HOUR_ROLLUPS,
    NS_HOUR,
    Layout,
    Partition,
    daily_logs,
    data_files,
    date_of,
    end_of,
    parse_file,
    segment_name,
)
from predsurv.store.locks import exclusive_lock, publish_lock
from predsurv.store.remote.upload_journal import earliest_pending
from predsurv.store.schema import TIME
from predsurv.store.seal.compact import CompactOptions, rewrite
from predsurv.store.seal.confirmed import ConfirmedFiles, ConfirmObjects, confirmed_files, put_back, sealed_files
from predsurv.store.universe import universe_files, universe_venues
from predsurv.store.wal.segment import opened_at


class RetentionPolicy(Struct, frozen=True):
    """Limits of what is kept: ``max_age`` in ns, ``max_bytes`` in total; 0 is no limit.

    ``confirm``: delete only what the bucket has too, seen there by this; None where there is none.
    ``compression_level``: zstd level of rewritten coverage. ``on_step``: called with the name of each step before it,
    for fault injection.
    """

    max_age: int = 0
    max_bytes: int = 0
    compression_level: int = 2
    confirm: ConfirmObjects | None = None
    on_step: Callable[[str], None] = lambda _step: None


class ExpireReport(Struct, frozen=True):
    """Everything before ``cutoff`` (ns UTC; 0: nothing ever) is deleted; ``files`` and ``bytes`` were by this call.

    ``kept``: files that were due and stay, since the bucket does not have them as they were sealed.
    """

    cutoff: int = 0
    files: int = 0
    bytes: int = 0
    kept: tuple[str, ...] = ()


def expire(layout: Layout, clock: Clock, policy: RetentionPolicy) -> ExpireReport:
    """Delete the oldest hours until the limits of ``policy`` hold; safe while collectors run, idempotent.

    The current hour stays, and hours that an unsealed log segment may hold rows of. Raises SafetyError
    when another call runs, TransientError when the disk refuses or the bucket does not answer.
    """
    try:
        with exclusive_lock(layout.state / "retention", "removing old data"):
            before = manifest.read_cutoff(layout.manifest)
            cutoff = max(before, _cutoff(layout, clock.now(), policy))
            found = None
            if policy.confirm is not None:
                put_back(layout)
                found = confirmed_files(layout, before, cutoff, policy.confirm)
                cutoff = max(before, found.cutoff)
            if cutoff > before:
                policy.on_step("intend")
                manifest.set_cutoff(layout.manifest, cutoff)
            return _remove(layout, cutoff, policy, found) if cutoff else ExpireReport(kept=found.kept if found else ())
    except OSError as error:
        raise disk_refused(f"cannot remove old data from {layout.data_dir}", error) from error


def _cutoff(layout: Layout, now: int, policy: RetentionPolicy) -> int:
    """Return the start (ns UTC) of the first hour to keep."""
    old = now - policy.max_age if policy.max_age else 0
    full = _first_that_fits(layout, policy.max_bytes) if policy.max_bytes else 0
    unsealed = [opened for path in layout.wal.glob("*.db") if (opened := opened_at(path)) is not None]
    pending = earliest_pending(layout) if policy.confirm is not None else None
    return min(max(old, full), now, *unsealed, *(() if pending is None else (pending,))) // NS_HOUR * NS_HOUR


def _first_that_fits(layout: Layout, bytes_max: int) -> int:
    sizes: Counter[int] = Counter()
    for partition, path in sealed_files(layout):
        sizes[end_of(partition)] += path.stat().st_size
    total = sizes.total()
    cutoff = 0
    for end in sorted(sizes):
        if total <= bytes_max:
            break
        cutoff, total = end, total - sizes[end]
    return cutoff


def _remove(layout: Layout, cutoff: int, policy: RetentionPolicy, confirmed: ConfirmedFiles | None) -> ExpireReport:
    """Remove what is before ``cutoff``, of that only what is ``confirmed`` where there is a bucket."""
    policy.on_step("remove")
    gone = Counter[str]()
    groups: defaultdict[Path, list[Path]] = defaultdict(list)
    for partition, path in sealed_files(layout):
        if end_of(partition) <= cutoff and (confirmed is None or path in confirmed.paths):
            groups[path.parent].append(path)
    make_dirs(layout.expired, PRIVATE_DIR)
    leftover = set(layout.expired.iterdir()) if confirmed is not None else set[Path]()
    for number, folder in enumerate(sorted(groups)):
        policy.on_step(f"take out {number}")
        with publish_lock(layout.state, exclusive=True):
            gone.update(_move_out(folder, _free_name(layout.expired), groups[folder]))
    _trim_coverage(layout, cutoff, policy, confirmed)
    policy.on_step("delete")
    for folder in set(layout.expired.iterdir()) - leftover:
        shutil.rmtree(folder)
    left = [partition.date for partition, _ in sealed_files(layout) if end_of(partition) <= cutoff] if confirmed else []
    first = min([date_of(cutoff), *left])
    _remove_rollups(layout, first)
    _remove_old_metadata(layout, first)
    return ExpireReport(cutoff, gone["files"], gone["bytes"], confirmed.kept if confirmed is not None else ())


def _move_out(folder: Path, home: Path, chosen: Sequence[Path]) -> dict[str, int]:
    """Move the ``chosen`` files in ``folder`` to ``home``, and nothing else; return their ``files`` and ``bytes``."""
    paths = [path for path in chosen if path.exists()]
    counts = {"files": len(paths), "bytes": sum(path.stat().st_size for path in paths)}
    if set(paths) == set(folder.iterdir()):
        replace(folder, home)
        sync_dir(folder.parent)
        _remove_if_empty(folder.parent)
    else:
        make_dirs(home, PRIVATE_DIR)
        for path in paths:
            replace(path, home / path.name)
        sync_dir(folder)
    return counts


def _remove_old_metadata(layout: Layout, first: str) -> None:
    """Delete manifests, then journals, and universes of days before ``first``; each venue keeps its newest universe."""
    for log in (*daily_logs(layout.manifest), *daily_logs(layout.uploads)):
        if log.date < first:
            log.path.unlink()
    for venue in universe_venues(layout.data_dir):
        for date, path in list(universe_files(layout.data_dir, venue).items())[:-1]:
            if date < first:
                path.unlink()
                _remove_if_empty(path.parent)


def _remove_rollups(layout: Layout, first: str) -> None:
    """Delete what was measured of days before ``first``."""
    for folder in (HOUR_ROLLUPS, DAY_ROLLUPS):
        for day in (layout.data_dir / folder).glob("venue=*/date=*"):
            if day.name.removeprefix("date=") < first:
                shutil.rmtree(day)


def _free_name(folder: Path) -> Path:
    taken = {path.name for path in folder.iterdir()}
    return next(folder / str(number) for number in range(len(taken) + 1) if str(number) not in taken)


def _remove_if_empty(folder: Path) -> None:
    if folder.name.startswith("date=") and not any(folder.iterdir()):
        folder.rmdir()


def _trim_coverage(layout: Layout, cutoff: int, policy: RetentionPolicy, confirmed: ConfirmedFiles | None) -> None:
    """Rewrite the coverage of the day of ``cutoff`` without the removed hours."""
    early = {file.path for file in manifest.read(layout.manifest, date_of(cutoff)) if file.lo < cutoff}
    groups: defaultdict[tuple[str, Partition], list[Path]] = defaultdict(list)
    for path in data_files(layout, "coverage"):
        partition, stamp = parse_file(path)
        sealed = not (layout.wal / segment_name(stamp.collector, stamp.segment)).exists()
        if sealed and layout.relative(path) in early and (confirmed is None or path in confirmed.paths):
            groups[stamp.collector, partition].append(path)
    for (collector, partition), paths in groups.items():
        policy.on_step(f"trim {collector}")
        paths.sort(key=lambda path: parse_file(path)[1].segment)
        rewrite(
            layout, collector, {partition: paths}, CompactOptions(policy.compression_level), partial(_since, cutoff)
        )


def _since(cutoff: int, table: Any) -> Any:
    """Return the coverage rows that end after ``cutoff`` (ns UTC), their starts limited to it."""
    instant = pa.scalar(cutoff, pa.int64()).cast(TIME)
    table = table.filter(pc.greater(table["end"], instant))
    start = pc.if_else(pc.less(table["start"], instant), instant, table["start"])
    return table.set_column(table.schema.get_field_index("start"), table.schema.field("start"), start)
