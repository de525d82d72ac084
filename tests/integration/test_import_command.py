"""``predsurv import``: what others recorded becomes a recording that is verified, mined and traded on."""

from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

import predsurv
from predsurv.cli.app import main
from tests.kit.foreign_files import (
    HOUR,
    pmxt_book,
    pmxt_row,
    telonex_book,
    telonex_row,
    write_lines,
    write_pmxt,
)

NS = 1_000_000
DAY = "2026-04-17"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def hour(folder: Path) -> Path:
    rows = [
        pmxt_row(500, "price_change", price="0.40", size="7", side="BUY"),
        pmxt_book(1_000, [["0.40", "100"], ["0.39", "50.5"]], [["0.60", "80"]]),
        pmxt_row(2_000, "price_change", price="0.41", size="25", side="BUY"),
        pmxt_row(3_000, "last_trade_price", price="0.60", size="5", side="BUY", transaction_hash="0x1"),
        pmxt_row(3_000, "price_change", price="0.60", size="75", side="SELL"),
        pmxt_row(9_000, "price_change", price="0.41", size="0", side="BUY"),
        pmxt_book(1_500, [["0.40", "75"]], [["0.60", "100"]], asset="222"),
        # nothing at all for two minutes
        pmxt_row(130_000, "price_change", price="0.42", size="10", side="BUY"),
        pmxt_book(131_000, [["0.43", "10"]], [["0.55", "20"]]),
        pmxt_row(140_000, "price_change", price="0.44", size="3", side="BUY"),
        pmxt_row(140_000, "price_change", market="0x" + "cd" * 32, asset="333", price="0.1", size="1", side="BUY"),
    ]
    return write_pmxt(folder / "polymarket_orderbook_2026-04-17T12.parquet", rows)


def test_an_hour_of_pmxt_is_recorded_verified_mined_and_traded_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", "pmxt", str(hour(folder)), "--format", "json"]) == 0
    (report,) = msgspec.json.decode(capsys.readouterr().out)
    assert (report["markets"], report["instruments"], report["silences"]) == (2, 3, 1)
    assert report["orphans"] == 3, "before a first book, in the silence's wake, and of the market without any"
    assert main(["verify", "--deep"]) == 0
    data = predsurv.open("data")
    second = (HOUR + 5_000) * NS
    book = data.book("polymarket", "111", at=second)
    assert (book.trusted, book.bids[0], book.asks[0]) == (True, (410_000, 25_000_000), (600_000, 75_000_000))
    silent = data.book("polymarket", "111", at=(HOUR + 100_000) * NS)
    assert (silent.trusted, silent.reason) == (False, "stall")
    assert data.book("polymarket", "111", at=(HOUR + 132_000) * NS).bids[0] == (430_000, 10_000_000)
    trades = data.trades("polymarket", DAY, DAY).collect()
    assert trades.select("price", "size", "taker_side").rows() == [(0.6, 5.0, "buy")]
    assert main(["mine", "polymarket", DAY]) == 0
    assert main(["backtest", "polymarket", DAY, "--strategy", "simple"]) == 0


def test_time_is_covered_by_the_rule_that_the_import_states(folder: Path) -> None:
    assert main(["import", "pmxt", str(hour(folder)), "--silent-after", "10m"]) == 0
    coverage = predsurv.open("data").coverage("polymarket", DAY, DAY).filter(pl.col("instrument_id") == "111").collect()
    seconds = {row["state"]: (row["start"], row["end"]) for row in coverage.sort("start").iter_rows(named=True)}
    begin, end = seconds["covered"]
    assert (end - begin).total_seconds() == pytest.approx(139.0, abs=0.001)
    stated = msgspec.json.decode(next(Path("data/state/imports").glob("*.json")).read_bytes())
    assert stated["silent_after"] == 600 * 10**9
    assert [len(digest) for digest in stated["files"].values()] == [40]


def test_days_of_telonex_are_recorded_verified_mined_and_traded_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = 1_000_000
    books = [
        telonex_book(0, [["0.40", "100"]], [["0.60", "80"]]),
        telonex_book(2 * second, [["0.41", "25"], ["0.40", "100"]], [["0.60", "80"]]),
        # nothing at all for two minutes
        telonex_book(130 * second, [["0.43", "10"]], [["0.55", "20"]]),
    ]
    prints = [telonex_row(3 * second, price="0.60", size="5", side="buy", id="t")]
    for name, rows in (("book", books), ("trades", prints)):
        (folder / "in" / "will-it").mkdir(parents=True, exist_ok=True)
        pl.DataFrame(rows).write_parquet(folder / "in" / "will-it" / f"{name}_yes_{DAY}.parquet")
    assert main(["import", "telonex", "in", "--format", "json"]) == 0
    (report,) = msgspec.json.decode(capsys.readouterr().out)
    assert (report["markets"], report["instruments"], report["silences"], report["orphans"]) == (1, 1, 1, 0)
    assert main(["verify", "--deep"]) == 0
    data = predsurv.open("data")
    told = data.book("polymarket", "111", at=(HOUR + 2_500) * NS)
    assert (told.trusted, told.bids) == (True, ((410_000, 25_000_000), (400_000, 100_000_000)))
    assert data.book("polymarket", "111", at=(HOUR + 60_000) * NS).reason == "stall"
    assert data.book("polymarket", "111", at=(HOUR + 130_000) * NS).asks == ((550_000, 20_000_000),)
    assert main(["mine", "polymarket", DAY]) == 0
    assert main(["backtest", "polymarket", DAY, "--strategy", "simple"]) == 0
    assert main(["import", "telonex", "in"]) == 5, "the same files"


def test_an_import_is_for_a_local_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "surveillance.toml").write_text('data_dir = "s3://bucket/data"\n')
    assert main(["import", "pmxt", str(hour(folder)), "--config", "surveillance.toml"]) == 5
    assert "an import writes to a local folder" in capsys.readouterr().err


def test_hours_continue_each_other(folder: Path) -> None:
    write_pmxt(folder / "polymarket_orderbook_2026-04-17T12.parquet", [pmxt_book(3_590_000, [["0.40", "1"]], [])])
    later = [pmxt_row(3_610_000, "price_change", price="0.41", size="2", side="BUY")]
    write_pmxt(folder / "polymarket_orderbook_2026-04-17T13.parquet", later)
    assert main(["import", "pmxt", "."]) == 0
    assert main(["verify", "--deep"]) == 0
    book = predsurv.open("data").book("polymarket", "111", at=(HOUR + 3_610_000) * NS)
    assert (book.trusted, book.bids) == (True, ((410_000, 2_000_000), (400_000, 1_000_000)))


def test_the_same_files_are_not_imported_twice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = hour(folder)
    assert main(["import", "pmxt", str(path)]) == 0
    before = sorted(Path("data").rglob("*.parquet"))
    assert main(["import", "pmxt", str(path)]) == 5
    assert "imported before" in capsys.readouterr().err
    assert sorted(Path("data").rglob("*.parquet")) == before


def test_a_file_that_fails_in_the_middle_leaves_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pmxt(folder / "a.parquet", [pmxt_book(1_000, [["0.40", "1"]], [])])
    bad = [pmxt_row(3_700_000, "price_change", price="7", size="2", side="BUY")]
    write_pmxt(folder / "b.parquet", bad)
    assert main(["import", "pmxt", "a.parquet", "b.parquet"]) == 4
    assert "b.parquet: market 0xabab" in capsys.readouterr().err
    assert list(Path("data").rglob("*.parquet")) == []
    assert list(Path("data").rglob("*.db*")) == []
    assert main(["import", "pmxt", "a.parquet"]) == 0


ROWS: list[dict[str, Any]] = [
    {"ts": HOUR, "market": "M", "token": "M-Y", "kind": "book", "bids": [["0.4", "10"]], "asks": [["0.6", "5"]]},
    {"ts": HOUR + 5, "market": "M", "token": "M-Y", "kind": "change", "side": "ask", "price": 0.55, "size": 2.5},
    {
        "ts": HOUR + 9,
        "market": "M",
        "token": "M-Y",
        "kind": "trade",
        "side": "buy",
        "price": 0.55,
        "size": 1,
        "trade_id": "t",
    },
]
NAMES = ["--venue", "kalshi", "--column", "time=ts", "--column", "instrument=token"]


def test_lines_of_anyone(folder: Path) -> None:
    write_lines(folder / "rows.jsonl", ROWS)
    assert main(["import", "jsonl", "rows.jsonl", *NAMES]) == 0
    assert main(["verify", "--deep"]) == 0
    data = predsurv.open("data")
    assert data.book("kalshi", "M-Y", at=(HOUR + 6) * NS).asks == ((550_000, 2_500_000), (600_000, 5_000_000))
    assert data.trades("kalshi", DAY, DAY).collect()["trade_id"].to_list() == ["t"]


def test_tables_of_anyone(folder: Path) -> None:
    (folder / "tables").mkdir()
    pl.DataFrame(ROWS).with_columns(pl.from_epoch("ts", "ms")).write_parquet(folder / "tables" / "rows.parquet")
    assert main(["import", "parquet", "tables", *NAMES]) == 0
    assert predsurv.open("data").book("kalshi", "M-Y", at=(HOUR + 6) * NS).bids == ((400_000, 10_000_000),)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["pmxt", "nothing.parquet"], 2, "no file nothing.parquet"),
        (["tape", "rows.jsonl"], 2, "no format 'tape' to import; there are pmxt, telonex, becker, parquet, jsonl"),
        (["jsonl", "rows.jsonl"], 2, "name the venue"),
        (["jsonl", "rows.jsonl", "--venue", "nowhere"], 2, "nowhere"),
        (["jsonl", "rows.jsonl", "--venue", "kalshi", "--column", "when=ts"], 2, "'when=ts'"),
        (["jsonl", "rows.jsonl", "--venue", "kalshi"], 4, "no column time, instrument; it has"),
        (["pmxt", "rows.jsonl"], 4, "rows.jsonl"),
        (["pmxt", "rows.jsonl", "--column", "time=t"], 2, "leave --column out"),
        (["telonex", "."], 2, "no .parquet file in"),
    ],
)
def test_what_cannot_be_imported_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, says: str
) -> None:
    write_lines(folder / "rows.jsonl", ROWS)
    assert main(["import", *words]) == code
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
