"""All connections of a venue are cut for minutes in which markets are born and settled: each is accounted for."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.config import Config, PolymarketConfig, StorageConfig, VenuesConfig
from predsurv.exchange.fault_script import ScriptedFault
from predsurv.ports import Venue
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.store.layout import Layout
from predsurv.store.read.verify import check_files, check_tiling
from predsurv.venues.polymarket.venue import POLICY, PolymarketVenue
from predsurv.venues.streaming.policy import StreamPolicy
from tests.kit.collect_runs import column
from tests.kit.given_clock import GivenClock
from tests.kit.patience import until
from tests.kit.served_venues import scanned
from tests.kit.simulated_kalshi import SimulatedKalshi

S = 1_000_000_000
FACTOR = 20
OUTAGE = 200 * S
WHEN = 1_800_000_000 * S
LIVED = 20 * S
"""A market that was open for less may be over before it can be heard of."""
BEHIND = 10 * S
"""How far the venue's time may be behind the clock on a busy machine: its outage ends by so much earlier."""


class Life(NamedTuple):
    """When a market opened and closed (ns UTC; None: it is open)."""

    opened: int
    closed: int | None


class Outage(NamedTuple):
    """A simulated venue: what cuts all its connections and REST for a time (ns), and the lives of its markets."""

    config: Config
    venue: Venue
    clock: GivenClock
    cut: Callable[[int], None]
    lives: Callable[[], Mapping[str, Life]]


def patient(policy: StreamPolicy) -> StreamPolicy:
    """Return ``policy`` with time-outs that suit a clock that runs ahead of the machine."""
    return replace(
        policy, book_timeout=60 * S, silence=60 * S, silence_max=120 * S, backoff_cap=5 * S, handshake_interval=S // 10
    )


@asynccontextmanager
async def kalshi(folder: Path) -> AsyncIterator[Outage]:
    clock = GivenClock(WHEN, FACTOR)
    server = SimulatedKalshi(folder, markets=20, rate=20, clock=clock)
    await server.start()
    venue = server.venue(policy=patient(StreamPolicy()))

    def lives() -> Mapping[str, Life]:
        found = {}
        for ticker, each in server.server.markets.listed.items():
            over = each.market.status in ("closed", "resolved", "void")
            found[ticker] = Life(each.created_at, each.market.close_time if over else None)
        return found

    def cut(lasts: int) -> None:
        for kind in ("handshake429", "rest500", "drop"):
            server.inject(kind, lasts)

    yield Outage(server.config(), venue, clock, cut, lives)
    await venue.aclose()
    await server.aclose()


@asynccontextmanager
async def polymarket(_: Path) -> AsyncIterator[Outage]:
    clock = GivenClock(WHEN, FACTOR)
    server = PolymarketSimulator(PolymarketSimulatorSettings(markets=20, rate=20), clock)
    await server.start()
    running = asyncio.create_task(server.run())
    gamma, clob, ws = server.gamma_url, server.clob_url, server.ws_url
    config = Config(venues=VenuesConfig(polymarket=PolymarketConfig(gamma_url=gamma, clob_url=clob, ws_market_url=ws)))
    venue = PolymarketVenue(config, clock, lambda: 1.0, patient(POLICY))

    def cut(lasts: int) -> None:
        for kind in ("handshake429", "rest500", "drop"):
            server.inject(ScriptedFault(0, kind, lasts, everywhere=True))

    def lives() -> Mapping[str, Life]:
        return {row.condition: Life(row.listed_at, row.closed_at) for row in server.catalog.rows}

    yield Outage(config, venue, clock, cut, lives)
    await venue.aclose()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await server.aclose()


class Recorded(NamedTuple):
    """What was recorded: when the outage began and the recording ended (ns UTC), and the lives of the venue's markets.

    ``silent``: when no book was known any more; what was announced before that may have been heard. ``settled``: what
    was recorded before the outage and over after it; ``found_after``: how long (ns) after the first book it took until
    none of it was wanted; ``unannounced``: how many such gaps were counted.
    """

    began: int
    silent: int
    stopped: int
    lives: Mapping[str, Life]
    settled: frozenset[str]
    found_after: int
    unannounced: int

    def lived(self) -> dict[str, Life]:
        """Return the markets that were open long enough since the outage began."""
        until = {name: min(life.closed or self.stopped, self.stopped) for name, life in self.lives.items()}
        open_for = {name: until[name] - max(life.opened, self.began) for name, life in self.lives.items()}
        return {name: life for name, life in self.lives.items() if open_for[name] >= LIVED}

    def unheard(self) -> dict[str, tuple[int, int]]:
        """Return when the markets opened and closed of which nothing was heard before they were over."""
        return {
            name: (life.opened, life.closed)
            for name, life in self.lived().items()
            if life.opened > self.silent + S and life.closed is not None and life.closed < self.began + OUTAGE - BEHIND
        }


async def record(outage: Outage, config: Config) -> Recorded:
    """Record until all books are known, cut the venue off for ``OUTAGE``, and record for a while."""
    clock = outage.clock
    await scanned(config, outage.venue, clock)
    job = Collector(config, [outage.venue], clock, CollectorDeps())
    running = asyncio.create_task(job.run())
    (session,) = job.sessions
    counters, instruments = session.recorder.counters, session.recorder.instruments

    async def reached(condition: Callable[[], object]) -> None:
        await until(lambda: condition() or running.done())
        assert not running.done(), running.result()

    await reached(lambda: counters.trusted == len(instruments) > 0)
    before, began = {key.market_id for key in instruments}, clock.now()
    outage.cut(OUTAGE)
    await reached(lambda: counters.trusted == 0)
    silent = clock.now()
    await reached(lambda: clock.now() > began + OUTAGE)
    await reached(lambda: counters.trusted > 0)
    back = clock.now()
    over = {name for name, life in outage.lives().items() if life.closed is not None and life.closed < back - S}
    settled = frozenset(over & before)
    await reached(lambda: settled.isdisjoint(key.market_id for key in instruments))
    found_after = clock.now() - back
    await reached(lambda: clock.now() > back + 90 * S)
    await reached(lambda: session.status().missing == {})
    lives, stopped = outage.lives(), clock.now()
    job.stop()
    await running
    return Recorded(began, silent, stopped, lives, settled, found_after, counters.gaps["unannounced"])


@pytest.mark.parametrize("served", [kalshi, polymarket], ids=["kalshi", "polymarket"])
async def test_every_market_that_was_born_or_settled_during_an_outage_is_accounted_for(
    served: Callable[[Path], AbstractAsyncContextManager[Outage]], tmp_path: Path
) -> None:
    async with served(tmp_path) as outage:
        config = replace(outage.config, data_location=tmp_path / "data", storage=StorageConfig(seal_interval=30 * S))
        recorded = await record(outage, config)
    rows: dict[str, list[tuple[int, int, str]]] = {}
    for market, start, end, reason in column(config.data_dir, "coverage", "market_id", "start", "end", "reason"):
        rows.setdefault(str(market), []).append((int(str(start)), int(str(end)), str(reason)))
    told: dict[str, dict[str, tuple[object, str]]] = {}
    for market, kind, ts_venue, value in column(config.data_dir, "lifecycle", "market_id", "kind", "ts_venue", "value"):
        told.setdefault(str(market), {})[str(kind)] = (ts_venue, str(value))

    assert recorded.lived().keys() <= rows.keys(), "recorded, or with a reason"
    unheard = recorded.unheard()
    assert len(unheard) >= 3, "the outage was long enough"
    for name, (opened, closed) in unheard.items():
        assert len(rows[name]) == 1, (recorded, rows[name])
        ((start, end, reason),) = rows[name]
        assert reason == "unannounced"
        assert abs(start - opened) <= S
        assert abs(end - closed) <= S
        assert json.loads(told[name]["closed"][1])["market"]["question"], "mine can name it"
        paid = told[name].get("resolved") or told[name]["void"]
        assert paid[0] is not None, "with the venue's time"
    assert recorded.unannounced >= len(unheard)
    assert recorded.settled, "something that was recorded settled meanwhile"
    assert recorded.found_after < 60 * S
    for found in rows.values():
        assert all(first[1] == second[0] for first, second in pairwise(sorted(found)))
    assert list(check_files(Layout(config.data_dir))) == []
    assert list(check_tiling(Layout(config.data_dir))) == []
