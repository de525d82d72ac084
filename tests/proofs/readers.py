"""Plain scan loops of other programs beside a recording that seals and compacts: is any count ever wrong?

``python -m tests.proofs.readers [--seconds 600]``; it takes both cores.

The recorder numbers its changes 0, 1, 2 … and seals them in order, a few segments to an hour of its own
invention, and compacts each hour when it is over. So whatever a reader sees has to be the numbers from 0 to some
end, each once. A file that is gone between listing and opening is an error that the reader repeats; anything
else is a finding.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from predsurv.core.events import BookDelta
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.net.clock import ManualClock
from predsurv.store.layout import NS_HOUR, Layout
from predsurv.store.seal.compact import compact_closed
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog

NOON = 1_800_014_400_000_000_000
KEYS = [InstrumentKey(VenueName("mock"), MarketId(f"m{n}"), InstrumentId(f"i{n}")) for n in range(20)]
SEGMENTS = 6
"""Segments to an invented hour."""
ROWS = 400
COLUMNS = "count(*), count(distinct size), max(size)"
Answer = tuple[int, int, float | None]


def record(data_dir: str, stop: Event, told: Any) -> None:
    """Record, seal and compact until told to stop; tells how many hours it compacted."""
    layout, clock = Layout(Path(data_dir)), ManualClock(NOON)
    number = hours = 0
    while not stop.is_set():
        log = WriteAheadLog(layout.state, "c0", clock)
        for _ in range(4):
            log.append([change(number + step, clock.now()) for step in range(ROWS // 4)])
            number += ROWS // 4
            log.flush()
        path = log.close()
        assert path is not None
        seal_segment(path, layout, clock)
        if number % (SEGMENTS * ROWS) == 0:
            clock = ManualClock(clock.now() + NS_HOUR)
            hours += compact_closed(layout, "c0", ManualClock(clock.now() + 120_000_000_000)).hours
    told.put(("recorded", number, hours))


def change(number: int, ts: int) -> BookDelta:
    """Change number ``number``: its size says so."""
    return BookDelta(KEYS[number % 20], ts + number, None, 1, number, "bid", Price(1), Size(number * 1_000_000))


def with_polars(root: str) -> Answer:
    """What a user of polars writes."""
    return _answer(pl.scan_parquet(f"{root}/**/*.parquet", hive_partitioning=True))


def with_polars_folder(root: str) -> Answer:
    """The same, pointed at the folder."""
    return _answer(pl.scan_parquet(root))


def _answer(frame: pl.LazyFrame) -> Answer:
    size = pl.col("size")
    row = frame.select(pl.len(), size.n_unique().alias("distinct"), size.max().alias("most")).collect().row(0)
    return int(row[0]), int(row[1]), row[2]


def with_duckdb(root: str) -> Answer:
    """What a user of DuckDB writes."""
    files = f"read_parquet('{root}/**/*.parquet', hive_partitioning=true)"
    row = duckdb.connect().execute(f"select {COLUMNS} from {files}").fetchone()  # noqa: S608 - our own folder
    assert row is not None
    return int(row[0]), int(row[1]), row[2]


READERS: dict[str, Callable[[str], Answer]] = {
    "polars glob": with_polars,
    "polars folder": with_polars_folder,
    "duckdb": with_duckdb,
}


def read(name: str, data_dir: str, stop: Event, told: Any) -> None:
    """Scan until told to stop; tells what it saw."""
    root, seen, largest = f"{data_dir}/book_deltas", Counter[str](), 0
    while not stop.is_set():
        try:
            rows, distinct, top = READERS[name](root)
        except (OSError, duckdb.IOException) as error:
            seen["gone" if "o such file" in str(error) or "not found" in str(error).lower() else f"error {error}"] += 1
            continue
        seen["scans"] += 1
        if not (rows == distinct == (0 if top is None else int(top) + 1)) or rows < largest:
            seen[f"wrong: {rows} rows, {distinct} distinct, up to {top}, after {largest}"] += 1
        largest = max(largest, rows)
    told.put((name, seen))


def main() -> int:
    """Run the recorder and a reader of each kind; return 1 when anything was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    seconds = parser.parse_args().seconds
    context = multiprocessing.get_context("spawn")
    stop, told = context.Event(), context.Queue()
    with tempfile.TemporaryDirectory(prefix="predsurv-readers-") as data_dir:
        recording = context.Process(target=record, args=(data_dir, stop, told))
        recording.start()
        while not list(Path(data_dir).glob("book_deltas/**/*.parquet")):
            time.sleep(0.05)
        reading = [context.Process(target=read, args=(name, data_dir, stop, told)) for name in READERS]
        for process in reading:
            process.start()
        time.sleep(seconds)
        stop.set()
        answers = [told.get(timeout=60) for _ in range(1 + len(reading))]
        for process in (recording, *reading):
            process.join(60)
    return _judge(answers)


def _judge(answers: list[Any]) -> int:
    failed = False
    for name, *rest in answers:
        if name == "recorded":
            print(f"recorded {rest[0]:,} rows, compacted {rest[1]} hours")
            continue
        (seen,) = rest
        findings = {what: count for what, count in seen.items() if what not in ("scans", "gone")}
        failed |= bool(findings) or not seen["scans"]
        print(f"{name}: {seen['scans']:,} scans, findings: {findings or 'none'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
