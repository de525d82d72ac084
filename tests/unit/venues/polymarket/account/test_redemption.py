"""What a wallet can redeem and merge: exact amounts, the contract of each market, and nothing unreadable left out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.errors import WireError
from predsurv.core.num import MICROS, Price, Size
from predsurv.venues.polymarket.account.redemption import HeldToken, read_positions, redeemables
from predsurv.venues.polymarket.positions_rest import PAGE_ROWS, wallet_positions
from tests.kit.payloads import RECORDED, required
from tests.kit.scripted_http import Answer, ScriptedHttp

TOKEN = "7" * 77
POSITION_ID = str(((1 << 200) | 5) & ~(((1 << 64) - 1) << 40))


def row(**changes: Any) -> dict[str, Any]:
    made = {"asset": TOKEN, "conditionId": "0xab", "size": 150.5, "curPrice": 0.6, "redeemable": False}
    return made | {"title": "Will it?", "outcome": "Yes", "negativeRisk": False} | changes


def page(*rows: dict[str, Any]) -> bytes:
    return json.dumps(rows).encode()


def test_settled_shares_pay_what_the_venue_states_losing_ones_nothing() -> None:
    body = page(
        row(redeemable=True, curPrice=1),
        row(asset="8" * 77, outcome="No", redeemable=True, curPrice=0, size="3"),
        row(asset="9" * 77, conditionId="0xcd", redeemable=True, curPrice=0.5, negativeRisk=True),
        row(asset=POSITION_ID, conditionId="0xef", redeemable=True, curPrice=1, size=1),
        row(asset="6" * 77, conditionId="0x12", redeemable=True, curPrice=1, size=0),
        row(asset="5" * 77, conditionId="0x13"),
    )
    found = redeemables(read_positions(body))
    assert [(each.kind, each.amount, each.contract) for each in found] == [
        ("redeem", 150_500_000, "conditional tokens"),
        ("redeem", 75_250_000, "neg-risk adapter"),
        ("redeem", 1_000_000, "router"),
        ("redeem", 0, "conditional tokens"),
    ]


def test_both_outcomes_of_a_market_that_trades_make_sets() -> None:
    body = page(row(), row(asset="8" * 77, outcome="No", size=20), row(asset="9" * 77, conditionId="0xcd"))
    (found,) = redeemables(read_positions(body))
    assert (found.kind, found.size, found.amount) == ("merge", 20 * MICROS, 20 * MICROS)
    assert found.outcome == "Yes + No"


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[{}]",
        b"\xff",
        page(row(size="1e5")),
        page(row(conditionId="")),
    ],
)
def test_a_row_that_cannot_be_read_is_an_error(body: bytes) -> None:
    with pytest.raises(WireError, match=r"not a page of positions|is not an id"):
        read_positions(body)


def test_a_recorded_page_is_read() -> None:
    path = required(RECORDED).polymarket / "adapter_samples" / "data_api_positions_response.json"
    held = read_positions(path.read_bytes())
    assert held[0].size == 150_500_000
    assert [each.amount for each in redeemables(held)] == [None]


@pytest.mark.parametrize("price", [0.4, 1.5, None])
def test_a_price_that_is_no_payout_says_nothing_of_what_is_paid(price: float | None) -> None:
    (found,) = redeemables(read_positions(page(row(redeemable=True, curPrice=price))))
    assert found.amount is None


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**9), st.sampled_from([None, 0, 500_000, MICROS]))))
def test_never_more_than_a_dollar_a_share_comes_of_it(made: list[tuple[int, int, int | None]]) -> None:
    held = [
        HeldToken(
            f"0x{market}", str(n), "", "Yes", Size(size), pays is not None, None if pays is None else Price(pays), False
        )
        for n, (market, size, pays) in enumerate(made)
    ]
    found = redeemables(held)
    amounts = [(each.amount or 0, each.size) for each in found]
    assert all(0 <= amount <= size for amount, size in amounts)
    assert sum(amount for amount, _ in amounts) <= sum(each.size for each in held)


async def test_every_page_is_read_and_a_row_that_moved_counts_once() -> None:
    first = [row(asset=str(n + 1)) for n in range(PAGE_ROWS)]
    server = ScriptedHttp(Answer(page(*first)), Answer(page(row(asset="1"), row(asset="999"))))
    found = await wallet_positions("https://data.test/", "0xme", server.http)
    assert len(found) == PAGE_ROWS + 1
    assert server.paths() == [
        f"/positions?user=0xme&sizeThreshold=0&limit=500&offset={offset}" for offset in (0, PAGE_ROWS)
    ]


async def test_a_list_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predsurv.venues.polymarket.positions_rest.PAGES_MAX", 2)
    server = ScriptedHttp(Answer(page(*(row(asset=str(n + 1)) for n in range(PAGE_ROWS)))))
    with pytest.raises(WireError, match="more than 2 pages"):
        await wallet_positions("https://data.test", "0xme", server.http)
