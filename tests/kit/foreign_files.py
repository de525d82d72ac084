"""Files of others' recordings, in the layouts that their descriptions tell."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl
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


def telonex_book(us: int, bids: Sequence[Sequence[str]], asks: Sequence[Sequence[str]], **of: Any) -> dict[str, Any]:
    """A whole book of Telonex received ``us`` microseconds after the hour, told 20 ms before; its levels as text."""
    levels: dict[str, Any] = {
        name: [dict(zip(("price", "size"), each, strict=True)) for each in side]
        for name, side in (("bids", bids), ("asks", asks))
    }
    return telonex_row(us, **levels, **of)


def telonex_row(us: int, asset: str = "111", market: str = MARKET, **values: Any) -> dict[str, Any]:
    """A row of Telonex with what all of its channels tell."""
    received = HOUR * 1_000 + us
    return {
        "timestamp_us": received - 20_000,
        "local_timestamp_us": received,
        "exchange": "polymarket",
        "market_id": market,
        "slug": "will-it",
        "asset_id": asset,
        "outcome": "Yes" if asset == "111" else "No",
    } | values


def write_becker(folder: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> Path:
    """Write the dataset of becker: ``tables`` by their place in it, such as ``kalshi/trades/trades_0_10000``."""
    for name, rows in tables.items():
        path = folder / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame(list(rows), infer_schema_length=None).write_parquet(path)
    return folder


def becker_time(ms: int) -> datetime:
    """``ms`` after the hour."""
    return datetime.fromtimestamp((HOUR + ms) / 1_000, UTC)


def kalshi_print(ms: int, ticker: str, yes: int, count: int = 1, taker: str = "yes", **values: Any) -> dict[str, Any]:
    """A row of Kalshi's trades, ``yes`` in cents."""
    return {
        "trade_id": f"{ticker}-{ms}",
        "ticker": ticker,
        "count": count,
        "yes_price": yes,
        "no_price": 100 - yes,
        "taker_side": taker,
        "created_time": becker_time(ms),
        "_fetched_at": becker_time(10**9).replace(tzinfo=None),
    } | values


def kalshi_listed(ticker: str, title: str, fetched: int = 0) -> dict[str, Any]:
    """A row of Kalshi's markets, what of it is read."""
    return {"ticker": ticker, "event_ticker": ticker[:4], "title": title, "_fetched_at": becker_time(fetched)}


def filled_order(block: int, index: int, given: tuple[str, int], got: tuple[str, int], **of: Any) -> dict[str, Any]:
    """A row of Polymarket's trades: its maker gave an asset ("0": dollars) and got another; amounts in millionths."""
    return {
        "block_number": block,
        "transaction_hash": f"0x{block:x}",
        "log_index": index,
        "order_hash": f"0x{index:x}",
        "maker": "0xMaker",
        "taker": "0xTaker",
        "maker_asset_id": given[0],
        "taker_asset_id": got[0],
        "maker_amount": given[1],
        "taker_amount": got[1],
        "fee": 0,
        "_contract": "CTF Exchange",
    } | of


def block_at(number: int, second: int) -> dict[str, Any]:
    """A row of Polymarket's blocks."""
    return {"block_number": number, "timestamp": becker_time(second * 1_000).strftime("%Y-%m-%dT%H:%M:%SZ")}


def token_listed(tokens: Sequence[str], question: str = "Will it?", market: str = MARKET) -> dict[str, Any]:
    """A row of Polymarket's markets, what of it is read."""
    named = {"outcomes": '["Yes", "No"]', "clob_token_ids": msgspec.json.encode(list(tokens)).decode()}
    return {"condition_id": market, "question": question, "_fetched_at": becker_time(0), **named}
