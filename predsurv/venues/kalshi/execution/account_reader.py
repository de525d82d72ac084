"""``execution.gateway.AccountReader`` for Kalshi: the portfolio in REST, and the private channels."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from predsurv.core.errors import WireError
from predsurv.core.events import Malformed, MarketResolved
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import Size
from predsurv.ports import Clock
from predsurv.venues.account_reports import AccountReport, OrderReport, PositionReport, TradeReport
from predsurv.venues.execution.gateway import AccountChannel, AccountState
from predsurv.venues.kalshi.account.decoder import (
    Collateral,
    PortfolioPage,
    decode_frame,
    fills_page,
    orders_page,
    positions_page,
    read_balance,
    settlements_page,
)
from predsurv.venues.kalshi.execution.session import KalshiSession
from predsurv.venues.requests import Query

PAGES_MAX: Final = 200
"""Most pages that are read of one list."""
PAGE_ROWS: Final = "1000"
CHANNELS: Final = ("fill", "user_orders")
GROUP_CHANNEL: Final = "order_group_updates"

_S: Final = 1_000_000_000
Row = TypeVar("Row", OrderReport, TradeReport, PositionReport)


class KalshiAccountReader:
    """Reads the account of one key; its private channels are at ``ws_url``, that of order ``groups`` where wanted."""

    def __init__(self, session: KalshiSession, ws_url: str, clock: Clock, *, groups: bool = False) -> None:
        self._session, self._ws_url, self._clock = session, ws_url, clock
        self._channels = (*CHANNELS, GROUP_CHANNEL) if groups else CHANNELS

    async def account(self, since: int, keys: Collection[InstrumentKey]) -> AccountState:
        """Read resting orders, fills, positions and cash; raises PredsurvError, also for an unreadable row."""
        ts = self._clock.now()
        orders = await self.orders((("status", "resting"),))
        trades = await self.fills((("min_ts", str(max(since, 0) // _S)),))
        held = await self._rows("/portfolio/positions", (), positions_page, PositionReport)
        settled = await self.settlements(since)
        cash = await self.balance()
        reported = {each.key: each for each in held if each.size}
        for key in keys:
            reported.setdefault(key, PositionReport(key, ts, Size(0)))
        positions = tuple(reported[key] for key in sorted(reported))
        return AccountState(ts, cash.cash, orders, trades, positions, settlements=settled)

    async def orders(self, query: Query) -> tuple[OrderReport, ...]:
        """Read the orders that ``query`` selects."""
        return await self._rows("/portfolio/orders", query, orders_page, OrderReport)

    async def fills(self, query: Query) -> tuple[TradeReport, ...]:
        """Read the fills that ``query`` selects."""
        return await self._rows("/portfolio/fills", query, fills_page, TradeReport)

    async def settlements(self, since: int) -> tuple[MarketResolved, ...]:
        """Read what markets paid since a time (ns UTC)."""
        found = list[MarketResolved]()
        base: Query = (("min_ts", str(max(since, 0) // _S)), ("limit", PAGE_ROWS))
        query = base
        for _ in range(PAGES_MAX):
            page = settlements_page(await self._session.read("/portfolio/settlements", query), self._clock.now())
            found += page.settlements
            if page.next_cursor is None:
                return tuple(found)
            query = (*base, ("cursor", page.next_cursor))
        raise WireError(f"/portfolio/settlements has more than {PAGES_MAX} pages")

    async def balance(self) -> Collateral:
        """Read the cash of the account and of its shards."""
        return read_balance(await self._session.read("/portfolio/balance"))

    def channel(self) -> AccountChannel:
        """Return the private channels, for one connection."""
        return KalshiUserChannel(self._ws_url, self._session, self._channels)

    async def _rows(
        self, path: str, query: Query, read: Callable[[bytes, int], PortfolioPage], kind: type[Row]
    ) -> tuple[Row, ...]:
        found = list[AccountReport]()
        base: Query = (*query, ("limit", PAGE_ROWS))
        asked = base
        for _ in range(PAGES_MAX):
            page = read(await self._session.read(path, asked), self._clock.now())
            found += page.reports
            if page.next_cursor is None:
                return tuple(expected(row, kind) for row in found)
            asked = (*base, ("cursor", page.next_cursor))
        raise WireError(f"{path} has more than {PAGES_MAX} pages")


def expected(report: AccountReport, kind: type[Row]) -> Row:
    """Return a report that is of this kind; raises WireError for one that cannot be read: nothing may be missing."""
    if not isinstance(report, kind):
        what = report.detail if isinstance(report, Malformed) else getattr(report, "kind", "")
        raise WireError(f"a row of the account cannot be read: {what}")
    return report


class _Acknowledgement(Struct, gc=False):
    """``{"id":1,"type":"subscribed","msg":{"channel":"fill","sid":1}}``: one for each channel."""

    type: str | None = None


class KalshiUserChannel:
    """One connection of private ``channels``, of all markets."""

    def __init__(self, url: str, session: KalshiSession, channels: Sequence[str] = CHANNELS) -> None:
        self._url, self._session, self._channels = url, session, channels
        self._subscribed = 0

    @property
    def url(self) -> str:
        """Where to connect."""
        return self._url

    def headers(self) -> Mapping[str, str] | None:
        """Return the signed headers of the handshake."""
        return self._session.handshake(self._url)

    def greeting(self) -> Sequence[bytes]:
        """Return the subscription; without tickers it is to everything of the account."""
        return (msgspec.json.encode({"id": 1, "cmd": "subscribe", "params": {"channels": self._channels}}),)

    def keepalive(self) -> bytes | None:
        """Return None: the venue pings."""
        return None

    def decode(self, frame: bytes, ts_recv: int) -> Sequence[AccountReport]:
        """Return what a frame tells."""
        return (decode_frame(frame, ts_recv),)

    def is_ready(self, frame: bytes) -> bool:
        """Return whether all channels are subscribed now."""
        try:
            kind = msgspec.json.decode(frame, type=_Acknowledgement).type
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        self._subscribed += kind == "subscribed"
        return self._subscribed == len(self._channels)
