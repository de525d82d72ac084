"""Orders that arrived after they were given up, and traded at once: their trades have an id that nobody has heard."""

import pytest
from msgspec.structs import replace

from predsurv.core.ids import InstrumentKey, MarketId, OrderId, TradeId
from predsurv.core.num import Price, Size
from predsurv.venues.account_reports import OrderReport, TradePart, TradeReport
from predsurv.venues.execution.gateway import FoundOrder
from predsurv.venues.execution.order_following import ABSENT_AFTER
from predsurv.venues.execution.tracked_orders import TrackedOrder
from tests.kit.order_requests import NAME, RequestWorld
from tests.kit.polymarket_orders import command

ID = OrderId("0x9")
PRICE = Price(560_000)


class DeniedOrder(RequestWorld):
    """An order that the venue did not know when it was asked, and has taken and filled since."""

    def __init__(self) -> None:
        super().__init__()
        self.tracked: TrackedOrder = self.sent()
        self.tracked.placed.set()
        order = self.tracked.order
        self.following.doubt(self.tracked, "no answer")
        self.following.absent(self.tracked, self.clock.monotonic() + ABSENT_AFTER)
        assert self.tracked.is_over
        parts = (TradePart(PRICE, order.size),)
        self.trade = TradeReport(order.key, 0, None, TradeId("t1"), ID, order.side, parts, False, "settled")
        self.report = OrderReport(
            order.key, 0, None, ID, "filled", order.side, PRICE, order.size, order.size, client_order_id=NAME
        )
        self.gateway.found = FoundOrder(self.report, (self.trade,))

    def kinds(self) -> list[str]:
        """What was told, in order."""
        return [type(each).__name__ for each in self.told]


@pytest.fixture
def world() -> DeniedOrder:
    return DeniedOrder()


async def test_its_trade_is_booked(world: DeniedOrder) -> None:
    await world.requests.questions.ask_denied([world.trade])
    world.following.absorb(world.trade)
    world.following.absorb(world.trade)
    assert world.kinds() == ["OrderUnknown", "OrderRejected", "Fill", "FillConfirmed"]
    assert (world.tracked.told, world.tracked.order.order_id) == (world.tracked.order.size, ID)


async def test_it_is_not_asked_for_when_the_order_of_a_trade_is_known(world: DeniedOrder) -> None:
    world.sent("0x1")
    await world.requests.questions.ask_denied([replace(world.trade, order_id=OrderId("0x1"))])
    assert world.gateway.finds == 0


async def test_a_trade_of_another_market_is_not_its(world: DeniedOrder) -> None:
    key = InstrumentKey(command().key.venue, MarketId("0xelse"), command().key.instrument_id)
    await world.requests.questions.ask_denied([replace(world.trade, key=key)])
    assert world.gateway.finds == 0


async def test_an_order_of_somebody_else_leaves_it_as_it_is(world: DeniedOrder) -> None:
    world.gateway.found = FoundOrder(None)
    await world.requests.questions.ask_denied([world.trade])
    assert world.gateway.finds == 1
    assert world.kinds() == ["OrderUnknown", "OrderRejected"]
    assert (world.tracked.told, world.tracked.is_over) == (Size(0), True)
