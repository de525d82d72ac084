"""The queue models beside orders that really rest on the made-up exchange: bounds on both sides of the truth.

``python -m tests.proofs.queues --worlds 100`` compares the share of resting orders that fills. The pessimistic model
may not fill more than the exchange, the optimistic one not less, and where the models see the very flow that meets the
orders the default may be off by at most a twentieth; each within twice the error of the measurement.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from typing import Final, NamedTuple

from predsurv.engine.fills.queue_position import QueueModel
from tests.kit.queue_trials import MODELS, QueueTrial

_DEFAULT: Final[QueueModel] = "proportional"
_BIAS_MAX: Final = 0.05
_LATE: Final = 60_000_000
"""How late (ns) one venue tells trades, mostly."""


class _Design(NamedTuple):
    """What the models see, and whether the trades of it come ``lag`` ns after the level changes or before them."""

    about: str
    apart: bool
    lag: int | None


_DESIGNS: Final = (
    _Design("the same exchange less our order", apart=False, lag=None),
    _Design("the same, trades told 60 ms late", apart=False, lag=_LATE),
    _Design("an exchange without our orders", apart=True, lag=None),
    _Design("the same, trades told 60 ms late", apart=True, lag=_LATE),
)


class _World(NamedTuple):
    seed: int
    rounds: int
    design: _Design


class _Played(NamedTuple):
    orders: int
    sent: int
    truth: int
    filled: dict[QueueModel, int]


def main(words: Sequence[str]) -> int:
    """Run the worlds and print the bias of each model; 1 when a bound does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.queues")
    parser.add_argument("--worlds", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0, help="of the first world")
    parser.add_argument("--rounds", type=int, default=6, help="orders one after another in each group of markets")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args(words)
    wrong = 0
    with get_context("spawn").Pool(given.processes) as pool:
        for design in _DESIGNS:
            seeds = range(given.seed, given.seed + given.worlds)
            worlds = pool.map(_play, [_World(seed, given.rounds, design) for seed in seeds], chunksize=1)
            wrong += _report(design, worlds)
    return int(wrong > 0)


def _play(world: _World) -> _Played:
    trial = QueueTrial(world.seed, world.rounds, apart=world.design.apart, lag=world.design.lag)
    trial.play()
    return _Played(trial.orders, trial.sent, trial.truth, trial.filled)


def _report(design: _Design, worlds: Sequence[_Played]) -> int:
    """Print the biases; return how many of them are beyond their bound."""
    sent, truth = sum(each.sent for each in worlds), sum(each.truth for each in worlds)
    orders = sum(each.orders for each in worlds)
    print(f"{design.about}: {len(worlds)} worlds, {orders:,} resting orders; filled {truth / sent:.2%}")
    wrong = 0
    for model in MODELS:
        bias, error = _bias(worlds, model)
        low = -_BIAS_MAX if model == _DEFAULT and not design.apart else 0 if model == "optimistic" else -1
        high = _BIAS_MAX if model == _DEFAULT and not design.apart else 0 if model == "pessimistic" else math.inf
        wrong += not low - 2 * error <= bias <= high + 2 * error
        print(f"  {model}: {bias:+.1%} ± {error:.1%}{' (default)' if model == _DEFAULT else ''}", flush=True)
    return wrong


def _bias(worlds: Sequence[_Played], model: QueueModel) -> tuple[float, float]:
    """Return by how much more than the truth a model fills, relative to that, and the standard error of it."""
    truth = sum(each.truth for each in worlds)
    ratio = sum(each.filled[model] for each in worlds) / truth
    spread = sum((each.filled[model] - ratio * each.truth) ** 2 for each in worlds)
    return ratio - 1, math.sqrt(spread) / truth


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
