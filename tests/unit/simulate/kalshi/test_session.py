"""The simulated session numbers frames and rejects commands as Kalshi's does."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from predsurv.core.events import BookDelta, BookSnapshot, MarketChange, MarketEvent, MarketResolved, Trade
from predsurv.core.ids import MarketId
from predsurv.core.num import Price, Size
from predsurv.simulate.kalshi.markets import KalshiMarkets
from predsurv.simulate.kalshi.session import ClientSession
from tests.kit.simulated_kalshi_samples import KEY, NOW, TICKER, VENUE, market


@pytest.fixture
def markets() -> KalshiMarkets:
    markets = KalshiMarkets()
    markets.add(market())
    markets.add(market("sports-2", ("a", "b", "c")))
    bids = ((Price(400_000), Size(12_345_678)), (Price(390_000), Size(9_999)))
    list(markets.apply(BookSnapshot(KEY, NOW, NOW, 1, 1, bids, ((Price(450_000), Size(1_000_000)),))))
    return markets


def decoded(frames: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in frames]


def command(session: ClientSession, name: str, **params: Any) -> list[dict[str, Any]]:
    return decoded(session.on_command(json.dumps({"id": 5, "cmd": name, "params": params})))


def change(markets: KalshiMarkets, price: int = 400_000, size: int = 20_000_000) -> Iterator[Any]:
    return markets.apply(BookDelta(KEY, NOW, NOW, 1, 2, "bid", Price(price), Size(size)))


def test_outcomes_of_one_market_become_markets(markets: KalshiMarkets) -> None:
    assert [*markets.books] == [TICKER, "KXSPORTS-2-A", "KXSPORTS-2-B", "KXSPORTS-2-C"]
    assert markets.listed["KXSPORTS-2-A"].event == "KXSPORTS-2"
    assert markets.books[TICKER].levels() == ({400_000: 12_340_000}, {450_000: 1_000_000}), "hundredths, rounded down"


def test_a_subscription_gets_numbered_snapshots(markets: KalshiMarkets) -> None:
    session = ClientSession(markets)
    names = {"channels": ["orderbook_delta", "trade"], "market_tickers": [TICKER, "KXNONE"]}
    opened, book, unknown, trades = command(session, "subscribe", **names)
    assert opened == {"id": 5, "type": "subscribed", "msg": {"channel": "orderbook_delta", "sid": 1}}
    assert (book["sid"], book["seq"], book["msg"]["market_ticker"]) == (1, 1, TICKER)
    assert book["msg"]["yes_dollars_fp"] == [["0.4000", "12.34"]]
    assert book["msg"]["no_dollars_fp"] == [["0.5500", "1.00"]]
    assert unknown["msg"] == {"market_ticker": "KXNONE", "market_id": ""}
    assert unknown["seq"] == 2
    assert trades["msg"]["sid"] == 2


def test_no_levels_are_sent_at_yes_prices_on_request(markets: KalshiMarkets) -> None:
    session = ClientSession(markets)
    _, book = command(session, "subscribe", channels=["orderbook_delta"], market_tickers=[TICKER], use_yes_price=True)
    assert book["msg"]["no_dollars_fp"] == [["0.4500", "1.00"]]
    (message,) = markets.apply(BookDelta(KEY, NOW, NOW, 1, 2, "ask", Price(450_000), Size(0)))
    (frame,) = decoded(session.publish(message))
    assert (frame["msg"]["price_dollars"], frame["msg"]["delta_fp"]) == ("0.4500", "-1.00")


def test_book_changes_are_signed_differences(markets: KalshiMarkets) -> None:
    session = ClientSession(markets)
    command(session, "subscribe", channels=["orderbook_delta"], market_tickers=[TICKER])
    (message,) = change(markets)
    (frame,) = decoded(session.publish(message))
    assert frame["seq"] == 2
    assert frame["msg"]["delta_fp"] == "7.66"
    assert not list(change(markets)), "nothing changed"


def test_responses_take_sequence_numbers(markets: KalshiMarkets) -> None:
    session = ClientSession(markets)
    command(session, "subscribe", channels=["orderbook_delta"], market_tickers=[TICKER])
    ok, book = command(
        session, "update_subscription", sid=1, action="add_markets", market_tickers=["KXSPORTS-2-A", TICKER]
    )
    assert (ok["type"], ok["seq"]) == ("ok", 2)
    assert (book["type"], book["seq"], book["msg"]["market_ticker"]) == ("orderbook_snapshot", 3, "KXSPORTS-2-A")
    (refused,) = command(session, "update_subscription", sid=1, action="dance")
    assert (refused["msg"]["code"], refused["seq"]) == (13, 4)
    (snapshot,) = command(session, "update_subscription", sid=1, action="get_snapshot", market_tickers=[TICKER])
    assert (snapshot["id"], snapshot["seq"]) == (5, 5)
    (gone,) = command(session, "update_subscription", sids=[1], action="delete_markets", market_tickers=[TICKER])
    assert gone["msg"]["market_tickers"] == ["KXSPORTS-2-A"]
    (left,) = command(session, "unsubscribe", sids=[1])
    assert (left["type"], left["seq"]) == ("unsubscribed", 7)
    assert command(session, "subscribe", channels=["orderbook_delta"], market_tickers=[TICKER])[0]["msg"]["sid"] == 2


@pytest.mark.parametrize(
    ("name", "params", "code"),
    [
        ("subscribe", {"channels": ["mood"]}, 8),
        ("subscribe", {"channels": ["orderbook_delta"]}, 14),
        ("update_subscription", {"sid": 9, "action": "add_markets"}, 7),
        ("unsubscribe", {"sids": [9]}, 7),
        ("dance", {}, 5),
    ],
)
def test_rejected_commands_have_the_venues_codes(
    markets: KalshiMarkets, name: str, params: dict[str, Any], code: int
) -> None:
    assert command(ClientSession(markets), name, **params)[0]["msg"]["code"] == code


def test_an_unreadable_command_is_rejected(markets: KalshiMarkets) -> None:
    assert decoded(ClientSession(markets).on_command(b"{"))[0]["msg"]["code"] == 1


def test_a_subscription_has_a_limit_of_markets(markets: KalshiMarkets) -> None:
    session = ClientSession(markets, markets_per_subscription=1)
    command(session, "subscribe", channels=["orderbook_delta"], market_tickers=[TICKER])
    (refused,) = command(session, "update_subscription", sid=1, action="add_markets", market_tickers=["KXSPORTS-2-A"])
    assert refused["msg"]["code"] == 26
    assert session.tickers() == [TICKER]


@pytest.mark.parametrize(("kind", "seqs"), [("gap", [3]), ("duplicate", [2, 2, 3]), ("reorder", [3, 2])])
def test_faults_of_numbered_frames(markets: KalshiMarkets, kind: str, seqs: list[int]) -> None:
    session = ClientSession(markets)
    command(session, "subscribe", channels=["orderbook_delta"], market_tickers=[TICKER])
    assert not session.inject(kind)
    frames = [
        frame
        for size in (1_000_000, 2_000_000)
        for message in change(markets, size=size)
        for frame in session.publish(message)
    ]
    assert [frame["seq"] for frame in decoded(frames)] == seqs


@pytest.mark.parametrize("code", [10, 25])
def test_a_subscription_can_be_ended_by_an_error(markets: KalshiMarkets, code: int) -> None:
    session = ClientSession(markets)
    command(session, "subscribe", channels=["orderbook_delta"], market_tickers=[TICKER])
    (error,) = decoded(session.inject(f"error{code}"))
    assert (error["msg"]["code"], error["sid"], error["seq"]) == (code, 1, 2)
    assert not [frame for message in change(markets) for frame in session.publish(message)]


def test_trades_and_settlement_are_published(markets: KalshiMarkets) -> None:
    session = ClientSession(markets)
    command(session, "subscribe", channels=["trade", "market_lifecycle_v2"], market_tickers=[TICKER])
    events: list[MarketEvent] = [
        Trade(KEY, NOW, NOW, Price(400_000), Size(2_500_000), "sell", None),
        MarketChange(VENUE, MarketId("crypto-1"), None, NOW, NOW, "tick_size", "{}", market(), Price(1_000)),
        MarketResolved(VENUE, MarketId("crypto-1"), NOW, NOW, ((KEY.instrument_id, Price(1_000_000)),)),
    ]
    frames = decoded(
        [frame for event in events for message in markets.apply(event) for frame in session.publish(message)]
    )
    trade, grid, determined, settled = (frame["msg"] for frame in frames)
    assert (trade["yes_price_dollars"], trade["count_fp"], trade["taker_book_side"]) == ("0.4000", "2.50", "ask")
    assert grid["event_type"] == "price_level_structure_updated"
    assert (determined["result"], determined["settlement_value"]) == ("yes", "1.0000")
    assert settled["event_type"] == "settled"
    assert [frame["seq"] for frame in frames] == [1, 1, 2, 3]
