"""A collector that ends as a killed process does, damage to the log it leaves, and what has to hold afterwards."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.collect.output.committer import Committer
from predsurv.collect.output.sealer import Sealer
from predsurv.config import Config
from predsurv.core.events import BookDelta, BookSnapshot
from predsurv.core.ids import InstrumentKey
from predsurv.store.layout import Layout, segments_of
from predsurv.store.read.replay import replay
from predsurv.store.wal.segment import create_segment
from predsurv.venues.mock.venue import MockVenue
from tests.kit.collect_runs import MOCK, START, FastClock, S, column
from tests.kit.patience import until

KNOWN = 30
"""Books of 40 that are trusted before anything is damaged."""


def known(job: Collector) -> int:
    return job.sessions[0].recorder.counters.trusted


async def record(config: Config, clock: FastClock) -> None:
    """Record until books are trusted, and stop in an orderly way."""
    job = Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())
    running = asyncio.create_task(job.run())
    await until(lambda: running.done() or known(job) >= KNOWN)
    job.stop()
    await running


async def die(
    config: Config, clock: FastClock, enough: Callable[[Collector, list[Path]], object], *, sealing: bool = True
) -> list[Path]:
    """Record until ``enough`` and end as a killed process does; return the log segments left.

    Segments are stamped as opened a second late, as if records of that second had arrived and waited to be committed.
    """

    async def nothing(_: object) -> None:
        await asyncio.Event().wait()

    folder = Layout(config.data_dir).wal
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Committer, "finish", Committer.process_sealed)
        patch.setattr("predsurv.store.wal.log.create_segment", lambda a, b, opened: create_segment(a, b, opened + S))
        if not sealing:
            patch.setattr(Sealer, "run", nothing)
        job = Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())
        running = asyncio.create_task(job.run())
        await until(lambda: known(job) >= KNOWN and enough(job, list(segments_of(folder, config.collector.id))))
        assert job._committer is not None
        sealer = job._committer.writer.sealer
        job.stop()
        await running
        await asyncio.to_thread(sealer._sealing.acquire)  # a kill would end a seal in progress, too
    return list(segments_of(folder, config.collector.id))


def wipe(path: Path) -> None:
    """Overwrite a segment so that nothing of it can be read."""
    for file in path.parent.glob(path.name + "*"):
        file.write_bytes(b"\0" * 100_000)


def scratch(path: Path) -> None:
    """Damage some pages in the middle."""
    for file in (path, path.with_name(path.name + "-wal")):
        if file.exists():
            content = bytearray(file.read_bytes())
            for at in range(len(content) // 3, 2 * len(content) // 3, 20_000):
                content[at : at + 64] = b"\xa5" * 64
            file.write_bytes(content)


def assert_covered_time_has_all_its_rows(data_dir: Path, end: int) -> None:
    """The venue numbers its changes: within covered time none may be missing."""
    intervals = column(data_dir, "coverage", "instrument_id", "start", "end", "state", "reason")
    gaps: dict[object, list[tuple[int, int]]] = defaultdict(list)
    for instrument, begin, stop, state, _ in intervals:
        if state == "gap":
            gaps[instrument].append((int(str(begin)), int(str(stop))))
    seen: dict[InstrumentKey, int] = {}
    for event in replay(data_dir, MOCK, START, end):
        if isinstance(event, BookSnapshot | BookDelta) and event.seq:
            if any(begin <= event.ts_recv < stop for begin, stop in gaps[event.key.instrument_id]):
                seen.pop(event.key, None)
                continue
            if isinstance(event, BookDelta) and event.key in seen:
                assert event.seq == seen[event.key] + 1, f"{event.key} at {event.ts_recv}"
            seen[event.key] = event.seq
