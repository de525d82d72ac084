"""The ports: the Protocols through which jobs use a venue and a clock.

Owned by the consumers, so that mock, simulated, replayed and real venues are interchangeable
without a base class.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, Protocol, runtime_checkable

from msgspec import Struct

from predsurv.core.events import AccountNews, CoverageReason, MarketEvent, VenuePhase
from predsurv.core.ids import EventId, InstrumentKey, VenueName
from predsurv.core.level_changes import PackedEvent
from predsurv.core.market import Market
from predsurv.core.num import Money
from predsurv.core.orders import AccountSnapshot, Approved


class Clock(Protocol):
    """The only source of time; everything in ns."""

    def now(self) -> int:
        """Return wall time in ns UTC; may step."""
        ...

    def monotonic(self) -> int:
        """Return a time in ns that never goes back; for intervals."""
        ...

    async def sleep(self, duration: int) -> None:
        """Return after ``duration`` ns (at once when it is not positive)."""
        ...


class MarketQuery(Struct, frozen=True):
    """Which markets a scan selects. Money in micros; ``limit`` 0 means all.

    ``tradable_only`` leaves out markets that accept no orders now.
    """

    min_volume: Money = Money(0)
    min_liquidity: Money = Money(0)
    tradable_only: bool = False
    include_closed: bool = False
    limit: int = 0


class VenueTraits(Struct, frozen=True):
    """The capabilities of a venue.

    ``complementary_outcomes``: the books of a binary market's two outcomes mirror each other, so
    one of them contains all information. ``sequenced``: messages of the feed carry sequence
    numbers. ``polled``: the feed is derived from polls. ``realtime`` is False for a feed that
    replays as fast as it is read. ``trading``: orders can be sent. ``trades`` and ``lifecycle``: how a feed
    observes these channels from its start (``live``, ``polled``), or why it does not; it tells a change of that by
    a ``ChannelChange``.
    """

    complementary_outcomes: bool = False
    sequenced: bool = False
    polled: bool = False
    realtime: bool = True
    trading: bool = False
    trades: CoverageReason = "live"
    lifecycle: CoverageReason = "live"


class ScanIssue(Struct, frozen=True):
    """What of a catalogue could not be read: counted and shown, never fatal.

    ``kept``: how many markets are listed all the same, with a safe assumption in its place; 0 for a row that is left
    out.
    """

    venue: VenueName
    where: str
    detail: str
    kept: int = 0


UNREADABLE: Final = "unreadable"
"""The reason in ``Catalog.left_out`` of rows that could not be read."""

FILTERED: Final = "filtered"
"""The reason in ``Catalog.left_out`` of markets that the query excludes."""


class Catalog(Protocol):
    """The market list of a venue."""

    def markets(self, query: MarketQuery) -> AsyncIterator[Market]:
        """Yield each matching market once; raises TransientError or PermanentError.

        Markets arrive page by page. Unreadable rows are left out and appended to ``issues``.
        """
        ...

    @property
    def issues(self) -> Sequence[ScanIssue]:
        """The unreadable rows and fields of the scan so far."""
        ...

    @property
    def left_out(self) -> Mapping[str, int]:
        """Rows of the list that are no markets of the scan so far, by reason; ``UNREADABLE`` is one."""
        ...

    @property
    def incomplete_events(self) -> AbstractSet[EventId]:
        """Events of which the venue lists a market that was left out so far: the others need not contain the winner."""
        ...

    @property
    def pages(self) -> int:
        """Pages fetched so far."""
        ...

    async def aclose(self) -> None:
        """Close connections; safe to call twice."""
        ...


Mirrors = Mapping[InstrumentKey, InstrumentKey]
"""Instruments with the other outcome of their market (see ``Market.mirror_of``)."""

NO_MIRRORS: Final[Mirrors] = {}


class Feed(Protocol):
    """Live (or replayed) market events for a desired set of instruments."""

    async def watch(self, want: AbstractSet[InstrumentKey], mirrors: Mirrors = NO_MIRRORS) -> None:
        """Set the WHOLE desired set; the feed subscribes and unsubscribes by itself. Idempotent.

        ``mirrors``: of instruments of ``want`` the other outcome, whose trades are wanted without its book. A venue
        that tells a trade on the taker's instrument alone then tells those of the other one, too, as trades of that
        one; a venue that tells every trade on whatever is wanted has nothing to add. The mirror of an instrument
        does not change while it is wanted.
        """
        ...

    def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Yield what arrived since the last batch, in order; ends when the feed is closed or at its end.

        The first book event of an instrument is a snapshot. After any loss a Gap precedes the
        next snapshot. Never more than one iteration at a time.
        """
        ...

    async def aclose(self) -> None:
        """Stop and leave nothing running; safe to call twice, and while ``batches`` waits."""
        ...


@runtime_checkable
class PackingFeed(Protocol):
    """Optional part of a feed: level changes that were received at one time put together."""

    def packed_batches(self) -> AsyncIterator[Sequence[PackedEvent]]:
        """Do as ``Feed.batches`` does, for who can take changes put together; instead of it, and before ``watch``."""
        ...


class Broker(Protocol):
    """Sends approved commands to a venue; answers arrive as events."""

    async def submit(self, command: Approved) -> None:
        """Send a command; a refusal by the venue is an event, not an exception."""
        ...

    def events(self) -> AsyncIterator[AccountNews]:
        """Yield the events of our orders, and of comparisons of the account, in order; ends when closed."""
        ...

    async def snapshot(self) -> AccountSnapshot:
        """Return cash, positions and open orders as the venue knows them."""
        ...

    async def aclose(self) -> None:
        """Stop and leave nothing running; safe to call twice."""
        ...


@runtime_checkable
class Verifying(Protocol):
    """Optional part of a venue: counts of the checks by which its feeds verified their books."""

    def verification_counts(self) -> Mapping[str, int]:
        """Return the number of checks since the venue was opened, by outcome."""
        ...


class RequestLevel(Struct, frozen=True):
    """How much room one limit of requests leaves: of ``burst`` requests at once, ``available`` now.

    A venue that weighs requests counts them by their weight. ``waiting``: how many wait for their turn.
    """

    available: int
    burst: int
    waiting: int


@runtime_checkable
class Limited(Protocol):
    """Optional part of a venue, and of an account at one: the limits that its requests keep to."""

    def request_levels(self) -> Mapping[str, RequestLevel]:
        """Return the room of each limit now, by its name; any thread may call it."""
        ...


@runtime_checkable
class Sampling(Protocol):
    """Optional part of a venue: a sample of the raw frames that its feeds receive."""

    def take_frame_samples(self) -> Sequence[bytes]:
        """Return the frames sampled since the last call, the oldest first."""
        ...


class PlannedPause(Struct, frozen=True):
    """Trading on the whole venue pauses from ``start`` to ``end`` (ns UTC) by the venue's own timetable."""

    start: int
    end: int


@runtime_checkable
class Phased(Protocol):
    """Optional part of a venue: what the venue as a whole accepts now, and its next planned pause."""

    async def current_phase(self) -> VenuePhase:
        """Ask the venue for its phase; raises TransientError, PermanentError or WireError."""
        ...

    async def next_pause(self) -> PlannedPause | None:
        """Return the pause in progress or the next one, None when none is planned; raises as ``current_phase``."""
        ...


class Venue(Protocol):
    """One venue: its catalogue, feed and broker."""

    @property
    def name(self) -> VenueName:
        """The name used in paths, labels and configuration."""
        ...

    @property
    def traits(self) -> VenueTraits:
        """The capabilities of this venue."""
        ...

    def catalog(self) -> Catalog:
        """Return a new catalogue reader."""
        ...

    def feed(self) -> Feed:
        """Return a new feed; it gets what it needs to know of a market from the venue."""
        ...

    def broker(self) -> Broker:
        """Return a new broker; raises SafetyError where trading is not possible."""
        ...

    async def aclose(self) -> None:
        """Close everything; safe to call twice."""
        ...
