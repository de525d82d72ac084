"""The simulated REST interface answers in the venue's forms."""

import json
from typing import Any

import pytest

from predsurv.core.events import BookSnapshot, MarketResolved, Trade
from predsurv.core.ids import InstrumentId, MarketId
from predsurv.core.num import Price, Size
from predsurv.simulate.kalshi.markets import KalshiMarkets
from predsurv.simulate.kalshi.rest_api import answer, refusal
from predsurv.venues.kalshi import rest_wire as rows
from tests.kit.simulated_kalshi_samples import KEY, NOW, TICKER, VENUE, market


@pytest.fixture
def world() -> KalshiMarkets:
    made = KalshiMarkets()
    for number in range(1, 6):
        made.add(market(f"crypto-{number}"))
    bids, asks = ((Price(400_000), Size(1_500_000)),), ((Price(450_000), Size(2_000_000)),)
    list(made.apply(BookSnapshot(KEY, NOW, NOW, 1, 1, bids, asks)))
    list(made.apply(Trade(KEY, NOW, NOW, Price(450_000), Size(500_000), "buy", None)))
    return made


def get(world: KalshiMarkets, path: str, **query: Any) -> dict[str, Any]:
    said = answer(world, path, {name: value if isinstance(value, list) else [value] for name, value in query.items()})
    assert said.status == 200, said
    return dict(json.loads(said.body))


def test_pages_until_the_cursor_is_empty(world: KalshiMarkets) -> None:
    seen, cursor = [], ""
    while True:
        page = get(world, "/markets", limit="2", **({"cursor": cursor} if cursor else {}))
        seen += [row["ticker"] for row in page["markets"]]
        cursor = page["cursor"]
        if not cursor:
            break
    assert seen == [f"KXCRYPTO-{number}" for number in range(1, 6)]


def test_rows_can_be_read(world: KalshiMarkets) -> None:
    row = rows.read_market(json.dumps(get(world, "/markets")["markets"][0]))
    assert (row.yes_bid_dollars, row.yes_bid_size_fp) == ("0.4000", "1.50")
    assert (row.yes_ask_dollars, row.yes_ask_size_fp) == ("0.4500", "2.00")
    empty = rows.read_market(json.dumps(get(world, "/markets")["markets"][1]))
    assert (empty.yes_bid_dollars, empty.yes_ask_dollars) == ("0.0000", "1.0000"), "the venue's sentinels"
    assert get(world, "/events")["events"][0]["series_ticker"] == "KXCRYPTO"
    assert get(world, "/series")["series"][0]["fee_type"] == "quadratic"
    assert rows.read_limits(json.dumps(get(world, "/account/limits"))).read.refill_rate == 200


def test_books(world: KalshiMarkets) -> None:
    ladder = {"yes_dollars": [["0.4000", "1.50"]], "no_dollars": [["0.5500", "2.00"]]}
    assert get(world, f"/markets/{TICKER}/orderbook") == {"orderbook_fp": ladder}
    several = get(world, "/markets/orderbooks", tickers=[TICKER, "KXCRYPTO-2", "KXNONE"])["orderbooks"]
    assert [book["ticker"] for book in several] == [TICKER, "KXCRYPTO-2"]
    assert several[1]["orderbook_fp"] == {"yes_dollars": [], "no_dollars": []}


def test_trades(world: KalshiMarkets) -> None:
    (trade,) = get(world, "/markets/trades", ticker=TICKER)["trades"]
    assert (trade["ticker"], trade["yes_price_dollars"], trade["taker_outcome_side"]) == (TICKER, "0.4500", "yes")
    assert get(world, "/markets/trades", ticker="KXNONE")["trades"] == []


def test_settled_markets_leave_the_open_list(world: KalshiMarkets) -> None:
    paid = ((InstrumentId("crypto-1-yes"), Price(500_000)),)
    list(world.apply(MarketResolved(VENUE, MarketId("crypto-1"), NOW, NOW, paid, True)))
    assert len(get(world, "/markets", status="open")["markets"]) == 4
    (settled,) = get(world, "/markets", status="settled")["markets"]
    assert (settled["status"], settled["result"], settled["settlement_value_dollars"]) == (
        "finalized",
        "scalar",
        "0.5000",
    )


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/nowhere", {}, 404),
        ("/markets/KXNONE/orderbook", {}, 404),
        ("/markets", {"limit": ["x"]}, 400),
        ("/markets", {"cursor": ["x"]}, 400),
        ("/markets/orderbooks", {}, 400),
        ("/markets/orderbooks", {"tickers": ["X"] * 101}, 400),
    ],
)
def test_refusals(world: KalshiMarkets, path: str, query: dict[str, list[str]], status: int) -> None:
    said = answer(world, path, query)
    assert said.status == status
    assert "code" in json.loads(said.body)["error"]


def test_refusals_have_the_venues_codes() -> None:
    assert b"token_authentication_failure" in refusal(401).body
    assert b"too_many_requests" in refusal(429).body
