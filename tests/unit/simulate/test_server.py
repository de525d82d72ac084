import pytest
from websockets.frames import Frame, Opcode

from predsurv.simulate.server import BODY_BYTES_MAX, frame_head, read_head


def test_a_request_is_read() -> None:
    head = b"POST /books?a=1&a=2&b= HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\nX-Y:  z "
    request, size = read_head(head)
    assert (request.method, request.path, request.target) == ("POST", "/books", "/books?a=1&a=2&b=")
    assert request.query == {"a": ["1", "2"], "b": [""]}
    assert request.headers == {"host": "localhost", "content-length": "12", "x-y": "z"}
    assert size == 12
    assert not request.upgrade


def test_a_request_for_a_websocket_is_recognised() -> None:
    request, size = read_head(b"GET /ws/market HTTP/1.1\r\nHost: localhost\r\nUpgrade: WebSocket")
    assert request.upgrade
    assert size == 0


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET /",
        b"GET / HTTP/2",
        b"GET http://example.com/ HTTP/1.1",
        b"GET / HTTP/1.1\r\nno colon",
        b"GET / HTTP/1.1\r\nContent-Length: -1",
        b"GET / HTTP/1.1\r\nContent-Length: x",
        b"GET / HTTP/1.1\r\nContent-Length: %d" % (BODY_BYTES_MAX + 1),
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked",
    ],
)
def test_an_invalid_request_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_head(head)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_frame_heads_equal_those_of_the_websockets_library(size: int) -> None:
    message = b"x" * size
    assert frame_head(message) + message == Frame(Opcode.TEXT, message).serialize(mask=False)
