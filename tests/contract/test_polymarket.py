"""The laws for Polymarket's catalogue and feed, against a server made of recordings."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import pytest

from predsurv.config import CollectorConfig, Config, PolymarketConfig, VenuesConfig
from predsurv.core.ids import InstrumentKey
from predsurv.core.market import Market
from predsurv.ports import Broker, Feed
from predsurv.venues.polymarket.catalog import PolymarketCatalog
from predsurv.venues.polymarket.gamma_row import read_row
from predsurv.venues.polymarket.market_parser import parse_market
from predsurv.venues.polymarket.venue import PolymarketVenue
from predsurv.venues.streaming.feed import StreamingFeed
from predsurv.venues.streaming.policy import StreamPolicy
from tests.contract.catalog import CatalogLaws
from tests.contract.feed import FeedFault, FeedLaws
from tests.kit.given_clock import GivenClock
from tests.kit.overflow import overflowing
from tests.kit.payloads import Payloads
from tests.kit.recorded_polymarket import RecordedPolymarket

MS = 1_000_000
POLICY = StreamPolicy(
    backoff_base=50 * MS,
    backoff_cap=200 * MS,
    handshake_interval=5 * MS,
    retries_per_minute=6_000,
    request_interval=50 * MS,
    waiting_frames_max=400,
)


class PolymarketHarness:
    """A venue whose every URL is the server's."""

    instruments_per_connection = 3
    reconnect_ns_max = 5_000 * MS
    pages = 3
    unreadable = 1

    def __init__(self, server: RecordedPolymarket) -> None:
        self.server = server
        config = Config(
            venues=VenuesConfig(
                polymarket=PolymarketConfig(
                    gamma_url=server.http_url, clob_url=server.http_url, ws_market_url=server.ws_url
                )
            ),
            collector=CollectorConfig(instruments_per_connection=self.instruments_per_connection),
        )
        self.venue = PolymarketVenue(config, GivenClock(), lambda: 0.5, POLICY)
        self.traits = self.venue.traits
        self._markets: dict[InstrumentKey, Market] = {}
        for row in server.recordings.markets:
            market = parse_market(read_row(json.dumps(row).encode()), 0).market
            if market is not None:
                self._markets |= dict.fromkeys(market.keys(), market)

    def catalog(self) -> PolymarketCatalog:
        return self.venue.catalog()

    def feed(self) -> StreamingFeed:
        return self.venue.feed()

    def broker(self) -> Broker | None:
        return None

    def market(self, key: InstrumentKey) -> Market:
        return self._markets[key]

    async def lively(self, count: int) -> Sequence[InstrumentKey]:
        return list(self._markets)[:count]

    async def inject_fault(self, feed: Feed, how: FeedFault) -> None:
        match how:
            case "drop":
                await self.server.drop()
            case "unknown":
                await self.server.say('{"event_type":"dance"}')
            case "malformed":
                token = next(iter(self._markets)).instrument_id
                await self.server.say(f'{{"event_type":"book","asset_id":"{token}","bids":0}}')
            case "flood":
                assert isinstance(feed, StreamingFeed)
                while not overflowing(feed):
                    await self.server.say('{"event_type":"noise"}')
                    await asyncio.sleep(0)

    def loads(self) -> Sequence[int]:
        return [len(tokens) for tokens in self.server.links.values()]

    async def let_one_close(self) -> None:
        """Some of the recorded ones are closed."""


@pytest.fixture
async def harness(payloads: Payloads) -> AsyncIterator[PolymarketHarness]:
    server = RecordedPolymarket(payloads)
    await server.start()
    made = PolymarketHarness(server)
    server.recordings.markets.insert(5, {"conditionId": 7})
    yield made
    await made.venue.aclose()
    await server.aclose()


class TestPolymarketFeed(FeedLaws):
    """F1 … F11."""


class TestPolymarketCatalog(CatalogLaws):
    """C1 … C5."""
