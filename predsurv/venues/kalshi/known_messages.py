"""The messages of Kalshi's public channels as they were known when this version was made.

All their fields, those that the decoders do not use too. Source: Kalshi's AsyncAPI of October 2026, and frames recorded
since the formats in cents ended (2026-03-12).
"""

from collections.abc import Iterable
from typing import Final

from predsurv.venues.spec_drift import KnownFeed, KnownMessage, Object

_YES_NO: Final = frozenset({"yes", "no"})
_GRIDS: Final = frozenset(
    {"linear_cent", "tapered_deci_cent", "deci_cent", "banded_centi_cent", ""}
    | {f"center_{mid}_edge_{edge}_cent" for mid in ("whole", "half", "quint") for edge in ("half", "quint", "deci")}
    | {"center_centi_edge_centi_cent", "center_deci_edge_centi_cent"}
)
_LIFE: Final = frozenset(
    {"created", "activated", "deactivated", "close_date_updated", "determined", "settled"}
    | {"price_level_structure_updated", "metadata_updated"}
)
_FEES: Final = frozenset({"quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees", "flat"})
_BAND: Final = ("start", "end", "step")
_CHANNELS: Final = frozenset({"orderbook_delta", "ticker", "trade", "market_lifecycle_v2"})


def _of(names: Iterable[str]) -> frozenset[str]:
    return frozenset(f"msg.{name}" for name in names)


_ENVELOPE: Final = frozenset({"type", "sid", "msg"})
_NUMBERED: Final = _ENVELOPE | {"seq"}
_OPTIONAL: Final = frozenset({"sending_ts_ms"})

_SNAPSHOT: Final = KnownMessage(
    required=_NUMBERED | _of(("market_ticker", "market_id")),
    optional=_OPTIONAL | {"id"} | _of(("yes_dollars_fp", "no_dollars_fp")),
)
_DELTA: Final = KnownMessage(
    required=_NUMBERED | _of(("market_ticker", "market_id", "price_dollars", "delta_fp", "side")),
    optional=_OPTIONAL | _of(("client_order_id", "subaccount", "ts", "ts_ms")),
    values={"msg.side": _YES_NO},
)
_TICKER: Final = KnownMessage(
    required=_ENVELOPE
    | _of(("market_id", "market_ticker", "price_dollars", "yes_bid_dollars", "yes_ask_dollars", "volume_fp"))
    | _of(("open_interest_fp", "yes_bid_size_fp", "yes_ask_size_fp", "last_trade_size_fp", "ts_ms")),
    optional=_OPTIONAL | {"seq"} | _of(("dollar_volume", "dollar_open_interest", "ts", "time")),
)
_TRADE: Final = KnownMessage(
    required=_NUMBERED
    | _of(("trade_id", "market_ticker", "yes_price_dollars", "no_price_dollars", "count_fp"))
    | _of(("taker_outcome_side", "taker_book_side", "is_block_trade", "ts_ms")),
    optional=_OPTIONAL | _of(("taker_side", "ts")),
    values={
        "msg.taker_side": _YES_NO,
        "msg.taker_outcome_side": _YES_NO,
        "msg.taker_book_side": frozenset({"bid", "ask"}),
    },
)
_LIFECYCLE: Final = KnownMessage(
    required=_NUMBERED | _of(("market_ticker", "event_type")),
    optional=_OPTIONAL
    | _of(("open_ts", "close_ts", "exchange_index", "additional_metadata", "price_level_structure", "price_ranges"))
    | _of(("determination_ts", "result", "settlement_value", "settled_ts", "is_deactivated", "yes_sub_title"))
    | _of(("strike_type", "floor_strike", "cap_strike", "custom_strike", *(f"price_ranges[].{n}" for n in _BAND))),
    values={
        "msg.event_type": _LIFE,
        "msg.result": frozenset({"yes", "no", "scalar", ""}),
        "msg.price_level_structure": _GRIDS,
    },
    free=_of(("additional_metadata", "custom_strike")),
)
_EVENT: Final = KnownMessage(
    required=_NUMBERED | _of(("event_ticker", "title", "series_ticker")),
    optional=_OPTIONAL | _of(("exchange_index", "subtitle", "collateral_return_type", "strike_date", "strike_period")),
    values={"msg.collateral_return_type": frozenset({"MECNET", "DIRECNET", ""})},
)
_FEE: Final = KnownMessage(
    required=_NUMBERED | _of(("event_ticker", "fee_type_override", "fee_multiplier_override")),
    optional=_OPTIONAL,
    values={"msg.fee_type_override": _FEES},
)
_SUBSCRIBED: Final = KnownMessage(
    required=frozenset({"type", "id", "msg"}) | _of(("channel", "sid")),
    optional=_OPTIONAL,
    values={"msg.channel": _CHANNELS},
)
_OK: Final = KnownMessage(
    required=frozenset({"type", "id"}),
    optional=_OPTIONAL | {"sid", "seq", "msg", "market_tickers"},
    free=frozenset({"msg"}),
)
_UNSUBSCRIBED: Final = KnownMessage(required=frozenset({"type", "sid"}), optional=_OPTIONAL | {"id", "seq"})
_ERROR: Final = KnownMessage(
    required=frozenset({"type", "msg"}) | _of(("code", "msg")),
    optional=_OPTIONAL | {"id", "sid", "seq"} | _of(("market_ticker", "market_tickers")),
)


def _kind(message: Object) -> str:
    return str(message.get("type", ""))


KALSHI_FEED: Final = KnownFeed(
    _kind,
    {
        "orderbook_snapshot": _SNAPSHOT,
        "orderbook_delta": _DELTA,
        "ticker": _TICKER,
        "trade": _TRADE,
        "market_lifecycle_v2": _LIFECYCLE,
        "event_lifecycle": _EVENT,
        "event_fee_update": _FEE,
        "subscribed": _SUBSCRIBED,
        "ok": _OK,
        "unsubscribed": _UNSUBSCRIBED,
        "error": _ERROR,
    },
    {"trades": ("ts_venue", "taker_side", "trade_id")},
)
