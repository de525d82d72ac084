"""HTTP/1.1 and WebSocket on one loopback port, for simulators of any venue.

An application answers requests and handles messages synchronously. The server writes batches of WebSocket frames
itself, because a simulator sends far more than it receives; the websockets library does the rest of the protocol.
"""

import asyncio
import gzip
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, NamedTuple, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from predsurv.core.errors import ConfigError

HEAD_BYTES_MAX: Final = 65_536
BODY_BYTES_MAX: Final = 4 * 2**20
MESSAGE_BYTES_MAX: Final = 4 * 2**20
CONNECTIONS_MAX: Final = 2_000
"""Most TCP connections at a time; further ones are dropped at once."""
CLOSE_TIMEOUT_S: Final = 1
"""Time for the client to answer a close frame, seconds."""
_COMPRESSED_BYTES_MIN: Final = 1_024
_HEAD_END: Final = b"\r\n\r\n"
_JSON: Final = {"content-type": "application/json"}

_LOGGER = logging.getLogger("predsurv.simulate")
_LOGGER.setLevel(logging.WARNING)  # the library logs every frame below that


class ServerRequest(NamedTuple):
    """One HTTP request; header names in lower case. ``upgrade``: whether it asks for a WebSocket."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    upgrade: bool
    target: str
    """The path and query as sent, which some venues sign."""


class ServerResponse(NamedTuple):
    """One HTTP response. ``truncated``: announce the whole body, send half of it and drop the connection.

    ``reset``: drop the connection instead. ``delay_s``: send it so many seconds later.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = _JSON
    truncated: bool = False
    reset: bool = False
    delay_s: float = 0


class ServerApplication(Protocol):
    """A simulated venue; no method blocks."""

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        """Return the response; None accepts a request for a WebSocket (for other requests it means 404)."""
        ...

    def on_open(self, websocket: "WebSocketConnection") -> None:
        """Handle a new WebSocket."""
        ...

    def on_message(self, websocket: "WebSocketConnection", message: bytes) -> None:
        """Handle a message from the client."""
        ...

    def on_close(self, websocket: "WebSocketConnection") -> None:
        """Handle the end of a WebSocket; called once for every ``on_open``."""
        ...


class WebSocketConnection:
    """The server's end of one open WebSocket; ``number`` counts the handshakes."""

    __slots__ = ("_protocol", "_transport", "number", "request")

    def __init__(
        self, number: int, request: ServerRequest, protocol: ServerProtocol, transport: asyncio.Transport
    ) -> None:
        self.number = number
        self.request = request
        self._protocol = protocol
        self._transport = transport

    @property
    def is_open(self) -> bool:
        """Whether a message sent now can still arrive."""
        return self._protocol.state is OPEN and not self._transport.is_closing()

    @property
    def backlog(self) -> int:
        """Bytes that the client has not read yet."""
        return self._transport.get_write_buffer_size()

    def send(self, messages: Sequence[bytes]) -> None:
        """Send each of ``messages`` as a text frame; does nothing once the connection is closed."""
        if messages and self.is_open:
            self._transport.write(b"".join([part for message in messages for part in (frame_head(message), message)]))

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame; drop the connection if the client does not answer in time."""
        if self.is_open:
            self._protocol.send_close(code, reason)
            flush(self._protocol, self._transport)
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self._transport.abort)

    def abort(self) -> None:
        """Drop the TCP connection without a close frame."""
        self._transport.abort()


class LoopbackServer:
    """Serves one application on 127.0.0.1."""

    def __init__(self, application: ServerApplication) -> None:
        self.application = application
        self.websockets: dict[int, WebSocketConnection] = {}
        self.handshakes = 0
        """Requests for a WebSocket so far."""
        self._transports: set[asyncio.Transport] = set()
        self._all_closed = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        """Start listening (port 0: any free port); raises ConfigError when the port cannot be bound."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", port)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(f"cannot listen on 127.0.0.1 port {port}: {reason}; choose another --port") from None

    @property
    def port(self) -> int:
        """The port the server listens on; raises ConfigError before ``start``."""
        if self._server is None:
            raise ConfigError("the simulator is not listening; start it first")
        return int(self._server.sockets[0].getsockname()[1])

    def register(self, transport: asyncio.Transport) -> bool:
        """Add a TCP connection; return False when there are too many."""
        self._transports.add(transport)
        return len(self._transports) <= CONNECTIONS_MAX

    def unregister(self, transport: asyncio.Transport) -> None:
        """Remove a TCP connection."""
        self._transports.discard(transport)
        if not self._transports:
            self._all_closed.set()

    async def aclose(self) -> None:
        """Stop listening and drop every connection; safe to call twice."""
        if self._server is not None:
            self._server.close()
        for transport in tuple(self._transports):
            transport.abort()
        if self._transports:
            self._all_closed.clear()
            await self._all_closed.wait()


class _Connection(asyncio.Protocol):
    """One TCP connection: HTTP requests one after the other until one of them becomes a WebSocket."""

    def __init__(self, server: LoopbackServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._protocol: ServerProtocol | None = None
        self._websocket: WebSocketConnection | None = None
        self._fragments: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            if not self._server.register(transport):
                transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._protocol is not None:
            self._websocket_received(data)
            return
        self._buffer += data
        while self._transport is not None and not self._transport.is_closing():
            request = self._next_request()
            if request is None:
                return
            self._serve(request)
            if self._protocol is not None:
                data, self._buffer = self._buffer, b""
                self._websocket_received(data)
                return

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._transport is not None:
            self._server.unregister(self._transport)
        if self._websocket is not None and self._server.websockets.pop(self._websocket.number, None) is not None:
            self._server.application.on_close(self._websocket)

    def _next_request(self) -> ServerRequest | None:
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            if len(self._buffer) > HEAD_BYTES_MAX:
                self._write(ServerResponse(431))
            return None
        try:
            request, size = read_head(self._buffer[:end])
        except ValueError:
            self._buffer = b""
            self._write(ServerResponse(400, b'{"error":"not a request"}'))
            return None
        start = end + len(_HEAD_END)
        if len(self._buffer) < start + size:
            return None
        body, self._buffer = self._buffer[start : start + size], self._buffer[start + size :]
        return request._replace(body=body)

    def _serve(self, request: ServerRequest) -> None:
        if not _has_local_host(request):
            # DNS rebinding: a web page whose name resolves to this machine must not reach the simulator.
            self._write(ServerResponse(403, b'{"error":"ask by the name of this machine: localhost or 127.0.0.1"}'))
            return
        if request.upgrade:
            self._server.handshakes += 1
        response = self._server.application.respond(request)
        if response is not None:
            self._answer(_compressed(response, request), drop=request.upgrade)
        elif request.upgrade and self._transport is not None:
            self._upgrade(request, self._transport)
        else:
            self._write(ServerResponse(404, b'{"error":"not found"}'))

    def _answer(self, response: ServerResponse, *, drop: bool) -> None:
        if response.reset and self._transport is not None:
            self._transport.abort()
        elif response.delay_s:
            asyncio.get_running_loop().call_later(response.delay_s, lambda: self._write(response, drop=drop))
        else:
            self._write(response, drop=drop)

    def _write(self, response: ServerResponse, *, drop: bool = False) -> None:
        if self._transport is None:
            return
        drop = drop or response.truncated or response.status in (400, 431)
        fields = {"content-length": str(len(response.body)), "connection": "close" if drop else "keep-alive"}
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in {**response.headers, **fields}.items()]
        body = response.body[: len(response.body) // 2] if response.truncated else response.body
        self._transport.write("\r\n".join(lines).encode("latin-1") + _HEAD_END + body)
        if drop:
            self._transport.close()

    def _upgrade(self, request: ServerRequest, transport: asyncio.Transport) -> None:
        protocol = ServerProtocol(max_size=MESSAGE_BYTES_MAX, logger=_LOGGER)
        lines = [f"GET {request.target} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
        protocol.receive_data("\r\n".join(lines).encode("latin-1") + _HEAD_END)
        for event in protocol.events_received():
            if isinstance(event, Handshake):
                protocol.send_response(protocol.accept(event))
        self._protocol = protocol
        flush(protocol, transport)
        if protocol.state is OPEN:
            server = self._server
            self._websocket = WebSocketConnection(server.handshakes, request, protocol, transport)
            server.websockets[self._websocket.number] = self._websocket
            server.application.on_open(self._websocket)

    def _websocket_received(self, data: bytes) -> None:
        if self._protocol is None or self._transport is None:
            return
        self._protocol.receive_data(data)
        flush(self._protocol, self._transport)
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._fragments.append(bytes(event.data))
                if event.fin and self._websocket is not None:
                    message, self._fragments = b"".join(self._fragments), []
                    self._server.application.on_message(self._websocket, message)


def json_response(value: object, status: int = 200) -> ServerResponse:
    """Return a response with ``value`` as JSON."""
    return ServerResponse(status, msgspec.json.encode(value))


def read_head(head: bytes) -> tuple[ServerRequest, int]:
    """Return a request without its body, and the body's size in bytes; raises ValueError for an invalid request."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    if not version.startswith("HTTP/1.") or not target.startswith("/"):
        raise ValueError("not HTTP/1")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name:
            raise ValueError("a header without a name")
        headers[name.strip().lower()] = value.strip()
    size = int(headers.get("content-length", "0"))
    if not 0 <= size <= BODY_BYTES_MAX or "transfer-encoding" in headers:
        raise ValueError("a body that is too long, or of unknown length")
    url = urlsplit(target)
    query = parse_qs(url.query, keep_blank_values=True)
    upgrade = headers.get("upgrade", "").lower() == "websocket"
    return ServerRequest(method, unquote(url.path), query, headers, b"", upgrade, target), size


def frame_head(message: bytes) -> bytes:
    """Return the header of an unmasked text frame with ``message``."""
    size = len(message)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big")
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")


def flush(protocol: ServerProtocol, transport: asyncio.Transport) -> None:
    """Write the bytes that the library has ready; an empty piece ends the connection."""
    for piece in protocol.data_to_send():
        if piece:
            transport.write(piece)
        else:
            transport.close()


def _compressed(response: ServerResponse, request: ServerRequest) -> ServerResponse:
    if len(response.body) < _COMPRESSED_BYTES_MIN or "gzip" not in request.headers.get("accept-encoding", ""):
        return response
    headers = {**response.headers, "content-encoding": "gzip"}
    return response._replace(body=gzip.compress(response.body, 1, mtime=0), headers=headers)


def _has_local_host(request: ServerRequest) -> bool:
    host = request.headers.get("host", "localhost").lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
