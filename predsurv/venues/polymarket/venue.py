"""The Polymarket venue: makes its catalogues and feeds from the configuration."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import asdict

from predsurv.config import Config
from predsurv.core.errors import SafetyError
from predsurv.core.ids import VenueName
from predsurv.net.http import Http, HttpLimits
from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import Broker, Clock, RequestLevel, VenueTraits
from predsurv.venues.polymarket import market_lookup
from predsurv.venues.polymarket.catalog import PolymarketCatalog
from predsurv.venues.polymarket.closed_markets import ClosedMarkets
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.gamma_rest import GammaRest
from predsurv.venues.polymarket.hash_budget import HashCheckCounts
from predsurv.venues.polymarket.market_lookup import AnnouncedMarketLookup
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.open_questions import LookupCounts
from predsurv.venues.polymarket.rest import ClobRest
from predsurv.venues.polymarket.rest_audit import CONCURRENCY, RestAudit
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from predsurv.venues.streaming.context import StreamSpec
from predsurv.venues.streaming.feed import StreamingFeed
from predsurv.venues.streaming.frame_samples import FrameSamples
from predsurv.venues.streaming.policy import StreamPolicy
from predsurv.venues.streaming.queue import EventSink

_S: Final = 1_000_000_000
_TRAITS: Final = VenueTraits(complementary_outcomes=True, lifecycle="subscribing")

POLICY: Final = StreamPolicy(lifetime=30 * 60 * _S)
"""Connections were seen to stay open and fall silent after 14 minutes to hours, so none is kept for longer."""

# The venue allows 300 listing requests in 10 s for an address, which may be shared.
_GAMMA_TOKENS: Final = 200
_GAMMA_BURST: Final = 20

# It allows 500 requests for books in 10 s, of which a recorder needs a handful.
_CLOB_TOKENS: Final = 100
_CLOB_BURST: Final = 20


# Of the same allowance: five new markets a second were seen, each asked for twice at once and then ever more rarely.
_LOOKUP_TOKENS: Final = 200
_LOOKUP_BURST: Final = 40

# Of the listing's allowance, beside what a scan takes of it: a reading is a few pages, and many after an outage.
_CLOSED_TOKENS: Final = 20
_CLOSED_BURST: Final = 10


class PolymarketVenue:
    """Polymarket; ``rand`` gives jitter in [0, 1). Nothing is opened before it is used.

    ``counts``: what verification of its feeds found. ``gamma_limiter`` limits the requests of its catalogues to
    one part in ``share`` of what the venue allows.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        rand: Callable[[], float],
        policy: StreamPolicy | None = None,
        *,
        share: int = 1,
    ) -> None:
        self._config = config
        self._clock = clock
        self._rand = rand
        self._policy = policy or POLICY
        self._http: Http | None = None
        self.gamma_limiter = TokenBucket(
            clock, tokens=_GAMMA_TOKENS // share, period=10 * _S, burst=_GAMMA_BURST // share
        )
        self._clob_limiter = TokenBucket(clock, tokens=_CLOB_TOKENS, period=10 * _S, burst=_CLOB_BURST)
        self.counts = HashCheckCounts()
        self._lookup_limiter = TokenBucket(clock, tokens=_LOOKUP_TOKENS, period=10 * _S, burst=_LOOKUP_BURST)
        self._closed_limiter = TokenBucket(clock, tokens=_CLOSED_TOKENS, period=10 * _S, burst=_CLOSED_BURST)
        self._lookups = LookupCounts()
        self._samples = FrameSamples()

    @property
    def name(self) -> VenueName:
        """``polymarket``."""
        return VENUE

    @property
    def traits(self) -> VenueTraits:
        """The two books of a market mirror each other; messages have no sequence numbers."""
        return _TRAITS

    def catalog(self) -> PolymarketCatalog:
        """Return a catalogue, for one reading of the market list."""
        return PolymarketCatalog(
            self._config.venues.polymarket.gamma_url, self._opened(), self.gamma_limiter, self._clock
        )

    def feed(self) -> StreamingFeed:
        """Return a new feed; call it inside the running event loop."""
        shared = PolymarketSharedState(self.counts, self._lookups)
        url, http = self._config.venues.polymarket.clob_url, self._opened()
        audit = RestAudit(ClobRest(url, http, self._clob_limiter), shared, self._clock, self._rand)
        lookup = AnnouncedMarketLookup(ClobRest(url, http, self._lookup_limiter), shared, self._clock)

        places = self._config.venues.polymarket
        gamma = GammaRest(places.gamma_url, http, self._closed_limiter)
        closed = ClosedMarkets(gamma, shared, self._clock, min_volume=places.min_volume)

        async def background(events: EventSink) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(audit.run(events))
                group.create_task(lookup.run(events))
                group.create_task(closed.run(events))

        stream = StreamSpec(
            venue=VENUE,
            url=self._config.venues.polymarket.ws_market_url,
            codec=lambda epoch: PolymarketCodec(epoch, shared),
            announcement_codec=lambda epoch: PolymarketCodec(epoch, shared.for_announcements(), announcements=True),
            instruments_per_connection=self._config.collector.instruments_per_connection,
            set_mirrors=shared.set_mirrors,
            pack=shared.pack,
            background=background,
            policy=self._policy,
            samples=self._samples,
        )
        return StreamingFeed(stream, self._clock, self._rand)

    def request_levels(self) -> Mapping[str, RequestLevel]:
        """Return the room of the limits that lists, books, look-ups and ended markets keep to."""
        return {
            "listing": self.gamma_limiter.level(),
            "books": self._clob_limiter.level(),
            "lookups": self._lookup_limiter.level(),
            "closed_markets": self._closed_limiter.level(),
        }

    def take_frame_samples(self) -> list[bytes]:
        """Return the sampled frames of all feeds since the last call."""
        return self._samples.take_out()

    def broker(self) -> Broker:
        """Raise SafetyError: real orders go through an account (``registry.open_account``), never by mistake."""
        raise SafetyError('polymarket: real orders need trading.mode = "live", --live and a key; run with --paper')

    def verification_counts(self) -> Mapping[str, int]:
        """Return the counters of verification and of market lookups of all feeds, by name."""
        return asdict(self.counts) | asdict(self._lookups)

    def _opened(self) -> Http:
        if self._http is None:
            self._http = Http(
                self._clock, self._rand, limits=HttpLimits(concurrency=CONCURRENCY + market_lookup.CONCURRENCY + 1)
            )
        return self._http

    async def aclose(self) -> None:
        """Close the connections of catalogues; a feed is closed by its owner."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()
