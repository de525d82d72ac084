"""Tests of predsurv.store.read.verify: what it finds in files, in their order, and in the tiling of time."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from predsurv.core.events import BookSnapshot
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import Coverage, Record
from predsurv.net.clock import ManualClock
from predsurv.store.layout import NS_HOUR, NS_SECOND, Layout, data_files
from predsurv.store.read.verify import (
    VerifiedFiles,
    VerifyReport,
    check_files,
    check_order,
    check_tiling,
    verify_recording,
)
from predsurv.store.read.verify_books import VerifyFinding
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog

NOON = 1_800_014_400_000_000_000  # 2027-01-15T12:00:00Z
KEYS = [InstrumentKey(VenueName("mock"), MarketId("m0"), InstrumentId(name)) for name in ("m0:yes", "other")]
Seal = Callable[..., None]


@pytest.fixture
def seal(layout: Layout) -> Seal:
    def run(*records: Record, collector: str = "c0") -> None:
        log = WriteAheadLog(layout.state, collector, ManualClock(NOON))
        log.append(records)
        path = log.close()
        assert path is not None
        seal_segment(path, layout, ManualClock(NOON))

    return run


@pytest.fixture
def sealed(layout: Layout, seal: Seal) -> Path:
    levels = (Price(500_000), Size(7)), (Price(490_000), Size(1))
    seal(*(BookSnapshot(key, NOON + ts, None, 1, None, levels, ()) for ts in range(3) for key in KEYS))
    (path,) = data_files(layout, "deltas")
    return path


def covered(key: InstrumentKey, start: int, end: int) -> Coverage:
    return Coverage(key, NOON + start, NOON + end, "covered", "live", 1)


def found(layout: Layout) -> list[tuple[str, str]]:
    return [(each.check, each.where.rsplit("/", 1)[-1]) for each in check_files(layout)]


def test_an_intact_recording_has_no_findings(layout: Layout, sealed: Path) -> None:
    size = sealed.stat().st_size
    verified = (VerifiedFiles("book_deltas", KEYS[0].venue, 1, 18, size),)
    assert verify_recording(layout, deep=True) == VerifyReport(verified, ())


def test_rows_of_a_file_that_no_manifest_knows_are_unknown_and_its_venue_as_its_path_says(
    layout: Layout, sealed: Path
) -> None:
    copy = sealed.with_name(sealed.name.replace("-c0-", "-c9-"))
    copy.write_bytes(sealed.read_bytes())
    sealed.with_name("strange.parquet").write_bytes(b"12345")
    own, strange = verify_recording(layout).verified
    assert (own.files, own.rows, own.bytes) == (2, None, 2 * sealed.stat().st_size)
    assert (strange.venue, strange.files, strange.rows, strange.bytes) == (None, 1, None, 5)


def test_a_changed_file_is_found_by_its_digest(layout: Layout, sealed: Path) -> None:
    content = bytearray(sealed.read_bytes())
    content[len(content) // 2] ^= 1
    sealed.write_bytes(content)
    assert found(layout) == [("digest", sealed.name)]


def test_a_missing_file_and_an_unlisted_one_are_found(layout: Layout, sealed: Path) -> None:
    sealed.rename(other := sealed.with_name(sealed.name.replace("-c0-", "-c9-")))
    assert found(layout) == [("manifest", sealed.name), ("manifest", other.name)]
    other.rename(strange := sealed.with_name("strange.parquet"))
    assert ("manifest", strange.name) in found(layout)


def test_a_file_whose_segment_is_still_in_the_log_need_not_be_listed(layout: Layout, sealed: Path) -> None:
    sealed.rename(sealed.with_name(sealed.name.replace("-c0-", "-c9-")))
    (layout.wal / "c9-000000000001.db").touch()
    assert found(layout) == [("manifest", sealed.name)]


def test_a_sealed_file_is_in_order(sealed: Path) -> None:
    check_order(sealed, pq.ParquetFile(sealed).metadata.num_rows)


def test_rows_are_counted(sealed: Path) -> None:
    with pytest.raises(ValueError, match="1 were sealed"):
        check_order(sealed, 1)


@pytest.mark.parametrize("column", ["instrument_id", "ts_recv"])
def test_rows_out_of_order_are_found(sealed: Path, column: str) -> None:
    table = pq.read_table(sealed, partitioning=None)
    order = pc.sort_indices(table, sort_keys=[(column, "descending")])
    pq.write_table(table.take(order), sealed)
    with pytest.raises(ValueError, match="not sorted"):
        check_order(sealed, table.num_rows)


def test_rows_of_another_hour_are_found(sealed: Path) -> None:
    table = pq.read_table(sealed, partitioning=None)
    moved = pc.add(table["ts_recv"].cast(pa.int64()), NS_HOUR).cast(table.schema.field("ts_recv").type)
    pq.write_table(table.set_column(0, "ts_recv", moved), sealed)
    with pytest.raises(ValueError, match="another hour"):
        check_order(sealed, table.num_rows)


def test_coverage_without_hole_or_overlap_passes(layout: Layout, seal: Seal) -> None:
    seal(covered(KEYS[0], 5, 9), covered(KEYS[1], 0, 3))
    seal(covered(KEYS[0], 9, 12), covered(KEYS[0], 0, 5))
    assert list(check_tiling(layout)) == []


def test_holes_and_overlaps_are_found_by_instrument(layout: Layout, seal: Seal) -> None:
    seal(covered(KEYS[1], 0, 3 * NS_SECOND), covered(KEYS[0], 0, NS_SECOND))
    seal(covered(KEYS[1], 2 * NS_SECOND, 4 * NS_SECOND), covered(KEYS[0], NS_SECOND + 500_000_000, 2 * NS_SECOND))
    day = "2027-01-15 12:00"
    assert list(check_tiling(layout)) == [
        VerifyFinding("tiling", "mock:m0:yes", f"hole from {day}:01+00:00 to {day}:01.500000+00:00"),
        VerifyFinding("tiling", "mock:other", f"overlap from {day}:03+00:00 to {day}:02+00:00"),
    ]


def test_collectors_account_for_their_own_time(layout: Layout, seal: Seal) -> None:
    seal(covered(KEYS[0], 0, 5))
    seal(covered(KEYS[0], 3, 9), collector="c1")
    assert list(check_tiling(layout)) == []


def test_damaged_coverage_is_left_to_the_check_of_files(layout: Layout, seal: Seal) -> None:
    seal(covered(KEYS[0], 0, 5))
    seal(covered(KEYS[0], 6, 9))
    data_files(layout, "coverage")[0].write_bytes(b"nothing")
    assert list(check_tiling(layout)) == []
    assert [each.check for each in verify_recording(layout).findings] == ["digest"]
