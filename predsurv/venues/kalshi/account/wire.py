"""Private channels and the portfolio as msgspec structs.

A changed wire format changes this file only. Source: AsyncAPI 2.0 of September 2026, OpenAPI 3.30. Directions are
those of the book of YES (``book_side``): ``side`` and ``action`` mean different things on orders and on fills.
"""

from msgspec import Raw, Struct

from predsurv.core.ids import Side


class FillBody(Struct, gc=False):
    """``{"trade_id":"d91b…","order_id":"ee58…","client_order_id":"my-order-1","market_ticker":"HIGHNY-22DEC23-B53.5",
    "exchange_index":2,"is_taker":true,"yes_price_dollars":"0.7500","count_fp":"278.00","fee_cost":"0.010000",
    "ts":1671899397,"ts_ms":1671899397000,"post_position_fp":"500.00","outcome_side":"yes","book_side":"bid",…}``.

    REST has ``ticker``, ``created_time`` and no ``client_order_id``.
    """

    trade_id: str
    order_id: str
    is_taker: bool
    yes_price_dollars: str
    count_fp: str
    book_side: Side
    market_ticker: str | None = None
    ticker: str | None = None
    client_order_id: str | None = None
    fee_cost: str | None = None
    ts: int | str | None = None
    ts_ms: int | None = None
    created_time: str | None = None


class UserOrderBody(Struct, gc=False):
    """``{"order_id":"ee58…","ticker":"FED-23DEC-T3.00","exchange_index":2,"status":"resting","book_side":"bid",
    "yes_price_dollars":"0.3500","fill_count_fp":"0.00","remaining_count_fp":"10.00","initial_count_fp":"10.00",
    "client_order_id":"my-order-1","order_group_id":"og_123","created_ts_ms":1733047200000,
    "last_update_reason":"ExpiryCancel",…}``; the channel's type is ``user_order``, and REST writes the same.
    """

    order_id: str
    ticker: str
    status: str
    book_side: Side
    yes_price_dollars: str
    fill_count_fp: str
    remaining_count_fp: str
    initial_count_fp: str
    client_order_id: str | None = None
    exchange_index: int | None = None
    created_ts_ms: int | None = None
    last_updated_ts_ms: int | None = None
    last_update_reason: str | None = None
    created_time: str | None = None
    last_update_time: str | None = None


class PositionBody(Struct, gc=False):
    """``{"market_ticker":"FED-23DEC-T3.00","position_fp":"100.00",…}``: more than 0 is YES, less is NO.

    REST has ``ticker``.
    """

    position_fp: str
    market_ticker: str | None = None
    ticker: str | None = None


class OrderGroupBody(Struct, gc=False):
    """``{"event_type":"limit_updated","order_group_id":"og_123","contracts_limit_fp":"150.00","ts_ms":1733047200000}``."""

    event_type: str
    order_group_id: str
    contracts_limit_fp: str | None = None
    ts_ms: int | None = None


class PrivateFrame(Struct, gc=False):
    """``{"type":"fill","sid":13,"msg":{…}}``; ``order_group_updates`` has a ``seq`` as well, the others have none."""

    type: str
    msg: Raw = Raw(b"null")


class OrdersPage(Struct, gc=False):
    """``{"orders":[…],"cursor":""}``."""

    orders: list[Raw]
    cursor: str | None = None


class FillsPage(Struct, gc=False):
    """``{"fills":[…],"cursor":""}``."""

    fills: list[Raw]
    cursor: str | None = None


class PositionsPage(Struct, gc=False):
    """``{"market_positions":[…],"event_positions":[…],"cursor":""}``."""

    market_positions: list[Raw]
    cursor: str | None = None


class SettlementBody(Struct, gc=False):
    """``{"ticker":"HIGHNY-24JAN01-T60","market_result":"yes","value":100,"settled_time":"2026-11-20T15:00:00Z",…}``:
    ``value`` is what a YES contract paid, in cents; it may be absent.
    """

    ticker: str
    market_result: str
    value: int | None = None
    settled_time: str | None = None


class SettlementsPage(Struct, gc=False):
    """``{"settlements":[…],"cursor":""}``."""

    settlements: list[SettlementBody]
    cursor: str | None = None


class OneOrder(Struct, gc=False):
    """``{"order":{…}}``."""

    order: Raw


class ShardBalance(Struct, gc=False):
    """``{"exchange_index":2,"balance":"12.3400"}``."""

    exchange_index: int
    balance: str


class AccountBalance(Struct, gc=False):
    """``{"balance":1234,"balance_dollars":"12.3400","portfolio_value":99,"balance_breakdown":[…],"updated_ts":…}``."""

    balance_dollars: str
    balance_breakdown: list[ShardBalance] | None = None
