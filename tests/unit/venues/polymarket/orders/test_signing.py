"""Hashes and signatures equal those of the venue's own clients, whatever the wallet and the exchange."""

from typing import Any

import pytest

from predsurv.config import Secret
from predsurv.core.errors import BrokenInvariant, ConfigError
from predsurv.core.num import Price
from predsurv.venues.polymarket.orders.ethereum_key import EthereumKey
from predsurv.venues.polymarket.orders.exchanges import EXCHANGE_V3, NEG_RISK, STANDARD, ExchangeContract
from predsurv.venues.polymarket.orders.signing import MarketTerms, OrderSigner, SignedOrder, wallet_of
from predsurv.venues.polymarket.orders.typed_data import ORDER_TYPE, OrderFields
from predsurv.venues.requests import OrderRefusal
from tests.kit.payloads import OWN, RECORDED, required
from tests.kit.polymarket_orders import ADDRESS, NOW, TERMS, TOKEN, WALLET, command, key, signer

_POSITION = str(1 << 248 | 5)  # the form of a position id: 64 zero bits above the lowest 40
_S = 1_000_000_000


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def fields_of(vector: dict[str, Any]) -> OrderFields:
    return OrderFields(
        int(vector["salt"]),
        raw(vector["maker"]),
        raw(vector["signer"]),
        int(vector["tokenId"]),
        int(vector["makerAmount"]),
        int(vector["takerAmount"]),
        ("BUY", "SELL").index(vector["side"]),
        vector["signatureType"],
        int(vector["timestamp"]),
        raw(vector.get("metadata", "00" * 32)),
        raw(vector.get("builder", "00" * 32)),
    )


def signed(order: SignedOrder | OrderRefusal) -> SignedOrder:
    assert isinstance(order, SignedOrder), order
    return order


def test_28_orders_signed_by_two_clients_of_the_venue() -> None:
    recorded = required(RECORDED).load("polymarket/order_signing_vectors_derived.json")
    assert recorded["address"] == ADDRESS
    assert raw(recorded["privateKey"]).hex() == "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
    vectors = recorded["vectors"]
    assert len(vectors) == 28
    assert {each["signatureType"] for each in vectors} == {0, 1, 2, 3}
    for each in vectors:
        exchange = ExchangeContract("x", each["domainVersion"], each["verifyingContract"], each["chainId"])
        got = signer().sign(exchange, fields_of(each))
        assert got == (each["orderHash"], each["signature"]), each


def test_orders_of_our_own_signed_by_a_client_of_the_venue() -> None:
    own = OWN.load("polymarket/order_signing_vectors_own.json")
    mine = EthereumKey(Secret(own["privateKey"]))
    ours = OrderSigner(mine, wallet_of(0, "", mine))
    assert ours.maker == own["address"]
    contracts = {each.name: each for each in (STANDARD, NEG_RISK, EXCHANGE_V3)}
    assert {(each["exchange"], each["signatureType"]) for each in own["vectors"]} == {
        (name, kind) for name in contracts for kind in range(4)
    }
    for each in own["vectors"]:
        got = ours.sign(contracts[each["exchange"]], fields_of(each))
        assert got == (each["orderHash"], each["signature"]), each


def test_the_published_order_of_a_deposit_wallet() -> None:
    """From the venue's client: tests/order_utils/test_exchange_order_builder_v2.py."""
    wallet = raw(WALLET)
    exchange = ExchangeContract("x", "2", "0xE111180000d2663C0091e4f400237545B87B996B", 80002)
    fields = OrderFields(479249096354, wallet, wallet, 1234, 100000000, 50000000, 0, 3, 1710000000000)
    signature = raw(signer().sign(exchange, fields).signature)
    assert len(signature) == 317
    assert signature[:65].hex() == (
        "a3a093c83b6c20c83355c16ce94c92e6e9fcbdeb840618cc74f6c57a42ad145b"
        "2b98db73d2c73cbf1f2b6af288566ae81960ddbc3a13921027358a8bff3be6ff1c"
    )
    assert signature[65:97].hex() == "a440cbd865bc0c6243d7a8df9a8bf48a8827b0a4abbb61c30e96d305423af148"
    assert signature[97:129].hex() == "d23d42d3ad94e65d78258cecaf8dcbaddac0f73dc085040f2c12bb595dd83804"
    assert signature[129:] == ORDER_TYPE + b"\x00\xba"


@pytest.mark.parametrize(
    ("signature_type", "maker", "named"),
    [(0, ADDRESS, ADDRESS), (1, WALLET, ADDRESS), (2, WALLET, ADDRESS), (3, WALLET, WALLET)],
)
def test_an_order_names_the_wallet_of_its_type(signature_type: int, maker: str, named: str) -> None:
    mine = signer(signature_type)
    order = signed(mine.order(command(), TERMS, now=NOW, salt=7))
    assert (mine.maker, mine.signer) == (maker, named)
    assert (order.fields.maker, order.fields.signer) == (raw(maker), raw(named))
    assert len(raw(order.signature)) == (317 if signature_type == 3 else 65)


def test_a_command_becomes_the_same_bytes_each_time() -> None:
    first, second = (signed(signer().order(command(), TERMS, now=NOW, salt=7)) for _ in range(2))
    assert first == second
    assert first.order_id != signed(signer().order(command(), TERMS, now=NOW, salt=8)).order_id
    assert (first.fields.timestamp, first.order_type, first.expiration) == (NOW // 1_000_000, "GTC", 0)
    assert (first.fields.maker_amount, first.fields.taker_amount, first.fields.side) == (11_782_400, 21_040_000, 0)


@pytest.mark.parametrize(("tif", "order_type"), [("gtc", "GTC"), ("ioc", "FAK"), ("fok", "FOK")])
def test_times_in_force_by_the_names_of_the_venue(tif: Any, order_type: str) -> None:
    assert signed(signer().order(command(tif=tif), TERMS, now=NOW, salt=7)).order_type == order_type


def test_the_venue_ends_an_order_a_minute_before_its_expiration() -> None:
    until = NOW // _S * _S + 200 * _S
    order = signed(signer().order(command(tif="gtd", expires=until), TERMS, now=NOW, salt=7))
    assert (order.order_type, order.expiration) == ("GTD", until // _S + 60)
    plain = signed(signer().order(command(), TERMS, now=NOW, salt=7))
    assert plain.order_id == order.order_id, "the expiration is not signed"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tif": "gtd"}, "expiration"),
        ({"tif": "gtd", "expires": NOW + 120 * _S}, "expiration"),
        ({"tif": "gtc", "expires": NOW + 900 * _S}, "expiration"),
        ({"tif": "fok", "post_only": True}, "post_only"),
        ({"tif": "ioc", "post_only": True}, "post_only"),
        ({"price": 555_000}, "off_grid"),
        ({"token": "0x12"}, "not_ours"),
        ({"token": "1_0"}, "not_ours"),
        ({"token": "٣" * 70}, "not_ours"),
        ({"token": "9" * 78}, "not_ours"),
        ({"token": "9" * 79}, "not_ours"),
        ({"token": "0"}, "not_ours"),
        ({"token": _POSITION}, "exchange"),
    ],
)
def test_what_the_venue_would_refuse_is_not_signed(changes: dict[str, Any], reason: str) -> None:
    got = signer().order(command(**changes), TERMS, now=NOW, salt=7)
    assert isinstance(got, OrderRefusal)
    assert got.reason == reason


@pytest.mark.parametrize(
    ("version", "neg_risk", "token", "exchange"),
    [
        ("v1", False, TOKEN, "standard"),
        ("v1", True, TOKEN, "neg_risk"),
        ("v2", False, _POSITION, "v3"),
        ("v2", True, _POSITION, "v3"),
        ("v2", False, TOKEN, None),
        ("v3", False, TOKEN, None),
        ("", False, TOKEN, None),
    ],
)
def test_the_version_of_the_market_names_the_exchange(
    version: str, neg_risk: bool, token: str, exchange: str | None
) -> None:
    terms = MarketTerms(Price(10_000), version, neg_risk)
    got = signer().order(command(token=token), terms, now=NOW, salt=7)
    assert (got.exchange if isinstance(got, SignedOrder) else None) == exchange


def test_a_salt_that_json_cannot_carry_is_a_bug() -> None:
    for salt in (1 << 53, -1):
        with pytest.raises(BrokenInvariant):
            signer().order(command(), TERMS, now=NOW, salt=salt)


@pytest.mark.parametrize(
    ("signature_type", "funder", "message"),
    [
        (1, "", "needs a wallet address"),
        (2, "0x12", "not an address"),
        (3, ADDRESS, "is signature_type 0"),
        (0, WALLET, "not the key's own account"),
        (4, WALLET, "not 0, 1, 2 or 3"),
    ],
)
def test_a_wallet_that_cannot_be_is_told(signature_type: int, funder: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        wallet_of(signature_type, funder, key())


def test_the_own_account_may_be_named() -> None:
    mine = key()
    assert OrderSigner(mine, wallet_of(0, ADDRESS.lower(), mine)).maker == ADDRESS
