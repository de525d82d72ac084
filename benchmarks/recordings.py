"""Recordings of the made-up venue for benchmarks: what a recorder writes, on a clock that jumps instead of waiting."""

import asyncio
import shutil
from pathlib import Path
from typing import Final

from predsurv.collect.recording.recorder import Recorder, RecordingPolicy
from predsurv.config import MockConfig
from predsurv.core.market import Market
from predsurv.net.clock import ManualClock
from predsurv.ports import MarketQuery
from predsurv.store.layout import NS_DAY, Layout
from predsurv.store.read.replay_cache import REPLAY_CACHE
from predsurv.store.seal.seal import seal_segment
from predsurv.store.universe_writer import UniverseWriter
from predsurv.store.wal.log import WriteAheadLog
from predsurv.trade.watchlist import keys_to_watch
from predsurv.venues.mock.venue import MockVenue

START: Final = 1_800_000_000_000_000_000 // NS_DAY * NS_DAY + NS_DAY // 2
"""When the recording begins: at noon, so that it need not end at midnight."""
SEGMENT_NS: Final = 60_000_000_000
_ENDED_AFTER: Final = 600_000_000_000
"""Recorded time after which markets that tell hardly anything any more are taken for settled."""


async def _write(folder: Path, events: int, config: MockConfig) -> int:
    clock = ManualClock(START, jumps=True)
    venue, layout = MockVenue(config, clock), Layout(folder)
    markets: list[Market] = [each async for each in venue.catalog().markets(MarketQuery())]
    with UniverseWriter(folder, venue.name, START) as universe:
        for market in markets:
            universe.write(market)
        universe.commit()
    recorder = Recorder(RecordingPolicy())
    recorder.advance(START)
    keys = [key for market in markets for key in keys_to_watch(market, mirrored=True)]
    log = WriteAheadLog(layout.state, "bench", clock)
    log.append(recorder.want(dict.fromkeys(keys, 1_000_000), dict.fromkeys(keys)))
    feed, told, rotated = venue.feed(), 0, START
    await feed.watch(frozenset(keys))
    async for batch in feed.batches():
        told += len(batch)
        if clock.now() - START > _ENDED_AFTER and told * 20_000_000_000 < (clock.now() - START) * config.rate:
            raise RuntimeError(f"{config.markets} markets have settled after {told:,} events: record more markets")
        if told >= events:
            await feed.aclose()
        log.append(recorder.apply(batch))
        if told >= events:
            log.append([*recorder.advance(clock.now() + 1), *recorder.stop()])
        if told >= events or clock.now() - rotated >= SEGMENT_NS:
            log.flush()
            rotated, segment = clock.now(), log.rotate()
            if segment is not None:
                seal_segment(segment, layout, clock)
    log.close()
    return told


def record_mock(folder: Path, events: int, *, markets: int = 300, rate: int = 400, seed: int = 7) -> int:
    """Write a recording of at least ``events`` events of the made-up venue into ``folder``; return their number.

    Raises RuntimeError where so few markets do not tell as much before they settle.
    """
    return asyncio.run(_write(folder, events, MockConfig(enabled=True, seed=seed, markets=markets, rate=rate)))


def forget_decoded(folder: Path) -> None:
    """Remove what backtests keep decoded of a recording, so that the next one decodes it for the first time."""
    shutil.rmtree(Layout(folder).state / REPLAY_CACHE, ignore_errors=True)
