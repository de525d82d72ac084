"""The types that readers give to the columns of the path are those that docs/data-files.md tells."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.dataset as ds
import pytest

from predsurv.mine.sql import query
from tests.kit.backtests import books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, market

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "data-files.md"
Types = tuple[str, str]


def polars_types(folder: Path) -> Types:
    schema = pl.scan_parquet(f"{folder}/book_deltas/", hive_partitioning=True).collect_schema()
    return str(schema["date"]), str(schema["hour"])


def pyarrow_types(folder: Path) -> Types:
    schema: Any = ds.dataset(folder / "book_deltas", partitioning="hive").schema
    return str(schema.field("date").type), str(schema.field("hour").type)


def duckdb_types(folder: Path, options: str = "") -> Types:
    files = f"'{folder}/book_deltas/**/*.parquet', hive_partitioning = true{options}"
    relation: Any = duckdb.sql(f"SELECT date, hour FROM read_parquet({files})")  # noqa: S608 - our own folder
    date, hour = relation.types
    return str(date), str(hour)


def sql_types(folder: Path) -> Types:
    (_, date), (_, hour) = query(folder, "SELECT date, hour FROM deltas LIMIT 0").columns
    return date, hour


def told(reader: str) -> Types:
    rows = re.findall(r"^\| (.+?) \| (\S+) \| (.+?) \|$", _PAGE.read_text(), re.MULTILINE)
    (found,) = [(date, hour) for name, date, hour in rows if name.startswith(reader)]
    return found


@pytest.fixture(params=[1, 12], ids=["morning", "noon"])
def recorded(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    hour = request.param
    listed_on(tmp_path, 0, market())
    record(tmp_path, hours(hour + 1), [*books(YES, hours(hour)), covered(YES, hours(hour), hours(hour + 1))])
    return tmp_path


@pytest.mark.parametrize(
    ("reader", "types"),
    [
        ("polars", polars_types),
        ("pyarrow", pyarrow_types),
        ("DuckDB with", lambda folder: duckdb_types(folder, ", hive_types = {'hour': BIGINT}")),
        ("`predsurv sql`", sql_types),
    ],
)
def test_a_reader_gives_the_types_of_the_page(recorded: Path, reader: str, types: Callable[[Path], Types]) -> None:
    assert types(recorded) == told(reader)


def test_duckdb_tells_the_hour_by_what_is_there(recorded: Path) -> None:
    morning = any("hour=0" in str(path) for path in recorded.rglob("*.parquet"))
    date, hour = told("DuckDB `read_parquet")
    assert duckdb_types(recorded) == (date, "VARCHAR" if morning else "BIGINT")
    assert hour == "BIGINT where every hour is 10 or later, else VARCHAR"
