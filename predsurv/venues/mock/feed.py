"""The mock venue's feed: the exchange's tape, a clock's turn at a time.

Kept apart from the link because waiting is all it adds.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.venues.mock.clocked_exchange import ClockedExchange
from predsurv.venues.mock.delivery import FaultyDelivery
from predsurv.venues.mock.faults import FaultKind, MockFault

TURN_NS: Final = 20_000_000
"""How long events gather before they are delivered."""
SNAPSHOTS_MAX: Final = 500
"""Opening books in one batch; the rest come with the next."""


class MockFeed:
    """Market events of a session. Faults count from the session's start."""

    def __init__(self, session: ClockedExchange, faults: Iterable[MockFault]) -> None:
        self._session = session
        self._inbox = session.listen()
        self._link = FaultyDelivery(session.exchange, faults)
        self._closed = False
        self._recv = 0

    async def watch(self, want: AbstractSet[InstrumentKey]) -> None:
        """Set the whole desired set; opening books come with the next batches."""
        if not self._closed:
            self._link.watch(want)

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Yield what arrived since the last turn, in order, about every 20 ms."""
        clock = self._session.clock
        while not self._closed:
            behind = self._session.pump()
            batch = self._turn()
            if batch:
                yield batch
            await clock.sleep(0 if behind or self._inbox else TURN_NS)

    def misbehave(self, kind: FaultKind, lasts: int = 0) -> None:
        """Let ``kind`` go wrong at the next turn, for ``lasts`` ns where that means anything."""
        exchange = self._session.exchange
        self._link.inject(MockFault(exchange.now - exchange.origin, kind, lasts))

    async def aclose(self) -> None:
        """Stop; a waiting ``batches`` ends at its next turn."""
        self._closed = True
        self._session.leave(self._inbox)
        self._link.watch(frozenset())

    def _turn(self) -> list[MarketEvent]:
        self._recv = max(self._recv, self._session.clock.now())
        dropped, self._inbox.dropped = self._inbox.dropped, 0
        return self._link.turn(self._recv, self._inbox.get(), dropped, SNAPSHOTS_MAX)
