"""Strategies that say when they next need a tick decide as they would if they were told every one.

``python -m tests.proofs.ticks [--runs N] [--seconds N] [--seed N]``. Paper runs on the mock venue are recorded in
virtual time, each with parameters (how long orders rest, pauses between attempts, attempts to complete a set), a
latency and faults (lost connections, gaps, silence, overflows) of its own. Each is gone through twice more, once as it
was and once with ``wake_at`` left out, so that ``simple`` and ``arbitrage`` are told all five ticks a second: every
entry of the two journals has to be the same bytes.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.kit.tick_trials import recorded, trial


def main(options: argparse.Namespace) -> int:
    """Print what was seen; return 1 when a journal differs."""
    entries, found = 0, []
    for seed in range(options.seed, options.seed + options.runs):
        with TemporaryDirectory() as place:
            folder = asyncio.run(recorded(Path(place), options.seconds, seed))
            seen = asyncio.run(trial(folder))
        entries += seen.entries
        if seen.differs is not None:
            found.append(f"run {seed}: entry {seen.differs} of {seen.entries} is another when every tick is told")
    print(
        f"{options.runs} runs of {options.seconds} s with fewer ticks and with every one: {entries:,} entries compared"
    )
    print(f"{len(found)} findings")
    for each in found:
        print(f"  FOUND {each}")
    return int(bool(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.ticks", description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--seconds", type=int, default=20, help="how long each run is, in its own time")
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(main(parser.parse_args()))
