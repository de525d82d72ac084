"""The mock venue's catalogue: its markets in pages, and rows that cannot be read."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec.structs import replace

from predsurv.core.ids import EventId
from predsurv.core.market import Market
from predsurv.core.num import parse_price
from predsurv.exchange.world import VENUE, malformed_rows
from predsurv.ports import UNREADABLE, MarketQuery, ScanIssue
from predsurv.venues.mock.clocked_exchange import ClockedExchange

PAGE_ROWS_MAX: Final = 100
_PAGE_NS: Final = 5_000_000
_CLOSED: Final = frozenset({"closed", "resolved", "void"})


class MockCatalog:
    """One reading of the market list, as it is when the reading begins; ``start`` starts the exchange."""

    def __init__(self, start: Callable[[], ClockedExchange], markets: int) -> None:
        self._start = start
        self._malformed_rows = malformed_rows(markets)
        self._issues: list[ScanIssue] = []
        self._pages = 0

    async def markets(self, query: MarketQuery) -> AsyncIterator[Market]:
        """Yield each matching market once, in order of listing."""
        clocked = self._start()
        while clocked.pump():
            await clocked.clock.sleep(0)
        rows = clocked.exchange.markets()
        left = query.limit or len(rows)
        for start in range(0, len(rows), PAGE_ROWS_MAX):
            await clocked.clock.sleep(_PAGE_NS)
            self._pages += 1
            if not start:
                self._read_malformed_rows()
            for market in rows[start : start + PAGE_ROWS_MAX]:
                if left and _matches(market, query):
                    left -= 1
                    yield replace(market, fetched_at=clocked.clock.now())
            if not left:
                return

    @property
    def issues(self) -> Sequence[ScanIssue]:
        """The unreadable rows so far."""
        return tuple(self._issues)

    @property
    def left_out(self) -> Mapping[str, int]:
        """The number of unreadable rows so far."""
        return {UNREADABLE: len(self._issues)} if self._issues else {}

    @property
    def incomplete_events(self) -> AbstractSet[EventId]:
        """Empty: the rows that cannot be read are events of their own."""
        return frozenset()

    @property
    def pages(self) -> int:
        """Pages fetched so far."""
        return self._pages

    async def aclose(self) -> None:
        """Nothing is held open."""

    def _read_malformed_rows(self) -> None:
        for number, row in enumerate(self._malformed_rows):
            try:
                parse_price(row["tick_size"])
            except ValueError as error:
                where = f"page 1, row {PAGE_ROWS_MAX + number}, {row['market_id']}"
                self._issues.append(ScanIssue(VENUE, where, f"tick_size: {error}"))


def _matches(market: Market, query: MarketQuery) -> bool:
    return (
        (query.include_closed or market.status not in _CLOSED)
        and (market.volume or 0) >= query.min_volume
        and (market.liquidity or 0) >= query.min_liquidity
    )
