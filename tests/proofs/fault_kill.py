"""Battery: collectors killed at random moments, some while they recover; then everything is compared.

It has to fork before anything that has threads is loaded.
"""

import asyncio
import os
import random
import signal
import time
from pathlib import Path
from select import select
from typing import Final

from predsurv.config import Config
from tests.proofs import witness

RECOVERING_SHARE: Final = 0.15
RECOVERY_S: Final = 0.25
RUN_S: Final = 2.2
RATE: Final = 5_000
PATIENCE_S: Final = 60.0


def kill(folder: Path, rounds: int, seed: int) -> list[str]:
    """Kill ``rounds`` collectors and let one more stop in good order; return the findings, and print the figures."""
    rng = random.Random(seed)
    config = witness.configured(folder / "data", mock__rate=RATE)
    asyncio.run(witness.scan(config))
    dead: list[int] = []
    truths = [folder / f"truth-{number:04d}" for number in range(rounds + 1)]
    recovering, began, slowest = 0, time.monotonic(), 0.0
    for number in range(rounds):
        child = witness.start(config, truths[number])
        early = rng.random() < RECOVERING_SHARE
        started = time.monotonic()
        if not heard(child, b"r") or not (early or heard(child, b"f")):
            return [f"cycle {number}: the collector did not come up"]
        slowest = max(slowest, time.monotonic() - started)
        time.sleep(rng.uniform(0, RECOVERY_S if early else RUN_S))
        recovering += early
        if not end(child, signal.SIGKILL):
            return [f"cycle {number}: the collector ended by itself"]
        dead.append(time.time_ns())
    found = _last_run(config, truths[-1])
    took = time.monotonic() - began
    from tests.proofs.verdict import judge  # polars has threads: not before the last fork

    verdict = judge(config.data_dir, truths, allowed=frozenset(), dead=dead)
    print(
        f"kill: {rounds} cycles ({recovering} while recovering) in {took:.0f} s, "
        f"slowest start {slowest:.1f} s; {verdict}"
    )
    return found + verdict.wrong


def _last_run(config: Config, truth: Path) -> list[str]:
    child = witness.start(config, truth)
    if not heard(child, b"f"):
        return ["the last collector did not come up"]
    time.sleep(RUN_S)
    return [] if end(child, signal.SIGTERM) else ["the last collector did not stop in good order"]


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
