"""Compaction of closed hours, and removal of expired ones, in a process of its own.

Merging an hour takes hundreds of megabytes for half a minute, rewriting a day's coverage some ten, which the allocator
returns late or never, and both hold the interpreter lock now and then: neither may happen in the recording process.
"""

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from threading import Event
from typing import Final

from msgspec import Struct

from predsurv.collect.worker_process import Ask, run_in_worker
from predsurv.core.errors import disk_refused
from predsurv.core.ids import VenueName
from predsurv.net.clock import ManualClock, SystemClock
from predsurv.store.layout import HOURLY, Layout, parse_file
from predsurv.store.manifest import SealedFile
from predsurv.store.seal.compact import CompactOptions, CompactReport, compact_closed
from predsurv.store.seal.retention import ExpireReport, RetentionPolicy, expire

RollUp = Callable[[Path, VenueName, str, int], None]
"""Measures the merged hours of a day (YYYY-MM-DD), so many rows at a time.

It is known by its name, ``module:function``, as it needs libraries that a recording has no use for (60 MB).
"""

ROLL_UP_ROWS: Final = 1_000_000
"""Rows in memory at a time while merged hours are measured: some hundred megabytes."""


class _CompactTerms(Struct, frozen=True):
    layout: Layout
    collector: str
    compression_level: int


class _RollUpTerms(Struct, frozen=True):
    roll_up: str
    layout: Layout
    days: list[tuple[VenueName, str]]


class _ExpireTerms(Struct, frozen=True):
    """``RetentionPolicy`` without its functions; ``confirms``: the recording confirms. ``now``: ns UTC."""

    layout: Layout
    now: int
    max_age: int
    max_bytes: int
    compression_level: int
    confirms: bool


def compact_in_process(layout: Layout, collector: str, compression_level: int, stopping: Event) -> CompactReport:
    """Run ``compact_closed`` in a process and wait for it; kill it, as a crash would, when ``stopping`` is set.

    Raises as ``compact_closed``, and TransientError when the process dies or cannot be started.
    """
    terms = _CompactTerms(layout, collector, compression_level)
    return run_in_worker(_compact, terms, stopping) or CompactReport()


def roll_up_in_process(layout: Layout, merged: Iterable[SealedFile], roll_up: str, stopping: Event) -> None:
    """Call ``roll_up`` in a process for each day with hours among ``merged`` files; kill it once ``stopping`` is set.

    Raises the PredsurvError that it raises, and TransientError when the process dies or cannot be started.
    """
    hours = [parse_file(Path(file.path))[0] for file in merged]
    days = sorted({(each.venue, each.date) for each in hours if each.dataset in HOURLY})
    if days:
        run_in_worker(_roll_up, _RollUpTerms(roll_up, layout, days), stopping)


def expire_in_process(layout: Layout, now: int, policy: RetentionPolicy, stopping: Event) -> ExpireReport:
    """Run ``expire`` of ``now`` (ns UTC) in a process and wait for it; kill it when ``stopping`` is set.

    ``policy.confirm`` is called here, ``policy.on_step`` is not. Raises as ``expire`` and ``confirm``, and
    TransientError when the process dies or cannot be started.
    """
    limits = (policy.max_age, policy.max_bytes, policy.compression_level)
    terms = _ExpireTerms(layout, now, *limits, confirms=policy.confirm is not None)
    return run_in_worker(_expire, terms, stopping, policy.confirm) or ExpireReport()


def _compact(terms: _CompactTerms, _: Ask) -> CompactReport:
    options = CompactOptions(compression_level=terms.compression_level)
    return compact_closed(terms.layout, terms.collector, SystemClock(), options)


def _roll_up(terms: _RollUpTerms, _: Ask) -> None:
    module, function = terms.roll_up.split(":")
    roll_up: RollUp = getattr(import_module(module), function)
    for venue, date in terms.days:
        try:
            roll_up(terms.layout.data_dir, venue, date, ROLL_UP_ROWS)
        except OSError as error:
            raise disk_refused(f"cannot measure the hours of {date}", error) from error


def _expire(terms: _ExpireTerms, ask: Ask) -> ExpireReport:
    confirm = ask if terms.confirms else None
    policy = RetentionPolicy(terms.max_age, terms.max_bytes, terms.compression_level, confirm)
    return expire(terms.layout, ManualClock(terms.now), policy)
