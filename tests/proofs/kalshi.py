"""Kalshi's adapter at length: lost frames and hostile input.

``python -m tests.proofs.kalshi losses|fuzz [--count N]``. The tests run short shares of both.
"""

import argparse
import random
import resource
import sys
import time
from collections.abc import Callable

from tests.kit.kalshi_mutants import fed, mutants, samples
from tests.kit.lossy_kalshi import LossyWire
from tests.kit.payloads import available

SLOW_S = 0.05


def losses(args: argparse.Namespace) -> int:
    """Lose 10,000 frames, then none in a million."""
    began = time.perf_counter()
    noticed = LossyWire(random.Random(1)).run(frames=200_000, losses=10_000, compare_every=10)
    print(f"10,000 frames lost among 200,000: {noticed:,} noticed, books exact ({time.perf_counter() - began:.0f} s)")
    began = time.perf_counter()
    LossyWire(random.Random(2)).run(frames=args.count, losses=0, compare_every=10_000)
    print(f"{args.count:,} frames without a loss: 0 false alarms ({time.perf_counter() - began:.0f} s)")
    return 0


def fuzz(args: argparse.Namespace) -> int:
    """Feed mutated frames and answers to everything that reads them; slow ones and crashes fail."""
    rng = random.Random(3)
    worst, slow, total = 0.0, 0, 0
    before = _peak_mb()
    began = time.perf_counter()
    for name, body in mutants(rng, [sample for source in available() for sample in samples(source)], args.count):
        start = time.perf_counter()
        fed(name, body)
        took = time.perf_counter() - start
        total += 1
        if took > SLOW_S:
            # A shared machine stops anybody now and then: only what is slow every time is slow.
            took = min(took, *(_timed(name, body) for _ in range(3)))
            slow += took > SLOW_S
        worst = max(worst, took)
    spent = time.perf_counter() - began
    print(f"{total:,} mutants: no crash, {slow} over 50 ms (slowest {worst * 1e3:.1f} ms), {total / spent:,.0f}/s")
    print(f"memory: {before:.0f} MB before, {_peak_mb():.0f} MB at most")
    return int(slow > 0)


def _timed(name: str, body: bytes) -> float:
    start = time.perf_counter()
    fed(name, body)
    return time.perf_counter() - start


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


_COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], int]] = {
    "losses": (losses, 1_000_000),
    "fuzz": (fuzz, 1_000_000),
}


def main() -> int:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.kalshi", description=__doc__)
    parser.add_argument("what", choices=_COMMANDS)
    parser.add_argument("--count", type=int, default=0)
    args = parser.parse_args()
    command, count = _COMMANDS[args.what]
    args.count = args.count or count
    return command(args)


if __name__ == "__main__":
    sys.exit(main())
