"""What a folder of another program lacks to be a recording is named, with what follows from it."""

from pathlib import Path

import polars as pl
import pytest

from predsurv.store.layout import Layout
from predsurv.store.read.verify import verify_recording
from predsurv.store.read.verify_foreign import lacking_parts

DAY = "venue=kalshi/date=2026-04-17"
NAME = "20260417T120000Z-old-000000000001.parquet"
TRADE = {"ts_recv": [0], "ts_venue": [0], "market_id": ["M"], "instrument_id": ["M"]} | {
    "price": [0.5], "size": [1.0], "taker_side": ["buy"], "trade_id": ["t"]
}  # fmt: skip


def written(folder: Path, name: str, **columns: object) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns or TRADE).with_columns(
        pl.col("^ts_.*$").cast(pl.Datetime("ns", "UTC"))
    ).write_parquet(path)  # fmt: skip
    return path


def told(folder: Path, *files: Path) -> list[str]:
    return [part.what for part in lacking_parts(Layout(folder), files)]


def test_a_folder_of_trades_lacks_all_that_a_recording_has(tmp_path: Path) -> None:
    path = written(tmp_path, f"trades/{DAY}/hour=12/trades_{NAME}")
    expected = ["coverage of kalshi, 2026-04-17", "books of kalshi"]
    assert told(tmp_path, path)[:2] == expected
    assert "a list of the markets of kalshi" in told(tmp_path, path)[2]
    assert told(tmp_path, path)[3:] == ["a manifest of these files"]
    report = verify_recording(Layout(tmp_path))
    assert [part.what for part in report.lacks] == told(tmp_path, path)
    assert {each.check for each in report.findings} == {"manifest"}


def test_what_is_there_is_not_named(tmp_path: Path) -> None:
    path = written(tmp_path, f"trades/{DAY}/hour=12/trades_{NAME}")
    written(tmp_path, f"book_deltas/{DAY}/hour=12/deltas_{NAME}")
    written(tmp_path, f"coverage/{DAY}/coverage_{NAME}")
    lines = tmp_path / "metadata" / DAY / "universe.jsonl"
    lines.parent.mkdir(parents=True)
    lines.write_text("")
    assert told(tmp_path, path) == ["a manifest of these files"]


def test_names_and_columns_that_nothing_reads(tmp_path: Path) -> None:
    strange = written(tmp_path, f"trades/{DAY}/hour=12/trades_2026-04-17T12-00.parquet")
    short = written(tmp_path, f"trades/{DAY}/hour=12/trades_{NAME}", price=[0.5])
    torn = tmp_path / f"trades/{DAY}/hour=12/trades_20260417T120000Z-old-000000000002.parquet"
    torn.write_bytes(b"PAR1")
    names, columns = told(tmp_path, strange, torn, short)[:2]
    assert names.startswith("names that are read: 1 files have others, first trades/venue=kalshi")
    assert columns == f"columns: trades/{DAY}/hour=12/trades_{NAME} has no column 'ts_recv'"


def test_a_recording_of_ours_lacks_nothing(tmp_path: Path) -> None:
    assert lacking_parts(Layout(tmp_path), []) == ()


def test_files_outside_of_days_are_named_all_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, "trades/all.parquet")
    (names, manifest) = told(tmp_path, path)
    assert "trades/all.parquet" in names
    assert manifest == "a manifest of these files"


@pytest.mark.parametrize("deep", [False, True])
def test_an_empty_folder_is_no_foreign_one(tmp_path: Path, deep: bool) -> None:
    assert verify_recording(Layout(tmp_path), deep=deep).lacks == ()
