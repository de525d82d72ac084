"""Bodies are what the venue's own client sends, byte for byte, and batches keep to its limits."""

import json

import pytest

from predsurv.config import Secret
from predsurv.core.errors import BrokenInvariant
from predsurv.core.ids import InstrumentId, MarketId, OrderId
from predsurv.venues.polymarket.orders.requests import (
    CANCEL_ALL,
    CANCELS_MAX,
    ORDERS_MAX,
    cancel_market_orders,
    cancel_order,
    cancel_orders,
    place_order,
    place_orders,
)
from predsurv.venues.polymarket.orders.signing import SignedOrder
from predsurv.venues.requests import OrderRefusal, VenueRequest
from tests.kit.polymarket_orders import ADDRESS, NOW, TERMS, TOKEN, WALLET, command, signer

OWNER = Secret("owner-key")
ZERO = "0x" + "00" * 32


def order(signature_type: int = 0, *, post_only: bool = False) -> SignedOrder:
    got = signer(signature_type).order(command(post_only=post_only), TERMS, now=NOW, salt=479249096354)
    assert isinstance(got, SignedOrder)
    return got


def sent(request: VenueRequest | OrderRefusal) -> VenueRequest:
    assert isinstance(request, VenueRequest), request
    return request


def test_the_body_of_an_order() -> None:
    mine = order()
    request = place_order(mine, signer(), OWNER)
    assert (request.method, request.path) == ("POST", "/order")
    assert (
        request.body
        == json.dumps(
            {
                "deferExec": False,
                "order": {
                    "builder": ZERO,
                    "expiration": "0",
                    "maker": ADDRESS,
                    "makerAmount": "11782400",
                    "metadata": ZERO,
                    "salt": 479249096354,
                    "side": "BUY",
                    "signature": mine.signature,
                    "signatureType": 0,
                    "signer": ADDRESS,
                    "takerAmount": "21040000",
                    "timestamp": "1780000000123",
                    "tokenId": TOKEN,
                },
                "orderType": "GTC",
                "owner": "owner-key",
            },
            separators=(",", ":"),
        ).encode()
    )


def test_only_post_only_orders_say_so() -> None:
    body = json.loads(place_order(order(post_only=True), signer(), OWNER).body or b"")
    assert body["postOnly"] is True
    assert "postOnly" not in json.loads(place_order(order(), signer(), OWNER).body or b"")


def test_wallets_in_the_body() -> None:
    body = json.loads(place_order(order(3), signer(3), OWNER).body or b"")["order"]
    assert (body["maker"], body["signer"], body["signatureType"]) == (WALLET, WALLET, 3)
    assert json.loads(place_order(order(1), signer(1), OWNER).body or b"")["order"]["signer"] == ADDRESS


@pytest.mark.parametrize("count", [1, ORDERS_MAX])
def test_a_batch_of_orders(count: int) -> None:
    alone = place_order(order(), signer(), OWNER)
    request, one = place_orders([alone] * count), json.loads(alone.body or b"")
    assert (request.method, request.path) == ("POST", "/orders")
    assert json.loads(request.body or b"") == [one] * count


def test_cancels() -> None:
    assert cancel_order(OrderId("0x1")) == ("DELETE", "/order", b'{"orderID":"0x1"}', ())
    assert cancel_orders([OrderId("0x1"), OrderId("0x2")]) == ("DELETE", "/orders", b'["0x1","0x2"]', ())
    assert CANCEL_ALL == ("DELETE", "/cancel-all", None, ())
    market, both = (
        sent(cancel_market_orders(MarketId("0xab"))),
        sent(cancel_market_orders(MarketId("0xab"), InstrumentId("12"))),
    )
    assert (market.method, market.path, market.body) == ("DELETE", "/cancel-market-orders", b'{"market":"0xab"}')
    assert both.body == b'{"asset_id":"12","market":"0xab"}'
    assert sent(cancel_market_orders(instrument=InstrumentId("12"))).body == b'{"asset_id":"12"}'


def test_what_no_request_holds_is_refused() -> None:
    many = [OrderId(f"0x{number:x}") for number in range(CANCELS_MAX + 1)]
    assert json.loads(cancel_orders(many[:-1]).body or b"") == many[:-1]
    for ids in (many, []):
        with pytest.raises(BrokenInvariant, match=f"{len(ids)} orders in a request; it holds 1 to {CANCELS_MAX}"):
            cancel_orders(ids)
    for count in (0, ORDERS_MAX + 1):
        with pytest.raises(BrokenInvariant, match=f"{count} orders in a request; it holds 1 to {ORDERS_MAX}"):
            place_orders([place_order(order(), signer(), OWNER)] * count)
    refused = cancel_market_orders()
    assert isinstance(refused, OrderRefusal)
    assert refused.reason == "batch"


def test_a_request_does_not_show_its_body() -> None:
    assert "owner-key" not in f"{place_order(order(), signer(), OWNER)!r}"
