"""A sweep: the same backtest with every combination of parameters, in processes of their own, best first.

Each process imports the strategies anew and reads the recording by itself; they share nothing but the data folder.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from typing import Final

from msgspec import Struct

from predsurv.config import Config
from predsurv.core.errors import PredsurvError, StrategyError
from predsurv.net.clock import SystemClock
from predsurv.store.read.recording import ReplaySpan
from predsurv.trade.backtesting import BacktestSummary, run_backtest
from predsurv.trade.parameter_flags import Combination
from predsurv.trade.strategy_loading import build
from predsurv.venues.registry import open_venue

POLL_SECONDS: Final = 0.1
"""How soon a sweep that is to stop does so."""


class SweepJob(Struct, frozen=True):
    """What a sweep runs: one backtest of ``specs`` over ``span`` of a venue for each of ``combinations``."""

    config: Config
    venue: str
    span: ReplaySpan
    specs: tuple[str, ...]
    combinations: tuple[Combination, ...]


class SweepRow(Struct, frozen=True):
    """One run of a sweep."""

    label: tuple[tuple[str, str], ...]
    summary: BacktestSummary


def processes(jobs: int | None, runs: int) -> int:
    """Return how many processes a sweep of ``runs`` has: ``jobs``, by default one for each core of this process."""
    return max(1, min(jobs or len(os.sched_getaffinity(0)), runs))


def run_sweep(
    job: SweepJob, workers: int, on_done: Callable[[SweepRow], None], stopping: Callable[[], bool]
) -> tuple[SweepRow, ...]:
    """Return the runs, most profit first, equal ones in the order of the combinations.

    ``on_done`` receives each as it ends. Once ``stopping`` says so the processes are ended and what is there is
    returned. Raises what the first run that failed raised, and StrategyError when a process died.
    """
    done: dict[int, SweepRow] = {}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_leave_signals_alone) as pool:
        numbers = {pool.submit(_run, job, number): number for number in range(len(job.combinations))}
        waiting: set[Future[BacktestSummary]] = set(numbers)
        try:
            while waiting and not stopping():
                ended, waiting = wait(waiting, POLL_SECONDS, FIRST_COMPLETED)
                for each in ended:
                    row = SweepRow(job.combinations[numbers[each]].label, each.result())
                    done[numbers[each]] = row
                    on_done(row)
        except BrokenProcessPool:
            raise StrategyError(
                f"a process of the sweep ended by itself after {len(done)} of {len(numbers)} runs; "
                "was it out of memory? Fewer --jobs need less"
            ) from None
        finally:
            if waiting:
                pool.shutdown(wait=False, cancel_futures=True)
                for process in active_children():
                    process.terminate()
    return tuple(sorted((done[number] for number in sorted(done)), key=_profit, reverse=True))


def _profit(row: SweepRow) -> int:
    return row.summary.profit


def _leave_signals_alone() -> None:
    """Let the process that started this one decide: an interrupt from the keyboard reaches all of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(job: SweepJob, number: int) -> BacktestSummary:
    combination = job.combinations[number]
    config = combination.configured(job.config)
    strategies = build(job.specs, combination.parameters)
    venue = open_venue(job.venue, config, SystemClock())
    try:
        return run_backtest(config, venue, job.span, strategies).summary
    except PredsurvError as error:  # says which run it was
        label = ", ".join(f"{name}={value}" for name, value in combination.label)
        raise type(error)(f"{label}: {error}") from error
    finally:
        asyncio.run(venue.aclose())
