"""An import that cannot go on keeps nothing of itself, and one that was cut short is begun anew."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest

from predsurv.core.errors import IntegrityError, SafetyError, TransientError
from predsurv.core.events import BookSnapshot, CoverageReason
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.interchange import importer
from predsurv.interchange.foreign_recording import NONE_LEFT_OUT, ImportPart, MarketRows, part_of_each
from predsurv.interchange.importer import ImportReport, import_recording
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout, data_files
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog
from tests.kit.disk import Disk
from tests.kit.trading_samples import S, V, levels

START = 1_776_427_200 * S
KEY = InstrumentKey(V, MarketId("a"), InstrumentId("a-y"))


class Books:
    """A source with one file per element: the seconds at which there is a whole book of one market."""

    name, venue = "books", V
    books = True
    trades: CoverageReason = "live"
    left_out = NONE_LEFT_OUT

    def __init__(self, folder: Path, *parts: Sequence[int]) -> None:
        self._parts = parts
        self.files: Sequence[Path] = [folder / f"{number}.books" for number in range(len(parts))]
        self.fails_after: int | None = None
        for path, seconds in zip(self.files, parts, strict=True):
            path.write_text(repr(seconds))

    def parts(self) -> list[ImportPart]:
        return part_of_each(self.files)

    def times(self, part: ImportPart) -> pl.Series:
        (file,) = part.files
        return pl.Series([START + each * S for each in self._parts[int(file.stem)]], dtype=pl.Int64)

    def markets(self, part: ImportPart) -> Iterator[MarketRows]:
        (file,) = part.files
        if self.fails_after == int(file.stem):
            raise pl.exceptions.ComputeError("a page is torn\nand more")
        at = [START + each * S for each in self._parts[int(file.stem)]]
        books = [BookSnapshot(KEY, each, None, 1, None, levels((40, 1)), levels((60, 1))) for each in at]
        yield MarketRows(KEY.market_id, (KEY.instrument_id,), books)


def imported(source: Books, folder: Path) -> ImportReport:
    return import_recording(source, folder / "data", 60 * S, ManualClock(START))


def kept(folder: Path) -> list[Path]:
    """What there is of an import: data, manifests, logs, its record."""
    patterns = ("*.parquet", "*.jsonl", "*.db*", "imports/*.json")
    return sorted(path for pattern in patterns for path in (folder / "data").rglob(pattern))


def test_files_and_markets_without_a_row_are_passed_over(tmp_path: Path) -> None:
    report = imported(Books(tmp_path, [], [10, 20], []), tmp_path)
    assert (report.markets, report.instruments, report.silences) == (1, 1, 0)
    assert (report.since, report.until) == (START + 10 * S, START + 20 * S)


def test_nothing_is_kept_of_an_import_that_meets_an_unreadable_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "RECORDS_PER_SEGMENT", 2)
    source = Books(tmp_path, [0, 10, 20], [30])
    source.fails_after = 1
    with pytest.raises(IntegrityError, match=r"1\.books: cannot be read: a page is torn$"):
        imported(source, tmp_path)
    assert kept(tmp_path) == []
    source.fails_after = None
    assert imported(source, tmp_path).markets == 1
    with pytest.raises(SafetyError, match="these files were imported before"):
        imported(source, tmp_path)


def test_a_full_disk_ends_an_import_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    disk.full = True
    monkeypatch.setattr(importer, "_FLUSH_RECORDS", 1)
    with pytest.raises(TransientError, match=r"^cannot write: .*; free disk space, then import again$"):
        imported(Books(tmp_path, [0, 10]), tmp_path)
    assert kept(tmp_path) == []
    disk.full = False
    assert imported(Books(tmp_path, [0, 10]), tmp_path).markets == 1


def test_a_log_that_is_damaged_before_it_is_sealed_ends_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotate = WriteAheadLog.rotate

    def spoil(log: WriteAheadLog) -> Path | None:
        path = rotate(log)
        assert path is not None
        content = bytearray(path.read_bytes())
        content[content.rindex(b"a-y")] ^= 1
        path.write_bytes(content)
        return path

    monkeypatch.setattr(WriteAheadLog, "rotate", spoil)
    with pytest.raises(IntegrityError, match="could not be sealed: batch 1"):
        imported(Books(tmp_path, [0, 10]), tmp_path)
    assert {path.parent.name for path in kept(tmp_path)} == {"quarantine"}


def test_what_a_killed_import_left_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    whole = imported(Books(tmp_path, [0, 10]), tmp_path)
    layout, clock = Layout(tmp_path / "data"), ManualClock(START)
    expected = [path.read_bytes() for path in data_files(layout, "snapshots")]
    (layout.state / "imports" / f"{whole.collector}.json").unlink()  # it was killed before it wrote that
    for collector in (whole.collector, "c0"):
        log = WriteAheadLog(layout.state, collector, clock)
        log.append([BookSnapshot(KEY, START + 5 * S, None, 1, None, levels((41, 1)), levels((61, 1)))])
        path = log.close()
        assert path is not None
        if collector == "c0":
            seal_segment(path, layout, clock)
    others = {path: path.read_bytes() for path in kept(tmp_path) if "c0-" in path.name}
    assert others
    assert imported(Books(tmp_path, [0, 10]), tmp_path) == whole
    assert {path: path.read_bytes() for path in others} == others
    mine = [path.read_bytes() for path in data_files(layout, "snapshots") if path not in others]
    assert len(mine) == len(expected)
