"""HTTP/1.1 and WebSocket on one loopback port, for simulators.

Kept apart because it knows no venue: an application answers requests and hears links, all
synchronously. It writes whole batches of WebSocket frames itself (a simulator sends far more than
it hears) and leaves everything else about them to the websockets library.
"""

import asyncio
import gzip
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, NamedTuple, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from predsurv.core.errors import ConfigError

HEAD_BYTES_MAX: Final = 65_536
BODY_BYTES_MAX: Final = 4 * 2**20
MESSAGE_BYTES_MAX: Final = 4 * 2**20
LINKS_MAX: Final = 2_000
"""Connections served at a time; more are dropped at once."""
CLOSE_SECONDS: Final = 1
"""How long a closed link may take to say goodbye."""
_COMPRESSED_FROM: Final = 1_024
_HEAD_END: Final = b"\r\n\r\n"
_JSON: Final = {"content-type": "application/json"}

_LOGGER = logging.getLogger("predsurv.simulate")
_LOGGER.setLevel(logging.WARNING)  # the library logs every frame below that


class ServerRequest(NamedTuple):
    """One request; names of ``headers`` in lower case. ``upgrade``: it asks for a WebSocket."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    upgrade: bool
    target: str
    """The path and query as sent; what some venues sign."""


class ServerReply(NamedTuple):
    """One answer. ``cut``: promise the whole body, send half of it and drop the connection."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = _JSON
    cut: bool = False


class ServerApplication(Protocol):
    """The venue: everything here returns at once."""

    def answer(self, request: ServerRequest) -> ServerReply | None:
        """Return the answer; None accepts a request for a WebSocket (and only that)."""
        ...

    def opened(self, link: "ClientLink") -> None:
        """A WebSocket is open."""
        ...

    def heard(self, link: "ClientLink", message: bytes) -> None:
        """The client sent a message."""
        ...

    def closed(self, link: "ClientLink") -> None:
        """A WebSocket is gone; every opened one ends here once."""
        ...


class ClientLink:
    """One open WebSocket; ``number`` counts them."""

    __slots__ = ("_protocol", "_transport", "number", "request")

    def __init__(
        self, number: int, request: ServerRequest, protocol: ServerProtocol, transport: asyncio.Transport
    ) -> None:
        self.number = number
        self.request = request
        self._protocol = protocol
        self._transport = transport

    @property
    def open(self) -> bool:
        """Whether anything sent now can still arrive."""
        return self._protocol.state is OPEN and not self._transport.is_closing()

    @property
    def backlog(self) -> int:
        """Bytes that the other side has not taken yet."""
        return self._transport.get_write_buffer_size()

    def send(self, messages: Sequence[bytes]) -> None:
        """Send each of ``messages`` as a text frame; nothing when the link is over."""
        if messages and self.open:
            self._transport.write(b"".join([part for message in messages for part in (frame_head(message), message)]))

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye with a close frame; cut off who does not answer it."""
        if self.open:
            self._protocol.send_close(code, reason)
            flush(self._protocol, self._transport)
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._transport.abort)

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._transport.abort()


class LoopbackServer:
    """Serves one application on 127.0.0.1."""

    def __init__(self, application: ServerApplication) -> None:
        self.application = application
        self.links: dict[int, ClientLink] = {}
        self.handshakes = 0
        self._connections: set[asyncio.Transport] = set()
        self._gone = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        """Listen; raises ConfigError when the port cannot be had."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", port)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(f"cannot listen on 127.0.0.1 port {port}: {reason}; choose another --port") from None

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            raise ConfigError("the simulator is not listening; start it first")
        return int(self._server.sockets[0].getsockname()[1])

    def entered(self, transport: asyncio.Transport) -> bool:
        """Note a connection; returns False when there are too many."""
        self._connections.add(transport)
        return len(self._connections) <= LINKS_MAX

    def left(self, transport: asyncio.Transport) -> None:
        """Forget a connection."""
        self._connections.discard(transport)
        if not self._connections:
            self._gone.set()

    async def aclose(self) -> None:
        """Stop listening and drop everybody; safe to call twice."""
        if self._server is not None:
            self._server.close()
        for transport in tuple(self._connections):
            transport.abort()
        if self._connections:
            self._gone.clear()
            await self._gone.wait()


class _Connection(asyncio.Protocol):
    """One TCP connection: requests one after the other until one of them becomes a WebSocket."""

    def __init__(self, server: LoopbackServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._socket: ServerProtocol | None = None
        self._link: ClientLink | None = None
        self._parts: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            if not self._server.entered(transport):
                transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._socket is not None:
            self._socket_received(data)
            return
        self._buffer += data
        while self._transport is not None and not self._transport.is_closing():
            request = self._next_request()
            if request is None:
                return
            self._serve(request)
            if self._socket is not None:
                data, self._buffer = self._buffer, b""
                self._socket_received(data)
                return

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._transport is not None:
            self._server.left(self._transport)
        if self._link is not None and self._server.links.pop(self._link.number, None) is not None:
            self._server.application.closed(self._link)

    def _next_request(self) -> ServerRequest | None:
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            if len(self._buffer) > HEAD_BYTES_MAX:
                self._write(ServerReply(431))
            return None
        try:
            request, size = read_head(self._buffer[:end])
        except ValueError:
            self._buffer = b""
            self._write(ServerReply(400, b'{"error":"not a request"}'))
            return None
        start = end + len(_HEAD_END)
        if len(self._buffer) < start + size:
            return None
        body, self._buffer = self._buffer[start : start + size], self._buffer[start + size :]
        return request._replace(body=body)

    def _serve(self, request: ServerRequest) -> None:
        if not _asked_locally(request):
            # A web page that points its own name at this machine must not reach us through a browser.
            self._write(ServerReply(403, b'{"error":"ask by the name of this machine: localhost or 127.0.0.1"}'))
            return
        if request.upgrade:
            self._server.handshakes += 1
        reply = self._server.application.answer(request)
        if reply is not None:
            self._write(_compressed(reply, request), drop=request.upgrade)
        elif request.upgrade and self._transport is not None:
            self._upgrade(request, self._transport)
        else:
            self._write(ServerReply(404, b'{"error":"not found"}'))

    def _write(self, reply: ServerReply, *, drop: bool = False) -> None:
        if self._transport is None:
            return
        drop = drop or reply.cut or reply.status in (400, 431)
        fields = {"content-length": str(len(reply.body)), "connection": "close" if drop else "keep-alive"}
        lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in {**reply.headers, **fields}.items()]
        body = reply.body[: len(reply.body) // 2] if reply.cut else reply.body
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
        self._socket = protocol
        flush(protocol, transport)
        if protocol.state is OPEN:
            server = self._server
            self._link = ClientLink(server.handshakes, request, protocol, transport)
            server.links[self._link.number] = self._link
            server.application.opened(self._link)

    def _socket_received(self, data: bytes) -> None:
        if self._socket is None or self._transport is None:
            return
        self._socket.receive_data(data)
        flush(self._socket, self._transport)
        for event in self._socket.events_received():
            if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._parts.append(bytes(event.data))
                if event.fin and self._link is not None:
                    message, self._parts = b"".join(self._parts), []
                    self._server.application.heard(self._link, message)


def read_head(head: bytes) -> tuple[ServerRequest, int]:
    """Return a request without its body and the body's size; raises ValueError when it is none."""
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
    """Return what goes before ``message`` in an unmasked text frame."""
    size = len(message)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big")
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")


def flush(protocol: ServerProtocol, transport: asyncio.Transport) -> None:
    """Write what the library wants written; an empty piece means that nothing will follow."""
    for piece in protocol.data_to_send():
        if piece:
            transport.write(piece)
        else:
            transport.close()


def _compressed(reply: ServerReply, request: ServerRequest) -> ServerReply:
    if len(reply.body) < _COMPRESSED_FROM or "gzip" not in request.headers.get("accept-encoding", ""):
        return reply
    headers = {**reply.headers, "content-encoding": "gzip"}
    return reply._replace(body=gzip.compress(reply.body, 1, mtime=0), headers=headers)


def _asked_locally(request: ServerRequest) -> bool:
    host = request.headers.get("host", "localhost").lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
