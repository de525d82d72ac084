"""Heads of requests: an independent reader finds in them what was given, and what cannot stand in one is refused."""

import string
from urllib.parse import quote

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.net.request_head import request_head

TOKEN = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
NAMES = st.text(TOKEN, min_size=1, max_size=12).filter(
    lambda name: name.lower() not in ("host", "content-length", "transfer-encoding", "connection", "expect")
)
VALUES = st.text(string.digits + string.ascii_letters + string.punctuation + " \t", max_size=30).map(str.strip)
PATHS = st.text(max_size=10).map(lambda text: f"/{quote(text)}")


def read(head: bytes, body: bytes) -> tuple[h11.Request, bytes]:
    """Return what a server reads."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(head + body)
    request = server.next_event()
    assert isinstance(request, h11.Request)
    found = bytearray()
    while isinstance(event := server.next_event(), h11.Data):
        found += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert not server.trailing_data[0]
    return request, bytes(found)


@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    PATHS,
    st.dictionaries(NAMES, VALUES, max_size=4),
    st.binary(max_size=20),
)
def test_a_server_reads_what_was_given(method: str, path: str, headers: dict[str, str], body: bytes) -> None:
    url = f"http://someone@localhost:8080{path}?a=1&b=%20"
    request, found = read(request_head(method, url, headers, len(body)), body)
    assert (request.method, request.target, found) == (method.encode(), f"{path}?a=1&b=%20".encode(), body)
    length = [("content-length", str(len(body)))] if body or method in ("POST", "PUT") else []
    told = [("host", "localhost:8080"), *((name.lower(), value) for name, value in headers.items()), *length]
    assert [(name.decode(), value.decode()) for name, value in request.headers] == told


@pytest.mark.parametrize("value", ["a\r\nX-Other: 1", "a\nb", "a\rb", "a\0b", " a", "a ", "\ta", "ü", "\x7f", "a\x85b"])
def test_a_value_that_cannot_be_sent_is_refused_without_being_told(value: str) -> None:
    with pytest.raises(ValueError, match=r"illegal characters in the header 'X-Sign'$"):
        request_head("POST", "http://localhost/", {"X-Sign": value}, 0)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\n", "ü", " a"])
def test_a_name_that_cannot_be_sent_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="illegal"):
        request_head("POST", "http://localhost/", {name: "1"}, 0)


@pytest.mark.parametrize("url", ["http://localhost/a b", "http://localhost/ü", "http://localhost/?\x7f", "http://lö/"])
def test_where_no_request_line_leads_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="illegal"):
        request_head("GET", url, {}, 0)


def test_a_method_is_one_word() -> None:
    with pytest.raises(ValueError, match="illegal"):
        request_head("GET /other", "http://localhost/", {}, 0)
