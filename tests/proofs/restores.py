"""A paper run is the same run again whatever the hash seed, and a stop at any point loses nothing that was committed.

``python -m tests.proofs.restores [--seconds N] [--replays N] [--stops N] [--accounts N] [--seed N]``. A paper run on
the mock venue is recorded in virtual time. Then processes with other ``PYTHONHASHSEED`` each

- let ``runs replay --verify`` compare its journal,
- go through it again and write a journal of their own: every entry has to be the same bytes,
- stop it at random entries of the journal, as by a kill: what is on the disk then, database and write-ahead log, is
  restored. Half of the stops are right after the commit of an entry, half between its append and the commit, where it
  is lost. The restored account has to be what the run itself held after the last commit, to the last private attribute
  (cash, positions, orders, groups, fills that may still fail, profit, payouts), as do the day's baseline, the orders of
  the last minute and the consumed liquidity; restoring twice has to give the same bytes.

After ``--accounts`` seeds of random trading on two venues, where fills are only matched at first and some fail, the
account is compared in the same way after every entry.

What "the same" cannot mean: a restored run is not the one that was stopped. It takes back the orders that were open,
its strategies have forgotten what they knew, and what was still on its way from the venue never arrives. So what it
goes on to do is not compared with the run that was not stopped; but from the same journal and the same further inputs
it has to decide the same to the byte in every process, and that is compared, from every tenth stop. Consumed liquidity
is compared with what the simulated venue itself counts as taken, whether or not its word has arrived.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

from predsurv.trade.runs.folder import RunFolder, all_runs
from tests.kit.restore_trials import WatchedAccount, record, stops_of

SHOWN: Final = 10
_STEPS: Final = 60
_PROCESS_S: Final = 600


def main(options: argparse.Namespace) -> int:
    """Print what was seen; return 1 when anything differs."""
    began = time.monotonic()
    with TemporaryDirectory() as place:
        folder = Path(place)
        recorded = asyncio.run(record(folder, options.seconds, options.seed))
        told = [_replayed(recorded, folder, options, number) for number in range(options.replays)]
    found = [each for one in told for each in one["found"]]
    found += [f"process {number} is not as the first" for number, one in enumerate(told) if one != told[0]]
    seen = told[0]
    print(
        f"{options.replays} replays of a run of {seen['entries']:,} entries with other hash seeds, each stopped at "
        f"{seen['stops']:,} points ({seen['early']:,} before a commit); {seen['levels']:,} consumed levels compared; "
        f"{seen['decided']:,} entries after going on from {seen['continued']:,}",
        flush=True,
    )
    stops = 0
    for seed in range(options.seed, options.seed + options.accounts):
        account = WatchedAccount(seed * 3)  # of every third some fills fail
        account.run(_STEPS)
        stops += account.stops
        found += [f"account {seed * 3}: {each}" for each in account.found]
    print(f"{options.accounts} random accounts compared at {stops:,} points; {time.monotonic() - began:.0f} s in all")
    print(f"{len(found)} findings")
    for each in found[:SHOWN]:
        print(f"  FOUND {each[:1_000]}")
    return int(bool(found))


def _replayed(recorded: RunFolder, folder: Path, options: argparse.Namespace, number: int) -> dict[str, Any]:
    """Go through a run in two processes with a hash seed of their own."""
    environ = {**os.environ, "PYTHONHASHSEED": str(Random(options.seed * 1_000 + number).randrange(1 << 32))}
    environ["PREDSURV_DATA_DIR"] = str(folder)
    verify = [sys.executable, "-m", "predsurv", "runs", "replay", recorded.run, "--verify"]
    verified = subprocess.run(verify, env=environ, capture_output=True, text=True, timeout=_PROCESS_S, check=False)
    with TemporaryDirectory(dir=folder) as place:
        words = ["--stops", str(options.stops), "--seed", str(options.seed), "--inside", str(folder), place]
        inside = [sys.executable, "-m", "tests.proofs.restores", *words]
        told = subprocess.run(inside, env=environ, stdout=subprocess.PIPE, timeout=_PROCESS_S, check=True)
    seen: dict[str, Any] = json.loads(told.stdout)
    if verified.returncode:
        seen["found"].append(f"replay {number}: {verified.stderr}")
    return seen


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.restores", description=__doc__)
    parser.add_argument("--seconds", type=int, default=25, help="how long the run is, in its own time")
    parser.add_argument("--replays", type=int, default=5)
    parser.add_argument("--stops", type=int, default=100)
    parser.add_argument("--accounts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inside", type=Path, nargs=2, metavar=("DATA", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside is not None:
        (only,) = all_runs(given.inside[0])
        print(json.dumps(asyncio.run(stops_of(only, given.inside[1], given.stops, given.seed))))
        sys.exit(0)
    sys.exit(main(given))
