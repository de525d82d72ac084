"""Replay: every recorded market event of a venue in order of reception, merged from all its files.

Files are opened when the merge reaches their first row and dropped after their last, so memory holds a
few sealed segments, not a day.
"""

from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Final

from predsurv.core.events import BookSnapshot, Gap, MarketEvent
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.store import manifest
from predsurv.store.layout import NS_DAY, NS_HOUR, Dataset, Layout, date_of, parse_file, partition_of, select_data_files
from predsurv.store.manifest import SealedFile
from predsurv.store.read.cursor import (
    RECEPTION_ORDER,
    WINDOW_ROWS_MAX,
    FileCursor,
    OrderedEvent,
    ReplayQuery,
)
from predsurv.store.read.tables import ReplayFile, file_from_footer, split_by_time

_HOURLY: Final[tuple[Dataset, ...]] = ("deltas", "trades")
_DAILY: Final[tuple[Dataset, ...]] = ("coverage", "lifecycle")


def replay(
    data_dir: Path, venue: VenueName, start: int, end: int, instruments: Set[InstrumentKey] | None = None
) -> Iterator[MarketEvent]:
    """Yield the events received in [``start``, ``end``) (ns UTC), of ``instruments`` or all.

    Of an instrument's market all trades and changes are its events, those told on the other outcome included.

    BookSnapshot, BookDelta, Trade, MarketChange, MarketResolved, and a Gap where one began. Order:
    receive time, then order of arrival; gaps before any other event of their time. Each file is
    compared with its manifest, and page checksums are verified. Raises IntegrityError naming the
    damaged file, TransientError when a file was removed meanwhile.
    """
    return replay_query(Layout(data_dir), ReplayQuery(venue, start, end, instruments))


def replay_query(layout: Layout, wanted: ReplayQuery) -> Iterator[MarketEvent]:
    """Yield events as ``replay``."""
    reasons: dict[InstrumentKey, str] = {}  # of instruments whose last book event was a gap
    for event in read_events(layout, wanted):
        if isinstance(event, Gap):
            if reasons.get(event.key) == event.reason:
                continue  # the next piece of the same gap
            reasons[event.key] = event.reason
        elif reasons and isinstance(event, BookSnapshot):
            reasons.pop(event.key, None)
        yield event


def read_events(layout: Layout, wanted: ReplayQuery) -> Iterator[MarketEvent]:
    """Yield events as ``replay``, but a Gap for every piece of a gap."""
    for _, _, _, event in _merge(list_files(layout, wanted), wanted):
        yield event


def _merge(files: Iterator[ReplayFile], wanted: ReplayQuery) -> Iterator[OrderedEvent]:
    """Merge files that are sorted by their first time, holding only those that overlap."""
    keys: dict[tuple[str, str], InstrumentKey] = {}
    active: list[FileCursor] = []
    following = next(files, None)
    while active or following is not None:
        now = min((cursor.time for cursor in active), default=None)
        while following is not None and (now is None or following.lo <= now):
            now = following.lo if now is None else now
            active.append(FileCursor(following, wanted, keys))
            following = next(files, None)
        active = [cursor for cursor in active if not cursor.done]
        yield from _take_step(active, None if following is None else following.lo)
        active = [cursor for cursor in active if not cursor.done]


def _take_step(active: list[FileCursor], following: int | None) -> list[OrderedEvent]:
    bounds = [following, *(cursor.horizon() for cursor in active)]
    before = min((bound for bound in bounds if bound is not None), default=None)
    events: list[OrderedEvent] = []
    for cursor in active:
        events += cursor.take(before)
    events.sort(key=RECEPTION_ORDER)
    return events


def list_files(layout: Layout, wanted: ReplayQuery, rows_max: int | None = None) -> Iterator[ReplayFile]:
    """Yield the files with rows in the queried time by their first time, listing hour by hour.

    One with more than ``rows_max`` rows (None: WINDOW_ROWS_MAX) comes in pieces.
    """
    rows_max = rows_max or WINDOW_ROWS_MAX
    waiting: list[ReplayFile] = []
    sealed: dict[str, SealedFile] = {}
    first = wanted.start // NS_HOUR * NS_HOUR
    for hour in range(first, wanted.end, NS_HOUR):
        if hour == first or hour % NS_DAY == 0:
            sealed = manifest.read_by_path(layout.manifest, date_of(hour))
            waiting += _partition_files(layout, wanted, hour, sealed, datasets=_DAILY, rows_max=rows_max)
        waiting += _partition_files(layout, wanted, hour, sealed, datasets=_HOURLY, rows_max=rows_max)
        yield from sorted((source for source in waiting if source.lo < hour + NS_HOUR), key=_lo)
        waiting = [source for source in waiting if source.lo >= hour + NS_HOUR]


def _lo(source: ReplayFile) -> int:
    return source.lo


def _partition_files(
    layout: Layout,
    wanted: ReplayQuery,
    ts: int,
    sealed: Mapping[str, SealedFile],
    *,
    datasets: tuple[Dataset, ...],
    rows_max: int,
) -> Iterator[ReplayFile]:
    for dataset in datasets:
        if dataset not in wanted.datasets:
            continue
        folder = layout.folder(partition_of(dataset, wanted.venue, ts))
        for path in select_data_files(folder.glob("*.parquet")):
            if wanted.collector not in (None, parse_file(path)[1].collector):
                continue
            file = sealed.get(layout.relative(path))
            if file is None:
                source, rows = file_from_footer(path, dataset)
            else:
                source, rows = ReplayFile(path, dataset, file.lo, file.hi, file.blake2b, file.blake2b), file.rows
            if rows and source.lo < wanted.end and source.hi >= wanted.start:
                yield from split_by_time(source, rows, rows_max)
