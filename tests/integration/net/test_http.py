"""The HTTP port against a loopback server that sends exactly what is scripted."""

import asyncio
import gzip
import socket
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from unittest import mock

import httpx
import pytest

from predsurv.core.errors import AmbiguousError, PermanentError, RateLimited, TransientError, WireError
from predsurv.net.backoff import BASE
from predsurv.net.clock import ManualClock
from predsurv.net.http import UNACKNOWLEDGED_MAX, Http, HttpLimits, StatusError
from predsurv.net.rate_limiter import TokenBucket
from tests.kit.raw_server import serve_raw

MS = 1_000_000
S = 1_000_000_000
HTML = b"<html><head><title>Just a moment\x1b[2J</title></head><body>" + b"x" * 500 + b"</body></html>"
Step = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def ok(body: bytes, headers: str = "", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


class Site:
    """A server that answers each request with the next step and records the requests."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.requests: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/markets"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self.steps:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = [
                int(line.split(": ")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")
            ]
            body = await reader.readexactly(length[0]) if length else b""
            self.requests.append(head + body.decode())
            step = self.steps.pop(0)
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            else:
                await step(writer)
                return


async def hang_up(writer: asyncio.StreamWriter) -> None:
    return


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.get_running_loop().create_future()


def cut(data: bytes) -> Step:
    async def step(writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return step


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    async with serve_raw(site.serve) as site.port:
        yield site


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(jumps=True)


@asynccontextmanager
async def client(clock: ManualClock, **limits: int) -> AsyncIterator[Http]:
    http = Http(clock, lambda: 1.0, limits=HttpLimits(**limits))
    try:
        yield http
    finally:
        await http.aclose()


async def test_a_body_is_fetched_with_query_and_signature(site: Site, clock: ManualClock) -> None:
    site.steps = [ok(b'{"a":1}'), ok(b"")]
    async with client(clock) as http:
        assert await http.get(site.url, params=[("a", "1"), ("a", "2")], sign=lambda: {"X-Sign": "s"}) == b'{"a":1}'
        assert await http.get(site.url + "?own=1") == b""
    head = site.requests[0]
    assert head.startswith("GET /markets?a=1&a=2 HTTP/1.1\r\n")
    assert "X-Sign: s\r\n" in head
    assert "Accept-Encoding: gzip\r\n" in head
    assert "User-Agent: predsurv/" in head
    assert site.requests[1].startswith("GET /markets?own=1 ")
    assert clock.slept == []


async def test_gzip_is_inflated(site: Site, clock: ManualClock) -> None:
    body = b"0123456789" * 100_000
    site.steps = [ok(gzip.compress(body), "Content-Encoding: gzip\r\n")]
    async with client(clock) as http:
        assert await http.get(site.url) == body


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad Gateway", "503 Busy", "408 Slow", "425 Early"])
async def test_a_request_to_a_failing_server_is_retried(site: Site, clock: ManualClock, status: str) -> None:
    site.steps = [ok(HTML, status=status), ok(HTML, status=status), ok(b"fine")]
    async with client(clock) as http:
        assert await http.get(site.url) == b"fine"
    assert clock.slept == [BASE, 2 * BASE]


async def test_each_attempt_is_signed_anew(site: Site, clock: ManualClock) -> None:
    stamps = iter("12")
    site.steps = [ok(b"", status="500 Oops"), ok(b"fine")]
    async with client(clock) as http:
        await http.get(site.url, sign=lambda: {"X-Stamp": next(stamps)})
    assert ["X-Stamp: 1" in site.requests[0], "X-Stamp: 2" in site.requests[1]] == [True, True]


async def test_a_persisting_failure_is_reported_in_one_harmless_line(site: Site, clock: ManualClock) -> None:
    site.steps = [ok(HTML, status="503 Busy")] * 3
    async with client(clock, attempts=3) as http:
        with pytest.raises(TransientError) as caught:
            await http.get(site.url + "?signature=abc")
    text = str(caught.value)
    assert text == f"127.0.0.1:{site.port}/markets answered HTTP 503: Just a moment [2J; try later"
    assert len(site.requests) == 3


@pytest.mark.parametrize(("header", "wait"), [("Retry-After: 7\r\n", 7 * S), ("", BASE), ("Retry-After: x\r\n", BASE)])
async def test_429_waits_as_long_as_asked(site: Site, clock: ManualClock, header: str, wait: int) -> None:
    site.steps = [ok(b"slow down", header, "429 Too Many"), ok(b"fine")]
    async with client(clock) as http:
        assert await http.get(site.url) == b"fine"
    assert clock.slept == [wait]


async def test_429_that_persists_is_rate_limited(site: Site, clock: ManualClock) -> None:
    site.steps = [ok(b"{}", "Retry-After: 2\r\n", "429 Too Many")] * 2
    async with client(clock, attempts=2) as http:
        with pytest.raises(RateLimited, match="too many requests") as caught:
            await http.get(site.url)
    assert caught.value.retry_after_ns == 2 * S


async def test_429_holds_every_request_that_shares_the_limiter(site: Site, clock: ManualClock) -> None:
    bucket = TokenBucket(clock, tokens=100, period=S, burst=100)
    site.steps = [ok(b"", "Retry-After: 7\r\n", "429 Too Many"), ok(b"", status="429 Too Many"), ok(b"fine")]
    async with client(clock) as http:
        with pytest.raises(RateLimited):
            await http.send_once("POST", site.url, limiter=bucket)
        before = clock.monotonic()
        assert await http.get(site.url, limiter=bucket) == b"fine"
    assert before == 0
    assert clock.monotonic() == 8 * S


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410])
async def test_a_refused_request_is_not_retried(site: Site, clock: ManualClock, status: int) -> None:
    site.steps = [ok(b'{"error":"no"}', status=f"{status} No")]
    async with client(clock) as http:
        with pytest.raises(StatusError, match=f'answered HTTP {status}: {{"error":"no"}}') as caught:
            await http.get(site.url)
    assert (caught.value.status, caught.value.body) == (status, b'{"error":"no"}')
    assert clock.slept == []


async def test_a_redirect_is_not_followed(site: Site, clock: ManualClock) -> None:
    site.steps = [ok(b"", f"Location: http://127.0.0.1:{site.port}/elsewhere\r\n", "302 Found"), ok(b"wrong")]
    async with client(clock) as http:
        with pytest.raises(PermanentError, match="redirects are not followed"):
            await http.get(site.url)
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    "step",
    [
        hang_up,
        cut(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"),
        cut(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
            + gzip.compress(b"x" * 999, mtime=0)[:-9]
        ),
        cut(b"\x00\x01nonsense\r\n\r\n"),
        hang,
    ],
)
async def test_a_request_with_an_incomplete_answer_is_retried(site: Site, clock: ManualClock, step: Step) -> None:
    site.steps = [step, ok(b"fine")]
    async with client(clock, read_timeout=100 * MS) as http:
        assert await http.get(site.url) == b"fine"
    assert clock.slept == [BASE]


async def test_a_request_may_have_less_time_than_the_others(site: Site, clock: ManualClock) -> None:
    site.steps = [hang, ok(b"fine")]
    async with client(clock) as http:
        assert await http.get(site.url, read_timeout=100 * MS) == b"fine"
    assert clock.slept == [BASE]


async def test_a_trickling_answer_ends_at_the_total_timeout(site: Site, clock: ManualClock) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.01)

    site.steps = [trickle]
    async with client(clock, total_timeout=150 * MS, read_timeout=S, attempts=1) as http:
        with pytest.raises(TransientError, match="gave no complete answer: timed out"):
            await http.get(site.url)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ok(b"x" * 1_001), "more than 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 70_000, "more than 1000 bytes"),
        (ok(gzip.compress(b"x" * 1_001, mtime=0), "Content-Encoding: gzip\r\n"), "more than 1000 bytes"),
        (ok(b"not gzip at all", "Content-Encoding: gzip\r\n"), "damaged gzip"),
        (
            ok(gzip.compress(b"a", mtime=0) + gzip.compress(b"b", mtime=0), "Content-Encoding: gzip\r\n"),
            "more than one gzip stream",
        ),
        (ok(b"x", "Content-Encoding: br\r\n"), "an encoding that was not asked for"),
    ],
)
async def test_a_body_that_cannot_be_read_is_a_wire_error(
    site: Site, clock: ManualClock, answer: bytes, expected: str
) -> None:
    site.steps = [answer]
    async with client(clock, body_bytes_max=1_000) as http:
        with pytest.raises(WireError, match=expected):
            await http.get(site.url)
    assert clock.slept == []


async def test_a_gzip_bomb_is_not_inflated_beyond_the_bound(site: Site, clock: ManualClock) -> None:
    bomb = gzip.compress(bytes(200 * 2**20), 9)
    site.steps = [ok(bomb, "Content-Encoding: gzip\r\n")]
    async with client(clock, body_bytes_max=2**20) as http:
        tracemalloc.start()
        try:
            with pytest.raises(WireError, match="more than 1048576 bytes"):
                await http.get(site.url)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 16 * 2**20


async def test_a_port_where_nobody_listens(clock: ManualClock) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with client(clock, attempts=2) as http:
        with pytest.raises(TransientError, match=rf"cannot connect to 127\.0\.0\.1:{port}/x: .*; check the network"):
            await http.get(f"http://127.0.0.1:{port}/x")
        with pytest.raises(TransientError, match="cannot connect"):
            await http.send_once("POST", f"http://127.0.0.1:{port}/x")
    assert clock.slept == [BASE]


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system cannot be told")
async def test_the_system_gives_up_what_does_not_arrive(site: Site, clock: ManualClock) -> None:
    seen: list[int] = []
    connect = socket.socket.setsockopt

    def noted(self: socket.socket, level: int, option: int, *value: Any) -> None:
        if (level, option) == (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT):
            seen.append(value[0])
        connect(self, level, option, *value)

    site.steps = [ok(b"1")]
    with mock.patch.object(socket.socket, "setsockopt", noted):
        async with client(clock) as http:
            await http.get(site.url)
    assert seen == [UNACKNOWLEDGED_MAX // MS]


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "nonsense", "http://[::1", "http://"])
async def test_an_invalid_url_is_a_permanent_error(clock: ManualClock, url: str) -> None:
    async with client(clock) as http:
        with pytest.raises(PermanentError, match="check the configuration"):
            await http.get(url)


async def test_concurrent_requests_are_limited(site: Site, clock: ManualClock) -> None:
    at_once = 0
    most = 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.001)
        at_once -= 1
        return httpx.Response(200, json={})

    http = Http(clock, lambda: 0.0, limits=HttpLimits(concurrency=3), transport=httpx.MockTransport(answer))
    await asyncio.gather(*(http.get("http://x/") for _ in range(20)))
    await http.aclose()
    assert most == 3


async def test_a_test_transport_works_like_the_network(clock: ManualClock) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=gzip.compress(b"hello"), headers={"Content-Encoding": "gzip"})

    http = Http(clock, lambda: 0.0, transport=httpx.MockTransport(answer))
    assert await http.get("https://gamma-api.polymarket.com/x") == b"hello"
    await http.aclose()
    await http.aclose()


async def test_cookies_and_the_environment_are_ignored(
    site: Site, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    site.steps = [ok(b"1", "Set-Cookie: a=b\r\n"), ok(b"2")]
    async with client(clock) as http:
        await http.get(site.url)
        await http.get(site.url)
    assert "ookie" not in site.requests[1]


async def test_send_once_returns_the_answer_whatever_its_status(site: Site, clock: ManualClock) -> None:
    site.steps = [ok(b'{"code":"invalid_order"}', "X-Id: 7\r\n", "400 Bad"), ok(b"{}", status="201 Created")]
    async with client(clock) as http:
        refused = await http.send_once("POST", site.url, body=b'{"a":1}', sign=lambda: {"X-Sign": "s"})
        made = await http.send_once("DELETE", site.url)
    assert (refused.status, refused.body, refused.headers["x-id"]) == (400, b'{"code":"invalid_order"}', "7")
    assert made.status == 201
    assert site.requests[0].endswith('\r\n\r\n{"a":1}')
    assert site.requests[1].startswith("DELETE ")


@pytest.mark.parametrize(
    "step",
    [
        ok(b"oops", status="500 Oops"),
        ok(b"oops", status="408 Slow"),
        ok(HTML, status="503 Busy"),
        hang_up,
        hang,
        cut(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        ok(b"x" * 2_000),
    ],
)
async def test_send_once_without_a_certain_answer_is_ambiguous_and_never_retried(
    site: Site, clock: ManualClock, step: Step
) -> None:
    site.steps = [step, ok(b"twice")]
    async with client(clock, read_timeout=100 * MS, body_bytes_max=1_000) as http:
        with pytest.raises(AmbiguousError, match=r"^POST 127\.0\.0\.1.*; it may have been carried out$"):
            await http.send_once("POST", site.url, body=b"{}")
    assert len(site.requests) == 1
    assert clock.slept == []


async def test_send_once_that_was_rate_limited_was_not_carried_out(site: Site, clock: ManualClock) -> None:
    site.steps = [ok(b"", "Retry-After: 3\r\n", "429 Too Many")]
    async with client(clock) as http:
        with pytest.raises(RateLimited) as caught:
            await http.send_once("POST", site.url)
    assert caught.value.retry_after_ns == 3 * S


async def test_no_secret_is_in_a_message(site: Site, clock: ManualClock) -> None:
    site.steps = [ok(b"", status="401 No")]
    headers: Mapping[str, str] = {"POLY_PASSPHRASE": "CANARY"}
    async with client(clock) as http:
        with pytest.raises(StatusError) as caught:
            await http.get(site.url, params={"signature": "CANARY"}, sign=lambda: headers)
    assert "CANARY" not in str(caught.value)
