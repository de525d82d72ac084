"""Every order that the venue would not take is refused with the venue's words, and nothing of it is left."""

from typing import Any

import msgspec
import pytest

from predsurv.core.num import MICROS, Size
from predsurv.simulate.polymarket.catalog import SimulatedMarket
from predsurv.simulate.polymarket.simulator import PolymarketSimulator
from predsurv.simulate.polymarket.trading.order_entry import EnteredOrder, OrderPayload, read_fields, rejection
from predsurv.venues.polymarket.orders.signing import SignedOrder
from tests.kit.desk_polymarket import DeskTrader, error_of, silent_simulator
from tests.kit.polymarket_trader import quoted

S = 1_000_000_000
LOW: dict[str, Any] = {"price": 20_000, "size": 10_000_000}
INVALID = "Invalid order payload"


@pytest.fixture(scope="module")
def simulator() -> PolymarketSimulator:
    return silent_simulator()


@pytest.fixture(scope="module")
def trader(simulator: PolymarketSimulator) -> DeskTrader:
    return DeskTrader(simulator)


@pytest.fixture
def row(simulator: PolymarketSimulator) -> SimulatedMarket:
    return quoted(simulator)


def refusal(trader: DeskTrader, body: object) -> str:
    """Return why an order is refused, which leaves none."""
    said = error_of(trader.ask("POST", "/order", body))
    assert trader.get("/data/orders")["data"] == []
    return said


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b"{" * 20_000, b"[" * 20_000])
def test_what_is_no_order_is_refused(trader: DeskTrader, body: bytes) -> None:
    assert refusal(trader, body) == INVALID


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("maker", "0x12"),
        ("maker", "f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
        ("signer", "0x" + "zz" * 20),
        ("side", "buy"),
        ("signatureType", 4),
        ("signatureType", -1),
        ("tokenId", "-1"),
        ("tokenId", "0"),
        ("tokenId", "٣"),
        ("tokenId", "9" * 79),
        ("makerAmount", "1.5"),
        ("makerAmount", "0"),
        ("makerAmount", str(1 << 80)),
        ("takerAmount", ""),
        ("takerAmount", "0"),
        ("takerAmount", str(1 << 80)),
        ("timestamp", "now"),
        ("expiration", "-5"),
        ("salt", -1),
        ("metadata", "0x00"),
        ("metadata", "none"),
        ("builder", "0x" + "00" * 33),
        ("builder", ""),
    ],
)
def test_a_field_that_no_order_can_have_is_refused(
    trader: DeskTrader, row: SimulatedMarket, name: str, value: object
) -> None:
    body = trader.body(trader.sign(row, **LOW))
    assert read_fields(msgspec.convert(body["order"], OrderPayload)) is not None
    body["order"][name] = value
    assert refusal(trader, body) == INVALID


def test_an_order_of_an_unknown_type_is_refused(trader: DeskTrader, row: SimulatedMarket) -> None:
    assert refusal(trader, trader.body(trader.sign(row, **LOW)) | {"orderType": "IOC"}) == INVALID


def test_an_order_for_another_api_key_is_refused(trader: DeskTrader, row: SimulatedMarket) -> None:
    body = trader.body(trader.sign(row, **LOW)) | {"owner": "00000000-0000-0000-0000-000000000000"}
    assert refusal(trader, body) == "the order owner has to be the owner of the API KEY"


def test_an_order_of_an_unknown_token_is_refused(trader: DeskTrader, row: SimulatedMarket) -> None:
    body = trader.body(trader.sign(row, **LOW))
    body["order"]["tokenId"] = "12345"
    assert refusal(trader, body) == "the orderbook 12345 does not exist"


@pytest.mark.parametrize("signature", ["", "0x", "0x1234", "no hex", "0x" + "00" * 64 + "1d", "0x" + "ff" * 64 + "1b"])
def test_a_signature_that_is_none_is_refused(trader: DeskTrader, row: SimulatedMarket, signature: str) -> None:
    body = trader.body(trader.sign(row, **LOW))
    body["order"]["signature"] = signature
    assert refusal(trader, body) == "invalid signature"


def test_a_signed_order_whose_amount_was_changed_is_refused(trader: DeskTrader, row: SimulatedMarket) -> None:
    body = trader.body(trader.sign(row, **LOW))
    body["order"]["takerAmount"] = str(int(body["order"]["takerAmount"]) + 1_000_000)
    assert refusal(trader, body) == "invalid signature"


def test_what_only_takes_is_never_post_only(trader: DeskTrader, row: SimulatedMarket) -> None:
    body = trader.body(trader.sign(row, tif="ioc", **LOW)) | {"postOnly": True}
    assert refusal(trader, body) == INVALID


@pytest.mark.parametrize(("order_type", "expires_s"), [("GTC", 600), ("FAK", 600), ("GTD", 0), ("GTD", 179)])
def test_an_expiration_has_to_be_far_ahead_and_only_of_orders_that_expire(
    trader: DeskTrader, row: SimulatedMarket, order_type: str, expires_s: int
) -> None:
    body = trader.body(trader.sign(row, tif="ioc" if order_type == "FAK" else "gtc", **LOW))
    body["orderType"] = order_type
    body["order"]["expiration"] = str(trader.seconds() + expires_s if expires_s else 0)
    assert refusal(trader, body) == "invalid expiration"


def entered(trader: DeskTrader, order: SignedOrder, **changes: Any) -> EnteredOrder:
    """Return a good order as the venue has read it, then changed."""
    found = trader.reader.enter(msgspec.json.encode(trader.body(order)), trader.issued)
    assert isinstance(found, EnteredOrder)
    return found._replace(**changes)


def test_a_price_off_the_grid_is_refused(
    simulator: PolymarketSimulator, trader: DeskTrader, row: SimulatedMarket
) -> None:
    order = trader.sign(row, **LOW)
    for price, shown in ((25_000, "0.025"), (0, "0"), (MICROS, "1")):
        refused = rejection(entered(trader, order, price=price), simulator.exchange.now)
        assert refused is not None
        text = f"order {order.order_id} is invalid. Price ({shown}) breaks minimum tick size rule: 0.01"
        assert (refused.text, refused.status) == (text, 400)


def test_a_market_that_is_not_open_takes_no_order(
    simulator: PolymarketSimulator, trader: DeskTrader, row: SimulatedMarket
) -> None:
    order = entered(trader, trader.sign(row, **LOW))
    assert rejection(order, simulator.exchange.now) is None
    words = {"created": "the market is not yet ready to process new orders", "closed": "the market is closed"}
    for status, text in words.items():
        market = msgspec.structs.replace(order.listing.market, status=status)
        listing = order.listing._replace(market=market)
        refused = rejection(order._replace(listing=listing), simulator.exchange.now)
        assert refused is not None
        assert refused.text == text


def test_a_buy_that_only_takes_is_worth_a_dollar_in_whole_cents(
    simulator: PolymarketSimulator, trader: DeskTrader, row: SimulatedMarket
) -> None:
    order = entered(trader, trader.sign(row, tif="ioc", price=500_000, size=10_000_000))
    now = simulator.exchange.now
    assert rejection(order, now) is None
    assert rejection(order._replace(dollars=MICROS, size=Size(2_000_000)), now) is None, "no least of shares then"
    small = rejection(order._replace(dollars=990_000), now)
    assert small is not None
    assert small.text == "invalid amount for a marketable BUY order ($0.99), min size: $1"
    rough_changes: tuple[dict[str, Any], ...] = ({"dollars": 5_001_000}, {"size": 10_000_010})
    for change in rough_changes:
        rough = rejection(order._replace(**change), now)
        assert rough is not None
        assert rough.text == (
            "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, "
            "taker amount a max of 4 decimals"
        )


def test_a_sale_that_only_takes_may_be_smaller_where_it_is_worth_a_dollar(
    simulator: PolymarketSimulator, trader: DeskTrader, row: SimulatedMarket
) -> None:
    order = entered(trader, trader.sign(row, tif="ioc", side="sell", price=500_000, size=10_000_000))
    now, least = simulator.exchange.now, order.listing.market.min_order_size
    assert least > 2_000_000
    assert rejection(order._replace(size=Size(2_000_000)), now) is None
    refused = rejection(order._replace(size=Size(1_990_000)), now)
    assert refused is not None
    assert refused.text == f"order {order.order_id} is invalid. Size (1.99) lower than the minimum: {least // MICROS}"
