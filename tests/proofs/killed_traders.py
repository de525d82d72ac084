"""Random lives of orders at a simulated Polymarket, whose trader is killed at any step: what is booked afterwards.

``python -m tests.proofs.killed_traders [--worlds N] [--seed N]``. In each world a live broker with a journal, over the
simulator's private API in this process, places and cancels orders of every time in force; requests and answers get
lost, and it is killed between journal, request, answer and each message of the private channel, and started again from
its journal. In every fifth world all trades fail. At the end orders, shares and cash are those of the venue, and no
comparison on the way has found a difference: each fill, fee and failure was booked once. Fees do not change meanwhile.
"""

import argparse
import asyncio
import sys
from unittest import mock

from tests.kit.restart_worlds import FAILING, RestartWorld

FAILING_EVERY = 5
SHOWN_MAX = 10


def main() -> int:
    """Live the worlds, print what was found; return 1 when anything was."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.killed_traders", description=__doc__)
    parser.add_argument("--worlds", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first world")
    given = parser.parse_args()
    found = kills = entries = 0
    with mock.patch("predsurv.exchange.schedule._FEE_CHANGE", 10**15):
        for seed in range(given.seed, given.seed + given.worlds):
            world = RestartWorld(seed, "" if seed % FAILING_EVERY else FAILING)
            differences = asyncio.run(world.live())
            kills += world.trader.kills - 1
            entries += len(world.trader.journal)
            found += bool(differences)
            if differences and found <= SHOWN_MAX:
                print(f"world {seed}: {'; '.join(differences)} after {', '.join(world.steps)}")
    lived = f"{given.worlds:,} worlds, {kills:,} kills, {entries:,} entries of the journal"
    print(f"{lived}: {found} worlds that differ")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
