"""What logging, sealing, recovering and replaying cost, on a synthetic recording.

Kept apart because its figures are rates and sizes of our own, not a comparison. Not a capture:
2,000 instruments with cubic activity, 1 to 4 changes a frame (2.4 on average) that share both
times, prices near a still mid, sizes of 1 in 4 changes zero and half the others round lots; one
trade in 50 frames and one book top in 20.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

from msgspec import Struct

from predsurv.core.events import BookDelta, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Record
from predsurv.net.clock import SystemClock
from predsurv.store.paths import Layout
from predsurv.store.reader import replay
from predsurv.store.recovery import recover
from predsurv.store.seal import SealReport
from predsurv.store.wal import Log

RATE = 20_000
FLUSHES = 20
START = 1_790_000_000_000_000_000
_VENUE = VenueName("polymarket")


class SealRates(Struct, frozen=True):
    """CPU in µs a record, sizes in bytes; ``recovery_s`` is wall time for all ``records``."""

    records: int
    log_us: float
    log_bytes: float
    recovery_s: float
    recovery_us: float
    replay_us: float
    rows: dict[str, int]
    bytes_per_row: dict[str, float]


def seal_rates(seconds: int = 60) -> SealRates:
    """Record ``seconds`` of RATE changes a second, leave the log as a crash would, recover, replay."""
    folder = Path(tempfile.mkdtemp(prefix="predsurv-bench-"))
    try:
        layout = Layout(folder / "data")
        clock = SystemClock()
        log = Log(layout.state, "bench", clock)
        records, spent = 0, 0.0
        for number, batch in enumerate(load(seconds)):
            records += len(batch)
            log.append(batch)
            spent += cpu(log.flush)
            if number % FLUSHES == FLUSHES - 1:
                spent += cpu(log.sync)
        size, began = log.size, time.perf_counter()
        reports: list[SealReport] = []
        sealing = cpu(lambda: reports.extend(recover(layout, "bench", clock).seals))
        wall = time.perf_counter() - began
        reading = cpu(lambda: sum(1 for _ in replay(layout.data_dir, _VENUE, START, START + 3_600_000_000_000)))
        report = reports[0]
        each = 1e6 / records
        rows = {str(name): count for name, count in report.rows.items()}
        sizes = {str(name): report.bytes[name] / count for name, count in report.rows.items()}
        return SealRates(records, spent * each, size / records, wall, sealing * each, reading * each, rows, sizes)
    finally:
        shutil.rmtree(folder)


class Sealed(Struct, frozen=True):
    """What sealing given records gave: rows and bytes by dataset, and rows per second of CPU."""

    rows: dict[str, int]
    bytes_per_row: dict[str, float]
    rows_per_s: float


def seal_records(records: Sequence[Record], batch: int = 1_000) -> Sealed:
    """Log ``records`` in flushes of ``batch`` and seal the segment."""
    folder = Path(tempfile.mkdtemp(prefix="predsurv-bench-"))
    try:
        layout, clock = Layout(folder / "data"), SystemClock()
        log = Log(layout.state, "bench", clock)
        for start in range(0, len(records), batch):
            log.append(records[start : start + batch])
            log.flush()
        log.sync()
        reports: list[SealReport] = []
        spent = cpu(lambda: reports.extend(recover(layout, "bench", clock).seals))
        rows = {name: sum(report.rows.get(name, 0) for report in reports) for name in reports[0].rows}
        size = {name: sum(report.bytes.get(name, 0) for report in reports) for name in rows}
        return Sealed(dict(rows), {name: size[name] / rows[name] for name in rows}, sum(rows.values()) / spent)
    finally:
        shutil.rmtree(folder)


def cpu(run: Callable[[], object]) -> float:
    """Return the seconds of CPU that ``run`` took in this process."""
    started = time.process_time()
    run()
    return time.process_time() - started


def load(seconds: int, seed: int = 1) -> Iterator[list[Record]]:
    """Yield what arrives between two flushes, for that many seconds."""
    rng = Random(seed)
    keys = [_key(rng) for _ in range(2_000)]
    mids = [rng.randrange(20, 980) for _ in keys]
    for step in range(seconds * FLUSHES):
        ts, batch = START + step * 1_000_000_000 // FLUSHES, list[Record]()
        while len(batch) < RATE // FLUSHES:
            ts += int(rng.expovariate(1) * 100_000)
            number = int(rng.random() ** 3 * len(keys))
            batch += _frame(rng, keys[number], mids[number], ts)
        yield batch


def _key(rng: Random) -> InstrumentKey:
    market, token = MarketId(f"0x{rng.getrandbits(256):064x}"), InstrumentId(str(rng.getrandbits(256)))
    return InstrumentKey(_VENUE, market, token)


def _frame(rng: Random, key: InstrumentKey, mid: int, ts: int) -> Iterator[Record]:
    venue = (ts - 30_000_000 - rng.randrange(20_000_000)) // 1_000_000 * 1_000_000
    for _ in range(rng.choice((1, 2, 2, 3, 4))):
        distance = min(int(rng.expovariate(0.3)) + 1, 19)
        side, price = ("bid", mid - distance) if rng.random() < 0.5 else ("ask", mid + distance)
        size = 0 if rng.random() < 0.25 else _size(rng)
        yield BookDelta(key, ts, venue, 3, None, side, Price(price * 1_000), Size(size))  # type: ignore[arg-type]
    if rng.random() < 0.02:
        yield Trade(key, ts, venue, Price(mid * 1_000), Size(_size(rng)), "buy", None)
    if rng.random() < 0.05:
        bids = tuple((Price((mid - step) * 1_000), Size(_size(rng))) for step in range(1, 11))
        asks = tuple((Price((mid + step) * 1_000), Size(_size(rng))) for step in range(1, 11))
        yield BookTop(key, ts, venue, bids, asks, trusted=True)


def _size(rng: Random) -> int:
    return rng.choice((rng.randrange(1, 200) * 5_000_000, rng.randrange(1, 500_000) * 10_000))
