"""Strategies that ask for fewer ticks decide as with every one: ``tests.proofs.ticks``, in small."""

from collections.abc import Sequence
from pathlib import Path

from predsurv.core.durations import Duration
from predsurv.engine.strategy import Strategy
from predsurv.strategies.simple import Simple, SimpleParams
from tests.kit.tick_trials import first_difference, recorded, trial


class Sleeper(Simple):
    """Asks for no tick at all, which is wrong: its orders outlive their time."""

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, 1 << 62 if name == "wake_at" else value)


def sleepers() -> Sequence[Strategy]:
    return [Sleeper(SimpleParams(order_life=Duration(1_000_000_000)))]


async def test_the_journal_is_the_same_with_every_tick_told(tmp_path: Path) -> None:
    folder = await recorded(tmp_path, 12, 2)
    seen = await trial(folder)
    assert seen.differs is None
    assert seen.entries > 50
    asleep = await trial(folder, sleepers)
    assert asleep.differs is not None, "a strategy that asks for too few is found"


def test_the_first_difference_is_found() -> None:
    assert first_difference([b"a", b"b"], [b"a", b"b"]) is None
    assert first_difference([b"a", b"b"], [b"a", b"c"]) == 2
    assert first_difference([b"a", b"b"], [b"a"]) == 2
