"""A whole collector behind a real socket whose other end, a process of its own, always has more to say."""

import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from benchmarks.decode import VENUE
from benchmarks.frames import Load
from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.config import load as load_config
from predsurv.core.ids import EventId, InstrumentId, MarketId
from predsurv.core.market import Market, Outcome
from predsurv.core.num import Price, Size
from predsurv.net.clock import SystemClock, system_random
from predsurv.ports import Broker, Catalog, VenueTraits
from predsurv.simulate.server import LoopbackServer, ServerRequest, ServerResponse, WebSocketConnection
from predsurv.store.universe_writer import UniverseWriter
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from predsurv.venues.streaming.context import StreamSpec
from predsurv.venues.streaming.feed import StreamingFeed
from predsurv.venues.streaming.policy import StreamPolicy

BATCH_FRAMES = 200
BACKLOG_BYTES = 1 << 20
LAST = b'{"event_type":"the_end"}'
PATIENCE_S = 300


class Figures(Struct):
    """What a run took: wall and CPU seconds of the collector from the first frame to the last, and what it kept."""

    frames: int
    wall_s: float
    cpu_s: float
    deltas: int
    dropped: int


async def blast(load: Load) -> Figures:
    """Record every frame of ``load`` from a socket to files."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_serve, args=(load.frames, theirs), daemon=True)
    server.start()
    port = await asyncio.to_thread(ours.recv)
    try:
        with tempfile.TemporaryDirectory(prefix="predsurv-") as folder:
            return await _collect(load, Path(folder), port)
    finally:
        server.terminate()
        server.join()


async def _collect(load: Load, folder: Path, port: int) -> Figures:
    flags: dict[str, object] = {
        "data_dir": str(folder),
        "collector.max_instruments": len(load.tokens),
        "collector.both_outcomes": True,
        "storage.seal_interval": "10s",
    }
    config, clock = load_config(flags=flags, environ={}).config, SystemClock()
    with UniverseWriter(folder, VENUE, clock.now()) as writer:
        for market in _markets(load):
            writer.write(market)
        writer.commit()
    job = Collector(config, [BlastVenue(port, len(load.tokens))], clock, CollectorDeps())
    running = asyncio.create_task(job.run())
    tally = job.sessions[0].recorder.counters
    await _until(lambda: tally.events > 0 or running.done())
    wall, cpu = time.perf_counter(), time.process_time()
    await _until(lambda: tally.unknown > 0 or running.done())
    job.stop()
    report = await running
    frames = len(load.frames)
    return Figures(frames, time.perf_counter() - wall, time.process_time() - cpu, report.rows["deltas"], tally.dropped)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is measured must not know of it
            await asyncio.sleep(0.01)


def _markets(load: Load) -> Sequence[Market]:
    assets: dict[str, list[str]] = {}
    for market, asset in load.tokens:
        assets.setdefault(market, []).append(asset)
    return [
        Market(
            venue=VENUE,
            market_id=MarketId(market),
            event_id=EventId(market),
            question="?",
            outcomes=tuple(Outcome(InstrumentId(asset), asset[:4]) for asset in own),
            status="active",
            tick_size=Price(1_000),
            min_order_size=Size(5_000_000),
            fetched_at=1,
            tradable=True,
        )
        for market, own in assets.items()
    ]


class BlastVenue:
    """Polymarket's market channel at a port of this machine, and nothing else."""

    name = VENUE
    traits = VenueTraits()

    def __init__(self, port: int, instruments: int) -> None:
        self._port = port
        self._instruments = instruments

    def catalog(self) -> Catalog:
        """Is not needed."""
        raise NotImplementedError

    def feed(self) -> StreamingFeed:
        """Return a feed with one connection that lets nothing go: all of it is to be measured."""
        shared = PolymarketSharedState()
        stream = StreamSpec(
            venue=VENUE,
            url=f"ws://127.0.0.1:{self._port}/",
            codec=lambda epoch: PolymarketCodec(epoch, shared),
            pack=shared.pack,
            instruments_per_connection=self._instruments,
            policy=StreamPolicy(waiting_frames_max=10**8, waiting_bytes_max=10**10),
        )
        return StreamingFeed(stream, SystemClock(), system_random)

    def broker(self) -> Broker:
        """Is not needed."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Nothing is held open."""


class _Blaster:
    """Sends everything as fast as it is taken, once somebody subscribes."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        self._frames = frames
        self._sending: asyncio.Task[None] | None = None

    def respond(self, request: ServerRequest) -> ServerResponse | None:  # noqa: ARG002
        return None

    def on_open(self, websocket: WebSocketConnection) -> None:
        pass

    def on_message(self, websocket: WebSocketConnection, message: bytes) -> None:
        if self._sending is None and message.startswith(b"{"):
            json.loads(message)
            self._sending = asyncio.create_task(self._send(websocket))

    def on_close(self, websocket: WebSocketConnection) -> None:
        pass

    async def _send(self, websocket: WebSocketConnection) -> None:
        for start in range(0, len(self._frames), BATCH_FRAMES):
            while websocket.backlog > BACKLOG_BYTES:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.001)
            websocket.send(self._frames[start : start + BATCH_FRAMES])
            await asyncio.sleep(0)
        websocket.send([LAST])


def _serve(frames: Sequence[bytes], pipe: Any) -> None:
    async def run() -> None:
        server = LoopbackServer(_Blaster(frames))
        await server.start()
        pipe.send(server.port)
        await asyncio.Event().wait()

    asyncio.run(run())
