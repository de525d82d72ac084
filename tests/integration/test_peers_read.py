"""Other programs read what ``export`` writes, and see the same books and trades.

polars and DuckDB are there; hftbacktest, NautilusTrader (both versions) and pandas in environments of their own below
the folder that ``PREDSURV_PEERS`` names, as ``benchmarks.trading --peers`` has them: ``hftbacktest``, ``nautilus-1``,
``nautilus``, ``pandas``. Without these, their tests are skipped.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

import predsurv
from predsurv.cli.app import main
from tests.kit.foreign_files import HOUR, write_lines

PEERS = os.environ.get("PREDSURV_PEERS")
NS = 1_000_000
DAY = "2026-04-17"
KIT = Path(__file__).parent.parent / "kit"
TIMES = (HOUR * NS + 123, HOUR * NS + 456_789, HOUR * NS + 10**9 + 1, HOUR * NS + 2 * 10**9 + 7)
LEFT, RIGHT = [["0.4", "10"], ["0.4025", "2.5"]], [["0.6", "5"], ["0.4026", "0.000001"]]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording, a release of it, and its market for the two libraries."""
    folder = tmp_path_factory.mktemp("peers")
    row = {"market": "M", "instrument": "M-Y", "question": "Will it?", "outcome": "Yes"}
    rows: list[dict[str, Any]] = [
        row | {"time": TIMES[0], "kind": "book", "bids": LEFT, "asks": RIGHT},
        row | {"time": TIMES[1], "kind": "change", "side": "bid", "price": "0.4025", "size": "0"},
        row | {"time": TIMES[2], "kind": "trade", "side": "buy", "price": "0.4026", "size": "1.5", "trade_id": "t"},
        row | {"time": TIMES[3], "kind": "change", "side": "ask", "price": "0.5001", "size": "12345678.5"},
        row | {"time": TIMES[3] + 600 * 10**9, "kind": "change", "side": "ask", "price": "0.5001", "size": "1"},
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_lines(folder / "rows.jsonl", rows)
        assert main(["import", "jsonl", "rows.jsonl", "--venue", "kalshi"]) == 0
        assert main(["export", "release", "kalshi", DAY, "--out", "release"]) == 0
        assert main(["export", "hftbacktest", "M", DAY, "--out", "npz"]) == 0
        for version in "12":
            assert main(["export", "nautilus", "M", DAY, "--out", f"catalog{version}", "--catalog", version]) == 0
    return folder


def read_by(peer: str, *words: str) -> Any:
    """What a script prints in the environment of a peer."""
    python = Path(PEERS or "nowhere") / peer / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no environment {peer} below PREDSURV_PEERS")
    done = subprocess.run([str(python), *words], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def recorded(folder: Path, at: int) -> tuple[Any, Any]:
    book = predsurv.open(folder / "data").book("kalshi", "M-Y", at=at)
    return (book.bids, book.asks) if book.trusted else ((), ())


@pytest.mark.parametrize(("peer", "version"), [("nautilus-1", "1"), ("nautilus", "2")])
def test_nautilus_folds_the_recorded_books_to_the_millionth_and_nanosecond(
    exported: Path, peer: str, version: str
) -> None:
    found = read_by(peer, str(KIT / "nautilus_reader.py"), str(exported / f"catalog{version}"))
    assert found["instruments"] == ["M-Y.KALSHI"]
    books = {int(at): tuple(tuple(map(tuple, side)) for side in sides) for at, sides in found["books"].items()}
    silence = TIMES[3] + 1
    assert books == {at: recorded(exported, at) for at in (TIMES[0], TIMES[1], TIMES[3], silence)}
    assert books[TIMES[0]][0] == ((402_500, 2_500_000), (400_000, 10_000_000)), "fine levels stay apart"
    assert books[silence] == ((), ()), "nothing is known while nothing was received"
    ((price, size, side, at),) = found["trades"]
    assert (price, size, at) == (402_600, 1_500_000, TIMES[2])
    assert side in ("1", "BUYER", "BUY")


def test_hftbacktest_sees_the_recorded_best_prices(exported: Path) -> None:
    (path,) = (exported / "npz").iterdir()
    last: dict[int, tuple[int | None, int | None]] = {}
    for at, bid, ask in read_by("hftbacktest", str(KIT / "hftbacktest_reader.py"), str(path)):
        last[at] = bid, ask
    for at in (TIMES[0], TIMES[1], TIMES[3]):
        bids, asks = recorded(exported, at)
        assert last[at] == (bids[0][0], asks[0][0])


def test_pandas_reads_a_release_with_its_partitions(exported: Path) -> None:
    words = (
        "import json, pandas, sys; f = pandas.read_parquet(sys.argv[1]); "
        "print(json.dumps([f.price.tolist(), f['size'].tolist(), sorted(f.columns), [t.value for t in f.ts_recv]]))"
    )
    price, size, columns, times = read_by("pandas", "-c", words, str(exported / "release" / "trades"))
    assert (price, size, times) == ([0.4026], [1.5], [TIMES[2]])
    assert {"venue", "date", "hour"} <= set(columns)


def test_polars_and_duckdb_read_a_release(exported: Path) -> None:
    folder = exported / "release"
    rows = pl.scan_parquet(folder / "book_deltas", hive_partitioning=True).filter(pl.col("kind") == "change").collect()
    assert rows.select("price", "size", "venue").rows()[:2] == [(0.4025, 0.0, "kalshi"), (0.5001, 12345678.5, "kalshi")]
    with duckdb.connect() as link:  # the default one may have a result of somebody else that was not read to its end
        read = link.read_parquet(f"{folder}/trades/**/*.parquet", hive_partitioning=True)
        assert read.select("price", "size", "venue").fetchall() == [(0.4026, 1.5, "kalshi")]
    coverage = pl.read_csv(folder / "coverage.csv")
    assert set(coverage["state"]) <= {"covered", "gap"}
