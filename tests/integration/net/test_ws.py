"""The WebSocket port against real servers on loopback, well-behaved and not."""

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.utils import accept_key

from predsurv.core.errors import PermanentError, RateLimited, TransientError
from predsurv.net.ws import Socket, SocketClosedError, WsLimits, connect
from tests.kit.raw_server import Raw, serve_raw

MS = 1_000_000
Handler = Callable[[ServerConnection], Awaitable[None]]
Hook = Callable[[ServerConnection, Request], Response | None]


@asynccontextmanager
async def venue(handler: Handler, hook: Hook | None = None) -> AsyncIterator[str]:
    """Serve with the library; yield the URL."""
    async with serve(handler, "127.0.0.1", 0, process_request=hook, compression=None, close_timeout=1) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ws"


@asynccontextmanager
async def raw_venue(after_head: Raw, *, answer: bytes | None = None) -> AsyncIterator[str]:
    """Serve bytes: read the request, send ``answer`` (by default, accept it), then do ``after_head``."""

    async def serve_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
        good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        writer.write(answer or f"{good}Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n".encode())
        await after_head(reader, writer)

    async with serve_raw(serve_client) as port:
        yield f"ws://127.0.0.1:{port}/ws"


@asynccontextmanager
async def open_socket(url: str, limits: WsLimits | None = None) -> AsyncIterator[Socket]:
    connection = await connect(url, limits=limits or WsLimits(close_timeout=200 * MS))
    try:
        yield connection
    finally:
        await connection.aclose()


async def idle(connection: ServerConnection) -> None:
    await connection.wait_closed()


async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    return


async def receive(connection: Socket, count: int) -> list[bytes]:
    messages: list[bytes] = []
    while len(messages) < count:
        messages += await connection.recv_many()
    return messages


async def test_text_and_binary_arrive_as_bytes_in_order() -> None:
    sent: list[str | bytes] = ["first", b"second", "", "ü", "x" * 70_000, ["frag", "men", "ted"]]  # type: ignore[list-item]

    async def handler(connection: ServerConnection) -> None:
        for message in sent:
            await connection.send(message)
        await (await connection.ping())
        await connection.wait_closed()

    async with venue(handler) as url, open_socket(url) as client:
        assert await client.recv() == b"first"
        rest = await receive(client, 5)
        assert rest == [b"second", b"", "ü".encode(), b"x" * 70_000, b"fragmented"]


async def test_thousands_of_frames_are_received_in_few_calls() -> None:
    async def handler(connection: ServerConnection) -> None:
        for number in range(20_000):
            await connection.send(str(number))
        await connection.wait_closed()

    async with venue(handler) as url, open_socket(url) as client:
        messages: list[bytes] = []
        turns = 0
        while len(messages) < 20_000:
            messages += await client.recv_many()
            turns += 1
    assert messages == [str(number).encode() for number in range(20_000)]
    assert turns < 5_000


async def test_sent_messages_arrive_as_text() -> None:
    received: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def handler(connection: ServerConnection) -> None:
        received.set_result(await connection.recv())

    async with venue(handler) as url, open_socket(url) as client:
        await client.send(b'{"type":"market"}')
        assert await received == '{"type":"market"}'


async def test_headers_are_sent_and_compression_is_not_offered() -> None:
    seen: list[Request] = []

    def hook(connection: ServerConnection, request: Request) -> Response | None:
        seen.append(request)
        return None

    async with venue(idle, hook) as url:
        connection = await connect(url, {"KALSHI-ACCESS-KEY": "k"})
        await connection.aclose()
    assert seen[0].headers["KALSHI-ACCESS-KEY"] == "k"
    assert "Sec-WebSocket-Extensions" not in seen[0].headers
    assert seen[0].headers["User-Agent"].startswith("predsurv/")


async def test_a_close_frame_is_reported_after_the_last_message() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send("last")
        await connection.close(1013, "slow consumer: send buffer full")

    async with venue(handler) as url, open_socket(url) as client:
        assert await client.recv() == b"last"
        with pytest.raises(SocketClosedError) as caught:
            await client.recv_many()
        error = caught.value
        assert (error.code, error.reason) == (1013, "slow consumer: send buffer full")
        assert str(error) == "connection closed by the other side: code 1013, slow consumer: send buffer full"
        with pytest.raises(SocketClosedError):
            await client.recv()
        with pytest.raises(SocketClosedError):
            await client.send(b"x")


async def test_a_hostile_close_reason_is_harmless() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.close(4000, "\x1b]0;x\x07\n")

    async with venue(handler) as url, open_socket(url) as client:
        with pytest.raises(SocketClosedError) as caught:
            await client.recv()
    assert "\x1b" not in str(caught.value) + caught.value.reason


async def test_a_close_without_a_frame_has_no_code() -> None:
    async def after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x81\x05first\x81\x7e\x10")

    async with raw_venue(after) as url, open_socket(url) as client:
        assert await client.recv_many() == [b"first"]
        with pytest.raises(SocketClosedError, match="lost without a close frame") as caught:
            await client.recv_many()
    assert (caught.value.code, caught.value.reason) == (None, "")


async def test_a_connection_reset_closes_the_socket() -> None:
    async def after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with raw_venue(after) as url, open_socket(url) as client:
        with pytest.raises(SocketClosedError, match="without a close frame"):
            await client.recv_many()


async def test_a_message_that_is_too_long_ends_the_connection() -> None:
    answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x81\x02ok\x81\x7e\x10\x01")
        answered.set_result(await reader.readexactly(8))
        await reader.read()

    async with (
        raw_venue(after) as url,
        open_socket(url, WsLimits(message_bytes_max=4_096, close_timeout=50 * MS)) as client,
    ):
        assert await client.recv() == b"ok"
        with pytest.raises(SocketClosedError, match="closed on this side: code 1009"):
            await client.recv_many()
        assert (await answered)[0] == 0x88


async def test_a_peer_that_never_closes_its_end_does_not_block_closing() -> None:
    async def after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x83\x00")
        await reader.read()

    async with raw_venue(after) as url, open_socket(url, WsLimits(close_timeout=50 * MS)) as client:
        with pytest.raises(SocketClosedError, match="code 1002"):
            await asyncio.wait_for(client.recv(), 5)


async def test_a_slow_consumer_pauses_reading() -> None:
    flood = b"\x82\x7e\x03\xe8" + bytes(1_000)
    blocked = asyncio.Event()

    async def after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        written = 0
        while written < 50_000_000:
            writer.write(flood * 100)
            written += len(flood) * 100
            try:
                await asyncio.wait_for(writer.drain(), 0.2)
            except TimeoutError:
                blocked.set()
                await reader.read()

    async with (
        raw_venue(after) as url,
        open_socket(url, WsLimits(queue_frames_max=100, close_timeout=50 * MS)) as client,
    ):
        await asyncio.wait_for(blocked.wait(), 20)
        assert client.pauses == 1
        batch = await client.recv_many()
        assert 100 < len(batch) < 1_000


@pytest.mark.parametrize(
    ("status", "headers", "kind", "wait"),
    [
        (429, "Retry-After: 7\r\n", RateLimited, 7_000_000_000),
        (429, "", RateLimited, None),
        (401, "", PermanentError, None),
        (403, "", PermanentError, None),
        (404, "", TransientError, None),
        (500, "", TransientError, None),
        (503, "", TransientError, None),
        (302, "Location: ws://127.0.0.1:1/elsewhere\r\n", TransientError, None),
    ],
)
async def test_a_refused_handshake_is_mapped_to_an_error(
    status: int, headers: str, kind: type[Exception], wait: int | None
) -> None:
    body = "<html><title>Attention\x1b[2J required</title></html>"
    answer = f"HTTP/1.1 {status} No\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()
    async with raw_venue(nothing, answer=answer) as url:
        with pytest.raises(kind) as caught:
            await connect(url)
    text = str(caught.value)
    assert type(caught.value) is kind
    assert f"refused the connection: HTTP {status}, Attention" in text
    assert "\x1b" not in text
    assert getattr(caught.value, "retry_after_ns", None) == wait


@pytest.mark.parametrize(
    "answer", [b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 101 x\r\n\r\n"]
)
async def test_a_server_that_does_not_speak_websocket_is_a_transient_error(answer: bytes) -> None:
    async with raw_venue(nothing, answer=answer) as url:
        with pytest.raises(TransientError):
            await connect(url)


async def test_a_port_where_nobody_listens_is_transient() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(
        TransientError, match=rf"cannot connect to 127\.0\.0\.1:{port}: .*; check the network or try later"
    ):
        await connect(f"ws://127.0.0.1:{port}/ws")


async def test_a_server_that_does_not_answer_the_handshake_times_out() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serve_raw(silent) as port:
        with pytest.raises(TransientError, match="timed out during opening handshake"):
            await connect(f"ws://127.0.0.1:{port}/", limits=WsLimits(open_timeout=50 * MS))


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "ws://", "nonsense", "ws://[::1"])
async def test_an_invalid_websocket_url_is_a_permanent_error(url: str) -> None:
    with pytest.raises(PermanentError, match="not a WebSocket address"):
        await connect(url)


async def test_a_silent_peer_is_found_by_ping() -> None:
    async def after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    limits = WsLimits(ping_interval=20 * MS, ping_timeout=30 * MS, close_timeout=20 * MS)
    async with raw_venue(after) as url, open_socket(url, limits) as client:
        with pytest.raises(SocketClosedError):
            await asyncio.wait_for(client.recv(), 5)


async def test_pings_are_answered_and_pongs_understood() -> None:
    async def handler(connection: ServerConnection) -> None:
        await (await connection.ping(b"heartbeat"))
        await connection.send("alive")
        await connection.wait_closed()

    limits = WsLimits(ping_interval=5 * MS, ping_timeout=1_000 * MS, close_timeout=100 * MS)
    async with venue(handler) as url, open_socket(url, limits) as client:
        assert await client.recv() == b"alive"


async def test_close_is_idempotent_wakes_the_receiver_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    async with venue(idle) as url:
        client = await connect(url)
        receiver = asyncio.create_task(client.recv_many())
        await asyncio.sleep(0)
        await asyncio.gather(client.aclose(), client.aclose())
        with pytest.raises(SocketClosedError):
            await receiver
        await client.aclose()
    assert asyncio.all_tasks() == before


async def test_a_cancelled_receiver_loses_no_message() -> None:
    go = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        await go.wait()
        await connection.send("kept")
        await connection.wait_closed()

    async with venue(handler) as url, open_socket(url) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.recv_many(), 0.01)
        go.set()
        assert await client.recv_many() == [b"kept"]


async def test_credentials_never_reach_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with venue(idle) as url:
        client = await connect(url, {"KALSHI-ACCESS-SIGNATURE": "CANARY"})
        await client.send(b'{"secret":"CANARY"}')
        await client.aclose()
    ours = [record for record in caplog.records if record.name.startswith("predsurv")]
    assert not [record for record in ours if "CANARY" in record.getMessage()]
