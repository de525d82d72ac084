"""Private requests of one account to the CLOB: each proved anew, limited as the venue limits a signer.

The only module that sends them.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.errors import PermanentError, PredsurvError, WireError
from predsurv.net.http import Http, HttpReply, StatusError
from predsurv.net.http_errors import retry_after
from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import Clock, RequestLevel
from predsurv.venues.polymarket.execution.signer_limits import SignerLimits
from predsurv.venues.polymarket.orders.api_keys import ApiKey
from predsurv.venues.requests import JSON_HEADERS, Query, VenueRequest

_S: Final = 1_000_000_000
# Per address: 500 readings of orders or of trades in ten seconds, 200 of balances.
_READ_TOKENS: Final = 40
_READ_BURST: Final = 80
_BALANCE_TOKENS: Final = 15
_BALANCE_BURST: Final = 30
BALANCES: Final = "/balance-allowance"
_TIER: Final = "/v1/user/rate-limit-tier"
_HOLD: Final = _S
ANSWER_WITHIN: Final = 4 * _S
"""How long (ns) a reading may wait for its answer: one from while the venue was silent has none any more."""
PAGES_MAX: Final = 200
"""Most pages that are read of one list."""


class _TierBody(Struct, gc=False):
    """``{"tier":"standard"}``."""

    tier: str


class ClobSession:
    """Sends private requests to ``base_url`` with ``key``; who opened ``http`` closes it. ``limits``: the signer's."""

    def __init__(self, base_url: str, http: Http, key: ApiKey, clock: Clock) -> None:
        self._base, self._http, self._key, self._clock = base_url.rstrip("/"), http, key, clock
        self.limits = SignerLimits(clock)
        self._reads = TokenBucket(clock, tokens=_READ_TOKENS, period=_S, burst=_READ_BURST)
        self._balances = TokenBucket(clock, tokens=_BALANCE_TOKENS, period=_S, burst=_BALANCE_BURST)

    def request_levels(self) -> Mapping[str, RequestLevel]:
        """Return the room of the limits of orders, cancels, reads and balances."""
        return {
            **self.limits.levels(),
            "reads": self._reads.level(),
            "balances": self._balances.level(),
        }

    async def learn_tier(self) -> None:
        """Ask for the signer's tier, and keep to its limits; those of the lowest hold where that is not answered."""
        try:
            tier = msgspec.json.decode(await self.read(_TIER), type=_TierBody).tier
        except (PredsurvError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        self.limits.adopt(tier)

    async def send(self, request: VenueRequest, orders: int = 1) -> HttpReply:
        """Send what places or cancels ``orders`` once, and return the answer whatever its status.

        Raises TransientError where it cannot have arrived, and AmbiguousError. After a 429 nothing is sent for as long
        as it asks.
        """
        limiter = self.limits.bucket_of(request)
        await limiter.acquire(orders)
        reply = await self._http.exchange(
            request.method,
            self._base + request.path,
            body=request.body or b"",
            params=request.query or None,
            sign=lambda: self._headers(request),
        )
        self.limits.heed(limiter, reply.headers)
        if reply.status == 429:
            limiter.hold(self.wait_of(reply) or _HOLD)
        return reply

    async def beat(self, request: VenueRequest) -> HttpReply:
        """Send a sign of life, past every limit: it must not wait behind orders; raises as ``send``."""
        return await self._http.exchange(
            request.method,
            self._base + request.path,
            body=request.body or b"",
            sign=lambda: self._headers(request),
        )

    async def read(self, path: str, query: Query = ()) -> bytes:
        """Return the body of ``path``; transient failures are tried again.

        Raises TransientError, WireError, StatusError, or PermanentError for a refused key.
        """
        request, limiter = VenueRequest("GET", path), self._balances if path == BALANCES else self._reads
        try:
            return await self._http.get(
                self._base + path,
                params=query or None,
                sign=lambda: self._headers(request),
                limiter=limiter,
                read_timeout=ANSWER_WITHIN,
            )
        except StatusError as error:
            if error.status == 401:
                raise PermanentError(
                    "polymarket refuses the API key; a wrong clock is refused like a wrong key"
                ) from None
            raise

    def wait_of(self, reply: HttpReply) -> int | None:
        """Return how long (ns) an answer asks to wait, None for nothing."""
        return retry_after(reply.headers.get("Retry-After"), self._clock.now())

    def _headers(self, request: VenueRequest) -> Mapping[str, str]:
        headers = self._key.headers(request, timestamp=self._clock.now() // _S)
        if request.body is not None:
            headers.update(JSON_HEADERS)
        return headers


def next_page(query: Query, cursor: str | None, pages: Sequence[object]) -> Query | None:
    """Return the query of the page at ``cursor``, None after the last one; raises WireError when there is no end."""
    if cursor is None:
        return None
    if len(pages) >= PAGES_MAX:
        raise WireError(f"a list of the account has more than {PAGES_MAX} pages")
    return (*query, ("next_cursor", cursor))
