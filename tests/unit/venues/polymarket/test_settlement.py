"""What a closed market pays is read from evidence, and unknown without."""

import pytest
from msgspec import Raw

from predsurv.core.ids import MarketId
from predsurv.venues.polymarket.gamma_row import NULL
from predsurv.venues.polymarket.rest import ClobMarket, ClobToken
from predsurv.venues.polymarket.settlement import settlement

MARKET = MarketId("0xm1")
Pays = tuple[int, int, bool] | None


def closed(
    *prices: str, winners: tuple[bool | None, bool | None] = (None, None), even: bool | None = None
) -> ClobMarket:
    raws = [Raw(price.encode()) for price in prices] or [NULL, NULL]
    tokens = [ClobToken(name, winner, price) for name, winner, price in zip(("1", "2"), winners, raws, strict=True)]
    return ClobMarket(closed=True, is_50_50_outcome=even, tokens=tokens)


def paid(market: ClobMarket, *, announced: bool = False) -> Pays:
    found = settlement(market, MARKET, ["1"], 7, announced=announced)
    return None if found is None else (found.payouts[0][1], found.payouts[1][1], found.void)


@pytest.mark.parametrize(
    ("market", "pays"),
    [
        (closed(winners=(False, True)), (0, 1_000_000, False)),
        (closed("0.99", "0.01", winners=(True, False)), (1_000_000, 0, False)),
        (closed("1", "0"), (1_000_000, 0, False)),
        (closed("0.0", '"1"', winners=(False, False)), (0, 1_000_000, False)),
        (closed(even=True), (500_000, 500_000, True)),
        (closed("0.5", "0.5", even=True), (500_000, 500_000, True)),
        (closed("0.5", "0.5", winners=(False, False), even=True), (500_000, 500_000, True)),
    ],
)
def test_one_winner_decided_prices_or_an_even_split_are_evidence(market: ClobMarket, pays: Pays) -> None:
    assert paid(market) == paid(market, announced=True) == pays


@pytest.mark.parametrize(
    "market",
    [
        closed(winners=(False, False)),
        closed(winners=(True, True)),
        closed("0.999", "0.001"),
        closed("0.5", "0.5", winners=(True, True), even=True),
        closed("1", "0", even=True),
        closed("1", "1"),
        closed('"x"', "0"),
        ClobMarket(closed=False, tokens=[ClobToken("1", True), ClobToken("2", False)]),
        ClobMarket(closed=True, tokens=[ClobToken("3", True), ClobToken("2", False)]),
        ClobMarket(closed=True, tokens=[ClobToken("1", True), ClobToken("1", False)]),
        ClobMarket(closed=True),
    ],
)
def test_anything_else_leaves_the_payout_unknown(market: ClobMarket) -> None:
    assert paid(market) is None
    assert paid(market, announced=True) is None


def test_even_prices_alone_may_be_those_of_the_last_trades() -> None:
    assert paid(closed("0.5", "0.5")) is None
    assert paid(closed("0.5", "0.5"), announced=True) == (500_000, 500_000, True)
