"""``python -m benchmarks.memory [--events N] [--strategy NAME]``: the most memory that a backtest of many events takes.

A recording of made-up books is written by the recorder, its log and its seal, and merged by the hour as a recorder does
it; then ``predsurv backtest`` goes through it as a process of its own. Counted is the most resident memory of that.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Final

from benchmarks import figures
from benchmarks.figures import Comparison, Figure, Goal
from benchmarks.months import cost, market
from benchmarks.recordings import START
from predsurv.collect.recording.recorder import Recorder, RecordingPolicy
from predsurv.core.events import BookDelta, BookSnapshot, MarketEvent, Trade
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import Price, Size
from predsurv.net.clock import ManualClock
from predsurv.ports import Clock
from predsurv.store.layout import NS_DAY, NS_HOUR, Layout, date_of
from predsurv.store.seal.compact import compact_closed
from predsurv.store.seal.seal import seal_segment
from predsurv.store.universe_writer import UniverseWriter
from predsurv.store.wal.log import WriteAheadLog
from predsurv.trade.replay import EventClock

GOAL_MB: Final = 300
EVENTS: Final = 10_000_000
RATE: Final = 2_000
"""Events a second: a busy hour has seven million."""
MARKETS: Final = 300
SEGMENT_NS: Final = 60_000_000_000
_BATCH: Final = 2_000
_MIDDLE, _TICK = 500_000, 10_000


def _events(keys: list[InstrumentKey], count: int) -> Iterator[list[MarketEvent]]:
    """Yield the books of ``keys``, then changes of single levels in batches, and a trade in twenty."""
    rng, ts, seq = Random(7), START, 0
    sizes = [Size(each * 1_000_000) for each in (0, 5, 10, 20, 50, 75, 100, 300)]
    bids = [Price(_MIDDLE - each * _TICK) for each in range(1, 11)]
    asks = [Price(_MIDDLE + each * _TICK) for each in range(1, 11)]
    whole = tuple(tuple((price, sizes[4]) for price in side) for side in (bids, asks))
    yield [BookSnapshot(key, ts, ts, 1, 0, *whole) for key in keys]
    for first in range(0, count, _BATCH):
        batch: list[MarketEvent] = []
        for _ in range(min(_BATCH, count - first)):
            ts += 1_000_000_000 // RATE
            seq += 1
            drawn = rng.getrandbits(32)
            key, level, is_bid = keys[drawn % len(keys)], (drawn >> 10) % 10, drawn >> 31
            if drawn >> 14 & 31 == 0:
                batch.append(Trade(key, ts, ts, bids[0], sizes[1], "sell", None))
            else:
                price, size = (bids if is_bid else asks)[level], sizes[drawn >> 20 & 7]
                batch.append(BookDelta(key, ts, ts, 1, seq, "bid" if is_bid else "ask", price, size))
        yield batch


def record(folder: Path, events: int) -> None:
    """Write a recording of ``events`` events into ``folder``; memory is bounded by a segment."""
    clock, layout, recorder = EventClock(START), Layout(folder), Recorder(RecordingPolicy())
    markets = [market(number, START) for number in range(MARKETS)]
    keys = [each.key(0) for each in markets]
    with UniverseWriter(folder, markets[0].venue, START) as universe:
        for each in markets:
            universe.write(each)
        universe.commit()
    log = WriteAheadLog(layout.state, "bench", clock)
    recorder.advance(START)
    log.append(recorder.want(dict.fromkeys(keys, 1_000_000), dict.fromkeys(keys)))
    rotated = START
    for batch in _events(keys, events):
        clock.advance(batch[-1].ts_recv)
        log.append(recorder.apply(batch))
        log.flush()
        if batch[-1].ts_recv - rotated >= SEGMENT_NS:
            rotated = batch[-1].ts_recv
            _seal(log, layout, clock)
    log.append([*recorder.advance(recorder.watermark + NS_HOUR // 3_600), *recorder.stop()])
    log.flush()
    _seal(log, layout, clock)
    log.close()
    compact_closed(layout, "bench", ManualClock(START + NS_DAY))


def _seal(log: WriteAheadLog, layout: Layout, clock: Clock) -> None:
    segment = log.rotate()
    if segment is not None:
        seal_segment(segment, layout, clock)


def measure(words: Sequence[str]) -> list[Comparison]:
    """Record, run, and say what it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--strategy", default="simple")
    parser.add_argument("--keep", type=Path, help="a folder for the recording; one that is there already is used")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="predsurv-bench-") as name:
        folder = given.keep or Path(name)
        if not (folder / "coverage").exists():
            record(folder, given.events)
        spent = cost(("backtest", "mock", date_of(START), "--strategy", given.strategy), folder)
    return [
        Comparison(
            title=f"A backtest of {given.events:,} events, strategy {given.strategy}",
            method="once; the most resident memory of the process and its CPU time, start-up included",
            figures=(
                Figure(what="memory", value=spent.mb, unit="MB", goal=Goal("≤", GOAL_MB, "value")),
                Figure(what="CPU", value=spent.cpu, unit="s"),
                Figure(what="by the clock", value=spent.seconds, unit="s"),
            ),
        )
    ]


if __name__ == "__main__":
    sys.exit(figures.main(measure))
