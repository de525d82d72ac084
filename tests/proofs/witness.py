"""A collector in a process of its own, and a witness of what it was told: the truth of the fault batteries.

The truth lies outside of what the faults can reach: every batch of the venue is written to a
file elsewhere before the recorder folds it, and so is how far the commits came. The batches wait a turn in a queue, as
those of a socket do.
"""

import asyncio
import os
import signal
import struct
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.collect.output.log_writer import LogWriter
from predsurv.collect.recording.recorder import Recorder
from predsurv.collect.recording.reducer import NEVER
from predsurv.config import Config, load
from predsurv.core.errors import PredsurvError
from predsurv.core.events import BookDelta, Gap, MarketEvent, Trade
from predsurv.core.ids import VenueName
from predsurv.core.level_changes import PackedEvent, PackedRecord, each_event, each_record
from predsurv.net.clock import SystemClock
from predsurv.ports import Clock, MarketQuery
from predsurv.store.universe_writer import UniverseWriter
from predsurv.store.wal.log import LogFact
from predsurv.venues.mock.venue import MockVenue
from tests.kit.late_venue import LateVenue

UNEXPECTED: Final = 99
"""Exit code of a collector that ended with an error which is none of the program's own."""

MOCK: Final = VenueName("mock")

Row = tuple[str, int, int, str, int, int]
"""Instrument, local time (ns UTC), number, side, price, size; the number of a trade is -1."""


class Told(Struct, frozen=True, array_like=True):
    """One thing the witness wrote down, in order.

    ``rows`` the collector is about to get, or with ``flushed`` the time (ns UTC) of the latest row of a commit that
    returned at ``at`` (monotonic ns), the log being ``paused`` or not.
    """

    rows: list[Row] = []
    flushed: int = 0
    at: int = 0
    paused: bool = False


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Told)


class Witness:
    """Writes to a file that outlives the process; what ``os.write`` took survives kill -9."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def tell(self, told: Told) -> None:
        body = _ENCODER.encode(told)
        os.write(self._fd, struct.pack("<I", len(body)) + body)


def testimony(path: Path) -> Iterator[Told]:
    """Yield what the witness wrote to ``path``; what was torn off at the end nobody had seen yet."""
    content = path.read_bytes()
    at = 0
    while at + 4 <= len(content):
        (size,) = struct.unpack_from("<I", content, at)
        if at + 4 + size > len(content):
            return
        yield _DECODER.decode(content[at + 4 : at + 4 + size])
        at += 4 + size


def configured(data_dir: Path, **flags: object) -> Config:
    """Return the configuration of the batteries: everything often, so that faults hit everything."""
    base: dict[str, object] = {
        "data_dir": str(data_dir),
        "mock.enabled": True,
        "mock.markets": 60,
        "mock.rate": 2_000,
        "collector.max_instruments": 40,
        "collector.rotation_period": "2s",
        "storage.seal_interval": "1s",
        "storage.fsync_interval": "200ms",
        "storage.heartbeat_interval": "5s",
    }
    return load(flags=base | {name.replace("__", "."): value for name, value in flags.items()}, environ={}).config


async def scan(config: Config, clock: Clock | None = None) -> None:
    """Write the universe that the collector begins with."""
    clock = clock or SystemClock()
    with UniverseWriter(config.data_dir, MOCK, clock.now()) as writer:
        async for market in MockVenue(config.mock, clock).catalog().markets(MarketQuery()):
            writer.write(market)
        writer.commit()


class Child(Struct, frozen=True):
    """A collector that was started: its process, and a pipe on which it says what it did.

    ``r``: it runs; then of each commit ``f``, and ``d`` when book changes were in it, or ``p`` while the log is paused.
    """

    pid: int
    commits: int


def start(config: Config, truth: Path, clock: Clock | None = None) -> Child:
    """Fork a collector that records until it is told to stop (SIGTERM) or killed; its witness writes to ``truth``.

    ``clock``: the machine's by default.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Child(pid, reading)
    code = UNEXPECTED
    try:
        os.close(reading)
        asyncio.run(_collect(config, Witness(truth), writing, clock or SystemClock()))
        code = 0
    except PredsurvError as error:
        code = error.exit_code
        print(f"  refused: {error}", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


async def _collect(config: Config, witness: Witness, commits: int, clock: Clock) -> None:
    _tell_commits(witness, commits)
    _tell_rows(witness)
    job = Collector(config, [LateVenue(MockVenue(config.mock, clock))], clock, CollectorDeps())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, job.stop)
    os.write(commits, b"r")
    await job.run()


def _tell_rows(witness: Witness) -> None:
    apply: Any = Recorder.apply

    def told(self: Recorder, events: Sequence[PackedEvent], now: int = NEVER) -> list[PackedRecord]:
        rows = list(_rows(each_event(events), self.watermark, max(now, self.watermark)))
        if rows:
            witness.tell(Told(rows))
        records: list[PackedRecord] = apply(self, events, now)
        return records

    Recorder.apply = told  # type: ignore[assignment,method-assign]


def _rows(events: Sequence[MarketEvent], watermark: int, latest: int) -> Iterator[Row]:
    """Yield what is to be recorded of ``events``: as they came, none before the one before it, none in the future."""
    for event in events:
        ts = min(event.ts_recv, latest)
        if isinstance(event, Gap) and ts < watermark:
            continue
        watermark = max(ts, watermark)
        if isinstance(event, BookDelta):
            number = -2 if event.seq is None else event.seq
            yield event.key.instrument_id, watermark, number, event.side, event.price, event.size
        elif isinstance(event, Trade):
            side = event.taker_side or ""
            yield event.key.instrument_id, watermark, -1, f"{side}/{event.trade_id}", event.price, event.size


def _tell_commits(witness: Witness, commits: int) -> None:
    write: Any = LogWriter.write

    async def told(
        self: LogWriter, records: Sequence[PackedRecord], entries: Sequence[tuple[str, bytes]]
    ) -> Sequence[LogFact]:
        facts: Sequence[LogFact] = await write(self, records, entries)
        latest = max((record.ts_recv for record in each_record(records) if isinstance(record, BookDelta)), default=0)
        paused = self.paused is not None
        if latest or paused:
            witness.tell(Told(flushed=0 if paused else latest, at=SystemClock().monotonic(), paused=paused))
        os.write(commits, b"p" if paused else b"fd" if latest else b"f")
        return facts

    LogWriter.write = told  # type: ignore[method-assign]
