"""Tests of predsurv.store.seal.seal."""

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from predsurv.core.errors import TransientError
from predsurv.core.records import Record
from predsurv.net.clock import ManualClock
from predsurv.store import files as durable
from predsurv.store import manifest
from predsurv.store.layout import Layout, parse_file
from predsurv.store.schema import SCHEMA_VERSION, VERSION_KEY
from predsurv.store.seal import parquet_writer as writing
from predsurv.store.seal import seal
from predsurv.store.seal.seal import SealOptions, SealReport, seal_segment
from predsurv.store.wal.log import WriteAheadLog
from predsurv.store.wal.segment import wal_path

Records = Callable[[int, int], list[Record]]


class Crash(BaseException):
    """The process died here."""


@pytest.fixture
def segment(layout: Layout, clock: ManualClock, records: Records) -> Path:
    log = WriteAheadLog(layout.state, "c0", clock)
    for first in range(0, 60, 20):
        log.append(records(first, 20))
        log.flush()
    path = log.close()
    assert path is not None
    return path


def data_files(layout: Layout) -> dict[str, bytes]:
    return {
        str(path.relative_to(layout.data_dir)): path.read_bytes()
        for path in sorted(layout.data_dir.rglob("*"))
        if path.is_file() and layout.state not in path.parents
    }


def numbers(layout: Layout) -> list[int]:
    """The numbers of all changes in the data folder, sorted."""
    found: list[int] = []
    for name in data_files(layout):
        if parse_file(Path(name))[0].dataset == "deltas":
            table = pq.read_table(layout.data_dir / name, columns=["kind", "size"], partitioning=None)
            found += [round(row["size"] * 1e6) for row in table.to_pylist() if row["kind"] == "change"]
    return sorted(found)


def placed(data_dir: Path, name: str, content: bytes) -> tuple[Layout, Path]:
    """A data folder with nothing but this segment."""
    layout = Layout(data_dir)
    layout.wal.mkdir(parents=True)
    (layout.wal / name).write_bytes(content)
    return layout, layout.wal / name


def test_a_segment_becomes_files_and_is_removed(layout: Layout, clock: ManualClock, segment: Path) -> None:
    report = seal_segment(segment, layout, clock)
    assert report.rows == {"deltas": 60 + 6 * 3, "trades": 6, "snapshots": 6, "coverage": 6}
    assert report.records == 60 + 4 * 6
    assert (report.damaged, report.torn) == ((), 0)
    assert numbers(layout) == list(range(60))
    assert not segment.exists()
    assert sum(report.bytes.values()) == sum(map(len, data_files(layout).values()))
    assert all(name.endswith("_20270115T120000Z-c0-000000000001.parquet") for name in data_files(layout))


def test_the_manifest_describes_the_files(layout: Layout, clock: ManualClock, segment: Path) -> None:
    report = seal_segment(segment, layout, clock)
    assert tuple(sorted(manifest.read(layout.manifest), key=str)) == tuple(sorted(report.files, key=str))
    for file in report.files:
        path = layout.data_dir / file.path
        parquet = pq.ParquetFile(path)
        assert (path.stat().st_size, manifest.digest(path)) == (file.bytes, file.blake2b)
        assert parquet.metadata.num_rows == file.rows
        assert parquet.metadata.metadata[VERSION_KEY.encode()] == SCHEMA_VERSION.encode()
        times = parquet.read().column("start" if "coverage" in file.path else "ts_recv").cast(pa.int64()).to_pylist()
        assert (min(times), max(times)) == (file.lo, file.hi)


def test_ids_are_plain_text_for_every_reader(layout: Layout, clock: ManualClock, segment: Path) -> None:
    for file in seal_segment(segment, layout, clock).files:
        schema = pq.read_schema(layout.data_dir / file.path)
        assert {schema.field(name).type for name in ("market_id", "instrument_id")} == {pa.string()}
        assert {str(kind) for kind in schema.types if "timestamp" in str(kind)} == {"timestamp[ns, tz=UTC]"}


def test_a_crash_at_any_step_loses_and_doubles_nothing(
    layout: Layout, clock: ManualClock, segment: Path, tmp_path: Path
) -> None:
    whole = segment.read_bytes()
    steps: list[str] = []
    seal_segment(segment, layout, clock, SealOptions(on_step=steps.append))
    expected = data_files(layout)
    assert len(steps) >= 12
    for step in steps:
        again, path = placed(tmp_path / step.replace(" ", "-"), segment.name, whole)

        def crash(now: str, at: str = step) -> None:
            if now == at:
                raise Crash(at)

        with pytest.raises(Crash):
            seal_segment(path, again, clock, SealOptions(on_step=crash))
        assert set(data_files(again)) <= set(expected)
        if path.exists():
            seal_segment(path, again, clock)
        assert data_files(again) == expected, step
        assert Counter(file.path for file in manifest.read(again.manifest)) == Counter(dict.fromkeys(expected, 1))


def test_a_full_disk_leaves_the_log_and_nothing_visible(
    layout: Layout, clock: ManualClock, segment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for failing in range(1, 5):
        calls = 0

        def full(path: Path) -> None:
            nonlocal calls
            calls += 1
            if calls == failing:  # noqa: B023 - called within the iteration
                raise OSError(28, "No space left on device")
            durable.sync_file(path)

        monkeypatch.setattr(writing, "sync_file", full)
        with pytest.raises(TransientError, match=r"which the log keeps \(No space left"):
            seal_segment(segment, layout, clock)
        assert data_files(layout) == {}
        assert list(layout.staging("c0").iterdir()) == []
    monkeypatch.undo()
    seal_segment(segment, layout, clock)
    assert numbers(layout) == list(range(60))


def test_damage_is_reported_and_quarantined_and_the_rest_is_sealed(
    layout: Layout, clock: ManualClock, segment: Path
) -> None:
    with closing(sqlite3.connect(segment)) as db:
        (body,) = db.execute("SELECT body FROM batches WHERE id = 2").fetchone()
    content = bytearray(segment.read_bytes())
    content[content.find(body) + len(body) // 2] ^= 1
    segment.write_bytes(content)
    report = seal_segment(segment, layout, clock)
    assert report.damaged == ("batch 2",)
    assert numbers(layout) == [*range(20), *range(40, 60)]
    assert not segment.exists()
    assert (layout.quarantine / segment.name).read_bytes() == bytes(content)


def test_an_unreadable_segment_is_quarantined(layout: Layout, clock: ManualClock, segment: Path) -> None:
    segment.write_bytes(b"x" * 50_000)
    report = seal_segment(segment, layout, clock)
    assert report == SealReport(segment.name, damaged=report.damaged, duration_ns=report.duration_ns)
    assert "unreadable" in report.damaged[0]
    assert (layout.quarantine / segment.name).exists()
    assert data_files(layout) == {}


def test_a_segment_without_records_is_removed(layout: Layout, clock: ManualClock) -> None:
    layout.wal.mkdir(parents=True)
    path = layout.wal / "c0-000000000009.db"
    path.touch()
    assert seal_segment(path, layout, clock).damaged == ()
    assert not path.exists()


def test_a_torn_tail_is_kept_and_the_rest_sealed(layout: Layout, clock: ManualClock, records: Records) -> None:
    log = WriteAheadLog(layout.state, "c0", clock)
    log.append(records(0, 10))
    log.flush()
    with wal_path(log.path).open("ab") as file:
        file.write(b"\xa5" * 1000)
    report = seal_segment(log.path, layout, clock)
    assert (report.torn, report.damaged) == (1000, ())
    assert (layout.quarantine / f"{report.segment}.torn").read_bytes() == b"\xa5" * 1000
    assert numbers(layout) == list(range(10))


def test_added_records_are_sealed_with_the_segment(
    layout: Layout, clock: ManualClock, segment: Path, records: Records
) -> None:
    extra = records(100, 1)
    options = msgspec.structs.replace(seal.DEFAULTS, epilogue=lambda segment, contents: extra)
    seal_segment(segment, layout, clock, options)
    assert numbers(layout) == [*range(60), 100]


def test_records_moved_by_a_failed_sync_are_sealed_once(
    layout: Layout, clock: ManualClock, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = WriteAheadLog(layout.state, "c0", clock)
    log.append(records(0, 3))
    log.sync()
    log.append(records(3, 3))
    log.flush()
    first = log.path

    def fail() -> None:
        raise OSError("I/O error")

    monkeypatch.setattr(log._current.writer, "sync", fail)
    log.sync()
    log.append(records(6, 3))
    second = log.close()
    assert second is not None
    seal_segment(first, layout, clock)
    seal_segment(second, layout, clock)
    assert numbers(layout) == list(range(9))
