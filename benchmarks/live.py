"""``python -m benchmarks.live [--orders N] [--markets N]``: a live run on Polymarket, from the event to the socket.

A run as ``predsurv trade --live`` assembles it trades on a simulated Polymarket in a process of its own, over loopback:
stream of books, private channel, journal on disk, risk limits, portfolio, signatures, HTTP. A strategy buys on changes
of books, as often as the venue lets a signer order. Two spans are measured: from the moment in which the feed hands an
event over to that in which the engine returns the order, which risk has approved and the account has booked (``event →
intent``), and from there until the signed order is written to the socket (``intent → socket``). The latter is ours but
for the disk: nothing is sent that a crash would forget, and the disk says when it has it. Ours are amounts, hash and
signature, the journal's write, and from the end of the sync on the request. CPU is that of the thread: what others on
the machine take counts in the time of the clock, and in that of CPU by the caches that they take; how much, the same
order made back to back and a short loop beside show. A server as the venue's is elsewhere: here it takes a core of the
same machine.
"""

import argparse
import asyncio
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest import mock

from msgspec import Struct
from msgspec.structs import replace

from benchmarks import figures
from benchmarks.figures import Comparison
from benchmarks.latency import RICH, Quiet
from benchmarks.passed import DiskFloor, Passed, loop_beside, noting_writes, now, quantiles, since, together
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
from predsurv.trade.journal import OrderJournal
from predsurv.trade.session import TradingSession
from predsurv.venues.execution.gateway import ExecutionGateway, PreparedOrder
from predsurv.venues.polymarket.venue import PolymarketVenue
from predsurv.venues.registry import open_account
from predsurv.venues.requests import OrderRefusal

INTENT_GOAL_US: Final = 50
SOCKET_GOAL_US: Final = 250
RATE: Final = 200
"""Events a second of the simulated venue."""
PAUSE_S: Final = 1 / 30
"""Between two orders of the run."""
WARM_UP: Final = 30
"""Orders that are not measured: the first of everything."""


class _Spans:
    """What was measured, order by order; ``ours``: all but the wait for the disk."""

    def __init__(self) -> None:
        self.intent: list[Passed] = []
        self.engine: list[Passed] = []
        self.prepared: list[Passed] = []
        self.stored: list[Passed] = []
        self.synced: list[Passed] = []
        self.sent: list[Passed] = []
        self.ours: list[Passed] = []
        self.whole: list[Passed] = []
        self.beside: list[Passed] = []


class _Underway(Struct):
    """An order on its way: when it was decided, and what its parts took so far."""

    decided: Passed
    prepared: Passed = Passed(0, 0)
    stored: Passed = Passed(0, 0)
    submitted: Passed = Passed(0, 0)


class _Watch(Quiet):
    """Looks at a run from outside: what arrives, what is decided, signed, stored, synced and written."""

    def __init__(self) -> None:
        self.spans = _Spans()
        self.count = 0
        self.prepare: Callable[[], object] = lambda: None
        self._batch: Sequence[MarketEvent] = ()
        self._arrived = self._decided = Passed(0, 0)
        self._orders: dict[str, _Underway] = {}
        self._unstored: list[_Underway] = []
        self._by_body: dict[bytes, _Underway] = {}

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:  # noqa: ARG002 - the protocol's
        """Take the time in which a feed hands events over."""
        self._batch, self._arrived = batch, now()

    def attach(self, session: TradingSession, gateway: ExecutionGateway) -> None:
        """Look at the steps of a session's engine, its journal and its requests."""
        engine, broker = session.engine, session.components.brokers[gateway.venue]
        step, submit = engine.step, broker.submit

        def stepped(event: Event) -> Step:
            entered = now()
            made = step(event)
            self._decided = now()
            if made.decisions and any(event is each for each in self._batch[:1]):
                self._note(self.spans.intent, since(self._arrived, self._decided))
                self._note(self.spans.engine, since(entered, self._decided))
                self._note(self.spans.beside, loop_beside())
            return made

        async def submitted(approved: Approved) -> None:
            found = self._orders.pop(approved.command.client_order_id, None)
            if found is not None:
                found.submitted = now()
            await submit(approved)

        engine.step = stepped  # type: ignore[method-assign]  # the pipeline asks for it at every event
        broker.submit = submitted  # type: ignore[method-assign, assignment]
        self._attach_gateway(gateway)
        self._attach_journal(session.journal)

    def _attach_gateway(self, gateway: ExecutionGateway) -> None:
        prepare = gateway.prepare

        def prepared(approved: Approved, market: Market) -> PreparedOrder | OrderRefusal:
            began = now()
            made = prepare(approved, market)
            command = approved.command
            if isinstance(made, PreparedOrder) and isinstance(command, PlaceOrder):
                found = _Underway(self._decided, since(began, now()))
                self._orders[command.client_order_id] = self._by_body[made.request.body or b""] = found
                self._unstored.append(found)
                self.prepare = partial(prepare, approved, market)
            return made

        gateway.prepare = prepared  # type: ignore[method-assign]

    def _attach_journal(self, journal: OrderJournal) -> None:
        flush, sync = journal.flush, journal.sync

        def flushed() -> None:
            began = now()
            flush()
            stored = since(began, now())
            for each in self._unstored:
                each.stored = stored
            self._unstored.clear()

        def synced() -> None:
            began = now()
            sync()
            self._note(self.spans.synced, since(began, now()))

        journal.flush, journal.sync = flushed, synced  # type: ignore[method-assign]

    def on_write(self, data: bytes) -> None:
        """Take the time in which something was written to a socket."""
        order = self._by_body.pop(data[data.find(b"{") :], None)
        if order is None:
            return
        written = now()
        self.count += 1
        sent = since(order.submitted, written)
        self._note(self.spans.prepared, order.prepared)
        self._note(self.spans.stored, order.stored)
        self._note(self.spans.sent, sent)
        parts = (order.prepared, order.stored, sent)
        self._note(self.spans.ours, together(parts))
        self._note(self.spans.whole, since(order.decided, written))

    def _note(self, into: list[Passed], passed: Passed) -> None:
        if self.count >= WARM_UP:
            into.append(passed)


def again(prepare: Callable[[], object], count: int = 300) -> list[Passed]:
    """Return what making and signing the same order takes, one after the other."""
    taken = list[Passed]()
    for _ in range(count):
        began = now()
        prepare()
        taken.append(since(began, now()))
    return taken


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


class _Measured(NamedTuple):
    """What a run came to, and beside it what the disk and the machine take without one."""

    watch: _Watch
    again: list[Passed]
    floor: list[Passed]


async def _measure(folder: Path, environ: dict[str, str], orders: int) -> _Measured:
    config, watch = _configured(folder, environ), _Watch()
    await _scan(config)
    with noting_writes(watch.on_write):
        async with _session(config, watch) as session:
            running = asyncio.create_task(session.runner.run())
            while watch.count < orders + WARM_UP and not running.done():  # noqa: ASYNC110 - it is looked at, not told
                await asyncio.sleep(0.1)
            session.runner.stop()
            await running
            repeated = again(watch.prepare)
            session.finish(time.time_ns(), complete=True)
    return _Measured(watch, repeated, _floor(folder))


def _floor(folder: Path) -> list[Passed]:
    with closing(DiskFloor(folder)) as floor:
        for _ in range(100):
            time.sleep(PAUSE_S)
            floor.sync_one()
        return floor.taken


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
            measured = asyncio.run(_measure(Path(name), environ, given.orders))
    finally:
        here.close()
        server.join(10)
    return [_shown(measured)]


def _shown(measured: _Measured) -> Comparison:
    spans = measured.watch.spans
    return Comparison(
        title=f"A live run on a simulated Polymarket, from an event to the socket ({len(spans.whole):,} orders)",
        method=f"CPU of the thread, and the clock; {len(spans.intent):,} orders by an event of their own",
        figures=(
            *quantiles("event → intent", spans.intent, INTENT_GOAL_US),
            *quantiles("of it the engine", spans.engine),
            *quantiles("a loop beside, after each", spans.beside),
            *quantiles("intent → socket", spans.whole),
            *quantiles("of it ours", spans.ours, SOCKET_GOAL_US),
            *quantiles("amounts, hash, signature", spans.prepared),
            *quantiles("the same back to back", measured.again),
            *quantiles("journal written", spans.stored),
            *quantiles("request made and written", spans.sent),
            *quantiles("journal synced, in a thread", spans.synced),
            *quantiles("a block synced, the disk's floor", measured.floor),
        ),
    )


if __name__ == "__main__":
    sys.exit(figures.main(measure))
