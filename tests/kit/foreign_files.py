"""Files of others' recordings, in the layouts that their descriptions tell."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

MARKET: Final = "0x" + "ab" * 32
HOUR: Final = 1_776_427_200_000
"""2026-04-17 12:00 UTC, ms."""

_PMXT: Final = pa.schema(
    [
        ("timestamp_received", pa.timestamp("ms", tz="UTC")),
        ("timestamp", pa.timestamp("ms", tz="UTC")),
        ("market", pa.binary(66)),
        ("event_type", pa.string()),
        ("asset_id", pa.string()),
        ("bids", pa.string()),
        ("asks", pa.string()),
        ("price", pa.decimal128(9, 4)),
        ("size", pa.decimal128(18, 6)),
        ("side", pa.string()),
        ("best_bid", pa.decimal128(9, 4)),
        ("best_ask", pa.decimal128(9, 4)),
        ("fee_rate_bps", pa.uint16()),
        ("transaction_hash", pa.string()),
        ("old_tick_size", pa.decimal128(9, 4)),
        ("new_tick_size", pa.decimal128(9, 4)),
    ]
)


def pmxt_row(ms: int, event: str, asset: str = "111", market: str = MARKET, **values: Any) -> dict[str, Any]:
    """A row of PMXT's archive received ``ms`` after the hour; numbers as text."""
    row: dict[str, Any] = dict.fromkeys(_PMXT.names)
    row |= {"timestamp_received": HOUR + ms, "timestamp": HOUR + ms - 40, "market": market.encode()}
    row |= {"event_type": event, "asset_id": asset}
    for name, value in values.items():
        row[name] = Decimal(value) if name in ("price", "size", "old_tick_size", "new_tick_size") else value
    return row


def pmxt_book(ms: int, bids: Sequence[Sequence[str]], asks: Sequence[Sequence[str]], **of: Any) -> dict[str, Any]:
    """A whole book."""
    texts = {"bids": msgspec.json.encode(bids).decode(), "asks": msgspec.json.encode(asks).decode()}
    return pmxt_row(ms, "book", **texts, **of)


def write_pmxt(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write rows as one hour, in the archive's order."""
    ordered = sorted(rows, key=lambda row: (row["market"], row["asset_id"], row["timestamp_received"]))
    columns = [pa.array([row[field.name] for row in ordered], field.type) for field in _PMXT]
    pq.write_table(pa.table(columns, schema=_PMXT), path)
    return path


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write rows as JSON lines."""
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return path
