"""What the venue's own client makes of orders; run by an interpreter that has ``polymarket-client``, without ours.

Reads a JSON array of orders from standard input, writes one of ``{"amounts":…,"hash":…,"signature":…,"body":…}``.
"""

import json
import sys
from decimal import Decimal
from importlib import import_module
from typing import Any

_ACTIONS = "polymarket._internal.actions.orders"
_CONTRACTS = {
    "standard": ("0xE111180000d2663C0091e4f400237545B87B996B", "2"),
    "neg_risk": ("0xe2222d279d744050d28e00520010520000310F59", "2"),
    "v3": ("0xe3333700cA9d93003F00f0F71f8515005F6c00Aa", "3"),
}
_MICROS = 1_000_000


def amounts(order: dict[str, Any]) -> list[int]:
    """Return the client's amounts; of an order that takes, those for what ours gives."""
    price, tick = Decimal(order["price"]) / _MICROS, Decimal(order["tick"]) / _MICROS
    given = Decimal(order["size"] if order["rests"] else order["maker_amount"]) / _MICROS
    if order["rests"]:
        compute = import_module(f"{_ACTIONS}.limit")._compute_limit_order_amounts
        return list(compute(price=price, size=given, side=order["side"], tick_size=tick))
    compute = import_module(f"{_ACTIONS}.market")._compute_market_order_amounts
    return list(compute(amount=given, price=price, side=order["side"], tick_size=tick))


def signed(order: dict[str, Any], account: Any) -> dict[str, str]:
    """Return hash, signature and body of an order with these fields."""
    types, typed = import_module(f"{_ACTIONS}.types"), import_module(f"{_ACTIONS}.typed_data")
    keccak = import_module("eth_utils.crypto").keccak
    contract, version = _CONTRACTS[order["exchange"]]
    unsigned = types.UnsignedOrder(
        builder=types.BYTES32_ZERO,
        chain_id=137,
        exchange_address=contract,
        expiration=order["expiration"],
        maker=order["maker"],
        maker_amount=order["maker_amount"],
        metadata=types.BYTES32_ZERO,
        order_type=order["order_type"],
        salt=order["salt"],
        side=order["side"],
        signature_type=order["signature_type"],
        signer=order["signer"],
        taker_amount=order["taker_amount"],
        timestamp=order["timestamp"],
        token_id=order["token_id"],
        protocol_version=version,
    )
    plain = account.sign_typed_data(full_message=typed.build_order_typed_data(unsigned)).signature.hex()
    signature = typed.build_order_signature(unsigned, "0x" + plain.removeprefix("0x"))
    domain = bytes.fromhex(typed._app_domain_separator(unsigned, protocol_version=version)[2:])
    order_hash = keccak(b"\x19\x01" + domain + typed._order_contents_hash(unsigned)).hex()
    whole = import_module(f"{_ACTIONS}.orders").create_signed_order(unsigned, signature, post_only=order["post_only"])
    payload = import_module(f"{_ACTIONS}.post")._build_send_order_payload(whole, owner_api_key=order["owner"])
    return {
        "hash": f"0x{order_hash.removeprefix('0x')}",
        "signature": signature,
        "body": json.dumps(payload, separators=(",", ":")),
    }


def main() -> None:
    """Answer every order; the key is an argument because it is no secret."""
    account = import_module("eth_account").Account.from_key(sys.argv[1])
    answers = [{"amounts": amounts(order)} | signed(order, account) for order in json.load(sys.stdin)]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
