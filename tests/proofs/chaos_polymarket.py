"""The real Polymarket adapter against a simulated Polymarket that misbehaves.

``python -m tests.proofs.chaos_polymarket [--seconds 60] [--rate 4000] [--tokens 1000] [--faults mixed] [--form cut]
[--speed 1] [--runs 1]`` prints what was right and wrong. With ``--speed`` all clocks run so many times as fast, and the
time-outs with them; ``--runs`` repeats it with other markets and faults: together they inject thousands of faults.
"""

import argparse
import asyncio
import logging
import resource
import sys
from collections.abc import Sequence
from typing import get_args

from predsurv.config import CollectorConfig, Config, PolymarketConfig, VenuesConfig
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.level_changes import each_event
from predsurv.net.clock import system_random
from predsurv.ports import Clock
from predsurv.simulate.polymarket.books import LastTradeForm
from predsurv.simulate.polymarket.fault_injector import KINDS
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.venues.polymarket.venue import PolymarketVenue
from predsurv.venues.streaming.feed import StreamingFeed
from tests.kit.given_clock import GivenClock
from tests.kit.polymarket_judge import Judge

VENUE = VenueName("polymarket")
S = 1_000_000_000
PROBE_SECONDS = 0.25
DRAIN_SECONDS = 2.0
RECOVER_SECONDS = 45.0
MIRRORED_SHARE = 10

FAILURES = (
    "unequal", "stale", "missing", "wrong", "doubled", "orphans", "stranger", "strange_snapshots",
    "lost_while_covered", "trades_missing", "trades_doubled",
)  # fmt: skip


def keys_of(simulator: PolymarketSimulator, count: int) -> list[InstrumentKey]:
    """Return ``count`` tokens, mostly first outcomes and some of their mirrors."""
    mirrored = count // MIRRORED_SHARE
    names = [(row.condition, row.tokens[0]) for row in simulator.catalog.rows[: count - mirrored]]
    names += [(row.condition, row.tokens[1]) for row in simulator.catalog.rows[:mirrored]]
    return [InstrumentKey(VENUE, MarketId(market), InstrumentId(token)) for market, token in names]


def venue_of(simulator: PolymarketSimulator, clock: Clock, per_connection: int = 150) -> PolymarketVenue:
    """Return the adapter, pointed at the simulator."""
    gamma, clob = simulator.gamma_url, simulator.clob_url
    urls = PolymarketConfig(gamma_url=gamma, clob_url=clob, data_url=gamma, ws_market_url=simulator.ws_url)
    config = Config(
        venues=VenuesConfig(polymarket=urls),
        collector=CollectorConfig(instruments_per_connection=per_connection),
    )
    return PolymarketVenue(config, clock, system_random)


async def listen(feed: StreamingFeed, judge: Judge, clock: Clock) -> None:
    """Judge what the feed says, and the books every quarter of a second."""
    probed = clock.monotonic()
    async for batch in feed.packed_batches():
        judge.take(each_event(batch))
        if clock.monotonic() - probed >= PROBE_SECONDS * S:
            judge.probe()
            probed = clock.monotonic()


async def settle(simulator: PolymarketSimulator, judge: Judge, clock: Clock) -> None:
    """Let every connection recover, then the venue stand still, then the reader catch up."""
    deadline = clock.monotonic() + round(RECOVER_SECONDS * S)
    while clock.monotonic() < deadline:
        await clock.sleep(round(PROBE_SECONDS * S))
        open_books = {row.condition for row in simulator.catalog.rows if not row.is_settled}
        if all(case.live for case in judge.cases.values() if case.key.market_id in open_books):
            break
    simulator.paused = True
    await asyncio.sleep(DRAIN_SECONDS)


async def chaos(arguments: argparse.Namespace) -> Judge:
    """Run, judge, and return the judge."""
    settings = PolymarketSimulatorSettings(
        seed=arguments.seed,
        markets=arguments.tokens,
        rate=arguments.rate,
        faults=arguments.faults,
        keep_published=True,
        last_trade_form=arguments.form,
    )
    clock = GivenClock(factor=arguments.speed)
    simulator = PolymarketSimulator(settings, clock)
    await simulator.start()
    want = keys_of(simulator, arguments.tokens)
    venue, judge = venue_of(simulator, clock), Judge(simulator, want, clock.now, arguments.speed)
    feed = venue.feed()
    await feed.watch(frozenset(want), judge.mirrors)
    running = asyncio.create_task(simulator.run())
    listening = asyncio.create_task(listen(feed, judge, clock))
    try:
        await clock.sleep(round(arguments.seconds * S))
        simulator.faults.stop()
        await settle(simulator, judge, clock)
    finally:
        for task in (listening, running):
            task.cancel()
        await asyncio.gather(listening, running, return_exceptions=True)
        await feed.aclose()
        await venue.aclose()
        await simulator.aclose()
    for task in (listening, running):
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
    judge.finish()
    report(simulator, judge, arguments)
    return judge


def report(simulator: PolymarketSimulator, judge: Judge, arguments: argparse.Namespace) -> None:
    """Print everything counted."""
    elapsed = (simulator.exchange.now - simulator.exchange.origin) / 1e9
    spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    deeds: dict[str, int] = {}
    for deed in simulator.fault_log.faults:
        deeds[deed.kind] = deeds.get(deed.kind, 0) + 1
    print(f"{arguments.tokens} tokens, {elapsed:.0f} s of market time, faults {arguments.faults!r}: {deeds}")
    sent = simulator.subscribers.sent
    print(f"{sum(deeds.values()):,} faults")
    print(f"{sent:,} messages sent ({sent / elapsed:,.0f}/s), {spent:.1f} s CPU in all")
    for name, count in sorted(judge.counts.items()):
        print(f"  {name:<24}{count:>12,}")
    for name, delay in judge.worst.items():
        print(f"  worst {name:<18}{delay / 1e6:>12,.0f} ms")


def main(words: Sequence[str]) -> int:
    """Return 1 when something was wrong that no fault excuses."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.chaos_polymarket", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=int, default=4_000)
    parser.add_argument("--speed", type=int, default=1, help="how many times as fast as real time")
    parser.add_argument("--tokens", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--form", default="cut", choices=get_args(LastTradeForm), help="of last trade prices")
    parser.add_argument("--faults", default="mixed", help=f"a script; by name: {', '.join(KINDS.presets)}")
    parser.add_argument("--runs", type=int, default=1)
    arguments, wrong = parser.parse_args(words), False
    logging.basicConfig(level=logging.ERROR)
    for _ in range(arguments.runs):
        wrong |= judged(asyncio.run(chaos(arguments)))
        arguments.seed += 1
    return int(wrong)


def judged(judge: Judge) -> bool:
    """Print the verdict of one run; return whether anything was wrong."""
    wrong = {name: judge.counts[name] for name in FAILURES if judge.counts[name]}
    wrong |= {"final": 1} if judge.counts["final_equal"] != judge.counts["final_books"] else {}
    wrong |= {"outages": 1} if judge.counts["outages_covered"] != judge.counts["outages"] else {}
    print(
        "FAILED: " + ", ".join(f"{name} {count:,}" for name, count in wrong.items()) if wrong else "all as it should be"
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
