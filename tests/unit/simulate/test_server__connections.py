"""Connections of the loopback server: refusals, faults of answers, WebSockets and their ends, over real sockets."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from predsurv.core.errors import ConfigError
from predsurv.simulate import server as server_module
from predsurv.simulate.server import (
    HEAD_BYTES_MAX,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
    WebSocketConnection,
)
from tests.kit.patience import PATIENCE_S

Respond = Callable[[ServerRequest], ServerResponse | None]


class EchoApplication:
    """Answers as told, and sends each message back."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.opened: list[WebSocketConnection] = []
        self.closed = asyncio.Event()

    def on_open(self, websocket: WebSocketConnection) -> None:
        self.opened.append(websocket)

    def on_message(self, websocket: WebSocketConnection, message: bytes) -> None:
        websocket.send([message])

    def on_close(self, websocket: WebSocketConnection) -> None:
        assert websocket in self.opened
        self.closed.set()


@asynccontextmanager
async def served(respond: Respond) -> AsyncIterator[tuple[LoopbackServer, EchoApplication]]:
    application = EchoApplication(respond)
    server = LoopbackServer(application)
    await server.start()
    async with asyncio.timeout(PATIENCE_S):
        yield server, application
    await server.aclose()
    await server.aclose()


async def exchanged(server: LoopbackServer, *pieces: bytes) -> bytes:
    """Send pieces, then the end; return all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
        return await reader.read()
    except OSError:  # reset, or not even connected any more
        return b""
    finally:
        writer.close()


def get(path: str = "/", *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


def nothing(_: ServerRequest) -> None:
    return None


async def test_a_port_is_known_once_it_is_bound_and_bound_once() -> None:
    with pytest.raises(ConfigError, match="the simulator is not listening; start it first"):
        _ = LoopbackServer(EchoApplication(nothing)).port
    async with served(nothing) as (server, _):
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {server.port}: .*; choose another"):
            await LoopbackServer(EchoApplication(nothing)).start(server.port)
        with pytest.raises(ConfigError, match="port 70000"):
            await LoopbackServer(EchoApplication(nothing)).start(70_000)


async def test_requests_that_are_none_are_refused_and_end_the_connection() -> None:
    async with served(nothing) as (server, _):
        assert (await exchanged(server, b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        assert (await exchanged(server, b"x" * (HEAD_BYTES_MAX + 1))).startswith(b"HTTP/1.1 431 ")
        assert (await exchanged(server, get("/unknown"))).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    ("host", "allowed"),
    [("localhost", True), ("127.0.0.1:80", True), ("[::1]:80", True), ("evil.test", False), ("8.8.8.8", False)],
)
async def test_only_names_of_this_machine_are_answered(host: str, *, allowed: bool) -> None:
    async with served(lambda _: ServerResponse(200, b"ok")) as (server, _):
        answer = await exchanged(server, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 200 " if allowed else b"HTTP/1.1 403 ")


async def test_a_request_in_pieces_is_one_and_two_in_one_piece_are_two() -> None:
    async with served(lambda request: ServerResponse(200, request.body + b"!")) as (server, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        whole = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd"
        for piece in (whole[:20], whole[20:-2], whole[-2:] + whole):
            writer.write(piece)
            await writer.drain()
        for _ in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"content-length: 5\r\n" in head
            assert await reader.readexactly(5) == b"abcd!"
        writer.close()


async def test_answers_are_cut_reset_late_or_small() -> None:
    body = b"0123456789" * 200
    answers = {
        "/cut": ServerResponse(200, body, truncated=True),
        "/reset": ServerResponse(200, body, reset=True),
        "/late": ServerResponse(200, body, delay_s=0.001),
    }
    async with served(lambda request: answers.get(request.path, ServerResponse(200, body))) as (server, _):
        cut = await exchanged(server, get("/cut"))
        head, _, got = cut.partition(b"\r\n\r\n")
        assert (b"content-length: 2000" in head, got) == (True, body[:1_000])
        assert await exchanged(server, get("/reset")) == b""
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(get("/late"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(2_000) == body
        writer.write(get("/", "Accept-Encoding: gzip"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"content-encoding: gzip" in head
        size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        assert gzip.decompress(await reader.readexactly(size)) == body
        writer.close()


async def test_messages_come_back_whole_and_a_close_is_a_close() -> None:
    async with served(nothing) as (server, application):
        async with connect(f"ws://127.0.0.1:{server.port}/", proxy=None) as link:
            await link.send(["one ", "message"])  # in fragments
            assert await link.recv() == "one message"
            (websocket,) = application.opened
            assert (websocket.is_open, websocket.backlog) == (True, 0)
            websocket.close(1013, "slow")
            websocket.close(1000, "again")
            websocket.send([b"too late"])
            with pytest.raises(ConnectionClosed) as ended:
                await link.recv()
            assert ended.value.rcvd is not None
            assert (ended.value.rcvd.code, ended.value.rcvd.reason) == (1013, "slow")
        await application.closed.wait()
        assert server.websockets == {}


async def test_a_handshake_that_is_none_opens_no_websocket() -> None:
    async with served(nothing) as (server, application):
        answer = await exchanged(server, get("/", "Upgrade: websocket", "Connection: Upgrade"))
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert (server.handshakes, application.opened) == (1, [])


async def test_a_refused_websocket_ends_the_connection() -> None:
    async with served(lambda _: ServerResponse(429, b"{}")) as (server, application):
        answer = await exchanged(server, get("/", "Upgrade: websocket", "Connection: Upgrade"))
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"connection: close" in answer
        assert application.opened == []


async def test_connections_beyond_the_most_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "CONNECTIONS_MAX", 1)
    async with served(lambda _: ServerResponse(200, b"ok")) as (server, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(get())
        await reader.readuntil(b"ok")
        assert await exchanged(server, get()) == b""
        writer.write(get())
        await reader.readuntil(b"ok")
        writer.close()
