"""The requests to the CLOB's public REST interface: books, and the state and terms of a market.

Separate from ``rest_audit`` and ``market_lookup``, which decide what to ask, so that tests can answer in its place.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from predsurv.core.errors import TransientError, WireError
from predsurv.core.text import sanitise
from predsurv.net.http import Http
from predsurv.net.rate_limiter import TokenBucket
from predsurv.venues.parsing import DETAIL_CHARS_MAX
from predsurv.venues.polymarket.gamma_row import NULL, read_leniently
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.rest_comparison import BookSummary, read_summaries

Answer = TypeVar("Answer")

MARKET_ID: Final = re.compile(r"0x[0-9a-fA-F]{1,128}\Z")
"""What an id has to be before it becomes part of a URL."""


class ClobToken(Struct, gc=False):
    """``{"token_id":"1050…","outcome":"Yes","price":1,"winner":true}``; a new market's have no id for minutes."""

    token_id: str = ""
    winner: bool | None = None
    price: Raw = NULL
    outcome: str = ""


class ClobMarket(Struct, gc=False):
    """``{"condition_id":"0xd57e…","closed":true,"is_50_50_outcome":false,"enable_order_book":true,
    "accepting_orders":true,"minimum_order_size":5,"minimum_tick_size":0.01,"seconds_delay":0,"tokens":[…],…}``
    """

    closed: bool | None = None
    is_50_50_outcome: bool | None = None
    tokens: list[ClobToken] = []
    active: bool | None = None
    archived: bool | None = None
    enable_order_book: bool | None = None
    accepting_orders: bool | None = None
    neg_risk: bool | None = None
    minimum_order_size: Raw = NULL
    minimum_tick_size: Raw = NULL
    seconds_delay: Raw = NULL
    game_start_time: Raw = NULL


class TermsToken(Struct, gc=False):
    """``{"t":"7132…","o":"Yes"}``."""

    t: str = ""
    o: str = ""


class TermsFee(Struct, gc=False):
    """``{"r":0.02,"e":2,"to":true}``."""

    r: Raw = NULL
    e: Raw = NULL


class ClobTerms(Struct, gc=False):
    """The terms of a market in short: ``{"c":"0xbd31…","t":[{"t":"7132…","o":"Yes"},…],"mos":5,"mts":0.01,"nr":true,
    "fd":{"r":0.02,"e":2,"to":true},"itode":true,"sd":3,"gst":null,"ao":true,"rfqe":false,"v":"v1",…}``.

    ``fd`` is missing where takers pay nothing, ``nr`` where it is false; ``itode`` is a delay of takers, or whether
    there is one.
    """

    t: list[TermsToken] = []
    ao: bool | None = None
    mos: Raw = NULL
    mts: Raw = NULL
    nr: bool | None = None
    fd: Raw = NULL
    itode: Raw = NULL
    sd: Raw = NULL
    gst: Raw = NULL
    rfqe: bool | None = None
    v: str | None = None


read_terms_fee = msgspec.json.Decoder(TermsFee).decode
_read_market: Final = msgspec.json.Decoder(ClobMarket).decode
_read_terms: Final = msgspec.json.Decoder(ClobTerms).decode


def read_market(body: bytes) -> ClobMarket:
    """Read the state of a market; an unreadable field costs no other. Raises ValueError or RecursionError."""
    try:
        return _read_market(body)
    except msgspec.ValidationError:
        return read_leniently(body, ClobMarket, {"tokens": ClobToken})


def read_terms(body: bytes) -> ClobTerms:
    """Read the terms of a market; an unreadable field costs no other. Raises ValueError or RecursionError."""
    try:
        return _read_terms(body)
    except msgspec.ValidationError:
        return read_leniently(body, ClobTerms, {"t": TermsToken})


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
        return _decoded(reply.body, read_summaries, "books")

    async def market(self, market_id: str) -> ClobMarket:
        """Return the state of a market; raises PredsurvError."""
        body = await self._http.get(f"{self._url}/markets/{market_id}", limiter=self._limiter)
        return _decoded(body, read_market, "market")

    async def new_market(self, market_id: str) -> ClobMarket | None:
        """Return the state of a market, None while the CLOB does not know it; asks once. Raises PredsurvError."""
        return await self._once(f"markets/{market_id}", read_market)

    async def terms(self, market_id: str) -> ClobTerms | None:
        """Return the terms of a market, None while the CLOB does not know it; asks once. Raises PredsurvError."""
        return await self._once(f"clob-markets/{market_id}", read_terms)

    async def _once(self, path: str, read: Callable[[bytes], Answer]) -> Answer | None:
        reply = await self._http.send_once("GET", f"{self._url}/{path}", limiter=self._limiter)
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise TransientError(f"{VENUE}: /{path} answered HTTP {reply.status}")
        return _decoded(reply.body, read, "market")


def _decoded(body: bytes, read: Callable[[bytes], Answer], what: str) -> Answer:
    try:
        return read(body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"{VENUE}: unreadable {what}: {sanitise(str(error), DETAIL_CHARS_MAX)}") from None
