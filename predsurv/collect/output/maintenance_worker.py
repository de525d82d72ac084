"""Compaction of closed hours, and removal of expired ones, in a process of its own.

Merging an hour takes hundreds of megabytes for half a minute, rewriting a day's coverage some ten, which the allocator
returns late or never, and both hold the interpreter lock now and then: neither may happen in the recording process.
"""

from threading import Event

from msgspec import Struct

from predsurv.collect.worker_process import Ask, run_in_worker
from predsurv.net.clock import ManualClock, SystemClock
from predsurv.store.layout import Layout
from predsurv.store.seal.compact import CompactOptions, CompactReport, compact_closed
from predsurv.store.seal.retention import ExpireReport, RetentionPolicy, expire


class _CompactTerms(Struct, frozen=True):
    layout: Layout
    collector: str
    compression_level: int


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


def _expire(terms: _ExpireTerms, ask: Ask) -> ExpireReport:
    confirm = ask if terms.confirms else None
    policy = RetentionPolicy(terms.max_age, terms.max_bytes, terms.compression_level, confirm)
    return expire(terms.layout, ManualClock(terms.now), policy)
