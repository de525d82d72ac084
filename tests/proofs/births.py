"""Record simulated days in which markets are born and settled all the time, and account for every one of them.

``python -m tests.proofs.births [--days 2] [--speed 96] [--places 90] [--keep FOLDER]``: both simulated venues list
markets every ten seconds or so that live five minutes at most, in a process of their own; all clocks run up to
``speed`` times as fast as real time, and each venue has ``places`` instruments to record. Every market that lived a
minute or longer has to be recorded, or to be in the coverage dataset with the reason why it was not; ``mine`` names
every row, ``backtest`` reads every recorded instrument, and the collector's memory stays level.

What is remembered of markets that are over is bounded by numbers of markets that these venues take days to list; they
are divided by ``--memories`` here, so that whatever grows on without a bound shows within the first hours.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import polars as pl

from predsurv.collect.selection import candidates
from predsurv.config import load as load_config
from predsurv.store import allocator
from predsurv.venues.kalshi import books, fee_calendar, lifecycle, series_terms, shard_pauses, terms_lookup
from predsurv.venues.polymarket import shared_state, stated_ticks
from tests.proofs.paced_clock import PacedClock
from tests.proofs.simulated_days import (
    DAY,
    START,
    Life,
    Recording,
    S,
    Sample,
    SimulatedVenues,
    command,
    lives_in,
    record,
    recorded_dates,
    served,
    size_of,
)

LIVED: Final = 60 * S
MEMORIES: Final = (
    (candidates, "OVER_MAX"),
    (books, "SIZES_MAX"),
    (fee_calendar, "TOLD_MAX"),
    (lifecycle, "MARKETS_MAX"),
    (lifecycle, "AWAITED_MAX"),
    (lifecycle, "PAYOUTS_MAX"),
    (series_terms, "EVENTS_MAX"),
    (shard_pauses, "SHARDS_MAX"),
    (terms_lookup, "ASKED_MAX"),
    (shared_state, "SIZES_MAX"),
    (shared_state, "PARTS_MAX"),
    (stated_ticks, "TICKS_MAX"),
)
"""Modules and their bounds of what a feed or the selection remembers."""
SHOWN_MAX: Final = 20
"""Markets without account that are named."""
SLOPE_MB_MAX: Final = 2.0
"""Most growth of memory in a simulated day after the first third, MB."""


class Seen(NamedTuple):
    """What the coverage dataset says of a market: when it was covered first (ns UTC), and why it was not."""

    since: int | None
    reasons: frozenset[str]


NEVER: Final = Seen(None, frozenset())


def accounted(data_dir: Path) -> Mapping[tuple[str, str], Seen]:
    """Return what the coverage dataset says of each (venue, market id)."""
    rows = pl.scan_parquet(data_dir / "coverage", hive_partitioning=True).group_by("venue", "market_id").agg(
        pl.col("start").filter(pl.col("state") == "covered").min().cast(pl.Int64).alias("since"),
        pl.col("reason").filter(pl.col("state") == "gap").unique().alias("reasons"),
    )  # fmt: skip
    found = rows.collect().iter_rows()
    return {(venue, market): Seen(since, frozenset(reasons)) for venue, market, since, reasons in found}


def _hours(duration: int) -> str:
    return f"{duration / S / 3_600:.3f} h"


def judge_lives(lives: Sequence[Life], data_dir: Path, recorded: Recording) -> bool:
    """Print what became of the markets that lived a minute; return whether one is not accounted for."""
    seen, missing, since, until = accounted(data_dir), 0, recorded.since, recorded.until
    for venue in ("polymarket", "kalshi"):
        lived = [each for each in lives if each.venue == venue and each.lived(since, until) >= LIVED]
        fates = [(life, seen.get((venue, life.market_id), NEVER)) for life in lived]
        others = [each for _, each in fates if each.since is None]
        lost = [life.market_id for life, each in fates if each == NEVER]
        missing += len(lost)
        print(f"{venue}: {len(fates):,} markets lived a minute or more, {len(fates) - len(others):,} were recorded")
        print(f"  of the others: {dict(Counter(reason for each in others for reason in each.reasons))}")
        print(f"  without any reason: {len(lost)}")
        for life in [life for life, each in fates if each == NEVER][:SHOWN_MAX]:
            print(
                f"    {life.market_id[:24]}: {_hours(life.opened - START)} to {_hours((life.closed or until) - START)}"
            )
        born = [(life, each.since) for life, each in fates if life.opened >= since]
        delays = [(covered - life.opened) / S for life, covered in born if covered is not None]
        if delays:
            late = sum(delay > 10 for delay in delays)
            print(
                f"  covered after {median(delays):.1f} s (median), {max(delays):.1f} s at most; {late} later than 10 s"
            )
    return bool(missing)


def judge_reading(data_dir: Path, days: Sequence[str]) -> bool:
    """Mine and backtest the recording; return whether a row has no name or an instrument is missing."""
    wrong = False
    for venue in ("polymarket", "kalshi"):
        for day in days:
            rows = command("mine", venue, day, "--top", "100000", data_dir=data_dir)
            nameless = [row for row in rows if not row["outcome"]]
            wrong |= bool(nameless)
            print(f"mine {venue} {day}: {len(rows):,} rows, {len(nameless)} without a name")
        result = command("backtest", venue, f"{days[0]}..{days[-1]}", "--strategy", "simple", data_dir=data_dir)
        print(f"backtest {venue}: {json.dumps(result[:1])[:600]}")
    return wrong


def _parts(samples: Sequence[Sample], count: int) -> list[list[Sample]]:
    """Return the samples of each of ``count`` equal pieces of the simulated time: the machine's speed varies."""
    whole = samples[-1].at + 1
    return [[each for each in samples if int(each.at / whole * count) == number] for number in range(count)]


def judge_memory(samples: Sequence[Sample]) -> bool:
    """Print the memory's course in eighths of the simulated time; return whether it grows after the first third."""
    for part in _parts(samples, 8):
        least, middle = min(each.mb for each in part), median(each.mb for each in part)
        print(f"  {part[0].at / 3_600:5.1f} h: at least {least:.1f} MB, median {middle:.1f}")
    _, before, after = (min(each.mb for each in part) for part in _parts(samples, 3))
    growth = (after - before) / (samples[-1].at / 3 / DAY)
    print(f"memory: {growth:+.1f} MB a simulated day from the second third to the last")
    return growth > SLOPE_MB_MAX


def shrink_memories(divisor: int) -> None:
    """Divide the bounds of MEMORIES in this process."""
    for module, name in MEMORIES:
        setattr(module, name, getattr(module, name) // divisor)


def main(days: float, speed: int, places: int, keep: Path | None = None, memories: int = 32) -> int:
    """Run it all; ``keep``: an empty folder for the recording, which is deleted otherwise."""
    shrink_memories(memories)
    flags: dict[str, object] = {
        "collector.max_instruments": 2 * places,
        "collector.rotation_period": "10m",
        "storage.fsync_interval": "60s",
        "storage.seal_interval": "10m",
        "scanner.refresh": "30m",
    }
    allocator.limit_heaps()
    began = time.monotonic_ns()
    with nullcontext(keep) if keep else tempfile.TemporaryDirectory(prefix="predsurv-") as name:
        folder, data = Path(name), Path(name) / "data"
        clock = PacedClock.create(folder / "clock", speed, START, processes=2)
        with served(SimulatedVenues(), clock, folder) as environment:
            os.environ.update(environment)
            config = load_config(flags=flags | {"data_dir": str(data)}, environ=os.environ).config
            recorded = asyncio.run(record(config, clock, days))
        minutes = (time.monotonic_ns() - began) / 60 / S
        print(f"{days:g} simulated days in {minutes:.1f} minutes, {size_of(data) / 1e6:.1f} MB")
        lives, dates = lives_in(folder), recorded_dates(data)
        wrong = [judge_lives(lives, data, recorded), judge_memory(recorded.samples), judge_reading(data, dates)]
    return int(any(wrong))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.births", description=__doc__)
    parser.add_argument("--days", type=float, default=2)
    parser.add_argument("--speed", type=int, default=96)
    parser.add_argument("--places", type=int, default=90)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--memories", type=int, default=32)
    arguments = parser.parse_args()
    sys.exit(main(arguments.days, arguments.speed, arguments.places, arguments.keep, arguments.memories))
