"""What each venue said last about trading as a whole: the rows of the lifecycle dataset that are about no market."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from predsurv.core.events import VenuePhase
from predsurv.core.ids import InstrumentId, InstrumentKey, VenueName
from predsurv.store.conform import conformed, present_schema
from predsurv.store.layout import FOLDERS, Layout, select_data_files
from predsurv.store.lifecycle import WHOLE_VENUE, LifecycleRow, to_event
from predsurv.store.read.verify_digests import split_damaged

PHASE_DAYS_MAX: Final = 8
"""Recorded days that are searched for what a venue said last; the planned pauses are weekly."""

_PIECE_ROWS: Final = 1 << 14
_COLUMNS: Final = ("market_id", "ts_recv", "ts_venue", "kind", "value")
_SCHEMA: Final = pa.schema([field for field in present_schema("lifecycle", ()) if field.name in _COLUMNS])


def last_phases(layout: Layout) -> Iterator[VenuePhase]:
    """Yield what each venue said last, of those that said anything in their last PHASE_DAYS_MAX recorded days.

    Damaged files are left out. Raises FileNotFoundError when a file was merged or removed meanwhile.
    """
    for folder in sorted((layout.data_dir / FOLDERS["lifecycle"]).glob("venue=*")):
        venue = VenueName(folder.name.partition("=")[2])
        for day in sorted(folder.glob("date=*"), reverse=True)[:PHASE_DAYS_MAX]:
            intact, _ = split_damaged(layout, select_data_files(day.glob("*.parquet")))
            found = [event for path in intact for event in _phases(path, venue)]
            if found:
                yield max(found, key=lambda event: event.ts_recv)
                break


def _phases(path: Path, venue: VenueName) -> Iterator[VenuePhase]:
    key = InstrumentKey(venue, WHOLE_VENUE, InstrumentId(""))
    for table in _rows_of_venue(path):
        times = (table[name].cast(pa.int64()).to_pylist() for name in ("ts_recv", "ts_venue"))
        for row in zip(*times, table["kind"].to_pylist(), table["value"].to_pylist(), strict=True):
            event = to_event(LifecycleRow(key, *row))
            if isinstance(event, VenuePhase):
                yield event


def _rows_of_venue(path: Path) -> Iterator[Any]:
    """Yield the rows about the whole venue; the values, which are long, are read only where there are any."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            if _of_venue(file.read_row_group(group, ["market_id"], use_threads=False)).num_rows:
                for batch in file.iter_batches(_PIECE_ROWS, [group], list(_COLUMNS), use_threads=False):
                    yield conformed(_of_venue(pa.Table.from_batches([batch])).select(_SCHEMA.names), _SCHEMA, 0)


def _of_venue(table: Any) -> Any:
    whole = pc.or_kleene(pc.is_null(table["market_id"]), pc.equal(table["market_id"].cast(pa.string()), WHOLE_VENUE))
    return table.filter(whole)
