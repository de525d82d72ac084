"""Read the catalogues of the venues and write each one's universe file.

Kept apart from the command so that a schedule or a test runs the same scan without a terminal.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.errors import IntegrityError, PermanentError, TransientError, WireError
from predsurv.core.ids import EventId, VenueName
from predsurv.core.market import Market
from predsurv.ports import Catalog, Clock, MarketQuery, ScanIssue, Venue
from predsurv.scan.eligibility import OVER, eligible
from predsurv.scan.totals import ScanCounter, ScanTotals

VENUES_AT_ONCE: Final = 4
ISSUES_KEPT_MAX: Final = 20
UNREADABLE_MAX: Final = 100
UNREADABLE_SHARE_MAX: Final = 0.05
"""With more unreadable rows than both of these the venue speaks another language now, and the old file is better."""

PROGRESS_EVERY: Final = 100
"""Markets between two calls of the progress callback."""


class UniverseSink(Protocol):
    """Where one venue's markets go; nothing is visible to readers before ``commit``."""

    def write(self, market: Market) -> None:
        """Take one market; raises OSError."""
        ...

    def doubt(self, events: AbstractSet[EventId]) -> None:
        """Take back, also from what was written, that one market of each of ``events`` must pay; raises OSError."""
        ...

    def commit(self) -> Path:
        """Put the new file in the place of the old one and return its path; raises OSError."""
        ...

    def abort(self) -> None:
        """Forget what was written; the old file stays. Safe after ``commit``."""
        ...


class ScanProgress(NamedTuple):
    """How far one venue's scan is."""

    venue: VenueName
    markets: int
    pages: int
    done: bool


class VenueScan(Struct, frozen=True):
    """What became of one venue's scan.

    ``path`` is the new universe file; None with ``failure``, the one line that says why the old file was kept.
    ``left_out``: markets the query excludes. ``issues``: the first rows that could not be read of ``issues_count``.
    """

    venue: VenueName
    totals: ScanTotals
    categories: Mapping[str, ScanTotals]
    left_out: int
    pages: int
    issues_count: int
    issues: tuple[ScanIssue, ...]
    duration: int
    path: Path | None
    failure: str | None = None


class Scanner(NamedTuple):
    """What to scan for and with what."""

    queries: Mapping[VenueName, MarketQuery]
    sink: Callable[[VenueName], UniverseSink]
    clock: Clock
    progress: Callable[[ScanProgress], None]


async def scan_venues(venues: Sequence[Venue], scan: Scanner) -> list[VenueScan]:
    """Scan all venues, a few at the same time, and return what became of each in their order.

    A venue that fails keeps its old file and does not disturb the others. OSError (disk) stops everything.
    """
    turnstile = asyncio.Semaphore(VENUES_AT_ONCE)

    async def turn(venue: Venue) -> VenueScan:
        async with turnstile:
            return await _scan_venue(venue, scan)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(turn(venue)) for venue in venues]
    return [task.result() for task in tasks]


async def _scan_venue(venue: Venue, scan: Scanner) -> VenueScan:
    began = scan.clock.monotonic()
    catalog, sink = venue.catalog(), scan.sink(venue.name)
    tally = ScanCounter(scan.clock.now())
    left_out, path, failure = 0, None, None
    try:
        left_out = await _stream(catalog, sink, tally, (venue.name, scan))
        path = sink.commit()
    except (TransientError, PermanentError, WireError, IntegrityError) as error:
        failure = str(error)
    finally:
        sink.abort()
        await catalog.aclose()
    scan.progress(ScanProgress(venue.name, tally.total.markets, catalog.pages, done=True))
    return VenueScan(
        venue=venue.name,
        totals=tally.total,
        categories=tally.by_category(),
        left_out=left_out,
        pages=catalog.pages,
        issues_count=len(catalog.issues),
        issues=tuple(catalog.issues[:ISSUES_KEPT_MAX]),
        duration=scan.clock.monotonic() - began,
        path=path,
        failure=failure,
    )


async def _stream(catalog: Catalog, sink: UniverseSink, tally: ScanCounter, where: tuple[VenueName, Scanner]) -> int:
    """Write every eligible market as it arrives; return how many were left out; raises when there were too few."""
    name, scan = where
    query, left_out = scan.queries[name], 0
    # A filtered or cut-off list may miss a market of an event: then nobody can vouch that one of the rest will pay.
    whole = not (query.min_volume or query.min_liquidity or query.limit)
    doubted: set[EventId] = set()
    async for market in catalog.markets(query):
        if not eligible(market, query):
            left_out += 1
            if market.status not in OVER:
                doubted.add(market.event_id)
            continue
        sink.write(market if whole else replace(market, exhaustive=False))
        tally.add(market)
        if tally.total.markets % PROGRESS_EVERY == 0:
            scan.progress(ScanProgress(name, tally.total.markets, catalog.pages, done=False))
        if tally.total.markets == query.limit:
            break
    if tally.total.markets + left_out == 0:
        raise PermanentError("the venue listed no readable market, which cannot be right; try again later")
    unreadable, rows = len(catalog.issues), tally.total.markets + left_out + len(catalog.issues)
    if unreadable > UNREADABLE_MAX and unreadable > rows * UNREADABLE_SHARE_MAX:
        raise PermanentError(
            f"{unreadable:,} of {rows:,} rows cannot be read ({catalog.issues[0].detail}); report this"
        )
    sink.doubt(doubted | catalog.doubted)
    return left_out
