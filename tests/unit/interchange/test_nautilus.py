"""A catalog of NautilusTrader holds exact numbers, in the layout of either version, and empty books where nothing was
known; ``tests/integration/test_peers_read.py`` lets the library read them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.core.events import BookSnapshot, Gap, MarketEvent
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.interchange.nautilus import (
    CATALOG_VERSIONS,
    CatalogDay,
    CatalogInstrument,
    CatalogVersion,
    catalog_id,
    write_instrument,
)
from tests.kit.trading_samples import YES, S, delta, levels, trade

NO = InstrumentKey(YES.venue, YES.market_id, InstrumentId("no"))
START = 1_776_427_200 * S
ADD, UPDATE, DELETE, CLEAR = "ADD", "UPDATE", "DELETE", "CLEAR"
Row = tuple[Any, ...]


def told(value: Any, version: CatalogVersion) -> int:
    """A stored number in millionths, which it has to be exactly."""
    raw = int.from_bytes(value, "little", signed=True) if version == "1" else int(value.scaleb(16))
    assert raw % 10**10 == 0
    return raw // 10**10


def written(folder: Path, events: Sequence[MarketEvent], version: CatalogVersion) -> tuple[list[Row], list[Row]]:
    """Changes (action, side, price, size, flags, event time, receipt) and trades of what was written."""
    day = CatalogDay(YES, version)
    for event in events:
        day.add(event)
    found: tuple[list[Row], list[Row]] = ([], [])
    for path, rows in day.write(folder).items():
        table = pq.read_table(path)
        assert table.num_rows == rows
        whole = {name: table[name].cast(pa.int64()) for name in ("ts_event", "ts_init")}
        own = [whole.get(name, table[name]).to_pylist() for name in table.column_names]
        columns = dict(zip(table.column_names, own, strict=True))
        prices = [[told(each, version) for each in columns[name]] for name in ("price", "size")]
        assert table.schema.metadata[b"instrument_id"].decode() == catalog_id(YES)
        assert table.schema.metadata[b"price_precision"] == table.schema.metadata[b"size_precision"] == b"6"
        if "order_book_deltas" in path.parts:
            actions, sides = ("", ADD, UPDATE, DELETE, CLEAR), ("NO_ORDER_SIDE", "BUY", "SELL")
            if version == "1":
                columns["action"] = [actions[each] for each in columns["action"]]
                columns["side"] = [sides[each] for each in columns["side"]]
            found[0].extend(zip(columns["action"], columns["side"], *prices, columns["flags"], *own[-2:], strict=True))
        else:
            names = ("NO_AGGRESSOR", "BUY", "SELL")
            side = columns["aggressor_side"]
            side = [names[each] for each in side] if version == "1" else side
            found[1].extend(zip(*prices, side, columns["trade_id"], *own[-2:], strict=True))
    return found


@pytest.mark.parametrize("version", CATALOG_VERSIONS)
def test_books_changes_and_what_is_not_known(tmp_path: Path, version: CatalogVersion) -> None:
    book = BookSnapshot(YES, START + 9, START + 8, 1, None, levels((40, 5)), levels((60, 7)))
    empty = BookSnapshot(YES, START + 10, START + 99, 1, None, (), ())
    changes = [delta("bid", 41, 2, START + 20), delta("bid", 41, 0, START + 19)]
    deltas, trades = written(tmp_path, [book, empty, *changes, Gap(YES, START + 30, "stall", 1)], version)
    assert trades == []
    none = "NO_ORDER_SIDE"
    assert deltas == [
        (CLEAR, none, 0, 0, 32, START + 8, START + 9),
        (ADD, "BUY", 400_000, 5_000_000, 32, START + 8, START + 9),
        (ADD, "SELL", 600_000, 7_000_000, 32 | 128, START + 8, START + 9),
        (CLEAR, none, 0, 0, 32 | 128, START + 10, START + 10),
        (UPDATE, "BUY", 410_000, 2_000_000, 128, START + 20, START + 20),
        (DELETE, "BUY", 410_000, 0, 128, START + 20, START + 20),
        (CLEAR, none, 0, 0, 32 | 128, START + 30, START + 30),
    ]


@pytest.mark.parametrize("version", CATALOG_VERSIONS)
def test_trades_of_the_other_outcome_are_turned(tmp_path: Path, version: CatalogVersion) -> None:
    own = trade(52, 5, "buy", START)
    other = type(own)(NO, START + 1, None, own.price, own.size, "buy", None)
    silent = type(own)(NO, START + 2, None, own.price, own.size, None, None)
    _, trades = written(tmp_path, [own, other, silent], version)
    assert [row[:3] for row in trades] == [
        (520_000, 5_000_000, "BUY"),
        (480_000, 5_000_000, "SELL"),
        (480_000, 5_000_000, "NO_AGGRESSOR"),
    ]
    assert len({row[3] for row in trades}) == 3


def test_nothing_is_no_file(tmp_path: Path) -> None:
    assert CatalogDay(YES, "1").write(tmp_path) == {}


def test_instruments_are_named_as_the_library_names_them() -> None:
    token = InstrumentKey(VenueName("polymarket"), MarketId("0xab"), InstrumentId("111"))
    assert catalog_id(token) == "0xab-111.POLYMARKET"
    assert catalog_id(InstrumentKey(VenueName("kalshi"), MarketId("KX"), InstrumentId("KX"))) == "KX.KALSHI"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**15), st.integers(0, 999)), min_size=1, max_size=9))
def test_every_price_size_and_time_is_exact(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int]]
) -> None:
    events = [
        type(delta("bid", 1, 1, 0))(YES, START + 10**12 * n + ns, None, 1, None, "bid", price, size)  # type: ignore[arg-type]
        for n, (price, size, ns) in enumerate(rows)
    ]
    for version in CATALOG_VERSIONS:
        deltas, _ = written(tmp_path_factory.mktemp("catalog"), events, version)
        assert [(row[2], row[3], row[6]) for row in deltas] == [(e.price, e.size, e.ts_recv) for e in events]


@pytest.mark.parametrize("version", CATALOG_VERSIONS)
def test_an_instrument_is_a_binary_option(tmp_path: Path, version: CatalogVersion) -> None:
    path = write_instrument(tmp_path, CatalogInstrument(YES, "Will it?", "", 2_500, START), version)
    row = pq.read_table(path).select(["price_increment", "price_precision", "outcome", "description"]).to_pylist()
    assert row == [
        {"price_increment": "0.002500", "price_precision": 6, "outcome": None, "description": "Will it?"},
    ]
    again = write_instrument(tmp_path, CatalogInstrument(YES, "Will it?", "Yes", 10_000, None), version)
    assert again == path, "one for each instrument, however often a day is added"
    assert pq.read_table(path)["expiration_ns"].cast(pa.int64()).to_pylist() == [4_102_444_800 * 10**9]
