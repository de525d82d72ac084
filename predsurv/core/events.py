"""Everything that can happen, as one closed union of frozen records.

Kept apart because all state is a fold over these: a disconnect, a gap or an unreadable message is
an event like a trade is, so state resets by the path that updates it.

Two times, never overwritten: ``ts_recv`` is when this machine received it (ns UTC), ``ts_venue``
is what the venue says (ns UTC) or None. ``epoch`` numbers the connection generation, ``seq`` is
the venue's own sequence number where it has one. Prices and sizes are micros.
"""

from typing import Literal

from msgspec import Struct

from predsurv.core.ids import (
    ClientOrderId,
    InstrumentId,
    InstrumentKey,
    MarketId,
    OrderId,
    OrderSide,
    Side,
    TradeId,
    VenueName,
)
from predsurv.core.market import FeeSchedule, Market, PriceBand
from predsurv.core.num import Money, Price, Size

Level = tuple[Price, Size]
"""(price, size) at one step of a ladder."""

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
]

MarketChangeKind = Literal["created", "activated", "paused", "closed", "fee", "rules", "disputed", "tick_size"]


class BookSnapshot(Struct, frozen=True, array_like=True, gc=False, tag="book"):
    """The whole book of an instrument: forget everything before. Levels best first."""

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
    """The venue's own statement of best bid and ask; a missing side is None."""

    key: InstrumentKey
    ts_recv: int
    ts_venue: int | None
    bid: Price | None
    ask: Price | None


class Trade(Struct, frozen=True, array_like=True, gc=False, tag="trade"):
    """A public trade; ``taker_side`` is the aggressor's direction in this instrument."""

    key: InstrumentKey
    ts_recv: int
    ts_venue: int | None
    price: Price
    size: Size
    taker_side: OrderSide | None
    trade_id: TradeId | None


class MarketChange(Struct, frozen=True, array_like=True, gc=False, tag="market"):
    """A market's life goes on: created, paused, closed, new tick size, new fee …

    ``value`` is JSON of what changed. ``market`` is the whole new record when the venue gave one.
    ``tick_size`` is set for kind ``tick_size`` and micros, ``bands`` with it where steps differ: together
    they replace the grid. ``fee`` is set for kind ``fee``, None there when the market has the fee of its
    listing again.
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


class MarketResolved(Struct, frozen=True, array_like=True, gc=False, tag="resolved"):
    """A market settled: what each share of each outcome pays, 0 … 1 dollar in micros.

    A void market has ``void`` set and its own payouts (often 0.5 each); scalar ones pay between.
    """

    venue: VenueName
    market_id: MarketId
    ts_recv: int
    ts_venue: int | None
    payouts: tuple[tuple[InstrumentId, Price], ...]
    void: bool = False


class Gap(Struct, frozen=True, array_like=True, gc=False, tag="gap"):
    """From ``ts_recv`` on nothing is known of this instrument, until its next snapshot."""

    key: InstrumentKey
    ts_recv: int
    reason: GapReason
    epoch: int


class Connected(Struct, frozen=True, array_like=True, gc=False, tag="connected"):
    """A connection is up; ``connections`` is how many the venue's feed holds now."""

    venue: VenueName
    ts_recv: int
    epoch: int
    connections: int


class Disconnected(Struct, frozen=True, array_like=True, gc=False, tag="disconnected"):
    """A connection is gone; each instrument it carried has its own Gap beside this."""

    venue: VenueName
    ts_recv: int
    epoch: int
    connections: int
    reason: str


class Unknown(Struct, frozen=True, array_like=True, gc=False, tag="unknown"):
    """A well-formed message of a kind we do not know; ``kind`` is sanitised."""

    venue: VenueName
    ts_recv: int
    kind: str


class Malformed(Struct, frozen=True, array_like=True, gc=False, tag="malformed"):
    """A message that broke the documented form; ``digest`` identifies the payload in quarantine."""

    venue: VenueName
    ts_recv: int
    detail: str
    digest: str


class Dropped(Struct, frozen=True, array_like=True, gc=False, tag="dropped"):
    """``count`` messages were let go because a bounded queue was full; Gaps stand beside this."""

    venue: VenueName
    ts_recv: int
    count: int


class Wanted(Struct, frozen=True, array_like=True, gc=False, tag="wanted"):
    """The recorder began to want this instrument, chosen with ``inclusion`` probability (micros)."""

    key: InstrumentKey
    ts_recv: int
    inclusion: int = 1_000_000


class Unwanted(Struct, frozen=True, array_like=True, gc=False, tag="unwanted"):
    """The recorder stopped wanting this instrument: rotated out, closed or shutting down."""

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
    """The venue refused the order, with proof: it does not exist."""

    key: InstrumentKey
    ts_recv: int
    client_order_id: ClientOrderId
    reason: str


class OrderCancelled(Struct, frozen=True, array_like=True, gc=False, tag="cancelled"):
    """What was left of the order is gone: asked for, expired, or killed by its time in force."""

    key: InstrumentKey
    ts_recv: int
    client_order_id: ClientOrderId
    reason: str


class OrderUnknown(Struct, frozen=True, array_like=True, gc=False, tag="order_unknown"):
    """No proof of the order's fate; it counts as open at its full size until reconciled."""

    key: InstrumentKey
    ts_recv: int
    client_order_id: ClientOrderId
    reason: str


class Fill(Struct, frozen=True, array_like=True, gc=False, tag="fill"):
    """Our order traded: ``size`` at ``price``, ``fee`` in money on top (buy) or taken off (sell)."""

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


class Tick(Struct, frozen=True, array_like=True, gc=False, tag="tick"):
    """Time passed without anything else happening; drives time-outs."""

    ts_recv: int


BookEvent = BookSnapshot | BookDelta | Gap
MarketEvent = (
    BookSnapshot
    | BookDelta
    | Quote
    | Trade
    | MarketChange
    | MarketResolved
    | Gap
    | Connected
    | Disconnected
    | Unknown
    | Malformed
    | Dropped
    | Wanted
    | Unwanted
)
AccountEvent = OrderAccepted | OrderRejected | OrderCancelled | OrderUnknown | Fill
Event = MarketEvent | AccountEvent | Tick
