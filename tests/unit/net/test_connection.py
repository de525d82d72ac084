"""Our connection and the library's own see the same messages and the same end, however bytes fall."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri
from websockets.utils import accept_key

from predsurv.net.connection import BatchingConnection

MAX = 300


class FakeTransport(asyncio.Transport):
    """A transport that records what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        self.sent.append(b"(closed)")

    def abort(self) -> None:
        self.sent.append(b"(aborted)")

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


def answer(key: str) -> bytes:
    """Return the response that accepts a handshake."""
    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return f"{head}Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n".encode()


def opened(kind: type[ClientConnection]) -> tuple[ClientConnection, FakeTransport, bytes]:
    """Return a connection that has sent its request, its transport, and the server's response."""
    protocol = ClientProtocol(parse_uri("ws://x/"), max_size=MAX)
    connection = kind(protocol, max_queue=10_000, close_timeout=1)
    transport = FakeTransport()
    connection.connection_made(transport)
    request = protocol.connect()
    protocol.send_request(request)
    connection.send_data()
    transport.sent.clear()
    return connection, transport, answer(request.headers["Sec-WebSocket-Key"])


def library_messages(connection: ClientConnection) -> list[bytes]:
    """Return the whole messages that the library's own queue holds."""
    messages: list[bytes] = []
    parts: list[bytes] = []
    for frame in connection.recv_messages.frames.queue:
        parts.append(bytes(frame.data))
        if frame.fin:
            messages.append(b"".join(parts))
            parts.clear()
    return messages


FRAMES = st.one_of(
    st.builds(
        lambda opcode, payload, fin: Frame(opcode, payload, fin).serialize(mask=False),
        st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.CONT]),
        st.one_of(st.binary(max_size=20), st.sampled_from([125, 126, 250, MAX, MAX + 1]).map(bytes)),
        st.booleans(),
    ),
    st.binary(max_size=125).map(lambda payload: Frame(Opcode.PING, payload).serialize(mask=False)),
    st.binary(max_size=9).map(lambda payload: Frame(Opcode.PONG, payload).serialize(mask=False)),
    st.sampled_from(
        [
            Frame(Opcode.CLOSE, b"\x03\xf5slow consumer").serialize(mask=False),
            Frame(Opcode.CLOSE, b"").serialize(mask=False),
            b"\x81\x81\x01\x02\x03\x04y",
            b"\x83\x00",
            b"\xc1\x01x",
            b"\x89\x7e\x01\x00" + bytes(256),
            b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x01\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"\x88\x01x",
        ]
    ),
)


def feed(kind: type[ClientConnection], stream: bytes, cuts: Sequence[int]) -> tuple[ClientConnection, FakeTransport]:
    connection, transport, head = opened(kind)
    stream = head + stream
    places = [cut % (len(stream) + 1) for cut in cuts]
    for start, stop in zip([0, *sorted(places)], [*sorted(places), len(stream)], strict=True):
        if start < stop:
            connection.data_received(stream[start:stop])
    return connection, transport


@settings(max_examples=300, deadline=None)
@given(st.lists(FRAMES, max_size=8), st.lists(st.integers(0, 3_000), max_size=12))
def test_our_connection_and_the_librarys_see_the_same(frames: list[bytes], cuts: list[int]) -> None:
    async def scenario() -> None:
        stream = b"".join(frames)
        library, library_transport = feed(ClientConnection, stream, cuts)
        ours, our_transport = feed(BatchingConnection, stream, cuts)
        assert isinstance(ours, BatchingConnection)
        assert list(ours.buffer.messages) == library_messages(library)
        assert ours.protocol.state is library.protocol.state
        assert ours.protocol.close_rcvd == library.protocol.close_rcvd
        assert ours.protocol.close_sent == library.protocol.close_sent
        assert [len(data) for data in our_transport.sent] == [len(data) for data in library_transport.sent]
        for connection in (library, ours):
            connection.eof_received()
            connection.connection_lost(None)
        assert ours.protocol.close_code == library.protocol.close_code
        assert ours.closed_error().code == (ours.protocol.close_rcvd.code if ours.protocol.close_rcvd else None)
        assert "\x1b" not in str(ours.closed_error())

    asyncio.run(scenario())


@pytest.mark.parametrize("cut", [1, 5, 40, 60])
async def test_a_refused_handshake_is_left_to_the_library(cut: int) -> None:
    connection, _, _ = opened(BatchingConnection)
    refusal = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 4\r\nRetry-After: 7\r\n\r\nslow"
    connection.data_received(refusal[:cut])
    connection.data_received(refusal[cut:])
    assert connection.response is not None
    assert connection.response.status_code == 429
    assert bytes(connection.response.body) == b"slow"


async def test_a_handshake_without_end_is_refused() -> None:
    connection, _, _ = opened(BatchingConnection)
    for _ in range(70):
        connection.data_received(b"HTTP/1.1 " + b"x" * 1_000)
    assert connection.protocol.handshake_exc is not None


async def test_many_small_pieces_of_a_large_message_are_not_joined_each_time() -> None:
    protocol = ClientProtocol(parse_uri("ws://x/"), max_size=2**22)
    connection = BatchingConnection(protocol, max_queue=10)
    connection.connection_made(FakeTransport())
    request = protocol.connect()
    protocol.send_request(request)
    connection.data_received(answer(request.headers["Sec-WebSocket-Key"]))
    stream = Frame(Opcode.TEXT, bytes(2**20)).serialize(mask=False)
    for start in range(0, len(stream), 10):
        connection.data_received(stream[start : start + 10])
    assert [len(message) for message in connection.buffer.messages] == [2**20]


async def test_too_many_fragments_end_the_connection() -> None:
    connection, transport = feed(BatchingConnection, Frame(Opcode.TEXT, b"", False).serialize(mask=False), [])
    for _ in range(5_000):
        connection.data_received(Frame(Opcode.CONT, b"", False).serialize(mask=False))
    assert connection.protocol.close_sent is not None
    assert connection.protocol.close_sent.code == 1009
    assert len(transport.sent) >= 1
