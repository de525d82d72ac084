"""The queue models beside orders that really rest on the made-up exchange: bounds on both sides of the truth.

``python -m tests.proofs.queues --worlds 100`` compares the share of resting orders that fills. The pessimistic model
may not fill more than the exchange, the optimistic one not less, each within twice the error of the measurement.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from typing import Final

from predsurv.engine.fills.queue_position import QueueModel
from tests.kit.queue_trials import MODELS, QueueTrial

_DEFAULT: Final[QueueModel] = "proportional"


def main(words: Sequence[str]) -> int:
    """Run the worlds and print the bias of each model; 1 when a bound does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.queues")
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the first world")
    parser.add_argument("--rounds", type=int, default=6, help="orders one after another in each group of markets")
    given = parser.parse_args(words)
    trials = [QueueTrial(seed, given.rounds) for seed in range(given.seed, given.seed + given.worlds)]
    for trial in trials:
        trial.play()
    sent, truth = sum(each.sent for each in trials), sum(each.truth for each in trials)
    print(f"{given.worlds} worlds, {sum(each.orders for each in trials):,} resting orders; filled {truth / sent:.2%}")
    wrong = 0
    for model in MODELS:
        bias, error = _bias(trials, model)
        holds = (model != "pessimistic" or bias <= 2 * error) and (model != "optimistic" or bias >= -2 * error)
        wrong += not holds
        print(f"{model}: {bias:+.1%} ± {error:.1%}{' (default)' if model == _DEFAULT else ''}")
    return int(wrong > 0)


def _bias(trials: Sequence[QueueTrial], model: QueueModel) -> tuple[float, float]:
    """Return by how much more than the truth a model fills, relative to that, and the standard error of it."""
    truth = sum(each.truth for each in trials)
    ratio = sum(each.filled[model] for each in trials) / truth
    spread = sum((each.filled[model] - ratio * each.truth) ** 2 for each in trials)
    return ratio - 1, math.sqrt(spread) / truth


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
