"""The Kalshi venue: makes its catalogues and feeds from the configuration."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from predsurv.config import Config
from predsurv.core.errors import PermanentError, SafetyError
from predsurv.core.events import VenuePhase
from predsurv.core.ids import VenueName
from predsurv.net import ws
from predsurv.net.http import Http, HttpLimits
from predsurv.ports import Broker, Clock, Feed, PlannedPause, RequestLevel, VenueTraits
from predsurv.venues.kalshi.auth import RequestSigner
from predsurv.venues.kalshi.background import BackgroundJob, run_together
from predsurv.venues.kalshi.catalog import KalshiCatalog
from predsurv.venues.kalshi.decoder import KalshiCodec, KalshiSharedState
from predsurv.venues.kalshi.exchange_status import ExchangeMonitor
from predsurv.venues.kalshi.fee_calendar import FeeCalendarPoller
from predsurv.venues.kalshi.market_lookup import MarketLookup
from predsurv.venues.kalshi.market_parser import VENUE
from predsurv.venues.kalshi.market_updates import MarketUpdates
from predsurv.venues.kalshi.polling_feed import PollingFeed
from predsurv.venues.kalshi.rest import KalshiRest, RequestBudget
from predsurv.venues.kalshi.series_terms import EventDirectory
from predsurv.venues.kalshi.settlement_lookup import SettlementLookup
from predsurv.venues.kalshi.shard_pauses import ShardPauses
from predsurv.venues.kalshi.terms_lookup import TermsLookup
from predsurv.venues.streaming.context import StreamSocket, StreamSpec
from predsurv.venues.streaming.feed import StreamingFeed
from predsurv.venues.streaming.frame_samples import FrameSamples
from predsurv.venues.streaming.policy import StreamPolicy

# Both outcomes trade in one book; with a key it is streamed with sequence numbers, without one polled.
_STREAMED: Final = VenueTraits(complementary_outcomes=True, sequenced=True)
_POLLED: Final = VenueTraits(complementary_outcomes=True, polled=True, trades="polled", lifecycle="polled")

# A failed poll becomes a gap soon, so it has fewer attempts and shorter time-outs than a page of a list.
_POLL_LIMITS: Final = HttpLimits(read_timeout=5_000_000_000, total_timeout=10_000_000_000, attempts=3)

# What is asked for again and again needs no attempts of its own.
_ASIDE_LIMITS: Final = HttpLimits(read_timeout=5_000_000_000, total_timeout=10_000_000_000, attempts=1)

_logger = logging.getLogger(__name__)


class KalshiVenue:
    """Kalshi; ``rand`` gives jitter in [0, 1), ``signer`` is None without a key.

    Nothing is opened before it is used. ``take_frame_samples`` and ``request_levels`` are those of ``ports.Sampling``
    and ``ports.Limited``. Its requests take one part in ``share`` of what the venue allows.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        rand: Callable[[], float],
        signer: RequestSigner | None,
        policy: StreamPolicy | None = None,
        *,
        share: int = 1,
    ) -> None:
        self._config = config
        self._clock = clock
        self._rand = rand
        self._signer = signer
        self._policy = policy or StreamPolicy()
        self._budget = RequestBudget(clock, share)
        self._directory = EventDirectory()
        self._monitor: ExchangeMonitor | None = None
        self._samples = FrameSamples()
        self.take_frame_samples: Callable[[], list[bytes]] = self._samples.take_out
        self.request_levels: Callable[[], Mapping[str, RequestLevel]] = partial(
            self._budget.levels, keyed=signer is not None
        )
        self._opened: list[KalshiRest] = []

    @property
    def name(self) -> VenueName:
        """``kalshi``."""
        return VENUE

    @property
    def traits(self) -> VenueTraits:
        """One book for both outcomes; sequence numbers with a key, polls without."""
        return _POLLED if self._signer is None else _STREAMED

    def catalog(self) -> KalshiCatalog:
        """Return a catalogue, for one reading of the market list."""
        return KalshiCatalog(self._rest(HttpLimits()), self._clock, self._directory)

    def feed(self) -> Feed:
        """Return a new feed; call it inside the running event loop."""
        signer = self._signer
        if signer is None:
            _logger.info("%s: no API key, so books, trades and changes of markets are polled, not streamed", VENUE)
            aside = self._rest(_ASIDE_LIMITS, aside=True)
            return PollingFeed(self._rest(_POLL_LIMITS), self._clock, self._directory, aside)
        shared, url = KalshiSharedState(self._directory), self._config.venues.kalshi.ws_url
        rest = self._rest(HttpLimits())
        settlements = SettlementLookup(rest, shared.unsettled_tickers, shared.lifecycle.settlement, self._clock)
        terms = TermsLookup(rest, self._clock, self._directory)
        lookup = MarketLookup(terms, self._clock, shared.lifecycle)
        shards = ShardPauses(terms, self._clock, shared.tickers)
        jobs: list[BackgroundJob] = [
            lambda events: settlements.run(events, self._policy.book_timeout),
            ExchangeMonitor(self._rest(_POLL_LIMITS), self._clock, shards).run,
            FeeCalendarPoller(rest, self._clock, self._directory, shared.tickers, terms).run,
            lookup.run,
            MarketUpdates(rest, terms, self._clock, shared.lifecycle, announced=True).run,
        ]
        stream = StreamSpec(
            venue=VENUE,
            url=url,
            codec=lambda epoch: KalshiCodec(epoch, shared),
            instruments_per_connection=self._config.collector.instruments_per_connection,
            headers=lambda: signer.headers("GET", url),
            capacity=lambda: shared.capacity,
            pack=shared.pack,
            background=lambda queue: run_together(jobs, queue),
            policy=self._policy,
            samples=self._samples,
            connect=self._connect,
        )
        return StreamingFeed(stream, self._clock, self._rand)

    async def current_phase(self) -> VenuePhase:
        """Ask the exchange for its phase; raises TransientError, PermanentError or WireError."""
        return await self._exchange().current()

    async def next_pause(self) -> PlannedPause | None:
        """Return the pause in progress or the next one of the exchange's timetable; raises as ``current_phase``."""
        return await self._exchange().next_pause()

    def broker(self) -> Broker:
        """Raise SafetyError: orders cannot be sent yet."""
        raise SafetyError("kalshi: live trading is not available in this version; run with --paper")

    async def aclose(self) -> None:
        """Close the connections of catalogues and polls; a feed is closed by its owner."""
        opened, self._opened, self._monitor = self._opened, [], None
        for rest in opened:
            await rest.aclose()

    def _exchange(self) -> ExchangeMonitor:
        if self._monitor is None:
            self._monitor = ExchangeMonitor(self._rest(_POLL_LIMITS), self._clock)
        return self._monitor

    def _rest(self, limits: HttpLimits, *, aside: bool = False) -> KalshiRest:
        http, url = Http(self._clock, self._rand, limits=limits), self._config.venues.kalshi.rest_url
        rest = KalshiRest(url, http, self._clock, self._budget, signer=self._signer, aside=aside)
        self._opened.append(rest)
        return rest

    async def _connect(self, url: str, headers: Mapping[str, str] | None) -> StreamSocket:
        """Open a stream; raises PermanentError with the reason why the key is refused."""
        try:
            return await ws.connect(url, headers)
        except PermanentError:
            raise await self._rest(HttpLimits(attempts=2)).refusal() from None
