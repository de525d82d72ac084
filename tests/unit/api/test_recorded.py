"""Coverage is read a row at a time, whichever version or program wrote it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from predsurv.api.recorded import CoveragePiece, coverage_pieces
from predsurv.core.errors import IntegrityError
from predsurv.core.records import Coverage
from predsurv.store.layout import Layout, data_files
from predsurv.store.read.recording import ReplaySpan
from tests.kit.backtests import books, covered, hours
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, S, V, market

ONE = hours(1)
OTHER = market("z").key(0)


@pytest.fixture
def coverage(tmp_path: Path) -> Path:
    record(
        tmp_path,
        hours(2),
        [
            *books(YES, ONE),
            covered(YES, ONE, ONE + 10 * S),
            Coverage(YES, ONE + 10 * S, ONE + 20 * S, "gap", "disconnect", 1),
            covered(OTHER, ONE, ONE + 20 * S),
        ],
    )
    (path,) = data_files(Layout(tmp_path), "coverage")
    return path


def pieces(data_dir: Path, start: int, end: int, column: str = "market_id", text: str = "m") -> list[CoveragePiece]:
    return list(coverage_pieces(data_dir, V, ReplaySpan(start, end), column, text))


def test_the_pieces_that_overlap_a_span_are_told_uncut(tmp_path: Path, coverage: Path) -> None:
    known = CoveragePiece("m", "m-yes", "covered", "live", ONE, ONE + 10 * S)
    gap = CoveragePiece("m", "m-yes", "gap", "disconnect", ONE + 10 * S, ONE + 20 * S)
    assert pieces(tmp_path, ONE + 9 * S, ONE + 10 * S) == [known]
    assert sorted(pieces(tmp_path, ONE + 9 * S, ONE + 11 * S)) == [known, gap]
    assert pieces(tmp_path, ONE + 20 * S, ONE + 21 * S) == []
    assert pieces(tmp_path, hours(30), hours(31)) == []
    assert [each.market_id for each in pieces(tmp_path, ONE, ONE + 1, "instrument_id", "z-yes")] == ["z"]


@pytest.mark.parametrize("unit", ["us", "ns"])
def test_texts_and_times_of_other_types_are_the_same(tmp_path: Path, coverage: Path, unit: str) -> None:
    before = pieces(tmp_path, ONE, ONE + 20 * S)
    table = pq.ParquetFile(coverage).read()
    for at, field in enumerate(table.schema):
        column = table[field.name]
        if pa.types.is_timestamp(field.type):
            table = table.set_column(at, field.name, column.cast(pa.timestamp(unit, "UTC")))
        elif pa.types.is_string(field.type):
            table = table.set_column(at, field.name, column.dictionary_encode())
    pq.write_table(table, coverage)
    assert pieces(tmp_path, ONE, ONE + 20 * S) == before


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, coverage: Path) -> None:
    pq.write_table(pq.ParquetFile(coverage).read().drop_columns("reason"), coverage)
    with pytest.raises(IntegrityError, match="has no column 'reason'"):
        pieces(tmp_path, ONE, ONE + S)
    coverage.write_bytes(b"PAR1 no more")
    with pytest.raises(IntegrityError, match=r"is damaged .*: run 'predsurv verify'"):
        pieces(tmp_path, ONE, ONE + S)


def test_a_file_that_is_gone_meanwhile_is_not_called_damaged(tmp_path: Path, coverage: Path) -> None:
    coverage.unlink()
    coverage.symlink_to(tmp_path / "merged-away.parquet")
    with pytest.raises(FileNotFoundError):
        pieces(tmp_path, ONE, ONE + S)
