"""Connections that are kept open: answers of HTTP/1.1 are read by h11; requests are written by the loop itself.

Separate from ``http``, which decides what is sent again: nothing here ever is. A connection that the other side has
closed is not used, and a request that was written to one that is lost then is lost with it.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Final, NamedTuple, cast
from urllib.parse import urlsplit

import h11
from msgspec import Struct

from predsurv.net.request_head import request_head

IDLE_MAX_S: Final = 50.0
"""A connection is not used again after so long without a request: many servers close theirs after a minute."""
CLOSE_S_MAX: Final = 2
"""Seconds that connections may take to end."""
_HEAD_BYTES_MAX: Final = 100 * 1_024
_ASKED: Final = (h11.Request(method="GET", target="/", headers=[("Host", "-")]), h11.EndOfMessage())
"""What h11 is told of each request, before there is one, so that it costs no time then. It only reads answers, and all
but those to HEAD and CONNECT, which are not sent, are of one shape."""
_OTHER_ADDRESS_S: Final = 0.25
"""After so long another address of a host is tried, too: hosts have addresses that lead nowhere (RFC 8305)."""
_ENCODINGS: Final = {"": "identity", "identity": "identity", "gzip": "gzip", "x-gzip": "gzip"}


class CannotConnectError(Exception):
    """There is no connection: nothing was sent."""


class LostAnswerError(Exception):
    """The request was written, at least in part, and no whole answer came."""


class UnreadableAnswerError(Exception):
    """An answer came that is too long, or encoded in a way that was not asked for."""


class KeptLimits(Struct, frozen=True):
    """Bounds of each connection: seconds, and bytes of a body."""

    connect_s: float
    answer_s: float
    body_bytes_max: int
    user_timeout_ms: int


class Answer(NamedTuple):
    """Status, headers in small letters, and body as it came: ``encoding`` is ``identity``, or ``gzip`` if asked for."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    encoding: str = "identity"


class Origin(NamedTuple):
    """Where a URL leads, without its path."""

    scheme: str
    host: str
    port: int


def origin_of(url: str) -> Origin:
    """Return where ``url`` leads; raises ValueError for one that is neither http nor https."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an http or https URL is needed")
    return Origin(parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))


class _KeptConnection(asyncio.Protocol):
    """One connection; at most one request is under way."""

    def __init__(self, body_bytes_max: int) -> None:
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES_MAX)
        self._answer: asyncio.Future[Answer] | None = None
        self._status, self._headers = 0, list[tuple[bytes, bytes]]()
        self._body = bytearray()
        self._body_bytes_max = body_bytes_max
        self._expect_answer()
        self.idle_since = 0.0
        self.pieces = 0
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # before anything else is called

    def data_received(self, data: bytes) -> None:
        if self._answer is None:  # nobody asked: whatever it is, it is no answer to what is asked next
            self.close()
            return
        self.pieces += 1
        try:
            self._http.receive_data(data)
            self._read()
        except (h11.RemoteProtocolError, UnreadableAnswerError) as error:
            self._fail(error)

    def eof_received(self) -> None:
        if self._answer is not None:
            self.data_received(b"")

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(error or LostAnswerError("the server closed the connection"))
        self.ended.set_result(None)

    @property
    def is_usable(self) -> bool:
        """Whether a request may be written to it."""
        waits = self._http.their_state is h11.SEND_RESPONSE and self._answer is None
        return waits and not self._transport.is_closing()

    def write(self, request: bytes) -> asyncio.Future[Answer]:
        """Write a request at once; return its answer to come."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """End it: what is under way is lost."""
        self._transport.abort()

    def _expect_answer(self) -> None:
        for event in _ASKED:
            self._http.send(event)

    def _read(self) -> None:
        while (answer := self._answer) is not None:
            event = self._http.next_event()
            if isinstance(event, h11.Response):
                self._status, self._headers = event.status_code, list(event.headers)
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > self._body_bytes_max:
                    raise UnreadableAnswerError(f"more than {self._body_bytes_max} bytes; not read further")
            elif isinstance(event, h11.EndOfMessage):
                self._finish(answer)
            elif event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                return

    def _finish(self, answer: asyncio.Future[Answer]) -> None:
        found = Answer(self._status, self._headers, bytes(self._body))
        self._answer = None
        self._body.clear()
        states, more = (self._http.our_state, self._http.their_state), self._http.trailing_data[0]
        if states == (h11.DONE, h11.DONE) and not more:  # more would be taken for the answer to the next request
            self._http.start_next_cycle()
            self._expect_answer()
        else:
            self.close()
        if not answer.done():
            answer.set_result(found)

    def _fail(self, error: Exception) -> None:
        answer, self._answer = self._answer, None
        self.close()
        if answer is not None and not answer.done():
            told = error if isinstance(error, LostAnswerError | UnreadableAnswerError) else LostAnswerError(str(error))
            answer.set_exception(told)


class KeptConnections:
    """Sends each request on a connection of its own, kept for the next one; ``tls`` makes the context for https.

    How many there are at most is up to who calls.
    """

    def __init__(self, limits: KeptLimits, tls: Callable[[], ssl.SSLContext], clock: Callable[[], float]) -> None:
        self._limits, self._make_tls, self._clock = limits, tls, clock
        self._tls: ssl.SSLContext | None = None
        self._idle: dict[Origin, list[_KeptConnection]] = {}
        self._all: set[_KeptConnection] = set()
        self._is_closed = False

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, silence_s: float | None = None
    ) -> Answer:
        """Send once and return the whole answer, which has ``answer_s`` to come.

        With ``silence_s`` it may take as long as it likes, unless nothing comes for so long.

        Raises ValueError for a URL or header that cannot be sent and CannotConnectError, both before anything left;
        LostAnswerError, TimeoutError or UnreadableAnswerError when it may have arrived.
        """
        origin, request = origin_of(url), request_head(method, url, headers, len(body)) + body
        connection = self._take(origin) or await self._connect(origin)
        try:
            answer = connection.write(request)
            if silence_s is None:
                async with asyncio.timeout(self._limits.answer_s):
                    found = await answer
            else:
                found = await _unless_silent(connection, answer, silence_s)
            found = found._replace(encoding=_encoding(found, headers.get("Accept-Encoding", "")))
        except BaseException:
            connection.close()
            raise
        if connection.is_usable:
            connection.idle_since = self._clock()
            self._idle.setdefault(origin, []).append(connection)
        return found

    async def aclose(self) -> None:
        """Close all connections, those too that are being made; safe to call twice."""
        self._is_closed = True
        ending = [each.ended for each in self._all]
        for each in tuple(self._all):
            each.close()
        self._idle.clear()
        if ending:
            await asyncio.wait(ending, timeout=CLOSE_S_MAX)

    def _take(self, origin: Origin) -> _KeptConnection | None:
        """Return the connection that was used last, None where there is none to use again."""
        idle = self._idle.get(origin, [])
        while idle:
            connection = idle.pop()
            if connection.is_usable and self._clock() - connection.idle_since < IDLE_MAX_S:
                return connection
            connection.close()
        return None

    async def _connect(self, origin: Origin) -> _KeptConnection:
        if origin.scheme == "https" and self._tls is None:
            self._tls = self._make_tls()
        tls = self._tls if origin.scheme == "https" else None
        try:
            async with asyncio.timeout(self._limits.connect_s):
                transport, connection = await asyncio.get_running_loop().create_connection(
                    lambda: _KeptConnection(self._limits.body_bytes_max),
                    origin.host,
                    origin.port,
                    ssl=tls,
                    happy_eyeballs_delay=None if _is_address(origin.host) else _OTHER_ADDRESS_S,
                )
        except (OSError, TimeoutError) as error:
            raise CannotConnectError(str(error) or "timed out") from None
        self._all.add(connection)
        connection.ended.add_done_callback(lambda _: self._all.discard(connection))
        if self._is_closed:
            connection.close()
            raise CannotConnectError("all connections were closed")
        option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux
        if option is not None:
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, self._limits.user_timeout_ms)
        return connection


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _unless_silent(connection: _KeptConnection, answer: asyncio.Future[Answer], silence_s: float) -> Answer:
    """Return the answer; raises TimeoutError after ``silence_s`` in which nothing of it came, or up to twice that."""
    pieces = -1
    while not answer.done():
        if pieces == connection.pieces:
            raise TimeoutError
        pieces = connection.pieces
        await asyncio.wait({answer}, timeout=silence_s)
    return answer.result()


def _encoding(answer: Answer, asked: str) -> str:
    stated = b",".join(value.strip() for name, value in answer.headers if name == b"content-encoding")
    encoding = _ENCODINGS.get(stated.decode("latin-1").lower())
    if encoding is None or encoding not in ("identity", asked):
        raise UnreadableAnswerError("in an encoding that was not asked for")
    return encoding
