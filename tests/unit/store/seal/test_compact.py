"""Tests of predsurv.store.seal.compact and merge, and of swapping folders."""

import shutil
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.core.errors import ConfigError, IntegrityError, SafetyError, TransientError
from predsurv.core.events import BookDelta, MarketChange, MarketEvent, VenuePhase
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import Record
from predsurv.net.clock import ManualClock
from predsurv.store import files, manifest
from predsurv.store.layout import FOLDERS, NS_HOUR, Layout, data_files, parse_file, segments_of
from predsurv.store.locks import exclusive_lock
from predsurv.store.read.replay import replay
from predsurv.store.read.verify import check_files
from predsurv.store.seal import compact, merge
from predsurv.store.seal.compact import CompactOptions, compact_closed, mergeable_groups
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog
from tests.kit.older_files import make_foreign, make_older, rewrite_files, without

Records = Callable[[int, int], list[Record]]
NOON = 1_800_014_400_000_000_000
MOCK = VenueName("mock")
LATER = ManualClock(NOON + 30 * NS_HOUR)


class Crash(BaseException):
    """The process died here."""


def record(layout: Layout, collector: str, *segments: list[Record]) -> None:
    """Record and seal these segments."""
    clock = ManualClock(NOON)
    for records in segments:
        log = WriteAheadLog(layout.state, collector, clock)
        log.append(records)
        path = log.close()
        assert path is not None
        seal_segment(path, layout, clock)


@pytest.fixture
def recorded(layout: Layout, records: Records) -> Layout:
    """Five segments of one collector in one hour, and one of another."""
    record(layout, "c0", *(records(first, 20) for first in range(0, 100, 20)))
    record(layout, "c1", records(1_000, 20))
    return layout


def rows(layout: Layout) -> dict[str, Counter[str]]:
    """All rows by dataset, each as text, whatever file they are in."""
    return {
        dataset: Counter(
            str(row)
            for path in data_files(layout, dataset)
            for row in pq.read_table(path, partitioning=None).cast(_plain(path)).to_pylist()
        )
        for dataset in FOLDERS
    }


def _plain(path: Path) -> Any:
    """Nanoseconds as integers: Python's own times hold none."""
    fields = pq.read_schema(path)
    return pa.schema([pa.field(each.name, pa.int64()) if pa.types.is_timestamp(each.type) else each for each in fields])


def events(layout: Layout) -> list[MarketEvent]:
    return list(replay(layout.data_dir, MOCK, NOON - NS_HOUR, NOON + 2 * NS_HOUR))


def own(layout: Layout, collector: str) -> list[Path]:
    return [
        path
        for dataset in FOLDERS
        for path in data_files(layout, dataset)
        if parse_file(path)[1].collector == collector
    ]


def listed(layout: Layout) -> set[str]:
    return {file.path for file in manifest.read(layout.manifest)}


def on_disk(layout: Layout) -> set[str]:
    return {path.relative_to(layout.data_dir).as_posix() for dataset in FOLDERS for path in data_files(layout, dataset)}


def test_a_closed_hour_becomes_one_file_per_dataset_with_the_same_rows(recorded: Layout) -> None:
    before, replayed = rows(recorded), events(recorded)
    report = compact_closed(recorded, "c0", LATER)
    assert rows(recorded) == before
    assert events(recorded) == replayed
    assert (report.hours, report.files, len(report.merged), report.damaged) == (2, 20, 4, ())
    assert report.rows == sum(count.total() for count in rows(recorded).values()) - 20 - 4 * 2 - 2 * 2
    assert len(own(recorded, "c0")) == 4
    assert len(own(recorded, "c1")) == 4
    assert listed(recorded) == on_disk(recorded)
    assert not list(recorded.merging("c0").glob("draft-*"))


def test_a_merged_file_is_sorted_by_instrument_time_segment_and_arrival(recorded: Layout) -> None:
    compact_closed(recorded, "c0", LATER)
    (path,) = [path for path in own(recorded, "c0") if path.name.startswith("deltas")]
    table = pq.read_table(path, partitioning=None)
    names = ("instrument_id", "ts_recv", "segment", "arrival")
    places = list(
        zip(
            *(table[name].cast(pa.int64() if name == "ts_recv" else table[name].type).to_pylist() for name in names),
            strict=True,
        )
    )
    assert all(one <= other for one, other in pairwise(places))
    assert set(table["segment"].to_pylist()) == {1, 2, 3, 4, 5}
    for file in manifest.read(recorded.manifest):
        assert manifest.digest(recorded.data_dir / file.path) == file.blake2b


def test_a_merged_hour_is_not_merged_again(recorded: Layout) -> None:
    compact_closed(recorded, "c0", LATER)
    before = {path: path.stat().st_ino for path in own(recorded, "c0")}
    assert compact_closed(recorded, "c0", LATER).hours == 0
    assert {path: path.stat().st_ino for path in own(recorded, "c0")} == before


def test_a_file_that_comes_late_is_merged_in_under_a_new_name(recorded: Layout, records: Records) -> None:
    compact_closed(recorded, "c0", LATER)
    first = set(own(recorded, "c0"))
    record(recorded, "c0", records(200, 20))
    before, replayed = rows(recorded), events(recorded)
    compact_closed(recorded, "c0", LATER)
    assert (rows(recorded), events(recorded)) == (before, replayed)
    assert len(own(recorded, "c0")) == 4
    assert not first & set(own(recorded, "c0"))
    assert listed(recorded) == on_disk(recorded)


def test_an_hour_is_open_until_it_is_over_and_everything_of_it_is_sealed(recorded: Layout, records: Records) -> None:
    assert mergeable_groups(recorded, "c0", NOON + NS_HOUR) == []
    log = WriteAheadLog(recorded.state, "c0", ManualClock(NOON + 5))
    assert mergeable_groups(recorded, "c0", LATER.now()) == []
    log.append(records(300, 1))
    path = log.close()
    assert path is not None
    seal_segment(path, recorded, LATER)
    later = WriteAheadLog(recorded.state, "c0", LATER)
    assert [len(files) for files in mergeable_groups(recorded, "c0", LATER.now())[0].values()] == [6, 6, 6]
    later.close()


def test_only_the_wanted_venue_and_day_are_merged(recorded: Layout) -> None:
    for options in (CompactOptions(venue=VenueName("other")), CompactOptions(dates=("2027-01-14",))):
        assert compact_closed(recorded, "c0", LATER, options).hours == 0
    assert (
        compact_closed(recorded, "c0", LATER, CompactOptions(venue=MOCK, dates=("2027-01-14", "2027-01-15"))).hours == 2
    )


@pytest.mark.slow
def test_a_crash_at_any_step_loses_and_doubles_nothing(recorded: Layout, tmp_path: Path) -> None:
    steps: list[str] = []
    before = rows(recorded)
    trial = Layout(tmp_path / "trial")
    shutil.copytree(recorded.data_dir, trial.data_dir)
    compact_closed(trial, "c0", LATER, CompactOptions(on_step=steps.append))
    expected = on_disk(trial)
    assert len(steps) > 15
    for number, step in enumerate(steps):
        again = Layout(tmp_path / str(number))
        shutil.copytree(recorded.data_dir, again.data_dir)
        seen: list[str] = []

        def crash(now: str, at: int = number, seen: list[str] = seen) -> None:
            seen.append(now)
            if len(seen) == at + 1:
                raise Crash(now)

        with pytest.raises(Crash):
            compact_closed(again, "c0", LATER, CompactOptions(on_step=crash))
        assert rows(again) == before, step
        compact_closed(again, "c0", LATER)
        assert rows(again) == before, step
        assert on_disk(again) == expected, step
        assert listed(again) == expected, step


def test_a_damaged_part_leaves_its_hour_as_it_is_and_the_others_go_on(recorded: Layout) -> None:
    path = next(path for path in own(recorded, "c0") if path.name.startswith("deltas"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    report = compact_closed(recorded, "c0", LATER)
    assert len(report.damaged) == 1
    assert "book_deltas" in report.damaged[0]
    assert path.read_bytes() == bytes(content)
    assert Counter(parse_file(path)[0].dataset for path in own(recorded, "c0")) == {
        "deltas": 5, "trades": 1, "snapshots": 1, "coverage": 1,
    }  # fmt: skip


def test_a_merged_file_with_other_rows_is_never_published(recorded: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = merge._sorted_pieces
    monkeypatch.setattr(merge, "_sorted_pieces", lambda *args: (piece.slice(1) for piece in pieces(*args)))
    before = on_disk(recorded)
    report = compact_closed(recorded, "c0", LATER)
    assert len(report.damaged) == 4
    assert on_disk(recorded) == before


def test_a_full_disk_changes_nothing(recorded: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    before = on_disk(recorded)
    for name in ("merge", "write_whole"):
        with monkeypatch.context() as patch:
            patch.setattr(compact, name, full)
            with pytest.raises(TransientError, match="No space left"):
                compact_closed(recorded, "c0", LATER)
        assert on_disk(recorded) == before
    assert compact_closed(recorded, "c0", LATER).hours == 2


def test_where_folders_cannot_be_swapped_nothing_changes(recorded: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_RENAME_EXCHANGE", 1 << 20)  # a flag that no kernel knows
    before = on_disk(recorded)
    with pytest.raises(ConfigError, match=r"storage\.compact = false"):
        compact_closed(recorded, "c0", LATER)
    assert on_disk(recorded) == before


def test_a_second_compaction_of_a_collector_is_refused(recorded: Layout) -> None:
    with exclusive_lock(recorded.merging("c0") / "lock", "it"), pytest.raises(SafetyError, match="wait"):
        compact_closed(recorded, "c0", LATER)


def test_rows_about_the_whole_venue_are_merged_with_those_of_its_markets(layout: Layout) -> None:
    def lives(second: int) -> list[Record]:
        ts = NOON + second * 1_000_000_000
        paused = MarketChange(MOCK, MarketId("m1"), None, ts, None, "paused", "")
        return [VenuePhase(MOCK, ts, None, "closed", ""), paused, VenuePhase(MOCK, ts + 1, None, "open", "")]

    record(layout, "c0", lives(0), lives(5), lives(9))
    replayed = events(layout)
    assert len(replayed) == 9
    report = compact_closed(layout, "c0", LATER)
    assert (len(report.merged), report.damaged) == (1, ())
    assert events(layout) == replayed
    assert list(check_files(layout)) == []


def test_an_hour_of_files_of_two_versions_becomes_one_file_with_the_columns_of_the_newer(recorded: Layout) -> None:
    make_older(recorded, lambda path: parse_file(path)[1].segment <= 3)
    replayed = events(recorded)
    report = compact_closed(recorded, "c0", LATER)
    assert (len(report.merged), report.damaged) == (4, ())
    assert events(recorded) == replayed
    (path,) = [path for path in own(recorded, "c0") if path.name.startswith("coverage")]
    told = [(row["segment"] > 3, row["trades"]) for row in pq.read_table(path, partitioning=None).to_pylist()]
    assert set(told) == {(False, None), (True, "live")}
    assert list(check_files(recorded)) == []


def test_files_with_only_the_columns_of_the_contract_are_merged_and_replayed(recorded: Layout) -> None:
    before = [(event.ts_recv, type(event)) for event in events(recorded)]
    make_foreign(recorded)
    replayed = events(recorded)
    assert sorted(map(str, [(event.ts_recv, type(event)) for event in replayed])) == sorted(map(str, before))
    report = compact_closed(recorded, "c0", LATER)
    assert (len(report.merged), report.damaged) == (4, ())
    assert events(recorded) == replayed
    assert {row["segment"] for row in pq.read_table(own(recorded, "c0")[0], partitioning=None).to_pylist()} == {
        1, 2, 3, 4, 5,
    }  # fmt: skip


def test_a_file_that_lacks_a_column_of_the_contract_is_refused_by_name(recorded: Layout) -> None:
    rewrite_files(recorded, without({"price"}), lambda path: path.name.startswith("trades"))
    make_foreign(recorded)
    (damaged,) = compact_closed(recorded, "c0", LATER).damaged
    assert "has no column 'price'" in damaged
    with pytest.raises(IntegrityError, match="has no column 'price'"):
        events(recorded)


def test_columns_of_other_arrow_types_are_read_as_those_of_the_contract(recorded: Layout) -> None:
    replayed = events(recorded)

    def wider(table: Any) -> Any:
        kinds = {pa.string(): pa.large_string(), pa.int32(): pa.int64()}
        return table.cast(pa.schema([field.with_type(kinds.get(field.type, field.type)) for field in table.schema]))

    rewrite_files(recorded, wider)
    for path in recorded.manifest.iterdir():
        path.unlink()
    assert events(recorded) == replayed
    assert compact_closed(recorded, "c0", LATER).damaged == ()
    assert events(recorded) == replayed


def test_compaction_can_be_stopped_between_hours(recorded: Layout) -> None:
    assert compact_closed(recorded, "c0", LATER, CompactOptions(stop=lambda: True)).hours == 0


def test_a_replay_in_progress_continues_when_its_files_are_merged(recorded: Layout) -> None:
    expected = events(recorded)
    running = replay(recorded.data_dir, MOCK, NOON - NS_HOUR, NOON + 2 * NS_HOUR)
    found = [next(running) for _ in range(3)]
    compact_closed(recorded, "c0", LATER)
    assert found + list(running) == expected


def test_a_large_file_is_replayed_window_by_window(recorded: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = events(recorded)
    compact_closed(recorded, "c0", LATER)
    monkeypatch.setattr("predsurv.store.read.replay.WINDOW_ROWS_MAX", 7)
    assert events(recorded) == expected


changes = st.builds(
    BookDelta,
    st.sampled_from([InstrumentKey(MOCK, MarketId(f"m{n // 2}"), InstrumentId(f"i{n}")) for n in range(3)]),
    st.integers(NOON, NOON + 5),
    st.none(),
    st.just(1),
    st.none(),
    st.just("bid"),
    st.integers(0, 10**6).map(Price),
    st.integers(0, 10**9).map(Size),
)


@pytest.mark.slow
@settings(max_examples=20)
@given(st.lists(st.lists(changes, min_size=1, max_size=12), min_size=2, max_size=4), st.integers(1, 4))
def test_the_order_of_arrival_survives_merging(segments: list[list[Record]], step: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "STEP_ROWS_MAX", step)
        layout = Layout(Path(folder))
        record(layout, "c0", *segments)
        before = events(layout)
        compact_closed(layout, "c0", LATER)
        assert len(own(layout, "c0")) == 1
        assert events(layout) == before
    assert not list(segments_of(layout.wal, "c0"))
