"""The mock venue: a catalogue, feeds and brokers over one exchange."""

from typing import Final

from predsurv.config import MockConfig
from predsurv.core.ids import VenueName
from predsurv.core.num import MICROS
from predsurv.exchange.accounts import ExchangeAccount
from predsurv.exchange.world import VENUE
from predsurv.ports import Clock, VenueTraits
from predsurv.venues.mock.broker import MockBroker
from predsurv.venues.mock.catalog import MockCatalog
from predsurv.venues.mock.clocked_exchange import ClockedExchange
from predsurv.venues.mock.faults import parse_faults
from predsurv.venues.mock.feed import MockFeed

STARTING_CASH: Final = 10_000 * MICROS
_TRAITS: Final = VenueTraits(complementary_outcomes=True, sequenced=True, trading=True)


class MockVenue:
    """A simulated venue. Its exchange starts at the first use and is shared by everything made here.

    Raises ConfigError when ``mock.faults`` names no fault.
    """

    def __init__(self, config: MockConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._faults = parse_faults(config.faults)
        self._clocked_exchange: ClockedExchange | None = None
        self._account: ExchangeAccount | None = None

    @property
    def name(self) -> VenueName:
        """``mock``."""
        return VENUE

    @property
    def traits(self) -> VenueTraits:
        """Binary books mirror each other, messages carry sequence numbers, orders are accepted."""
        return _TRAITS

    @property
    def clocked_exchange(self) -> ClockedExchange:
        """The running exchange and its clock; starts it."""
        if self._clocked_exchange is None:
            config = self._config
            self._clocked_exchange = ClockedExchange(config.seed, config.markets, config.rate, self._clock)
        return self._clocked_exchange

    def catalog(self) -> MockCatalog:
        """Return a new reading of the market list."""
        return MockCatalog(lambda: self.clocked_exchange, self._config.markets)

    def feed(self) -> MockFeed:
        """Return a new feed."""
        return MockFeed(self.clocked_exchange, self._faults)

    def broker(self) -> MockBroker:
        """Return a broker; all brokers of one venue trade for the same account."""
        if self._account is None:
            self._account = self.clocked_exchange.exchange.open_account(STARTING_CASH)
        return MockBroker(self.clocked_exchange, self._account, self._faults)

    async def aclose(self) -> None:
        """Do nothing: feeds and brokers are closed by their owners."""
