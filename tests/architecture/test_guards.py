"""The guards that every test runs under do guard."""

import asyncio
import os
import socket
from collections.abc import Iterator

import pytest

from predsurv.venues.kalshi.execution import session
from tests.kit.left_behind import changed, constants
from tests.kit.network_guard import NetworkForbiddenError


@pytest.fixture(scope="module", autouse=True)
def _setting_of_a_developer() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREDSURV_METRICS__PORT", "1")
        yield


def test_settings_of_the_developer_do_not_reach_tests() -> None:
    assert [name for name in os.environ if name.startswith("PREDSURV_")] == []


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1"])
def test_connections_to_elsewhere_are_refused(address: str) -> None:
    with socket.socket() as sock, pytest.raises(NetworkForbiddenError, match="mark the test `live`"):
        sock.connect((address, 9))


def test_names_of_elsewhere_are_not_looked_up() -> None:
    with pytest.raises(NetworkForbiddenError, match=r"venue\.example"):
        socket.getaddrinfo("venue.example", 443)


async def test_asyncio_is_guarded_too() -> None:
    with pytest.raises(NetworkForbiddenError):
        await asyncio.open_connection("192.0.2.1", 9)


async def test_this_machine_can_be_reached() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "localhost", 0)
    async with server:
        reader, writer = await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1])
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


def test_a_constant_that_a_test_leaves_changed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = constants()
    assert changed(before, constants()) == []
    monkeypatch.setattr(session, "SKEW_MAX", 7)
    assert changed(before, constants()) == ["predsurv.venues.kalshi.execution.session.SKEW_MAX"]
