"""A recording as a catalog of NautilusTrader: order book deltas, trades and the instrument, as its Parquet files.

Two layouts, read from files that the library itself wrote: ``1`` of its versions 1.x (tried with 1.231.0), where prices
are raw 128-bit numbers with 16 decimals, and ``2`` of 2.x (2.0.0rc7), where they are decimals and names are text.
Neither reads the other's.

- Prices and sizes have 6 decimals there and are exact; ``ts_init`` is the time of receipt and ``ts_event`` the venue's
  where it told one, never after the receipt, to the nanosecond.
- A book that becomes unknown is cleared: nothing is quoted or filled in time that was not observed.
- A trade has its taker's side; one told on the other outcome of the market, at p, is one at 1 - p with the other side.
"""

from array import array
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from predsurv.core.events import BookDelta, BookSnapshot, Gap, Level, MarketEvent, Trade
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS, Price, Size, complement
from predsurv.store.files import make_dirs, replace

CatalogVersion = Literal["1", "2"]
CATALOG_VERSIONS: Final[tuple[CatalogVersion, ...]] = ("1", "2")

_ADD, _UPDATE, _DELETE, _CLEAR = 1, 2, 3, 4
_ACTIONS: Final = ("", "ADD", "UPDATE", "DELETE", "CLEAR")
_SIDES: Final = ("NO_ORDER_SIDE", "BUY", "SELL")
_AGGRESSORS: Final = ("NO_AGGRESSOR", "BUY", "SELL")
_BUY, _SELL = 1, 2
_SIDE: Final[Mapping[str | None, int]] = {"bid": _BUY, "ask": _SELL, "buy": _BUY, "sell": _SELL, None: 0}
_NO_LEVEL: Final[Level] = (Price(0), Size(0))
_IN_SNAPSHOT, _LAST = 32, 128
_DECIMALS: Final = "6"
_RAW: Final = pa.decimal128(38, 16)
_TIME: Final = pa.timestamp("ns", "UTC")
_NS: Final = 10**9
_TRADE_ID_CHARS: Final = 36  # the library takes no longer one
_NEVER: Final = 4_102_444_800 * _NS
"""2100-01-01, for a market of which nobody said when it closes: what expires at 0 is not traded there."""
_TRADES_FOLDER: Final[Mapping[CatalogVersion, str]] = {"1": "trade_tick", "2": "trades"}
_CURRENCY: Final[Mapping[str, str]] = {"kalshi": "USD"}


class CatalogDay:
    """The events of the instrument ``key`` of some time, in the order of their receipt, as columns."""

    def __init__(self, key: InstrumentKey, version: CatalogVersion) -> None:
        self._key, self._version = key, version
        self._deltas: dict[str, array[int]] = {
            name: array(kind)
            for name, kind in (
                *(("action", "B"), ("side", "B"), ("price", "q"), ("size", "q")),
                *(("flags", "B"), ("ts_event", "q"), ("ts_init", "q")),
            )
        }
        self._trades: dict[str, array[int]] = {
            name: array(kind)
            for name, kind in (("price", "q"), ("size", "q"), ("side", "B"), ("ts_event", "q"), ("ts_init", "q"))
        }
        self._trade_ids: list[str] = []
        self._last = 0

    def add(self, event: MarketEvent) -> None:
        """Append an event of the instrument; those that a catalog has no word for are left out."""
        match event:
            case BookSnapshot():
                levels = [("bid", level) for level in event.bids] + [("ask", level) for level in event.asks]
                self._delta(event, _CLEAR, None, _NO_LEVEL, _IN_SNAPSHOT | (0 if levels else _LAST))
                for left, (side, level) in zip(range(len(levels) - 1, -1, -1), levels, strict=True):
                    self._delta(event, _ADD, side, level, _IN_SNAPSHOT | (0 if left else _LAST))
            case BookDelta():
                self._delta(event, _UPDATE if event.size else _DELETE, event.side, (event.price, event.size), _LAST)
            case Gap():
                self._delta(event, _CLEAR, None, _NO_LEVEL, _IN_SNAPSHOT | _LAST)
            case Trade():
                self._trade(event)
            case _:
                pass

    def write(self, catalog: Path) -> dict[Path, int]:
        """Write what there is below ``catalog``, each file whole or not at all; return the files with their rows.

        Raises OSError.
        """
        written = {}
        tables = (("order_book_deltas", self._delta_table()), (_TRADES_FOLDER[self._version], self._trade_table()))
        for folder, table in tables:
            if table.num_rows:
                first, last = (table["ts_init"][at].cast(pa.int64()).as_py() for at in (0, -1))
                path = catalog / "data" / folder / catalog_id(self._key) / f"{_stamp(first)}_{_stamp(last)}.parquet"
                _write(table, path)
                written[path] = table.num_rows
        return written

    def _times(self, event: BookSnapshot | BookDelta | Trade | Gap, into: Mapping[str, Any]) -> None:
        self._last = received = max(event.ts_recv, self._last)
        told = None if isinstance(event, Gap) else event.ts_venue
        into["ts_event"].append(received if told is None else min(told, received))
        into["ts_init"].append(received)

    def _delta(
        self, event: BookSnapshot | BookDelta | Gap, action: int, side: str | None, level: Level, flags: int
    ) -> None:
        price, size = level
        values = {"action": action, "side": _SIDE[side], "price": price, "size": size, "flags": flags}
        for name, value in values.items():
            self._deltas[name].append(value)
        self._times(event, self._deltas)

    def _trade(self, event: Trade) -> None:
        own, taker = event.key == self._key, _SIDE[event.taker_side]
        self._trades["price"].append(event.price if own else complement(event.price))
        self._trades["size"].append(event.size)
        self._trades["side"].append(taker if own or not taker else _BUY + _SELL - taker)
        self._trade_ids.append((event.trade_id or f"{event.ts_recv}-{len(self._trade_ids)}")[-_TRADE_ID_CHARS:])
        self._times(event, self._trades)

    def _delta_table(self) -> Any:
        columns = self._deltas
        zeros = pa.array(array("Q", bytes(8 * len(columns["ts_init"]))), pa.uint64())
        return self._table(
            "OrderBookDelta",
            {
                "action": self._names(columns["action"], _ACTIONS),
                "side": self._names(columns["side"], _SIDES),
                "price": self._fixed(columns["price"]),
                "size": self._fixed(columns["size"]),
                "order_id": zeros,
                "flags": pa.array(columns["flags"], pa.uint8()),
                "sequence": zeros,
            },
            columns,
        )

    def _trade_table(self) -> Any:
        columns = self._trades
        return self._table(
            "TradeTick",
            {
                "price": self._fixed(columns["price"]),
                "size": self._fixed(columns["size"]),
                "aggressor_side": self._names(columns["side"], _AGGRESSORS),
                "trade_id": pa.array(self._trade_ids, pa.string()),
            },
            columns,
        )

    def _table(self, kind: str, values: Mapping[str, Any], columns: Mapping[str, Any]) -> Any:
        time = pa.uint64() if self._version == "1" else _TIME
        values = dict(values) | {
            name: pa.array(columns[name], pa.int64()).cast(time) for name in ("ts_event", "ts_init")
        }
        told = {"instrument_id": catalog_id(self._key), "price_precision": _DECIMALS, "size_precision": _DECIMALS}
        told |= {} if self._version == "1" else {"type_name": kind}
        fields = [pa.field(name, each.type, nullable=False) for name, each in values.items()]
        return pa.table(list(values.values()), schema=pa.schema(fields, metadata=told))

    def _names(self, codes: Any, names: tuple[str, ...]) -> Any:
        numbers = pa.array(codes, pa.uint8())
        if self._version == "1":
            return numbers
        return pa.DictionaryArray.from_arrays(numbers.cast(pa.int8()), pa.array(names, pa.string()))

    def _fixed(self, micros: Any) -> Any:
        """Return millionths as decimals with 16 digits behind the point, or as their 128 bits, little endian."""
        whole = pa.array(micros, pa.int64()).cast(pa.decimal128(19, 0))
        exact = pa.Array.from_buffers(pa.decimal128(38, 6), len(whole), whole.buffers()).cast(_RAW)
        return exact if self._version == "2" else pa.Array.from_buffers(pa.binary(16), len(exact), exact.buffers())


def catalog_id(key: InstrumentKey) -> str:
    """Return how NautilusTrader names an instrument: as its own adapters do, where it has one of the venue."""
    name = f"{key.market_id}-{key.instrument_id}" if key.venue == "polymarket" else str(key.instrument_id)
    return f"{name}.{str(key.venue).upper()}"


class CatalogInstrument(NamedTuple):
    """What a catalog says of an instrument: names, tick (micros), when its market closes (ns UTC; None: unknown)."""

    key: InstrumentKey
    question: str
    outcome: str
    tick_size: int
    close_time: int | None


def write_instrument(catalog: Path, instrument: CatalogInstrument, version: CatalogVersion) -> Path:
    """Write ``instrument`` as a binary option; return the file. Raises OSError.

    Fees are zero there: no venue's fee is a share of the notional, which is all that the library's field can say.
    """
    key, tick = instrument.key, instrument.tick_size
    name = catalog_id(key)
    values: dict[str, Any] = {
        "id": name,
        "raw_symbol": name.rpartition(".")[0],
        "asset_class": "ALTERNATIVE",
        "currency": _CURRENCY.get(key.venue, "USDC"),
        "price_precision": int(_DECIMALS),
        "size_precision": int(_DECIMALS),
        "price_increment": f"{tick // MICROS}.{tick % MICROS:06}",
        "size_increment": "0.000001",
        "activation_ns": 0,
        "expiration_ns": instrument.close_time or _NEVER,
        "maker_fee": "0",
        "taker_fee": "0",
        "margin_init": "0",
        "margin_maint": "0",
        "outcome": instrument.outcome or None,
        "description": instrument.question or None,
        "info": b"null",
        "ts_event": 0,
        "ts_init": 0,
    }
    schema = _INSTRUMENT[version]
    if version == "2":
        values["info"] = None
        schema = schema.with_metadata({"instrument_id": name, "type_name": "BinaryOption"})
    path = catalog / "data" / "binary_option" / name / f"{_stamp(0)}_{_stamp(0)}.parquet"
    _write(pa.table([pa.array([values.get(each.name)], each.type) for each in schema], schema=schema), path)
    return path


_TEXT: Final = pa.string()
_NAMES: Final = pa.dictionary(pa.int16(), pa.string())
_INSTRUMENT: Final[Mapping[CatalogVersion, Any]] = {
    "1": pa.schema(
        [
            ("id", pa.dictionary(pa.int64(), pa.string())),
            ("raw_symbol", _TEXT),
            ("asset_class", pa.dictionary(pa.int8(), pa.string())),
            ("currency", _NAMES),
            *((name, pa.uint8()) for name in ("price_precision", "size_precision")),
            *((name, _NAMES) for name in ("price_increment", "size_increment")),
            *((name, pa.uint64()) for name in ("activation_ns", "expiration_ns")),
            *((name, _TEXT) for name in ("maker_fee", "taker_fee")),
            *((name, _NAMES) for name in ("max_quantity", "min_quantity")),
            *((name, _TEXT) for name in ("outcome", "description")),
            ("info", pa.binary()),
            *((name, pa.uint64()) for name in ("ts_event", "ts_init")),
        ],
        metadata={"class": "BinaryOption"},
    ),
    "2": pa.schema(
        [
            *(pa.field(name, _TEXT, nullable=False) for name in ("id", "raw_symbol", "asset_class", "currency")),
            *(pa.field(name, pa.uint8(), nullable=False) for name in ("price_precision", "size_precision")),
            *(pa.field(name, _TEXT, nullable=False) for name in ("price_increment", "size_increment")),
            *(pa.field(name, _TIME, nullable=False) for name in ("activation_ns", "expiration_ns")),
            *((name, _TEXT) for name in ("outcome", "description", "max_quantity", "min_quantity")),
            *((name, _TEXT) for name in ("max_notional", "min_notional", "max_price", "min_price")),
            *(pa.field(name, _TEXT, nullable=False) for name in ("margin_init", "margin_maint")),
            ("tick_scheme", _TEXT),
            pa.field("info", _TEXT, metadata={"ARROW:extension:name": "arrow.json", "ARROW:extension:metadata": ""}),
            *(pa.field(name, _TIME, nullable=False) for name in ("ts_event", "ts_init")),
            ("event_id", _TEXT),
        ]
    ),
}
"""The columns of a binary option; those of which nothing is said here are null."""


def _stamp(ts: int) -> str:
    moment = datetime.fromtimestamp(ts // _NS, UTC)
    return f"{moment:%Y-%m-%dT%H-%M-%S}-{ts % _NS:09}Z"


def _write(table: Any, path: Path) -> None:
    make_dirs(path.parent)
    draft = path.with_name(f".{path.name}.draft")
    try:
        pq.write_table(table, draft, compression="zstd")
        replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
