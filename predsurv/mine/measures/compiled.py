"""The measures of an hour by the compiled module: what ``updates``, ``books`` and ``paths`` say, in one pass,
and ``outcome_sums``.

Rows of an hour come sorted by instrument and time, so that everything that is measured of an instrument can be
measured while its rows are at hand. The functions in Python are the specification: they give the same frames, but for
the order of rows and for rounding (sums in another order).
"""

from array import array
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import polars as pl
import pyarrow as pa

from predsurv.core import native
from predsurv.core.errors import BrokenInvariant
from predsurv.core.ids import OrderSide
from predsurv.mine.measures.books import TRADED_USD, VISIT_SUMS, WEIGHTED
from predsurv.mine.measures.coded_rows import CodedRows
from predsurv.mine.measures.moments import instant
from predsurv.mine.measures.outcome_sums import SET_SUMS, TOP, CodedSets, fee_of_sets, told
from predsurv.mine.measures.trading import IMPACTS
from predsurv.store.schema import level_columns

_UNTOLD: Final = -(1 << 63)
_VISITS: Final = ("visit", "owner", "since", "until", "quiet_from", "changed")
_FLAGS: Final = ("trusted", "crossed", "cut_5c", "cut_10c")
_PLACES: Final = ("at", "code", *_FLAGS, *WEIGHTED, "bid", "ask", "micro")
_INTEGERS: Final = frozenset(
    {"at", "code", "visit", "changed_at", "updates", "aged", "late", "bucket", "count"}
    | {"spread_micros", "jumps", "samples", "imagined", "filled", *_FLAGS}
    | {"set", "excursions", "excursions_net", "head_ns", "tail_ns", "head_net_ns", "tail_net_ns"}
)
_TYPES: Final = (
    dict.fromkeys(("code", "visit", "set"), pa.uint32()) | {"bucket": pa.int16()} | dict.fromkeys(_FLAGS, pa.bool_())
)
_COSTS: Final = tuple(f"cost_{usd}_known_s" for usd in TRADED_USD)
_PATHS: Final = tuple(f"{name}_{when}" for name in ("mid", "micro") for when in ("open", "high", "low", "close"))
_SETS: Final = ("set", *SET_SUMS)
_HISTOGRAM: Final = ("code", "bucket", "count")
_TABLES: Final = {
    "books": (
        "code",
        *("trusted_s", "two_sided_s", "crossed_s", "imbalance_known_s", "cut_5c_s", "cut_10c_s"),
        *_COSTS,
        "relative_s",
        *(f"{name}_s" for name in WEIGHTED),
    ),
    "spreads": ("code", "spread_micros", "seconds"),
    "visit_books": ("visit", *VISIT_SUMS),
    "prices": ("code", *_PATHS),
    "paths": ("code", "jumps", "gone", "queued_s"),
    "visit_moves": ("visit", "paired_s", "moved"),
    "foresight": (
        *("code", "samples", "sum_y", "sum_yy"),
        *("queues_x", "flow_x", "queues_xx", "flow_xx", "queues_xy", "flow_xy"),
    ),
    "imagined": ("code", "imagined"),
    "visit_impacts": ("visit", *IMPACTS, *(f"{name}_shares" for name in IMPACTS), "drained", "refilled"),
    "filled": ("code", "filled"),
    "carry": _PLACES,
}
"""Tables of an hour of books, and their columns, in the order in which C gives them."""


class BookMeasures(NamedTuple):
    """The ``measures`` of an hour of books by name, and the books that hold at its end."""

    measures: dict[str, pl.DataFrame]
    carry: pl.DataFrame


def change_measures(begin: int, changes: CodedRows, visits: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return what ``updates`` makes of ``changes`` (``ts_recv, ts_venue``) in the hour from ``begin`` on."""
    module = _module()
    made = _twice_if_unsorted(
        changes,
        lambda each: module.mine_changes(
            begin,
            _runs(each),
            _visits(visits),
            tuple(map(_integers, (each.rows["ts_recv"], each.rows["ts_venue"]))),
        ),
    )
    names = ("visit", "updates", "stale_s", "aged", "age_s", "late", "changed_at")
    updates, waits, ages = made
    return {
        "visit_updates": _frame(names, updates),
        "waits": _frame(_HISTOGRAM, waits),
        "ages": _frame(_HISTOGRAM, ages),
    }


def book_measures(
    begin: int, books: CodedRows, visits: pl.DataFrame, carry: pl.DataFrame, trades: pl.DataFrame
) -> BookMeasures:
    """Return what ``books`` and ``paths`` make of the snapshot rows ``books`` in the hour from ``begin`` on, and
    ``trading`` of what ``trades`` met.
    """
    module = _module()
    levels = level_columns(sum(name.startswith("bid_px_") for name in books.rows.columns))
    before = carry.with_columns(pl.col(_FLAGS).cast(pl.Int64))
    held = tuple(_integers(before[name]) if name in _INTEGERS else _numbers(before[name]) for name in _PLACES)
    placed = _placed(begin, trades)
    made = _twice_if_unsorted(
        books,
        lambda each: module.mine_books(
            begin,
            _runs(each),
            _visits(visits),
            (_integers(each.rows["ts_recv"]),),
            (_flags(each.rows["trusted"]),),
            tuple(_numbers(each.rows[name]) for name in levels),
            held,
            placed,
        ),
    )
    frames = {name: _frame(columns, each) for (name, columns), each in zip(_TABLES.items(), made, strict=True)}
    frames["spreads"] = frames["spreads"].rename({"spread_micros": "spread"})
    frames["prices"] = frames["prices"].with_columns(_unknown())
    kept = frames.pop("carry")
    return BookMeasures(frames, kept.with_columns(_unknown()).select(carry.columns))


def outcome_measures(
    rows: CodedRows, carry: pl.DataFrame, visits: pl.DataFrame, scope: CodedSets, begin: int
) -> pl.DataFrame:
    """Return what ``outcome_sums`` makes of the best prices ``rows`` in the hour from ``begin`` on."""
    module = _module()
    terms, sets = scope.terms.sort("set"), scope.sets.sort("set")

    def measure(rows: CodedRows, before: pl.DataFrame) -> Any:
        return module.mine_outcomes(
            begin,
            _runs(rows),
            (_integers(rows.rows["ts_recv"]),),
            (_flags(rows.rows["trusted"]),),
            tuple(_numbers(rows.rows[name]) for name in TOP),
            (_integers(before["code"]), _numbers(before["bid"]), _numbers(before["ask"])),
            (_flags(before["trusted"]),),
            _visits(visits),
            tuple(_integers(terms[name]) for name in ("set", "code", "since", "until", "fee")),
            tuple(_integers(sets[name]) for name in ("set", "legs", "exhaustive")),
            lambda prices: _fees(prices, scope),
        )

    made = measure(rows, carry)
    if made is None:
        made = measure(rows.sorted(), carry.sort("code", maintain_order=True))
    return told(_frame(_SETS, made), scope)


def _fees(prices: bytes, scope: CodedSets) -> "tuple[array[int], ...]":
    """Return what sellers and what buyers pay at ``prices`` (int64, micros) by each schedule of ``scope``."""
    sides: tuple[OrderSide, ...] = ("sell", "buy")
    asked = memoryview(prices).cast("q").tolist()
    return tuple(
        array("q", [fee_of_sets(each, price, side) for each in scope.schedules for price in asked]) for side in sides
    )


def _module() -> Any:
    if native.speedups is None:
        raise BrokenInvariant("there is no compiled module: ask for what is specified")
    return native.speedups


def _placed(begin: int, trades: pl.DataFrame) -> tuple[Any, ...]:
    at = instant(pl.col("code"), pl.col("ts"), begin).alias("at")
    rows = trades.select("code", at, "sign", "price", "size").sort("at", maintain_order=True)
    return (
        *(_content(rows[name].cast(pl.Int64), 0, 8) for name in ("code", "at", "sign")),
        *(_numbers(rows[name]) for name in ("price", "size")),
    )


def _unknown() -> pl.Expr:
    return pl.col(pl.Float64).fill_nan(None)


def _twice_if_unsorted(rows: CodedRows, measure: Any) -> Any:
    """Return what ``measure`` makes of ``rows``, sorted first where it says that they are not (several files)."""
    made = measure(rows)
    return measure(rows.sorted()) if made is None else made


def _runs(rows: CodedRows) -> tuple[Any, ...]:
    return _integers(rows.codes), _integers(rows.lengths)


def _visits(visits: pl.DataFrame) -> tuple[Any, ...]:
    return tuple(_integers(visits[name]) for name in _VISITS)


def _integers(column: pl.Series) -> Any:
    return _content(column.cast(pl.Int64), _UNTOLD, 8)


def _numbers(column: pl.Series) -> Any:
    return _content(column, float("nan"), 8)


def _flags(column: pl.Series) -> Any:
    return _content(column.cast(pl.UInt8), 0, 1)


def _content(column: pl.Series, untold: float, width: int) -> Any:
    """Return the values of ``column``, ``untold`` where it is null, as a buffer."""
    if column.null_count():
        column = column.fill_null(untold)
    array: Any = column.rechunk().to_arrow()
    content = array.buffers()[1]
    if content is None:
        return b""
    return memoryview(content)[array.offset * width : (array.offset + len(array)) * width]


def _frame(names: Sequence[str], columns: Sequence[bytes]) -> pl.DataFrame:
    """Return the table with the columns ``names``; a number that is null is NaN there."""
    batch: Any = pa.record_batch([_array(*each) for each in zip(names, columns, strict=True)], names=list(names))
    return pl.DataFrame(batch)


def _array(name: str, content: bytes) -> Any:
    """Return a column, of the type that it has; Arrow converts it here, as polars would wake its threads for it."""
    kind = pa.int64() if name in _INTEGERS else pa.float64()
    array: Any = pa.Array.from_buffers(kind, len(content) // 8, [None, pa.py_buffer(content)])
    return array.cast(_TYPES[name]) if name in _TYPES else array
