"""A data file is read as what it is, whoever wrote it, or refused with what to do."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from predsurv.core.errors import IntegrityError, TransientError
from predsurv.core.records import Record
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout, data_files
from predsurv.store.read import tables
from predsurv.store.read.tables import ReplayFile, file_from_footer, load, read_tables, split_by_time
from predsurv.store.schema import VERSION_KEY
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog

NOON = 1_800_014_400_000_000_000
ROWS = 200


@pytest.fixture
def file(layout: Layout, clock: ManualClock, records: Callable[[int, int], list[Record]]) -> Path:
    """Sealed trades, one every ten milliseconds."""
    log = WriteAheadLog(layout.state, "c0", clock)
    log.append(records(0, 10 * ROWS))
    path = log.close()
    assert path is not None
    seal_segment(path, layout, clock)
    return data_files(layout, "trades")[0]


def rewrite(path: Path, change: Callable[[Any], Any]) -> None:
    pq.write_table(change(pq.read_table(path, partitioning=None)), path)


def in_milliseconds(table: Any) -> Any:
    at = table.column_names.index("ts_recv")
    times = table["ts_recv"].cast(pa.timestamp("ms", tz="UTC"), safe=False)
    return table.replace_schema_metadata(None).set_column(at, "ts_recv", times)


def test_the_times_of_an_unlisted_file_are_in_its_footer(file: Path) -> None:
    found, rows = file_from_footer(file, "trades")
    assert (found.lo, found.hi, rows) == (NOON, NOON + (ROWS - 1) * 10_000_000, ROWS)


@pytest.mark.parametrize("kept", [ROWS, 0])
def test_times_in_another_unit_are_looked_up_in_the_rows(file: Path, kept: int) -> None:
    rewrite(file, lambda table: in_milliseconds(table.slice(0, kept)))
    found, rows = file_from_footer(file, "trades")
    expected = (NOON, NOON + (ROWS - 1) * 10_000_000) if kept else (0, 0)
    assert (found.lo, found.hi, rows) == (*expected, kept)


def test_a_file_of_another_version_is_refused(file: Path) -> None:
    rewrite(file, lambda table: table.replace_schema_metadata({VERSION_KEY: "99"}))
    with pytest.raises(IntegrityError, match=r"is not of schema version .*: read it with another predsurv"):
        file_from_footer(file, "trades")


def test_a_file_without_a_column_of_texts_is_refused_by_its_name(file: Path) -> None:
    rewrite(file, lambda table: table.drop_columns(["taker_side"]))
    with pytest.raises(IntegrityError, match="has no column 'taker_side'"):
        list(read_tables(ReplayFile(file, "trades", 0, 1 << 62), None))


def test_what_is_no_parquet_is_damaged(file: Path) -> None:
    file.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(IntegrityError, match=r"is damaged .*: run 'predsurv verify'"):
        file_from_footer(file, "trades")


@pytest.mark.parametrize("whole", [True, False])
def test_a_damaged_page_is_told_whether_a_file_is_read_at_once_or_in_batches(
    file: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    monkeypatch.setattr(tables, "WHOLE_ROWS_MAX", ROWS if whole else 1)
    source = ReplayFile(file, "trades", 0, 1 << 62)
    assert sum(each.num_rows for each in read_tables(source, None)) == ROWS
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"is damaged .*: run 'predsurv verify'"):
        list(read_tables(source, None))


def test_a_file_is_split_by_time_and_compared_once(file: Path) -> None:
    parts = list(split_by_time(ReplayFile(file, "trades", 0, 99, "abc"), 10, 4))
    assert [(each.lo, each.hi, each.digest) for each in parts] == [(0, 33, "abc"), (34, 67, None), (68, 99, None)]


def test_a_file_that_is_gone_and_was_not_merged_is_to_be_read_again(file: Path) -> None:
    file.unlink()

    def read(source: ReplayFile, segment: int | None) -> Iterator[Any]:
        raise FileNotFoundError(source.path, segment)

    with pytest.raises(TransientError, match="was replaced or removed while it was read: read again"):
        load(ReplayFile(file, "trades", 0, 1), read)
