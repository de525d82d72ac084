"""Tests of predsurv.store.seal.recovery."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.records import Coverage, Record
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout, day_files
from predsurv.store.seal.recovery import ResumeState, recover
from predsurv.store.seal.seal import SealOptions
from predsurv.store.wal.log import WriteAheadLog
from predsurv.store.wal.segment import wal_path

Records = Callable[[int, int], list[Record]]
NOON = 1_800_014_400_000_000_000


class Crash(BaseException):
    """The process died here."""


def left_behind(layout: Layout, clock: ManualClock, records: Records) -> None:
    """Two closed segments and one that was open when its writer died."""
    log = WriteAheadLog(layout.state, "c0", clock)
    log.append((), {"wanted": b"all"})
    for first in (0, 10, 20):
        log.append(records(first, 10))
        log.flush()
        if first < 20:
            log.rotate()


def read(path: Path, *columns: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path, columns=list(columns), partitioning=None).to_pylist()
    return rows


def gaps(layout: Layout) -> list[tuple[str, str]]:
    files = day_files(layout.data_dir, "coverage", VenueName("mock"), "2027-01-15")
    rows = [row for path in files for row in read(path, "instrument_id", "state", "reason")]
    return [(row["instrument_id"], row["reason"]) for row in rows if row["state"] == "gap"]


def tiles(layout: Layout, inclusion: float) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    for path in day_files(layout.data_dir, "coverage", VenueName("mock"), "2027-01-15"):
        table = pq.read_table(path, partitioning=None)
        times = (table[name].cast("int64").to_pylist() for name in ("start", "end"))
        rows = zip(*times, table["reason"].to_pylist(), table["inclusion"].to_pylist(), strict=True)
        found += [(start, end, reason) for start, end, reason, share in rows if share == inclusion]
    return sorted(found)


def changes(layout: Layout) -> list[int]:
    files = day_files(layout.data_dir, "deltas", VenueName("mock"), "2027-01-15")
    rows = [row for path in files for row in read(path, "kind", "size")]
    return sorted(round(row["size"] * 1e6) for row in rows if row["kind"] == "change")


def test_a_first_start_finds_nothing(layout: Layout, clock: ManualClock) -> None:
    report = recover(layout, "c0", clock)
    assert (report.seals, report.last, report.damaged) == ((), None, ())


def test_everything_left_behind_is_sealed_in_order(layout: Layout, clock: ManualClock, records: Records) -> None:
    left_behind(layout, clock, records)
    report = recover(layout, "c0", clock)
    assert [seal.segment for seal in report.seals] == [f"c0-{number:012d}.db" for number in (1, 2, 3)]
    assert changes(layout) == list(range(30))
    assert [path.name for path in layout.wal.iterdir()] == ["c0.last"]


def test_the_last_state_is_that_of_the_newest_segment(layout: Layout, clock: ManualClock, records: Records) -> None:
    left_behind(layout, clock, records)
    last = recover(layout, "c0", clock).last
    assert last is not None
    assert not last.clean
    assert last.metadata == {"wanted": b"all"}
    assert {key.market_id: (ts - NOON) // 1_000_000 for key, ts in last.last_seen.items()} == {
        "m0": 28, "m1": 29, "m2": 26, "m3": 27,
    }  # fmt: skip
    assert last.last_ts == NOON + 29_000_000
    assert [(key.market_id, coverage.start) for key, coverage in last.last_coverage.items()] == [
        ("m0", NOON + 20_000_000)
    ]


def test_a_clean_end_is_reported(layout: Layout, clock: ManualClock, records: Records) -> None:
    log = WriteAheadLog(layout.state, "c0", clock)
    log.append(records(0, 1))
    log.close()
    last = recover(layout, "c0", clock).last
    assert last is not None
    assert last.clean


@pytest.mark.parametrize("step", ["read", "published", "manifest", "forget", "forgotten"])
def test_the_epilogue_is_recorded_once_whatever_happens(
    layout: Layout, clock: ManualClock, records: Records, step: str
) -> None:
    def epilogue(last: ResumeState) -> list[Record]:
        return [gap(key, last.last_ts) for key in last.last_seen]

    left_behind(layout, clock, records)
    seen = 0

    def crash(now: str) -> None:
        nonlocal seen
        seen += now == step
        if seen == 3:
            raise Crash

    with pytest.raises(Crash):
        recover(layout, "c0", clock, SealOptions(on_step=crash), epilogue)
    recover(layout, "c0", clock, epilogue=epilogue)
    assert changes(layout) == list(range(30))
    assert sorted(gaps(layout)) == [(f"m{number}:yes", "crash") for number in range(4)]


def gap(key: InstrumentKey, ts: int) -> Coverage:
    return Coverage(key, ts, ts + 1, "gap", "crash", 1)


def test_damage_does_not_stop_the_start(layout: Layout, clock: ManualClock, records: Records) -> None:
    left_behind(layout, clock, records)
    (layout.wal / "c0-000000000002.db").write_bytes(b"x" * 9_000)
    report = recover(layout, "c0", clock)
    assert len(report.damaged) == 1
    assert report.damaged[0].startswith("c0-000000000002.db: ")
    assert changes(layout) == [*range(10), *range(20, 30)]


def test_coverage_of_damaged_time_in_a_later_segment_becomes_a_crash_gap(
    layout: Layout, clock: ManualClock, key: InstrumentKey, records: Records
) -> None:
    log = WriteAheadLog(layout.state, "c0", clock)
    for number in (0, 10, 20):
        log.append(records(number, 10))
        if number == 20:  # it left, and that is written late
            log.append([Coverage(key, NOON, NOON + 25_000_000, "covered", "live", 1, 500_000)])
        log.flush()
        log.rotate()
    (layout.wal / "c0-000000000002.db").write_bytes(b"x" * 9_000)
    recover(layout, "c0", clock)
    begin, end = NOON + 9_000_000, NOON + 25_000_000
    assert tiles(layout, 0.5) == [(NOON, begin, "live"), (begin, end, "crash")]


def test_leftover_files_are_removed_and_those_of_other_collectors_kept(
    layout: Layout, clock: ManualClock, records: Records
) -> None:
    other = WriteAheadLog(layout.state, "c0-b", clock)
    other.append(records(0, 1))
    other.flush()
    layout.staging("c0").mkdir(parents=True)
    (layout.staging("c0") / "half.parquet").touch()
    (layout.wal / "c0-000000000001.db-wal").touch()
    recover(layout, "c0", clock)
    assert list(layout.staging("c0").iterdir()) == []
    assert not (layout.wal / "c0-000000000001.db-wal").exists()
    assert other.path.exists()
    assert wal_path(other.path).exists()
    other.close()
