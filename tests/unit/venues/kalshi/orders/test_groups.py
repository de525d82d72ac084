"""Requests about order groups: where they go, and what they say."""

import json

from predsurv.core.num import Size
from predsurv.venues.kalshi.orders.groups import (
    LIST_GROUPS,
    create_group,
    delete_group,
    limit_group,
    reset_group,
    trigger_group,
)
from predsurv.venues.kalshi.orders.requests import Routing
from predsurv.venues.requests import OrderRefusal, VenueRequest

SHARD = Routing(2, 5)
QUERY = (("exchange_index", "2"), ("subaccount", "5"))


def test_a_group_is_made() -> None:
    request = create_group(Size(150_500_000), SHARD)
    assert isinstance(request, VenueRequest)
    assert (request.method, request.path, request.query) == ("POST", "/portfolio/order_groups/create", ())
    assert json.loads(request.body or b"") == {"contracts_limit_fp": "150.50", "exchange_index": 2, "subaccount": 5}
    plain = create_group(Size(1_000_000))
    assert isinstance(plain, VenueRequest)
    assert plain.body == b'{"contracts_limit_fp":"1.00"}'


def test_a_group_is_changed_on_its_shard() -> None:
    assert limit_group("og", Size(2_000_000), SHARD) == (
        "PUT",
        "/portfolio/order_groups/og/limit",
        b'{"contracts_limit_fp":"2.00"}',
        QUERY,
    )
    assert trigger_group("og", SHARD) == ("PUT", "/portfolio/order_groups/og/trigger", b"{}", QUERY)
    assert reset_group("og") == ("PUT", "/portfolio/order_groups/og/reset", b"{}", ())
    assert delete_group("og", SHARD) == ("DELETE", "/portfolio/order_groups/og", None, QUERY)
    assert LIST_GROUPS == ("GET", "/portfolio/order_groups", None, ())


def test_a_limit_is_a_number_of_contracts() -> None:
    for size in (0, -10_000, 15_000):
        assert isinstance(create_group(Size(size)), OrderRefusal)
        assert isinstance(limit_group("og", Size(size)), OrderRefusal)
