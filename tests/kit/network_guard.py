"""Refuse every connection and name lookup that would leave this machine."""

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import pytest


class NetworkForbiddenError(Exception):
    """A test tried to leave this machine. Not an OSError, so that no reconnect loop can swallow it."""


def forbid_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets reach loopback addresses only, for as long as ``monkeypatch`` lasts."""
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
