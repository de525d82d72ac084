"""A day that was mined, or whose hours were compacted, is read again: the same numbers, never those of other files."""

import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from threading import Event

import polars as pl
import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.cli.commands.collector_deps import MEASURES_HOURS
from predsurv.collect.output.maintenance_worker import roll_up_in_process
from predsurv.core.errors import IntegrityError
from predsurv.core.num import Price
from predsurv.core.records import Coverage
from predsurv.mine import day_measures, scores
from predsurv.mine.hour_measures import HourMeasures, HourRows, ObservedHour, measure_hour
from predsurv.mine.job import mine, mine_days
from predsurv.mine.recorded_days import MiningDay
from predsurv.mine.roll_up import merged_days, roll_up_day
from predsurv.net.clock import ManualClock
from predsurv.store import manifest
from predsurv.store.layout import FOLDERS, NS_DAY, Layout, data_files
from predsurv.store.seal.compact import compact_closed
from predsurv.store.seal.retention import RetentionPolicy, expire
from tests.kit.market_samples import market
from tests.kit.mining_samples import DATE, HOUR, QUIET, T0, change, covered, listed, record, session, top

EVEN = scores.weights({})
LATER = T0 + 3 * NS_DAY


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The hours that are measured from their files."""
    hours: list[int] = []

    def counted(rows: HourRows, observed: ObservedHour, carry: pl.DataFrame) -> HourMeasures:
        hours.append((rows.begin - T0) // HOUR)
        return measure_hour(rows, observed, carry)

    monkeypatch.setattr(day_measures, "measure_hour", counted)
    return hours


def recorded(folder: Path) -> MiningDay:
    """A day of two hours in several files each; ticks and trades included."""
    records = session()
    parts = [records[low:high] for low, high in pairwise([0, 3, 6, 9, len(records)])]
    return listed(record(folder, parts), market(1), market(2))


def compacted(day: MiningDay) -> MiningDay:
    layout = Layout(day.data_dir)
    for empty in layout.wal.glob("*.db"):  # of a recorder that runs on: its hours would not be closed
        empty.unlink()
    report = compact_closed(layout, "c0", ManualClock(LATER))
    assert merged_days(report.merged) == [(day.venue, day.date)]
    return day


def statistics(day: MiningDay) -> pl.DataFrame:
    return mine(day, EVEN).stats


def test_a_day_that_was_mined_is_read_without_its_files(tmp_path: Path, read: list[int]) -> None:
    day = recorded(tmp_path)
    cold = mine(day, EVEN)
    assert {9, 10} <= set(read)
    read.clear()
    again = mine(day, EVEN)
    assert read == []
    assert again.stats.equals(cold.stats)
    assert (again.rows, again.labels, again.listing, again.unplaced) == (
        cold.rows,
        cold.labels,
        cold.listing,
        cold.unplaced,
    )


def test_a_range_is_the_same_whichever_of_its_days_are_remembered(tmp_path: Path) -> None:
    later = [
        replace(each, start=each.start + NS_DAY, end=each.end + NS_DAY)
        if isinstance(each, Coverage)
        else replace(each, ts_recv=each.ts_recv + NS_DAY)
        for each in session()
    ]
    days = [recorded(tmp_path), record(tmp_path, [later], "c1")._replace(date="2026-11-21")]
    cold = mine_days(days, EVEN).stats
    for remembered in ([], days[:1], days[1:], days):
        shutil.rmtree(tmp_path / "day_rollups")
        shutil.rmtree(tmp_path / "stats")  # the ranks of the day before
        for day in remembered:
            mine(day, EVEN)
            shutil.rmtree(tmp_path / "stats")
        assert mine_days(days, EVEN).stats.equals(cold)


def test_compacted_hours_give_exactly_what_their_files_do(tmp_path: Path, read: list[int]) -> None:
    cold = statistics(compacted(recorded(tmp_path / "cold")))
    day = compacted(recorded(tmp_path / "rolled"))
    roll_up_day(day.data_dir, day.venue, day.date)
    read.clear()
    assert statistics(day).equals(cold)
    assert not {9, 10} & set(read)


def rolled(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in (folder / "rollups").rglob("*.parquet"))


def test_only_hours_in_one_file_are_remembered(tmp_path: Path) -> None:
    day = recorded(tmp_path)
    assert [len(set(tmp_path.glob(f"orderbook_snapshots/*/*/hour={hour:02d}/*"))) for hour in (9, 10)] == [2, 1]
    roll_up_day(day.data_dir, day.venue, day.date)
    assert rolled(tmp_path) == ["hour=10"]


def test_compact_measures_what_it_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    day = recorded(tmp_path / "data")
    for empty in Layout(day.data_dir).wal.glob("*.db"):
        empty.unlink()
    assert main(["compact"]) == 0
    assert rolled(day.data_dir) == ["hour=09", "hour=10"]
    shutil.rmtree(day.data_dir / "rollups")
    assert main(["compact"]) == 0
    assert rolled(day.data_dir) == []
    assert main(["compact", "--rollups"]) == 0
    assert rolled(day.data_dir) == ["hour=09", "hour=10"]
    for path in day.files("coverage"):
        path.unlink()
    capsys.readouterr()
    assert main(["compact", "--rollups"]) == 0
    assert f"no roll-ups of mock {DATE}: " in capsys.readouterr().err


def test_a_recorder_measures_what_it_merged_in_a_process_of_its_own(tmp_path: Path) -> None:
    day = recorded(tmp_path)
    for empty in Layout(tmp_path).wal.glob("*.db"):
        empty.unlink()
    merged = compact_closed(Layout(tmp_path), "c0", ManualClock(LATER)).merged
    roll_up_in_process(Layout(tmp_path), merged, MEASURES_HOURS, Event())
    assert rolled(tmp_path) == ["hour=09", "hour=10"]
    day.files("deltas")[0].write_bytes(b"no Parquet")
    shutil.rmtree(tmp_path / "rollups")
    with pytest.raises(IntegrityError, match="not what was sealed"):
        roll_up_in_process(Layout(tmp_path), merged, MEASURES_HOURS, Event())


def more(day: MiningDay) -> None:
    record(day.data_dir, [[top(200, 40, 60), change(210), covered(0, 300, QUIET)]], "c1")


def another_listing(day: MiningDay) -> None:
    listed(day, replace(market(1), tick_size=Price(1_000)), market(2))


def lost(day: MiningDay) -> None:
    day.files("deltas")[-1].unlink()


@pytest.mark.parametrize("happens", [more, another_listing, lost])
@pytest.mark.parametrize("by_hour", [False, True])
def test_what_numbers_depend_on_is_never_forgotten(
    tmp_path: Path, happens: Callable[[MiningDay], None], by_hour: bool
) -> None:
    known, fresh = (compacted(recorded(tmp_path / name)) for name in ("known", "fresh"))
    if by_hour:
        roll_up_day(known.data_dir, known.venue, known.date)
    else:
        statistics(known)
    for day in (known, fresh):
        happens(day)
    assert statistics(known).equals(statistics(fresh))


@pytest.mark.parametrize("folder", ["rollups", "day_rollups"])
def test_a_damaged_roll_up_is_as_if_it_were_not_there(tmp_path: Path, folder: str) -> None:
    day = compacted(recorded(tmp_path))
    roll_up_day(day.data_dir, day.venue, day.date)
    cold = statistics(day)
    if folder == "rollups":
        for path in (tmp_path / "day_rollups").rglob("*.*"):
            path.unlink()
    for path in (tmp_path / folder).rglob("*.parquet"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert statistics(day).equals(cold)
    for path in (tmp_path / folder).rglob("index.json"):
        path.write_bytes(b"{")
    assert statistics(day).equals(cold)


def test_a_damaged_file_is_found_where_it_is_read(tmp_path: Path) -> None:
    day = recorded(tmp_path)
    statistics(day)
    more(day)  # the day is measured again, from its files
    damaged = day.files("snapshots")[0]
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(IntegrityError, match="not what was sealed"):
        statistics(day)


def test_roll_ups_are_no_data_files_and_go_with_their_day(tmp_path: Path) -> None:
    day, layout = compacted(recorded(tmp_path)), Layout(tmp_path)

    def known() -> tuple[object, ...]:
        return manifest.read_by_path(layout.manifest), *(data_files(layout, name) for name in FOLDERS)

    before = known()
    roll_up_day(day.data_dir, day.venue, day.date)
    statistics(day)
    assert known() == before
    assert rolled(tmp_path) == ["hour=09", "hour=10"]
    expire(layout, ManualClock(LATER), RetentionPolicy(max_age=3_600_000_000_000))
    assert [path for name in ("rollups", "day_rollups") for path in (tmp_path / name).rglob("*.*")] == []
    assert (tmp_path / "stats" / "venue=mock" / f"date={DATE}" / "stats.parquet").exists()
