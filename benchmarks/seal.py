"""What logging, sealing, recovering and replaying cost, on a synthetic recording: ``python -m benchmarks.seal``.

The figures are rates and sizes of our own, not a comparison. Not a capture:
2,000 instruments with cubic activity, 1 to 4 changes a frame (2.4 on average) that share both
times, prices near a still mid, sizes of 1 in 4 changes zero and half the others round lots; one
trade in 50 frames and one book top in 20. The log is given the changes of a frame as one object, as the readers of
feeds make them.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from random import Random

import msgspec
import pyarrow.parquet as pq
from msgspec import Struct

from benchmarks import figures
from benchmarks.figures import Comparison, Figure
from benchmarks.rounds import pin
from predsurv.core.events import BookDelta, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.level_changes import LevelChanges, PackedRecord
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Record, pack_levels
from predsurv.net.clock import SystemClock
from predsurv.store.layout import Layout
from predsurv.store.read.replay import replay
from predsurv.store.seal.recovery import recover
from predsurv.store.seal.seal import SealReport, seal_segment
from predsurv.store.wal.log import WriteAheadLog

RATE = 20_000
FLUSHES = 20
START = 1_790_000_000_000_000_000
_VENUE = VenueName("polymarket")


ROUNDS = 3


class SealRates(Struct, frozen=True):
    """CPU in µs a record, sizes in bytes; ``recovery_s`` is wall time for all ``records``.

    The limits are measured in between: ``encode_us`` is `msgspec.msgpack.encode` of the same
    batches, ``write_us`` is pyarrow writing the same columns, ready made, as plainly as it can.
    """

    records: int
    log_us: float
    encode_us: float
    log_bytes: float
    seal_us: float
    write_us: float
    recovery_s: float
    replay_us: float
    rows: dict[str, int]
    bytes_per_row: dict[str, float]

    @property
    def share(self) -> float:
        """The part of a core that logging and sealing take at RATE records a second."""
        return (self.log_us + self.seal_us) * RATE / 1e6

    @property
    def ratio(self) -> float:
        """How many times the limits logging and sealing together cost."""
        return (self.log_us + self.seal_us) / (self.encode_us + self.write_us)


def measure(words: Sequence[str]) -> list[Comparison]:  # noqa: ARG001  it has none
    """Record and seal, and say what a record costs."""
    pin()
    rates = seal_rates()
    return [
        Comparison(
            title=f"Log and seal of changes at {RATE:,} records/s ({rates.records:,} made-up records)",
            method="CPU time of one process on one core, the round with the median ratio",
            rounds=ROUNDS,
            ratio="times the limit",
            figures=(
                Figure(what="limit: encoding plainly", value=rates.encode_us, unit="µs a record", ratio=1.0),
                Figure(what="log", value=rates.log_us, unit="µs a record", ratio=rates.log_us / rates.encode_us),
                Figure(what="limit: writing plainly", value=rates.write_us, unit="µs a record", ratio=1.0),
                Figure(what="seal", value=rates.seal_us, unit="µs a record", ratio=rates.seal_us / rates.write_us),
                Figure(what="both", value=rates.share * 100, unit="% of a core", ratio=rates.ratio),
                Figure(what="a record in the log", value=rates.log_bytes, unit="bytes"),
                Figure(what="a row of deltas", value=rates.bytes_per_row["deltas"], unit="bytes"),
                Figure(what="recovery of all", value=rates.recovery_s, unit="s by the clock"),
                Figure(what="replay", value=1e6 / rates.replay_us, unit="events/s"),
            ),
        )
    ]


def seal_rates(seconds: int = 20, rounds: int = ROUNDS) -> SealRates:
    """Record ``seconds`` of RATE changes a second and seal them, ``rounds`` times; the last is a recovery too."""
    taken = [_one_round(seconds) for _ in range(rounds)]
    return sorted(taken, key=lambda each: each.ratio)[rounds // 2]


def _one_round(seconds: int) -> SealRates:
    folder = Path(tempfile.mkdtemp(prefix="predsurv-bench-"))
    try:
        layout, clock = Layout(folder / "data"), SystemClock()
        sealed, left = WriteAheadLog(layout.state, "bench", clock), WriteAheadLog(layout.state, "left", clock)
        encoder = msgspec.msgpack.Encoder()
        records, logging, encoding = 0, 0.0, 0.0
        for number, batch in enumerate(load(seconds)):
            records += len(batch)
            packed = _packed(batch)
            logging += cpu(partial(sealed.append, packed))
            logging += cpu(sealed.flush)
            encoding += cpu(partial(encoder.encode, batch))
            left.append(batch)
            left.flush()
            if number % FLUSHES == FLUSHES - 1:
                logging += cpu(sealed.sync)
        size = sealed.size
        segment: list[Path | None] = []
        logging += cpu(lambda: segment.append(sealed.close()))
        sealing, writing, report = _seal(segment[0], layout, clock, folder)
        reading = cpu(lambda: sum(1 for _ in replay(layout.data_dir, _VENUE, START, START + 3_600_000_000_000)))
        began = time.perf_counter()
        recover(layout, "left", clock)
        wall = time.perf_counter() - began
        each = 1e6 / records
        sizes = {str(name): report.bytes[name] / count for name, count in report.rows.items()}
        return SealRates(
            records, logging * each, encoding * each, size / records, sealing * each, writing * each, wall,
            reading * each, {str(name): count for name, count in report.rows.items()}, sizes,
        )  # fmt: skip
    finally:
        shutil.rmtree(folder)


def _seal(path: Path | None, layout: Layout, clock: SystemClock, folder: Path) -> tuple[float, float, SealReport]:
    """Seal, then write what was sealed again; returns both times and the report."""
    assert path is not None
    reports: list[SealReport] = []
    sealing = cpu(lambda: reports.append(seal_segment(path, layout, clock)))
    tables = [pq.read_table(layout.data_dir / file.path, partitioning=None) for file in reports[0].files]
    writing = 0.0
    for number, table in enumerate(tables):
        plain = partial(pq.write_table, table, folder / f"{number}.parquet", compression="zstd", compression_level=2)
        writing += cpu(plain)
    return sealing, writing, reports[0]


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
        log = WriteAheadLog(layout.state, "bench", clock)
        for start in range(0, len(records), batch):
            log.append(records[start : start + batch])
            log.flush()
        log.sync()
        reports: list[SealReport] = []
        spent = cpu(lambda: reports.extend(recover(layout, "bench", clock).seals))
        rows = {name: sum(report.rows.get(name, 0) for report in reports) for name in reports[0].rows}
        size = {name: sum(report.bytes.get(name, 0) for report in reports) for name in rows}
        return Sealed(
            {str(name): count for name, count in rows.items()},
            {str(name): size[name] / rows[name] for name in rows},
            sum(rows.values()) / spent,
        )
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


def _packed(batch: Sequence[Record]) -> list[PackedRecord]:
    """Return ``batch`` with the changes of each frame as one object."""
    packed: list[PackedRecord] = []
    for _, frame in groupby(batch, key=lambda record: isinstance(record, BookDelta) and record.ts_recv):
        records = list(frame)
        changes = [each for each in records if isinstance(each, BookDelta)]
        packed += [LevelChanges(changes)] if changes else records
    return packed


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
        yield BookTop(key, ts, venue, pack_levels(bids), pack_levels(asks), trusted=True)


def _size(rng: Random) -> int:
    return rng.choice((rng.randrange(1, 200) * 5_000_000, rng.randrange(1, 500_000) * 10_000))


if __name__ == "__main__":
    sys.exit(figures.main(measure))
