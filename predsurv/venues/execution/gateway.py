"""What a venue has to offer for real orders: requests made before they are sent, answers judged, the account read.

Every request of these is sent at most once; who calls decides what may be asked again.
"""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar

from msgspec import Struct

from predsurv.core.events import MarketResolved
from predsurv.core.ids import InstrumentKey, OrderId, VenueName
from predsurv.core.market import Market
from predsurv.core.num import Money
from predsurv.core.orders import Approved, Order, PlaceOrder
from predsurv.ports import RequestLevel
from predsurv.venues.account_reports import AccountReport, OrderReport, PositionReport, TradeReport
from predsurv.venues.answers import Operation, Verdict
from predsurv.venues.requests import OrderRefusal, VenueRequest

OwnReport = TypeVar("OwnReport", OrderReport, TradeReport)
TENTHS: Final = 10
"""Cancels beyond a limit's room leave together by so many as it lets through in one of these parts of a second."""


class PreparedOrder(NamedTuple):
    """An order ready to be sent; ``order_id`` where the venue's id of it is known before, ``expires`` in ns UTC."""

    command: PlaceOrder
    request: VenueRequest
    order_id: OrderId | None = None
    expires: int | None = None


class Batching(NamedTuple):
    """How many orders go in one request: ``most``, and of all that are to be sent ``room`` without waiting for a limit.

    A request waits until the limit has room for all of it, so a batch larger than that would hold its first orders up.
    ``later``: how many go together once there is no room left, since the limit soon has room for these at once.
    """

    most: int
    room: int
    later: int = 1

    def parts(self, count: int) -> Iterator[range]:
        """Yield which of ``count`` orders go together, in their order; at least one in each part."""
        start = 0
        while start < count:
            end = min(count, start + max(1, min(self.most, max(self.room - start, self.later))))
            yield range(start, end)
            start = end


class FoundOrder(NamedTuple):
    """What a venue says of one order: nothing where ``report`` is None; ``trades``: all it has of it."""

    report: OrderReport | None
    trades: tuple[TradeReport, ...] = ()


class AccountState(Struct, frozen=True):
    """An account as its venue has it; the reading began at ``ts`` (ns UTC), cash in micros.

    ``orders``: the open ones; ``trades``: those since the time that was asked for. ``positions``: of the instruments
    that were asked for, and of all others where the venue lists them. ``is_cash_free``: what rests is taken out of it.
    ``is_cash_whole``: what rests is certainly left in it.
    ``settlements``: of markets that were paid out since that time, where the venue lists them.
    """

    ts: int
    cash: Money
    orders: tuple[OrderReport, ...]
    trades: tuple[TradeReport, ...]
    positions: tuple[PositionReport, ...]
    is_cash_free: bool = False
    is_cash_whole: bool = False
    settlements: tuple[MarketResolved, ...] = ()


class ExecutionGateway(Protocol):
    """Places and cancels the orders of one account."""

    @property
    def venue(self) -> VenueName:
        """The venue."""
        ...

    def prepare(self, approved: Approved, market: Market) -> PreparedOrder | OrderRefusal:
        """Make, sign and check the request that places an order; does not wait and sends nothing."""
        ...

    async def place(self, order: PreparedOrder) -> Verdict:
        """Send it, once; raises TransientError where it cannot have arrived, AmbiguousError where nobody can tell."""
        ...

    async def cancel(self, order: Order) -> Verdict:
        """Ask to cancel what rests of an order whose id is known; raises as ``place``."""
        ...

    def batching(self, operation: Operation) -> Batching:
        """Return how orders, or cancels, that are to be sent now are put together."""
        ...

    async def place_together(self, orders: Sequence[PreparedOrder]) -> Sequence[Verdict]:
        """Send several in one request, once; return what became of each, in their order; raises as ``place``."""
        ...

    async def cancel_together(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        """Ask to cancel several in one request; as ``cancel`` and ``place_together``."""
        ...

    async def find(self, order: Order) -> FoundOrder:
        """Ask what became of an order; raises PredsurvError when there is no answer."""
        ...

    async def stay_alive(self, resting: Collection[Order]) -> None:
        """Renew that the venue keeps what rests: where this is not called for a while, it cancels all. Raises."""
        ...


class AccountReader(Protocol):
    """Reads one account, once or as it changes."""

    async def account(self, since: int, keys: Collection[InstrumentKey]) -> AccountState:
        """Read everything: trades since a time (ns UTC), positions of ``keys`` at least; raises PredsurvError."""
        ...

    def channel(self) -> "AccountChannel":
        """Return the private channel, for one connection."""
        ...


class AccountChannel(Protocol):
    """One connection of a venue's private channel, without its socket."""

    @property
    def url(self) -> str:
        """Where to connect."""
        ...

    def headers(self) -> Mapping[str, str] | None:
        """Return the headers of the handshake, dated now."""
        ...

    def greeting(self) -> Sequence[bytes]:
        """Return what is sent first."""
        ...

    def keepalive(self) -> bytes | None:
        """Return what is sent every ten seconds, None for nothing."""
        ...

    def decode(self, frame: bytes, ts_recv: int) -> Sequence[AccountReport]:
        """Return what a frame tells; never raises."""
        ...

    def is_ready(self, frame: bytes) -> bool:
        """Return whether a frame says that the channel is subscribed: what happens from then on is told."""
        ...


class InTermsOf(Protocol):
    """Turns a report into the instrument of the order that it is about, where the venue tells it in another."""

    def __call__(self, report: OwnReport, key: InstrumentKey, /) -> OwnReport: ...


class AccountFact(NamedTuple):
    """Something about an account for people; ``is_good`` is None where it is neither good nor bad."""

    name: str
    value: str
    is_good: bool | None = None


def clock_fact(skew: int, skew_max: int) -> AccountFact:
    """Return how far this clock is from the venue's: ``skew`` (ns), above 0 where it is ahead."""
    side = "behind" if skew < 0 else "ahead of"
    return AccountFact("clock", f"{abs(skew) // 1_000_000} ms {side} the venue", abs(skew) <= skew_max)


def headroom_fact(what: str, level: RequestLevel, rate: int, cost: int = 1) -> AccountFact:
    """Return how many of ``what`` a limit lets through now; ``rate``: what it gains a second, ``cost``: of each."""
    text = f"{level.available // cost} of {level.burst // cost} now, {rate // cost} a second"
    return AccountFact(f"{what} headroom", text)


FundsCheck = Callable[[PlaceOrder, Market], OrderRefusal | None]
"""Returns why an account, as it was read, cannot pay for an order, beside its cash and shares; None when it can."""


async def nothing() -> None:
    """Do nothing: the venue needs no preparation of a run, nor an end of one."""


async def no_expiry() -> int | None:
    """Return None: the key of a venue where keys do not stop to trade by themselves."""
    return None


async def no_more_funds() -> FundsCheck:
    """Return the check of a venue where cash and shares are all that is needed."""
    return lambda _order, _market: None


async def no_cancel_all(_open: Sequence[OrderId]) -> Mapping[OrderId, Verdict] | None:
    """Return None: the venue has no request that cancels what is open and does nothing else."""
    return None


class VenueAccount(Struct, frozen=True):
    """Both sides of one account at a venue; ``name`` is what people know it by, ``aclose`` ends its connections.

    ``in_terms_of`` turns what is told of an order into the order's own instrument. ``describe`` asks the venue for what
    can stand in the way of trading, and raises PredsurvError. ``forbid_writes`` lets nothing but reads leave from then
    on. ``read_funds`` reads what an order needs beside cash and shares, ``key_expires`` when the key stops to trade (ns
    UTC, None for never or not stated); both raise PredsurvError. ``request_levels``: the room of the account's limits.
    ``begin`` prepares a run once the account was compared, before anything is placed, and raises PredsurvError; ``end``
    ends that. ``stopped_by``: why the venue stopped our orders by itself, by a report of it; "" where it did not.
    ``cancel_all`` cancels every open order of the account, whoever placed it, in one request; it is told which are
    known to be open, and returns what became of these and of all others that the answer names, or None where nothing
    was sent since no such request goes now. It raises as ``ExecutionGateway.cancel``.
    """

    gateway: ExecutionGateway
    reader: AccountReader
    name: str
    describe: Callable[[], Awaitable[Sequence[AccountFact]]]
    aclose: Callable[[], Awaitable[None]]
    forbid_writes: Callable[[], None]
    in_terms_of: InTermsOf = lambda report, _: report
    read_funds: Callable[[], Awaitable[FundsCheck]] = no_more_funds
    key_expires: Callable[[], Awaitable[int | None]] = no_expiry
    begin: Callable[[], Awaitable[None]] = nothing
    end: Callable[[], Awaitable[None]] = nothing
    stopped_by: Callable[[AccountReport], str] = lambda _: ""
    request_levels: Callable[[], Mapping[str, RequestLevel]] = dict
    cancel_all: Callable[[Sequence[OrderId]], Awaitable[Mapping[OrderId, Verdict] | None]] = no_cancel_all
