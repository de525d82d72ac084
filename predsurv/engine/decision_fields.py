"""What the fields of a decision have to be: a strategy's own code makes it, and Python checks no types.

A price of 0.5 or a size that is a float would fail much later, inside the trader, and look like its fault.
"""

from typing import Final, get_args

from predsurv.core.ids import InstrumentKey, OrderSide
from predsurv.core.orders import CancelIntent, Decision, Intent, Quotes, TimeInForce

_SIDES: Final[tuple[object, ...]] = get_args(OrderSide)  # tuples: what a list is asked for need not have a hash
_TIMES_IN_FORCE: Final[tuple[object, ...]] = get_args(TimeInForce)


def wrong_field(decision: Decision) -> str | None:
    """Return what is wrong with a field of ``decision``, as "price is …", None where nothing is.

    Whether a price is on the grid, or an order affordable, is not asked here: risk refuses those, and the run goes on.
    """
    if type(decision.signal) is not str:
        return _not("signal", "a text", decision.signal)
    if isinstance(decision, CancelIntent):
        named = type(decision.client_order_id) is str
        return None if named else _not("client_order_id", "an order's id", decision.client_order_id)
    if not isinstance(decision.key, InstrumentKey):
        return _not("key", "an InstrumentKey", decision.key)
    if isinstance(decision, Quotes):
        return _wrong_level("bid", decision.bid) or _wrong_level("ask", decision.ask)
    return _wrong_micros("price", decision.price) or _wrong_micros("size", decision.size) or _wrong_words(decision)


def _wrong_words(decision: Intent) -> str | None:
    if decision.side not in _SIDES:
        return _not("side", " or ".join(get_args(OrderSide)), decision.side)
    if decision.tif not in _TIMES_IN_FORCE:
        return _not("tif", " or ".join(get_args(TimeInForce)), decision.tif)
    if decision.expires is not None and type(decision.expires) is not int:
        return _not("expires", "whole ns UTC (int)", decision.expires)
    if not isinstance(decision.group, str | None):
        return _not("group", "a text", decision.group)
    return None


def _wrong_level(name: str, level: object) -> str | None:
    if level is None:
        return None
    if not isinstance(level, tuple) or len(level) != 2:
        return _not(name, "(price, size) or None", level)
    return _wrong_micros(f"price of the {name}", level[0]) or _wrong_micros(f"size of the {name}", level[1])


def _wrong_micros(name: str, value: object) -> str | None:
    # bool is an int to isinstance, and the integers of numpy overflow
    return None if type(value) is int else _not(name, "whole millionths (int; 0.05 is 50_000)", value)


def _not(name: str, expected: str, value: object) -> str:
    return f"{name} is {value!r} ({type(value).__name__}), not {expected}"
