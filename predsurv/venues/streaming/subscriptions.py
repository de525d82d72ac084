"""The subscriptions of one connection: what it carries, and when each instrument was last requested."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import Struct

from predsurv.core.ids import InstrumentKey
from predsurv.venues.streaming.codec import Codec
from predsurv.venues.streaming.policy import StreamPolicy

ANSWERS_MISSED: Final = 2
"""Requests without an answer on one connection after which an instrument is moved to another one."""


class _PendingRequest(Struct):
    at: int
    timeout: int


class Subscriptions:
    """What one connection carries; times are monotonic, in ns.

    ``keys`` are the instruments carried. ``unanswered`` are those whose book did not come although
    they were requested ANSWERS_MISSED times. Frames to send collect until ``take_outgoing``.
    """

    def __init__(self, codec: Codec, policy: StreamPolicy) -> None:
        self.keys: set[InstrumentKey] = set()
        self.unanswered: set[InstrumentKey] = set()
        self._codec = codec
        self._policy = policy
        self._requests: dict[InstrumentKey, _PendingRequest] = {}
        self._outgoing: list[bytes] = []

    def change(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey], now: int) -> None:
        """Request ``add`` and cancel ``drop``; an instrument in both is requested anew. Effective at once."""
        self.keys = (self.keys - drop) | add
        self.unanswered -= drop - add
        for key in drop - add:
            self._requests.pop(key, None)
        for key in add:
            self._requests[key] = _PendingRequest(now, self._policy.book_timeout)
        self._outgoing += self._codec.requests(add, drop)

    def repeat(self, keys: AbstractSet[InstrumentKey], now: int) -> None:
        """Request ``keys`` anew."""
        if keys:
            again = frozenset(keys)
            self.change(again, again, now)

    def repeat_lost(self, lost: AbstractSet[InstrumentKey], now: int) -> None:
        """Request broken books anew, each at most once per ``request_interval``.

        One requested more recently than that becomes overdue when the interval has passed.
        """
        interval = self._policy.request_interval
        recent = {key for key in lost if now - self._requests[key].at < interval}
        for key in recent:
            self._requests[key].timeout = interval
        self.repeat(lost - recent, now)

    def repeat_overdue(self, now: int) -> list[InstrumentKey]:
        """Request overdue books anew with twice the timeout; return their keys, sorted."""
        overdue: dict[InstrumentKey, int] = {}
        for key in self._codec.awaiting():
            request = self._requests[key]
            if now - request.at >= request.timeout:
                overdue[key] = min(2 * request.timeout, self._policy.book_timeout_max)
        self.repeat(overdue.keys(), now)
        for key, timeout in overdue.items():
            self._requests[key].timeout = timeout
        missed = self._policy.book_timeout << ANSWERS_MISSED
        self.unanswered |= {key for key, timeout in overdue.items() if timeout >= missed}
        return sorted(overdue)

    def is_late(self, key: InstrumentKey, now: int) -> bool:
        """Return whether the last request for ``key`` is at least ``book_timeout`` old."""
        return now - self._requests[key].at >= self._policy.book_timeout

    def awaiting(self) -> AbstractSet[InstrumentKey]:
        """Return the instruments that were requested and have no book yet."""
        return self._codec.awaiting()

    def send(self, frame: bytes) -> None:
        """Queue a frame that subscribes to nothing, such as a ping."""
        self._outgoing.append(frame)

    def take_outgoing(self) -> Sequence[bytes]:
        """Return the frames to send, in order, and forget them."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing
