"""Polymarket as the program sees it: a catalogue and feeds made from the configuration.

Kept apart because it is the only place that knows the addresses and all parts of the adapter.
"""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import asdict

from predsurv.config import Config
from predsurv.core.errors import SafetyError
from predsurv.core.ids import VenueName
from predsurv.net.http import Http, HttpLimits
from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import Broker, Clock, VenueTraits
from predsurv.venues.polymarket.catalog import PolymarketCatalog
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.hash_verifier import HashCheckCounts
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.rest import ClobRest
from predsurv.venues.polymarket.rest_audit import AT_ONCE, RestAudit
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from predsurv.venues.streaming.context import StreamSpec
from predsurv.venues.streaming.feed import StreamingFeed
from predsurv.venues.streaming.policy import StreamPolicy

_S: Final = 1_000_000_000
_TRAITS: Final = VenueTraits(complementary_outcomes=True)

POLICY: Final = StreamPolicy(lifetime=30 * 60 * _S)
"""Connections that stay open and fall silent have been seen after 14 minutes to hours: none gets old."""

# The venue allows 300 listing requests in 10 s for an address; a scan is not alone there.
_GAMMA_TOKENS: Final = 200
_GAMMA_BURST: Final = 20

# It allows 500 questions for books, of which a recorder needs a handful.
_CLOB_TOKENS: Final = 100
_CLOB_BURST: Final = 20


class PolymarketVenue:
    """Polymarket; ``rand`` gives jitter in [0, 1). Nothing is opened before it is used.

    ``checks`` counts what proofs of its feeds found; ``gamma_limiter`` paces its catalogues.
    """

    def __init__(
        self, config: Config, clock: Clock, rand: Callable[[], float], policy: StreamPolicy | None = None
    ) -> None:
        self._config = config
        self._clock = clock
        self._rand = rand
        self._policy = policy or POLICY
        self._http: Http | None = None
        self.gamma_limiter = TokenBucket(clock, tokens=_GAMMA_TOKENS, period=10 * _S, burst=_GAMMA_BURST)
        self._clob_limiter = TokenBucket(clock, tokens=_CLOB_TOKENS, period=10 * _S, burst=_CLOB_BURST)
        self.checks = HashCheckCounts()

    @property
    def name(self) -> VenueName:
        """``polymarket``."""
        return VENUE

    @property
    def traits(self) -> VenueTraits:
        """The two books of a market mirror each other; messages are not numbered."""
        return _TRAITS

    def catalog(self) -> PolymarketCatalog:
        """Return a new reading of the market list."""
        return PolymarketCatalog(
            self._config.venues.polymarket.gamma_url, self._opened(), self.gamma_limiter, self._clock
        )

    def feed(self) -> StreamingFeed:
        """Return a new feed; call it inside the running event loop."""
        memory = PolymarketSharedState(self.checks)
        rest = ClobRest(self._config.venues.polymarket.clob_url, self._opened(), self._clob_limiter)
        prober = RestAudit(rest, memory, self._clock, self._rand)
        stream = StreamSpec(
            venue=VENUE,
            url=self._config.venues.polymarket.ws_market_url,
            codec=lambda epoch: PolymarketCodec(epoch, memory),
            announcement_codec=lambda epoch: PolymarketCodec(epoch, memory.for_herald(), heralds=True),
            instruments_per_connection=self._config.collector.instruments_per_connection,
            background=prober.run,
            policy=self._policy,
        )
        return StreamingFeed(stream, self._clock, self._rand)

    def broker(self) -> Broker:
        """Raise SafetyError: orders cannot be sent yet."""
        raise SafetyError("polymarket: live trading is not available in this version; run with --paper")

    def proofs(self) -> Mapping[str, int]:
        """Return what the checks of all feeds found."""
        return asdict(self.checks)

    def _opened(self) -> Http:
        if self._http is None:
            self._http = Http(self._clock, self._rand, limits=HttpLimits(concurrency=AT_ONCE))
        return self._http

    async def aclose(self) -> None:
        """Give back the connections of catalogues; feeds are closed by whoever opened them."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()
