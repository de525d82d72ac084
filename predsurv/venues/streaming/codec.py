"""What the author of a streaming venue writes: a codec between desired instruments, bytes and events.

Without I/O, so that a venue's wire format is tested without a socket; reconnecting, monitoring and
buffering exist once, in the rest of this package.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol, runtime_checkable

from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey


class Codec(Protocol):
    """The wire state of one connection; it lives exactly as long as that connection.

    A new connection gets a new codec with a new epoch, so no state of a lost connection can leak
    into the next one.
    """

    def requests(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey]) -> Sequence[bytes]:
        """Return the frames that make the venue send ``add`` and stop sending ``drop``.

        An instrument in both is requested anew: its book is forgotten, and events that build on it
        are withheld until the venue has sent a whole book again.
        """
        ...

    def decode(self, frames: Sequence[bytes], ts_recv: int, out: list[MarketEvent]) -> bool:
        """Append the events of ``frames`` to ``out``, in order; return whether any frame was data.

        The frames came with one read, at ``ts_recv`` (ns UTC). Answers to a keepalive are no data:
        they prove that the peer is alive, not that the stream flows. Never raises for anything a
        venue can send: an unreadable frame becomes ``Malformed`` with a ``Gap`` for each instrument
        it may have concerned, a well-formed message of a new kind ``Unknown``. Takes all frames of
        a read and fills the caller's list, which saves a call and an allocation per frame on the
        hottest path there is.
        """
        ...

    def keepalive(self) -> bytes | None:
        """Return the frame to send at every keepalive interval, None when none is needed."""
        ...

    def awaiting(self) -> AbstractSet[InstrumentKey]:
        """Return the instruments that were requested and have no book yet."""
        ...

    def take_lost(self) -> AbstractSet[InstrumentKey]:
        """Return the instruments whose book broke since the last call; each had its Gap."""
        ...


@runtime_checkable
class Auditor(Protocol):
    """Optional part of a codec: verification of decoded books against checksums from the venue."""

    def audit(self, ts: int, now: int, out: list[MarketEvent]) -> bool:
        """Append a Gap for each instrument found wrong, which ``take_lost`` then returns.

        Called when everything received by ``ts`` (ns UTC; ``now`` monotonic) is decoded, and every
        tick. Return whether other evidence proves that this connection misses nothing, so that its
        silence needs no probe.
        """
        ...


CodecFactory = Callable[[int], Codec]
"""Makes the codec of a new connection from its epoch."""
