"""Orders and trades as the user channel and REST write them."""

from collections.abc import Mapping
from typing import Any, Final

from predsurv.core.num import MICROS, format_micros
from predsurv.simulate.polymarket.trading.accounts import ClobOrder
from predsurv.simulate.polymarket.trading.settlement import SettlingTrade, TradedPart

Json = dict[str, Any]

_NS_PER_S: Final = 1_000_000_000
_NS_PER_MS: Final = 1_000_000
_SIDES: Final[Mapping[bool, str]] = {True: "BUY", False: "SELL"}


def order_row(order: ClobOrder) -> Json:
    """Return an order as ``GET /data/order/{id}`` and ``GET /data/orders`` write it."""
    entered = order.entered
    row = entered.token.row
    return {
        "id": order.order_id,
        "status": order_status(order),
        "owner": entered.key.key,
        "maker_address": entered.maker,
        "market": row.condition,
        "asset_id": order.asset,
        "side": _SIDES[entered.is_buy],
        "original_size": format_micros(entered.size),
        "size_matched": format_micros(order.matched),
        "price": format_micros(entered.price),
        "outcome": row.outcomes[entered.token.outcome],
        "expiration": str(entered.expiration),
        "order_type": entered.order_type,
        "associate_trades": list(order.trades),
        "created_at": order.created // _NS_PER_S,
    }


def order_message(order: ClobOrder, kind: str, now: int) -> Json:
    """Return the user channel's message that an order was placed, changed or ended at ``now`` (ns UTC)."""
    return order_row(order) | {
        "event_type": "order",
        "type": kind,
        "order_owner": order.entered.key.key,
        "created_at": str(order.created // _NS_PER_S),
        "timestamp": str(now // _NS_PER_MS),
    }


def order_status(order: ClobOrder) -> str:
    """Return ``LIVE``, ``DELAYED``, ``MATCHED`` or ``CANCELED``, the last with a reason where there is one."""
    return order.ended or ("DELAYED" if order.is_delayed else "LIVE")


def trade_row(trade: SettlingTrade, owner: str) -> Json:
    """Return a trade as REST writes it to ``owner``, an API key that is in it."""
    taker = trade.taker
    is_taker = taker is not None and taker.entered.key.key == owner
    mine = taker.entered.maker if taker is not None and is_taker else _maker_address(trade, owner)
    return {
        "id": trade.trade_id,
        "taker_order_id": trade.taker_id,
        "market": trade.row.condition,
        "asset_id": trade.row.tokens[trade.token.outcome],
        "side": _SIDES[trade.is_buy],
        "size": format_micros(trade.size),
        "fee_rate_bps": "0",
        "price": format_micros(trade.price),
        "status": trade.status,
        "match_time": str(trade.matched_at // _NS_PER_S),
        "last_update": str(trade.changed // _NS_PER_S),
        "outcome": trade.row.outcomes[trade.token.outcome],
        "bucket_index": 0,
        "owner": owner,
        "maker_address": mine,
        "transaction_hash": trade.transaction,
        "trader_side": "TAKER" if is_taker else "MAKER",
        "maker_orders": [_part(trade, part) for part in trade.parts],
    }


def trade_message(trade: SettlingTrade, owner: str) -> Json:
    """Return the user channel's message about the present status of a trade."""
    return trade_row(trade, owner) | {
        "event_type": "trade",
        "type": "TRADE",
        "trade_owner": owner,
        "timestamp": str(trade.changed // _NS_PER_MS),
    }


def notification(order: ClobOrder, number: int, now: int) -> Json:
    """Return the notification that an order was filled or cancelled at ``now`` (ns UTC)."""
    entered = order.entered
    row = entered.token.row
    return {
        "id": number,
        "owner": entered.key.key,
        "type": 2 if order.ended == "MATCHED" else 1,
        "timestamp": now // _NS_PER_S,
        "payload": {
            "asset_id": order.asset,
            "market": row.condition,
            "order_id": order.order_id,
            "side": _SIDES[entered.is_buy],
            "type": entered.order_type,
            "price": format_micros(entered.price),
            "original_size": format_micros(entered.size),
            "matched_size": format_micros(order.matched),
            "remaining_size": format_micros(max(entered.size - order.matched, 0)),
            "outcome": row.outcomes[entered.token.outcome],
            "outcome_index": entered.token.outcome,
            "transaction_hash": "",
            "trade_id": order.trades[-1] if order.trades else "",
            "question": row.question,
            "market_slug": row.slug,
            "eventSlug": row.event.slug,
        },
    }


def placed_row(order: ClobOrder, status: str, trades: tuple[SettlingTrade, ...]) -> Json:
    """Return the answer to an order that was taken: what it gave and got so far, in shares and dollars."""
    size = sum(trade.size for trade in trades)
    dollars = sum(
        part.size * (part.price if part.outcome == trade.token.outcome else MICROS - part.price) // MICROS
        for trade in trades
        for part in trade.parts
    )
    given, got = (dollars, size) if order.entered.is_buy else (size, dollars)
    return {
        "success": True,
        "errorMsg": "",
        "orderID": order.order_id,
        "status": status,
        "makingAmount": format_micros(given) if trades else "",
        "takingAmount": format_micros(got) if trades else "",
        "tradeIDs": [trade.trade_id for trade in trades],
        "transactionsHashes": [],
    }


def _maker_address(trade: SettlingTrade, owner: str) -> str:
    return next((part.maker for part in trade.parts if part.owner == owner), "")


def _part(trade: SettlingTrade, part: TradedPart) -> Json:
    return {
        "order_id": part.order_id,
        "owner": part.owner,
        "maker_address": part.maker,
        "matched_amount": format_micros(part.size),
        "price": format_micros(part.price),
        "fee_rate_bps": "0",
        "asset_id": trade.row.tokens[part.outcome],
        "outcome": trade.row.outcomes[part.outcome],
        "outcome_index": part.outcome,
        "side": _SIDES[part.is_buy],
    }
