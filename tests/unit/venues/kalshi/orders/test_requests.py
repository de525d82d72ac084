"""Every order is a bid or an ask on YES; bodies are what the venue documents; what it would refuse is not built."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.errors import BrokenInvariant
from predsurv.core.ids import (
    ClientOrderId,
    EventId,
    InstrumentId,
    InstrumentKey,
    MarketId,
    OrderId,
    OrderSide,
    StrategyName,
    VenueName,
)
from predsurv.core.market import Market, Outcome, PriceBand
from predsurv.core.num import Price, Size, parse_micros
from predsurv.core.orders import PlaceOrder, TimeInForce
from predsurv.venues.kalshi.orders.requests import (
    ORDERS_MAX,
    OrderOptions,
    PlaceableOrder,
    RestingOrder,
    Routing,
    YesOrder,
    amend_order,
    cancel_all,
    cancel_order,
    cancel_orders,
    decrease_order,
    order_body,
    place_order,
    place_orders,
    yes_order,
)
from predsurv.venues.requests import OrderRefusal, VenueRequest
from tests.kit.payloads import RECORDED, required

TICKER = "HIGHNY-24JAN01-T60"
NOW = 1_780_000_000_123_456_789
_S = 1_000_000_000
PLAIN = OrderOptions(cancel_on_pause=False)
MARKET = Market(
    venue=VenueName("kalshi"),
    market_id=MarketId(TICKER),
    event_id=EventId("E"),
    question="?",
    outcomes=(Outcome(InstrumentId(TICKER), "Yes"), Outcome(InstrumentId(f"{TICKER}:no"), "No")),
    status="active",
    tick_size=Price(10_000),
    min_order_size=Size(10_000),
    fetched_at=1,
    bands=(
        PriceBand(Price(0), Price(100_000), Price(1_000)),
        PriceBand(Price(100_000), Price(900_000), Price(10_000)),
        PriceBand(Price(900_000), Price(1_000_000), Price(1_000)),
    ),
)


def command(
    *,
    side: OrderSide = "buy",
    price: int = 560_000,
    size: int = 10_000_000,
    tif: TimeInForce = "gtc",
    instrument: str = TICKER,
    client_order_id: str = "c1",
    **more: Any,
) -> PlaceOrder:
    key = InstrumentKey(VenueName("kalshi"), MarketId(TICKER), InstrumentId(instrument))
    return PlaceOrder(
        ClientOrderId(client_order_id), StrategyName("s"), key, side, Price(price), Size(size), tif, **more
    )


def body_of(given: PlaceOrder, **more: Any) -> dict[str, Any]:
    body = order_body(given, MARKET, now=NOW, **{"options": PLAIN} | more)
    assert isinstance(body, PlaceableOrder), body
    decoded: dict[str, Any] = json.loads(place_order(body).body or b"")
    return decoded


def sent(request: VenueRequest | OrderRefusal) -> VenueRequest:
    assert isinstance(request, VenueRequest), request
    return request


def test_the_body_of_an_order() -> None:
    assert body_of(command()) == {
        "ticker": TICKER,
        "client_order_id": "c1",
        "side": "bid",
        "count": "10.00",
        "price": "0.5600",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
    }


def test_the_documented_example() -> None:
    lines = (required(RECORDED).kalshi / "rest" / "orders_v2_examples.jsonl").read_text().splitlines()
    example = next(row["request"] for row in map(json.loads, lines) if "request" in row)
    ours = body_of(command(client_order_id=example["client_order_id"]), routing=Routing(0, 0))
    flags = dict.fromkeys(("post_only", "cancel_order_on_pause", "reduce_only"), False)
    assert flags | ours == example


@pytest.mark.parametrize(
    ("instrument", "side", "price", "expected"),
    [
        (TICKER, "buy", 560_000, ("bid", 560_000)),
        (TICKER, "sell", 560_000, ("ask", 560_000)),
        (f"{TICKER}:no", "buy", 560_000, ("ask", 440_000)),
        (f"{TICKER}:no", "sell", 91_000, ("bid", 909_000)),
    ],
)
def test_no_is_turned_into_yes(instrument: str, side: OrderSide, price: int, expected: tuple[str, int]) -> None:
    order = yes_order(command(instrument=instrument, side=side, price=price))
    assert isinstance(order, YesOrder)
    assert (order.side, order.price) == expected


@given(st.integers(1, 999), st.integers(1, 10**9), st.sampled_from(["", ":no"]), st.sampled_from(["buy", "sell"]))
def test_texts_are_exact(tenths: int, hundredths: int, suffix: str, side: OrderSide) -> None:
    price, size = tenths * 1_000, hundredths * 10_000
    got = order_body(
        command(instrument=TICKER + suffix, side=side, price=price, size=size), MARKET, now=NOW, options=PLAIN
    )
    if isinstance(got, OrderRefusal):
        assert got.reason == "off_grid"
        assert 100_000 < price < 900_000
        assert price % 10_000
        return
    body = json.loads(place_order(got).body or b"")
    assert parse_micros(body["price"]) == (1_000_000 - price if suffix else price)
    assert len(body["price"]) == 6
    assert parse_micros(body["count"]) == size
    assert len(body["count"].partition(".")[2]) == 2


def test_times_in_force_flags_and_routing() -> None:
    until = NOW // _S * _S + 60 * _S + 5
    gtd = body_of(command(tif="gtd", expires=until))
    assert (gtd["time_in_force"], gtd["expiration_time"]) == ("good_till_canceled", until // _S)
    assert body_of(command(tif="ioc"))["time_in_force"] == "immediate_or_cancel"
    assert body_of(command(tif="fok"))["time_in_force"] == "fill_or_kill"
    options = OrderOptions("maker", "og_1", True, False)
    full = body_of(command(post_only=True), options=options, routing=Routing(2, 7))
    assert full["self_trade_prevention_type"] == "maker"
    assert (full["post_only"], full["cancel_order_on_pause"], full["order_group_id"]) == (True, True, "og_1")
    assert (full["exchange_index"], full["subaccount"]) == (2, 7)
    reducing = body_of(command(tif="ioc"), options=OrderOptions(reduce_only=True, cancel_on_pause=False))
    assert reducing["reduce_only"] is True


@pytest.mark.parametrize(
    ("changes", "options", "reason"),
    [
        ({"price": 565_000}, PLAIN, "off_grid"),
        ({"price": 0}, PLAIN, "off_grid"),
        ({"price": 1_000_000}, PLAIN, "off_grid"),
        ({"size": 15_000}, PLAIN, "count"),
        ({"size": 0}, PLAIN, "count"),
        ({"tif": "ioc", "post_only": True}, PLAIN, "post_only"),
        ({}, OrderOptions(reduce_only=True), "reduce_only"),
        ({"tif": "fok"}, OrderOptions(reduce_only=True), "reduce_only"),
        ({"tif": "gtd"}, PLAIN, "expiration"),
        ({"tif": "gtd", "expires": NOW}, PLAIN, "expiration"),
        ({"tif": "ioc", "expires": NOW + _S * 60}, PLAIN, "expiration"),
        ({"client_order_id": ""}, PLAIN, "client_order_id"),
        ({"client_order_id": "a b"}, PLAIN, "client_order_id"),
        ({"instrument": "OTHER"}, PLAIN, "not_ours"),
    ],
)
def test_what_the_venue_would_refuse_is_not_built(changes: dict[str, Any], options: OrderOptions, reason: str) -> None:
    got = order_body(command(**changes), MARKET, now=NOW, options=options)
    assert isinstance(got, OrderRefusal)
    assert got.reason == reason


def test_the_terms_of_another_market_are_refused() -> None:
    other = replace(MARKET, market_id=MarketId("OTHER"))
    got = order_body(command(), other, now=NOW, options=PLAIN)
    assert isinstance(got, OrderRefusal)
    assert got.reason == "not_ours"


def test_batches() -> None:
    one = order_body(command(), MARKET, now=NOW, options=PLAIN)
    assert isinstance(one, PlaceableOrder)
    request = place_orders([place_order(one)] * 2)
    assert (request.method, request.path) == ("POST", "/portfolio/events/orders/batched")
    assert json.loads(request.body or b"") == {"orders": [body_of(command())] * 2}
    cancels = cancel_orders([RestingOrder(OrderId("o1"), TICKER, Routing(2)), RestingOrder(OrderId("o2"), "T")])
    assert (cancels.method, cancels.path) == ("DELETE", "/portfolio/events/orders/batched")
    assert json.loads(cancels.body or b"") == {
        "orders": [
            {"order_id": "o1", "market_ticker": TICKER, "exchange_index": 2},
            {"order_id": "o2", "market_ticker": "T"},
        ]
    }
    for count in (0, ORDERS_MAX + 1):
        with pytest.raises(BrokenInvariant, match=f"{count} orders in a request; it holds 1 to {ORDERS_MAX}"):
            place_orders([place_order(one)] * count)
        with pytest.raises(BrokenInvariant):
            cancel_orders([RestingOrder(OrderId("o1"), TICKER)] * count)


def test_a_cancel_always_names_the_ticker() -> None:
    plain = cancel_order(RestingOrder(OrderId("o/1"), TICKER))
    assert plain == ("DELETE", "/portfolio/events/orders/o%2F1", None, (("market_ticker", TICKER),))
    routed = cancel_order(RestingOrder(OrderId("o1"), TICKER, Routing(3, 5)))
    assert routed.query == (("market_ticker", TICKER), ("exchange_index", "3"), ("subaccount", "5"))


def test_cancel_all() -> None:
    assert cancel_all() == ("DELETE", "/portfolio/events/orders", None, ())
    assert cancel_all(4).query == (("subaccount", "4"),)


def test_changes() -> None:
    placed = RestingOrder(OrderId("o1"), TICKER, Routing(2, 5))
    wanted = YesOrder(TICKER, "bid", Price(570_000), Size(12_500_000))
    amend = sent(amend_order(placed, wanted, MARKET, renamed=ClientOrderId("c2"), expiration=0))
    assert (amend.method, amend.path, amend.query) == (
        "POST",
        "/portfolio/events/orders/o1/amend",
        (("subaccount", "5"),),
    )
    assert json.loads(amend.body or b"") == {
        "ticker": TICKER,
        "side": "bid",
        "price": "0.5700",
        "count": "12.50",
        "updated_client_order_id": "c2",
        "exchange_index": 2,
        "expiration_time": 0,
    }
    assert isinstance(amend_order(placed, wanted._replace(price=Price(575_000)), MARKET), OrderRefusal)
    by = sent(decrease_order(placed, by=Size(1_000_000)))
    assert (by.path, json.loads(by.body or b"")) == (
        "/portfolio/events/orders/o1/decrease",
        {"reduce_by": "1.00", "market_ticker": TICKER, "exchange_index": 2},
    )
    assert json.loads(sent(decrease_order(placed, to=Size(0))).body or b"")["reduce_to"] == "0.00"
    for wrong in ({}, {"by": Size(1), "to": Size(1)}, {"by": Size(0)}, {"to": Size(-10_000)}, {"by": Size(15_000)}):
        assert isinstance(decrease_order(placed, **wrong), OrderRefusal)
