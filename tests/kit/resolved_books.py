"""Books of settled 15-minute markets of Polymarket from the package ``resolvedkit`` 0.1.0 (data CC BY 4.0), to replay.

The package holds full books of both outcomes with the times (ms) at which its authors received them, no changes in
between, no public trades, and what each market paid.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from predsurv.core.events import BookSnapshot, Level, MarketResolved
from predsurv.core.ids import EventId, InstrumentId, MarketId, VenueName
from predsurv.core.market import FeeSchedule, Market, Outcome
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.records import Coverage, Record
from predsurv.store.layout import NS_DAY, date_of
from tests.kit.recordings import record, write_universe

POLYMARKET: Final = VenueName("polymarket")
FEE: Final = FeeSchedule(model="polymarket", rate=70_000)
"""The package's own statement of the fee of crypto markets: 0.07 × p × (1 − p) a share."""
FIRST_DAY: Final = 1_790_553_600_000_000_000
"""2026-09-28, the day of all the books (ns UTC)."""
MS: Final = 1_000_000


def write_recording(package: Path, data_dir: Path) -> Sequence[Market]:
    """Write the books of ``package``, a folder, below ``data_dir`` as if they had been recorded; return the markets."""
    rows = pq.read_table(package / "sample_data" / "markets.parquet").to_pylist()
    books = pq.read_table(package / "sample_data" / "books.parquet").sort_by("ts").to_pylist()
    markets = {row["market_id"]: _market(row) for row in rows}
    records: list[Record] = [*_snapshots(books, markets), *(_resolved(row, markets[row["market_id"]]) for row in rows)]
    records.sort(key=lambda each: each.ts_recv)  # type: ignore[union-attr]
    spans = _spans(records)
    covered = [Coverage(key, *spans[key], "covered", "live", 1) for key in spans]
    record(data_dir, max(end for _, end in spans.values()) + NS_DAY, [*records, *covered])
    days = {start // NS_DAY for start, _ in spans.values()}
    for day in days:
        write_universe(data_dir, POLYMARKET, date_of(day * NS_DAY), markets.values())
    return tuple(markets.values())


def _market(row: Mapping[str, Any]) -> Market:
    name = row["market_id"]
    outcomes = tuple(Outcome(InstrumentId(f"{name}-{side}"), row[f"outcome_{side}"]) for side in ("up", "down"))
    return Market(
        venue=POLYMARKET,
        market_id=MarketId(name),
        event_id=EventId(row["slug"]),
        question=row["question"],
        outcomes=outcomes,
        status="active",
        tick_size=Price(10_000),
        min_order_size=Size(5 * MICROS),
        fetched_at=row["start_ts"] * MS - NS_DAY,
        category=row["category"],
        fee=FEE,
        close_time=row["end_ts"] * MS,
        tradable=True,
    )


def _snapshots(books: Sequence[Mapping[str, Any]], markets: Mapping[str, Market]) -> Iterator[BookSnapshot]:
    """Yield the books of the first outcome: those of the second are their mirrors."""
    for row in books:
        if row["side"] == "UP":
            bids, asks = (_levels(row[f"{side}_px"], row[f"{side}_sz"]) for side in ("bid", "ask"))
            yield BookSnapshot(markets[row["market_id"]].key(0), row["ts"] * MS, row["ts"] * MS, 1, None, bids, asks)


def _levels(prices: Sequence[float], sizes: Sequence[float]) -> tuple[Level, ...]:
    return tuple((Price(round(p * MICROS)), Size(round(s * MICROS))) for p, s in zip(prices, sizes, strict=True))


def _resolved(row: Mapping[str, Any], market: Market) -> MarketResolved:
    paid = [Price(round(row[f"payout_{side}"] * MICROS)) for side in ("up", "down")]
    payouts = tuple((market.key(n).instrument_id, each) for n, each in enumerate(paid))
    return MarketResolved(POLYMARKET, market.market_id, (row["end_ts"] + 60_000) * MS, None, payouts)


def _spans(records: Sequence[Record]) -> dict[Any, tuple[int, int]]:
    """Return from when to when (ns UTC) each instrument has books."""
    spans: dict[Any, tuple[int, int]] = {}
    for each in records:
        if isinstance(each, BookSnapshot):
            spans[each.key] = (spans.get(each.key, (each.ts_recv,))[0], each.ts_recv + 1)
    return spans
