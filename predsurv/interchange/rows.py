"""From columns of foreign tables to events: exact millionths, times in ns UTC, levels best first."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from predsurv.core.errors import IntegrityError
from predsurv.core.events import Level
from predsurv.core.num import MICROS, Price, Size, parse_price, parse_size
from predsurv.core.text import sanitise

NS_2000: Final = 946_684_800 * 10**9
NS_2100: Final = 4_102_444_800 * 10**9
_UNITS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def read_schema(path: Path) -> pl.Schema:
    """Return the columns of a Parquet file; raises IntegrityError, which names the file, for what is none."""
    try:
        return pl.Schema(pl.read_parquet_schema(path))
    except pl.exceptions.PolarsError as error:
        raise IntegrityError(f"{path}: cannot be read: {sanitise(str(error).splitlines()[0], 200)}") from None


def require_columns(path: Path, schema: Mapping[str, object], needed: Iterable[str]) -> None:
    """Raise IntegrityError that names the file and the columns of ``needed`` which it lacks, if any."""
    lacking = [name for name in needed if name not in schema]
    if lacking:
        have = ", ".join(sanitise(name, 40) for name in list(schema)[:20])
        raise IntegrityError(f"{path}: no column {', '.join(lacking)}; it has {have}")


def time_ns(column: pl.Expr, kind: pl.DataType, path: Path, sample: int | None) -> pl.Expr:
    """Return a column of times as ns UTC: of a date-time type, or whole numbers since 1970.

    The unit of a whole number follows from its size: for times from 2000 to 2099 s, ms, µs and ns do not overlap.
    ``sample``: one of the numbers.
    """
    if isinstance(kind, pl.Datetime):
        return column.dt.epoch("ns")
    if kind.is_integer() and sample is not None:
        for scale in _UNITS.values():
            if NS_2000 <= sample * scale < NS_2100:
                return column.cast(pl.Int64) * scale
    raise IntegrityError(f"{path}: {column.meta.output_name()} is no time from 2000 to 2099 in s, ms, us or ns")


def micros(column: pl.Expr) -> pl.Expr:
    """Return a column of numbers or texts as whole millionths; what is none of both is null."""
    # A price of 0.07 is no multiple of a power of two: read as text or decimal it is exact, as float the nearest.
    exact = column.cast(pl.Decimal(38, 6), strict=False)
    return exact.to_physical().cast(pl.Int64, strict=False)


def levels(side: Sequence[Any], *, best_highest: bool) -> tuple[Level, ...]:
    """Return ``[price, size]`` pairs or ``{"price": …, "size": …}`` records as levels, best first, without empty ones.

    Raises ValueError for what is no price or size.
    """
    found = {}
    for each in side:
        price, size = (each["price"], each["size"]) if isinstance(each, Mapping) else each
        found[_price(price)] = _size(size)
    ordered = sorted(found.items(), reverse=best_highest)
    return tuple((price, size) for price, size in ordered if size)


def known_price(value: int | None) -> Price:
    """Return a price in micros; raises ValueError for none, and for one outside 0 to 1 dollar."""
    if value is None or not 0 <= value <= MICROS:
        raise ValueError("no price from 0 to 1")
    return Price(value)


def known_size(value: int | None) -> Size:
    """Return a size in micros; raises ValueError for none, and for one below 0."""
    if value is None or value < 0:
        raise ValueError("no size of 0 or more")
    return Size(value)


def _price(value: object) -> Price:
    return parse_price(value) if isinstance(value, str) else parse_price(f"{_finite(value):.6f}")


def _size(value: object) -> Size:
    return parse_size(value) if isinstance(value, str) else Size(round(_finite(value) * MICROS))


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError(f"no price or size: {value!r}")
    return float(value)
