"""The rule by which imported time counts as observed, on rows of any shape."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.events import BookDelta, BookSnapshot, CoverageReason, MarketEvent, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, TradeId
from predsurv.core.num import Price, Size
from predsurv.interchange import importer
from predsurv.interchange.foreign_recording import NONE_LEFT_OUT, ImportPart, MarketRows, part_of_each
from predsurv.interchange.importer import import_recording
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout
from predsurv.store.read.verify import verify_recording
from tests.kit.trading_samples import S, V, levels

START = 1_776_427_200 * S


class Rows:
    """A source of one file per element: the seconds at which each market is told, its first row a whole book."""

    name, venue = "rows", V
    books = True
    trades: CoverageReason = "live"
    left_out = NONE_LEFT_OUT

    def __init__(self, folder: Path, *parts: Mapping[str, Sequence[int]]) -> None:
        self.rows = dict(enumerate(parts))
        self.files: Sequence[Path] = [folder / f"{number}.rows" for number in self.rows]
        for path in self.files:
            path.write_text(repr(parts[int(path.stem)]))

    def parts(self) -> list[ImportPart]:
        return part_of_each(self.files)

    def times(self, part: ImportPart) -> pl.Series:
        (file,) = part.files
        seconds = sorted({each for rows in self.rows[int(file.stem)].values() for each in rows})
        return pl.Series([START + each * S for each in seconds], dtype=pl.Int64)

    def markets(self, part: ImportPart) -> Iterator[MarketRows]:
        (file,) = part.files
        for name, seconds in self.rows[int(file.stem)].items():
            key = InstrumentKey(V, MarketId(name), InstrumentId(f"{name}-y"))
            yield MarketRows(key.market_id, (key.instrument_id,), [told(key, each) for each in sorted(seconds)])


def told(key: InstrumentKey, second: int) -> MarketEvent:
    """A whole book every ten seconds, changes in between."""
    at = START + second * S
    if second % 10 == 0:
        return BookSnapshot(key, at, None, 1, None, levels((40, 1)), levels((60, 1)))
    return BookDelta(key, at, None, 1, None, "bid", levels((41, 1))[0][0], levels((41, second))[0][1])


def covered(data_dir: Path, name: str) -> list[tuple[int, int]]:
    """The seconds of ``name`` that are covered, pieces that touch joined."""
    files = [pl.read_parquet(path) for path in data_dir.glob("coverage/*/*/*.parquet")]
    if not files:  # one moment is no time
        return []
    rows = pl.concat(files)
    mine = rows.filter((pl.col("instrument_id") == f"{name}-y") & (pl.col("state") == "covered")).sort("start")
    found: list[tuple[int, int]] = []
    for row in mine.select(pl.col("start", "end").dt.epoch("ns")).rows():
        begin, end = ((each - START) // S for each in row)
        joins = bool(found) and found[-1][1] == begin
        found.append((found.pop()[0] if joins else begin, end))
    return found


def test_silence_of_everything_is_a_gap_until_the_next_whole_book(tmp_path: Path) -> None:
    source = Rows(tmp_path, {"a": [0, 3, 100, 104, 110, 115], "b": [0, 1, 30, 101]})
    import_recording(source, tmp_path / "data", 60 * S, ManualClock(START))
    assert covered(tmp_path / "data", "a") == [(0, 30), (100, 115)]
    assert covered(tmp_path / "data", "b") == [(0, 30)], "its next book never came"


def test_a_quiet_market_is_covered_while_others_are_heard(tmp_path: Path) -> None:
    source = Rows(tmp_path, {"a": [0, 200], "b": list(range(0, 201, 5))})
    import_recording(source, tmp_path / "data", 60 * S, ManualClock(START))
    assert covered(tmp_path / "data", "a") == [(0, 200)]


def test_a_missing_file_is_a_silence(tmp_path: Path) -> None:
    source = Rows(tmp_path, {"a": [0, 5], "b": [0]}, {"a": [3_600, 3_605]})
    report = import_recording(source, tmp_path / "data", 60 * S, ManualClock(START))
    assert covered(tmp_path / "data", "a") == [(0, 5), (3_600, 3_605)]
    assert (report.silences, report.silent) == (1, 3_595 * S)


def test_silences_before_a_market_was_known_are_not_its_gaps(tmp_path: Path) -> None:
    source = Rows(tmp_path, {"a": [0, 100]}, {"b": [200, 205], "a": [210]})
    report = import_recording(source, tmp_path / "data", 60 * S, ManualClock(START))
    assert covered(tmp_path / "data", "b") == [(200, 205)]
    assert report.silences == 2


def test_files_out_of_order_are_refused(tmp_path: Path) -> None:
    source = Rows(tmp_path, {"a": [100]}, {"a": [50]})
    with pytest.raises(IntegrityError, match=r"1.rows: begins before the end of the file before it"):
        import_recording(source, tmp_path / "data", 60 * S, ManualClock(START))


def test_no_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file of rows"):
        import_recording(Rows(tmp_path), tmp_path / "data", 60 * S, ManualClock(START))


seconds = st.lists(st.integers(0, 400), min_size=1, max_size=12)


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), seconds, min_size=1), min_size=1, max_size=3), st.integers(2, 90)
)
def test_what_comes_out_is_always_a_whole_recording(
    tmp_path_factory: pytest.TempPathFactory, parts: list[dict[str, list[int]]], silent: int
) -> None:
    folder = tmp_path_factory.mktemp("import")
    shifted = [{name: [each + 400 * n for each in rows] for name, rows in part.items()} for n, part in enumerate(parts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importer, "RECORDS_PER_SEGMENT", 7)
        import_recording(Rows(folder, *shifted), folder / "data", silent * S, ManualClock(START))
    assert verify_recording(Layout(folder / "data"), deep=True).findings == ()
    heard = sorted({each for part in shifted for rows in part.values() for each in rows})
    for name in "abc":
        for begin, end in covered(folder / "data", name):
            inside = [each for each in heard if begin <= each <= end]
            assert all(later - earlier <= silent for earlier, later in pairwise(inside))


class Prints(Rows):
    """A source of trades alone, at the seconds at which each market is told."""

    books = False
    trades: CoverageReason = "polled"

    def markets(self, part: ImportPart) -> Iterator[MarketRows]:
        for market in super().markets(part):
            key = InstrumentKey(V, market.market_id, market.instruments[0])
            prints = [
                Trade(
                    key, event.ts_recv, event.ts_recv, Price(400_000), Size(10**6), "buy", TradeId(str(event.ts_recv))
                )
                for event in market.events
            ]
            yield MarketRows(market.market_id, (*market.instruments, InstrumentId(f"{market.market_id}-n")), prints)


def observed(data_dir: Path, name: str) -> dict[str, list[tuple[int, int]]]:
    """By how trades of ``name`` were observed, the seconds in which they were so, pieces that touch joined."""
    rows = pl.concat([pl.read_parquet(path) for path in data_dir.glob("coverage/*/*/*.parquet")])
    assert set(rows.select("state", "reason").unique().rows()) == {("gap", "not_offered")}, "no book was observed"
    found: dict[str, list[tuple[int, int]]] = {}
    mine = rows.filter(pl.col("instrument_id") == f"{name}-y").sort("start")
    last = mine["start"].dt.epoch("ns").min()
    for how, *times in mine.select("trades", pl.col("start", "end").dt.epoch("ns")).rows():
        assert times[0] == last, "the rows tile the time"
        last = times[1]
        begin, end = ((each - START) // S for each in times)
        pieces = found.setdefault(how, [])
        joins = bool(pieces) and pieces[-1][1] == begin
        pieces.append((pieces.pop()[0] if joins else begin, end))
    return found


def test_trades_alone_are_observed_in_the_hours_around_them_and_books_never(tmp_path: Path) -> None:
    hour = 3_600
    rows = {"a": [5, hour * 3 + 60], "b": [hour + 100], "c": [0, *range(hour, hour * 4, 300)]}
    report = import_recording(Prints(tmp_path, rows), tmp_path / "data", 600 * S, ManualClock(START))
    assert (report.books, report.silences) == (False, 1)
    assert observed(tmp_path / "data", "a") == {
        "polled": [(0, 5), (hour, hour * 4 - 300)],
        "stall": [(5, hour)],
    }, "neither before the first trade of all nor after the last"
    assert observed(tmp_path / "data", "b") == {"polled": [(hour, hour * 2)]}, "its hour, not its moment"
    assert verify_recording(Layout(tmp_path / "data"), deep=True).findings == ()


def test_trades_alone_go_on_from_part_to_part(tmp_path: Path) -> None:
    hour = 3_600
    first, later = {"a": [10], "b": list(range(0, hour, 60))}, {"b": list(range(hour, hour * 3, 60)), "a": [hour * 2]}
    import_recording(Prints(tmp_path, first, later), tmp_path / "data", 90 * S, ManualClock(START))
    assert observed(tmp_path / "data", "a") == {"polled": [(0, hour * 3 - 60)]}, "quiet while others traded"


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), seconds, min_size=1), min_size=1, max_size=3), st.integers(2, 90)
)
def test_trades_alone_are_always_a_whole_recording_that_counts_each_once(
    tmp_path_factory: pytest.TempPathFactory, parts: list[dict[str, list[int]]], silent: int
) -> None:
    folder = tmp_path_factory.mktemp("import")
    shifted = [
        {name: [each + 400 * n for each in set(rows)] for name, rows in part.items()} for n, part in enumerate(parts)
    ]
    import_recording(Prints(folder, *shifted), folder / "data", silent * S, ManualClock(START))
    assert verify_recording(Layout(folder / "data"), deep=True).findings == ()
    for name in {name for part in shifted for name in part}:
        told = [each for part in shifted for each in part.get(name, ())]
        inside = observed(folder / "data", name)["polled"]
        assert all(any(begin <= each <= end for begin, end in inside) for each in told)
