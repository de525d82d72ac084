"""``predsurv sql``: a query over the recorded files."""

import sys
from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from typing import Annotated, Any, Final

import pyarrow as pa
import typer

from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.columns import Kind
from predsurv.cli.output.render import Column, Table, Value, say, show
from predsurv.config import load
from predsurv.mine.sql import DatasetView, SqlResult, query, views
from predsurv.store.layout import NS_DAY

_SHOWN: Final = 100
_WHOLE: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT")
_PLACES: Final = 4

_VIEWS: Final = (
    Column("view", "View", keep=9),
    Column("about", "A row is", keep=9, fit="wrap"),
    Column("columns", "Columns", only="machine", chars_max=4_096),
)


def sql(
    text: Annotated[
        str | None, typer.Argument(metavar="QUERY", help="In DuckDB's SQL; '-' reads it from stdin.")
    ] = None,
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="Most rows of a table.")] = _SHOWN,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Ask the recorded files in SQL; without a query list the views and their columns.

    Times are plain UTC timestamps, and with _ns behind their name whole nanoseconds: differences of those are exact.
    Every row has its market's question, outcome, event_id and category. Venue, date and hour say which files are read.
    """
    data_dir = load(config).config.data_dir
    asked = sys.stdin.read() if text == "-" else text
    if asked is None:
        show(_listed(views(data_dir)), format)
        return
    found = query(data_dir, asked, limit if format == "table" else None)
    show(_table(found), format)
    if found.more:
        say(f"the first {limit:,} rows; more with --limit, all with --format csv, json or jsonl")


def _listed(found: Sequence[DatasetView]) -> Table:
    rows = [(each.name, each.about, " ".join(each.columns)) for each in found]
    return Table(
        "views", "Views", _VIEWS, rows, "columns of one: predsurv sql 'describe trades'", empty="nothing recorded"
    )


def _table(found: SqlResult) -> Table:
    kinds = [_kind(kind) for _, kind in found.columns]
    columns = tuple(
        Column(name, name, kind, "UTC" if kind == "time" else "", places=_PLACES)
        for (name, _), kind in zip(found.columns, kinds, strict=True)
    )
    rows = [tuple(_value(value) for value in row) for row in found.rows]
    return Table("rows", "", columns, rows, empty="no rows")


def _kind(name: str) -> Kind:
    if name in _WHOLE:
        return "int"
    if name in ("DOUBLE", "FLOAT") or name.startswith("DECIMAL"):
        return "decimal"
    if name.startswith("TIMESTAMP"):
        return "time"
    return "duration" if name == "INTERVAL" else "text"


def _value(value: Any) -> Value:
    if isinstance(value, pa.MonthDayNano):
        return int(value.days * NS_DAY + value.nanoseconds)
    if isinstance(value, Decimal):
        return float(value)
    if value is None or isinstance(value, str | int | float):
        return value
    return value.isoformat() if isinstance(value, date | time) else str(value)
