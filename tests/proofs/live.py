"""Live trading against both simulated venues, under everything that can go wrong with it.

``python -m tests.proofs.live submits|kills|stops [--rounds N] [--seed N] [--venue V] [--dir D]`` prints a line of
figures for each venue and exits with 1 when anything was found. SIGTERM ends ``submits`` early, with its figures.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final
from unittest import mock

from tests.kit.live_trader import ProofPlan
from tests.proofs.live_kills import kills
from tests.proofs.live_stops import stops
from tests.proofs.live_submits import submits

BATTERIES: Final = {"submits": (submits, 10_000), "kills": (kills, 50), "stops": (stops, 3)}
SHOWN: Final = 20
VENUES: Final = ("polymarket", "kalshi")


def main() -> int:
    """Run the battery that was asked for; return 1 when it found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.live", description=__doc__)
    parser.add_argument("battery", choices=list(BATTERIES))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--venue", choices=VENUES, action="append", help="may be repeated; both by default")
    parser.add_argument("--dir", type=Path, help="where to work; a folder for temporary files by default")
    args = parser.parse_args()
    battery, rounds = BATTERIES[args.battery]
    folder = Path(tempfile.mkdtemp(prefix="live-", dir=args.dir))
    plan = ProofPlan(args.venue or VENUES, rounds if args.rounds is None else args.rounds, args.seed)
    # Polymarket tells of no change of a fee: what was filled since is corrected, and any correction is a finding here.
    with mock.patch("predsurv.exchange.schedule._FEE_CHANGE", 10**15):
        found = battery(folder, plan)
    for finding in found[:SHOWN]:
        print(f"  FOUND {finding[:1_000]}")
    if found:
        print(f"  {len(found)} findings; everything is kept in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
