"""A WebSocket that keeps the messages sent to it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from predsurv.simulate.server import WebSocketConnection


class RecordingWebSocket(WebSocketConnection):
    """No socket behind it; ``ended``: the code and reason of its closing."""

    def __init__(self, number: int = 1) -> None:
        self.number = number
        self.got: list[bytes] = []
        self.ended: tuple[int, str] | None = None
        self.waiting = 0

    @property
    def is_open(self) -> bool:
        return self.ended is None

    @property
    def backlog(self) -> int:
        return self.waiting

    def send(self, messages: Sequence[bytes]) -> None:
        self.got += messages

    def close(self, code: int, reason: str = "") -> None:
        self.ended = (code, reason)

    def abort(self) -> None:
        self.ended = (1006, "")

    def take(self) -> list[Any]:
        """Return the JSON that came since the last call, arrays flattened."""
        got, self.got = self.got, []
        values = [msgspec.json.decode(message) for message in got if message != b"PONG"]
        return [each for value in values for each in (value if isinstance(value, list) else [value])]
