"""The HTTP port: fetch with retries, or send once; every bound explicit, every outcome an error of ours.

Kept apart because it is the only file that knows httpx, and the only one that decides what may be
sent twice.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import httpx
from msgspec import Struct

from predsurv import __version__
from predsurv.core.errors import AmbiguousError, PermanentError, PredsurvError, RateLimited, TransientError, WireError
from predsurv.net.backoff import Backoff
from predsurv.net.http_errors import cause, place, retry_after, summary
from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import Clock

_NS: Final = 1_000_000_000
_HOLD: Final = _NS
"""How long everyone holds back after a 429 that names no time."""

Params = Mapping[str, str] | Sequence[tuple[str, str]]
"""The query; a URL that has parameters brings none of its own."""
Sign = Callable[[], Mapping[str, str]]
"""Makes the headers of one attempt, so that no attempt reuses another's timestamp."""


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
    """What the server answered, whatever it was."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class StatusError(PermanentError):
    """The server answered with a status that repeating will not change."""

    def __init__(self, message: str, status: int, body: bytes) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class _NotSentError(TransientError):
    """The request cannot have reached the server."""


class Http:
    """One client per venue: pooled connections, no redirects, no proxy or credentials of the environment.

    ``rand`` is the jitter source. ``transport`` replaces the network in tests.
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
        self._places = asyncio.Semaphore(limits.concurrency)
        self._client = httpx.AsyncClient(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(limits.read_timeout / _NS, connect=limits.connect_timeout / _NS),
            limits=httpx.Limits(max_connections=limits.concurrency, max_keepalive_connections=limits.concurrency),
            headers={
                "User-Agent": f"predsurv/{__version__}",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
            },
        )

    async def get(
        self, url: str, *, params: Params | None = None, sign: Sign | None = None, limiter: TokenBucket | None = None
    ) -> bytes:
        """Return the body of a 2xx answer, trying again while that can help.

        Raises RateLimited or TransientError when it still fails after ``attempts``, StatusError for
        any other status, WireError for a body that is too large or not decodable.
        """
        backoff = Backoff(self._rand)
        while True:
            try:
                reply = await self._once("GET", url, params=params, sign=sign, limiter=limiter)
                return _body_or_error(reply, url, self._clock.now())
            except TransientError as error:
                _hold_back(limiter, error)
                delay = backoff.next_delay(error.retry_after_ns)
                if backoff.failures >= self._limits.attempts:
                    raise
            await self._clock.sleep(delay)

    async def exchange(
        self,
        method: Literal["GET", "POST", "PUT", "DELETE"],
        url: str,
        *,
        body: bytes = b"",
        params: Params | None = None,
        sign: Sign | None = None,
        limiter: TokenBucket | None = None,
    ) -> HttpReply:
        """Send once, never again, and return the answer with its status, refusals included.

        Raises TransientError when the request cannot have arrived, RateLimited for 429 (it was
        not carried out), and AmbiguousError when it may have been: time-out, lost connection,
        408, 5xx or an unreadable answer.
        """
        try:
            reply = await self._once(method, url, body=body, params=params, sign=sign, limiter=limiter)
        except _NotSentError:
            raise
        except (TransientError, WireError) as error:
            raise AmbiguousError(f"{method} {error}; it may have been carried out") from None
        if reply.status == 429:
            refusal = _error(reply, url, self._clock.now())
            _hold_back(limiter, refusal)
            raise refusal
        if reply.status == 408 or reply.status >= 500:
            raise AmbiguousError(f"{method} {_said(reply, url)}; it may have been carried out")
        return reply

    async def aclose(self) -> None:
        """Give back all connections; safe to call twice."""
        await self._client.aclose()

    async def _once(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        params: Params | None,
        sign: Sign | None,
        limiter: TokenBucket | None,
    ) -> HttpReply:
        async with self._places:
            if limiter is not None:
                await limiter.acquire()
            headers = dict(sign()) if sign is not None else {}
            try:
                request = self._client.build_request(
                    method, url, params=_query(params), headers=headers, content=body or None
                )
                async with asyncio.timeout(self._limits.total_timeout / _NS):
                    return await self._answer(request)
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise PermanentError(f"{place(url)}: {cause(error)}; check the configuration") from None
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                said = f"cannot connect to {place(url)}: {cause(error)}"
                raise _NotSentError(f"{said}; check the network or try later") from None
            except (httpx.TransportError, TimeoutError) as error:
                raise TransientError(f"{place(url)} gave no complete answer: {cause(error)}") from None

    async def _answer(self, request: httpx.Request) -> HttpReply:
        response = await self._client.send(request, stream=True)
        try:
            body = await _read(response, self._limits.body_bytes_max)
        finally:
            await response.aclose()
            self._client.cookies.clear()
        return HttpReply(response.status_code, response.headers, body)


def _query(params: Params | None) -> httpx.QueryParams | None:
    if params is None:
        return None
    return httpx.QueryParams(dict(params) if isinstance(params, Mapping) else list(params))


async def _read(response: httpx.Response, bytes_max: int) -> bytes:
    """Return the decompressed body; raises WireError as soon as it passes ``bytes_max``."""
    where = place(str(response.url))
    parts: list[bytes] = []
    total = 0
    async for part in _decoded(response, bytes_max, where):
        total += len(part)
        if total > bytes_max:
            raise WireError(f"{where} answered with more than {bytes_max} bytes; not read further")
        parts.append(part)
    return b"".join(parts)


def _decoded(response: httpx.Response, bytes_max: int, where: str) -> AsyncIterator[bytes]:
    """Return the pieces of the body; none is much longer than ``bytes_max``, bomb or not."""
    if response.is_stream_consumed:
        # A test transport that was given a whole body: httpx has decoded it already.
        return response.aiter_bytes()
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return response.aiter_raw()
    if encoding in ("gzip", "x-gzip"):
        return _inflated(response.aiter_raw(), bytes_max, where)
    raise WireError(f"{where} answered in an encoding that was not asked for")


async def _inflated(pieces: AsyncIterator[bytes], bytes_max: int, where: str) -> AsyncIterator[bytes]:
    # httpx would inflate a whole piece at once, a thousand times its size; this stops on the way.
    inflater = zlib.decompressobj(wbits=31)
    try:
        async for piece in pieces:
            rest = piece
            while rest:
                yield inflater.decompress(rest, bytes_max + 1)
                rest = inflater.unconsumed_tail
            if inflater.unused_data:
                raise WireError(f"{where} answered with more than one gzip stream")
    except zlib.error:
        raise WireError(f"{where} answered with damaged gzip data") from None
    if not inflater.eof:
        raise TransientError(f"{where} gave no complete answer: gzip data cut short")


def _hold_back(limiter: TokenBucket | None, error: PredsurvError) -> None:
    if limiter is not None and isinstance(error, RateLimited):
        limiter.hold(error.retry_after_ns or _HOLD)


def _body_or_error(reply: HttpReply, url: str, now: int) -> bytes:
    if 200 <= reply.status < 300:
        return reply.body
    raise _error(reply, url, now)


def _error(reply: HttpReply, url: str, now: int) -> PredsurvError:
    said = _said(reply, url)
    wait = retry_after(reply.headers.get("Retry-After"), now)
    if reply.status == 429:
        return RateLimited(f"{said}; too many requests", wait)
    if reply.status in (408, 425) or reply.status >= 500:
        return TransientError(f"{said}; try later", wait)
    if 300 <= reply.status < 400:
        said += "; redirects are not followed"
    return StatusError(said, reply.status, reply.body)


def _said(reply: HttpReply, url: str) -> str:
    return f"{place(url)} answered HTTP {reply.status}: {summary(reply.body)}"
