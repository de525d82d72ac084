"""The WebSocket client: connect, receive many messages at a time, send, close; all bounds explicit.

The only module that callers need: they see bytes and errors of ``predsurv.core``, not the library.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct
from websockets.asyncio.client import connect as websockets_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from predsurv import __version__
from predsurv.core.errors import PermanentError, PredsurvError, RateLimited, TransientError
from predsurv.net.connection import BatchingConnection, SocketClosedError
from predsurv.net.http_errors import display_url, error_text, retry_after, summary

__all__ = ["DEFAULT_LIMITS", "Socket", "SocketClosedError", "WsLimits", "connect"]

_NS: Final = 1_000_000_000

# The library logs headers and frames at DEBUG, and those carry credentials: never below WARNING.
_LOGGER = logging.getLogger("predsurv.net.ws")
_LOGGER.setLevel(logging.WARNING)


class WsLimits(Struct, frozen=True):
    """Every bound of a connection; times in ns.

    Reading pauses, and TCP pushes back, while more than ``queue_frames_max`` messages or four
    messages' worth of ``message_bytes_max`` wait to be taken.
    """

    message_bytes_max: int = 4 * 2**20
    queue_frames_max: int = 16_384
    open_timeout: int = 10 * _NS
    close_timeout: int = 2 * _NS
    ping_interval: int = 20 * _NS
    ping_timeout: int = 20 * _NS


DEFAULT_LIMITS: Final = WsLimits()


class Socket:
    """One open connection. One task receives; any task may send or close."""

    __slots__ = ("_connection",)

    def __init__(self, connection: BatchingConnection) -> None:
        self._connection = connection

    async def recv_many(self) -> Sequence[bytes]:
        """Return every message that has arrived, waiting for the first; raises SocketClosedError.

        Never empty; messages from before the end of the connection are still delivered. Bounded by the
        queue limits plus one read from the operating system. Safe to cancel.
        """
        try:
            return await self._connection.buffer.take_all()
        except EOFError:
            raise self._connection.closed_error() from None

    async def recv(self) -> bytes:
        """Return the next message, waiting for it; raises SocketClosedError. Safe to cancel."""
        try:
            return await self._connection.buffer.take_one()
        except EOFError:
            raise self._connection.closed_error() from None

    async def send(self, message: bytes) -> None:
        """Send ``message`` as a text frame; raises SocketClosedError."""
        try:
            await self._connection.send(message, text=True)
        except ConnectionClosed:
            raise self._connection.closed_error() from None

    async def aclose(self) -> None:
        """Close, waiting at most the close time-out. Safe to call twice and while receiving."""
        await self._connection.stop()

    @property
    def pauses(self) -> int:
        """How often reading was paused because too many messages waited."""
        return self._connection.buffer.pauses


class _Connect(websockets_connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        # Signed headers must not be sent to the target of a redirect.
        return exc


async def connect(url: str, headers: Mapping[str, str] | None = None, limits: WsLimits = DEFAULT_LIMITS) -> Socket:
    """Open a connection: no proxy from the environment, no redirect, no compression.

    Raises RateLimited (429), PermanentError (401, 403, or not a WebSocket URL) or TransientError.
    """
    try:
        connection = await _Connect(
            url,
            additional_headers=headers,
            user_agent_header=f"predsurv/{__version__}",
            compression=None,
            proxy=None,
            open_timeout=limits.open_timeout / _NS,
            close_timeout=limits.close_timeout / _NS,
            ping_interval=limits.ping_interval / _NS,
            ping_timeout=limits.ping_timeout / _NS,
            max_size=limits.message_bytes_max,
            max_queue=limits.queue_frames_max,
            logger=_LOGGER,
            create_connection=BatchingConnection,
        )
    except (InvalidURI, ValueError):
        raise PermanentError(f"not a WebSocket address: {display_url(url)}; check the configuration") from None
    except InvalidStatus as error:
        raise _refused(url, error) from None
    except (InvalidHandshake, OSError) as error:
        host = urlsplit(url).netloc
        raise TransientError(f"cannot connect to {host}: {error_text(error)}; check the network or try later") from None
    if not isinstance(connection, BatchingConnection):
        raise TypeError(f"expected our own connection class, got {type(connection).__name__}")
    return Socket(connection)


def _refused(url: str, error: InvalidStatus) -> PredsurvError:
    response = error.response
    status = response.status_code
    message = f"{display_url(url)} refused the connection: HTTP {status}, {summary(bytes(response.body))}"
    if status == 429:
        wait = response.headers.get_all("Retry-After")
        return RateLimited(f"{message}; too many connections or requests", retry_after(wait[0], 0) if wait else None)
    if status in (401, 403):
        return PermanentError(f"{message}; check the credentials and whether this account may connect")
    if 300 <= status < 400:
        return TransientError(f"{message}; redirects are not followed")
    return TransientError(message)
