"""One run of the exchange against a clock, shared by feeds, catalogue and brokers.

Kept apart because exactly one of its users may move exchange time on, and all of them must see
what happened.
"""

from collections import deque
from typing import Final

from predsurv.exchange.exchange import Exchange
from predsurv.exchange.tape import TapeEvent, TapeLifecycle, TapeSettlement
from predsurv.ports import Clock

PUMP_EVENTS_MAX: Final = 5_000
"""Events that one turn lets happen; a session that fell behind catches up over several."""
INBOX_EVENTS_MAX: Final = 50_000
"""Events that a slow reader may leave lying; beyond that they are dropped, and the reader told."""


class TapeInbox:
    """What one reader of the tape has not read yet. ``dropped`` counts what it never will."""

    __slots__ = ("_chunks", "_waiting", "dropped")

    def __init__(self) -> None:
        self._chunks: deque[list[TapeEvent]] = deque()
        self._waiting = 0
        self.dropped = 0

    def put(self, events: list[TapeEvent]) -> None:
        """Append a chunk; when that is too much, keep only what no snapshot could restore."""
        self._chunks.append(events)
        self._waiting += len(events)
        if self._waiting > INBOX_EVENTS_MAX:
            kept: list[TapeEvent] = [
                event for chunk in self._chunks for event in chunk if isinstance(event, TapeLifecycle | TapeSettlement)
            ]
            self.dropped += self._waiting - len(kept)
            self._chunks = deque([kept])
            self._waiting = len(kept)

    def get(self) -> list[TapeEvent]:
        """Return the oldest chunk and forget it; empty when there is none."""
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
        self._inboxes: list[TapeInbox] = []

    def listen(self) -> TapeInbox:
        """Return a new inbox that gets everything from now on."""
        inbox = TapeInbox()
        self._inboxes.append(inbox)
        return inbox

    def leave(self, inbox: TapeInbox) -> None:
        """Stop filling ``inbox``."""
        if inbox in self._inboxes:
            self._inboxes.remove(inbox)

    def age(self) -> int:
        """Return ns since the session began, by the clock."""
        return self.clock.monotonic() - self._start

    def pump(self) -> bool:
        """Let the exchange catch up with the clock; returns whether it is still behind."""
        exchange = self.exchange
        target = exchange.origin + self.age()
        if target <= exchange.now:
            return False
        events = exchange.advance(target, PUMP_EVENTS_MAX)
        if events:
            for inbox in self._inboxes:
                inbox.put(events)
        return exchange.now < target
