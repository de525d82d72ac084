"""The requests that place and cancel orders, exactly as the venue wants them.

Source: the venue's OpenAPI, ``polymarket-client`` 0.14.0 (bodies) and its changelog (limits of a batch). The same bytes
are signed and sent, so bodies are made here once.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from predsurv.config import Secret
from predsurv.core.errors import BrokenInvariant
from predsurv.core.ids import InstrumentId, MarketId, OrderId
from predsurv.venues.polymarket.orders.signing import OrderSigner, SignedOrder
from predsurv.venues.requests import OrderRefusal, VenueRequest

ORDERS_MAX: Final = 15
"""Most orders of one request."""
CANCELS_MAX: Final = 1_000
"""Most orders that one request cancels: 1,000 since 2026-06-15, whatever clients allow."""

CANCEL_ALL: Final = VenueRequest("DELETE", "/cancel-all")

_SIDES: Final = ("BUY", "SELL")
_encode = msgspec.json.Encoder().encode


class _OrderBody(Struct, gc=False, rename="camel"):
    """``{"builder":"0x0…","expiration":"0","maker":"0x…","makerAmount":"5000000","metadata":"0x0…","salt":479249096354,
    "side":"BUY","signature":"0x…","signatureType":0,"signer":"0x…","takerAmount":"10000000",
    "timestamp":"1710000000000","tokenId":"7132…"}``.
    """

    builder: str
    expiration: str
    maker: str
    maker_amount: str
    metadata: str
    salt: int
    side: str
    signature: str
    signature_type: int
    signer: str
    taker_amount: str
    timestamp: str
    token_id: str


class _PlaceBody(Struct, gc=False, rename="camel"):
    """``{"deferExec":false,"order":{…},"orderType":"GTC","owner":"<API key>","postOnly":true}``."""

    defer_exec: bool
    order: _OrderBody
    order_type: str
    owner: str
    post_only: bool | UnsetType = UNSET


def place_order(order: SignedOrder, signer: OrderSigner, owner: Secret) -> VenueRequest:
    """Return the request that places ``order``; ``owner`` is the API key."""
    return VenueRequest("POST", "/order", _encode(_place_body(order, signer, owner)))


def place_orders(requests: Sequence[VenueRequest]) -> VenueRequest:
    """Return the request that places the orders of up to ``ORDERS_MAX`` requests; they are answered in their order.

    Raises BrokenInvariant for none, and for more.
    """
    _check_count(len(requests), ORDERS_MAX)
    return VenueRequest("POST", "/orders", b"[%b]" % b",".join(each.body or b"" for each in requests))


def cancel_order(order_id: OrderId) -> VenueRequest:
    """Return the request that cancels one order."""
    return VenueRequest("DELETE", "/order", _encode({"orderID": order_id}))


def cancel_orders(order_ids: Sequence[OrderId]) -> VenueRequest:
    """Return the request that cancels up to ``CANCELS_MAX`` orders; raises BrokenInvariant for none, and for more."""
    _check_count(len(order_ids), CANCELS_MAX)
    return VenueRequest("DELETE", "/orders", _encode(order_ids))


def cancel_market_orders(
    market: MarketId | None = None, instrument: InstrumentId | None = None
) -> VenueRequest | OrderRefusal:
    """Return the request that cancels every order in a market (condition id), of one outcome, or both."""
    given = {"asset_id": instrument, "market": market}
    body = {name: value for name, value in given.items() if value is not None}
    if not body:
        return OrderRefusal("batch", "which orders to cancel is not said; to cancel all is a request of its own")
    return VenueRequest("DELETE", "/cancel-market-orders", _encode(body))


def _place_body(order: SignedOrder, signer: OrderSigner, owner: Secret) -> _PlaceBody:
    fields = order.fields
    body = _OrderBody(
        f"0x{fields.builder.hex()}",
        str(order.expiration),
        signer.maker,
        str(fields.maker_amount),
        f"0x{fields.metadata.hex()}",
        fields.salt,
        _SIDES[fields.side],
        order.signature,
        fields.signature_type,
        signer.signer,
        str(fields.taker_amount),
        str(fields.timestamp),
        str(fields.token_id),
    )
    return _PlaceBody(False, body, order.order_type, owner.reveal(), True if order.post_only else UNSET)  # noqa: FBT003


def _check_count(count: int, limit: int) -> None:
    if not 0 < count <= limit:
        raise BrokenInvariant(f"{count} orders in a request; it holds 1 to {limit}")
