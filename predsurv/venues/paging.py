"""Reading a venue's market list page by page: the chain of cursors, unreadable rows, and which markets match.

Adapters must not import one another, so what their catalogues have in common lives here.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from predsurv.core.errors import PermanentError
from predsurv.core.ids import VenueName
from predsurv.core.market import Market
from predsurv.core.text import sanitise
from predsurv.ports import FILTERED, MarketQuery, ScanIssue
from predsurv.venues.parsing import ISSUE_CHARS_MAX

ISSUES_MAX: Final = 10_000
FIELDS_MAX: Final = 100
"""Most fields of which issues are kept."""

_OVER: Final = frozenset({"closed", "resolved", "void"})

Page = TypeVar("Page")


async def cursor_pages(
    fetch: Callable[[str | None], Coroutine[Any, Any, Page]],
    cursor_of: Callable[[Page], str | None],
    *,
    pages_max: int,
    circular: str,
) -> AsyncGenerator[Page, None]:
    """Yield every page of a chain of cursors; the next page is fetched while the consumer reads the present one.

    ``fetch`` gets the cursor of a page, None for the first; the page whose ``cursor_of`` is empty is the last.
    Raises what ``fetch`` raises, and PermanentError with the message ``circular`` when a cursor is repeated or
    there are more than ``pages_max``.
    """
    cursors: set[str] = set()
    coming = asyncio.create_task(fetch(None))
    try:
        while True:
            page = await coming
            cursor = cursor_of(page)
            if cursor:
                if cursor in cursors or len(cursors) >= pages_max:
                    raise PermanentError(circular)
                cursors.add(cursor)
                coming = asyncio.create_task(fetch(cursor))
            yield page
            if not cursor:
                return
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


class ScanIssues:
    """What could not be read in one reading of a venue's lists, and how many rows were left out of it by reason.

    The first ``ISSUES_MAX`` rows are kept, and of each field that was unreadable in a market the first one.
    """

    def __init__(self, venue: VenueName) -> None:
        self.left_out: Counter[str] = Counter()
        self._venue = venue
        self._rows: list[ScanIssue] = []
        self._fields: dict[str, ScanIssue] = {}

    @property
    def found(self) -> list[ScanIssue]:
        """The issues so far, those of fields first."""
        return [*self._fields.values(), *self._rows]

    def add(self, where: str, detail: str) -> None:
        """Record that what stands at ``where`` could not be read."""
        if len(self._rows) < ISSUES_MAX:
            where, detail = sanitise(where, ISSUE_CHARS_MAX), sanitise(detail, ISSUE_CHARS_MAX)
            self._rows.append(ScanIssue(self._venue, where, detail))

    def add_field(self, name: str, where: str, detail: str) -> None:
        """Record that field ``name`` of the market at ``where``, which is listed all the same, could not be read."""
        known = self._fields.get(name)
        if known is not None:
            self._fields[name] = replace(known, kept=known.kept + 1)
        elif len(self._fields) < FIELDS_MAX:
            detail = sanitise(f"first at {where}: {detail}", ISSUE_CHARS_MAX)
            self._fields[name] = ScanIssue(self._venue, sanitise(f"field {name}", ISSUE_CHARS_MAX), detail, 1)


class MarketFilter:
    """The markets that match ``query``, each once; rows move between pages while a list is read.

    ``identity`` returns the key of a market. ``full``: the query's limit is reached. Markets whose amounts the query
    excludes are counted in ``left_out``.
    """

    def __init__(
        self, query: MarketQuery, identity: Callable[[Market], object], left_out: Counter[str] | None = None
    ) -> None:
        self.full = False
        self._query = query
        self._identity = identity
        self._left_out = Counter[str]() if left_out is None else left_out
        self._excluded: set[object] = set()
        self._seen: set[object] = set()

    def select(self, markets: Iterable[Market]) -> Iterator[Market]:
        """Yield those of ``markets`` that match and were not selected before, up to the limit."""
        for market in markets:
            identity = self._identity(market)
            if identity in self._seen or _is_over(market, self._query):
                continue
            if not _has_enough(market, self._query):
                self._left_out[FILTERED] += identity not in self._excluded
                self._excluded.add(identity)
                continue
            self._seen.add(identity)
            yield market
            if len(self._seen) == self._query.limit:
                self.full = True
                return


def _is_over(market: Market, query: MarketQuery) -> bool:
    return market.status in _OVER and not query.include_closed


def _has_enough(market: Market, query: MarketQuery) -> bool:
    return (market.volume or 0) >= query.min_volume and (market.liquidity or 0) >= query.min_liquidity
