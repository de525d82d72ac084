"""Read the catalogues of the venues and write each one's universe file."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.errors import IntegrityError, PermanentError, TransientError, WireError
from predsurv.core.ids import EventId, VenueName
from predsurv.core.market import Market
from predsurv.ports import FILTERED, UNREADABLE, Catalog, Clock, MarketQuery, ScanIssue, Venue
from predsurv.scan.eligibility import OVER, eligible
from predsurv.scan.totals import ScanCounter, ScanTotals

VENUES_AT_ONCE: Final = 4
ISSUES_KEPT_MAX: Final = 20
UNREADABLE_MAX: Final = 100
UNREADABLE_SHARE_MAX: Final = 0.5
"""With more unreadable rows than both of these the format has changed: the old file is kept."""
PROGRESS_EVERY: Final = 100
"""Markets between two calls of the progress callback."""


class UniverseSink(Protocol):
    """Writer of one venue's markets; readers see nothing before ``commit``."""

    def write(self, market: Market) -> None:
        """Append one market; raises OSError."""
        ...

    def update(self, market: Market) -> None:
        """Update a market that an earlier scan of the day wrote, add no other; raises OSError."""
        ...

    def mark_inexhaustive(self, events: AbstractSet[EventId]) -> None:
        """Mark ``events`` as not exhaustive, also in rows already written; raises OSError."""
        ...

    def commit(self, *, whole: bool) -> Path:
        """Add the scan to the universe of the day and return its path; raises OSError.

        ``whole``: the list was read to its end and unfiltered, so that what was not written is no longer listed.
        """
        ...

    def abort(self) -> None:
        """Discard what was written; the old file stays. No effect after ``commit``."""
        ...


class ScanProgress(NamedTuple):
    """Progress of one venue's scan; ``scanning`` with no page yet: it waits for the first one."""

    venue: VenueName
    markets: int
    pages: int
    state: Literal["scanning", "done", "failed"]


class VenueScan(Struct, frozen=True):
    """Result of one venue's scan.

    ``path`` is the new universe file; None with ``failure``, the one line that says why the old file was kept.
    ``left_out``: rows that are not in it, by reason: ``filtered`` where the query excludes a market, ``unreadable``,
    and the venue's own. ``fields``: the fields that could not be read of some markets in it. ``issues``: the first rows
    that could not be read, of ``issues_count``. ``whole``: the list was read to its end and without limits of amount;
    otherwise the venue may have left out others that nobody counted. ``path`` is None too where no market is within
    the limits.
    """

    venue: VenueName
    totals: ScanTotals
    categories: Mapping[str, ScanTotals]
    left_out: Mapping[str, int]
    pages: int
    issues_count: int
    issues: tuple[ScanIssue, ...]
    duration: int
    path: Path | None
    failure: str | None = None
    fields: tuple[ScanIssue, ...] = ()
    whole: bool = True


class ScanJob(NamedTuple):
    """The settings and dependencies of a scan."""

    queries: Mapping[VenueName, MarketQuery]
    sink: Callable[[VenueName], UniverseSink]
    clock: Clock
    progress: Callable[[ScanProgress], None]


async def scan_venues(venues: Sequence[Venue], job: ScanJob) -> list[VenueScan]:
    """Scan all venues with bounded concurrency; return one result per venue, in their order.

    A venue that fails keeps its old file and does not disturb the others. OSError (disk) stops everything.
    """
    semaphore = asyncio.Semaphore(VENUES_AT_ONCE)

    async def bounded(venue: Venue) -> VenueScan:
        async with semaphore:
            return await _scan_venue(venue, job)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(bounded(venue)) for venue in venues]
    return [task.result() for task in tasks]


async def _scan_venue(venue: Venue, job: ScanJob) -> VenueScan:
    began = job.clock.monotonic()
    catalog, sink = venue.catalog(), job.sink(venue.name)
    counter = ScanCounter(job.clock.now())
    whole = _is_whole(job.queries[venue.name])
    filtered, path, failure = 0, None, None
    job.progress(ScanProgress(venue.name, 0, 0, "scanning"))
    try:
        filtered = await _stream(catalog, sink, counter, venue.name, job)
        if counter.markets or whole:
            path = await _commit(sink, whole=whole)
    except (TransientError, PermanentError, WireError, IntegrityError) as error:
        failure = str(error)
    finally:
        sink.abort()
        await catalog.aclose()
    job.progress(ScanProgress(venue.name, counter.markets, catalog.pages, "done" if failure is None else "failed"))
    rows = [issue for issue in catalog.issues if not issue.kept]
    return VenueScan(
        venue=venue.name,
        totals=counter.total,
        categories=counter.by_category(),
        left_out=_with_filtered(catalog.left_out, filtered),
        pages=catalog.pages,
        issues_count=max(len(rows), catalog.left_out.get(UNREADABLE, 0)),
        issues=tuple(rows[:ISSUES_KEPT_MAX]),
        duration=job.clock.monotonic() - began,
        path=path,
        failure=failure,
        fields=tuple(issue for issue in catalog.issues if issue.kept)[:ISSUES_KEPT_MAX],
        whole=whole,
    )


async def _commit(sink: UniverseSink, *, whole: bool) -> Path:
    """Commit in a thread: a process that also records has no second to spare.

    The thread cannot be stopped, so that this ends with it when it is cancelled.
    """
    committing = asyncio.ensure_future(asyncio.to_thread(partial(sink.commit, whole=whole)))
    try:
        return await asyncio.shield(committing)
    except asyncio.CancelledError:
        await asyncio.wait({committing})
        raise


async def _stream(catalog: Catalog, sink: UniverseSink, counter: ScanCounter, venue: VenueName, job: ScanJob) -> int:
    """Write each eligible market as it arrives; return how many the query excludes.

    Raises PermanentError when the venue listed nothing and no limit explains it, or too many rows could not be read.
    """
    query, filtered = job.queries[venue], 0
    # A filtered or truncated list may lack a market of an event, so that the rest need not contain the one that pays.
    whole = _is_whole(query)
    incomplete: set[EventId] = set()
    async for market in catalog.markets(query):
        if not eligible(market, query):
            filtered += 1
            if market.status not in OVER:
                incomplete.add(market.event_id)
            sink.update(replace(market, exhaustive=False))
            continue
        sink.write(market if whole else replace(market, exhaustive=False))
        counter.add(market)
        if counter.markets % PROGRESS_EVERY == 0:
            job.progress(ScanProgress(venue, counter.markets, catalog.pages, "scanning"))
        if counter.markets == query.limit:
            break
    if whole and counter.markets + filtered == 0:
        raise PermanentError("the venue listed no readable market, which cannot be right; try again later")
    unreadable, rows = catalog.left_out.get(UNREADABLE, 0), counter.markets + sum(catalog.left_out.values())
    rows += filtered
    if unreadable > UNREADABLE_MAX and unreadable > rows * UNREADABLE_SHARE_MAX:
        detail = next((issue.detail for issue in catalog.issues if not issue.kept), "unknown")
        raise PermanentError(f"{unreadable:,} of {rows:,} rows cannot be read ({detail}); report this")
    sink.mark_inexhaustive(incomplete | catalog.incomplete_events)
    return filtered


def _is_whole(query: MarketQuery) -> bool:
    return not (query.min_volume or query.min_liquidity or query.limit)


def _with_filtered(left_out: Mapping[str, int], filtered: int) -> Mapping[str, int]:
    counts = Counter(left_out)
    counts[FILTERED] += filtered
    return {reason: count for reason, count in sorted(counts.items()) if count}
