"""The requests to the CLOB's public REST interface: books and the state of a market.

Separate from ``rest_audit``, which decides what to ask, so that tests can answer in its place.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.errors import TransientError, WireError
from predsurv.core.events import MarketResolved
from predsurv.core.ids import InstrumentId, InstrumentKey
from predsurv.core.num import ONE, Price
from predsurv.core.text import sanitise
from predsurv.net.http import Http
from predsurv.net.rate_limiter import TokenBucket
from predsurv.venues.parsing import DETAIL_CHARS_MAX
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.rest_comparison import BookSummary, read_summaries

_HALF: Final = Price(ONE // 2)


class ClobToken(Struct, gc=False):
    """``{"token_id":"1050…","outcome":"Yes","price":1,"winner":true}``."""

    token_id: str
    winner: bool | None = None


class ClobMarket(Struct, gc=False):
    """``{"condition_id":"0xd57e…","closed":true,"is_50_50_outcome":false,"tokens":[…],…}``."""

    closed: bool | None = None
    is_50_50_outcome: bool | None = None
    tokens: list[ClobToken] = []


read_market = msgspec.json.Decoder(ClobMarket).decode


def settlement(market: ClobMarket, key: InstrumentKey, ts_recv: int) -> MarketResolved | None:
    """Return the settlement of the market of ``key``, None while its payouts are not known."""
    names = [token.token_id for token in market.tokens]
    winners = [token.token_id for token in market.tokens if token.winner]
    if not market.closed or key.instrument_id not in names:
        return None
    if len(winners) == 1:
        pays = {name: ONE if name in winners else Price(0) for name in names}
    elif market.is_50_50_outcome and len(names) == 2:
        pays = dict.fromkeys(names, _HALF)
    else:
        return None
    payouts = tuple((InstrumentId(name), price) for name, price in pays.items())
    return MarketResolved(VENUE, key.market_id, ts_recv, None, payouts, void=len(winners) != 1)


class ClobRest:
    """The interface at ``clob_url``; ``http`` belongs to the venue."""

    def __init__(self, clob_url: str, http: Http, limiter: TokenBucket) -> None:
        self._url = clob_url.rstrip("/")
        self._http = http
        self._limiter = limiter

    async def books(self, tokens: Sequence[str]) -> dict[str, BookSummary]:
        """Return the books of ``tokens`` by token; settled tokens have none. Raises PredsurvError."""
        body = msgspec.json.encode([{"token_id": token} for token in tokens])
        reply = await self._http.send_once("POST", f"{self._url}/books", body=body, limiter=self._limiter)
        if reply.status != 200:
            raise TransientError(f"{VENUE}: /books answered HTTP {reply.status}")
        try:
            return read_summaries(reply.body)
        except (ValueError, RecursionError) as error:
            raise WireError(f"{VENUE}: unreadable books: {sanitise(str(error), DETAIL_CHARS_MAX)}") from None

    async def market(self, market_id: str) -> ClobMarket:
        """Return the state of a market; raises PredsurvError."""
        body = await self._http.get(f"{self._url}/markets/{market_id}", limiter=self._limiter)
        try:
            return read_market(body)
        except (ValueError, RecursionError) as error:
            raise WireError(f"{VENUE}: unreadable market: {sanitise(str(error), DETAIL_CHARS_MAX)}") from None
