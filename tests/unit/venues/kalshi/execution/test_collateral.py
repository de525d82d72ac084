"""An order needs its cash on the shard of its market; what nobody stated refuses nothing."""

import json

import pytest
from msgspec.structs import replace

from predsurv.core.num import MICROS
from predsurv.venues.kalshi.execution.collateral import read_collateral
from tests.kit.live_orders import CONTRACT
from tests.kit.polymarket_orders import command
from tests.kit.scripted_accounts import kalshi_account
from tests.kit.scripted_http import Answer

BALANCE = {
    "balance": 100_000,
    "balance_dollars": "1000.0000",
    "balance_breakdown": [
        {"exchange_index": 0, "balance": "994.4000"},
        {"exchange_index": 2, "balance": "5.5999"},
        {"exchange_index": 3, "balance": "5.6000"},
    ],
}


@pytest.mark.parametrize(
    ("shard", "side", "detail"),
    [
        (0, "buy", None),
        (2, "buy", "shard 2 has $5.5999, the order needs $5.60"),
        (2, "sell", None),
        (3, "buy", None),
        (7, "buy", None),
        (None, "buy", None),
    ],
)
async def test_what_its_shard_cannot_pay_is_refused(shard: int | None, side: str, detail: str | None) -> None:
    check = await read_collateral(kalshi_account(Answer(json.dumps(BALANCE).encode())).reader)
    order = replace(command(size=10 * MICROS), key=CONTRACT.key(0), side=side)
    refusal = check(order, replace(CONTRACT, shard=shard))
    assert refusal == (None if detail is None else ("collateral", detail))
