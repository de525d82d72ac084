"""The paper broker keeps every broker law that applies without a network."""

import pytest

from predsurv.core.num import MICROS, Money
from predsurv.core.orders import Approved
from predsurv.engine.account.portfolio import Portfolio
from predsurv.engine.fills.latencies import Latencies
from predsurv.ports import Broker
from predsurv.trade.paper_broker import PaperBroker, PaperSettings
from tests.contract.broker import BrokerHarness, BrokerLaws, StillMarket
from tests.kit.trading_samples import MS, YES, V, World, book, cents, market, shares


class _Driven(PaperBroker):
    """Processes every command at its arrival time as soon as it is submitted."""

    async def submit(self, command: Approved) -> None:
        await super().submit(command)
        for _ in self.due(command.ts + MS):
            pass


class PaperHarness:
    """An unchanging book and one account."""

    rate_limits = False

    def __init__(self) -> None:
        self.world = World().show(book())
        self.portfolio = Portfolio({V: Money(1_000 * MICROS)})

    def broker(self) -> Broker:
        return _Driven(PaperSettings(V, Latencies(send=MS)), self.world.cache, self.portfolio)

    async def still_market(self) -> StillMarket:
        return StillMarket(market(), YES, (cents(49), shares(100)), (cents(51), shares(100)))

    async def lose_next_response(self, broker: Broker) -> None:
        pytest.skip("a response of the paper broker cannot be lost")

    async def limit_rate(self, broker: Broker) -> None:
        raise NotImplementedError


@pytest.fixture
def harness() -> PaperHarness:
    return PaperHarness()


class TestPaperBroker(BrokerLaws):
    """The paper broker."""

    async def test_b10_orders_of_an_earlier_run_are_found(self, harness: BrokerHarness) -> None:
        """Paper orders end with their process: an earlier run's are found gone and closed by reconciliation."""
        assert not (await harness.broker().snapshot()).open_orders
