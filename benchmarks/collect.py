"""Frames to Parquet as the collector does it, against bare decoding and against NautilusTrader.

``python -m benchmarks.collect [frames] [scale] [socket]``; without arguments all three. Ours decodes, folds the
books, keeps every delta and trade, shows the top ten levels of each changed book once a second, commits
everything to the write-ahead log in batches of 50 ms of the venue's time, and seals it. The peer's adapter
builds its books and its catalog writes the deltas, without log and without snapshots, which favours it.
"""

import asyncio
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from msgspec import Struct

from benchmarks import nautilus, rounds
from benchmarks.decode import VENUE, bare
from benchmarks.frames import Load, generate
from benchmarks.sockets import blast
from predsurv.collect.recording.recorder import Recorder, RecordingPolicy
from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.core.level_changes import PackedRecord
from predsurv.core.num import MICROS
from predsurv.net.clock import SystemClock
from predsurv.store.layout import Layout
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.shared_state import PolymarketSharedState

FRAMES = 60_000
PEER_FRAMES = 60_000
TURN_FRAMES = 64
"""Frames decoded in one turn of the event loop."""
FLUSH_NS = 50_000_000
PEER_GOAL = 9.0
SCALE_GOAL = 1.8


class Made(Struct):
    """What a run left on disk; ``busy`` by part, in seconds of CPU."""

    deltas: int = 0
    rows: int = 0
    bytes: int = 0
    decode: float = 0.0
    fold: float = 0.0
    log: float = 0.0
    seal: float = 0.0


def record(load: Load, folder: Path) -> Made:
    """Take every frame to Parquet files in ``folder``."""
    keys = [InstrumentKey(VENUE, MarketId(m), InstrumentId(a)) for m, a in load.tokens]
    shared = PolymarketSharedState()
    shared.pack()  # as the collector has it
    codec, recorder, layout, made = PolymarketCodec(1, shared), Recorder(RecordingPolicy()), Layout(folder), Made()
    codec.requests(frozenset(keys), frozenset())
    # Hashes are not verified, as when there is no time for it: what those cost is measured apart.
    codec.verifier.venue_books.suspend()
    codec.audit(0, 0, [])
    recorder.advance(load.arrivals[0])
    records: list[PackedRecord] = [*recorder.want(dict.fromkeys(keys, MICROS), dict.fromkeys(keys))]
    log, flushed, clock = WriteAheadLog(layout.state, "c0", SystemClock()), load.arrivals[0], time.process_time
    for start in range(0, len(load.frames), TURN_FRAMES):
        events: list[MarketEvent] = []
        began = clock()
        codec.decode(load.frames[start : start + TURN_FRAMES], load.arrivals[start], events)
        decoded = clock()
        records += recorder.apply(events)
        folded = clock()
        if recorder.watermark - flushed >= FLUSH_NS:
            log.append(records)
            log.flush()
            records, flushed = [], recorder.watermark
        made.decode += decoded - began
        made.fold += folded - decoded
        made.log += clock() - folded
    began = clock()
    log.append([*records, *recorder.stop()])
    path = log.close()
    made.log += clock() - began
    if path is not None:
        began = clock()
        report = seal_segment(path, layout, SystemClock())
        made.seal = clock() - began
        made.rows, made.bytes = sum(report.rows.values()), sum(report.bytes.values())
        made.deltas = report.rows["deltas"]
    return made


def frames_to_parquet() -> int:
    """Compare frames a second to Parquet with the limit and the peer; return 1 when a goal is missed."""
    core = rounds.pin()
    load = rounds.apart(generate, FRAMES)
    count, last = len(load.frames), [Made()]
    taken = rounds.interleave({"limit": bare(load), "ours": _in_folder(load, last)})
    limit, ours = taken["limit"].median_s, taken["ours"].median_s
    made = last[0]
    print(f"core {core}, medians of {rounds.ROUNDS} interleaved rounds, CPU time, {count:,} frames")
    print(f"bare msgspec decode   {count / limit:>10,.0f} frames/s   1.00")
    print(f"frames -> Parquet     {count / ours:>10,.0f} frames/s   {limit / ours:.2f}")
    parts = (("decode", made.decode), ("fold", made.fold), ("log", made.log), ("seal", made.seal))
    print("  of it: " + ", ".join(f"{name} {spent / count * 1e6:.2f} us/frame" for name, spent in parts))
    print(f"  {made.rows:,} rows, {made.bytes / max(1, made.rows):.1f} B/row")
    return _peer()


def _peer() -> int:
    try:
        found = nautilus.version()
    except ImportError as error:
        print(nautilus.why_missing(error))
        return 0
    load = rounds.apart(generate, PEER_FRAMES)
    taken = rounds.interleave({"theirs": CatalogPeer(load).run, "ours": _in_folder(load, [Made()])})
    theirs, ours = taken["theirs"].median_s, taken["ours"].median_s
    count = len(load.frames)
    print(f"NautilusTrader {found}  {count / theirs:>10,.0f} frames/s   1.0   (deltas only, no log)")
    print(f"predsurv              {count / ours:>10,.0f} frames/s   {theirs / ours:.1f}   goal {PEER_GOAL:.0f}")
    return int(theirs / ours < PEER_GOAL)


def _in_folder(load: Load, last: list[Made]) -> Callable[[], None]:
    def run() -> None:
        with tempfile.TemporaryDirectory(prefix="predsurv-") as folder:
            last[0] = record(load, Path(folder))

    return run


class CatalogPeer:
    """The peer's adapter with what it hands on kept and written to its catalog at the end."""

    def __init__(self, load: Load) -> None:
        self.peer = nautilus.Peer(load)

    def run(self) -> None:
        """Process every frame and write the catalog."""
        kind = import_module("nautilus_trader.model.data").OrderBookDeltas
        catalog = import_module("nautilus_trader.persistence.catalog").ParquetDataCatalog
        kept: list[Any] = []
        make = self.peer._make

        def keeping() -> Any:
            client = make()
            client.__class__ = type("Keeping", (client.__class__,), {"_handle_data": lambda _, data: kept.append(data)})
            return client

        self.peer._make = keeping
        try:
            self.peer.run()
        finally:
            self.peer._make = make
        deltas = [delta for data in kept if isinstance(data, kind) for delta in data.deltas]
        deltas.sort(key=lambda delta: delta.ts_init)
        with tempfile.TemporaryDirectory(prefix="peer-") as folder:
            catalog(folder).write_data(deltas)


def scale(processes: int = 2) -> int:
    """Compare one process with one per core, over the same frames each; return 1 when the goal is missed."""
    singles, wall, cpu = [], [], []
    context = multiprocessing.get_context("spawn")
    for _ in range(rounds.ROUNDS):
        singles.append(_together(context, 1))
        many = _together(context, processes)
        wall.append(processes * singles[-1][0] / many[0])
        cpu.append(processes * singles[-1][1] / many[1])
    factor, by_cpu = sorted(wall)[len(wall) // 2], sorted(cpu)[len(cpu) // 2]
    rate = FRAMES / sorted(single[1] for single in singles)[len(singles) // 2]
    print(f"one process: {rate:,.0f} frames per second of CPU; {processes} processes on {os.cpu_count()} cores:")
    print(f"  {factor:.2f}x by wall time, {by_cpu:.2f}x by CPU time (goal {SCALE_GOAL}x; others on the machine count)")
    return int(max(factor, by_cpu) < SCALE_GOAL)


def _together(context: Any, processes: int) -> tuple[float, float]:
    """Return wall and CPU seconds (of the slowest) that as many recordings at once took."""
    ready, go, done = context.Barrier(processes + 1), context.Event(), context.Queue()
    workers = [context.Process(target=_work, args=(number, ready, go, done)) for number in range(processes)]
    for worker in workers:
        worker.start()
    ready.wait()
    go.set()
    taken = [done.get() for _ in workers]
    for worker in workers:
        worker.join()
    return max(wall for wall, _ in taken), max(cpu for _, cpu in taken)


def _work(number: int, ready: Any, go: Any, done: Any) -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[number % len(cores)]})
    load = generate(FRAMES, seed=11 + number)
    with tempfile.TemporaryDirectory(prefix="predsurv-") as folder:
        ready.wait()
        go.wait()
        wall, cpu = time.perf_counter(), time.process_time()
        record(load, Path(folder))
        done.put((time.perf_counter() - wall, time.process_time() - cpu))


def socket_to_disk() -> int:
    """Measure a whole collector behind a socket that always has more to say."""
    figures = asyncio.run(blast(generate(4 * FRAMES, markets=200)))
    print(
        f"socket to disk: {figures.frames:,} frames in {figures.wall_s:.1f} s; the collector took "
        f"{figures.cpu_s:.1f} s of CPU: {figures.frames / figures.cpu_s:,.0f} frames/s on one core, "
        f"{figures.deltas:,} deltas kept, {figures.dropped:,} frames let go"
    )
    return int(figures.deltas == 0)


if __name__ == "__main__":
    _PARTS = {"frames": frames_to_parquet, "scale": scale, "socket": socket_to_disk}
    sys.exit(max(_PARTS[name]() for name in (sys.argv[1:] or list(_PARTS))))
