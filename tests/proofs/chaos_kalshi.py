"""The real Kalshi adapter against a simulated Kalshi that misbehaves.

``python -m tests.proofs.chaos_kalshi [--seconds 60] [--rate 3000] [--tickers 1000] [--faults mixed] [--keyless]
[--speed 1] [--runs 1]`` prints what was right and wrong. With ``--speed`` all clocks run so many times as fast;
``--runs`` repeats it with other markets and faults.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence

from tests.kit.kalshi_chaos import ChaosSettings, chaos


def main(words: Sequence[str]) -> int:
    """Run and report; return 1 when anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.chaos_kalshi", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=int, default=3_000)
    parser.add_argument("--markets", type=int, default=900)
    parser.add_argument("--tickers", type=int, default=1_000)
    parser.add_argument("--faults", default="mixed")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--speed", type=int, default=1, help="how many times as fast as real time")
    parser.add_argument("--keyless", action="store_true")
    parser.add_argument("--runs", type=int, default=1)
    logging.basicConfig(level=logging.ERROR)
    given, wrong = vars(parser.parse_args(words)), list[int]()
    for _ in range(given.pop("runs")):
        report = asyncio.run(chaos(ChaosSettings(**given)))
        print("\n".join(report.lines))
        if not report.good:
            wrong.append(given["seed"])
        given["seed"] += 1
    print(f"NOT as it should be: the runs of seed {', '.join(map(str, wrong))}" if wrong else "all as it should be")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
