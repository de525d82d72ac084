"""``arbitrage`` on the exchange in miniature, which knows the truth: what it takes of what is there, and its traps.

``python -m tests.proofs.arbitrage [--seeds N] [--seconds S] [--latency MS …] [--worlds N]``. Ends with 1 when it takes
less than 95 % of what an agent takes that knows the truth, or loses in a trap.
"""

import argparse
import sys
from collections.abc import Sequence

from predsurv.core.num import format_micros
from tests.kit.arbitrage_traps import TRAPS, spring
from tests.kit.arbitrage_trial import try_arbitrage

SHARE_MIN = 0.95
_MS = 1_000_000


def main(words: Sequence[str]) -> int:
    """Run and report; return 1 when anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.arbitrage", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--latency", type=int, nargs="*", default=[50, 150, 500], help="milliseconds")
    parser.add_argument("--worlds", type=int, default=2_000, help="of each trap")
    options = parser.parse_args(words)
    failed = [each for each in options.latency if not _takes(each, options.seeds, options.seconds)]
    lost = [name for name in TRAPS if not _escapes(name, options.worlds)]
    return 1 if failed or lost else 0


def _takes(latency: int, seeds: int, seconds: int) -> bool:
    taken = there = events = losing = lost = 0
    for seed in range(1, seeds + 1):
        result = try_arbitrage(seed, 80, 400, latency * _MS, seconds=seconds)
        taken += result.taken.total
        there += result.there.total
        events += result.events
        losses = [gain for gain in result.taken.by_group.values() if gain < 0]
        losing, lost = losing + len(losses), lost + sum(losses)
    share = taken / there if there else 1.0
    print(
        f"latency {latency} ms: took {format_micros(taken)} of {format_micros(there)} ({100 * share:.1f} %) in {events}"
        f" events of {seeds} exchanges; {losing} groups ended at a loss, {format_micros(lost)} together",
        flush=True,
    )
    return share >= SHARE_MIN


def _escapes(name: str, worlds: int) -> bool:
    result = spring(name, worlds, seed=1)
    print(
        f"{name}: traded in {result.traded} of {result.worlds} worlds, worst end {format_micros(result.worst)}, "
        f"all together {format_micros(result.total)}",
        flush=True,
    )
    # A reverted leg costs what was charged for it in the others; no other trap may cost anything once.
    return result.total >= 0 if "reverted" in name else result.worst >= 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
