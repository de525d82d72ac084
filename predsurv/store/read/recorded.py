"""What was recorded of a venue, by its coverage: which instruments, by whom, and from when to when."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.store.layout import Layout, day_files, parse_file
from predsurv.store.read.verify_digests import check_intact, retry_if_replaced

_COLUMNS: Final = ["market_id", "instrument_id", "start", "end", "state"]


class RecordedSpan(Struct):
    """The time from the ``first`` covered moment of an instrument to its ``last`` (ns UTC), by one collector."""

    key: InstrumentKey
    collector: str
    first: int
    last: int


class RecordedDays(Struct, frozen=True):
    """What the coverage of some days says.

    ``spans``: of every instrument and collector with any covered time. ``dates``: the days (YYYY-MM-DD) that have
    coverage rows at all; on the others nothing was recorded, or what was cannot be trusted.
    """

    spans: tuple[RecordedSpan, ...]
    dates: frozenset[str]

    def keys(self) -> frozenset[InstrumentKey]:
        """Return the instruments that were recorded."""
        return frozenset(each.key for each in self.spans)


def recorded_days(data_dir: Path, venue: VenueName, dates: Iterable[str]) -> RecordedDays:
    """Return what was recorded of ``venue`` on ``dates`` (YYYY-MM-DD); raises IntegrityError for a damaged file."""
    spans: dict[tuple[str, InstrumentKey], RecordedSpan] = {}
    found = [date for date in dates if retry_if_replaced(partial(_add_day, spans, data_dir, venue, date))]
    return RecordedDays(tuple(spans.values()), frozenset(found))


def _add_day(spans: dict[tuple[str, InstrumentKey], RecordedSpan], data_dir: Path, venue: VenueName, date: str) -> bool:
    """Add the spans of one day and return whether it has coverage rows; may be called again."""
    paths = day_files(data_dir, "coverage", venue, date)
    check_intact(Layout(data_dir), paths, date)
    rows = 0
    for path in paths:
        table = _read(path)
        rows += table.num_rows
        collector = parse_file(path)[1].collector
        covered = table.filter(pc.equal(table["state"].cast(pa.string()), "covered"))
        grouped = covered.group_by(["market_id", "instrument_id"]).aggregate([("start", "min"), ("end", "max")])
        names = ("market_id", "instrument_id", "start_min", "end_max")
        for market, instrument, first, last in zip(*(grouped[name].to_pylist() for name in names), strict=True):
            key = InstrumentKey(venue, MarketId(market), InstrumentId(instrument))
            span = spans.setdefault((collector, key), RecordedSpan(key, collector, first, last))
            span.first, span.last = min(span.first, first), max(span.last, last)
    return rows > 0


def _read(path: Path) -> Any:
    try:
        table = pq.read_table(path, columns=_COLUMNS, partitioning=None)
    except FileNotFoundError:
        raise
    except (OSError, KeyError, pa.ArrowException) as error:
        raise IntegrityError(f"{path} is damaged ({error}): run `predsurv verify`") from error
    for name in ("start", "end"):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, table[name].cast(pa.int64()))
    return table
