"""Order groups: a limit that the exchange itself keeps. What is matched within 15 seconds cancels the group's orders.

Once the limit is reached, all orders of the group are cancelled and new ones rejected until the group is reset. Source:
the venue's OpenAPI 3.30. A group lives on one shard, which every request about it names unless it is the first.
"""

from typing import Final

import msgspec

from predsurv.core.num import Size
from predsurv.venues.kalshi.orders.requests import (
    COUNT_UNIT,
    NO_ROUTING,
    Routing,
    count_text,
    routing_fields,
    routing_query,
)
from predsurv.venues.requests import Method, OrderRefusal, VenueRequest

GROUPS_PATH: Final = "/portfolio/order_groups"
LIST_GROUPS: Final = VenueRequest("GET", GROUPS_PATH)

_EMPTY: Final = b"{}"  # the venue wants a JSON body with every PUT


def create_group(contracts: Size, routing: Routing = NO_ROUTING) -> VenueRequest | OrderRefusal:
    """Return the request that makes a group of at most ``contracts`` (micros) matched in 15 seconds."""
    refusal = _wrong_limit(contracts)
    if refusal is not None:
        return refusal
    body = {"contracts_limit_fp": count_text(contracts)} | routing_fields(routing)
    return VenueRequest("POST", f"{GROUPS_PATH}/create", msgspec.json.encode(body))


def limit_group(group: str, contracts: Size, routing: Routing = NO_ROUTING) -> VenueRequest | OrderRefusal:
    """Return the request that gives a group another limit (micros)."""
    body = msgspec.json.encode({"contracts_limit_fp": count_text(contracts)})
    return _wrong_limit(contracts) or _change("PUT", f"{group}/limit", routing, body)


def trigger_group(group: str, routing: Routing = NO_ROUTING) -> VenueRequest:
    """Return the request that cancels all orders of a group, and refuses new ones until it is reset."""
    return _change("PUT", f"{group}/trigger", routing, _EMPTY)


def reset_group(group: str, routing: Routing = NO_ROUTING) -> VenueRequest:
    """Return the request after which a group takes orders again."""
    return _change("PUT", f"{group}/reset", routing, _EMPTY)


def delete_group(group: str, routing: Routing = NO_ROUTING) -> VenueRequest:
    """Return the request that cancels a group's orders and ends it."""
    return _change("DELETE", group, routing, None)


def _change(method: Method, path: str, routing: Routing, body: bytes | None) -> VenueRequest:
    return VenueRequest(method, f"{GROUPS_PATH}/{path}", body, routing_query(routing))


def _wrong_limit(contracts: Size) -> OrderRefusal | None:
    if contracts < COUNT_UNIT or contracts % COUNT_UNIT:
        return OrderRefusal("count", "a group's limit is a number of contracts with two decimals")
    return None
