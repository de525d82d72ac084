"""Random worlds against a price-time exchange: no order of ours is filled more, or earlier, than it really would be.

``python -m tests.proofs.fills --worlds 100000`` counts, for each order at each moment, what the pessimistic model has
filled beyond the exchange in which the order really rests. ``--model`` measures the other models. It says after each
piece of the seeds how far it is: what was interrupted goes on with ``--seed``.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from typing import Final, NamedTuple, get_args

from predsurv.engine.fills.queue_position import QueueModel
from tests.kit.fill_worlds import FillWorld

_SHOWN_MAX: Final = 5
_PIECE: Final = 1_000


class _Sum(NamedTuple):
    """What some worlds add up to, in orders and shares; ``wrong``: the worlds with an order that was over-filled."""

    worlds: int = 0
    orders: int = 0
    filled: int = 0
    truth: int = 0
    surplus: int = 0
    wrong: tuple[int, ...] = ()

    def plus(self, other: "_Sum") -> "_Sum":
        return _Sum(
            self.worlds + other.worlds,
            self.orders + other.orders,
            self.filled + other.filled,
            self.truth + other.truth,
            self.surplus + other.surplus,
            self.wrong + other.wrong,
        )


class _Piece(NamedTuple):
    """Some seeds to play with a model."""

    seeds: range
    model: QueueModel


def main(words: Sequence[str]) -> int:
    """Play the worlds and print what they add up to; 1 when a pessimistic order was filled too much or too early."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.fills")
    parser.add_argument("--worlds", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first world")
    parser.add_argument("--model", choices=get_args(QueueModel), default="pessimistic")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args(words)
    seeds = range(given.seed, given.seed + given.worlds)
    pieces = [_Piece(seeds[start : start + _PIECE], given.model) for start in range(0, len(seeds), _PIECE)]
    total = _Sum()
    for piece, played in zip(pieces, _played(pieces, given.processes), strict=True):
        total = total.plus(played)
        for seed in played.wrong[: max(_SHOWN_MAX - len(total.wrong) + len(played.wrong), 0)]:
            print(f"world {seed}: an order was filled beyond the exchange")
        print(f"worlds below {piece.seeds.stop} are played, {len(total.wrong)} over-filled", file=sys.stderr)
    print(
        f"{given.model}: {total.worlds:,} worlds, {total.orders:,} orders of ours; filled {total.filled:,} shares, in "
        f"the exchange {total.truth:,}; over-filled in {len(total.wrong):,} worlds, by {total.surplus:,} shares"
    )
    return int(given.model == "pessimistic" and bool(total.wrong))


def _played(pieces: Sequence[_Piece], processes: int) -> Iterator[_Sum]:
    """Yield what each piece adds up to, in order."""
    if processes == 1:
        yield from map(_play, pieces)
        return
    with get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(_play, pieces)


def _play(piece: _Piece) -> _Sum:
    total = _Sum()
    for seed in piece.seeds:
        orders = FillWorld(seed, piece.model).play()
        surplus = sum(each.surplus for each in orders)
        total = total.plus(
            _Sum(
                1,
                len(orders),
                sum(each.model for each in orders),
                sum(each.truth for each in orders),
                surplus,
                (seed,) if surplus else (),
            )
        )
    return total


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
