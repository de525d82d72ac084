"""The frames of Kalshi's WebSocket as msgspec structs.

A changed wire format changes this file only. Source: Kalshi's AsyncAPI 2.0 and recorded frames.
Unused fields are left out; unknown ones are skipped. ``sending_ts_ms`` of an envelope: when the venue queued the
message (ms since 1970), in frames since October 2026.
"""

from typing import Final, Literal

import msgspec
from msgspec import Raw, Struct

from predsurv.core.errors import WireError

NULL: Final = Raw(b"null")

WireSide = Literal["yes", "no"]
Texts = list[tuple[str, str]]
"""``[["0.0100","1410.00"],…]``: dollars and contracts; ascending, so the best bid is last."""
Mixed = list[tuple[str, int]]
"""``[["0.080",300],…]``: the form of February 2026."""
Cents = list[tuple[int, int]]
"""``[[8,300],…]``: the form before 2026-03-12."""


class DeltaBody(Struct, gc=False):
    """The ``msg`` of a ``DeltaMessage``; until 2026-03-12 it had ``price`` (cents) and ``delta`` (whole contracts)."""

    market_ticker: str
    side: WireSide
    price_dollars: str | None = None
    delta_fp: str | None = None
    ts_ms: int | None = None
    price: int | None = None
    delta: int | None = None


class DeltaMessage(Struct, gc=False, tag_field="type", tag="orderbook_delta"):
    """A level changed by a signed amount.

    ``{"type":"orderbook_delta","sid":1,"seq":2,"msg":{"market_ticker":"KXGOLDH-26AUG2711-T4615.99",
    "market_id":"ef79…","price_dollars":"0.0100","delta_fp":"10.00","side":"yes",
    "ts":"2026-08-27T13:56:23.996443Z","ts_ms":1787838983996}}``
    """

    msg: DeltaBody
    sid: int | None = None
    seq: int | None = None
    sending_ts_ms: int | None = None


class BookBody(Struct, gc=False):
    """See ``SnapshotMessage``; a side without levels is left out."""

    market_ticker: str
    market_id: str | None = None
    yes_dollars_fp: Texts | None = None
    no_dollars_fp: Texts | None = None
    yes_dollars: Mixed | None = None
    no_dollars: Mixed | None = None
    yes: Cents | None = None
    no: Cents | None = None


class SnapshotMessage(Struct, gc=False, tag_field="type", tag="orderbook_snapshot"):
    """A whole book; one of an unknown or expired market is empty and has ``"market_id":""``.

    ``{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{"market_ticker":"KXGOLDH-26AUG2711-T4615.99",
    "market_id":"ef79…","yes_dollars_fp":[["0.0100","1410.00"]],"no_dollars_fp":[["0.0100","100.00"],…]}}``
    """

    msg: BookBody
    sid: int | None = None
    seq: int | None = None
    sending_ts_ms: int | None = None


class TradeBody(Struct, gc=False):
    """See ``TradeMessage``; ``yes_price`` and ``count`` are cents and whole contracts, until 2026-03-12."""

    market_ticker: str
    trade_id: str | None = None
    yes_price_dollars: str | None = None
    no_price_dollars: str | None = None
    count_fp: str | None = None
    taker_side: str | None = None
    taker_outcome_side: str | None = None
    taker_book_side: str | None = None
    is_block_trade: bool | None = None
    ts: int | str | None = None
    ts_ms: int | None = None
    yes_price: int | None = None
    count: int | None = None


class TradeMessage(Struct, gc=False, tag_field="type", tag="trade"):
    """A public trade.

    ``{"type":"trade","sid":5,"seq":674041,"msg":{"trade_id":"0723cb08","market_ticker":"KX…-HYPE",
    "yes_price_dollars":"0.1400","no_price_dollars":"0.8600","count_fp":"82.12","taker_side":"no",
    "taker_outcome_side":"no","taker_book_side":"ask","is_block_trade":false,"ts_ms":1789966900609}}``
    """

    msg: TradeBody
    sid: int | None = None
    seq: int | None = None
    sending_ts_ms: int | None = None


class TickerBody(Struct, gc=False):
    """See ``TickerMessage``; a price with size 0 stands for an empty side."""

    market_ticker: str
    yes_bid_dollars: str | None = None
    yes_ask_dollars: str | None = None
    yes_bid_size_fp: str | None = None
    yes_ask_size_fp: str | None = None
    ts: int | str | None = None
    ts_ms: int | None = None


class TickerMessage(Struct, gc=False, tag_field="type", tag="ticker"):
    """The venue's own best prices; carries no ``seq``.

    ``{"type":"ticker","sid":4,"msg":{"market_ticker":"KX…","yes_bid_dollars":"0.0100",
    "yes_ask_dollars":"0.9800","yes_bid_size_fp":"1410.00","yes_ask_size_fp":"2500.00","ts_ms":…}}``
    """

    msg: TickerBody
    sid: int | None = None
    sending_ts_ms: int | None = None


class WireBand(Struct, gc=False):
    """``{"start":"0.0000","end":"1.0000","step":"0.0010"}``."""

    start: str
    end: str
    step: str


class Metadata(Struct, gc=False):
    """Title and rules of a new market, inside its ``created`` message."""

    event_ticker: str | None = None
    title: str | None = None
    yes_sub_title: str | None = None
    rules_primary: str | None = None
    rules_secondary: str | None = None


class LifecycleBody(Struct, gc=False):
    """See ``LifecycleMessage``; all times are in seconds."""

    market_ticker: str
    event_type: str
    open_ts: int | None = None
    close_ts: int | None = None
    determination_ts: int | None = None
    settled_ts: int | None = None
    result: str | None = None
    settlement_value: str | None = None
    is_deactivated: bool | None = None
    price_level_structure: str | None = None
    price_ranges: list[WireBand] | None = None
    additional_metadata: Metadata | None = None
    exchange_index: int | None = None


class LifecycleMessage(Struct, gc=False, tag_field="type", tag="market_lifecycle_v2"):
    """A change in the life cycle of any market of the venue.

    ``{"type":"market_lifecycle_v2","sid":1,"seq":279597,"msg":{"market_ticker":"KX…-ATH4",
    "determination_ts":1784501722,"result":"no","settlement_value":"0.0000","event_type":"determined"}}``
    """

    msg: LifecycleBody
    sid: int | None = None
    seq: int | None = None
    sending_ts_ms: int | None = None


class FeeBody(Struct, gc=False):
    """See ``EventFee``."""

    event_ticker: str
    fee_type_override: str | None = None
    fee_multiplier_override: Raw = NULL


class EventFee(Struct, gc=False, tag_field="type", tag="event_fee_update"):
    """An event's own fees; null restores those of its series.

    ``{"type":"event_fee_update","sid":5,"seq":9,"msg":{"event_ticker":"KXBTCD-26MAY2018",
    "fee_type_override":"quadratic","fee_multiplier_override":1}}``
    """

    msg: FeeBody
    sid: int | None = None
    seq: int | None = None
    sending_ts_ms: int | None = None


class EventLifecycle(Struct, gc=False, tag_field="type", tag="event_lifecycle"):
    """A new event; its markets are announced one by one."""

    sid: int | None = None
    seq: int | None = None


class ChannelBody(Struct, gc=False):
    """See ``Subscribed``."""

    channel: str
    sid: int


class Subscribed(Struct, gc=False, tag_field="type", tag="subscribed"):
    """``{"type":"subscribed","id":1,"msg":{"channel":"orderbook_delta","sid":1}}``: one a channel, no ``seq``."""

    msg: ChannelBody


class Done(Struct, gc=False, tag_field="type", tag="ok"):
    """``{"type":"ok","id":2,"sid":1,"seq":108,"msg":{"market_tickers":[…]}}``: uses a ``seq`` up."""

    sid: int | None = None
    seq: int | None = None


class Unsubscribed(Struct, gc=False, tag_field="type", tag="unsubscribed"):
    """``{"type":"unsubscribed","id":102,"sid":2,"seq":7}``: uses a ``seq`` up."""

    sid: int | None = None
    seq: int | None = None


class ErrorBody(Struct, gc=False):
    """See ``Refusal``."""

    code: int
    msg: str = ""
    market_ticker: str | None = None
    market_tickers: list[str] | None = None


class Refusal(Struct, gc=False, tag_field="type", tag="error"):
    """``{"type":"error","id":3,"msg":{"code":8,"msg":"Unknown channel name"}}``: uses a ``seq`` up if it has one."""

    msg: ErrorBody
    id: int | None = None
    sid: int | None = None
    seq: int | None = None


Answer = Subscribed | Done | Unsubscribed | Refusal
Message = (
    DeltaMessage
    | SnapshotMessage
    | TradeMessage
    | TickerMessage
    | LifecycleMessage
    | EventFee
    | EventLifecycle
    | Answer
)


class Envelope(Struct, gc=False):
    """The fields of every frame, also of one that is otherwise malformed."""

    type: str
    sid: int | None = None
    seq: int | None = None


read_frame = msgspec.json.Decoder(Message).decode
"""Bytes of a frame to ``Message``; raises ValueError (also for kinds we do not know) or RecursionError."""

read_envelope = msgspec.json.Decoder(Envelope).decode

KINDS: Final = frozenset(
    str(kind.__struct_config__.tag)
    for kind in (
        DeltaMessage,
        SnapshotMessage,
        TradeMessage,
        TickerMessage,
        LifecycleMessage,
        EventFee,
        EventLifecycle,
        Subscribed,
        Done,
        Unsubscribed,
        Refusal,
    )
)
"""Every kind that ``read_frame`` knows."""


def sides(body: BookBody) -> tuple[Texts, Texts]:
    """Return YES and NO bids as texts, whichever form the book came in; raises WireError."""
    return (
        body.yes_dollars_fp or _texts(body.yes_dollars, body.yes),
        body.no_dollars_fp or _texts(body.no_dollars, body.no),
    )


def cents(price: int | None) -> str:
    """Return a price in cents, the old form, as dollars; raises WireError when there is none."""
    if price is None or not 0 <= price <= 100:
        raise WireError("neither a price in dollars nor one in cents")
    return f"{price // 100}.{price % 100:02d}"


def _texts(mixed: Mixed | None, old: Cents | None) -> Texts:
    if mixed:
        return [(price, str(count)) for price, count in mixed]
    return [(cents(price), str(count)) for price, count in old or ()]
