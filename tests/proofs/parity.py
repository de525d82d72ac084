"""Live runs on simulated venues, beside paper trading on the same feed, and run again from what they recorded.

``python -m tests.proofs.parity [--runs N] [--duration 20s]``. Each run is ``predsurv trade --live`` against ``predsurv
simulate`` in processes of their own, with a seed of its own. Paper trading then takes the feed that the live run
recorded, and its timers; commands have to be the same: kind, instrument, side, price, size, time in force, number, and
the order in which they come. That is so only where what is decided follows from the feed alone, as it does in
``tests/kit/feed_orders.py``: what is filled, and when word of it arrives, differs, because real orders take from the
book that everybody sees and simulated ones do not. A strategy that trades by its fills (``market_maker``) is therefore
compared with itself: the live run again, from its feed and what the venue answered, entry by entry of its journal.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from predsurv.trade.replay_run import replay_run
from tests.kit import feed_orders
from tests.kit.live_parity import compared, trade_live, traded_live, traded_on_paper

FEED_ORDERS = f"{feed_orders.__file__}:FeedOrders"
MARKETS = ("--markets", "40", "--rate", "400")


def replayed(venue: str, strategy: str, duration: str, seed: int) -> bool:
    """Trade live, replay, and compare with paper where that has to be the same; return whether all was."""
    with tempfile.TemporaryDirectory(prefix="predsurv-parity-") as name:
        run = trade_live(venue, Path(name), strategy, duration, *MARKETS, "--seed", str(seed))
        live, report = traded_live(run), asyncio.run(replay_run(Path(name) / "data", run))
        said = [f"{len(live.commands)} commands, {live.fills} fills; replayed: {report.equal} entries equal"]
        same = report.difference is None and report.whole
        if not same:
            said.append(str(report.difference)[:400])
        if strategy == FEED_ORDERS:
            paper = asyncio.run(traded_on_paper(run))
            both = compared(live, paper)
            agree = both.paper == both.live
            said.append(
                f"paper: {'the same' if agree else 'OTHER'} commands, less {both.left_out} cancels of orders that had "
                f"ended by themselves, {paper.fills} fills"
            )
            same = same and agree
        print(f"{venue}, seed {seed}, {strategy.rpartition(':')[2]}: {'; '.join(said)}", flush=True)
    return same


def main() -> int:
    """Run each strategy on each venue; return 1 when anything differed."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.parity", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each venue and strategy")
    parser.add_argument("--duration", default="20s")
    given = parser.parse_args()
    rounds = [
        replayed(venue, strategy, given.duration, seed)
        for seed in range(1, given.runs + 1)
        for venue in ("polymarket", "kalshi")
        for strategy in (FEED_ORDERS, "market_maker")
    ]
    print(f"{sum(rounds)} of {len(rounds)} runs the same")
    return int(not all(rounds))


if __name__ == "__main__":
    sys.exit(main())
