"""The mock venue as the program sees it: a catalogue, feeds and brokers over one exchange.

Kept apart because it is the only place that knows all of them.
"""

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
    """One made-up venue. Its exchange starts at the first use; everything here shares it.

    Raises ConfigError when a fault of the configuration is none.
    """

    def __init__(self, config: MockConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._faults = parse_faults(config.faults)
        self._session: ClockedExchange | None = None
        self._account: ExchangeAccount | None = None

    @property
    def name(self) -> VenueName:
        """``mock``."""
        return VENUE

    @property
    def traits(self) -> VenueTraits:
        """Binary books mirror each other, messages are numbered, trading works."""
        return _TRAITS

    @property
    def session(self) -> ClockedExchange:
        """The running exchange and its clock; starts it."""
        if self._session is None:
            config = self._config
            self._session = ClockedExchange(config.seed, config.markets, config.rate, self._clock)
        return self._session

    def catalog(self) -> MockCatalog:
        """Return a new reading of the market list."""
        return MockCatalog(lambda: self.session, self._config.markets)

    def feed(self) -> MockFeed:
        """Return a new feed."""
        return MockFeed(self.session, self._faults)

    def broker(self) -> MockBroker:
        """Return a broker; all brokers of one venue trade for the same account."""
        if self._account is None:
            self._account = self.session.exchange.open_account(STARTING_CASH)
        return MockBroker(self.session, self._account, self._faults)

    async def aclose(self) -> None:
        """Nothing is held open; feeds and brokers are closed by whoever opened them."""
