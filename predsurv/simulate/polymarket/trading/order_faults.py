"""Faults of the order paths: what is answered instead, and whether the order was carried out all the same."""

from collections.abc import Callable, Mapping
from typing import Final

from predsurv.simulate.server import ServerResponse

_S: Final = 1_000_000_000
SLOW_S: Final = 3
"""How long a slow answer takes, seconds."""

ORDER_KINDS: Final[Mapping[str, int]] = {
    "orderlost": 3 * _S,  # carried out, and the connection is reset instead of an answer
    "orderreset": 3 * _S,  # reset before anything was done
    "order500": 3 * _S,  # 500, not carried out
    "order500done": 3 * _S,  # 500, carried out
    "order429": 3 * _S,
    "orderhtml": 3 * _S,  # 403 with a page of the edge
    "order425": 3 * _S,  # the matching engine restarts
    "orderslow": 3 * _S,  # carried out, answered SLOW_S later
    "orderdelayed": 3 * _S,  # orders that trade on arrival are held first
    "cancelonly": 5 * _S,
    "postonly": 5 * _S,
    "disabled": 5 * _S,
    "tradefail": 3 * _S,  # what is matched meanwhile fails on the chain
    "userdrop": 0,  # connections of the user channel are dropped
    "userfreeze": 5 * _S,  # messages of the user channel are lost
    "userduplicate": 5 * _S,  # … are sent twice
}
"""The kinds, with their default durations (ns)."""

_INSTEAD: Final[Mapping[str, ServerResponse]] = {
    "orderreset": ServerResponse(0),
    "order500": ServerResponse(500, b'{"error":"Internal server error"}'),
    "order429": ServerResponse(
        429, b'{"error":"Too Many Requests"}', {"content-type": "application/json", "retry-after": "1"}
    ),
    "orderhtml": ServerResponse(
        403, b"<html><body>Sorry, you have been blocked</body></html>", {"content-type": "text/html"}
    ),
    "order425": ServerResponse(425, b'{"error":"Too Early"}'),
    "disabled": ServerResponse(503, b'{"error":"Trading is currently disabled. Check polymarket.com for updates"}'),
}
_CANCEL_ONLY: Final = ServerResponse(
    503, b'{"error":"Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."}'
)
POST_ONLY: Final = ServerResponse(
    503,
    b'{"error":"post-only mode: only post-only orders and cancels are allowed","code":"post_only_mode",'
    b'"retry_after_seconds":5}',
)


def with_order_faults(
    is_active: Callable[[str], bool], carry_out: Callable[[], ServerResponse], *, places: bool, is_post_only: bool
) -> ServerResponse:
    """Return the answer to an order or a cancel while faults are active, carried out where they let it be.

    ``places``: it is an order, of whose batch all are post-only where ``is_post_only``.
    """
    instead = next((response for kind, response in _INSTEAD.items() if is_active(kind)), None)
    if instead is not None:
        return instead._replace(reset=instead.status == 0)
    if places and is_active("cancelonly"):
        return _CANCEL_ONLY
    if places and not is_post_only and is_active("postonly"):
        return POST_ONLY
    response = carry_out()
    if is_active("orderlost"):
        return response._replace(reset=True)
    if is_active("order500done"):
        return ServerResponse(500, b'{"error":"Internal server error"}')
    return response._replace(delay_s=SLOW_S) if is_active("orderslow") else response
