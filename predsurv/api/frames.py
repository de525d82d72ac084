"""Recorded rows and known markets as polars frames: dollars, shares and UTC times instead of micros and ns."""

from pathlib import Path
from typing import Final

import polars as pl

from predsurv.api.recorded import span_files
from predsurv.core.ids import VenueName
from predsurv.core.market import Market
from predsurv.core.num import MICROS
from predsurv.mine.inputs import scan
from predsurv.store.layout import Dataset
from predsurv.store.read.recording import ReplaySpan
from predsurv.store.schema import schema_of, time_column

_LEVELS: Final = 10  # of snapshots in a frame without rows
_TIME: Final = pl.Datetime("ns", "UTC")
_MARKETS: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "market_id": pl.String,
    "event_id": pl.String,
    "event_title": pl.String,
    "series_id": pl.String,
    "question": pl.String,
    "category": pl.String,
    "tags": pl.List(pl.String),
    "status": pl.String,
    "outcomes": pl.List(pl.Struct({"instrument_id": pl.String, "label": pl.String})),
    "tick_size": pl.Float64,
    "min_order_size": pl.Float64,
    "fee_model": pl.String,
    "fee_rate": pl.Float64,
    "mutually_exclusive": pl.Boolean,
    "exhaustive": pl.Boolean,
    "volume_24h": pl.Float64,
    "liquidity": pl.Float64,
    "close_time": _TIME,
    "game_start": _TIME,
    "url": pl.String,
    "fetched_at": _TIME,
    "assumed": pl.List(pl.String),
}


def market_frame(markets: tuple[Market, ...]) -> pl.DataFrame:
    """Return markets as rows."""
    return pl.DataFrame([_row(each) for each in markets], schema=_MARKETS)


def recorded_rows(data_dir: Path, dataset: Dataset, venue: str, span: ReplaySpan) -> pl.LazyFrame:
    """Return the rows of a dataset in a span, of coverage the pieces that overlap it."""
    files = span_files(data_dir, dataset, VenueName(venue), span)
    rows = scan(files) if files else pl.DataFrame(pl.from_arrow(schema_of(dataset, _LEVELS).empty_table())).lazy()
    low, high = (pl.lit(ts).cast(_TIME) for ts in (span.start, span.end))
    first = pl.col(time_column(dataset))
    return rows.filter((first < high) & (pl.col("end") > low if dataset == "coverage" else first >= low))


def with_names(rows: pl.LazyFrame, markets: tuple[Market, ...]) -> pl.LazyFrame:
    """Return rows with the ``question`` of their market and the ``outcome`` of their instrument, null if unknown."""
    named = {
        "market_id": [str(market.market_id) for market in markets for _ in market.outcomes],
        "instrument_id": [str(each.instrument_id) for market in markets for each in market.outcomes],
        "question": [market.question for market in markets for _ in market.outcomes],
        "outcome": [each.label for market in markets for each in market.outcomes],
    }
    labels = pl.LazyFrame(named, schema=dict.fromkeys(named, pl.String))
    return rows.join(labels, on=["market_id", "instrument_id"], how="left", maintain_order="left")


def _row(market: Market) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(market, name, None) for name in _MARKETS}
    for name in ("tick_size", "min_order_size", "volume_24h", "liquidity"):
        micros = getattr(market, name)
        row[name] = None if micros is None else micros / MICROS
    row["tags"], row["assumed"] = list(market.tags), list(market.assumed)
    row["outcomes"] = [{"instrument_id": each.instrument_id, "label": each.label} for each in market.outcomes]
    row["fee_model"], row["fee_rate"] = market.fee.model, market.fee.rate / MICROS
    return row
