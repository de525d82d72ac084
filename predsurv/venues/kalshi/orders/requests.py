"""The requests that place, change and cancel orders: one book per market, in YES, prices and counts as texts.

Buying NO at p is selling YES at 1 − p, so every order is a bid or an ask on YES. Source: the venue's OpenAPI 3.30
(``kalshi-typescript`` 3.30.0) and its page on order errors. Paths are below the venue's base URL.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Struct, UnsetType

from predsurv.core.errors import BrokenInvariant, WireError
from predsurv.core.ids import ClientOrderId, OrderId, Side
from predsurv.core.market import Market, on_grid
from predsurv.core.num import MICROS, Price, Size, complement, format_micros
from predsurv.core.orders import RESTING, PlaceOrder, TimeInForce
from predsurv.core.text import sanitise
from predsurv.venues.kalshi.market_parser import NO_SUFFIX, VENUE
from predsurv.venues.parsing import checked_id
from predsurv.venues.requests import OrderRefusal, Query, VenueRequest

ORDERS_PATH: Final = "/portfolio/events/orders"
BATCH_PATH: Final = f"{ORDERS_PATH}/batched"
ORDERS_MAX: Final = 20
"""Most orders of one request here: how many the venue takes depends on the account's write budget."""

COUNT_UNIT: Final = 10_000
"""Counts have two decimals (micros)."""
PRICE_UNIT: Final = 100
"""Prices in requests have four decimals (micros)."""

SelfTrade = Literal["taker_at_cross", "maker"]
"""Which of two orders of one account gives way when they would trade: the arriving or the resting one."""

WireTimeInForce = Literal["good_till_canceled", "immediate_or_cancel", "fill_or_kill"]

_TIMES_IN_FORCE: Final[dict[TimeInForce, WireTimeInForce]] = {
    "gtc": "good_till_canceled",
    "gtd": "good_till_canceled",
    "ioc": "immediate_or_cancel",
    "fok": "fill_or_kill",
}
_NS: Final = 1_000_000_000
Value = TypeVar("Value")
_encode = msgspec.json.Encoder().encode


class Routing(NamedTuple):
    """Where orders go. ``shard``: the exchange's index, None to let the venue route by ticker; ``subaccount`` likewise.

    An explicit shard of 1 or more is charged to that shard's write limit. A key that is locked to a subaccount leaves
    it out.
    """

    shard: int | None = None
    subaccount: int | None = None


class OrderOptions(NamedTuple):
    """What every order of a run has: who gives way among own orders, its group, and whether a pause cancels it."""

    self_trade: SelfTrade = "taker_at_cross"
    order_group: str | None = None
    cancel_on_pause: bool = True
    reduce_only: bool = False


NO_ROUTING: Final = Routing()
NO_OPTIONS: Final = OrderOptions()


class YesOrder(NamedTuple):
    """An order as the book of YES sees it; ``price`` and ``size`` in micros."""

    ticker: str
    side: Side
    price: Price
    size: Size


class _CreateBody(Struct, gc=False, omit_defaults=True):
    """``{"ticker":"HIGHNY-24JAN01-T60","client_order_id":"8c35…","side":"bid","count":"10.00","price":"0.5600",
    "time_in_force":"good_till_canceled","self_trade_prevention_type":"taker_at_cross","post_only":false,
    "cancel_order_on_pause":false,"reduce_only":false,"subaccount":0,"exchange_index":0}``.
    """

    ticker: str
    client_order_id: str
    side: Side
    count: str
    price: str
    time_in_force: WireTimeInForce
    self_trade_prevention_type: SelfTrade
    expiration_time: int | UnsetType = UNSET
    post_only: bool = False
    reduce_only: bool = False
    cancel_order_on_pause: bool = False
    subaccount: int | UnsetType = UNSET
    order_group_id: str | UnsetType = UNSET
    exchange_index: int | UnsetType = UNSET


class _AmendBody(Struct, gc=False):
    """``{"ticker":"…","side":"bid","price":"0.5700","count":"10.00","client_order_id":"…","exchange_index":2}``."""

    ticker: str
    side: Side
    price: str
    count: str
    client_order_id: str | UnsetType = UNSET
    updated_client_order_id: str | UnsetType = UNSET
    exchange_index: int | UnsetType = UNSET
    expiration_time: int | UnsetType = UNSET


class PlaceableOrder(NamedTuple):
    """The body of an order that can be placed alone or in a batch."""

    client_order_id: ClientOrderId
    body: Struct


class RestingOrder(NamedTuple):
    """What identifies an order at the venue: its id, its ticker and its shard (an id alone does not name the shard)."""

    order_id: OrderId
    ticker: str
    routing: Routing = NO_ROUTING


def yes_order(command: PlaceOrder) -> YesOrder | OrderRefusal:
    """Return ``command`` as an order in the book of YES; the price is turned for an order in NO."""
    key = command.key
    ticker, instrument = str(key.market_id), str(key.instrument_id)
    is_no = instrument == f"{ticker}{NO_SUFFIX}"
    if key.venue != VENUE or not (is_no or instrument == ticker):
        return OrderRefusal("not_ours", "no outcome of a market of this venue")
    price = complement(command.price) if is_no else command.price
    return YesOrder(ticker, "bid" if (command.side == "buy") != is_no else "ask", price, command.size)


def order_body(
    command: PlaceOrder,
    market: Market,
    *,
    now: int,
    options: OrderOptions = NO_OPTIONS,
    routing: Routing = NO_ROUTING,
) -> PlaceableOrder | OrderRefusal:
    """Return the body that places ``command``; ``now`` in ns UTC. Its client order id belongs to this attempt alone.

    A killed order has used its id up, so a new attempt needs a new one; a repeated request keeps it, and is answered
    with 409 where the first was accepted.
    """
    order = yes_order(command)
    if isinstance(order, OrderRefusal):
        return order
    refusal = _wrong(command, order, market, options) or _wrong_id(command.client_order_id)
    if refusal is not None:
        return refusal
    expiration = _expiration(command, now)
    if isinstance(expiration, OrderRefusal):
        return expiration
    body = _CreateBody(
        order.ticker,
        command.client_order_id,
        order.side,
        count_text(order.size),
        _price(order.price),
        _TIMES_IN_FORCE[command.tif],
        options.self_trade,
        expiration,
        command.post_only,
        options.reduce_only,
        options.cancel_on_pause,
        _or_unset(routing.subaccount),
        _or_unset(options.order_group),
        _or_unset(routing.shard),
    )
    return PlaceableOrder(command.client_order_id, body)


def place_order(order: PlaceableOrder) -> VenueRequest:
    """Return the request that places one order."""
    return VenueRequest("POST", ORDERS_PATH, _encode(order.body))


def place_orders(requests: Sequence[VenueRequest]) -> VenueRequest:
    """Return the request that places the orders of up to ``ORDERS_MAX`` requests, answered one by one.

    Each costs as much as it does alone. Raises BrokenInvariant for none, and for more.
    """
    _check_count(len(requests))
    return VenueRequest("POST", BATCH_PATH, b'{"orders":[%b]}' % b",".join(each.body or b"" for each in requests))


def cancel_order(order: RestingOrder) -> VenueRequest:
    """Return the request that cancels the rest of an order; without its ticker the venue would look on shard 0 only."""
    query = (("market_ticker", order.ticker), *routing_query(order.routing))
    return VenueRequest("DELETE", _path(order), query=query)


def cancel_orders(orders: Sequence[RestingOrder]) -> VenueRequest:
    """Return the request that cancels up to ``ORDERS_MAX`` orders, answered one by one; raises as ``place_orders``."""
    _check_count(len(orders))
    rows = [routing_fields(each.routing) | {"order_id": each.order_id, "market_ticker": each.ticker} for each in orders]
    return VenueRequest("DELETE", BATCH_PATH, _encode({"orders": rows}))


def cancel_all(subaccount: int | None = None) -> VenueRequest:
    """Return the request that cancels every order on every shard, of one ``subaccount`` or of all.

    For about a minute after it new orders are refused or cancelled, too.
    """
    return VenueRequest("DELETE", ORDERS_PATH, query=routing_query(Routing(None, subaccount)))


def amend_order(
    order: RestingOrder,
    wanted: YesOrder,
    market: Market,
    *,
    renamed: ClientOrderId | None = None,
    expiration: int | None = None,
) -> VenueRequest | OrderRefusal:
    """Return the request that gives a resting order another price or size; ``wanted.size`` counts what has filled, too.

    It keeps its place in the queue only where nothing but the size changes, and to less. ``renamed``: its new client
    order id; ``expiration``: its new end in seconds since 1970, 0 for none.
    """
    refusal = _wrong_level(wanted, market) or (None if renamed is None else _wrong_id(renamed))
    if refusal is not None:
        return refusal
    body = _AmendBody(
        wanted.ticker,
        wanted.side,
        _price(wanted.price),
        count_text(wanted.size),
        updated_client_order_id=_or_unset(renamed),
        exchange_index=_or_unset(order.routing.shard),
        expiration_time=_or_unset(expiration),
    )
    query = routing_query(Routing(None, order.routing.subaccount))
    return VenueRequest("POST", f"{_path(order)}/amend", _encode(body), query)


def decrease_order(
    order: RestingOrder, *, by: Size | None = None, to: Size | None = None
) -> VenueRequest | OrderRefusal:
    """Return the request that makes what rests of an order smaller, by or to a size (micros); it keeps its place."""
    size = by if to is None else to
    if size is None or (by is not None and to is not None):
        return OrderRefusal("count", "a size to decrease by, or one to decrease to")
    if size % COUNT_UNIT or size < (0 if by is None else COUNT_UNIT):
        return OrderRefusal("count", f"{format_micros(size)} is no number of contracts with two decimals")
    body: dict[str, int | str] = {
        "reduce_to" if by is None else "reduce_by": count_text(size),
        "market_ticker": order.ticker,
    }
    shard = Routing(order.routing.shard, None)
    query = routing_query(Routing(None, order.routing.subaccount))
    return VenueRequest("POST", f"{_path(order)}/decrease", _encode(body | routing_fields(shard)), query)


def _wrong(command: PlaceOrder, order: YesOrder, market: Market, options: OrderOptions) -> OrderRefusal | None:
    if command.key.market_id != market.market_id:
        return OrderRefusal("not_ours", "the terms are those of another market")
    if command.post_only and command.tif not in RESTING:
        return OrderRefusal("post_only", f"an order that is {command.tif} cannot be post-only")
    if options.reduce_only and command.tif != "ioc":
        return OrderRefusal("reduce_only", "only an order that takes what is there can be reduce-only")
    return _wrong_level(order, market)


def _wrong_level(order: YesOrder, market: Market) -> OrderRefusal | None:
    if order.price % PRICE_UNIT or not on_grid(market, order.price):
        return OrderRefusal("off_grid", f"{format_micros(order.price)} is no price of YES in this market")
    if order.size < COUNT_UNIT or order.size % COUNT_UNIT:
        return OrderRefusal("count", f"{format_micros(order.size)} is no number of contracts with two decimals")
    return None


def _check_count(count: int) -> None:
    if not 0 < count <= ORDERS_MAX:
        raise BrokenInvariant(f"{count} orders in a request; it holds 1 to {ORDERS_MAX}")


def _wrong_id(client_order_id: ClientOrderId) -> OrderRefusal | None:
    try:
        checked_id(client_order_id, "the client order id")
    except WireError as error:
        return OrderRefusal("client_order_id", sanitise(str(error)))
    return None


def _expiration(command: PlaceOrder, now: int) -> int | UnsetType | OrderRefusal:
    if command.tif != "gtd":
        return UNSET if command.expires is None else OrderRefusal("expiration", f"{command.tif} orders do not expire")
    if command.expires is None or command.expires // _NS <= now // _NS:
        return OrderRefusal("expiration", "an order good till a time needs one that is still ahead, to the second")
    return command.expires // _NS


def _path(order: RestingOrder) -> str:
    return f"{ORDERS_PATH}/{quote(order.order_id, safe='')}"


def routing_query(routing: Routing) -> Query:
    """Return what of ``routing`` a query says."""
    return tuple((name, str(value)) for name, value in routing_fields(routing).items())


def routing_fields(routing: Routing) -> dict[str, int | str]:
    """Return what of ``routing`` a body says."""
    fields = {"exchange_index": routing.shard, "subaccount": routing.subaccount}
    return {name: value for name, value in fields.items() if value is not None}


def _or_unset(value: Value | None) -> Value | UnsetType:
    return UNSET if value is None else value


def _price(value: int) -> str:
    return f"{value // MICROS}.{value % MICROS // PRICE_UNIT:04d}"


def count_text(value: int) -> str:
    """Return a number of contracts (micros) as the venue writes it: ``10.00``."""
    return f"{value // MICROS}.{value % MICROS // COUNT_UNIT:02d}"
