"""The messages of Polymarket's market channel as they were known when this version was made.

All their fields, those that the decoders do not use too. Source: the market channel's documentation, the official
clients, and frames recorded from May 2025 to October 2026.
"""

from typing import Final

from predsurv.venues.spec_drift import KnownFeed, KnownMessage, Object

_SIDES: Final = frozenset({"BUY", "SELL"})
_TICKS: Final = frozenset({"0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001"})
_ALWAYS: Final = frozenset({"event_type", "market", "timestamp"})
_LEVEL: Final = ("price", "size")

_BOOK: Final = KnownMessage(
    required=_ALWAYS | {"asset_id", "hash", "bids", "asks", *(f"{s}[].{n}" for s in ("bids", "asks") for n in _LEVEL)},
    optional=frozenset({"tick_size", "last_trade_price"}),
    values={"tick_size": _TICKS},
)
_PRICE_CHANGE: Final = KnownMessage(
    required=_ALWAYS
    | {"price_changes", *(f"price_changes[].{name}" for name in ("asset_id", "price", "size", "side", "hash"))},
    optional=frozenset({"price_changes[].best_bid", "price_changes[].best_ask"}),
    values={"price_changes[].side": _SIDES},
)
_LAST_TRADE: Final = KnownMessage(
    required=_ALWAYS | {"asset_id", "price", "size", "side", "fee_rate_bps"},
    optional=frozenset({"transaction_hash"}),
    values={"side": _SIDES},
)
_TICK_SIZE: Final = KnownMessage(
    required=_ALWAYS | {"asset_id", "old_tick_size", "new_tick_size"},
    values={"old_tick_size": _TICKS, "new_tick_size": _TICKS},
)
_BEST: Final = KnownMessage(required=_ALWAYS | {"asset_id", "best_bid", "best_ask", "spread"})
_NEW_MARKET: Final = KnownMessage(
    required=_ALWAYS
    | {"id", "question", "slug", "description", "assets_ids", "outcomes", "tags", "condition_id", "active"}
    | {"clob_token_ids", "order_price_min_tick_size"},
    optional=frozenset(
        {"event_message", "sports_market_type", "line", "game_start_time", "group_item_title", "taker_base_fee"}
        | {"fees_enabled", "fee_schedule"}
    ),
    values={"order_price_min_tick_size": _TICKS},
    free=frozenset({"event_message", "fee_schedule"}),
)
_RESOLVED: Final = KnownMessage(
    required=_ALWAYS | {"id", "assets_ids", "winning_asset_id", "winning_outcome", "tags"},
    optional=frozenset({"event_message"}),
    free=frozenset({"event_message"}),
)


def _kind(message: Object) -> str:
    return str(message.get("event_type", ""))


POLYMARKET_FEED: Final = KnownFeed(
    _kind,
    {
        "book": _BOOK,
        "price_change": _PRICE_CHANGE,
        "last_trade_price": _LAST_TRADE,
        "tick_size_change": _TICK_SIZE,
        "best_bid_ask": _BEST,
        "new_market": _NEW_MARKET,
        "market_resolved": _RESOLVED,
    },
    {"trades": ("ts_venue", "taker_side"), "deltas": ("ts_venue",)},
)
