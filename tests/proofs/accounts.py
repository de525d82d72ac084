"""Random trading against a venue that answers late, twice, out of order or not at all, in two accounts.

``python -m tests.proofs.accounts [--runs N] [--seed N]``: after every event cash + cost + fees - realised profit is
what the run began with and was paid in rebates, to the micro-dollar, and no limit is passed by what is sent; after
every twentieth the journal restores the same account; in the end everything that was told gives the same shares, orders
and fees in any order. In every third run fills are only matched at first, some fail, and venues pay rebates: nothing of
what failed is left in the end. In every second run the end of a purchase may be told before its last fills, and only
the account is judged there: what is still to come of an order that is said to be over counts towards no limit.
"""

import argparse
import sys
import time
from collections import Counter
from random import Random
from typing import Final

from predsurv.core.events import Fill, FillFailed
from predsurv.trade.journal import MarketSettled, RebateBooked
from tests.kit.random_accounts import RandomAccount, figures, shuffled

STEPS: Final = 60
SHOWN: Final = 10


def main(runs: int, seed: int) -> int:
    """Print what was seen; return 1 when something did not hold."""
    counts, found = Counter[str](), list[str]()
    began = time.monotonic()
    for number in range(seed, seed + runs):
        account = RandomAccount(number)
        try:
            account.run(STEPS)
            ended = figures(account.engine.account, account)
            if any(shuffled(account, Random(seed)) != ended for seed in (1, 2)):
                found.append(f"run {number}: the order in which it was told matters")
            found += [
                f"run {number}: {each.note.detail}" for each in account.halts() if "at random" not in each.note.detail
            ]
        except AssertionError as error:
            found.append(f"run {number}: {error}")
        counts["orders"] += account.engine.account.placed
        counts["fills"] += sum(isinstance(each, Fill) for each in account.venue.said)
        counts["failed"] += sum(isinstance(each, FillFailed) for each in account.venue.said)
        counts["rebates"] += sum(isinstance(each, RebateBooked) for each in account.journal)
        counts["settled"] += sum(isinstance(each, MarketSettled) for each in account.journal)
        counts["kills"] += account.kills
    print(
        f"{runs:,} runs in {time.monotonic() - began:.0f} s: {counts['orders']:,} orders, {counts['fills']:,} fills, "
        f"{counts['failed']:,} of them failed, {counts['rebates']:,} rebates, {counts['settled']:,} markets settled, "
        f"{counts['kills']:,} restored journals; {len(found)} findings"
    )
    for each in found[:SHOWN]:
        print(f"  FOUND {each[:1_000]}")
    return int(bool(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.accounts", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(main(arguments.runs, arguments.seed))
