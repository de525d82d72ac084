"""PMXT's hours are read market by market, however the rows fall into batches."""

from pathlib import Path

import polars as pl
import pytest

from predsurv.core.errors import IntegrityError
from predsurv.core.events import BookDelta, BookSnapshot, MarketChange, Trade
from predsurv.interchange import pmxt
from predsurv.interchange.foreign_recording import ImportPart
from predsurv.interchange.pmxt import PmxtFiles
from tests.kit.foreign_files import HOUR, MARKET, pmxt_book, pmxt_row, write_pmxt

OTHER = "0x" + "cd" * 32
NS = 1_000_000


def rows() -> list[dict[str, object]]:
    return [
        pmxt_book(1, [["0.4", "1"]], [["0.6", "2"]]),
        pmxt_row(2, "price_change", price="0.5", size="3", side="SELL"),
        pmxt_row(3, "last_trade_price", price="0.5", size="1", side="SELL", transaction_hash="0x9"),
        pmxt_row(4, "tick_size_change", old_tick_size="0.01", new_tick_size="0.001"),
        pmxt_row(5, "something_new"),
        pmxt_book(2, [["0.41", "1"]], [], asset="222"),
        pmxt_book(6, [["0.1", "1"]], [], market=OTHER, asset="333"),
    ]


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_a_market_is_whole_whatever_the_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr(pmxt, "_BATCH_ROWS", batch)
    source = PmxtFiles([write_pmxt(tmp_path / "h.parquet", rows())])
    one, other = source.markets(source.parts()[0])
    assert (one.market_id, one.instruments) == (MARKET, ("111", "222"))
    assert [type(event) for event in one.events] == [BookSnapshot, BookDelta, BookSnapshot, Trade, MarketChange]
    assert [event.ts_recv for event in one.events] == [(HOUR + ms) * NS for ms in (1, 2, 2, 3, 4)]
    assert (other.market_id, other.instruments) == (OTHER, ("333",))


def test_values_are_exact(tmp_path: Path) -> None:
    source = PmxtFiles([write_pmxt(tmp_path / "h.parquet", rows())], [MARKET])
    (market,) = source.markets(source.parts()[0])
    book, change, _, trade, tick = market.events
    assert isinstance(book, BookSnapshot)
    assert (book.bids, book.asks) == (((400_000, 1_000_000),), ((600_000, 2_000_000),))
    assert isinstance(change, BookDelta)
    assert (change.side, change.price, change.size) == ("ask", 500_000, 3_000_000)
    assert isinstance(trade, Trade)
    assert (trade.taker_side, trade.price, trade.size, trade.ts_venue) == ("sell", 500_000, 1_000_000, (HOUR - 37) * NS)
    assert isinstance(tick, MarketChange)
    assert (tick.tick_size, tick.value) == (1_000, '{"old":"0.0100","new":"0.0010"}')


def test_trades_of_one_transaction_are_told_apart(tmp_path: Path) -> None:
    both = [
        pmxt_row(3, "last_trade_price", price="0.5", size=size, side="SELL", transaction_hash="0x9")
        for size in ("1", "2")
    ]
    source = PmxtFiles([write_pmxt(tmp_path / "h.parquet", both)])
    (market,) = source.markets(source.parts()[0])
    assert len({event.trade_id for event in market.events if isinstance(event, Trade)}) == 2


def test_times_are_those_of_every_market(tmp_path: Path) -> None:
    source = PmxtFiles([write_pmxt(tmp_path / "h.parquet", rows())], [OTHER])
    assert source.times(source.parts()[0]).to_list() == [(HOUR + ms) * NS for ms in range(1, 7)]


def test_hours_are_in_the_order_of_their_names(tmp_path: Path) -> None:
    assert [path.name for path in PmxtFiles([tmp_path / "b", tmp_path / "a"]).files] == ["a", "b"]


def test_another_layout_is_named(tmp_path: Path) -> None:
    path = tmp_path / "h.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(path)
    with pytest.raises(IntegrityError, match=r"h\.parquet: no column timestamp_received"):
        PmxtFiles([path]).times(ImportPart("x", (path,)))


@pytest.mark.parametrize(
    "row",
    [
        pmxt_row(1, "price_change", price="0.5", size="1", side="HOLD"),
        pmxt_row(1, "price_change", side="BUY"),
        pmxt_row(1, "book", bids="[[", asks="[]"),
    ],
)
def test_a_row_that_is_none_names_its_market(tmp_path: Path, row: dict[str, object]) -> None:
    source = PmxtFiles([write_pmxt(tmp_path / "h.parquet", [row])])
    with pytest.raises(IntegrityError, match=f"h.parquet: market {MARKET}"):
        list(source.markets(source.parts()[0]))
