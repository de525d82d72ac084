"""A live broker against a fake venue on a socket, for tests of what happens to orders."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.config import Config, load
from predsurv.core.events import AccountNews
from predsurv.core.ids import ClientOrderId, EventId, InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import Market, Outcome
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import Approved, CancelOrder, PlaceOrder
from predsurv.net.clock import SystemClock, system_random
from predsurv.venues.execution.live_broker import LiveBroker
from predsurv.venues.registry import open_account
from tests.kit.fake_clob import FakeClob
from tests.kit.fake_kalshi import KEY_ID, FakeKalshi
from tests.kit.polymarket_orders import MARKET, PRIVATE_KEY, TOKEN, command

OTHER = "8" * 77
TICKER = "KXTEST-26-A"
TRADED = Market(
    venue=VenueName("polymarket"),
    market_id=MarketId(MARKET),
    event_id=EventId("e"),
    question="Will it?",
    outcomes=(Outcome(InstrumentId(TOKEN), "Yes"), Outcome(InstrumentId(OTHER), "No")),
    status="active",
    tick_size=Price(10_000),
    min_order_size=Size(5 * MICROS),
    fetched_at=0,
    tradable=True,
    version="v1",
)
CONTRACT = replace(
    TRADED,
    venue=VenueName("kalshi"),
    market_id=MarketId(TICKER),
    outcomes=(Outcome(InstrumentId(TICKER), "Yes"), Outcome(InstrumentId(f"{TICKER}:no"), "No")),
    version="",
)
Fake = FakeClob | FakeKalshi


def configured(folder: Path, **flags: object) -> Config:
    """A configuration with the addresses in ``flags``."""
    return load(None, flags={"data_dir": str(folder), **flags}, environ={}, root=folder).config


def traded_at(fake: Fake) -> Market:
    """The market of a fake venue."""
    return TRADED if isinstance(fake, FakeClob) else CONTRACT


def placed(fake: Fake, name: str = "c1", *, outcome: int = 0, **changes: object) -> Approved:
    """An approved order to buy ten shares at 0.56, in YES."""
    made = replace(command(size=10 * MICROS), client_order_id=ClientOrderId(name), key=traded_at(fake).key(outcome))
    return Approved(SystemClock().now(), replace(made, **changes))


def cancelled(fake: Fake, name: str = "c1") -> Approved:
    """An approved cancel of an order."""
    return Approved(SystemClock().now(), CancelOrder(ClientOrderId(name), traded_at(fake).key(0)))


def secrets_of(fake: Fake) -> Mapping[str, str]:
    """The environment with the key that a fake venue knows."""
    if isinstance(fake, FakeClob):
        return {"PREDSURV_POLYMARKET_PRIVATE_KEY": PRIVATE_KEY}
    return {"PREDSURV_KALSHI_KEY_ID": KEY_ID, "PREDSURV_KALSHI_PRIVATE_KEY": fake.pem}


class BrokerUnderTest:
    """A live broker, what it told, and the reasons for which it wanted to halt."""

    def __init__(self, broker: LiveBroker, halts: list[str]) -> None:
        self.broker, self.halts = broker, halts
        self.told: list[AccountNews] = []
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(broker.requests.run())]
        self._tasks.append(asyncio.create_task(self._beat()))

    async def place(self, order: Approved) -> None:
        """Prepare and submit an order, as a run does."""
        assert isinstance(order.command, PlaceOrder)
        self.broker.prepare(order)
        await self.broker.submit(order)

    async def aclose(self) -> None:
        for each in self._tasks[1:]:
            each.cancel()
        await self.broker.aclose()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def kinds(self, name: str = "c1") -> list[str]:
        """What was told of an order, by name of the event."""
        return [type(each).__name__ for each in self.told if getattr(each, "client_order_id", None) == name]

    def count(self, kind: type) -> int:
        """How many events of a kind were told."""
        return sum(isinstance(each, kind) for each in self.told)

    async def _read(self) -> None:
        async for event in self.broker.events():
            self.told.append(event)

    async def _beat(self) -> None:
        while True:
            self.broker.pulse.beat()
            await asyncio.sleep(0.1)


@asynccontextmanager
async def live_broker(folder: Path, fake: Fake, patch: pytest.MonkeyPatch) -> AsyncIterator[BrokerUnderTest]:
    """A broker that is logged in at ``fake``, without the private channel; it asks often, and does not wait long."""
    patch.setattr("predsurv.venues.execution.order_questions.ASK_AGAIN", 50_000_000)
    for module in ("order_following", "order_questions"):
        patch.setattr(f"predsurv.venues.execution.{module}.ABSENT_AFTER", 500_000_000)
    await fake.server.start()
    for name, value in secrets_of(fake).items():
        patch.setenv(name, value)
    clock, market = SystemClock(), traded_at(fake)
    account = await open_account(market.venue, configured(folder, **fake.flags), clock, system_random)
    halts: list[str] = []
    under_test = BrokerUnderTest(LiveBroker(account, lambda _: market, clock, halts.append), halts)
    try:
        yield under_test
    finally:
        await under_test.aclose()
        await account.aclose()
        await fake.server.aclose()


def key_of(fake: Fake, outcome: int = 0) -> InstrumentKey:
    """An outcome of the market of a fake venue."""
    return traded_at(fake).key(outcome)
