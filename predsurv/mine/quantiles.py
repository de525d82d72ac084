"""Quantiles that are read off histograms, per instrument: ``instrument_id`` and the quantiles by name."""

from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl

from predsurv.mine.instrument_codes import InstrumentCodes
from predsurv.mine.measures.bucket_keys import bucket_of_key, key_of, unit_of_key
from predsurv.mine.measures.survival import outlasting, reached
from predsurv.mine.measures.updates import middle_of

_MS: Final = 1_000
_MICROS: Final = 1e6
_NEGLIGIBLE: Final = 1e-12  # of all weight: less is rounding
_WAITS: Final = {"wait_p10_s": 0.1, "wait_p50_s": 0.5, "wait_p90_s": 0.9, "wait_p99_s": 0.99}
_AGES: Final = {"message_age_p50_ms": 0.5, "message_age_p90_ms": 0.9, "message_age_p99_ms": 0.99}
_SPREADS: Final = {"spread_p10_usd": 0.1, "spread_p50_usd": 0.5, "spread_p90_usd": 0.9}
_SIZES: Final = {"trade_p50_shares": 0.5, "trade_p90_shares": 0.9}


def quantiles(measures: Mapping[str, pl.DataFrame], codes: InstrumentCodes) -> Iterator[pl.DataFrame]:
    """Yield the quantiles of those of ``measures`` that are histograms, of the instruments that have ``codes``."""
    if "waits" in measures:
        yield codes.named(_wait_quantiles(codes.coded(measures["waits"]), codes.coded(measures["cut_waits"])))
    if "ages" in measures:
        found = _weighted(codes.coded(measures["ages"]), ("bucket", "count"), _AGES)
        yield codes.named(found.with_columns((middle_of(pl.col(name)) * _MS).alias(name) for name in _AGES))
    if "spreads" in measures:
        found = _weighted(codes.coded(measures["spreads"]), ("spread", "seconds"), _SPREADS)
        yield codes.named(found.with_columns(pl.col(name) / _MICROS for name in _SPREADS))
    if "sizes" in measures:
        yield codes.named(_weighted(codes.coded(measures["sizes"]), ("size", "count"), _SIZES))


def _wait_quantiles(ended: pl.LazyFrame, cut: pl.LazyFrame) -> pl.LazyFrame:
    """Return the quantiles of the time between changes; null where no visit was long enough to reach them."""
    none = pl.lit(0, pl.Int64)
    parts = [
        ended.select(key_of("code"), "count", none.alias("cut")),
        cut.select(key_of("code"), none.alias("count"), pl.col("count").alias("cut")),
    ]
    rows = (
        pl.concat(parts)
        .group_by("key")
        .agg(pl.col("count", "cut").sum())
        .sort("key")
        .select(unit_of_key().set_sorted().alias("code"), bucket_of_key(), "count", "cut")
        .with_columns(outlasting().over("code").alias("outlasting"))
    )
    found = _first(rows, "bucket", {name: reached(pl.col("outlasting"), share) for name, share in _WAITS.items()})
    return found.with_columns(middle_of(pl.col(name)).alias(name) for name in _WAITS)


def _weighted(rows: pl.LazyFrame, columns: tuple[str, str], shares: Mapping[str, float]) -> pl.LazyFrame:
    """Return the least value up to which lies each of ``shares`` of all weight; ``columns``: value and weight."""
    value, weight = columns
    total, summed = (pl.col(weight).sum().over("code"), pl.col(weight).cum_sum().over("code"))
    ordered = rows.sort("code", value).with_columns(total.alias("total"), summed.alias("summed"))
    least = {
        name: pl.col("summed") >= share * pl.col("total") - _NEGLIGIBLE * pl.col("total")
        for name, share in shares.items()
    }
    return _first(ordered, value, least)


def _first(rows: pl.LazyFrame, value: str, reached: Mapping[str, pl.Expr]) -> pl.LazyFrame:
    """Return per ``code`` the first ``value`` for which each of ``reached`` is true, null where there is none."""
    each = rows.group_by("code", maintain_order=True)
    return each.agg(pl.col(value).filter(condition).first().alias(name) for name, condition in reached.items())
