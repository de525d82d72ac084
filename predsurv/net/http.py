"""The HTTP client: fetch with retries, or send once; every bound explicit, every failure a ``PredsurvError``.

The only module that uses httpx, for headers, certificates and transports of tests, and the only one that decides what
may be sent twice. Requests go over ``kept_connections``, at a fraction of what one costs in a client of httpx.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, NamedTuple
from urllib.parse import urlencode

import httpx
from msgspec import Struct

from predsurv import __version__
from predsurv.core.errors import (
    AmbiguousError,
    BrokenInvariant,
    PermanentError,
    PredsurvError,
    RateLimited,
    TransientError,
    WireError,
)
from predsurv.net.backoff import Backoff
from predsurv.net.http_errors import display_url, error_text, retry_after, summary
from predsurv.net.kept_connections import (
    Answer,
    CannotConnectError,
    KeptConnections,
    KeptLimits,
    LostAnswerError,
    UnreadableAnswerError,
)
from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import Clock

_NS: Final = 1_000_000_000
_DEFAULT_HOLD: Final = _NS
"""How long all requests wait after a 429 without ``Retry-After``."""
UNACKNOWLEDGED_MAX: Final = 3 * _NS
"""How long (ns) the network may keep what was sent until the server's machine has it.

Beyond it the system gives the connection up. By default it would go on for a quarter of an hour, even once we have
closed it, and an order would arrive long after its time-out.
"""

_HEADERS: Final = {"User-Agent": f"predsurv/{__version__}", "Accept": "application/json"}

Method = Literal["GET", "POST", "PUT", "DELETE"]

Params = Mapping[str, str] | Sequence[tuple[str, str]]
"""Query parameters; a URL with parameters has no query of its own."""
Sign = Callable[[], Mapping[str, str]]
"""Makes the signed headers of one attempt, so that no attempt reuses the timestamp of another."""


class HttpLimits(Struct, frozen=True):
    """Every bound of a client; times in ns, ``body_bytes_max`` after decompression."""

    concurrency: int = 4
    connect_timeout: int = 5 * _NS
    read_timeout: int = 10 * _NS
    total_timeout: int = 60 * _NS
    body_bytes_max: int = 32 * 2**20
    attempts: int = 5


DEFAULT_LIMITS: Final = HttpLimits()


class HttpReply(NamedTuple):
    """The server's answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class StatusError(PermanentError):
    """The server answered with a status for which a retry is useless."""

    def __init__(self, message: str, status: int, body: bytes) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class _NotSentError(TransientError):
    """The request cannot have reached the server."""


class Http:
    """The client of one venue: pooled connections, no redirects, no proxy or credentials from the environment.

    ``rand`` is the jitter source. ``transport`` replaces the network in tests, for all that is sent.
    """

    def __init__(
        self,
        clock: Clock,
        rand: Callable[[], float],
        *,
        limits: HttpLimits = DEFAULT_LIMITS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._clock = clock
        self._rand = rand
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._reads_only = False
        self._kept = _kept(limits, clock)
        self._client = None if transport is None else httpx.AsyncClient(transport=transport, trust_env=False)

    async def get(
        self,
        url: str,
        *,
        params: Params | None = None,
        sign: Sign | None = None,
        limiter: TokenBucket | None = None,
        read_timeout: int | None = None,
    ) -> bytes:
        """Return the body of a 2xx answer, retrying while that can help; ``read_timeout`` (ns) instead of the limits'.

        Raises RateLimited or TransientError when it still fails after ``attempts``, StatusError for
        any other status, WireError for a body that is too large or cannot be decoded.
        """
        backoff = Backoff(self._rand)
        while True:
            try:
                reply = await self._attempt(
                    "GET", url, params=params, sign=sign, limiter=limiter, read_timeout=read_timeout
                )
                return _body_or_error(reply, url, self._clock.now())
            except TransientError as error:
                _hold_limiter(limiter, error)
                delay = backoff.next_delay(error.retry_after_ns)
                if backoff.failures >= self._limits.attempts:
                    raise
            await self._clock.sleep(delay)

    async def send_once(
        self,
        method: Method,
        url: str,
        *,
        body: bytes = b"",
        params: Params | None = None,
        sign: Sign | None = None,
        limiter: TokenBucket | None = None,
    ) -> HttpReply:
        """Send once, without a retry, and return the answer whatever its status.

        Raises TransientError when the request cannot have arrived, RateLimited for 429 (it was
        not carried out), and AmbiguousError when it may have been: time-out, lost connection,
        408, 5xx or an unreadable answer.
        """
        reply = await self.exchange(method, url, body=body, params=params, sign=sign, limiter=limiter)
        if reply.status == 429:
            refusal = _error(reply, url, self._clock.now())
            _hold_limiter(limiter, refusal)
            raise refusal
        if reply.status == 408 or reply.status >= 500:
            raise AmbiguousError(f"{method} {_describe(reply, url)}; it may have been carried out")
        return reply

    async def exchange(
        self,
        method: Method,
        url: str,
        *,
        body: bytes = b"",
        params: Params | None = None,
        sign: Sign | None = None,
        limiter: TokenBucket | None = None,
    ) -> HttpReply:
        """Send once and return the answer whatever its status: for who has to read the bodies of failures, too.

        Raises TransientError when the request cannot have arrived, AmbiguousError when it may have been carried out:
        time-out, lost connection or an answer that cannot be read.
        """
        try:
            return await self._attempt(method, url, body=body, params=params, sign=sign, limiter=limiter, once=True)
        except _NotSentError:
            raise
        except (TransientError, WireError) as error:
            raise AmbiguousError(f"{method} {error}; it may have been carried out") from None

    async def ask(self, method: Method, url: str, *, sign: Sign | None = None) -> HttpReply:
        """Send once what does no harm when it is sent again, and return the answer whatever its status.

        Raises TransientError when there is none, WireError for one that cannot be read.
        """
        return await self._attempt(method, url, params=None, sign=sign, limiter=None)

    def forbid_writes(self) -> None:
        """Send nothing but GET from now on: any other request raises BrokenInvariant, and does not leave."""
        self._reads_only = True

    async def aclose(self) -> None:
        """Close all connections; safe to call twice."""
        await self._kept.aclose()
        if self._client is not None:
            await self._client.aclose()

    async def _attempt(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        params: Params | None,
        sign: Sign | None,
        limiter: TokenBucket | None,
        read_timeout: int | None = None,
        once: bool = False,
    ) -> HttpReply:
        if self._reads_only and method != "GET":
            raise BrokenInvariant(f"{method} {display_url(url)} was not sent: only reading is allowed")
        async with self._slots:
            if limiter is not None:
                await limiter.acquire()
            headers = {**_HEADERS, "Accept-Encoding": "identity" if once else "gzip"} | dict(sign() if sign else {})
            silence_s = None if once else (read_timeout or self._limits.read_timeout) / _NS
            try:
                async with asyncio.timeout(self._limits.total_timeout / _NS):
                    address = _with_query(url, params)
                    if self._client is not None:
                        asked = httpx.Request(method, address, headers=headers, content=body or None)
                        return await _answered(self._client, asked, self._limits)
                    answer = await self._kept.send(method, address, headers, body, silence_s=silence_s)
                    return HttpReply(answer.status, httpx.Headers(answer.headers), _body(answer, self._limits))
            except (httpx.InvalidURL, ValueError) as error:
                raise PermanentError(f"{display_url(url)}: {error_text(error)}; check the configuration") from None
            except (httpx.ConnectError, CannotConnectError) as error:
                message = f"cannot connect to {display_url(url)}: {error_text(error)}"
                raise _NotSentError(f"{message}; check the network or try later") from None
            except UnreadableAnswerError as error:
                raise WireError(f"{display_url(url)} answered {error}") from None
            except (httpx.TransportError, LostAnswerError, TimeoutError) as error:
                raise TransientError(f"{display_url(url)} gave no complete answer: {error_text(error)}") from None


def _kept(limits: HttpLimits, clock: Clock) -> KeptConnections:
    bounds = KeptLimits(
        connect_s=limits.connect_timeout / _NS,
        answer_s=limits.read_timeout / _NS,
        body_bytes_max=limits.body_bytes_max,
        user_timeout_ms=UNACKNOWLEDGED_MAX // 1_000_000,
    )
    return KeptConnections(bounds, lambda: httpx.create_ssl_context(trust_env=False), lambda: clock.monotonic() / _NS)


def _with_query(url: str, params: Params | None) -> str:
    if params is None:
        return url
    return f"{url}?{urlencode(params if isinstance(params, Mapping) else list(params))}"


async def _answered(client: httpx.AsyncClient, request: httpx.Request, limits: HttpLimits) -> HttpReply:
    """Return the answer of a test's transport, with its body inflated."""
    response = await client.send(request)
    client.cookies.clear()
    if len(response.content) > limits.body_bytes_max:
        raise UnreadableAnswerError(f"more than {limits.body_bytes_max} bytes; not read further")
    return HttpReply(response.status_code, response.headers, response.content)


def _body(answer: Answer, limits: HttpLimits) -> bytes:
    """Return the body of an answer, inflated; raises UnreadableAnswerError, and LostAnswerError for a part of one."""
    if answer.encoding == "identity":
        return answer.body
    inflater = zlib.decompressobj(wbits=31)
    try:
        body = inflater.decompress(answer.body, limits.body_bytes_max + 1)
    except zlib.error:
        raise UnreadableAnswerError("with damaged gzip data") from None
    if len(body) > limits.body_bytes_max:
        raise UnreadableAnswerError(f"more than {limits.body_bytes_max} bytes; not read further")
    if not inflater.eof:
        raise LostAnswerError("gzip data cut short")
    if inflater.unused_data:
        raise UnreadableAnswerError("with more than one gzip stream")
    return body


def _hold_limiter(limiter: TokenBucket | None, error: PredsurvError) -> None:
    if limiter is not None and isinstance(error, RateLimited):
        limiter.hold(error.retry_after_ns or _DEFAULT_HOLD)


def _body_or_error(reply: HttpReply, url: str, now: int) -> bytes:
    if 200 <= reply.status < 300:
        return reply.body
    raise _error(reply, url, now)


def _error(reply: HttpReply, url: str, now: int) -> PredsurvError:
    message = _describe(reply, url)
    wait = retry_after(reply.headers.get("Retry-After"), now)
    if reply.status == 429:
        return RateLimited(f"{message}; too many requests", wait)
    if reply.status in (408, 425) or reply.status >= 500:
        return TransientError(f"{message}; try later", wait)
    if 300 <= reply.status < 400:
        message += "; redirects are not followed"
    return StatusError(message, reply.status, reply.body)


def _describe(reply: HttpReply, url: str) -> str:
    return f"{display_url(url)} answered HTTP {reply.status}: {summary(reply.body)}"
