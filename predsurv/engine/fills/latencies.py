"""How long each message between us and a simulated venue takes, and the answers that are under way."""

from collections import deque
from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

from msgspec import Struct

from predsurv.core.events import BookDelta, MarketEvent, Trade

_T = TypeVar("_T")

_NEVER: Final = 1 << 63
LAGS_KEPT_MAX: Final = 509
"""Lags of received events kept to draw from; a prime, so that the draws visit all of them."""
_STRIDE: Final = 197


class Latencies(Struct, frozen=True, kw_only=True):
    """Times in ns: of a command to the venue, of its answer, of a fill to us, and of our own trade to its public book.

    ``recorded``: drawn from the lags of received events as far as those say when the venue sent them; the constants
    hold until the first one does.
    """

    send: int = 0
    ack: int = 0
    fill: int = 0
    echo: int = 0
    recorded: bool = False


class LatencyDraws:
    """The latency of one message after another: constant, or the recorded lags in a fixed order without randomness."""

    def __init__(self, latencies: Latencies) -> None:
        self.constant = latencies
        self._lags: deque[int] = deque(maxlen=LAGS_KEPT_MAX)
        self._drawn = 0

    def observe(self, event: MarketEvent) -> None:
        """Keep the lag of an event that says when it happened; one that seems to come from the future had none."""
        if self.constant.recorded and isinstance(event, BookDelta | Trade) and event.ts_venue is not None:
            self._lags.append(max(event.ts_recv - event.ts_venue, 0))

    def draw(self, constant: int) -> int:
        """Return the latency (ns) of the next message, ``constant`` where none was recorded."""
        if not self._lags:
            return constant
        self._drawn += _STRIDE
        return self._lags[self._drawn % len(self._lags)]


class InTransit(Generic[_T]):
    """Messages by when they arrive (ns UTC), those of one instant in the order in which they were sent.

    ``sent``: how many were sent so far. ``next_at``: when the next one arrives.
    """

    def __init__(self) -> None:
        self._messages: list[tuple[int, int, _T]] = []
        self.sent = 0
        self.next_at = _NEVER

    def __len__(self) -> int:
        return len(self._messages)

    def send(self, message: _T, arrival: int) -> None:
        """Send a message."""
        self.sent += 1
        heappush(self._messages, (arrival, self.sent, message))
        self.next_at = self._messages[0][0]

    def receive(self) -> tuple[int, _T]:
        """Return when the next message arrives, and the message."""
        arrival, _, message = heappop(self._messages)
        self.next_at = self._messages[0][0] if self._messages else _NEVER
        return arrival, message
