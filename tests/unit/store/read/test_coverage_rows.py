"""Coverage files are read as numbers, in pieces, with what is gone as gaps, whoever wrote them."""

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import VenueName
from predsurv.store.layout import FileStamp, Layout, Partition
from predsurv.store.read import coverage_rows
from predsurv.store.read.coverage_rows import CoverageRows, TextCodes, paired, unpaired
from predsurv.store.read.missing import LostWindow, LostWindows
from tests.kit.coverage_files import coverage_table, write_coverage

MOCK = VenueName("mock")
DAY = "2027-01-15"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = Layout(tmp_path).file(Partition("coverage", MOCK, DAY, None), FileStamp("20270115T000000Z", "c-0", 1))
    path.parent.mkdir(parents=True)
    return path


Row = tuple[str, str, int, int, str | None, str | None]


def read(path: Path, lost: LostWindows | None = None) -> list[Row]:
    reader = CoverageRows(lost or {})
    found: list[Row] = []
    for rows in reader.read(path, markets=True):
        for each in rows.to_pylist():
            market, instrument = reader.markets.text(each["market"]), reader.instruments.text(each["instrument"])
            found.append((str(market), str(instrument), each["start"], each["end"], *reader.kind(each["kind"])))
    return sorted(found)


ROWS = [
    ("m0", "i0", 0, 100, "covered", "live"),
    ("m0", "i0", 100, 150, "gap", "stall"),
    ("m1", "i1", 60, 90, "covered", "polled"),
]


@pytest.mark.parametrize("rows_at_a_time", [1, 2, 1 << 16])
def test_rows_are_what_was_written_in_pieces_of_any_size(
    place: Path, monkeypatch: pytest.MonkeyPatch, rows_at_a_time: int
) -> None:
    monkeypatch.setattr(coverage_rows, "PIECE_ROWS", rows_at_a_time)
    write_coverage(place, ROWS)
    assert read(place) == ROWS


def test_covered_time_of_a_lost_window_is_a_gap_of_the_collector_that_lost_it(place: Path) -> None:
    write_coverage(place, ROWS)
    windows = [LostWindow(None, 70, lost=False), LostWindow(120, None, lost=False), LostWindow(70, 120, lost=True)]
    assert read(place, {(MOCK, "c-0"): windows}) == [
        ("m0", "i0", 0, 70, "covered", "live"),
        ("m0", "i0", 70, 100, "gap", "file_missing"),
        ("m0", "i0", 100, 150, "gap", "stall"),
        ("m1", "i1", 60, 70, "covered", "polled"),
        ("m1", "i1", 70, 90, "gap", "file_missing"),
    ]
    assert read(place, {(MOCK, "c-1"): windows, (VenueName("other"), "c-0"): windows}) == ROWS


def test_files_of_other_programs_are_read(place: Path) -> None:
    table = coverage_table(ROWS)
    micros = pa.timestamp("us", tz="UTC")
    columns: dict[str, Any] = {
        name: table[name].cast(pa.large_string()) for name in ("market_id", "instrument_id", "state")
    }
    thousands = {name: pa.array([each.value * 1_000 for each in table[name]]) for name in ("start", "end")}
    columns |= {name: values.cast(pa.timestamp("ns", tz="UTC")).cast(micros) for name, values in thousands.items()}
    columns |= {"reason": table["reason"].dictionary_encode(), "epoch": table["epoch"], "remark": table["market_id"]}
    pq.write_table(pa.table(columns), place)
    thousandfold = [
        (*ids, lo * 1_000, hi * 1_000, *kind) for *ids, lo, hi, state, reason in ROWS for kind in [(state, reason)]
    ]
    assert read(place) == thousandfold
    pl.from_arrow(pa.table(columns)).write_parquet(place)  # type: ignore[union-attr]
    assert read(place) == thousandfold


def test_a_reason_that_is_null_stays_unknown(place: Path) -> None:
    write_coverage(place, [("m0", "i0", 0, 9, "gap", None)])
    assert read(place) == [("m0", "i0", 0, 9, "gap", None)]


@pytest.mark.parametrize("column", ["instrument_id", "end", "state"])
def test_a_file_without_a_column_is_named(place: Path, column: str) -> None:
    pq.write_table(coverage_table(ROWS).drop_columns([column]), place)
    with pytest.raises(IntegrityError, match=f"{place.name} has no column '{column}'"):
        read(place)


def test_codes_are_the_same_in_every_piece() -> None:
    codes = TextCodes()
    pieces = [["b", "a", None, "b"], ["c", "a"], []]
    found = [codes.encode(pa.chunked_array([pa.array(piece, pa.string()).dictionary_encode()])) for piece in pieces]
    assert [[codes.text(code) for code in piece.to_pylist()] for piece in found] == pieces
    assert found[0].to_pylist()[1] == found[1].to_pylist()[1]


def test_pairs_of_codes_come_back() -> None:
    first, second = pa.array([-1, 0, 7, 2**31 - 1], pa.int32()), pa.array([3, -1, 2**31 - 1, 0], pa.int32())
    assert [each.to_pylist() for each in unpaired(paired(first, second))] == [first.to_pylist(), second.to_pylist()]
