"""Kill live traders on both simulated venues at every step of an order's life, as ``tests.kit.trader_kills`` does."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

from tests.kit.trader_kills import POINTS, KillTally, killed, made_dir


async def _kills(folder: Path, rounds: int, seed: int, venues: Sequence[str]) -> list[KillTally]:
    plans = []
    for name in venues:
        plan = [point for point in POINTS[name] for _ in range(rounds)]
        random.Random(seed).shuffle(plan)
        plans.append(killed(name, made_dir(folder / name), plan, seed))
    return list(await asyncio.gather(*plans))


def kills(folder: Path, rounds: int, seed: int) -> list[str]:
    """Kill at every point of both venues ``rounds`` times, both at the same time; return what was found."""
    tallies = asyncio.run(_kills(folder, rounds, seed, tuple(POINTS)))
    for name, tally in zip(POINTS, tallies, strict=True):
        missed = f", not reached: {dict(tally.missed)}" if tally.missed else ""
        least = min(tally.reached.values(), default=0)
        print(
            f"{name}: {tally.reached.total()} kills at {len(tally.reached)} points, {least} at least{missed}; "
            f"{tally.compared} comparisons, {tally.orders} orders at the venue, {tally.open} open and {tally.held} "
            f"positions when compared: {len(tally.found)} findings"
        )
    return [each for tally in tallies for each in tally.found]
