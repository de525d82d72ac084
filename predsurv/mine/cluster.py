"""Measure days on a dask cluster: the only user of ``distributed``, an optional dependency.

A task is a day of a venue, or, where there are more workers than days, some of a day's instruments. A worker reads the
day itself, from the bucket or from a folder that it shares, and measures it with the functions that a single machine
uses; what it found comes back and is put together and added up here, oldest day first. What is summed is summed within
an instrument, by one worker: so the result is the same to the last digit on any number of them, and when one dies in
the middle its tasks are done by another. Workers of another version, or with other sources, are refused before anything
is asked of them.
"""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from predsurv import __version__
from predsurv.core import native
from predsurv.core.errors import ConfigError, SafetyError, TransientError
from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.mine.day_measures import measure_day, measure_part, remember, remembered
from predsurv.mine.day_results import DayMeasures, put_together
from predsurv.mine.hour_rollups import has_hours
from predsurv.mine.observed_day import WHOLE, DayPart
from predsurv.mine.recorded_days import MiningDay
from predsurv.mine.rollup_keys import program_digest
from predsurv.store.layout import Layout
from predsurv.store.remote.download import DownloadRequest, fetch_missing
from predsurv.store.remote.object_store import Bucket, BucketLocation, open_bucket

CONNECT_SECONDS_MAX: Final = 20.0
_MISSING: Final = "a cluster needs dask: pip install 'predsurv[cluster]', in a checkout pip install distributed"
_TRIES: Final = 3
"""How often a task is begun again whose worker died."""

Progress = Callable[[int, int], None]
"""Told how many tasks are done, of how many."""


class WorkerData(NamedTuple):
    """Where workers read: ``bucket``, or else ``data_dir``, which each of them has to have under that path."""

    data_dir: Path
    bucket: BucketLocation | None = None


class Program(NamedTuple):
    """Which predsurv a worker runs."""

    version: str
    digest: str


def measure_on_cluster(
    address: str, data: WorkerData, days: Sequence[MiningDay], progress: Progress = lambda *_: None
) -> list[DayMeasures]:
    """Return what was measured of each of ``days``, in their order, by the cluster whose scheduler is at ``address``.

    Raises ConfigError without dask or workers, SafetyError when a worker runs another predsurv, TransientError when the
    scheduler does not answer or workers keep dying, and what ``measure_day`` raises.
    """
    distributed = _distributed()
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS_MAX, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise TransientError(f"no dask scheduler answers at {sanitise(address, 80)}: {_line(error)}") from None
    with client:
        workers = client.run(_program)
        _require_same_program(workers, address)
        known = {day: kept for day in days if data.bucket is None and (kept := remembered(day)) is not None}
        tasks = _tasks(data, [day for day in days if day not in known], len(workers))
        dates = tuple(day.date for day in days)
        futures = [client.submit(_measure, data, *task, dates, pure=False, retries=_TRIES) for task in tasks]
        progress(0, len(tasks))
        found: dict[str, DayMeasures] = {}  # fetched as soon as it is there: what a worker holds dies with it
        try:
            for future, part in distributed.as_completed(futures, with_results=True, loop=client.loop):
                found[future.key] = part
                progress(len(found), len(tasks))
        except distributed.KilledWorker as error:
            raise TransientError(f"workers of {sanitise(address, 80)} die while they measure: {_line(error)}") from None
    for day in dict.fromkeys(task.day for task in tasks):
        own = [found[future.key] for task, future in zip(tasks, futures, strict=True) if task.day == day]
        known[day] = own[0] if len(own) == 1 else put_together(own)
        if data.bucket is None and len(own) > 1:
            remember(day, known[day])
    return [known[day] for day in days]


class _Task(NamedTuple):
    day: MiningDay
    part: DayPart


def _tasks(data: WorkerData, days: Sequence[MiningDay], workers: int) -> list[_Task]:
    """Return what is to be done, so that every worker has something to do; days with measured hours are not divided.

    Without the compiled module none is: how polars adds up the rows of an instrument depends on what lies beside them.
    """
    parts = 1 if native.speedups is None else -(-workers // max(1, len(days)))
    whole = {day for day in days if data.bucket is None and has_hours(day)}
    divided = {day: 1 if day in whole else parts for day in days}
    return [_Task(day, DayPart(number, divided[day])) for day in days for number in range(divided[day])]


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise ConfigError(_MISSING) from None
    return distributed


def _program() -> Program:
    return Program(__version__, program_digest())


def _require_same_program(workers: dict[str, Program], address: str) -> None:
    if not workers:
        raise ConfigError(f"the dask scheduler at {sanitise(address, 80)} has no worker")
    own = _program()
    for worker, program in sorted(workers.items()):
        if program != own:
            kind = f"predsurv {sanitise(program.version, 20)}"
            other = kind if program.version != own.version else f"{kind} of other sources"
            raise SafetyError(
                f"{sanitise(worker, 80)} runs {other}, this is {own.version}: install the same everywhere"
            )


def _measure(data: WorkerData, day: MiningDay, part: DayPart, dates: Sequence[str]) -> DayMeasures:
    if data.bucket is None:
        return _measured(day._replace(data_dir=data.data_dir), part)
    with tempfile.TemporaryDirectory(prefix="predsurv-") as folder:
        asyncio.run(_fetch(open_bucket(data.bucket), Layout(Path(folder)), day.venue, day.date, dates))
        return _measured(day._replace(data_dir=Path(folder)), part)


def _measured(day: MiningDay, part: DayPart) -> DayMeasures:
    return measure_day(day) if part == WHOLE else measure_part(day, part)


async def _fetch(bucket: Bucket, layout: Layout, venue: VenueName, date: str, dates: Sequence[str]) -> None:
    """Download a day, and the lists of all ``dates``: one machine that mines them has those too."""
    await fetch_missing(bucket, layout, DownloadRequest(venue=venue, dates=(date,)))
    await fetch_missing(bucket, layout, DownloadRequest(venue=venue, dates=dates, datasets=(), universe=True))


def _line(error: BaseException) -> str:
    return sanitise(" ".join(str(error).split()), 200) or type(error).__name__
