"""Orders, fills, positions and settlements as REST and the private channels write them."""

from datetime import UTC, datetime
from typing import Any, Final

from predsurv.core.num import MICROS
from predsurv.simulate.kalshi.markets import contracts_text, dollars_text
from predsurv.simulate.kalshi.trading.account import KalshiFill, NetPosition, SettledPosition
from predsurv.simulate.kalshi.trading.groups import KalshiOrderGroup
from predsurv.simulate.kalshi.trading.orders import KalshiOrder

Json = dict[str, Any]

USER_ID: Final = "5f0e2a52-0000-4000-8000-000000000001"
_MS: Final = 1_000_000
_S: Final = 1_000_000_000


def order_row(order: KalshiOrder) -> Json:
    """Return an order as ``GET /portfolio/orders`` writes it."""
    request = order.request
    return {
        "order_id": order.order_id,
        "user_id": USER_ID,
        "client_order_id": request.client_order_id,
        "ticker": request.ticker,
        **_direction(order),
        "type": "limit",
        "status": order.status,
        "yes_price_dollars": dollars_text(request.price),
        "no_price_dollars": dollars_text(MICROS - request.price),
        **_counts(order),
        "expiration_time": iso(request.expiration * _S) if request.expiration else None,
        "created_time": iso(order.created),
        "last_update_time": iso(order.updated),
        "self_trade_prevention_type": request.prevention,
        "order_group_id": request.group or None,
        "cancel_order_on_pause": request.cancel_on_pause,
        "subaccount_number": 0,
        "exchange_index": order.listing.exchange_index,
    }


def order_message(order: KalshiOrder) -> Json:
    """Return the message of the channel ``user_orders`` about the present state of an order."""
    request = order.request
    body = {
        "order_id": order.order_id,
        "user_id": USER_ID,
        "ticker": request.ticker,
        "exchange_index": order.listing.exchange_index,
        "status": order.status,
        **_direction(order),
        "is_yes": request.side == "bid",
        "yes_price_dollars": dollars_text(request.price),
        **_counts(order),
        "client_order_id": request.client_order_id,
        "created_time": iso(order.created),
        "created_ts_ms": order.created // _MS,
        "last_updated_ts_ms": order.updated // _MS,
        "self_trade_prevention_type": request.prevention,
        "subaccount_number": 0,
    }
    more = {
        "order_group_id": request.group,
        "expiration_ts_ms": request.expiration * 1_000,
        "last_update_reason": order.reason,
    }
    return body | {name: value for name, value in more.items() if value}


def fill_row(fill: KalshiFill) -> Json:
    """Return a fill as ``GET /portfolio/fills`` writes it."""
    request = fill.order.request
    return {
        "fill_id": fill.trade_id,
        "trade_id": fill.trade_id,
        "order_id": fill.order.order_id,
        "ticker": request.ticker,
        "market_ticker": request.ticker,
        "exchange_index": fill.order.listing.exchange_index,
        **_direction(fill.order),
        "count_fp": contracts_text(fill.contracts),
        "yes_price_dollars": dollars_text(fill.price),
        "no_price_dollars": dollars_text(MICROS - fill.price),
        "is_taker": fill.is_taker,
        "created_time": iso(fill.ts),
        "fee_cost": money_text(fill.fee),
        "subaccount_number": 0,
        "ts": fill.ts // _S,
    }


def fill_message(fill: KalshiFill) -> Json:
    """Return the message of the channel ``fill``."""
    request = fill.order.request
    direction = _direction(fill.order)
    body = {
        "trade_id": fill.trade_id,
        "order_id": fill.order.order_id,
        "client_order_id": request.client_order_id,
        "market_ticker": request.ticker,
        "exchange_index": fill.order.listing.exchange_index,
        "is_taker": fill.is_taker,
        **direction,
        "purchased_side": direction["outcome_side"],
        "yes_price_dollars": dollars_text(fill.price),
        "count_fp": contracts_text(fill.contracts),
        "fee_cost": money_text(fill.fee),
        "post_position_fp": contracts_text(fill.position),
        "ts": fill.ts // _S,
        "ts_ms": fill.ts // _MS,
        "subaccount": 0,
    }
    return {name: value for name, value in body.items() if value != ""}


def position_row(ticker: str, position: NetPosition, exchange_index: int) -> Json:
    """Return a market's position as ``GET /portfolio/positions`` writes it."""
    return {
        "ticker": ticker,
        "exchange_index": exchange_index,
        "total_traded_dollars": money_text(position.traded),
        "position_fp": contracts_text(position.count),
        "market_exposure_dollars": money_text(position.cost),
        "realized_pnl_dollars": money_text(position.realized),
        "fees_paid_dollars": money_text(position.fees),
        "last_updated_ts": iso(position.updated),
    }


def position_message(ticker: str, position: NetPosition) -> Json:
    """Return the message of the channel ``market_positions``."""
    return {
        "user_id": USER_ID,
        "market_ticker": ticker,
        "position_fp": contracts_text(position.count),
        "position_cost_dollars": money_text(position.cost),
        "realized_pnl_dollars": money_text(position.realized),
        "fees_paid_dollars": money_text(position.fees),
        "position_fee_cost_dollars": money_text(position.fees),
        "volume_fp": contracts_text(abs(position.count)),
        "subaccount": 0,
    }


def settlement_row(settled: SettledPosition) -> Json:
    """Return a settlement as ``GET /portfolio/settlements`` writes it."""
    return {
        "ticker": settled.ticker,
        "exchange_index": 0,
        "event_ticker": settled.event,
        "market_result": settled.result,
        "yes_count_fp": contracts_text(settled.yes_count),
        "yes_total_cost_dollars": money_text(settled.yes_cost),
        "no_count_fp": contracts_text(settled.no_count),
        "no_total_cost_dollars": money_text(settled.no_cost),
        "revenue": settled.revenue // 10_000,
        "value": settled.payout // 10_000,
        "fee_cost": money_text(settled.fees),
        "settled_time": iso(settled.ts),
    }


def group_row(group: KalshiOrderGroup) -> Json:
    """Return an order group as the list of groups writes it."""
    return {
        "id": group.group_id,
        "contracts_limit_fp": contracts_text(group.limit),
        "is_auto_cancel_enabled": not group.is_triggered,
        "exchange_index": group.shard,
    }


def iso(ns: int) -> str:
    """Return a time (ns UTC) with its microseconds."""
    moment = datetime.fromtimestamp(ns // _S, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{ns % _S // 1_000:06d}Z"


def money_text(micros: int) -> str:
    """Return money as the venue writes it, with six decimals: ``-1.250000``."""
    sign = "-" if micros < 0 else ""
    return f"{sign}{abs(micros) // MICROS}.{abs(micros) % MICROS:06d}"


def _direction(order: KalshiOrder) -> Json:
    """Return the directions of an order: those that mean something, and those of before, which mean the same here."""
    outcome = "yes" if order.request.side == "bid" else "no"
    return {"side": outcome, "action": "buy", "outcome_side": outcome, "book_side": order.request.side}


def _counts(order: KalshiOrder) -> Json:
    return {
        "fill_count_fp": contracts_text(order.filled),
        "remaining_count_fp": contracts_text(order.remaining),
        "initial_count_fp": contracts_text(order.request.contracts),
        "taker_fill_cost_dollars": money_text(order.taker_cost),
        "maker_fill_cost_dollars": money_text(order.maker_cost),
        "taker_fees_dollars": money_text(order.taker_fees),
        "maker_fees_dollars": money_text(order.maker_fees),
    }
