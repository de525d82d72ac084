"""A buy needs an allowance of the contract that settles it."""

import pytest
from msgspec.structs import replace

from predsurv.core.num import MICROS
from predsurv.core.orders import PlaceOrder
from predsurv.venues.polymarket.execution.allowances import above_allowance, read_allowances
from predsurv.venues.polymarket.orders.exchanges import NEG_RISK, STANDARD
from tests.kit.live_orders import TRADED
from tests.kit.polymarket_orders import command
from tests.kit.scripted_accounts import clob_account
from tests.kit.scripted_http import Answer

ENOUGH = {STANDARD.address.lower(): 10 * MICROS}


def order(**changes: object) -> PlaceOrder:
    return replace(command(size=10 * MICROS), key=TRADED.key(0), **changes)


@pytest.mark.parametrize(
    ("given", "neg_risk", "words"),
    [
        (ENOUGH, False, None),
        ({STANDARD.address.lower(): 5 * MICROS}, False, "the standard contract may take 5 USD, the order needs 5.6"),
        ({}, False, None),
        (ENOUGH | {NEG_RISK.address.lower(): 0}, True, "the neg_risk contract may take 0 USD, the order needs 5.6"),
    ],
)
def test_a_buy_above_the_allowance_of_its_contract_is_refused(
    given: dict[str, int], neg_risk: bool, words: str | None
) -> None:
    found = above_allowance(order(), replace(TRADED, neg_risk=neg_risk), given)
    assert (None if found is None else found.detail) == words


def test_a_sale_needs_none_and_an_unknown_contract_is_said() -> None:
    assert above_allowance(order(side="sell"), TRADED, {STANDARD.address.lower(): 0}) is None
    found = above_allowance(order(), replace(TRADED, version="v9"), ENOUGH)
    assert found is not None
    assert found.reason == "exchange"


async def test_allowances_are_read_from_the_venue() -> None:
    body = b'{"balance":"1000000","allowances":{"%s":"1000000"}}' % STANDARD.address.encode()
    check = await read_allowances(clob_account(Answer(body)).reader)
    found = check(order(), TRADED)
    assert found is not None
    assert found.reason == "allowance"
