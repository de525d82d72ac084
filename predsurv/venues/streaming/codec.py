"""What the author of a streaming venue writes: a codec between desired instruments, bytes and events.

Kept apart, without I/O, so that reconnecting, watching over and buffering exist once
(``streaming.py``) and a venue's wire format is tested without a socket.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol, runtime_checkable

from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey


class Codec(Protocol):
    """The state of one connection's conversation; it lives exactly as long as that connection.

    A new connection gets a new codec with a new epoch, so nothing of a lost conversation can leak
    into the next one.
    """

    def requests(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey]) -> Sequence[bytes]:
        """Return the frames that make the venue send ``add`` and stop sending ``drop``.

        An instrument in both is asked for anew: its book is forgotten and events that build on it
        are withheld until the venue has sent a whole book again.
        """
        ...

    def decode(self, frames: Sequence[bytes], ts_recv: int, out: list[MarketEvent]) -> bool:
        """Append what ``frames`` say to ``out``, in their order; return whether any of them was data.

        They came with one read, at ``ts_recv`` (ns UTC). Answers to a keepalive are no data: they
        prove that somebody is there, not that the stream flows. Never raises for anything a venue
        can send: what makes no sense becomes ``Malformed`` with a ``Gap`` for each instrument it may
        have concerned, a well-formed message of a new kind ``Unknown``. Taking all frames of a read
        and filling a list given by the caller spares a call and an allocation per frame on the
        hottest path there is.
        """
        ...

    def keepalive(self) -> bytes | None:
        """Return the frame to send at every keepalive interval, None when none is needed."""
        ...

    def awaiting(self) -> AbstractSet[InstrumentKey]:
        """Return the instruments that were asked for and have no book yet."""
        ...

    def take_lost(self) -> AbstractSet[InstrumentKey]:
        """Return the instruments whose book was broken since the last call; each had its Gap."""
        ...


@runtime_checkable
class Auditor(Protocol):
    """What a codec may offer besides: to check what it decoded against what the venue says of it."""

    def audit(self, ts: int, now: int, out: list[MarketEvent]) -> bool:
        """Append a Gap for each instrument found wrong, which ``take_lost`` then names.

        Called when everything received by ``ts`` (ns UTC; ``now`` monotonic) is decoded, and every
        tick. Return whether it is proved by other means that this connection misses nothing, so
        that its silence is no reason for doubt.
        """
        ...


CodecFactory = Callable[[int], Codec]
"""Makes the codec of a new connection from its epoch."""
