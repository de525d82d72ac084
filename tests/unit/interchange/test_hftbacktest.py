"""The arrays for hftbacktest have its layout, ascending times, and empty books where nothing was known."""

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookSnapshot, Gap, MarketEvent
from predsurv.core.ids import InstrumentId, InstrumentKey
from predsurv.interchange.hftbacktest import event_array
from tests.kit.trading_samples import YES, S, delta, levels, trade

BUY, SELL, BOTH = 1 << 29, 1 << 28, 1 << 31 | 1 << 30
DEPTH, TRADE, CLEAR, SNAPSHOT = BOTH | 1, BOTH | 2, BOTH | 3, BOTH | 4
NO = InstrumentKey(YES.venue, YES.market_id, InstrumentId("no"))


def written(path: Path, events: Sequence[MarketEvent]) -> list[tuple[object, ...]]:
    """The rows of the file, read as NumPy's description of its format has it: ev, exch, local, px, qty."""
    event_array(YES, events).write(path)
    content = zipfile.ZipFile(path).read("data.npy")
    assert content[:8] == b"\x93NUMPY\x01\x00"
    (size,) = struct.unpack("<H", content[8:10])
    assert (10 + size) % 64 == 0
    header = eval(content[10 : 10 + size], {})  # noqa: S307 - our own file
    rows = [struct.unpack("<Qqqddqqd", content[at : at + 64]) for at in range(10 + size, len(content), 64)]
    assert header["shape"] == (len(rows),)
    names = [name for name, _ in header["descr"]]
    assert names == ["ev", "exch_ts", "local_ts", "px", "qty", "order_id", "ival", "fval"]
    assert all(row[5:] == (0, 0, 0.0) for row in rows)
    return [row[:5] for row in rows]


def test_a_book_replaces_all_that_was_there(tmp_path: Path) -> None:
    book = BookSnapshot(YES, 9 * S, 8 * S, 1, None, levels((40, 5)), levels((60, 7), (61, 1)))
    assert written(tmp_path / "a.npz", [book]) == [
        (CLEAR | BUY, 8 * S, 9 * S, 0.0, 0.0),
        (CLEAR | SELL, 8 * S, 9 * S, 1.0, 0.0),
        (SNAPSHOT | BUY, 8 * S, 9 * S, 0.4, 5.0),
        (SNAPSHOT | SELL, 8 * S, 9 * S, 0.6, 7.0),
        (SNAPSHOT | SELL, 8 * S, 9 * S, 0.61, 1.0),
    ]


def test_what_is_not_known_is_empty(tmp_path: Path) -> None:
    rows = written(tmp_path / "a.npz", [Gap(YES, 5 * S, "disconnect", 1)])
    assert rows == [(CLEAR | BUY, 5 * S, 5 * S, 0.0, 0.0), (CLEAR | SELL, 5 * S, 5 * S, 1.0, 0.0)]


def test_trades_of_the_other_outcome_are_turned(tmp_path: Path) -> None:
    own = trade(52, 5, "buy", 9 * S)
    other = type(own)(NO, 10 * S, None, own.price, own.size, "buy", None)
    silent = type(own)(NO, 11 * S, None, own.price, own.size, None, None)
    rows = written(tmp_path / "a.npz", [own, other, silent])
    assert [(row[0], row[3], row[4]) for row in rows] == [
        (TRADE | BUY, 0.52, 5.0), (TRADE | SELL, 0.48, 5.0), (TRADE, 0.48, 5.0)
    ]  # fmt: skip


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        event_array(YES, []).write(tmp_path / "nowhere" / "a.npz")
    assert written(tmp_path / "a.npz", []) == []
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


@given(st.lists(st.tuples(st.integers(1, 50), st.none() | st.integers(0, 60)), max_size=30))
def test_both_times_ascend_and_the_venues_is_never_later(
    tmp_path_factory: pytest.TempPathFactory, times: list[tuple[int, int | None]]
) -> None:
    received = sorted(recv for recv, _ in times)
    events = [
        type(each)(each.key, at, told, each.epoch, None, each.side, each.price, each.size)
        for at, (_, told) in zip(received, times, strict=True)
        for each in [delta("bid", 41, 3, at)]
    ]
    rows = written(tmp_path_factory.mktemp("npz") / "a.npz", events)
    exchange, local = [row[1] for row in rows], [row[2] for row in rows]
    assert exchange == sorted(exchange)  # type: ignore[type-var]
    assert local == received
    assert all(there <= here for there, here in zip(exchange, local, strict=True))  # type: ignore[operator]
