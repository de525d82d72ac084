"""Stop a live trader for 30 s while its orders rest: the venue is left with none, and nothing is sent before a reading.

The venue's dead-man's switch does it: heartbeats on Polymarket, orders that end by themselves on Kalshi.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple

from predsurv.net.clock import SystemClock
from tests.kit.live_trader import ProofPlan, TraderTask, forking, live_config, run_trader, scan
from tests.kit.trader_kills import made_dir, told_by, unequal
from tests.kit.watched_venues import WatchedVenue, ordered_unread, watched

STOPPED_S: Final = 30
RESTING: Final = 3
"""Orders that rest before the trader is stopped, at least."""
AGAIN_S: Final = 60


class Stop(NamedTuple):
    """What one stop came to: orders open before, seconds until none was, and those left at its end."""

    open: int
    none_after: float
    left: int


async def stopped(name: str, folder: Path, rounds: int, seed: int) -> list[str]:
    """Stop a trader ``rounds`` times; return what was wrong."""
    venue, context = watched(name, folder, markets=60, rate=100, seed=seed), forking()
    await venue.start()
    here, there = context.Pipe()
    task = TraderTask(name, str(folder), venue.environ, seed, cancels=False)
    trader = context.Process(target=run_trader, args=(task, there))
    try:
        os.environ.update(venue.environ)
        await scan(live_config(folder, venue.environ), name)
        trader.start()
        there.close()
        return await _stops(venue, trader, here, rounds)
    finally:
        if trader.pid is not None:
            trader.kill()
            await asyncio.to_thread(trader.join)
        await venue.aclose()


async def _stops(venue: WatchedVenue, trader: Any, here: Connection, rounds: int) -> list[str]:
    if await told_by(here, trader) is None:
        return [f"{venue.name}: the trader did not begin"]
    here.send("go")
    found, stops = list[str](), list[Stop]()
    for _ in range(rounds):
        if not await _until(lambda: len(venue.truth().open) >= RESTING):
            return [*found, f"{venue.name}: {len(venue.truth().open)} orders rest, {RESTING} were waited for"]
        stops.append(await _stop(venue, trader))
        start = len(venue.witness.requests)
        os.kill(trader.pid, signal.SIGCONT)
        if not await _until(lambda first=start: bool(venue.witness.sent("place", first))):
            found.append(f"{venue.name}: it placed nothing any more")
        if left := ordered_unread(venue, start):
            found.append(f"{venue.name}: ordered before it had read {sorted(left)} again")
    here.send("stop")
    last = await told_by(here, trader)
    await venue.pause()
    found += ["the trader did not end"] if last is None else unequal(last, venue.truth())
    found += [f"{venue.name}: {each.left} orders were open after {STOPPED_S} s" for each in stops if each.left]
    print(
        f"{venue.name}: {rounds} stops of {STOPPED_S} s, with {sorted(each.open for each in stops)} orders open; none "
        f"was after {max(each.none_after for each in stops):.1f} s at most: {len(found)} findings"
    )
    return found


async def _stop(venue: WatchedVenue, trader: Any) -> Stop:
    """Stop the trader, and watch its orders end."""
    clock = SystemClock()
    os.kill(trader.pid, signal.SIGSTOP)
    began, open_then, none_after = clock.monotonic(), len(venue.truth().open), float("inf")
    while (passed := (clock.monotonic() - began) / 1e9) < STOPPED_S:
        if not venue.truth().open:
            none_after = min(none_after, passed)
        await asyncio.sleep(0.1)
    return Stop(open_then, none_after, len(venue.truth().open))


async def _until(is_so: Any) -> bool:
    for _ in range(AGAIN_S * 10):
        if is_so():
            return True
        await asyncio.sleep(0.1)
    return False


async def _all(folder: Path, plan: ProofPlan) -> Sequence[list[str]]:
    each = [stopped(name, made_dir(folder / name), plan.rounds, plan.seed) for name in plan.venues]
    return await asyncio.gather(*each)


def stops(folder: Path, plan: ProofPlan) -> list[str]:
    """Stop a trader on each venue so many times, all at the same time; return what was found."""
    return [each for found in asyncio.run(_all(folder, plan)) for each in found]
