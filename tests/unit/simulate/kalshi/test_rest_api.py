"""The simulated REST API responds as the venue does."""

import json
from typing import Any

import pytest

from predsurv.core.events import BookSnapshot, MarketResolved, Trade
from predsurv.core.ids import InstrumentId, MarketId
from predsurv.core.num import Price, Size
from predsurv.simulate.kalshi.markets import KalshiMarkets
from predsurv.simulate.kalshi.rest_api import error_response, respond
from predsurv.venues.kalshi import rest_wire as rows
from predsurv.venues.kalshi.rows import read_market
from tests.kit.simulated_kalshi_samples import KEY, NOW, TICKER, VENUE, market


@pytest.fixture
def markets() -> KalshiMarkets:
    markets = KalshiMarkets()
    for number in range(1, 6):
        markets.add(market(f"crypto-{number}"))
    bids, asks = ((Price(400_000), Size(1_500_000)),), ((Price(450_000), Size(2_000_000)),)
    list(markets.apply(BookSnapshot(KEY, NOW, NOW, 1, 1, bids, asks)))
    list(markets.apply(Trade(KEY, NOW, NOW, Price(450_000), Size(500_000), "buy", None)))
    return markets


def get(markets: KalshiMarkets, path: str, **query: Any) -> dict[str, Any]:
    response = respond(
        markets, path, {name: value if isinstance(value, list) else [value] for name, value in query.items()}
    )
    assert response.status == 200, response
    return dict(json.loads(response.body))


def test_listings_are_paged_until_the_cursor_is_empty(markets: KalshiMarkets) -> None:
    seen, cursor = [], ""
    while True:
        page = get(markets, "/markets", limit="2", **({"cursor": cursor} if cursor else {}))
        seen += [row["ticker"] for row in page["markets"]]
        cursor = page["cursor"]
        if not cursor:
            break
    assert seen == [f"KXCRYPTO-{number}" for number in range(1, 6)]


def test_rows_can_be_read_by_the_adapter(markets: KalshiMarkets) -> None:
    row = read_market(json.dumps(get(markets, "/markets")["markets"][0]))
    assert (row.yes_bid_dollars, row.yes_bid_size_fp) == ("0.4000", "1.50")
    assert (row.yes_ask_dollars, row.yes_ask_size_fp) == ("0.4500", "2.00")
    empty = read_market(json.dumps(get(markets, "/markets")["markets"][1]))
    assert (empty.yes_bid_dollars, empty.yes_ask_dollars) == ("0.0000", "1.0000"), "the venue's sentinels"
    assert get(markets, "/events")["events"][0]["series_ticker"] == "KXCRYPTO"
    assert get(markets, "/series")["series"][0]["fee_type"] == "quadratic"
    assert rows.read_limits(json.dumps(get(markets, "/account/limits"))).read.refill_rate == 200


def test_order_books_are_served(markets: KalshiMarkets) -> None:
    ladder = {"yes_dollars": [["0.4000", "1.50"]], "no_dollars": [["0.5500", "2.00"]]}
    assert get(markets, f"/markets/{TICKER}/orderbook") == {"orderbook_fp": ladder}
    several = get(markets, "/markets/orderbooks", tickers=[TICKER, "KXCRYPTO-2", "KXNONE"])["orderbooks"]
    assert [book["ticker"] for book in several] == [TICKER, "KXCRYPTO-2"]
    assert several[1]["orderbook_fp"] == {"yes_dollars": [], "no_dollars": []}


def test_trades_are_served(markets: KalshiMarkets) -> None:
    (trade,) = get(markets, "/markets/trades", ticker=TICKER)["trades"]
    assert (trade["ticker"], trade["yes_price_dollars"], trade["taker_outcome_side"]) == (TICKER, "0.4500", "yes")
    assert get(markets, "/markets/trades", ticker="KXNONE")["trades"] == []


def test_settled_markets_leave_the_open_list(markets: KalshiMarkets) -> None:
    paid = ((InstrumentId("crypto-1-yes"), Price(500_000)),)
    list(markets.apply(MarketResolved(VENUE, MarketId("crypto-1"), NOW, NOW, paid, True)))
    assert len(get(markets, "/markets", status="open")["markets"]) == 4
    (settled,) = get(markets, "/markets", status="settled")["markets"]
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
        ("/markets", {"limit": ["\u00b2"]}, 400),
        ("/markets", {"cursor": ["c" + "9" * 5_000]}, 400),
        ("/markets/orderbooks", {}, 400),
        ("/markets/orderbooks", {"tickers": ["X"] * 101}, 400),
    ],
)
def test_invalid_requests_have_an_error_status(
    markets: KalshiMarkets, path: str, query: dict[str, list[str]], status: int
) -> None:
    response = respond(markets, path, query)
    assert response.status == status
    assert "code" in json.loads(response.body)["error"]


def test_error_responses_have_the_venues_codes() -> None:
    assert b"token_authentication_failure" in error_response(401).body
    assert b"too_many_requests" in error_response(429).body


@pytest.mark.parametrize("text", ["x", "\u00b2", "9" * 5_000])
def test_a_time_that_is_no_number_is_no_bound(markets: KalshiMarkets, text: str) -> None:
    assert len(get(markets, "/markets", min_updated_ts=text)["markets"]) == 5
