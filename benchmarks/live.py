"""``python -m benchmarks.live [--orders N] [--markets N]``: a live run on Polymarket, from the event to the socket.

A run as ``predsurv trade --live`` assembles it trades on a simulated Polymarket in a process of its own, over loopback:
stream of books, private channel, journal on disk, risk limits, portfolio, signatures, HTTP. A strategy buys on changes
of books, as often as the venue lets a signer order. Two spans are measured: from the moment in which the feed hands an
event over to that in which the engine returns the order, which risk has approved and the account has booked (``event →
intent``), and from there until the signed order is written to the socket (``intent → socket``), with the parts of it:
amounts, hash and signature; the journal, synced to disk, because nothing may be sent that a crash would forget; and
the request. CPU is that of the thread: what others on the machine take counts in the time of the clock alone, and so
does the wait for the disk. A server as the venue's is elsewhere: here it takes a core of the same machine.
"""

import argparse
import asyncio
import multiprocessing
import os
import sys
import tempfile
import time
from asyncio import selector_events
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final
from unittest import mock

from msgspec.structs import replace

from benchmarks import figures
from benchmarks.figures import Comparison, Figure
from benchmarks.latency import RICH, Passed, Quiet, now, since
from predsurv.config import Config, load
from predsurv.core.events import Event, MarketEvent
from predsurv.core.ids import VenueName
from predsurv.core.market import Market
from predsurv.core.orders import Approved, PlaceOrder
from predsurv.engine.step import Step
from predsurv.net.clock import SystemClock, system_random
from predsurv.ports import MarketQuery
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.store.universe_writer import UniverseWriter
from predsurv.trade.assembly import FundedAccount, LiveSource, open_live
from predsurv.trade.session import TradingSession
from predsurv.venues.execution.gateway import ExecutionGateway, PreparedOrder
from predsurv.venues.polymarket.venue import PolymarketVenue
from predsurv.venues.registry import open_account
from predsurv.venues.requests import OrderRefusal

INTENT_GOAL_US: Final = 50
SOCKET_GOAL_US: Final = 250
RATE: Final = 200
"""Events a second of the simulated venue."""
WARM_UP: Final = 30
"""Orders that are not measured: the first of everything."""


class _Spans:
    """What was measured, order by order."""

    def __init__(self) -> None:
        self.intent: list[Passed] = []
        self.engine: list[Passed] = []
        self.prepared: list[Passed] = []
        self.journalled: list[Passed] = []
        self.written: list[Passed] = []


class _Watch(Quiet):
    """Looks at a run from outside: what arrives, what is decided, signed, journalled and written."""

    def __init__(self) -> None:
        self.spans = _Spans()
        self.count = 0
        self._batch: Sequence[MarketEvent] = ()
        self._arrived = Passed(0, 0)
        self._decided = Passed(0, 0)
        self._sent: dict[bytes, Passed] = {}

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:  # noqa: ARG002 - the protocol's
        """Take the time in which a feed hands events over."""
        self._batch, self._arrived = batch, now()

    def attach(self, session: TradingSession, gateway: ExecutionGateway) -> None:
        """Look at the steps of a session's engine, its journal and its requests."""
        step, prepare, flush = session.engine.step, gateway.prepare, session.journal.flush

        def stepped(event: Event) -> Step:
            entered = now()
            made = step(event)
            self._decided = now()
            if made.decisions and any(event is each for each in self._batch[:1]):
                self._note(self.spans.intent, since(self._arrived, self._decided))
                self._note(self.spans.engine, since(entered, self._decided))
            return made

        def prepared(approved: Approved, market: Market) -> PreparedOrder | OrderRefusal:
            began = now()
            made = prepare(approved, market)
            self._note(self.spans.prepared, since(began, now()))
            if isinstance(made, PreparedOrder) and isinstance(approved.command, PlaceOrder):
                self._sent[made.request.body or b""] = self._decided
            return made

        def flushed() -> None:
            began, waiting = now(), bool(self._sent)
            flush()
            if waiting:
                self._note(self.spans.journalled, since(began, now()))

        session.engine.step = stepped  # type: ignore[method-assign]  # the pipeline asks for it at every event
        gateway.prepare = prepared  # type: ignore[method-assign]
        session.journal.flush = flushed  # type: ignore[method-assign]

    def on_write(self, data: bytes) -> None:
        """Take the time in which something was written to a socket."""
        decided = self._sent.pop(data[data.find(b"{") :], None)
        if decided is not None:
            self.count += 1
            self._note(self.spans.written, since(decided, now()))

    def _note(self, into: list[Passed], passed: Passed) -> None:
        if self.count >= WARM_UP:
            into.append(passed)


def _serve(pipe: Connection, markets: int) -> None:
    """Simulate the venue until the other end of ``pipe`` is closed."""

    async def run() -> None:
        settings = PolymarketSimulatorSettings(markets=markets, rate=RATE)
        simulator = PolymarketSimulator(settings, SystemClock())
        await simulator.start()
        running = asyncio.create_task(simulator.run())
        pipe.send(simulator.environment())
        await asyncio.to_thread(pipe.poll, None)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await simulator.aclose()

    asyncio.run(run())


async def _scan(config: Config) -> None:
    clock = SystemClock()
    venue = PolymarketVenue(config, clock, system_random)
    with UniverseWriter(config.data_dir, venue.name, clock.now()) as writer:
        async for market in venue.catalog().markets(MarketQuery()):
            writer.write(market)
        writer.commit()
    await venue.aclose()


def _configured(folder: Path, environ: dict[str, str]) -> Config:
    flags: dict[str, Any] = {"data_dir": str(folder), "trading.mode": "live"}
    config = load(None, flags=flags, environ=environ, root=folder).config
    strategy = f"{Path(__file__).with_name('own_strategies.py')}:BuySome"
    limits = replace(
        config.risk,
        max_order_notional=RICH,
        max_position_notional=RICH,
        max_total_exposure=RICH,
        max_daily_loss=RICH,
        max_open_orders=10_000,
        max_orders_per_minute=10_000,
    )
    return replace(config, risk=limits, trading=replace(config.trading, strategies=(strategy,)))


@asynccontextmanager
async def _session(config: Config, watch: _Watch) -> AsyncIterator[TradingSession]:
    clock = SystemClock()
    venue = PolymarketVenue(config, clock, system_random)
    account = await open_account("polymarket", config, clock)
    state = await account.reader.account(clock.now(), ())
    source = LiveSource({venue.name: FundedAccount(account, state.cash)}, clock, system_random)
    session = open_live(config, [venue], source, lambda _: watch)
    watch.attach(session, account.gateway)
    try:
        yield session
    finally:
        session.close()
        await account.aclose()
        await venue.aclose()


async def _measure(folder: Path, environ: dict[str, str], orders: int) -> _Watch:
    config, watch = _configured(folder, environ), _Watch()
    await _scan(config)
    write = selector_events._SelectorSocketTransport.write  # type: ignore[attr-defined]

    def written(transport: object, data: bytes) -> None:
        write(transport, data)
        watch.on_write(bytes(data))

    with mock.patch.object(selector_events._SelectorSocketTransport, "write", written):  # type: ignore[attr-defined]
        async with _session(config, watch) as session:
            running = asyncio.create_task(session.runner.run())
            while watch.count < orders + WARM_UP and not running.done():  # noqa: ASYNC110 - it is looked at, not told
                await asyncio.sleep(0.1)
            session.runner.stop()
            await running
            session.finish(time.time_ns(), complete=True)
    return watch


def measure(words: Sequence[str]) -> list[Comparison]:
    """Run, and say how long it took; the goals are those of CPU time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000)
    parser.add_argument("--markets", type=int, default=40)
    given = parser.parse_args(words)
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, given.markets), daemon=True)
    server.start()
    there.close()
    try:
        environ = here.recv()
        # The venue's time falls behind that of a busy machine; keys come from the environment only.
        patched = mock.patch("predsurv.venues.polymarket.execution.login.SKEW_MAX", 3_600 * 10**9)
        with (
            tempfile.TemporaryDirectory(prefix="predsurv-bench-") as name,
            patched,
            mock.patch.dict(os.environ, environ),
        ):
            watch = asyncio.run(_measure(Path(name), environ, given.orders))
    finally:
        here.close()
        server.join(10)
    return [_shown(watch)]


def _shown(watch: _Watch) -> Comparison:
    spans, found = watch.spans, list[Figure]()
    for name, times, goal in (
        ("event → intent", spans.intent, INTENT_GOAL_US),
        ("of it the engine", spans.engine, None),
        ("intent → socket", spans.written, SOCKET_GOAL_US),
        ("of it amounts, hash, signature", spans.prepared, None),
        ("of it the journal, on disk", spans.journalled, None),
    ):
        found += figures.quantiles(f"{name}, CPU", [each.cpu for each in times], goal)
        found += figures.quantiles(f"{name}, clock", [each.wall for each in times])
    return Comparison(
        title=f"A live run on a simulated Polymarket, from an event to the socket ({len(spans.written):,} orders)",
        method=f"CPU of the thread, and the clock; {len(spans.intent):,} orders by an event of their own",
        figures=tuple(found),
    )


if __name__ == "__main__":
    sys.exit(figures.main(measure))
