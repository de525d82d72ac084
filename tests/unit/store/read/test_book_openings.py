"""Whole books are told from changes."""

from pathlib import Path

from predsurv.store.layout import Layout, data_files
from predsurv.store.read.book_openings import BookRows, book_rows
from tests.kit.recordings import record
from tests.kit.trading_samples import S, book, delta

START = 1_800_014_400_000_000_000


def test_rows_are_counted_by_what_they_are(tmp_path: Path) -> None:
    record(tmp_path, START, [book(ts=START), *(delta("ask", 70, size, START + size * S) for size in range(1, 6))])
    paths = data_files(Layout(tmp_path), "deltas")
    rows = book_rows(paths)
    assert (rows.changes, rows.openings) == (5, 1)
    assert rows.opening_rows == 1 + len(book().bids) + len(book().asks)
    assert book_rows([*paths, *paths]) == BookRows(10, 2 * rows.opening_rows, 2)


def test_files_that_cannot_be_read_count_as_empty(tmp_path: Path) -> None:
    (tmp_path / "torn").write_bytes(b"PAR1")
    assert book_rows([tmp_path / "torn", tmp_path / "gone"]) == BookRows(0, 0, 0)
