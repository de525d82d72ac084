"""Private requests of one account to Kalshi: each signed anew, paid for from the account's budgets of tokens.

The only module that sends them.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from predsurv.core.errors import ConfigError, PermanentError, SafetyError, TransientError
from predsurv.core.text import sanitise
from predsurv.net.http import Http, HttpReply, StatusError
from predsurv.net.http_errors import http_date, retry_after
from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import Clock, RequestLevel
from predsurv.venues.kalshi.auth import KEY_ID, RequestSigner
from predsurv.venues.kalshi.rest_wire import read_keys, read_limits
from predsurv.venues.requests import JSON_HEADERS, Query, VenueRequest

SKEW_MAX: Final = 2_000_000_000
"""Most that this machine's clock may differ from the venue's (ns)."""
ANSWER_WITHIN: Final = 4_000_000_000
"""How long (ns) a reading may wait for its answer: one from while the venue was silent has none any more."""
REQUEST_TOKENS: Final = 10
CANCEL_TOKENS: Final = 2
_S: Final = 1_000_000_000
_HALF: Final = _S // 2
_BASIC_WRITES: Final = 100
_BASIC_READS: Final = 200
_HOLD: Final = _S


class KalshiSession:
    """Sends signed requests to ``base_url``; who opened ``http`` closes it. ``skew``: our clock ahead of theirs, ns.

    ``tier``: the account's as the venue names it, "" where it does not; ``writes_per_second``, ``reads_per_second``:
    tokens that its budgets gain.
    """

    def __init__(self, base_url: str, http: Http, signer: RequestSigner, clock: Clock) -> None:
        self._base, self._http, self._signer, self._clock = base_url.rstrip("/"), http, signer, clock
        self._writes, self._reads = _bucket(clock, _BASIC_WRITES, 0), _bucket(clock, _BASIC_READS, 0)
        self.skew = 0
        self.tier = ""
        self.writes_per_second, self.reads_per_second = _BASIC_WRITES, _BASIC_READS

    def request_levels(self) -> Mapping[str, RequestLevel]:
        """Return the room of the account's two limits, in the venue's tokens."""
        return {"orders": self._writes.level(), "reads": self._reads.level()}

    async def log_in(self) -> None:
        """Check clock and key, and learn the account's limits.

        Raises SafetyError for a wrong clock, ConfigError for a refused key, TransientError.
        """
        self.skew = await self._skew()
        if abs(self.skew) > SKEW_MAX:
            raise SafetyError(
                f"this machine's clock is {abs(self.skew) / _S:.1f} s {'ahead of' if self.skew > 0 else 'behind'} "
                "kalshi's: signed requests would be refused; set it by NTP and try again"
            )
        try:
            limits = read_limits(await self.read("/account/limits"))
        except PermanentError as error:
            raise ConfigError(str(error)) from None
        self.tier = sanitise(limits.usage_tier, 40)
        self._reads = _bucket(self._clock, limits.read.refill_rate, limits.read.bucket_capacity)
        self.reads_per_second = limits.read.refill_rate
        if limits.write is not None and limits.write.refill_rate:
            self.writes_per_second = limits.write.refill_rate
            self._writes = _bucket(self._clock, limits.write.refill_rate, limits.write.bucket_capacity)

    async def key_expires(self) -> int | None:
        """Return when the key stops to trade unless its owner renews where they are (ns UTC); None where not stated.

        Raises TransientError. A key that may not ask is not refused for it.
        """
        try:
            stated = read_keys(await self.read("/api_keys")).api_key_region_expiration_ts
        except (PermanentError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return None if stated is None else stated * _S

    async def send(self, request: VenueRequest, orders: int = 1) -> HttpReply:
        """Send what changes something, by default one order, once, and return the answer whatever its status.

        Raises TransientError where it cannot have arrived, and AmbiguousError.
        """
        await self._writes.acquire(orders * (CANCEL_TOKENS if request.method == "DELETE" else REQUEST_TOKENS))
        url = self._base + request.path
        reply = await self._http.exchange(
            request.method,
            url,
            body=request.body or b"",
            params=request.query or None,
            sign=lambda: self._headers(request.method, url, has_body=request.body is not None),
        )
        if reply.status == 429:
            self._writes.hold(self.wait_of(reply) or _HOLD)
        return reply

    async def read(self, path: str, query: Query = ()) -> bytes:
        """Return the body of ``path``; transient failures are tried again.

        Raises TransientError, WireError, StatusError, or PermanentError for a refused key.
        """
        await self._reads.acquire(REQUEST_TOKENS)
        url = self._base + path
        try:
            return await self._http.get(
                url,
                params=query or None,
                sign=lambda: self._headers("GET", url, has_body=False),
                read_timeout=ANSWER_WITHIN,
            )
        except StatusError as error:
            if error.status in (401, 403):
                raise PermanentError(
                    f"kalshi refuses the key; check {KEY_ID} and the key file (both are for one environment, demo or "
                    "production), and that the key may trade"
                ) from None
            raise

    def wait_of(self, reply: HttpReply) -> int | None:
        """Return how long (ns) an answer asks to wait, None for nothing."""
        return retry_after(reply.headers.get("Retry-After"), self._clock.now())

    def handshake(self, url: str) -> Mapping[str, str]:
        """Return the headers that open the WebSocket at ``url``, dated now."""
        return self._signer.headers("GET", url)

    def _headers(self, method: str, url: str, *, has_body: bool) -> Mapping[str, str]:
        signed = self._signer.headers(method, url)
        return {**signed, **JSON_HEADERS} if has_body else signed

    async def _skew(self) -> int:
        before = self._clock.now()
        reply = await self._http.ask("GET", f"{self._base}/exchange/status")
        moment = http_date(reply.headers.get("Date"))
        if moment is None:
            raise TransientError(f"kalshi does not say what time it is: HTTP {reply.status}; try later")
        return (before + self._clock.now()) // 2 - (moment + _HALF)


def _bucket(clock: Clock, rate: int, capacity: int) -> TokenBucket:
    least = max(rate, REQUEST_TOKENS)
    return TokenBucket(clock, tokens=least, period=_S, burst=max(capacity, least))
