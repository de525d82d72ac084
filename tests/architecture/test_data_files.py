"""docs/data-files.md lists every column of every dataset, in order, with its type and what null means."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pyarrow.parquet as pq
import pytest

from predsurv.core.events import CoverageReason, MarketChange
from predsurv.core.num import Price
from predsurv.mine import scores
from predsurv.mine.job import mine
from predsurv.mine.roll_up import roll_up_day
from predsurv.store.layout import FOLDERS, Dataset
from predsurv.store.schema import ADDED, schema_of
from tests.kit.market_samples import market
from tests.kit.mining_samples import KEY, START, S, listed, record, session

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "data-files.md"
_ALWAYS = frozenset({"market_id", "start", "end", "state", "reason", "epoch", "segment", "ts_recv", "trusted", "kind"})
"""Columns that are never null."""


def rows_of(section: str, cells: int = 4) -> list[Sequence[str]]:
    """Return the rows of the tables with so many columns below the heading ``section``."""
    (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", _PAGE.read_text(), re.MULTILINE | re.DOTALL)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")]
    return [row for row in rows if len(row) == cells]


@pytest.mark.parametrize("dataset", FOLDERS)
def test_every_column_is_documented_with_its_type(dataset: Dataset) -> None:
    written = [
        (f"`{field.name}`" + (" +" if field.name in ADDED else ""), str(field.type)) for field in schema_of(dataset, 1)
    ]
    assert [(name, kind) for name, kind, _, _ in rows_of(FOLDERS[dataset])] == written


@pytest.mark.parametrize("dataset", FOLDERS)
def test_every_column_that_may_be_null_says_when(dataset: Dataset) -> None:
    for name, kind, unit, meaning in rows_of(FOLDERS[dataset]):
        assert meaning.endswith("."), name
        assert unit == "ns" if "timestamp" in kind else unit != "ns", name
    silent = {
        name.strip("`+ ") for name, _, _, meaning in rows_of(FOLDERS[dataset]) if not re.search("Null:|As in", meaning)
    }
    assert silent - _ALWAYS <= {"instrument_id", "price", "size", "value"}


def test_every_column_of_the_statistics_is_documented_with_its_type(tmp_path: Path) -> None:
    mined = mine(record(tmp_path, [session()]), scores.weights({}))
    written = [(f"`{field.name}`", str(field.type)) for field in pq.read_schema(mined.path)]
    assert [(name, kind) for name, kind, _, _ in rows_of("stats")] == written


def test_every_measure_of_a_roll_up_is_documented(tmp_path: Path) -> None:
    change = MarketChange(
        KEY.venue, KEY.market_id, None, START + 90 * S, None, "tick_size", "{}", tick_size=Price(1_000)
    )
    day = listed(record(tmp_path, [[*session(), change]]), market(1), market(2))
    roll_up_day(day.data_dir, day.venue, day.date)
    mine(day, scores.weights({}))
    files = [*tmp_path.glob("rollups/*/*/*/*.parquet"), *tmp_path.glob("day_rollups/*/*/*.parquet")]
    assert len(files) == 3
    kinds = {"l": "list", "s": "struct"}
    written = {
        f"`{field.name}`": "string"
        if field.name == "instrument_id"
        else kinds[str(field.type).removeprefix("large_")[0]]
        for path in files
        for field in pq.read_schema(path)
    }
    assert {name: kind for name, kind, _ in rows_of("rollups", 3)} == written


def test_every_reason_of_coverage_is_explained() -> None:
    def members(kind: object) -> set[str]:
        return {word for each in get_args(kind) for word in (members(each) or {each})}

    assert {row[0].strip("`") for row in rows_of("coverage", 2)} == members(CoverageReason)
