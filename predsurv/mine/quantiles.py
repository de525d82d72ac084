"""Quantiles that are read off histograms, per instrument: ``instrument_id`` and the quantiles by name.

Instruments are numbered for it: their ids are long, and as slow to compare as rows are many.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl

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


def quantiles(measures: Mapping[str, pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield the quantiles of those of ``measures`` that are histograms, of the instruments in its ``coverage``."""
    ids = pl.Enum(measures["coverage"]["instrument_id"].unique(maintain_order=True))
    if "waits" in measures:
        yield _named(_wait_quantiles(measures, ids), ids)
    if "ages" in measures:
        found = _weighted(_coded(measures["ages"], ids), ("bucket", "count"), _AGES)
        yield _named(found.with_columns((middle_of(pl.col(name)) * _MS).alias(name) for name in _AGES), ids)
    if "spreads" in measures:
        found = _weighted(_coded(measures["spreads"], ids), ("spread", "seconds"), _SPREADS)
        yield _named(found.with_columns(pl.col(name) / _MICROS for name in _SPREADS), ids)
    if "sizes" in measures:
        yield _named(_weighted(_coded(measures["sizes"], ids), ("size", "count"), _SIZES), ids)


def _coded(rows: pl.DataFrame, ids: pl.Enum) -> pl.LazyFrame:
    """Return ``rows`` with the number of the instrument, ``code``, in place of its id."""
    code = rows["instrument_id"].cast(ids, strict=False).to_physical().cast(pl.Int64).alias("code")
    return rows.lazy().select(code, pl.exclude("instrument_id")).drop_nulls("code")


def _named(found: pl.LazyFrame, ids: pl.Enum) -> pl.DataFrame:
    rows = found.collect()
    return rows.select(ids.categories.gather(rows["code"]).alias("instrument_id"), pl.exclude("code"))


def _wait_quantiles(measures: Mapping[str, pl.DataFrame], ids: pl.Enum) -> pl.LazyFrame:
    """Return the quantiles of the time between changes; null where no visit was long enough to reach them."""
    none = pl.lit(0, pl.Int64)
    parts = [
        _coded(measures["waits"], ids).select(key_of("code"), "count", none.alias("cut")),
        _coded(measures["cut_waits"], ids).select(key_of("code"), none.alias("count"), pl.col("count").alias("cut")),
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
