"""Everything that can happen, as one closed union of frozen records.

All state is a fold over these. A disconnect, a gap or an unreadable message is an event like a trade is, so
that state is reset by the same path that updates it.

Two times, never overwritten: ``ts_recv`` is when this machine received it (ns UTC), ``ts_venue``
is what the venue says (ns UTC) or None. ``epoch`` numbers the connection generation, ``seq`` is
the venue's own sequence number where it has one. Prices and sizes are micros.
"""

from typing import Final, Literal

from msgspec import Struct

from predsurv.core.ids import (
    ClientOrderId,
    InstrumentId,
    InstrumentKey,
    MarketId,
    OrderId,
    OrderSide,
    Side,
    StrategyName,
    TradeId,
    VenueName,
)
from predsurv.core.market import FeeSchedule, Market, PriceBand
from predsurv.core.num import Money, Price, Size
from predsurv.core.reconciliation import ReconciliationEvent

Level = tuple[Price, Size]
"""(price, size) of one level of a book, micros."""

GapReason = Literal[
    "subscribing",
    "rotated_out",
    "disconnect",
    "stall",
    "seq_gap",
    "hash_mismatch",
    "probe_mismatch",
    "overflow",
    "decode_error",
    "disk_full",
    "crash",
    "clock_step",
    "shutdown",
    "no_capacity",
    "unannounced",
    "not_offered",
    "file_missing",
]
"""Why an instrument, or a channel of it, was not observed.

``no_capacity``: its market opened while recording and there was no place. ``unannounced``: its market was open, and
the recorder heard of it later, mostly when it was over. ``not_offered``: the feed has no such
channel. ``file_missing``: it was recorded, and the file is gone (found by readers, never recorded).
"""

CoverageReason = Literal["live", "polled"] | GapReason

Channel = Literal["book", "trades", "lifecycle"]
"""What a feed tells of an instrument: its book, its trades, and the changes and settlement of its market."""

MarketChangeKind = Literal[
    "created", "activated", "paused", "closed", "fee", "rules", "disputed", "tick_size", "listed"
]

TradingPhase = Literal["open", "post_only", "cancel_only", "closed"]
"""What a whole venue accepts: everything, orders that rest, cancels, or nothing."""

NO_ORDERS: Final = frozenset[TradingPhase]({"cancel_only", "closed"})
"""Phases in which a venue accepts no order and nothing trades."""


class BookSnapshot(Struct, frozen=True, array_like=True, gc=False, tag="book"):
    """The whole book of an instrument, replacing what was known of it. Levels best first."""

    key: InstrumentKey
    ts_recv: int
    ts_venue: int | None
    epoch: int
    seq: int | None
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class BookDelta(Struct, frozen=True, array_like=True, gc=False, tag="delta"):
    """One level changed; ``size`` is the new absolute size there, 0 removes the level."""

    key: InstrumentKey
    ts_recv: int
    ts_venue: int | None
    epoch: int
    seq: int | None
    side: Side
    price: Price
    size: Size


class Quote(Struct, frozen=True, array_like=True, gc=False, tag="quote"):
    """The best bid and ask as published by the venue; an empty side is None."""

    key: InstrumentKey
    ts_recv: int
    ts_venue: int | None
    bid: Price | None
    ask: Price | None


class Trade(Struct, frozen=True, array_like=True, gc=False, tag="trade"):
    """A public trade; ``taker_side`` is the taker's direction in this instrument, None when the venue does not say."""

    key: InstrumentKey
    ts_recv: int
    ts_venue: int | None
    price: Price
    size: Size
    taker_side: OrderSide | None
    trade_id: TradeId | None


class MarketChange(Struct, frozen=True, array_like=True, gc=False, tag="market"):
    """A change in a market's life: created, paused, closed, new tick size, new fee …

    ``value`` is JSON of what changed. ``market`` is the whole new record when the venue gave one; kind ``listed``
    says no more than that. ``tick_size`` is set for kind ``tick_size`` and micros, ``bands`` with it where steps
    differ: together they replace the grid; ``min_order_size`` is set with it where that was stated besides. ``fee`` is
    set for kind ``fee``, None there when the market has the fee of its listing again. ``close_time`` (ns UTC) is set
    for kind ``rules`` where that was moved. ``effective``: from when the change holds (ns UTC) where it was announced
    ahead, None when it holds at once. ``opened`` and ``closed``: when trading began and ended (ns UTC), where a list
    states it of a market that was found in it instead of being announced.
    """

    venue: VenueName
    market_id: MarketId
    instrument_id: InstrumentId | None
    ts_recv: int
    ts_venue: int | None
    kind: MarketChangeKind
    value: str
    market: Market | None = None
    tick_size: Price | None = None
    fee: FeeSchedule | None = None
    bands: tuple[PriceBand, ...] = ()
    close_time: int | None = None
    effective: int | None = None
    min_order_size: Size | None = None
    opened: int | None = None
    closed: int | None = None


class MarketResolved(Struct, frozen=True, array_like=True, gc=False, tag="resolved"):
    """A market settled: the payout per share of each outcome, 0 … 1 dollar in micros.

    A void market has ``void`` set and its own payouts (often 0.5 each); scalar markets pay between 0 and 1.
    """

    venue: VenueName
    market_id: MarketId
    ts_recv: int
    ts_venue: int | None
    payouts: tuple[tuple[InstrumentId, Price], ...]
    void: bool = False


class VenuePhase(Struct, frozen=True, array_like=True, gc=False, tag="phase"):
    """The whole venue entered a phase of trading; ``resumes``: when it expects to be open again (ns UTC), or None.

    ``value`` is JSON of what the venue said.
    """

    venue: VenueName
    ts_recv: int
    ts_venue: int | None
    phase: TradingPhase
    value: str
    resumes: int | None = None


class ChannelChange(Struct, frozen=True, array_like=True, gc=False, tag="channel"):
    """From ``ts_recv`` on a feed observes ``channel`` of all its instruments as ``reason`` says, books aside.

    ``live`` or ``polled`` when it is observed, else why it is not.
    """

    venue: VenueName
    ts_recv: int
    channel: Channel
    reason: CoverageReason


class Gap(Struct, frozen=True, array_like=True, gc=False, tag="gap"):
    """From ``ts_recv`` on the instrument's book is not known, until its next snapshot."""

    key: InstrumentKey
    ts_recv: int
    reason: GapReason
    epoch: int


class Connected(Struct, frozen=True, array_like=True, gc=False, tag="connected"):
    """A connection was established; ``connections`` is the number that the venue's feed holds now."""

    venue: VenueName
    ts_recv: int
    epoch: int
    connections: int


class Disconnected(Struct, frozen=True, array_like=True, gc=False, tag="disconnected"):
    """A connection was lost; each instrument subscribed on it has a Gap of its own."""

    venue: VenueName
    ts_recv: int
    epoch: int
    connections: int
    reason: str


class Unknown(Struct, frozen=True, array_like=True, gc=False, tag="unknown"):
    """A well-formed message of an unknown kind; ``kind`` is sanitised."""

    venue: VenueName
    ts_recv: int
    kind: str


class Malformed(Struct, frozen=True, array_like=True, gc=False, tag="malformed"):
    """A message that is not in its documented form; ``digest`` identifies the payload in quarantine."""

    venue: VenueName
    ts_recv: int
    detail: str
    digest: str


class Dropped(Struct, frozen=True, array_like=True, gc=False, tag="dropped"):
    """``count`` messages were dropped because a bounded queue was full; each instrument concerned has a Gap."""

    venue: VenueName
    ts_recv: int
    count: int


class Wanted(Struct, frozen=True, array_like=True, gc=False, tag="wanted"):
    """The recorder selected this instrument, chosen with ``inclusion`` probability (micros)."""

    key: InstrumentKey
    ts_recv: int
    inclusion: int = 1_000_000


class Unwanted(Struct, frozen=True, array_like=True, gc=False, tag="unwanted"):
    """The recorder deselected this instrument: rotated out, closed or shutting down."""

    key: InstrumentKey
    ts_recv: int
    reason: GapReason


class OrderAccepted(Struct, frozen=True, array_like=True, gc=False, tag="accepted"):
    """The venue acknowledged the order; it rests or is about to fill."""

    key: InstrumentKey
    ts_recv: int
    client_order_id: ClientOrderId
    order_id: OrderId


class OrderRejected(Struct, frozen=True, array_like=True, gc=False, tag="rejected"):
    """The venue rejected the order; it certainly does not exist."""

    key: InstrumentKey
    ts_recv: int
    client_order_id: ClientOrderId
    reason: str


class OrderCancelled(Struct, frozen=True, array_like=True, gc=False, tag="cancelled"):
    """The rest of the order was cancelled: on request, by expiry, or by its time in force."""

    key: InstrumentKey
    ts_recv: int
    client_order_id: ClientOrderId
    reason: str


class CancelRejected(Struct, frozen=True, array_like=True, gc=False, tag="cancel_rejected"):
    """The venue rejected the cancel of an order, whose state this says nothing of."""

    key: InstrumentKey
    ts_recv: int
    client_order_id: ClientOrderId
    reason: str


class OrderUnknown(Struct, frozen=True, array_like=True, gc=False, tag="order_unknown"):
    """The order's state is not known; it counts as open at its full size until reconciled."""

    key: InstrumentKey
    ts_recv: int
    client_order_id: ClientOrderId
    reason: str


class Fill(Struct, frozen=True, array_like=True, gc=False, tag="fill"):
    """A trade of our order: ``size`` at ``price``; ``fee`` is added to the cost of a buy, deducted from a sale.

    ``fee_assumed``: nobody stated the market's fees, so ``fee`` is what is safe to assume. ``unconfirmed``: only
    matched; a ``FillConfirmed`` or ``FillFailed`` follows. ``rebate``: what the venue owes for it until ``RebatePaid``.
    """

    key: InstrumentKey
    ts_recv: int
    ts_venue: int | None
    client_order_id: ClientOrderId
    trade_id: TradeId
    side: OrderSide
    price: Price
    size: Size
    fee: Money
    maker: bool
    fee_assumed: bool = False
    unconfirmed: bool = False
    rebate: Money = Money(0)


class FillConfirmed(Struct, frozen=True, array_like=True, gc=False, tag="confirmed"):
    """A fill that was only matched is final: its trade was settled."""

    key: InstrumentKey
    ts_recv: int
    client_order_id: ClientOrderId
    trade_id: TradeId


class FillFailed(Struct, frozen=True, array_like=True, gc=False, tag="failed"):
    """A fill that was only matched never came about: the account is as if nobody had told of it.

    What it took of its order stays taken: the order does not trade it again.
    """

    key: InstrumentKey
    ts_recv: int
    client_order_id: ClientOrderId
    trade_id: TradeId
    reason: str


class RebatePaid(Struct, frozen=True, array_like=True, gc=False, tag="rebate"):
    """A venue paid ``amount`` (micros) back for what rested and traded in a market on the UTC day from ``day`` (ns) on.

    ``strategy``: whose fills earned it; venues pay the account, and each fill's part follows from the fill.
    """

    venue: VenueName
    market_id: MarketId
    ts_recv: int
    strategy: StrategyName
    day: int
    amount: Money


class LevelConsumed(Struct, frozen=True, array_like=True, gc=False, tag="consumed"):
    """Of the level at ``price`` in the book of ``key`` our orders have taken ``size``, which the book does not show.

    Told by a simulated venue, whose public data knows nothing of us; ``size`` counts from the level's beginning, and
    is 0 once the level is gone.
    """

    key: InstrumentKey
    ts_recv: int
    side: Side
    price: Price
    size: Size


class Tick(Struct, frozen=True, array_like=True, gc=False, tag="tick"):
    """The passing of time; drives time-outs."""

    ts_recv: int


BookEvent = BookSnapshot | BookDelta | Gap
FeedEvent = Gap | Connected | Disconnected | Unknown | Malformed | Dropped | Wanted | Unwanted
StatedEvent = MarketChange | MarketResolved | VenuePhase | ChannelChange
MarketEvent = BookSnapshot | BookDelta | Quote | Trade | StatedEvent | FeedEvent
MarketFact = MarketChange | MarketResolved
"""What is stated of a market; see ``predsurv.state.market_facts``."""
AccountEvent = (
    OrderAccepted | OrderRejected | OrderCancelled | CancelRejected | OrderUnknown | Fill | FillConfirmed | FillFailed
)
BrokerEvent = AccountEvent | RebatePaid | LevelConsumed
AccountNews = AccountEvent | ReconciliationEvent | MarketResolved
"""What is told of an account where orders are really executed, settlements included."""
Event = MarketEvent | BrokerEvent | ReconciliationEvent | Tick
