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
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from msgspec import Struct

from benchmarks import figures, nautilus, rounds
from benchmarks.decode import VENUE, bare
from benchmarks.figures import Comparison, Figure, Goal, rate
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
METHOD = "CPU time of one process on one core, in interleaved rounds"
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


def measure(words: Sequence[str]) -> list[Comparison]:
    """Measure the parts that are named, or all."""
    parts = {"frames": frames_to_parquet, "scale": scale, "socket": socket_to_disk}
    return [each for name in words or parts for each in parts[name]()]


def frames_to_parquet() -> list[Comparison]:
    """Compare frames a second to Parquet with the limit and the peer."""
    rounds.pin()
    load = rounds.apart(generate, FRAMES)
    count, last = len(load.frames), [Made()]
    taken = rounds.interleave({"limit": bare(load), "ours": _in_folder(load, last)})
    limit, ours = taken["limit"].median_s, taken["ours"].median_s
    made = last[0]
    parts = (("decode", made.decode), ("fold", made.fold), ("log", made.log), ("seal", made.seal))
    shown = Comparison(
        title=f"Polymarket frames → log → Parquet, with top-10 rows each second ({count:,} frames)",
        method=METHOD,
        rounds=rounds.ROUNDS,
        ratio="of decoding alone",
        figures=(
            rate("msgspec, decoding alone", count, limit, "frames/s", ratio=1.0),
            rate("predsurv, frames → Parquet", count, ours, "frames/s", ratio=limit / ours),
            *(
                Figure(what=f"of it, {name}", value=spent / count * 1e6, unit="µs a frame (last round)")
                for name, spent in parts
            ),
            Figure(what="a row", value=made.bytes / max(1, made.rows), unit="bytes"),
        ),
    )
    return [shown, _peer()]


def _peer() -> Comparison:
    title = "The same against a peer, which writes its deltas to its catalog"
    try:
        found = nautilus.version()
    except ImportError as error:
        return Comparison(title=title, method=METHOD, left_out=(nautilus.why_missing(error),))
    load = rounds.apart(generate, PEER_FRAMES)
    taken = rounds.interleave({"theirs": CatalogPeer(load).run, "ours": _in_folder(load, [Made()])})
    theirs, ours = taken["theirs"].median_s, taken["ours"].median_s
    count, goal = len(load.frames), Goal("≥", PEER_GOAL)
    return Comparison(
        title=title,
        method=METHOD,
        rounds=rounds.ROUNDS,
        ratio="times the peer",
        figures=(
            rate(f"NautilusTrader {found} (deltas only, no log)", count, theirs, "frames/s", ratio=1.0),
            rate("predsurv", count, ours, "frames/s", ratio=theirs / ours, goal=goal),
        ),
    )


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


def scale(processes: int = 2) -> list[Comparison]:
    """Compare one process with one per core, over the same frames each."""
    singles, wall, cpu = [], [], []
    context = multiprocessing.get_context("spawn")
    for _ in range(rounds.ROUNDS):
        singles.append(_together(context, 1))
        many = _together(context, processes)
        wall.append(processes * singles[-1][0] / many[0])
        cpu.append(processes * singles[-1][1] / many[1])
    goal = Goal("≥", SCALE_GOAL, "value")
    return [
        Comparison(
            title=f"{processes} processes on {os.cpu_count()} cores",
            method="frames → Parquet, the same frames in each process; what else runs on the machine counts",
            rounds=rounds.ROUNDS,
            figures=(
                rate("one process", FRAMES, median(each[1] for each in singles), "frames/s of CPU"),
                Figure(what=f"{processes} processes, by the clock", value=median(wall), unit="times one"),
                Figure(what=f"{processes} processes, by CPU time", value=median(cpu), unit="times one", goal=goal),
            ),
        )
    ]


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


def socket_to_disk() -> list[Comparison]:
    """Measure a whole collector behind a socket that always has more to say."""
    found = asyncio.run(blast(generate(4 * FRAMES, markets=200, hashed=True)))
    return [
        Comparison(
            title=f"Socket → disk, a whole collector ({found.frames:,} frames)",
            method="once; CPU time of the collector's process",
            figures=(
                rate("predsurv", found.frames, found.cpu_s, "frames/s"),
                Figure(what="frames let go", value=found.dropped, unit="frames"),
            ),
            failed="" if found.deltas else "no change of a book was kept",
        )
    ]


if __name__ == "__main__":
    sys.exit(figures.main(measure))
