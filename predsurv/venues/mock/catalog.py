"""The mock venue's catalogue: its markets in pages, and a row that cannot be read.

Kept apart because a scan must be able to run without a feed or an account.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec.structs import replace

from predsurv.core.ids import EventId
from predsurv.core.market import Market
from predsurv.core.num import parse_price
from predsurv.exchange.world import VENUE, malformed_rows
from predsurv.ports import MarketQuery, ScanIssue
from predsurv.venues.mock.clocked_exchange import ClockedExchange

PAGE_ROWS_MAX: Final = 100
_PAGE_NS: Final = 5_000_000
_OVER: Final = frozenset({"closed", "resolved", "void"})


class MockCatalog:
    """One reading of the market list as it is when the reading begins."""

    def __init__(self, open_session: Callable[[], ClockedExchange], markets: int) -> None:
        self._open_session = open_session
        self._broken = malformed_rows(markets)
        self._issues: list[ScanIssue] = []
        self._pages = 0

    async def markets(self, query: MarketQuery) -> AsyncIterator[Market]:
        """Yield each matching market once, in order of listing."""
        session = self._open_session()
        while session.pump():
            await session.clock.sleep(0)
        rows = session.exchange.markets()
        left = query.limit or len(rows)
        for start in range(0, len(rows), PAGE_ROWS_MAX):
            await session.clock.sleep(_PAGE_NS)
            self._pages += 1
            if not start:
                self._read_broken()
            for market in rows[start : start + PAGE_ROWS_MAX]:
                if left and _matches(market, query):
                    left -= 1
                    yield replace(market, fetched_at=session.clock.now())
            if not left:
                return

    @property
    def issues(self) -> Sequence[ScanIssue]:
        """The unreadable rows so far."""
        return tuple(self._issues)

    @property
    def incomplete_events(self) -> AbstractSet[EventId]:
        """None: the rows that cannot be read are events of their own."""
        return frozenset()

    @property
    def pages(self) -> int:
        """Pages fetched so far."""
        return self._pages

    async def aclose(self) -> None:
        """Nothing is held open."""

    def _read_broken(self) -> None:
        for number, row in enumerate(self._broken):
            try:
                parse_price(row["tick_size"])
            except ValueError as error:
                where = f"page 1, row {PAGE_ROWS_MAX + number}, {row['market_id']}"
                self._issues.append(ScanIssue(VENUE, where, f"tick_size: {error}"))


def _matches(market: Market, query: MarketQuery) -> bool:
    return (
        (query.include_closed or market.status not in _OVER)
        and (market.volume or 0) >= query.min_volume
        and (market.liquidity or 0) >= query.min_liquidity
    )
