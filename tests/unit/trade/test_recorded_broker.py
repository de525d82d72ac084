"""The broker of a live run that is replayed."""

from predsurv.core.events import AccountEvent
from predsurv.core.ids import ClientOrderId, OrderId
from predsurv.core.orders import Approved, CancelOrder
from predsurv.core.reconciliation import ReconciliationEvent
from predsurv.trade.pipeline import PreparingBroker, SimulatedBroker
from predsurv.trade.recorded_broker import RecordedBroker
from tests.kit.polymarket_orders import command


async def test_orders_have_the_ids_that_they_had() -> None:
    placed = command()
    broker = RecordedBroker({placed.client_order_id: OrderId("0xa")})
    assert broker.prepare(Approved(1, placed)) == "0xa"
    assert broker.prepare(Approved(1, CancelOrder(placed.client_order_id, placed.key))) is None
    other = CancelOrder(ClientOrderId("other"), placed.key)
    assert broker.prepare(Approved(1, other)) is None


async def test_it_tells_nothing_by_itself() -> None:
    broker = RecordedBroker({})
    assert isinstance(broker, PreparingBroker)
    assert not isinstance(broker, SimulatedBroker)
    await broker.submit(Approved(1, command()))
    told: list[AccountEvent | ReconciliationEvent] = [event async for event in broker.events()]
    assert told == []
    assert (await broker.snapshot()).open_orders == ()
    await broker.aclose()
