"""Telonex' rows become whole books and what changed in them; both layouts of levels tell the same."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.core.errors import IntegrityError
from predsurv.core.events import BookDelta, BookSnapshot, Trade
from predsurv.interchange.foreign_recording import MarketRows
from predsurv.interchange.telonex import TelonexFiles
from predsurv.state.book import Book
from tests.kit.foreign_files import HOUR, MARKET, telonex_book, telonex_row

US = 1_000
S = 1_000_000
START = HOUR * 1_000 * US


def written(path: Path, rows: list[dict[str, Any]], **kinds: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(rows, schema_overrides=kinds, infer_schema_length=None).write_parquet(path)
    return path


def read(*files: Path, silent_after: int = 60 * 10**9, only: tuple[str, ...] = ()) -> list[MarketRows]:
    source = TelonexFiles(files, silent_after, only)
    return [market for part in source.parts() for market in source.markets(part)]


def test_a_day_is_a_whole_book_then_changes_with_the_trades_in_between(tmp_path: Path) -> None:
    books = [
        telonex_book(0, [["0.39", "50"], ["0.4", "100"]], [["0.6", "80"]]),
        telonex_book(2 * S, [["0.41", "1.5"], ["0.39", "50"]], [["0.6", "80"]]),
        telonex_book(2 * S, [["0.41", "1.5"], ["0.39", "50"]], [["0.6", "75"]]),
        telonex_book(90 * S, [], [["0.6", "75"]]),
    ]
    prints = [telonex_row(1 * S, price="0.6", size="5", side="BUY", id="t1")]
    other = [telonex_book(1 * S, [["0.4", "80"]], [], asset="222")]
    found = read(
        written(tmp_path / "a" / "book.parquet", books),
        written(tmp_path / "a" / "trades.parquet", prints),
        written(tmp_path / "b" / "book.parquet", other, asks=pl.List(pl.Null)),
    )
    (market,) = found
    assert (market.market_id, market.question) == (MARKET, "will-it")
    assert (market.instruments, market.labels) == (("111", "222"), ("Yes", "No"))
    told = (BookSnapshot, BookDelta, Trade)
    own = [each for each in market.events if isinstance(each, told) and each.key.instrument_id == "111"]
    assert [type(each) for each in own] == [BookSnapshot, Trade, BookDelta, BookDelta, BookDelta, BookSnapshot]
    first, print_, *changes, last = own
    assert isinstance(first, BookSnapshot)
    assert (first.bids, first.asks) == (
        ((400_000, 100_000_000), (390_000, 50_000_000)),
        ((600_000, 80_000_000),),
    )
    assert (first.ts_recv, first.ts_venue) == (START, START - 20_000 * US)
    assert isinstance(print_, Trade)
    assert (print_.price, print_.size, print_.taker_side, print_.trade_id) == (600_000, 5_000_000, "buy", "t1")
    assert [(each.side, each.price, each.size) for each in changes if isinstance(each, BookDelta)] == [
        ("bid", 400_000, 0),
        ("bid", 410_000, 1_500_000),
        ("ask", 600_000, 75_000_000),
    ]
    assert isinstance(last, BookSnapshot)
    assert last.bids == (), "whole again after a silence"


def test_levels_in_columns_of_their_own_are_the_same_book(tmp_path: Path) -> None:
    row = telonex_row(
        0,
        bid_price_0=0.41,
        bid_size_0=2.5,
        bid_price_1=0.4,
        bid_size_1=0.0,
        ask_price_0=None,
        ask_size_0=None,
    )
    (market,) = read(written(tmp_path / "book.parquet", [row], ask_price_0=pl.Float64, ask_size_0=pl.Float64))
    (book,) = market.events
    assert isinstance(book, BookSnapshot)
    assert (book.bids, book.asks) == (((410_000, 2_500_000),), ())


def test_the_venues_time_stands_for_one_of_receipt_that_is_not_told(tmp_path: Path) -> None:
    rows = [telonex_book(S, [["0.4", "1"]], []), telonex_book(2 * S, [["0.4", "2"]], [])]
    rows[0]["local_timestamp_us"] = float("nan")
    (market,) = read(written(tmp_path / "a.parquet", rows, local_timestamp_us=pl.Float64))
    assert [each.ts_recv for each in market.events] == [START + S * US - 20_000 * US, START + 2 * S * US]
    for row in rows:
        del row["local_timestamp_us"]
    (market,) = read(written(tmp_path / "b.parquet", rows))
    assert market.events[1].ts_recv == START + 2 * S * US - 20_000 * US


def test_days_are_parts_and_files_without_a_row_are_passed_over(tmp_path: Path) -> None:
    day = 86_400 * S
    written(tmp_path / "z.parquet", [telonex_book(0, [["0.4", "1"]], [["0.6", "1"]])])
    written(tmp_path / "y.parquet", [telonex_book(day, [["0.4", "1"]], [["0.6", "1"]], market="0xcd", asset="3")])
    (tmp_path / "x.parquet").write_bytes((tmp_path / "z.parquet").read_bytes())
    pl.read_parquet(tmp_path / "z.parquet").clear().write_parquet(tmp_path / "x.parquet")
    source = TelonexFiles(tmp_path.glob("*.parquet"), 1)
    assert [(part.name, len(part.files)) for part in source.parts()] == [("2026-04-17", 1), ("2026-04-18", 1)]
    assert source.times(source.parts()[0]).to_list() == [START]
    assert [each.market_id for each in read(*tmp_path.glob("*.parquet"), only=("0xcd",))] == ["0xcd"]


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(IntegrityError, match=r"torn\.parquet: cannot be read"):
        TelonexFiles([tmp_path / "torn.parquet"], 1).parts()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"a": 1}], "no column timestamp_us, market_id, asset_id"),
        ([telonex_row(0)], "no column bids, asks"),
        ([telonex_row(0, price="7", size="1", side="buy")], "no price from 0 to 1"),
        ([telonex_row(0, price="0.5", size="1", side="up")], "not as it should be"),
        ([telonex_row(0, price="0.5", size="1", side="buy", asset=each) for each in "12"], "this one of several"),
    ],
)
def test_what_is_none_of_this_is_refused_by_name(tmp_path: Path, rows: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(IntegrityError, match=says) as error:
        read(written(tmp_path / "f.parquet", rows))
    assert "f.parquet" in str(error.value)


sides = st.dictionaries(st.integers(1, 49), st.integers(1, 9), max_size=4)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(sides, sides), min_size=1, max_size=6))
def test_changes_fold_to_every_book_that_was_told(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[dict[int, int], dict[int, int]]]
) -> None:
    rows = [
        telonex_book(
            number * S,
            [[f"0.{price:02}", str(size)] for price, size in bids.items()],
            [[f"0.{price + 50:02}", str(size)] for price, size in asks.items()],
        )
        for number, (bids, asks) in enumerate(told)
    ]
    levels = pl.List(pl.Struct({"price": pl.String, "size": pl.String}))
    path = written(tmp_path_factory.mktemp("t") / "b.parquet", rows, bids=levels, asks=levels)
    (market,) = read(path)
    books: dict[int, Any] = {}
    book: Book | None = None
    for event in market.events:
        assert isinstance(event, BookSnapshot | BookDelta)
        book = book or Book(event.key)
        book.apply(event)
        whole = book.as_snapshot(event.ts_recv)
        books[event.ts_recv] = whole.bids, whole.asks
    for number, (bids, asks) in enumerate(told):
        latest = max(at for at in books if at <= START + number * S * US)
        expected_bids = tuple(sorted(((p * 10_000, s * 10**6) for p, s in bids.items()), reverse=True))
        expected_asks = tuple(sorted((p * 10_000 + 500_000, s * 10**6) for p, s in asks.items()))
        assert books[latest] == (expected_bids, expected_asks)
