"""The mock venue's feed: tape events of the exchange, delivered every 20 ms of the clock."""

from collections.abc import AsyncIterator, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.exchange.fault_script import ScriptedFault
from predsurv.ports import NO_MIRRORS, Mirrors
from predsurv.venues.mock.clocked_exchange import ClockedExchange
from predsurv.venues.mock.delivery import FaultyDelivery

TURN_NS: Final = 20_000_000
"""How long events gather before they are delivered."""
SNAPSHOTS_MAX: Final = 500
"""Most opening books in one batch; the rest come with the next ones."""


class MockFeed:
    """Market events of a running exchange. The times of ``faults`` count from its start."""

    def __init__(self, clocked_exchange: ClockedExchange, faults: Iterable[ScriptedFault]) -> None:
        self._clocked_exchange = clocked_exchange
        self._buffer = clocked_exchange.subscribe()
        self._delivery = FaultyDelivery(clocked_exchange.exchange, faults)
        self._closed = False
        self._ts_recv = 0

    async def watch(self, want: AbstractSet[InstrumentKey], mirrors: Mirrors = NO_MIRRORS) -> None:  # noqa: ARG002
        """Set the whole desired set; opening books come with the next batches.

        Each trade of a market is told on whatever is watched of it, so there is nothing to add for ``mirrors``.
        """
        if not self._closed:
            self._delivery.watch(want)

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Yield what arrived since the last batch, in order, about every 20 ms."""
        clock = self._clocked_exchange.clock
        while not self._closed:
            behind = self._clocked_exchange.pump()
            batch = self._next_batch()
            if batch:
                yield batch
            await clock.sleep(0 if behind or self._buffer else TURN_NS)

    def inject(self, kind: str, lasts: int = 0) -> None:
        """Let a fault of ``kind`` happen at the next batch, for ``lasts`` ns where it has a length."""
        self._delivery.inject(kind, lasts)

    async def aclose(self) -> None:
        """Stop; a waiting ``batches`` ends at its next batch."""
        self._closed = True
        self._clocked_exchange.unsubscribe(self._buffer)
        self._delivery.watch(frozenset())

    def _next_batch(self) -> list[MarketEvent]:
        self._ts_recv = max(self._ts_recv, self._clocked_exchange.clock.now())
        dropped, self._buffer.dropped = self._buffer.dropped, 0
        return self._delivery.deliver(self._ts_recv, self._buffer.get(), dropped, SNAPSHOTS_MAX)
