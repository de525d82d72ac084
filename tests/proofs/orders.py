"""Random orders for Polymarket, byte for byte beside the venue's own client ``polymarket-client``.

``python -m tests.proofs.orders --client PYTHON [--orders N] [--seed N]``: ``PYTHON`` is an interpreter that has the
client installed (0.14.0; in an environment of its own, because it wants other versions of libraries). Compared are the
two amounts, the order's hash, its signature and the request's body, for every tick size, kind of wallet, exchange and
time in force.
"""

import argparse
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

from predsurv.config import Secret
from predsurv.core.num import Price
from predsurv.core.orders import RESTING, TimeInForce
from predsurv.venues.polymarket.orders.amounts import TICK_SIZES
from predsurv.venues.polymarket.orders.requests import place_order
from predsurv.venues.polymarket.orders.signing import MarketTerms, SignedOrder
from tests.kit.polymarket_orders import NOW, PRIVATE_KEY, WALLET, command, signer

OWNER: Final = "owner-key"
TIMES_IN_FORCE: Final[tuple[TimeInForce, ...]] = ("gtc", "gtd", "ioc", "fok")
_S: Final = 1_000_000_000
_FOUR_DECIMALS: Final = 100
_CLIENT: Final = Path(__file__).with_name("order_client.py")


def random_orders(count: int, seed: int) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Return ``count`` signed orders, each with what is needed to make it again, and how many were refused why."""
    rnd, signers = random.Random(seed), {kind: signer(kind, WALLET if kind else "") for kind in range(4)}
    made: list[dict[str, Any]] = []
    refused: Counter[str] = Counter()
    while len(made) < count:
        kind, version, tif = rnd.randrange(4), rnd.choice(("v1", "v2")), rnd.choice(TIMES_IN_FORCE)
        tick = rnd.choice(sorted(TICK_SIZES))
        given = command(
            side=rnd.choice(("buy", "sell")),
            price=tick * rnd.randint(1, 1_000_000 // tick - 1),
            size=rnd.randint(1, 10 ** rnd.randint(5, 12)),
            tif=tif,
            token=str(1 << 248 | rnd.getrandbits(39) if version == "v2" else 1 << 60 | rnd.getrandbits(250)),
            post_only=tif in RESTING and rnd.random() < 0.3,
            expires=NOW + rnd.randint(150, 10_000) * _S if tif == "gtd" else None,
        )
        terms = MarketTerms(Price(tick), version, neg_risk=rnd.random() < 0.5)
        order = signers[kind].order(given, terms, now=NOW + rnd.getrandbits(50), salt=rnd.getrandbits(53))
        if not isinstance(order, SignedOrder):
            refused[order.reason] += 1
            continue
        body = (place_order(order, signers[kind], Secret(OWNER)).body or b"").decode()
        given_fields = {"tick": tick, "price": given.price, "size": given.size, "rests": tif in RESTING}
        made.append(given_fields | described(order, body))
    return made, refused


def described(order: SignedOrder, body: str) -> dict[str, Any]:
    """Return what the client needs to sign the same order, and what ours came to."""
    fields = json.loads(body)["order"]
    return {
        "exchange": order.exchange,
        "maker_amount": order.fields.maker_amount,
        "taker_amount": order.fields.taker_amount,
        "side": fields["side"],
        "maker": fields["maker"],
        "signer": fields["signer"],
        "signature_type": order.fields.signature_type,
        "salt": order.fields.salt,
        "timestamp": order.fields.timestamp,
        "token_id": fields["tokenId"],
        "expiration": order.expiration,
        "order_type": order.order_type,
        "post_only": order.post_only,
        "owner": OWNER,
        "hash": order.order_id,
        "signature": order.signature,
        "body": body,
    }


def differences(order: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Return what differs. The client signs up to six decimals of what a taker wants, and the venue takes four."""
    found = [name for name in ("hash", "signature", "body") if order[name] != theirs[name]]
    maker, taker = theirs["amounts"]
    if not order["rests"]:
        taker -= taker % _FOUR_DECIMALS
    return found if [maker, taker] == [order["maker_amount"], order["taker_amount"]] else [*found, "amounts"]


def main() -> int:
    """Compare; return 1 when anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.orders")
    parser.add_argument("--client", required=True, help="a Python interpreter with polymarket-client installed")
    parser.add_argument("--orders", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    made, refused = random_orders(options.orders, options.seed)
    run = [options.client, str(_CLIENT), f"0x{PRIVATE_KEY}"]
    answer = subprocess.run(run, input=json.dumps(made), capture_output=True, text=True, check=False)
    if answer.returncode:
        print(answer.stderr[-2_000:], file=sys.stderr)
        return 1
    found: Counter[str] = Counter()
    for order, theirs in zip(made, json.loads(answer.stdout), strict=True):
        for name in differences(order, theirs):
            found[name] += 1
            if sum(found.values()) <= 5:
                print(f"{name}: {order} but {theirs}")
    print(f"{len(made):,} orders, {sum(found.values())} differences; not built: {dict(sorted(refused.items()))}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
