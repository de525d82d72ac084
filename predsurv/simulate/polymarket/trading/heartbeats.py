"""The dead man's switch: once an API key has begun to send heartbeats, missing one cancels its orders."""

from collections.abc import Callable
from hashlib import sha256
from typing import Final
from uuid import UUID

from predsurv.exchange.exchange import Exchange

HEARTBEAT_WITHIN: Final = 10_000_000_000
"""Longest time between two heartbeats (ns)."""


class Heartbeats:
    """Follows the heartbeats of each owner; ``expired`` is called with one whose last beat is too long ago."""

    def __init__(self, exchange: Exchange, expired: Callable[[str], None]) -> None:
        self._exchange = exchange
        self._expired = expired
        self._expected: dict[str, str] = {}
        self._count = 0

    def beat(self, owner: str, heartbeat_id: str) -> str | None:
        """Take a beat and return the id for the next one; None where it had another id than ``expected``."""
        if heartbeat_id != self.expected(owner):
            return None
        self._count += 1
        digest = sha256(f"heartbeat {self._exchange.seed} {self._count}".encode()).digest()
        issued = self._expected[owner] = str(UUID(bytes=digest[:16], version=4))
        self._exchange.schedule(self._exchange.now + HEARTBEAT_WITHIN, lambda _: self._check(owner, issued))
        return issued

    def expected(self, owner: str) -> str:
        """Return the id that the next beat has to have, "" for the first one."""
        return self._expected.get(owner, "")

    def _check(self, owner: str, issued: str) -> None:
        if self._expected.get(owner) == issued:
            self._expired(owner)
