"""``execution.gateway.AccountReader`` for Polymarket: the account in REST, and its private channel."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, TypeVar

from predsurv.core.errors import WireError
from predsurv.core.events import Malformed
from predsurv.core.ids import InstrumentKey, MarketId
from predsurv.core.num import Size
from predsurv.ports import Clock
from predsurv.venues.account_reports import AccountReport, OrderReport, PositionReport, TradeReport
from predsurv.venues.execution.gateway import AccountChannel, AccountState
from predsurv.venues.polymarket.account.decoder import AccountDecoder, CollateralBalance, ReportPage, read_balance
from predsurv.venues.polymarket.execution.session import BALANCES, ClobSession, next_page
from predsurv.venues.polymarket.orders.api_keys import ApiKey
from predsurv.venues.polymarket.orders.exchanges import is_position_id
from predsurv.venues.polymarket.wire import PING, PONG
from predsurv.venues.requests import Query

_S: Final = 1_000_000_000
Row = TypeVar("Row", OrderReport, TradeReport)


class ClobAccountReader:
    """Reads the account of one API key; ``signature_type`` says whose balances are asked for."""

    def __init__(
        self,
        session: ClobSession,
        decoder: AccountDecoder,
        channel: Callable[[], AccountChannel],
        clock: Clock,
        *,
        signature_type: int,
    ) -> None:
        self.decoder = decoder
        self._session, self._channel, self._clock = session, channel, clock
        self._signature_type = signature_type

    async def account(self, since: int, keys: Collection[InstrumentKey]) -> AccountState:
        """Read open orders, trades, balances; raises PredsurvError, also for a row that cannot be read."""
        ts = self._clock.now()
        orders = _all_of(await self._rows("/data/orders", (), self.decoder.orders_page), OrderReport)
        trades = await self.trades(since)
        cash = await self.balance()
        positions = [await self._position(key) for key in sorted(keys)]
        return AccountState(ts, cash.balance, orders, trades, tuple(positions), is_cash_whole=True)

    async def trades(self, since: int, *, market: MarketId | None = None) -> tuple[TradeReport, ...]:
        """Read the trades since a time (ns UTC), of one ``market`` or of all."""
        query: Query = (("after", str(max(since, 0) // _S)),)
        query += () if market is None else (("market", market),)
        return _all_of(await self._rows("/data/trades", query, self.decoder.trades_page), TradeReport)

    async def balance(self, token: str | None = None) -> CollateralBalance:
        """Read cash, or the shares of a token, with what each contract may take of it."""
        kind = "COLLATERAL" if token is None else "CONDITIONAL-V2" if is_position_id(int(token)) else "CONDITIONAL"
        query: Query = (("asset_type", kind), ("signature_type", str(self._signature_type)))
        query += () if token is None else (("token_id", token),)
        return read_balance(await self._session.read(BALANCES, query))

    def channel(self) -> AccountChannel:
        """Return the user channel, for one connection."""
        return self._channel()

    async def _position(self, key: InstrumentKey) -> PositionReport:
        held = await self.balance(key.instrument_id)
        return PositionReport(key, self._clock.now(), Size(held.balance))

    async def _rows(self, path: str, query: Query, read: Callable[[bytes, int], ReportPage]) -> Sequence[AccountReport]:
        found, pages, asked = list[AccountReport](), list[ReportPage](), query
        while True:
            page = read(await self._session.read(path, asked), self._clock.now())
            pages.append(page)
            found += page.reports
            following = next_page(query, page.next_cursor, pages)
            if following is None:
                return found
            asked = following


class ClobUserChannel:
    """One connection of the user channel; its first ``PONG`` says that the credentials were taken."""

    def __init__(self, url: str, key: ApiKey, decoder: AccountDecoder) -> None:
        self._url, self._key, self._decoder = url, key, decoder

    @property
    def url(self) -> str:
        """Where to connect."""
        return self._url

    def headers(self) -> Mapping[str, str] | None:
        """Return None: the first message says who we are."""
        return None

    def greeting(self) -> Sequence[bytes]:
        """Return the subscription to everything of the account."""
        return (self._key.subscription(),)

    def keepalive(self) -> bytes | None:
        """Return ``PING``."""
        return PING

    def decode(self, frame: bytes, ts_recv: int) -> Sequence[AccountReport]:
        """Return what a frame tells."""
        return self._decoder.frame(frame, ts_recv)

    def is_ready(self, frame: bytes) -> bool:
        """Return whether the venue answers: a connection with wrong credentials is dropped."""
        return frame == PONG


def _all_of(rows: Sequence[AccountReport], kind: type[Row]) -> tuple[Row, ...]:
    """Return ``rows``, all of one kind; raises WireError for one that cannot be read: nothing may be missing here."""
    for row in rows:
        if isinstance(row, Malformed):
            raise WireError(f"a row of the account cannot be read: {row.detail}")
    return tuple(row for row in rows if isinstance(row, kind))
