"""Kill live traders on both simulated venues at every step of an order's life, as ``tests.kit.trader_kills`` does.

A trader mostly waits, so accounts of each venue are killed side by side, ``LANES`` of each. An account is begun anew
after ``ROUNDS_MAX`` rounds: every start reads its whole journal.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.kit.live_trader import ProofPlan
from tests.kit.trader_kills import POINTS, KillPoint, KillTally, killed, made_dir

LANES: Final = 2
ROUNDS_MAX: Final = 5


async def _lane(
    name: str, folder: Path, parts: list[tuple[int, int]], found: list[KillTally], scanning: asyncio.Lock
) -> None:
    """Take parts, a seed and a number of rounds each, for as long as any are left."""
    while parts:
        seed, rounds = parts.pop(0)
        plan: list[KillPoint] = [point for point in POINTS[name] for _ in range(rounds)]
        random.Random(seed).shuffle(plan)
        found.append(await killed(name, made_dir(folder / f"{name}-{seed}"), plan, seed, scanning))
        print(f"{name}, seed {seed}: {found[-1].reached.total()} kills, {len(found[-1].found)} findings", flush=True)


async def _kills(folder: Path, plan: ProofPlan) -> list[KillTally]:
    sums, lanes, scanning = list[list[KillTally]](), [], asyncio.Lock()
    for name in plan.venues:
        parts = [(plan.seed + at, min(ROUNDS_MAX, plan.rounds - at)) for at in range(0, plan.rounds, ROUNDS_MAX)]
        found = list[KillTally]()
        lanes += [_lane(name, folder, parts, found, scanning) for _ in range(LANES)]
        sums.append(found)
    await asyncio.gather(*lanes)
    return [_together(found) for found in sums]


def _together(parts: Sequence[KillTally]) -> KillTally:
    """Return the sum of the tallies of one venue."""
    total = KillTally()
    total.reached = sum((each.reached for each in parts), Counter[str]())
    total.missed = sum((each.missed for each in parts), Counter[str]())
    for each in parts:
        total.compared += each.compared
        total.orders += each.orders
        total.open += each.open
        total.held += each.held
        total.found += each.found
    return total


def kills(folder: Path, plan: ProofPlan) -> list[str]:
    """Kill at every point of the venues so many rounds, all at the same time; return what was found."""
    tallies = asyncio.run(_kills(folder, plan))
    for name, tally in zip(plan.venues, tallies, strict=True):
        missed = f", not reached: {dict(tally.missed)}" if tally.missed else ""
        least = min(tally.reached.values(), default=0)
        print(
            f"{name}: {tally.reached.total()} kills at {len(tally.reached)} points, {least} at least{missed}; "
            f"{tally.compared} comparisons, {tally.orders} orders at the venue, {tally.open} open and {tally.held} "
            f"positions when compared: {len(tally.found)} findings"
        )
    return [each for tally in tallies for each in tally.found]
