"""Tests of predsurv.store.layout."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.errors import ConfigError
from predsurv.core.ids import VenueName
from predsurv.store.layout import (
    HOURLY,
    NS_SECOND,
    Dataset,
    FileStamp,
    Layout,
    Partition,
    daily_log_path,
    daily_logs,
    day_files,
    day_ranges,
    how_to_record,
    parse_file,
    parse_segment,
    partition_of,
    segment_name,
    segments_of,
    stamp_time,
    universe_date,
)

NOON = 1_800_014_400 * NS_SECOND
DATASETS: list[Dataset] = ["snapshots", "deltas", "trades", "coverage", "lifecycle", "rotations"]


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("snapshots", "orderbook_snapshots/venue=mock/date=2027-01-15/hour=12/snapshots_S.parquet"),
        ("deltas", "book_deltas/venue=mock/date=2027-01-15/hour=12/deltas_S.parquet"),
        ("trades", "trades/venue=mock/date=2027-01-15/hour=12/trades_S.parquet"),
        ("coverage", "coverage/venue=mock/date=2027-01-15/coverage_S.parquet"),
        ("lifecycle", "lifecycle/venue=mock/date=2027-01-15/lifecycle_S.parquet"),
    ],
)
def test_paths_of_data_files_are_as_documented(dataset: Dataset, expected: str) -> None:
    stamp = FileStamp(stamp_time(NOON), "c0", 42)
    path = Layout(Path("data")).file(partition_of(dataset, VenueName("mock"), NOON + 1), stamp)
    assert str(path) == "data/" + expected.replace("_S.", "_20270115T120000Z-c0-000000000042.")


def test_where_nothing_was_recorded_what_records_that_venue_is_named() -> None:
    assert "'predsurv collect --mock' first" in how_to_record("mock")
    assert "'predsurv collect' first" in how_to_record("kalshi")
    assert how_to_record() == how_to_record("kalshi")


def test_the_path_of_the_universe_is_as_documented() -> None:
    path = Layout(Path("data")).universe(VenueName("mock"), "2027-01-15")
    assert str(path) == "data/metadata/venue=mock/date=2027-01-15/universe.jsonl"


@given(
    st.sampled_from(DATASETS),
    st.sampled_from(["mock", "polymarket", "kalshi"]),
    st.integers(0, 4_102_444_800 * NS_SECOND),
    st.from_regex(r"[a-z0-9_-]{1,64}", fullmatch=True),
    st.integers(0, 10**12 - 1),
)
def test_a_data_file_path_is_parsed_back(dataset: Dataset, venue: str, ts: int, collector: str, segment: int) -> None:
    partition = partition_of(dataset, VenueName(venue), ts)
    stamp = FileStamp(stamp_time(ts), collector, segment)
    assert parse_file(Layout(Path("/data")).file(partition, stamp)) == (partition, stamp)
    assert (partition.hour is None) == (dataset not in HOURLY)


@given(st.text())
def test_a_hostile_venue_stays_inside_the_folder(venue: str) -> None:
    folder = Layout(Path("/data")).folder(Partition("trades", VenueName(venue), "2027-01-15", 3))
    assert folder.parts[:3] == ("/", "data", "trades")
    assert len(folder.parts) == 6
    assert ".." not in folder.parts


@pytest.mark.parametrize("name", ["x.parquet", "deltas_.parquet", "trades_20270115T120000Z-c0-000000000042.parquet"])
def test_other_files_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a data file"):
        parse_file(Path("/data/book_deltas/venue=mock/date=2027-01-15/hour=12") / name)


def test_a_segment_name_is_parsed_back() -> None:
    assert parse_segment(Path("/w") / segment_name("a-1", 7)) == ("a-1", 7)
    with pytest.raises(ValueError, match="not a log segment"):
        parse_segment(Path("/w/a-1.db"))


@pytest.mark.parametrize("collector", ["", "../x", "A", "a b", "x" * 65])
def test_an_unsafe_collector_id_is_refused(collector: str) -> None:
    with pytest.raises(ConfigError, match=r"collector\.id"):
        segment_name(collector, 1)


def test_collectors_with_similar_names_keep_their_own_segments(tmp_path: Path) -> None:
    for name in ("a-000000000002.db", "a-000000000001.db", "a-1-000000000003.db", "a-000000000009.db-wal"):
        (tmp_path / name).touch()
    assert [path.name for path in segments_of(tmp_path, "a")] == ["a-000000000001.db", "a-000000000002.db"]


def test_files_of_a_day_are_found(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    venue = VenueName("mock")
    for dataset in ("deltas", "coverage"):
        for number, ts in enumerate((NOON, NOON + 3600 * NS_SECOND, NOON + 86_400 * NS_SECOND)):
            path = layout.file(partition_of(dataset, venue, ts), FileStamp(stamp_time(ts), "c0", number))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    assert [parse_file(path)[1].segment for path in day_files(tmp_path, "deltas", venue, "2027-01-15")] == [0, 1]
    assert [parse_file(path)[1].segment for path in day_files(tmp_path, "coverage", venue, "2027-01-15")] == [0, 1]
    assert day_files(tmp_path, "trades", venue, "2027-01-15") == []


def test_daily_logs_are_found_by_collector_and_date(tmp_path: Path) -> None:
    days = [("a", "2027-01-15"), ("a", "2027-01-16"), ("a-1", "2027-01-15")]
    paths = [daily_log_path(tmp_path, collector, date) for collector, date in days]
    for path in (*paths, tmp_path / "cutoff.json", tmp_path / "a-today.jsonl"):
        path.touch()
    assert [log.path for log in daily_logs(tmp_path)] == sorted(paths)
    assert [(log.collector, log.date) for log in daily_logs(tmp_path, "a")] == days[:2]
    assert [log.collector for log in daily_logs(tmp_path, date="2027-01-15")] == ["a-1", "a"]
    assert list(daily_logs(tmp_path / "none")) == []


def test_the_date_of_a_universe_file_is_in_its_path() -> None:
    layout = Layout(Path("/data"))
    assert universe_date(layout.relative(layout.universe(VenueName("mock"), "2027-01-15"))) == "2027-01-15"
    assert universe_date("metadata/venue=mock/date=2027-01-15/other.jsonl") is None
    assert universe_date("../metadata/venue=mock/date=2027-01-15/universe.jsonl") is None


@pytest.mark.parametrize(
    ("days", "shown"),
    [
        ([], ""),
        (["2026-02-28"], "2026-02-28"),
        (["2026-02-28", "2026-03-01", "2026-03-02"], "2026-02-28..2026-03-02"),
        (["2024-02-28", "2024-03-01", "2024-12-31", "2025-01-01"], "2024-02-28, 2024-03-01, 2024-12-31..2025-01-01"),
    ],
)
def test_neighbouring_days_are_shown_as_a_range(days: list[str], shown: str) -> None:
    assert day_ranges(days) == shown
