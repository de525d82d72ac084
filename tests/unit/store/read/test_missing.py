"""Tests of predsurv.store.read.missing."""

import shutil
from pathlib import Path

from predsurv.core.events import BookSnapshot, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.store import manifest
from predsurv.store.layout import HOURLY, NS_DAY, NS_HOUR, Dataset, Layout, data_files, date_of, parse_file
from predsurv.store.read.missing import LostWindow, MissingFile, lost_windows, missing_files
from predsurv.store.seal.compact import CompactOptions, rewrite
from tests.kit.recordings import record

MOCK, OTHER = VenueName("mock"), VenueName("other")
DAY = 1_800_014_400_000_000_000 // NS_DAY * NS_DAY


def book(ts: int, venue: VenueName = MOCK) -> BookSnapshot:
    key = InstrumentKey(venue, MarketId("m"), InstrumentId("i"))
    return BookSnapshot(key, ts, None, 1, None, ((Price(400_000), Size(1)),), ())


def trade(ts: int) -> Trade:
    return Trade(book(ts).key, ts, None, Price(400_000), Size(1), "buy", None)


def find(data_dir: Path, **wanted: object) -> list[MissingFile]:
    return missing_files(Layout(data_dir), **wanted)  # type: ignore[arg-type]


def remove(data_dir: Path, folder: str) -> None:
    for path in data_dir.glob(f"{folder}/**/*.parquet"):
        path.unlink()


def test_nothing_is_missing_of_what_is_there(tmp_path: Path) -> None:
    assert find(tmp_path) == []
    record(tmp_path, DAY, [book(DAY + 1), trade(DAY + 2)])
    assert find(tmp_path) == []


def test_a_file_that_is_gone_is_named_with_its_time(tmp_path: Path) -> None:
    record(tmp_path, DAY, [book(DAY + 1), book(DAY + 9), trade(DAY + 2)], collector="c7")
    remove(tmp_path, "book_deltas")
    [gone] = find(tmp_path)
    assert (gone.dataset, gone.venue, gone.collector, gone.lo, gone.hi) == ("deltas", MOCK, "c7", DAY + 1, DAY + 9)
    assert gone.path.startswith("book_deltas/venue=mock/")


def test_venue_days_and_datasets_narrow_the_search(tmp_path: Path) -> None:
    record(tmp_path, DAY, [book(DAY + 1), trade(DAY + 2), book(DAY + 3, OTHER), book(DAY + NS_DAY)])
    for path in (tmp_path / "book_deltas", tmp_path / "trades"):
        shutil.rmtree(path)
    first, second = date_of(DAY), date_of(DAY + NS_DAY)
    assert [each.lo - DAY for each in find(tmp_path)] == [1, 2, 3, NS_DAY]
    assert [each.lo - DAY for each in find(tmp_path, venue=MOCK, dates=[first])] == [1, 2]
    assert [each.lo - DAY for each in find(tmp_path, venue=MOCK, dates=[first, second])] == [1, 2, NS_DAY]
    assert [each.dataset for each in find(tmp_path, datasets=("trades",))] == ["trades"]


def test_files_that_were_merged_or_expired_are_not_missing(tmp_path: Path) -> None:
    record(tmp_path, DAY, [book(DAY + 1)], [book(DAY + 2)], [book(DAY + NS_HOUR)])
    layout = Layout(tmp_path)
    first, second, _ = paths = data_files(layout, "deltas")
    rewrite(layout, "c0", {parse_file(first)[0]: [first, second]}, CompactOptions(3), lambda table: table)
    assert not first.exists()
    assert find(tmp_path) == []
    remove(tmp_path, "book_deltas")
    assert len(find(tmp_path)) == 2
    manifest.set_cutoff(layout.manifest, DAY + NS_DAY)
    assert find(tmp_path) == []
    assert len(paths) == 3


def test_all_time_of_who_lost_files_is_divided_into_lost_and_other_time() -> None:
    def gone(dataset: Dataset, lo: int, hi: int, collector: str = "c7") -> MissingFile:
        return MissingFile("x", dataset, MOCK, collector, lo, hi)

    lost = [gone("deltas", 10, 19), gone("trades", 15, 24), gone("snapshots", 40, 49), gone("lifecycle", 70, 79, "c8")]
    found = lost_windows(lost, HOURLY)
    assert found.keys() == {(MOCK, "c7")}
    assert sorted(found[MOCK, "c7"], key=lambda window: window.start or 0) == [
        LostWindow(None, 10, lost=False),
        LostWindow(10, 25, lost=True),
        LostWindow(25, 40, lost=False),
        LostWindow(40, 50, lost=True),
        LostWindow(50, None, lost=False),
    ]
    assert lost_windows([], HOURLY) == {}
