"""Run contenders interleaved on one pinned core and compare their medians.

Interleaved, so that every contender meets the same busy moments.
"""

import gc
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median
from typing import TypeVar

from msgspec import Struct

T = TypeVar("T")

ROUNDS = 5


class Timing(Struct, frozen=True):
    """Seconds of CPU for one run: the median over the rounds, and the best."""

    median_s: float
    best_s: float


def pin() -> int | None:
    """Pin the process to the last core it may use; return it, or None where that is impossible."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def apart(make: Callable[..., T], *args: object) -> T:
    """Return what ``make`` makes in a process of its own.

    Making a load tears the heap into holes, which slows down whoever has to allocate in it for as
    long as this process lives: by an eighth for a contender in Python, by nothing for one in C.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(make, *args).result()


def interleave(runs: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, Timing]:
    """Run each contender once per round, rounds times; the order turns with every round."""
    names, taken = list(runs), {name: list[float]() for name in runs}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            gc.collect()
            gc.freeze()
            started = time.process_time()
            runs[name]()
            taken[name].append(time.process_time() - started)
            gc.unfreeze()
    return {name: Timing(median(spent), min(spent)) for name, spent in taken.items()}
