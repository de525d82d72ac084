"""Read back for which time a collector has already written coverage.

Kept apart because it is needed only after damage: then what the log said is incomplete, and only
what was sealed can tell where the account of an instrument really stands.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.store import manifest
from predsurv.store.layout import Layout, Partition, dataset_files, date_of, ours, parse_file

Tile = tuple[InstrumentKey, int, int]
"""(instrument, start, end), ns UTC, end exclusive."""

_COLUMNS: Final = ["market_id", "instrument_id", "start", "end"]


def sealed_tiles(layout: Layout, collector: str, venue: VenueName, since: int) -> Iterator[Tile]:
    """Yield what ``collector`` wrote of ``venue`` on the day of ``since`` (ns UTC) and later, file by file.

    A file that cannot be read is passed over: what it accounts for comes out as a hole, which a
    verification then names together with the file.
    """
    first = date_of(since)
    folder = layout.folder(Partition("coverage", venue, first, None)).parent
    for path in ours(folder.glob("date=*/*.parquet")):
        partition, stamp = parse_file(path)
        if partition.date < first or stamp.collector != collector:
            continue
        try:
            table: Any = pq.read_table(path, columns=_COLUMNS, partitioning=None, page_checksum_verification=True)
        except (OSError, pa.ArrowException):
            continue
        times = (table[name].cast(pa.int64()).to_pylist() for name in ("start", "end"))
        ids = (table[name].to_pylist() for name in ("market_id", "instrument_id"))
        for market, instrument, start, end in zip(*ids, *times, strict=True):
            yield InstrumentKey(venue, MarketId(market), InstrumentId(instrument)), start, end


def sealed_ends(layout: Layout, collector: str, venue: VenueName, before: int) -> dict[InstrumentKey, int]:
    """Return where the last tile of each instrument ended that ``collector`` wrote on days before that of ``before``.

    A file that cannot be read is passed over.
    """
    first = date_of(before)
    ends: dict[InstrumentKey, int] = {}
    folder = layout.folder(Partition("coverage", venue, first, None)).parent
    for path in ours(folder.glob("date=*/*.parquet")):
        partition, stamp = parse_file(path)
        if partition.date >= first or stamp.collector != collector:
            continue
        try:
            table: Any = pq.read_table(path, columns=_COLUMNS, partitioning=None, page_checksum_verification=True)
        except (OSError, pa.ArrowException):
            continue
        latest = table.group_by(["market_id", "instrument_id"]).aggregate([("end", "max")])
        columns = (latest[name].to_pylist() for name in ("market_id", "instrument_id"))
        for market, instrument, end in zip(*columns, latest["end_max"].cast(pa.int64()).to_pylist(), strict=True):
            key = InstrumentKey(venue, MarketId(market), InstrumentId(instrument))
            ends[key] = max(end, ends.get(key, 0))
    return ends


def sealed_until(layout: Layout, collector: str, segment: int) -> dict[VenueName, int]:
    """Return by venue the time (ns UTC) of the latest row that ``collector`` sealed of segments before ``segment``.

    A venue's rows are written in order, so that none in ``segment`` is from before. When that was
    opened does not say so: what had arrived and was not committed by then is in it as well.
    """
    latest: dict[VenueName, int] = {}
    for file in manifest.read(layout.manifest) if layout.manifest.is_dir() else ():
        partition, stamp = parse_file(Path(file.path))
        if stamp.collector == collector and stamp.segment < segment:
            latest[partition.venue] = max(file.hi, latest.get(partition.venue, 0))
    return latest


def observed(layout: Layout, venue: VenueName, date: str) -> int:
    """Return the time for which books of ``venue`` were known on ``date``, in ns, summed over instruments.

    A file that cannot be read counts nothing.
    """
    total = 0
    for path in dataset_files(layout.data_dir, "coverage", venue, date):
        columns = ["start", "end", "state"]
        try:
            table: Any = pq.read_table(path, columns=columns, partitioning=None, page_checksum_verification=True)
        except (OSError, pa.ArrowException):
            continue
        covered = table.filter(pc.equal(table["state"], "covered"))
        span = pc.subtract(covered["end"].cast(pa.int64()), covered["start"].cast(pa.int64()))
        total += pc.sum(span).as_py() or 0
    return total
