"""The broker of a shadow run: orders are made, signed and checked as for the venue, and filled by simulation.

Nothing is sent. What the venue would refuse is rejected; the rest is met by the simulated fills of paper trading, so
that a strategy goes on as it would.
"""

from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from typing import Final

from msgspec.structs import replace

from predsurv.core.events import AccountEvent, BrokerEvent, MarketEvent, OrderRejected
from predsurv.core.ids import OrderId
from predsurv.core.orders import AccountSnapshot, Approved, PlaceOrder
from predsurv.engine.books.consumed import SimulatedEvent
from predsurv.trade.paper_broker import PaperBroker
from predsurv.venues.execution.gateway import ExecutionGateway, FundsCheck, PreparedOrder
from predsurv.venues.execution.order_following import MarketOf
from predsurv.venues.requests import OrderRefusal

_UNKNOWN_MARKET: Final = OrderRefusal("not_ours", "its market is not known")


class ShadowBroker:
    """``ports.Broker`` in the time of the events, of one account at a venue; it never sends.

    ``signed`` counts the orders that were made and signed and would have been sent, ``refused`` those that would not
    have been, by reason.
    """

    def __init__(
        self, gateway: ExecutionGateway, check_funds: FundsCheck, paper: PaperBroker, market_of: MarketOf
    ) -> None:
        self._gateway, self._check_funds, self._paper, self._market_of = gateway, check_funds, paper, market_of
        self._ready: dict[str, PreparedOrder | OrderRefusal] = {}
        self._rejections: deque[OrderRejected] = deque()
        self.signed = 0
        self.refused: Counter[str] = Counter()

    def prepare(self, command: Approved) -> OrderId | None:
        """Make and sign an order; return its id where that is known before it would be sent."""
        order = command.command
        if not isinstance(order, PlaceOrder):
            return None
        market = self._market_of(order.key)
        ready: PreparedOrder | OrderRefusal = _UNKNOWN_MARKET
        if market is not None:
            ready = self._check_funds(order, market) or self._gateway.prepare(command, market)
        self._ready[order.client_order_id] = ready
        return ready.order_id if isinstance(ready, PreparedOrder) else None

    async def submit(self, command: Approved) -> None:
        """Reject what could not be made or paid, and let the rest be filled by simulation."""
        order = command.command
        if isinstance(order, PlaceOrder):
            if order.client_order_id not in self._ready:
                self.prepare(command)
            ready = self._ready.pop(order.client_order_id)
            if isinstance(ready, OrderRefusal):
                self.refused[ready.reason] += 1
                why = f"would not be sent: {ready.reason}: {ready.detail}"
                self._rejections.append(OrderRejected(order.key, command.ts, order.client_order_id, why))
                return
            self.signed += 1
        await self._paper.submit(command)

    @property
    def under_way(self) -> int:
        """The number of answers that have not arrived yet."""
        return self._paper.under_way + len(self._rejections)

    def due(self, ts: int) -> Iterator[SimulatedEvent]:
        """Yield what was rejected, and the answers of the simulation that arrive up to ``ts`` (ns UTC)."""
        for _ in range(len(self._rejections)):  # what follows from one may be rejected in turn: that is told next time
            rejected = self._rejections.popleft()
            yield replace(rejected, ts_recv=max(rejected.ts_recv, ts))
        yield from self._paper.due(ts)

    def observe(self, event: MarketEvent) -> Iterator[SimulatedEvent]:
        """Yield what a market event, already in the cache, does to our simulated orders."""
        return self._paper.observe(event)

    def close_books(self) -> Iterator[BrokerEvent]:
        """Yield what is still to come of simulated fills."""
        return self._paper.close_books()

    def events(self) -> AsyncIterator[AccountEvent]:
        """Yield account events of the simulation until closed."""
        return self._paper.events()

    async def snapshot(self) -> AccountSnapshot:
        """Return the simulated account."""
        return await self._paper.snapshot()

    async def aclose(self) -> None:
        """End ``events``; safe to call twice."""
        await self._paper.aclose()
