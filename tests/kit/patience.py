"""Wait for what has to happen: how long a busy machine takes says nothing about the program.

``PATIENCE_S`` only ends tests that hang. Where a time limit is what the program promises, the time that its threads
waited for a core does not count.
"""

import asyncio
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

PATIENCE_S: Final = 300.0


async def until(condition: Callable[[], object]) -> None:
    """Return as soon as ``condition`` holds; raises TimeoutError when it never does."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.005)


def eventually(condition: Callable[[], object]) -> None:
    """Return as soon as ``condition`` holds; fails when it never does."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def finish(process: "subprocess.Popen[str]") -> tuple[str, str, float]:
    """Wait for the end of ``process``; return its output, its errors, and the seconds that it took.

    The seconds in which its threads or ours were ready to run and had no core are left out (Linux; elsewhere all
    count).
    """
    began = time.monotonic()
    paths = (f"/proc/{process.pid}/task", "/proc/self/task")
    before = [_waited_ns(path) for path in paths]
    waited = [0.0, 0.0]
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(process.communicate, timeout=PATIENCE_S)
        while not answer.done():
            waited = [max(a, _waited_ns(path) - b) for a, b, path in zip(waited, before, paths, strict=True)]
            time.sleep(0.01)
    out, err = answer.result()
    return out, err, time.monotonic() - began - sum(waited) / 1e9


def _waited_ns(tasks: str) -> float:
    """Return how long the threads below ``tasks`` have been ready without a core, 0 where that is not known."""
    total, paths = 0, list[Path]()
    with suppress(OSError):  # the process has ended
        paths += Path(tasks).glob("*/schedstat")
    for path in paths:
        try:
            total += int(path.read_text().split()[1])
        except (OSError, IndexError, ValueError):
            continue  # this thread has ended
    return total
