"""Reads the bodies of order requests: numbers are text with few decimals, and what is missing or wrong is named."""

from typing import Any, Final

import msgspec

from predsurv.core.num import MICROS, Price, parse_micros
from predsurv.simulate.kalshi.trading.orders import HUNDREDTH, OrderError, OrderRequest

_PRICE_UNIT: Final = 100
_TIMES: Final = ("good_till_canceled", "immediate_or_cancel", "fill_or_kill")
_PREVENTIONS: Final = ("taker_at_cross", "maker")
_EXPIRATION_MAX: Final = 253_402_300_799
"""The last second of the year 9999."""
_REQUIRED: Final = ("ticker", "side", "count", "price", "time_in_force", "self_trade_prevention_type")


def read_object(body: bytes) -> dict[str, Any] | OrderError:
    """Return a JSON object; an error where ``body`` is none."""
    try:
        return msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return OrderError(400, "bad_request", "the body is no JSON object")


def read_order(given: dict[str, Any]) -> OrderRequest | OrderError:
    """Return the request for an order in ``given``, or what is wrong with it."""
    missing = [name for name in _REQUIRED if given.get(name) in (None, "")]
    if missing:
        return OrderError(400, "missing_parameters", ", ".join(missing))
    count, price = read_count(given["count"]), read_price(given["price"])
    tif, prevention = given["time_in_force"], given["self_trade_prevention_type"]
    expiration = given.get("expiration_time") or 0
    wrong = {
        "side": given["side"] not in ("bid", "ask"),
        "count": count is None,
        "price": price is None,
        "time_in_force": tif not in _TIMES,
        "self_trade_prevention_type": prevention not in _PREVENTIONS,
        "expiration_time": not _is_expiration(expiration, tif),
        "post_only": bool(given.get("post_only")) and tif != "good_till_canceled",
        "reduce_only": bool(given.get("reduce_only")) and tif != "immediate_or_cancel",
        "subaccount": (given.get("subaccount") or 0) != 0,
    }
    named = [name for name, is_wrong in wrong.items() if is_wrong]
    if named or count is None or price is None:
        return OrderError(400, "invalid_parameters", ", ".join(named))
    return OrderRequest(
        str(given["ticker"]),
        "bid" if given["side"] == "bid" else "ask",
        count,
        price,
        str(tif),
        str(prevention),
        client_order_id=str(given.get("client_order_id") or ""),
        expiration=expiration,
        post_only=bool(given.get("post_only")),
        reduce_only=bool(given.get("reduce_only")),
        cancel_on_pause=bool(given.get("cancel_order_on_pause")),
        group=str(given.get("order_group_id") or ""),
    )


def read_count(text: object) -> int | None:
    """Return hundredths of contracts of a text such as ``10`` or ``10.50``, None for another."""
    micros = _micros(text)
    return micros // HUNDREDTH if micros and micros % HUNDREDTH == 0 else None


def read_price(text: object) -> Price | None:
    """Return a price (micros) of a text such as ``0.56``, None for another."""
    micros = _micros(text)
    return Price(micros) if micros and micros < MICROS and micros % _PRICE_UNIT == 0 else None


def _is_expiration(value: object, tif: object) -> bool:
    return isinstance(value, int) and (not value or (tif == "good_till_canceled" and value <= _EXPIRATION_MAX))


def _micros(text: object) -> int:
    try:
        return parse_micros(text) if isinstance(text, str) else 0
    except ValueError:
        return 0
