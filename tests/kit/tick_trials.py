"""Paper runs gone through again with every tick told to strategies that ask for fewer, and their journals compared."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Final

from msgspec import Struct

from predsurv.core.events import Event
from predsurv.core.orders import Decision
from predsurv.engine.strategy import Strategy, TimedStrategy
from predsurv.net.clock import ManualClock
from predsurv.state.view import View
from predsurv.trade.runs.folder import RunFolder, all_runs
from tests.kit.paper_runs import Recorder, S, configured, opened, run, scanned
from tests.kit.stopped_runs import RecordedRun

_FAULTS: Final = ("drop@7s:2s", "gap@11s", "freeze@4s:2s", "overflow@14s")
_LIVES: Final = ("1ns", "300ms", "2s", "15s")
_COOLDOWNS: Final = ("0s", "700ms", "2s", "10s")


class EveryTick:
    """The strategy ``inner`` as if it had no ``wake_at``."""

    def __init__(self, inner: Strategy) -> None:
        self._inner = inner
        self.name, self.signals, self.interest = inner.name, inner.signals, inner.interest

    def on_event(self, event: Event, view: View) -> Iterable[Decision] | None:
        """Tell it everything."""
        return self._inner.on_event(event, view)


class TickTrial(Struct, frozen=True):
    """The ``entries`` of a run, and the number of the first that is another when every tick is told, None for none."""

    entries: int
    differs: int | None


async def recorded(folder: Path, seconds: int, seed: int) -> RunFolder:
    """Record a paper run of so many seconds of virtual time with parameters and faults drawn from ``seed``."""
    rng = Random(seed)
    faults = rng.sample(_FAULTS, rng.randrange(3))
    settings = {
        "simple": {"order_life": rng.choice(_LIVES), "stop": rng.choice(("0.01", "0.04"))},
        "arbitrage": {"cooldown": rng.choice(_COOLDOWNS), "completions_max": rng.randrange(4)},
    }
    flags = {"mock.seed": seed, "mock.faults": faults, "trading.latency": rng.choice(("1ms", "150ms", "450ms"))}
    clock, config = ManualClock(), configured(folder, **flags, strategies=settings)
    await scanned(config, clock)
    session = opened(config, clock, Recorder())
    await run(session, clock, seconds * S)
    session.close()
    (made,) = all_runs(folder)
    return made


async def trial(folder: RunFolder, strategies: Callable[[], Sequence[Strategy]] | None = None) -> TickTrial:
    """Go through a recorded run twice: with the ticks that its strategies ask for, and with every one.

    ``strategies`` returns new ones in place of those of the run.
    """
    whole = RecordedRun(folder)
    made = whole.strategies if strategies is None else strategies
    own = made()
    assert any(isinstance(each, TimedStrategy) for each in own)
    fewer = await whole.decided(own)
    every = await whole.decided([EveryTick(each) for each in made()])
    return TickTrial(len(fewer), first_difference(fewer, every))


def first_difference(one: list[bytes], other: list[bytes]) -> int | None:
    """Return the number, from 1, of the first entry that is not the same in both."""
    differing = (number for number, (a, b) in enumerate(zip(one, other, strict=False), 1) if a != b)
    return next(differing, None if len(one) == len(other) else min(len(one), len(other)) + 1)
