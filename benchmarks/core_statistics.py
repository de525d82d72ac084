"""What mining a day costs against the same core statistics written in SQL, by DuckDB.

``python -m benchmarks.core_statistics [--rows 2400000] [--rounds 3] [--threads 2]``: the made-up day of ``mined_days``.
In turns, each a process of its own: ``mine``, which computes all of its statistics with their scores and compares the
digests of the files, and four queries for the core of them : updates and the times between them, staleness,
ages of messages; books weighted by time with spread, quantiles, prices and depths; trades. Last the values of both are
compared: they have to agree. CPU time without start-up, medians. The SQL knows that each instrument was covered without
a break; one for visits would have to do more.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from math import isclose
from pathlib import Path
from statistics import median
from typing import Final

import polars as pl

from benchmarks import figures
from benchmarks.figures import Comparison, Figure, Goal
from benchmarks.mine import MINE, TELL, forget
from benchmarks.mined_days import DATE, LEVELS, VENUE, write_day

RATIO_MIN: Final = 4.0
GOAL_ROWS: Final = 10_000_000
"""Of a smaller day starting is too large a part."""
_OURS: Final = "predsurv mine, everything"
_SQL: Final = "the core in DuckDB SQL"
_TOLERANCE: Final = 1e-6
_FILES: Final = "read_parquet('{data}/{folder}/**/*.parquet', hive_partitioning = false)"
_COVERED: Final = """
covered as (
  select instrument_id, epoch_ns("start") as since, epoch_ns("end") as until from {coverage} where state = 'covered'
)"""
_UPDATES: Final = """
with {covered}, changes as (
  select instrument_id, since, until, epoch_ns(ts_recv) as ns, (epoch_ns(ts_recv) - epoch_ns(ts_venue)) / 1e9 as age
  from {book_deltas} join covered using (instrument_id)
  where kind = 'change' and epoch_ns(ts_recv) >= since and epoch_ns(ts_recv) < until
), quiet as (
  select *, (ns - coalesce(lag(ns) over moments, since)) / 1e9 as waited, lag(ns) over moments as previous,
    lead(ns) over moments as following
  from changes window moments as (partition by instrument_id order by ns)
), sums as (
  select instrument_id, count(*) as updates, count(*) / (max(until - since) / 1e9) as updates_per_s,
    (sum(greatest(waited - 60, 0)) + sum(greatest((until - ns) / 1e9 - 60, 0)) filter (following is null))
      / nullif(greatest(max(until - since) / 1e9 - 60, 0), 0) as stale_share,
    avg(age) * 1000 as message_age_ms, count(*) filter (age > 1) / count(age) as late_message_share
  from quiet group by instrument_id
), lengths as (
  select instrument_id, waited as s, 0 as is_cut from quiet where previous is not null and ns <> previous
  union all
  select instrument_id, (until - ns) / 1e9, 1 from quiet where following is null and until > ns
), waits as (
  select instrument_id, floor(log2(greatest(s, 1e-6)) * 8) as bucket, count(*) filter (is_cut = 0) as ended,
    count(*) filter (is_cut = 1) as cut
  from lengths group by all
), hazards as (
  select *, ended / (sum(ended + cut) over (partition by instrument_id order by bucket desc) - cut / 2) as hazard
  from waits
), reached as (
  select *, product(1 - hazard) over (partition by instrument_id order by bucket) as outlasting from hazards
)
select * from sums left join (
  select instrument_id, {waits} from reached group by instrument_id
) using (instrument_id)"""
_BOOKS: Final = """
with {covered}, observed as (
  select b.*, epoch_ns(ts_recv) as ns, until
  from {orderbook_snapshots} b join covered using (instrument_id)
  where epoch_ns(ts_recv) >= since and epoch_ns(ts_recv) < until
), held as (
  select *, (least(coalesce(lead(ns) over moments, until), until) - ns) / 1e9 as s
  from observed window moments as (partition by instrument_id order by ns)
), shapes as (
  select instrument_id, ns, s, bid_px_00 as bid, ask_px_00 as ask, coalesce(bid_sz_00, 0) as bid_sz,
    coalesce(ask_sz_00, 0) as ask_sz, bid < ask as two_sided, {depths}
  from held where trusted and s > 0
)
select instrument_id, sum(s) as trusted_s, sum(s) filter (two_sided) / sum(s) as two_sided_share,
  sum((ask - bid) * s) filter (two_sided) / sum(s) filter (two_sided) as spread_usd,
  sum((ask - bid) / ((ask + bid) / 2) * s) filter (two_sided) / sum(s) filter (two_sided) as spread_relative,
  sum((ask + bid) / 2 * s) filter (two_sided) / sum(s) filter (two_sided) as mid_usd,
  first((ask + bid) / 2 order by ns) filter (two_sided) as mid_open_usd,
  max((ask + bid) / 2) filter (two_sided) as mid_high_usd, min((ask + bid) / 2) filter (two_sided) as mid_low_usd,
  last((ask + bid) / 2 order by ns) filter (two_sided) as mid_close_usd,
  sum(bid_sz * s) / sum(s) as bid_touch_shares, sum(ask_sz * s) / sum(s) as ask_touch_shares,
  sum((bid_5c - ask_5c) / (bid_5c + ask_5c) * s) filter (bid_5c + ask_5c > 0)
    / sum(s) filter (bid_5c + ask_5c > 0) as imbalance, {means}
from shapes group by instrument_id"""
_SPREADS: Final = """
with {covered}, held as (
  select instrument_id, trusted, round((ask_px_00 - bid_px_00) * 1e6) as spread, (least(coalesce(lead(epoch_ns(ts_recv))
    over (partition by instrument_id order by ts_recv), until), until) - epoch_ns(ts_recv)) / 1e9 as s
  from {orderbook_snapshots} join covered using (instrument_id)
  where epoch_ns(ts_recv) >= since and epoch_ns(ts_recv) < until
), times as (
  select instrument_id, spread, sum(s) as s from held where trusted and spread > 0 and s > 0 group by all
), reached as (
  select *, sum(s) over (partition by instrument_id order by spread) as upto,
    sum(s) over (partition by instrument_id) as every
  from times
)
select instrument_id, {quantiles} from reached group by instrument_id"""
_TRADES: Final = """
with {covered}, placed as (
  select t.* from {trades} t join covered using (instrument_id)
  where epoch_ns(ts_recv) >= since and epoch_ns(ts_recv) < until
)
select instrument_id, count(*) as trades, sum(size) as volume_shares, sum(price * size) as notional_usd,
  sum(size) / count(*) as trade_mean_shares,
  sum(size) filter (taker_side = 'buy') / sum(size) filter (taker_side is not null) as taker_buy_share
from placed group by instrument_id"""
_RUN: Final = (
    """
import json, os, pathlib, sys, time
import duckdb
link = duckdb.connect()
link.execute(f"set threads = {os.environ['POLARS_MAX_THREADS']}")
link.execute("set enable_progress_bar = false")
queries = json.loads(pathlib.Path(sys.argv[4]).read_text())
began = time.process_time()
for number, query in enumerate(queries):
    link.execute(f"create table part{number} as {query}")
"""
    + TELL
    + """
for number in range(len(queries)):
    link.execute(f"copy part{number} to '{sys.argv[4]}.{number}.parquet' (format parquet)")
"""
)


def queries(data: Path) -> list[str]:
    """Return the queries for the core statistics of the day in ``data``."""
    folders = ("book_deltas", "orderbook_snapshots", "trades", "coverage")
    files = {folder: _FILES.format(data=data, folder=folder) for folder in folders}
    parts = {
        "covered": _COVERED.format(**files).strip(),
        "waits": ", ".join(
            f"2 ** ((min(bucket) filter (outlasting <= {1 - share} + 1e-9) + 0.5) / 8) as wait_p{share * 100:.0f}_s"
            for share in (0.1, 0.5, 0.9, 0.99)
        ),
        "quantiles": ", ".join(
            f"min(spread) filter (upto >= {share} * every - 1e-12 * every) / 1e6 as spread_p{share * 100:.0f}_usd"
            for share in (0.1, 0.5, 0.9)
        ),
        "depths": ", ".join(_depths()),
        "means": ", ".join(
            f"sum({side}_{reach}c * s) / sum(s) as {side}_depth_{reach}c_shares"
            for side in ("bid", "ask")
            for reach in (1, 2, 5, 10)
        ),
    }
    return [query.format(**files, **parts) for query in (_UPDATES, _BOOKS, _SPREADS, _TRADES)]


def _depths() -> Iterator[str]:
    for side, sign in (("bid", "-"), ("ask", "")):
        for reach in (1, 2, 5, 10):
            near = (
                f"coalesce(case when {sign}({side}_px_{level:02d} - {side}_px_00) <= {reach / 100 + 1e-9} "
                f"then {side}_sz_{level:02d} end, 0)"
                for level in range(LEVELS)
            )
            yield f"{' + '.join(near)} as {side}_{reach}c"


def cost(program: str, data: Path, threads: int, wanted: Path) -> float:
    """Run ``program`` on ``data`` with as many ``threads``; return its CPU seconds."""
    words = [sys.executable, "-c", program, str(data), str(VENUE), DATE, str(wanted)]
    environment = os.environ | {"POLARS_MAX_THREADS": str(threads)}
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[0])


def differences(data: Path, wanted: Path) -> tuple[int, list[str]]:
    """Return how many values were compared, and the columns in which they are not the same."""
    (path,) = (data / "stats").rglob("stats.parquet")
    mined, count, wrong = pl.read_parquet(path), 0, list[str]()
    for part in sorted(wanted.parent.glob(f"{wanted.name}.*.parquet")):
        found = pl.read_parquet(part)
        both = found.join(mined, on="instrument_id", suffix="_mined", how="left")
        for name in found.columns[1:]:
            pairs = both.select(name, f"{name}_mined").drop_nulls(name).rows()
            count += len(pairs)
            if any(b is None or not isclose(a, b, rel_tol=_TOLERANCE, abs_tol=1e-9) for a, b in pairs):
                wrong.append(name)
    return count, wrong


def measure(words: Sequence[str]) -> list[Comparison]:
    """Write the day, and run both in turns; the comparison fails where values differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.core_statistics", description=__doc__)
    parser.add_argument("--rows", type=int, default=2_400_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="predsurv-bench-") as name:
        data, wanted = Path(name) / "data", Path(name) / "queries.json"
        data.mkdir()
        write_day(data, given.rows)
        wanted.write_text(json.dumps(queries(data)))
        taken: dict[str, list[float]] = {_SQL: [], _OURS: []}
        for _ in range(given.rounds):
            forget(data)
            for title, program in zip(taken, (_RUN, MINE), strict=True):
                taken[title].append(cost(program, data, given.threads, wanted))
        count, wrong = differences(data, wanted)
    mined, theirs = median(taken[_OURS]), median(taken[_SQL])
    goal = Goal("≥", RATIO_MIN) if given.threads > 1 and given.rows >= GOAL_ROWS else None
    return [
        Comparison(
            title=f"Statistics of a day against their core in DuckDB SQL: {given.rows:,} changes, "
            f"{given.rows // 10:,} snapshot rows",
            method=f"each a process of its own with {given.threads} threads, in turns; {count:,} values compared",
            rounds=given.rounds,
            ratio="times ours",
            figures=(
                Figure(what=_OURS, value=mined, unit="s of CPU", ratio=1.0),
                Figure(what=_SQL, value=theirs, unit="s of CPU", ratio=theirs / mined, goal=goal),
            ),
            failed=("columns that differ: " + ", ".join(wrong) if wrong else "") if count else "no value was compared",
        )
    ]


if __name__ == "__main__":
    sys.exit(figures.main(measure))
