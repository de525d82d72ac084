"""Orders and trades of an account as msgspec structs: the user channel and REST write them almost alike.

A changed wire format changes this file only. Source: the user channel's AsyncAPI, ``polymarket-client`` 0.14.0 and
recorded messages. Unused fields are left out.
"""

from msgspec import Raw, Struct


class AccountOrder(Struct, gc=False):
    """``{"id":"0x12…","market":"0xdd…","asset_id":"7132…","side":"BUY","original_size":"100.0","size_matched":"25.0",
    "price":"0.5","status":"LIVE","type":"UPDATE","timestamp":"1703875200500","event_type":"order",…}``.

    REST has no ``type`` and no ``timestamp``, ``created_at`` as a number of seconds, and states that may begin with
    ``ORDER_STATUS_``. ``size_matched`` may be "", and more than ``original_size`` where a buy spent its dollars.
    """

    id: str
    market: str
    asset_id: str
    side: str
    original_size: str
    size_matched: str
    price: str
    status: str | None = None
    type: str | None = None
    timestamp: str | int | None = None


class MakerPart(Struct, gc=False):
    """``{"order_id":"0x…","owner":"<API key>","maker_address":"0x…","matched_amount":"25.0","price":"0.5",
    "asset_id":"7132…","side":"SELL",…}``: one of the resting orders of a trade, in its own instrument and direction.
    """

    order_id: str
    asset_id: str
    matched_amount: str
    price: str
    owner: str | None = None
    maker_address: str | None = None
    side: str | None = None


class AccountTrade(Struct, gc=False):
    """``{"id":"…","taker_order_id":"0x…","market":"0xdd…","asset_id":"7132…","side":"BUY","size":"25.0","price":"0.5",
    "status":"CONFIRMED","owner":"<API key>","maker_orders":[…],"trader_side":"TAKER","timestamp":"1703875200000",
    "event_type":"trade","type":"TRADE",…}``.

    One id for all states: MATCHED, MINED, CONFIRMED, or RETRYING and FAILED; REST may write ``TRADE_STATUS_`` before
    them, has ``match_time``, and no ``timestamp``.
    """

    id: str
    taker_order_id: str
    market: str
    asset_id: str
    side: str
    size: str
    price: str
    status: str
    maker_orders: list[MakerPart] | None = None
    owner: str | None = None
    trader_side: str | None = None
    timestamp: str | int | None = None
    match_time: str | int | None = None


class MessageKind(Struct, gc=False):
    """What tells an order's message from a trade's; ``event_type`` may be missing."""

    event_type: str | None = None
    type: str | None = None


class AccountPage(Struct, gc=False):
    """``{"data":[…],"next_cursor":"LTE=","limit":500,"count":1}``; the last page has ``LTE=``."""

    data: list[Raw]
    next_cursor: str | None = None


class BalanceBody(Struct, gc=False):
    """``{"balance":"1000000000","allowances":{"0xE111…":"115792…"}}``: millionths, whole numbers as text."""

    balance: str
    allowances: dict[str, str] | None = None
