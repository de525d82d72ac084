"""One run of the exchange against a clock, shared by feeds, catalogue and brokers.

Any of its users may advance exchange time, and all of them see what happened.
"""

from collections import deque
from typing import Final

from predsurv.exchange.exchange import Exchange
from predsurv.exchange.tape import TapeEvent, TapeLifecycle, TapeSettlement
from predsurv.ports import Clock

PUMP_EVENTS_MAX: Final = 5_000
"""Most events of one ``pump``; an exchange that fell behind the clock catches up over several."""
BUFFERED_EVENTS_MAX: Final = 50_000
"""Most unread events of one reader; beyond that, events are dropped and counted."""


class TapeBuffer:
    """The tape events that one reader has not read yet. ``dropped`` counts those it never will."""

    __slots__ = ("_chunks", "_waiting", "dropped")

    def __init__(self) -> None:
        self._chunks: deque[list[TapeEvent]] = deque()
        self._waiting = 0
        self.dropped = 0

    def put(self, events: list[TapeEvent]) -> None:
        """Append a chunk; when there are too many events, keep only those that no snapshot could restore."""
        self._chunks.append(events)
        self._waiting += len(events)
        if self._waiting > BUFFERED_EVENTS_MAX:
            kept: list[TapeEvent] = [
                event for chunk in self._chunks for event in chunk if isinstance(event, TapeLifecycle | TapeSettlement)
            ]
            self.dropped += self._waiting - len(kept)
            self._chunks = deque([kept])
            self._waiting = len(kept)

    def get(self) -> list[TapeEvent]:
        """Return and remove the oldest chunk; empty when there is none."""
        if not self._chunks:
            return []
        events = self._chunks.popleft()
        self._waiting -= len(events)
        return events

    def __bool__(self) -> bool:
        return bool(self._chunks)


class ClockedExchange:
    """Runs ``exchange`` so that its time is the clock's, from the first use on.

    Exchange time follows the monotonic clock: a step of the wall clock does not reach the venue.
    """

    def __init__(self, seed: int, markets: int, rate: int, clock: Clock) -> None:
        self._start = clock.monotonic()
        self.clock = clock
        self.exchange = Exchange(seed, markets, rate, clock.now())
        self._buffers: list[TapeBuffer] = []

    def subscribe(self) -> TapeBuffer:
        """Return a new buffer that gets every event from now on."""
        buffer = TapeBuffer()
        self._buffers.append(buffer)
        return buffer

    def unsubscribe(self, buffer: TapeBuffer) -> None:
        """Stop filling ``buffer``; does nothing the second time."""
        if buffer in self._buffers:
            self._buffers.remove(buffer)

    def age(self) -> int:
        """Return ns since the start, by the clock."""
        return self.clock.monotonic() - self._start

    def pump(self) -> bool:
        """Advance the exchange towards the clock; return whether it is still behind."""
        exchange = self.exchange
        target = exchange.origin + self.age()
        if target <= exchange.now:
            return False
        events = exchange.advance(target, PUMP_EVENTS_MAX)
        if events:
            for buffer in self._buffers:
                buffer.put(events)
        return exchange.now < target
