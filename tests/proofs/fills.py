"""Random worlds against a price-time exchange: no order of ours is filled more, or earlier, than it really would be.

``python -m tests.proofs.fills --worlds 100000`` counts, for each order at each moment, what the pessimistic model has
filled beyond the exchange in which the order really rests. ``--model`` measures the other models.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Final, get_args

from predsurv.engine.fills.queue_position import QueueModel
from tests.kit.fill_worlds import FillWorld

_SHOWN_MAX: Final = 5


def main(words: Sequence[str]) -> int:
    """Play the worlds and print what they add up to; 1 when a pessimistic order was filled too much or too early."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.fills")
    parser.add_argument("--worlds", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first world")
    parser.add_argument("--model", choices=get_args(QueueModel), default="pessimistic")
    given = parser.parse_args(words)
    orders = filled = truth = surplus = worlds = 0
    for seed in range(given.seed, given.seed + given.worlds):
        wrong = 0
        for each in FillWorld(seed, given.model).play():
            orders, filled, truth = orders + 1, filled + each.model, truth + each.truth
            if each.surplus > 0:
                wrong, surplus = wrong + 1, surplus + each.surplus
                if worlds < _SHOWN_MAX:
                    print(f"world {seed}: {each.name} filled {each.surplus} beyond the exchange")
        worlds += bool(wrong)
    print(
        f"{given.model}: {given.worlds:,} worlds, {orders:,} orders of ours; filled {filled:,} shares, in the exchange "
        f"{truth:,}; over-filled in {worlds:,} worlds, by {surplus:,} shares"
    )
    return int(given.model == "pessimistic" and worlds > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
