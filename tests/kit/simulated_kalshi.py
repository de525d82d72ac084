"""Our Kalshi simulator with the venue that talks to it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from predsurv.config import CollectorConfig, Config, KalshiConfig, MockConfig, VenuesConfig
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.exchange.fault_script import ScriptedFault
from predsurv.ports import Clock
from predsurv.simulate.kalshi.simulator import KalshiSimulator, KalshiSimulatorSettings, environment
from predsurv.simulate.kalshi.throwaway_key import KeyType, ThrowawayKey
from predsurv.state.book import Book
from predsurv.venues.kalshi.auth import RequestSigner, load_signer
from predsurv.venues.kalshi.market_parser import VENUE
from predsurv.venues.kalshi.venue import KalshiVenue
from predsurv.venues.mock import MockVenue
from predsurv.venues.streaming.policy import StreamPolicy
from tests.kit.given_clock import GivenClock

MS = 1_000_000
FAST = StreamPolicy(
    tick=10 * MS,
    book_timeout=500 * MS,
    silence=500 * MS,
    silence_max=1_000 * MS,
    stable=50 * MS,
    request_interval=50 * MS,
    backoff_base=10 * MS,
    backoff_cap=40 * MS,
    outage_attempts=4,
    handshake_interval=5 * MS,
)


class SimulatedKalshi:
    """A running simulator over ``markets`` generated markets with ``rate`` changes a second."""

    def __init__(
        self,
        folder: Path,
        *,
        markets: int = 250,
        rate: int = 2_000,
        key_type: KeyType = "ed25519",
        faults: str = "",
        seed: int = 7,
        markets_per_subscription: int = 0,
        clock: GivenClock | None = None,
    ) -> None:
        self.key = ThrowawayKey(key_type)
        self.file = folder / "key.pem"
        self.key.write(self.file)
        self.clock = clock or GivenClock()
        self.underlying = MockVenue(MockConfig(enabled=True, markets=markets, rate=rate), self.clock)
        settings = KalshiSimulatorSettings(
            key=self.key, faults=faults, seed=seed, markets_per_subscription=markets_per_subscription
        )
        self.server = KalshiSimulator(self.underlying, self.clock, settings)
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the server and the underlying venue."""
        await self.server.start()
        self.resume()

    def resume(self) -> None:
        """Let the underlying venue run on."""
        self._running = asyncio.create_task(self.server.run())

    async def pause(self) -> None:
        """Stop the time of the underlying venue; clients are still served."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def aclose(self) -> None:
        """Stop."""
        await self.pause()
        await self.server.aclose()

    def environ(self) -> Mapping[str, str]:
        """Return the environment variables for the key."""
        return {"PREDSURV_KALSHI_KEY_ID": self.key.key_id, "PREDSURV_KALSHI_PRIVATE_KEY_FILE": str(self.file)}

    def urls(self) -> Mapping[str, str]:
        """Return the environment variables for the addresses."""
        every = environment(self.server.port, self.key, self.file)
        return {name: value for name, value in every.items() if "URL" in name}

    def config(self, per_connection: int = 150) -> Config:
        """Return a configuration with the simulator's addresses."""
        rest, ws = self.urls().values()
        return Config(
            venues=VenuesConfig(kalshi=KalshiConfig(rest_url=rest, ws_url=ws)),
            collector=CollectorConfig(instruments_per_connection=per_connection),
        )

    def venue(
        self,
        *,
        keyed: bool = True,
        per_connection: int = 150,
        policy: StreamPolicy = FAST,
        clock: Clock | None = None,
        rand: Callable[[], float] = lambda: 1.0,
    ) -> KalshiVenue:
        """Return the adapter, with the accepted key or without a key."""
        clock = clock or self.clock
        signer: RequestSigner | None = load_signer(clock, self.environ()) if keyed else None
        return KalshiVenue(self.config(per_connection), clock, rand, signer, policy)

    def busiest(self, count: int) -> Sequence[InstrumentKey]:
        """Return the instruments whose books change most, the busiest first."""
        groups = sorted(self.underlying.clocked_exchange.exchange.groups, key=lambda group: -group.spec.weight)
        order = {f"KX{group.spec.category.upper()}-{group.spec.index:04d}": rank for rank, group in enumerate(groups)}
        listed = sorted(self.server.markets.listed.values(), key=lambda each: order.get(each.event, 1 << 30))
        return [key(each.ticker) for each in listed[:count]]

    def inject(self, kind: str, lasts: int = 0) -> None:
        """Inject a fault into every connection now."""
        self.server.inject(ScriptedFault(0, kind, lasts, everywhere=True))

    def is_exact(self, book: Book) -> bool:
        """Return whether ``book`` equals the venue's."""
        bids, asks = self.server.markets.books[book.key.market_id].levels()
        return dict(book.bids.levels()) == bids and dict(book.asks.levels()) == asks


def key(ticker: str) -> InstrumentKey:
    """Return the YES instrument of a ticker."""
    return InstrumentKey(VENUE, MarketId(ticker), InstrumentId(ticker))
