"""``predsurv import becker``: trades without books are verified, mined and traded on as what they are."""

from pathlib import Path

import msgspec
import polars as pl
import pytest

import predsurv
from predsurv.cli.app import main
from tests.kit.foreign_files import (
    HOUR,
    MARKET,
    block_at,
    filled_order,
    kalshi_listed,
    kalshi_print,
    token_listed,
    write_becker,
    write_lines,
)

NS = 1_000_000
DAY = "2026-04-17"
EXCHANGE = "0x4bFb41d5B3570DeFd03C39a9A4D8dE6Bd8B8982E"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    prints = [
        kalshi_print(0, "KXA", 40, 10),
        kalshi_print(60_000, "KXA", 42, 5, "no"),
        kalshi_print(60_000, "KXA", 42, 5, "no"),  # told again
        kalshi_print(90_000, "KXA", 28, no_price=71),
        kalshi_print(95_000, "KXA", 50, 0),
        kalshi_print(5 * 3_600_000, "KXA", 44, 20),
        kalshi_print(30_000, "KXB", 90, 1),
        kalshi_print(86_400_000, "KXB", 91, 2),
    ]
    fills = [
        filled_order(7, 1, ("0", 4_000_000), ("111", 10_000_000)),
        filled_order(7, 2, ("222", 5_000_000), ("0", 3_000_000)),
        filled_order(7, 3, ("111", 10_000_000), ("0", 4_000_000), taker=EXCHANGE),
        filled_order(8, 1, ("0", 1_000_000), ("999", 2_000_000)),
        filled_order(9, 1, ("0", 1_230_000), ("111", 3_000_000)),
        filled_order(4, 1, ("0", 1_230_000), ("111", 3_000_000)),
    ]
    return write_becker(
        tmp_path / "data-of-others",
        {
            "kalshi/trades/trades_0_4": prints[:4],
            "kalshi/trades/trades_4_8": prints[4:],
            "kalshi/markets/markets_0_2": [
                kalshi_listed("KXA", "Old", 0),
                kalshi_listed("KXA", "Will A?", 5),
                kalshi_listed("KXB", "Will B?"),
            ],
            "polymarket/trades/trades_0": fills,
            "polymarket/blocks/blocks_0": [block_at(7, 10), block_at(8, 12), block_at(9, 70)],
            "polymarket/markets/markets_0": [token_listed(["111", "222"])],
            "polymarket/price_history/prices_0": [{"token_id": "111", "timestamp": 1, "price": 0.5}],
        },
    )


def becker(folder: Path, venue: str, *more: str) -> int:
    return main(["import", "becker", str(folder), "--venue", venue, *more])


def mined(capsys: pytest.CaptureFixture[str], venue: str) -> dict[str, dict[str, object]]:
    capsys.readouterr()
    assert main(["mine", venue, DAY, "--format", "json"]) == 0
    return {row["instrument_id"]: row for row in msgspec.json.decode(capsys.readouterr().out)}


def test_trades_are_recorded_verified_mined_and_traded_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert becker(folder, "kalshi", "--format", "json") == 0
    told = capsys.readouterr()
    (report,) = msgspec.json.decode(told.out)
    assert (report["markets"], report["instruments"]) == (2, 2)
    for words in ("1 rows told before", "1 rows prices that do not add up", "1 rows nothing traded", "trades only"):
        assert words in told.err
    assert main(["verify", "--deep"]) == 0
    found = mined(capsys, "kalshi")
    row = found["KXA"]
    assert (row["question"], row["trades"], row["volume_shares"]) == ("Will A?", 3, 35.0)
    assert row["notional_usd"] == pytest.approx(0.4 * 10 + 0.42 * 5 + 0.44 * 20)
    assert row["taker_buy_share"] == pytest.approx(30 / 35)
    unknown = [name for name in ("updates", "spread_usd", "mid_usd", "bid_touch_shares", "jumps") if row[name] is None]
    assert unknown == ["updates", "spread_usd", "mid_usd", "bid_touch_shares", "jumps"], "nobody saw its book"
    assert row["observed_s"] == 0
    assert row["unknown_scores"]
    assert isinstance(row["score"], float)
    assert row["score"] > 0
    assert main(["backtest", "kalshi", DAY, "--strategy", "simple"]) == 0
    told = capsys.readouterr()
    assert "only trades were recorded, no book: nothing can be filled there, fills need books" in told.out + told.err


def test_what_was_observed_of_trades_and_that_no_book_was_is_in_the_coverage(folder: Path) -> None:
    assert becker(folder, "kalshi", "--silent-after", "2h") == 0
    rows = predsurv.open("data").coverage("kalshi", DAY, DAY).filter(pl.col("instrument_id") == "KXA").collect()
    told = [
        (
            row["state"],
            row["reason"],
            row["trades"],
            row["lifecycle"],
            *((row[at].timestamp()) for at in ("start", "end")),
        )
        for row in rows.sort("start").iter_rows(named=True)
    ]
    hour = HOUR / 1_000
    gap = ("gap", "not_offered")
    assert told == [
        (*gap, "polled", "not_offered", hour, pytest.approx(hour + 60)),
        (*gap, "stall", "not_offered", pytest.approx(hour + 60), hour + 5 * 3_600),
        (*gap, "polled", "not_offered", hour + 5 * 3_600, pytest.approx(hour + 5 * 3_600)),
    ]


def test_a_book_is_never_trusted(folder: Path) -> None:
    assert becker(folder, "kalshi") == 0
    book = predsurv.open("data").book("kalshi", "KXA", at=(HOUR + 61_000) * NS)
    assert (book.trusted, book.bids, book.asks) == (False, (), ())


def test_trades_that_were_recorded_with_books_as_well_count_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row: dict[str, object] = {"market": "KXA", "instrument": "KXA"}
    recorded = [
        row | {"time": HOUR, "kind": "book", "bids": [["0.39", "10"]], "asks": [["0.41", "5"]]},
        row | {"time": HOUR + 60_010, "kind": "trade", "side": "sell", "price": 0.42, "size": 5, "trade_id": "ours"},
    ]
    write_lines(folder / "rows.jsonl", recorded)
    assert main(["import", "jsonl", str(folder / "rows.jsonl"), "--venue", "kalshi", "--silent-after", "2h"]) == 0
    assert becker(folder, "kalshi") == 0
    statistics = mined(capsys, "kalshi")["KXA"]
    assert statistics["observed_s"] == pytest.approx(60.01)
    assert statistics["trades"] == 0, "ours is told at the very end of what was observed; those of others do not count"
    assert main(["backtest", "kalshi", DAY, "--strategy", "simple"]) == 0
    told = capsys.readouterr()
    assert "1 of 2 recorded instruments were recorded by several collectors" in told.out + told.err
    assert "of 1 of 2 recorded instruments only trades were recorded" in told.out + told.err


def test_days_are_chosen(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert becker(folder, "kalshi", "--dates", "2026-04-18", "--format", "json") == 0
    (report,) = msgspec.json.decode(capsys.readouterr().out)
    assert (report["markets"], report["since"]) == (1, report["until"])
    assert [path.parent.parent.name for path in Path("data/trades").rglob("*.parquet")] == ["date=2026-04-18"]


def test_fills_of_orders_are_trades_of_the_makers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert becker(folder, "polymarket") == 0
    told = capsys.readouterr().err
    assert "1 rows a taker's whole order" in told
    assert "1 rows of an asset that no market lists" in told
    assert main(["verify", "--deep"]) == 0
    trades = predsurv.open("data").trades("polymarket", DAY, DAY).collect().sort("ts_recv", "trade_id")
    assert trades.select("market_id", "instrument_id", "price", "size", "taker_side").rows() == [
        (MARKET, "111", 0.4, 10.0, "sell"),
        (MARKET, "222", 0.6, 5.0, "buy"),
        (MARKET, "111", 0.41, 3.0, "sell"),
    ]
    found = mined(capsys, "polymarket")
    assert list(found) == ["111"], "the other outcome's trades are those of its book"
    assert (found["111"]["trades"], found["111"]["volume_shares"]) == (3, 18.0)
    assert found["111"]["taker_buy_share"] == 0.0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["becker", "data-of-others"], "name the venue"),
        (["becker", "data-of-others", "--venue", "mock"], "becker has trades of kalshi and of polymarket"),
        (["becker", "data-of-others/polymarket", "--venue", "kalshi"], "no file of trades of kalshi"),
        (["becker", "data-of-others/kalshi", "--venue", "kalshi", "--column", "time=t"], "leave --column out"),
        (["parquet", "data-of-others", "--venue", "kalshi", "--dates", DAY], "--dates is for becker"),
        (["telonex", "data-of-others", "--venue", "kalshi"], "telonex has Polymarket's markets"),
    ],
)
def test_what_cannot_be_imported_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert folder.exists()
    assert main(["import", *words]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert len(told.splitlines()) == 1
