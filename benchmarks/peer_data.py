"""A recording as plain columns, for engines of others: converted once, outside of what is timed."""

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

import predsurv
from predsurv.core.events import BookDelta, BookSnapshot, Trade
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import Price, Size
from predsurv.state.book import Book

CLEAR, LEVEL, TRADE = range(3)
COLUMNS: Final = {"ts": "q", "instrument": "i", "kind": "b", "is_ask": "b", "last": "b", "price": "q", "size": "q"}
"""Name and type of each column, a file of its own (``array`` of Python, the machine's byte order).

``price`` and ``size`` in micros, ``ts`` ns UTC; ``last`` is 1 in the last row of an event. Of a trade ``is_ask`` says
that its taker bought.
"""
META: Final = "meta.json"

Top = tuple[Price | None, Price | None]


class Converted(Struct):
    """What a folder of columns holds.

    ``instruments``: ids in the order of their numbers. ``changes``: of each the number of its book events. ``tops``:
    best bid and ask of each after the last event, micros.
    """

    instruments: list[str]
    markets: list[str]
    changes: list[int]
    events: int
    rows: int
    trades: int
    tops: list[Top]


class _Row(NamedTuple):
    kind: int
    is_ask: int
    last: int
    price: int
    size: int


def convert(recording: Path, venue: str, span: tuple[int, int], target: Path) -> Converted:
    """Write the books and trades of a recording (``span``: ns UTC) into ``target``; return what they are."""
    columns = {name: array(kind) for name, kind in COLUMNS.items()}
    books: dict[InstrumentKey, Book] = {}
    numbers: dict[InstrumentKey, int] = {}
    changes: list[int] = []
    trades = 0
    for event in predsurv.open(recording).events(venue, *span):
        if not isinstance(event, BookDelta | BookSnapshot | Trade):
            continue
        number = numbers.setdefault(event.key, len(numbers))
        if number == len(changes):
            changes.append(0)
            books[event.key] = Book(event.key)
        if isinstance(event, Trade):
            trades += 1
        else:
            changes[number] += 1
            books[event.key].apply(event)
        for row in _rows(event):
            for name, value in zip(columns, (event.ts_recv, number, *row), strict=True):
                columns[name].append(value)
    for name, values in columns.items():
        with (target / name).open("wb") as file:
            values.tofile(file)
    made = Converted(
        [str(key.instrument_id) for key in numbers], [str(key.market_id) for key in numbers], changes,
        sum(changes), len(columns["ts"]) - trades, trades, [_top(books[key]) for key in numbers],
    )  # fmt: skip
    (target / META).write_bytes(msgspec.json.encode(made))
    return made


def _rows(event: BookDelta | BookSnapshot | Trade) -> Iterator[_Row]:
    match event:
        case BookDelta():
            yield _Row(LEVEL, event.side == "ask", 1, event.price, event.size)
        case Trade():
            yield _Row(TRADE, event.taker_side == "buy", 1, event.price, event.size)
        case BookSnapshot():
            levels = [(0, *each) for each in event.bids] + [(1, *each) for each in event.asks]
            yield _Row(CLEAR, 0, not levels, Price(0), Size(0))
            for number, (is_ask, price, size) in enumerate(levels, 1):
                yield _Row(LEVEL, is_ask, number == len(levels), price, size)


def _top(book: Book) -> Top:
    bid, ask = book.best_bid(), book.best_ask()
    return (bid and bid[0], ask and ask[0])
