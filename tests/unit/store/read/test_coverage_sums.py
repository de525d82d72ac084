"""Sums over coverage files are those of the definition that mining uses, whatever the files hold and however many."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.mine.lost_time import LostTime
from predsurv.store.layout import NS_DAY, NS_HOUR, Dataset, FileStamp, Layout, Partition, date_of, parse_file
from predsurv.store.read.coverage_sums import CoverageFiles, ObservedDay
from predsurv.store.read.missing import MissingFile
from tests.kit.coverage_files import CoverageRow, write_coverage

START = 1_800_000_000_000_000_000 // NS_DAY * NS_DAY
VENUES = [VenueName("kalshi"), VenueName("mock")]
KINDS = [("covered", "live"), ("covered", "polled"), ("gap", "stall"), ("gap", "crash")]
MINUTE = 60_000_000_000
DATASETS: list[Dataset] = ["deltas", "trades", "lifecycle"]

TIMES = st.integers(0, 50 * 60).map(lambda minutes: START + minutes * MINUTE + minutes % 7)
ROW = st.tuples(st.integers(0, 4), TIMES, st.integers(1, 300), st.sampled_from(KINDS)).map(
    lambda drawn: (f"m{drawn[0] // 2}", f"i{drawn[0]}", drawn[1], drawn[1] + drawn[2] * MINUTE, *drawn[3])
)
FILE = st.tuples(st.sampled_from(VENUES), st.integers(0, 2), st.sampled_from(["c-0", "c1"]), st.lists(ROW, max_size=8))
GONE = st.tuples(
    st.sampled_from(VENUES), st.sampled_from(["c-0", "c1"]), st.sampled_from(DATASETS), TIMES,
    st.integers(0, 200),
).map(lambda each: MissingFile("x", each[2], each[0], each[1], each[3], each[3] + each[4] * MINUTE))  # fmt: skip


def write(layout: Layout, files: Sequence[tuple[VenueName, int, str, Sequence[CoverageRow]]]) -> list[Path]:
    paths = []
    for number, (venue, day, collector, rows) in enumerate(files):
        partition = Partition("coverage", venue, date_of(START + day * NS_DAY), None)
        path = layout.file(partition, FileStamp("20270115T000000Z", collector, number))
        write_coverage(path, rows)
        paths.append(path)
    return sorted(paths)


def frame(paths: Sequence[Path], gone: Sequence[MissingFile]) -> pl.LazyFrame:
    """The coverage of all files as mining has it, lost time included."""
    parts = []
    for path in paths:
        partition, stamp = parse_file(path)
        own = {"venue": partition.venue, "collector": stamp.collector, "date": partition.date}
        read = pl.DataFrame(pq.read_table(path, partitioning=None))
        parts.append(read.with_columns(**{name: pl.lit(value) for name, value in own.items()}))
    return LostTime(tuple(gone)).as_gaps(pl.concat(parts).lazy())


def totals(rows: pl.LazyFrame, *owner: str) -> list[tuple[object, ...]]:
    grouped = rows.with_columns(pl.col("start", "end").cast(pl.Int64)).group_by(*owner, "state", "reason")
    sums = grouped.agg(
        pl.col("instrument_id").n_unique(),
        (pl.col("end") - pl.col("start")).sum().alias("ns"),
        pl.col("start").min(),
        pl.col("end").max(),
    )
    return sorted(sums.collect().iter_rows())


def by_hour(rows: pl.LazyFrame, hours: int) -> list[tuple[object, ...]]:
    times = rows.with_columns(pl.col("start", "end").cast(pl.Int64))
    since = times.select(pl.col("end").max()).collect().item() - hours * NS_HOUR
    hour = pl.int_ranges(pl.col("start") // NS_HOUR, (pl.col("end") - 1) // NS_HOUR + 1) * NS_HOUR
    pieces = times.with_columns(hour.alias("hour")).explode("hour").filter(pl.col("hour") >= since)
    begun, ended = pl.max_horizontal("start", "hour"), pl.min_horizontal("end", pl.col("hour") + NS_HOUR)
    return [row[:-2] for row in totals(pieces.with_columns(begun.alias("start"), ended.alias("end")), "venue", "hour")]


def covered_ends(rows: pl.LazyFrame) -> dict[tuple[str, str], int]:
    covered = rows.filter(pl.col("state") == "covered").group_by("venue", "collector")
    ends = covered.agg(pl.col("end").max().cast(pl.Int64)).collect()
    return {(venue, collector): end for venue, collector, end in ends.iter_rows()}


@given(st.lists(FILE, min_size=1, max_size=4), st.lists(GONE, max_size=3), st.integers(1, 40))
def test_all_sums_are_those_of_the_definition_that_mining_uses(
    files: Sequence[tuple[VenueName, int, str, Sequence[CoverageRow]]], gone: Sequence[MissingFile], hours: int
) -> None:
    with TemporaryDirectory() as name:
        paths = write(Layout(Path(name)), files)
        expected, found = frame(paths, gone), CoverageFiles(paths, gone)
        sums, hourly = found.sums(), found.hours(hours)
        assert sorted((venue, *kind, *rest) for venue, kind, *rest in sums) == totals(expected, "venue")
        assert sums == sorted(sums, key=lambda each: (each.venue, str(each.kind.state), -each.ns))
        if sums:
            told = sorted((venue, hour, *kind, *rest) for venue, hour, kind, *rest in hourly)
            assert told == by_hour(expected, hours)
        assert hourly == sorted(hourly, key=lambda each: (each.venue, -each.hour, str(each.kind.state), -each.ns))
        covered = expected.filter(pl.col("state") == "covered").select("venue", "date", "market_id", "instrument_id")
        latest = covered.filter(pl.col("date") == pl.col("date").max().over("venue")).unique().collect()
        assert found.covered_until() == covered_ends(expected)
        days = list(found.latest_days())
        assert len(days) == len({day.venue for day in days})
        observed = [
            (day.venue, date_of(day.start), key.market_id, key.instrument_id) for day in days for key in day.keys
        ]
        assert sorted(observed) == sorted(latest.iter_rows())


def test_only_days_with_covered_time_count_as_the_latest(tmp_path: Path) -> None:
    observed = ("m0", "i0", START, START + NS_HOUR, "covered", "live")
    lost = ("m0", "i0", START + NS_DAY, START + NS_DAY + 9, "gap", "stall")
    mock = VENUES[1]
    paths = write(Layout(tmp_path), [(mock, 0, "c-0", [observed]), (mock, 1, "c-0", [lost])])
    key = InstrumentKey(mock, MarketId("m0"), InstrumentId("i0"))
    assert list(CoverageFiles(paths, []).latest_days()) == [ObservedDay(mock, START, [key])]
    assert list(CoverageFiles(paths[1:], []).latest_days()) == []


def test_without_files_there_is_nothing() -> None:
    files = CoverageFiles([], [])
    assert (files.sums(), files.hours(5), list(files.latest_days())) == ([], [], [])
