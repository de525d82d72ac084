"""Connections kept for what is sent once, against a loopback server that sends exactly what is scripted."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from predsurv.net.kept_connections import (
    IDLE_MAX_S,
    Answer,
    CannotConnectError,
    KeptConnections,
    KeptLimits,
    LostAnswerError,
    UnreadableAnswerError,
)
from tests.kit.raw_server import serve_raw

LIMITS = KeptLimits(connect_s=20, answer_s=20, body_bytes_max=1_000, user_timeout_ms=3_000)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Site:
    """Answers each request with the next of ``answers`` and keeps requests by connection; "" hangs up at once.

    An answer that ends in ``CUT`` is the last of its connection.
    """

    CUT = b"<cut>"

    def __init__(self, *answers: bytes) -> None:
        self.answers, self.connections, self.port = list(answers), list[list[str]](), 0
        self.hung_up = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/order"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests: list[str] = []
        self.connections.append(requests)
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [int(line[15:]) for line in head.split("\r\n") if line.startswith("Content-Length:")]
            body = await reader.readexactly(lengths[0]) if lengths else b""
            requests.append(head + body.decode())
            answer = self.answers.pop(0)
            writer.write(answer.removesuffix(self.CUT))
            await writer.drain()
            if answer.endswith(self.CUT):
                writer.close()
                await writer.wait_closed()
                self.hung_up.set()
                return


class Seconds:
    def __init__(self) -> None:
        self.passed = 0.0

    def __call__(self) -> float:
        return self.passed


@asynccontextmanager
async def serving(*answers: bytes) -> AsyncIterator[tuple[Site, KeptConnections, Seconds]]:
    site, clock = Site(*answers), Seconds()
    async with serve_raw(site.serve) as site.port:
        kept = KeptConnections(LIMITS, ssl.create_default_context, clock)
        try:
            yield site, kept, clock
        finally:
            await kept.aclose()
            await kept.aclose()


async def post(kept: KeptConnections, url: str, body: bytes = b"{}") -> Answer:
    return await kept.send("POST", url, {"X-Sign": "s"}, body)


async def test_one_connection_serves_one_request_after_the_other() -> None:
    async with serving(OK, OK, OK) as (site, kept, _):
        assert await post(kept, site.url + "?a=1") == Answer(200, [(b"content-length", b"2")], b"{}")
        await kept.send("DELETE", site.url, {}, b"")
        await kept.send("PUT", f"http://127.0.0.1:{site.port}", {}, b"")
    ((first, second, third),) = site.connections
    host = f"Host: 127.0.0.1:{site.port}\r\n"
    assert first == f"POST /order?a=1 HTTP/1.1\r\n{host}X-Sign: s\r\nContent-Length: 2\r\n\r\n{{}}"
    assert second == f"DELETE /order HTTP/1.1\r\n{host}\r\n"
    assert third == f"PUT / HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n"


async def test_requests_at_the_same_time_have_a_connection_each() -> None:
    async with serving(OK, OK, OK) as (site, kept, _):
        await asyncio.gather(post(kept, site.url), post(kept, site.url))
        await post(kept, site.url)
    assert sorted(map(len, site.connections)) == [1, 2]


async def test_a_connection_that_was_idle_for_long_is_not_used_again() -> None:
    async with serving(OK, OK, OK) as (site, kept, clock):
        await post(kept, site.url)
        clock.passed += IDLE_MAX_S - 1
        await post(kept, site.url)
        clock.passed += IDLE_MAX_S
        await post(kept, site.url)
    assert [len(each) for each in site.connections] == [2, 1]


@pytest.mark.parametrize(
    "last",
    [
        OK + Site.CUT,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}" + Site.CUT,
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
    ],
)
async def test_a_connection_that_has_ended_or_said_too_much_is_not_used_again(last: bytes) -> None:
    async with serving(last, OK) as (site, kept, _):
        assert (await post(kept, site.url)).body == b"{}"
        if last == OK + Site.CUT:
            await site.hung_up.wait()
            await asyncio.gather(*(each.ended for each in kept._all))
        assert (await post(kept, site.url)).body == b"{}"
    assert [len(each) for each in site.connections] == [1, 1]


async def test_what_arrives_unasked_is_no_answer_to_what_is_asked_next() -> None:
    async with serving(OK, OK) as (site, kept, _):
        await post(kept, site.url)
        (connection,) = kept._all
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        connection.eof_received()
        assert (await post(kept, site.url)).body == b"{}"
    assert [len(each) for each in site.connections] == [1, 1]


async def test_answers_in_pieces_and_after_others() -> None:
    chunked = (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    )
    async with serving(chunked, OK) as (site, kept, _):
        assert (await post(kept, site.url))[::2] == (201, b"{}")
        await post(kept, site.url)
    assert [len(each) for each in site.connections] == [2]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Site.CUT, LostAnswerError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf" + Site.CUT, LostAnswerError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf" + Site.CUT, LostAnswerError),
        (b"\x00\x01nonsense\r\n\r\n", LostAnswerError),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, LostAnswerError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1_001, UnreadableAnswerError),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 1_001 + Site.CUT, UnreadableAnswerError),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", UnreadableAnswerError),
    ],
)
async def test_a_request_whose_answer_is_lost_is_lost_and_is_not_sent_again(
    answer: bytes, error: type[Exception]
) -> None:
    async with serving(OK, answer, OK) as (site, kept, _):
        await post(kept, site.url)
        with pytest.raises(error):
            await post(kept, site.url)
        assert sum(map(len, site.connections)) == 2
        assert (await post(kept, site.url)).body == b"{}"
    assert [len(each) for each in site.connections] == [2, 1]


async def test_who_stops_waiting_leaves_no_connection_to_be_used_by_others() -> None:
    async with serving(b"", OK) as (site, kept, _):
        asking = asyncio.create_task(post(kept, site.url))
        async with asyncio.timeout(60):
            while not site.connections or not site.connections[0]:  # noqa: ASYNC110 - the server is another task
                await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert (await post(kept, site.url)).body == b"{}"
    assert [len(each) for each in site.connections] == [1, 1]


async def test_an_answer_that_does_not_come_in_time() -> None:
    async with serving(b"") as (site, _, clock):
        kept = KeptConnections(
            KeptLimits(connect_s=20, answer_s=0.05, body_bytes_max=1, user_timeout_ms=1),
            ssl.create_default_context,
            clock,
        )
        with pytest.raises(TimeoutError):
            await post(kept, site.url)
        await kept.aclose()


async def test_a_slow_answer_is_waited_for_while_something_comes() -> None:
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")
        for _ in range(40):
            writer.write(b"x")
            await asyncio.sleep(0.02)

    async with serve_raw(slowly) as port, serving() as (_, kept, _):
        answer = await kept.send("GET", f"http://localhost:{port}/", {}, b"", silence_s=0.3)
    assert answer.body == b"x" * 40


async def test_an_answer_of_which_nothing_more_comes_is_given_up() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf") as (site, kept, _):
        with pytest.raises(TimeoutError):
            await kept.send("GET", site.url, {}, b"", silence_s=0.05)


async def test_what_is_under_way_when_all_is_closed_is_lost() -> None:
    async with serving(b"") as (site, kept, _):
        asking = asyncio.create_task(post(kept, site.url))
        async with asyncio.timeout(60):
            while not site.connections or not site.connections[0]:  # noqa: ASYNC110 - the server is another task
                await asyncio.sleep(0)
        await kept.aclose()
        with pytest.raises(LostAnswerError, match="closed the connection"):
            await asking


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "nonsense", "http://", "http://127.0.0.1:99999/"])
async def test_where_no_url_leads_nothing_is_sent(url: str) -> None:
    async with serving() as (_, kept, _):
        with pytest.raises(ValueError, match=r"."):
            await post(kept, url)


async def test_a_header_cannot_smuggle_another() -> None:
    async with serving() as (site, kept, _):
        with pytest.raises(ValueError, match=r"[Ii]llegal"):
            await kept.send("POST", site.url, {"X-Sign": "s\r\nX-Other: 1"}, b"{}")
    assert site.connections == []


async def test_where_nobody_listens_nothing_is_sent() -> None:
    async with serving() as (site, kept, _):
        pass
    with pytest.raises(CannotConnectError, match=r"refused|Connect call failed"):
        await post(kept, site.url)


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """Return the context of a server that proves with a certificate of its own to be ``name``, and that certificate."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    address: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    file, keyfile = folder / f"{name}.pem", folder / f"{name}.key"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    keyfile.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file, keyfile)
    return context, file


@pytest.mark.parametrize(("name", "trusted"), [("127.0.0.1", True), ("127.0.0.1", False), ("venue.test", True)])
async def test_a_server_has_to_prove_who_it_is(tmp_path: Path, name: str, trusted: bool) -> None:
    context, file = certificate(tmp_path, name)
    site = Site(OK, OK)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await site.serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    made: list[ssl.SSLContext] = []

    def trusting() -> ssl.SSLContext:
        made.append(ssl.create_default_context(cafile=str(file) if trusted else None))
        return made[-1]

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/order"
        kept = KeptConnections(LIMITS, trusting, Seconds())
        if trusted and name == "127.0.0.1":
            assert [(await post(kept, url)).body for _ in range(2)] == [b"{}"] * 2
            assert [len(each) for each in site.connections] == [2]
        else:
            for _ in range(2):
                with pytest.raises(CannotConnectError, match="certificate verify failed"):
                    await post(kept, url)
            assert not any(site.connections), "nothing was sent"
        assert len(made) == 1
        await kept.aclose()


async def test_nothing_is_sent_once_all_is_closed() -> None:
    async with serving(OK) as (site, kept, _):
        await kept.aclose()
        with pytest.raises(CannotConnectError, match="were closed"):
            await post(kept, site.url)
        await kept.aclose()
    assert not any(site.connections)
