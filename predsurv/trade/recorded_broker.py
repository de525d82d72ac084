"""A broker for the replay of a run whose orders were really executed: what it was told is among the run's inputs."""

from collections.abc import AsyncIterator, Mapping

from predsurv.core.events import AccountEvent
from predsurv.core.ids import ClientOrderId, OrderId
from predsurv.core.num import ZERO_MONEY
from predsurv.core.orders import AccountSnapshot, Approved, PlaceOrder
from predsurv.core.reconciliation import ReconciliationEvent


class RecordedBroker:
    """``ports.Broker`` that sends nothing and tells nothing; ``names`` are the ids that orders were signed with.

    A signature depends on the time and on chance, so that the id of an order is an input, not a decision.
    """

    def __init__(self, names: Mapping[ClientOrderId, OrderId]) -> None:
        self._names = names

    def prepare(self, command: Approved) -> OrderId | None:
        """Return the id by which the venue knew an order, None where that was not known before it was sent."""
        order = command.command
        return self._names.get(order.client_order_id) if isinstance(order, PlaceOrder) else None

    async def submit(self, command: Approved) -> None:
        """Do nothing: it was sent then."""

    async def events(self) -> AsyncIterator[AccountEvent | ReconciliationEvent]:
        """Yield nothing."""
        return
        yield  # what makes it a generator

    async def snapshot(self) -> AccountSnapshot:
        """Return an empty account: which one there was is among the inputs, too."""
        return AccountSnapshot(0, ZERO_MONEY, (), ())

    async def aclose(self) -> None:
        """Do nothing."""
