"""Battery: collectors killed at random moments, some while they recover; then everything is compared.

In some cycles the machine's clock is set, once or several times, while the collector runs, starts or stands still, and
the venue goes away or falls silent. It has to fork before anything that has threads is loaded.
"""

import asyncio
import os
import random
import signal
import time
from pathlib import Path
from select import select
from typing import Final

from msgspec import Struct

from predsurv.config import Config
from tests.proofs import witness
from tests.proofs.set_clock import SetClock

RECOVERING_SHARE: Final = 0.15
RECOVERY_S: Final = 0.25
RUN_S: Final = 2.2
RATE: Final = 5_000
PATIENCE_S: Final = 60.0

JUMPING_SHARE: Final = 0.4
JUMPS_S: Final = (-600.0, -30.0, -5.0, -0.4, 0.4, 10.0, 600.0, 3_600.0, 30_000.0)
JUMPS_MAX: Final = 3
STOPPED_SHARE: Final = 0.2
STOP_S: Final = 0.3
OUTAGE_SHARE: Final = 0.4
OUTAGES: Final = ("drop", "freeze", "gap", "malformed", "overflow")
OUTAGES_MAX: Final = 3


class _Figures(Struct):
    """What was done; ``dead``: moments (ns UTC) at which no collector ran, and recorded time was that of the clock.

    ``set_back``: truths of those that were killed while it was ahead.
    """

    recovering: int = 0
    jumps: int = 0
    outages: int = 0
    slowest: float = 0.0
    dead: list[int] = []
    set_back: set[Path] = set()


class _Cycle(Struct):
    """What happens to one collector: outages while it runs, and how far the clock is set, in ``seconds`` before kill.

    ``stopped``: whether the process stands still meanwhile. ``early``: it is killed while it recovers.
    """

    early: bool
    seconds: float
    jumps: tuple[float, ...]
    stopped: bool
    outages: tuple[str, ...]


def kill(folder: Path, rounds: int, seed: int) -> list[str]:
    """Kill ``rounds`` collectors and let one more stop in good order; return the findings, and print the figures."""
    rng, hand = random.Random(seed), SetClock()
    try:
        return _kill(folder, rounds, rng, hand)
    finally:
        hand.close()


def _kill(folder: Path, rounds: int, rng: random.Random, hand: SetClock) -> list[str]:
    config = _configured(folder, ())
    asyncio.run(witness.scan(config, hand.clock()))
    truths = [folder / f"truth-{number:04d}" for number in range(rounds + 1)]
    figures, began = _Figures(), time.monotonic()
    for number in range(rounds):
        cycle = _drawn(rng)
        if number:
            asyncio.run(witness.scan(config, hand.clock()))  # the markets of then are over once the clock is days ahead
        if not _run(_configured(folder, cycle.outages), truths[number], cycle, hand, figures):
            return [f"cycle {number}: the collector did not come up, or ended by itself"]
        moment = hand.clock().now()
        if hand.is_caught_up():
            figures.dead.append(moment)
        else:
            figures.set_back.add(truths[number])
    found = _last_run(config, truths[-1], hand)
    took = time.monotonic() - began
    from tests.proofs.verdict import judge  # polars has threads: not before the last fork

    verdict = judge(config.data_dir, truths, allowed=frozenset(), dead=figures.dead, set_back=figures.set_back)
    print(
        f"kill: {rounds} cycles ({figures.recovering} while recovering; the clock set {figures.jumps} times by "
        f"{hand.how}, {figures.outages} outages) in {took:.0f} s, slowest start {figures.slowest:.1f} s; {verdict}"
    )
    return found + verdict.wrong


def _configured(folder: Path, outages: tuple[str, ...]) -> Config:
    return witness.configured(folder / "data", mock__rate=RATE, mock__faults=list(outages))


def _drawn(rng: random.Random) -> _Cycle:
    early = rng.random() < RECOVERING_SHARE
    jumping, outage = rng.random() < JUMPING_SHARE, rng.random() < OUTAGE_SHARE
    jumps = rng.choices(JUMPS_S, k=rng.randint(1, JUMPS_MAX)) if jumping else []
    outages = [f"{rng.choice(OUTAGES)}@{rng.randint(100, 2_000)}ms" for _ in range(rng.randint(1, OUTAGES_MAX))]
    seconds = rng.uniform(0, RECOVERY_S if early else RUN_S)
    return _Cycle(early, seconds, tuple(jumps), rng.random() < STOPPED_SHARE, tuple(outages) if outage else ())


def _run(config: Config, truth: Path, cycle: _Cycle, hand: SetClock, figures: _Figures) -> bool:
    """Run one collector until it is killed; return whether it came up and lived until then."""
    child = witness.start(config, truth, hand.clock())
    started = time.monotonic()
    if not heard(child, b"r") or not (cycle.early or heard(child, b"d")):
        return False
    figures.slowest = max(figures.slowest, time.monotonic() - started)
    for jump in cycle.jumps:
        _wait(cycle.seconds / (len(cycle.jumps) + 1))
        if cycle.stopped:
            os.kill(child.pid, signal.SIGSTOP)
        hand.step(int(jump * 1e9))
        if cycle.stopped:
            _wait(STOP_S)
            os.kill(child.pid, signal.SIGCONT)
    _wait(cycle.seconds / (len(cycle.jumps) + 1))
    figures.recovering += cycle.early
    figures.jumps += len(cycle.jumps)
    figures.outages += len(cycle.outages)
    return end(child, signal.SIGKILL)


def _last_run(config: Config, truth: Path, hand: SetClock) -> list[str]:
    child = witness.start(config, truth, hand.clock())
    if not heard(child, b"f"):
        return ["the last collector did not come up"]
    _wait(RUN_S)
    return [] if end(child, signal.SIGTERM) else ["the last collector did not stop in good order"]


def _wait(seconds: float) -> None:
    select([], [], [], seconds)  # time.sleep fails under libfaketime once the clock was set


def heard(child: witness.Child, word: bytes) -> bool:
    """Return whether ``child`` said ``word`` in time."""
    deadline = time.monotonic() + PATIENCE_S
    while (left := deadline - time.monotonic()) > 0 and select([child.commits], [], [], left)[0]:
        said = os.read(child.commits, 1)
        if said == word:
            return True
        if not said:
            return False
    return False


def end(child: witness.Child, sent: signal.Signals) -> bool:
    """Send a signal and wait; return whether the collector ended as it should."""
    os.kill(child.pid, sent)
    _, status = os.waitpid(child.pid, 0)
    os.close(child.commits)
    return os.waitstatus_to_exitcode(status) == (-sent if sent == signal.SIGKILL else 0)
