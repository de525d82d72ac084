"""Rows of anyone: their names of columns, their ways to write sides and times; what is wrong is named."""

from pathlib import Path
from typing import Any

import pytest

from predsurv.core.errors import IntegrityError
from predsurv.core.events import BookDelta, BookSnapshot, Trade
from predsurv.core.ids import VenueName
from predsurv.interchange.foreign_recording import MarketRows
from predsurv.interchange.tables import TableFiles
from tests.kit.foreign_files import HOUR, write_lines

KALSHI = VenueName("kalshi")


def row(kind: str, **values: Any) -> dict[str, Any]:
    return {"time": HOUR, "market": "M", "instrument": "M-Y", "kind": kind} | values


def read(tmp_path: Path, *rows: dict[str, Any], **options: Any) -> list[MarketRows]:
    path = write_lines(tmp_path / "rows.jsonl", rows)
    source = TableFiles("jsonl", KALSHI, [path], **options)
    return list(source.markets(*source.parts()))


def test_rows_of_a_market_are_in_the_order_of_their_times(tmp_path: Path) -> None:
    (market,) = read(
        tmp_path,
        row("change", side="sell", price="0.6", size="1", time="2026-04-17T12:00:00.002Z"),
        row("book", bids=[["0.4", "1"]], asks=[], time="2026-04-17T12:00:00.001Z"),
    )
    assert [type(event) for event in market.events] == [BookSnapshot, BookDelta]
    assert market.events[1].ts_recv == (HOUR + 2) * 1_000_000


def test_names_are_taken_where_a_row_tells_them(tmp_path: Path) -> None:
    (market,) = read(
        tmp_path, row("trade", price=0.5, size=1), row("trade", price=0.5, size=1, question="Rain?", outcome="Yes")
    )
    assert (market.question, market.labels) == ("Rain?", ("Yes",))


@pytest.mark.parametrize(("side", "taker"), [("BUY", "buy"), ("ask", "sell"), (None, None)])
def test_the_side_of_a_trade_is_its_takers(tmp_path: Path, side: str | None, taker: str | None) -> None:
    (market,) = read(tmp_path, row("trade", price=0.5, size=1, side=side, time_venue=HOUR - 1))
    (trade,) = market.events
    assert isinstance(trade, Trade)
    assert (trade.taker_side, trade.trade_id, trade.ts_venue) == (taker, None, (HOUR - 1) * 1_000_000)


def test_only_the_wanted_markets(tmp_path: Path) -> None:
    rows = [row("trade", price=0.5, size=1, market=each) for each in ("A", "B")]
    assert [market.market_id for market in read(tmp_path, *rows, only=["B"])] == ["B"]


def test_books_may_be_json_in_a_text(tmp_path: Path) -> None:
    (market,) = read(tmp_path, row("book", bids='[["0.4","1"]]', asks=None))
    (book,) = market.events
    assert isinstance(book, BookSnapshot)
    assert (book.bids, book.asks) == (((400_000, 1_000_000),), ())


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (row("tick"), "'tick' row is not as it should be (kind is book, change or trade)"),
        (row("change", side="bid", size=1), "no price"),
        (row("change", side="left", price=0.5, size=1), "left"),
        (row("trade", price=1.5, size=1), "no price from 0 to 1"),
        (row("trade", price=0.5, size=-1), "no size"),
        (row("trade", price=0.5, size=1, time=5), "time is no time"),
        (row("trade", price=0.5, size=1, market=None), "a row has no time, market or instrument"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, bad: dict[str, Any], says: str) -> None:
    with pytest.raises(IntegrityError) as failed:
        read(tmp_path, bad)
    assert says in str(failed.value)
    assert "rows.jsonl" in str(failed.value)
