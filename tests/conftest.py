"""What every test gets: a clean environment, no way out to the network, and the recorded payloads."""

import ipaddress
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.kit.disk import Disk

_ROOT = Path(__file__).resolve().parent.parent
_PAYLOADS = Path(os.environ.get("PREDSURV_PAYLOADS", _ROOT.parent / "shared" / "payloads"))

# A shared machine is slow now and then, which is no finding; in CI a failure has to be the same failure twice.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


class NetworkForbiddenError(Exception):
    """A test tried to leave this machine. Not an OSError, so that no reconnect loop can swallow it."""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in os.environ if name.startswith(("PREDSURV_", "AWS_")) and name != "PREDSURV_PURE_PYTHON"
    ]:
        monkeypatch.delenv(name)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("live"):
        return
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, _guarded_connect(getattr(socket.socket, name)))
    monkeypatch.setattr(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo))


def _guarded_connect(connect: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(sock: socket.socket, address: Any) -> Any:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_unless_loopback(address[0])
        return connect(sock, address)

    return guarded


def _guarded_lookup(lookup: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_unless_loopback(host)
        return lookup(host, *args, **kwargs)

    return guarded


def _refuse_unless_loopback(host: str | bytes | None) -> None:
    if not _is_local(host):
        raise NetworkForbiddenError(f"tests reach this machine only, not {host!r}; mark the test `live` if it must")


def _is_local(host: str | bytes | None) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name is None or name in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


@pytest.fixture(scope="session")
def payloads() -> Path:
    """The folder of recorded venue payloads; tests that need it are skipped where it is absent."""
    if not _PAYLOADS.is_dir():
        pytest.skip(f"no recorded payloads at {_PAYLOADS}: set PREDSURV_PAYLOADS to the folder that has them")
    return _PAYLOADS
